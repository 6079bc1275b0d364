"""The studio stack: the embedded parts as the seam wants them. Sound is at 16 kHz, a token is 40 ms, text is characters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from sebridge_lite.core.device import pick_device
from sebridge_lite.data.languages import Language, language
from sebridge_lite.stack import flow, speaker
from sebridge_lite.stack.batches import at_once, cut, in_batches
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.features import FRAME_RATE, HOP, SAMPLE_RATE, log_mel
from sebridge_lite.stack.flow import DecodeConfig, Flow
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.protocols import Syllable
from sebridge_lite.stack.recogniser import SoundJudge, TokenJudge
from sebridge_lite.stack.speaker import SpeakerEncoder
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.tokenizer import Tokenizer
from sebridge_lite.stack.vocoder import Vocoder
from sebridge_lite.stack.wordgraph import WordGraph
from sebridge_lite.studio.lexicon import Word
from sebridge_lite.studio.texts import load_language
from sebridge_lite.studio.units import tone_language, word_units

DECODING = DecodeConfig(steps=6, solver="midpoint", noise=0.0, guidance=0.0)
PRIOR = 0.25  # weight of word frequencies in a judge's decision; in a trial anything from 0.1 to 0.5 did as well


@dataclass(frozen=True)
class StudioLanguage(Language):
    """A language of the studio world, whose lexicon says how each word sounds."""

    @cached_property
    def lexicon(self) -> Mapping[str, Word]:
        return load_language(self.code).lexicon

    def syllables(self, words: Sequence[str]) -> list[Syllable]:
        """Segments and tone of each syllable; none when a word is unknown."""
        if not all(word in self.lexicon for word in words):
            return []
        return [(syllable.ipa, syllable.tone) for word in words for syllable in self.lexicon[word].syllables]


class Graphs(dict):
    """A word graph for each language, built when a judge first hears the language. Both judges share them."""

    def __init__(self, languages: Mapping[str, StudioLanguage]):
        super().__init__()
        self.languages = languages

    def __missing__(self, lang: str) -> WordGraph:
        tones, lexicon = tone_language(lang), self.languages[lang].lexicon
        self[lang] = WordGraph({text: word_units(word, tones) for text, word in lexicon.items()}, PRIOR)
        return self[lang]


@torch.no_grad()
def mels(sounds: Sequence[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """Log mel of each, (T, 80)."""

    def measure(batch, lengths, _):
        return cut(log_mel(batch), lengths // HOP)

    return in_batches(measure, sounds, at_once(device) * HOP, device)


@dataclass(frozen=True, eq=False)
class StudioTokenizer:
    parts: Parts
    rate = FRAME_RATE // 2

    @property
    def net(self) -> Tokenizer:
        return self.parts["tokenizer"]

    @property
    def codes(self) -> int:
        return self.net.fsq.codes

    @torch.no_grad()
    def encode(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Sound to codes, one every 40 ms."""
        device = self.parts.device

        def encode(mel, lengths, _):
            return cut(self.net.encode(mel, lengths), (lengths + 1) // 2)

        return in_batches(encode, mels(sounds, device), at_once(device), device)


@dataclass(frozen=True, eq=False)
class StudioSpeaker:
    parts: Parts

    @property
    def net(self) -> SpeakerEncoder:
        return self.parts["speaker"]

    @torch.no_grad()
    def embed(self, sounds: Sequence[torch.Tensor]) -> torch.Tensor:
        device = self.parts.device

        def embed(mel, lengths, _):
            return speaker.embed(self.net, mel, lengths).cpu()

        return torch.stack(in_batches(embed, mels(sounds, device), at_once(device), device))


@dataclass(frozen=True, eq=False)
class StudioDecoder:
    parts: Parts
    decoding: DecodeConfig = DECODING
    sample_rate = SAMPLE_RATE

    @property
    def flow(self) -> Flow:
        return self.parts["flow"]

    @property
    def vocoder(self) -> Vocoder:
        return self.parts["vocoder"]

    @torch.no_grad()
    def speak(self, codes: Sequence[torch.Tensor], voices: torch.Tensor, seeds: Sequence[int]) -> list[torch.Tensor]:
        device = self.parts.device

        def decode(batch, lengths, places):
            seeds_here = [seeds[i] for i in places]
            mel, f0 = flow.decode(self.flow, batch, lengths, voices[places].to(device), self.decoding, seeds_here)
            return cut(self.vocoder(mel, 2 * lengths, f0), 2 * HOP * lengths)

        return in_batches(decode, codes, at_once(device) // 2, device)


@dataclass(frozen=True, eq=False)
class StudioJudge:
    """A recogniser of phones and tones, and the word graphs that make words of them."""

    parts: Parts
    name: str
    hears: str
    graphs: Mapping[str, WordGraph]

    @property
    def net(self) -> TokenJudge | SoundJudge:
        return self.parts[self.name]

    @torch.no_grad()
    def words(self, inputs: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        device = self.parts.device

        def read(batch, lengths, _):
            return self.graphs[lang].decode(*self.net(batch, lengths))

        return in_batches(read, inputs if self.hears == "tokens" else mels(inputs, device), device=device)


def studio_stack(parts: Parts, languages: Sequence[str], decoding: DecodeConfig = DECODING) -> Stack:
    """The studio's stack of these networks."""
    known = {lang: StudioLanguage(**vars(language(lang))) for lang in languages}
    graphs = Graphs(known)
    return Stack(
        text=CharVocab(),
        tokenizer=StudioTokenizer(parts),
        decoder=StudioDecoder(parts, decoding),
        speaker=StudioSpeaker(parts),
        select_judge=StudioJudge(parts, "select_judge", "tokens", graphs),
        score_judge=StudioJudge(parts, "score_judge", "sound", graphs),
        languages=known,
        device=parts.device,
    )


def load_stack(languages: Sequence[str], device: str = "auto") -> Stack:
    """The embedded parts; `languages` are those that the judges will hear."""
    return studio_stack(Parts(pick_device(device)), languages)
