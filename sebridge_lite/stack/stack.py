"""All frozen parts together: sound to tokens and timbre, tokens and timbre to sound, and two judges that must not mix.

The parts are the seven files of `artifacts/pretrained/`. `read` is the judge that *selects* (it reads tokens), `hear` the one
that *scores* (it hears sound); whoever selects with one must score with the other. Left out: the text-speech LM, which is
what a study trains; load it from `backbone`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from sebridge_lite.core import paths
from sebridge_lite.core.device import pick_device
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.stack import flow, speaker
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.features import HOP, log_mel
from sebridge_lite.stack.flow import DecodeConfig, Flow, FlowConfig
from sebridge_lite.stack.recogniser import SoundJudge, SoundJudgeConfig, TokenJudge, TokenJudgeConfig
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder
from sebridge_lite.stack.tokenizer import Tokenizer, TokenizerConfig
from sebridge_lite.stack.units import word_units
from sebridge_lite.stack.vocoder import Vocoder, VocoderConfig
from sebridge_lite.stack.weights import load_model
from sebridge_lite.stack.wordgraph import WordGraph
from sebridge_lite.studio.lexicon import Word
from sebridge_lite.studio.texts import load_language

PARTS = {
    "tokenizer": (Tokenizer, TokenizerConfig),
    "speaker": (SpeakerEncoder, SpeakerConfig),
    "flow": (Flow, FlowConfig),
    "vocoder": (Vocoder, VocoderConfig),
    "select_judge": (TokenJudge, TokenJudgeConfig),
    "score_judge": (SoundJudge, SoundJudgeConfig),
    "backbone": (TextSpeechLM, LMConfig),
}
BUDGET = 12_000  # mel frames, or tokens, at once
CACHED = 2_000  # the same where a CPU works on sound: more no longer lie in its cache, and cost a third more time
PRIOR = 0.25  # weight of word frequencies in a judge's decision; in a trial anything from 0.1 to 0.5 did as well


def pretrained_folder() -> Path:
    """Where the parts lie: `SEBRIDGE_PARTS`, else this run's own, else those that were pulled into the project."""
    if os.environ.get("SEBRIDGE_PARTS"):
        return Path(os.environ["SEBRIDGE_PARTS"])
    own = paths.artifacts("pretrained")
    return own if own.is_dir() else paths.root() / "artifacts" / "pretrained"


def load_part(name: str, folder: Path) -> torch.nn.Module:
    model, config = PARTS[name]
    return load_model(model, config, folder / name).eval()


def tone_language(lang: str) -> str:
    """The backbone's language is one, whatever letters it is written in."""
    return "bb" if lang.startswith("bb") else lang


def word_graph(lexicon: Mapping[str, Word], lang: str) -> WordGraph:
    return WordGraph({text: word_units(word, tone_language(lang)) for text, word in lexicon.items()}, PRIOR)


def in_batches(function: Callable, rows: Sequence[torch.Tensor], budget: int = BUDGET) -> list:
    """`function(padded rows (B, longest, ...), lengths (B,), places)` -> one result a row, given back in the order of `rows`."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    results: list = [None] * len(rows)
    while order:
        longest = max(1, len(rows[order[-1]]))
        batch = order[-max(1, budget // longest) :]
        del order[-len(batch) :]
        lengths = torch.tensor([len(rows[i]) for i in batch])
        made = function(pad_sequence([rows[i] for i in batch], batch_first=True), lengths, batch)
        for place, result in zip(batch, made, strict=True):
            results[place] = result
    return results


@dataclass(frozen=True, eq=False)
class Stack:
    """Sounds are (N,) float32 at 16 kHz, codes (S,) long, timbres (E,); lists of them in, lists out."""

    tokenizer: Tokenizer
    speaker: SpeakerEncoder
    flow: Flow
    vocoder: Vocoder
    select_judge: TokenJudge
    score_judge: SoundJudge
    graphs: Mapping[str, WordGraph]
    decoding: DecodeConfig
    device: torch.device

    @property
    def codes(self) -> int:
        """How many different speech tokens there are."""
        return self.tokenizer.fsq.codes

    @property
    def text(self) -> CharVocab:
        return CharVocab()

    @property
    def at_once(self) -> int:
        """Mel frames."""
        return CACHED if self.device.type == "cpu" else BUDGET

    @torch.no_grad()
    def mels(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Log mel of each, (T, 80)."""

        def one(batch, lengths, _):
            frames = log_mel(batch.to(self.device)).cpu()
            return [frame[: size // HOP] for frame, size in zip(frames, lengths.tolist(), strict=True)]

        return in_batches(one, sounds, self.at_once * HOP)

    @torch.no_grad()
    def tokens(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Sound to codes, one every 40 ms."""

        def one(mel, lengths, _):
            codes = self.tokenizer.encode(mel.to(self.device), lengths.to(self.device)).cpu()
            return [row[: (size + 1) // 2] for row, size in zip(codes, lengths.tolist(), strict=True)]

        return in_batches(one, self.mels(sounds), self.at_once)

    def timbres(self, sounds: Sequence[torch.Tensor], layer: str = "timbre") -> torch.Tensor:
        """`e_timbre` of each recording, of length 1. (N, E)"""
        return self.timbres_in(self.mels(sounds), layer)

    @torch.no_grad()
    def timbres_in(self, mels: Sequence[torch.Tensor], layer: str = "timbre") -> torch.Tensor:
        """The same, where the log mels are there."""

        def one(mel, lengths, _):
            return speaker.embed(self.speaker, mel.to(self.device), lengths.to(self.device), layer).cpu()

        return torch.stack(in_batches(one, mels, self.at_once))

    @torch.no_grad()
    def speak(self, codes: Sequence[torch.Tensor], timbres: torch.Tensor, seeds: Sequence[int]) -> list[torch.Tensor]:
        """Codes and timbres (N, E) to sound; each row's noise follows from its own seed."""

        def one(batch, lengths, places):
            own = [seeds[i] for i in places]
            frames = 2 * lengths.to(self.device)
            given = timbres[places].to(self.device)
            mel, f0 = flow.decode(self.flow, batch.to(self.device), lengths.to(self.device), given, self.decoding, own)
            sound = self.vocoder(mel, frames, f0).cpu()
            return [row[: HOP * size] for row, size in zip(sound, (2 * lengths).tolist(), strict=True)]

        return in_batches(one, codes, self.at_once // 2)

    @torch.no_grad()
    def read(self, codes: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """What the *selecting* judge reads in tokens: words."""
        return self._words(self.select_judge, codes, lang)

    def hear(self, sounds: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """What the *scoring* judge hears in sound: words."""
        return self.hear_in(self.mels(sounds), lang)

    @torch.no_grad()
    def hear_in(self, mels: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """The same, where the log mels are there."""
        return self._words(self.score_judge, mels, lang)

    def _words(self, judge: torch.nn.Module, rows: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        def one(batch, lengths, _):
            return self.graphs[lang].decode(*judge(batch.to(self.device), lengths.to(self.device)))

        return in_batches(one, rows)


def load_stack(folder: Path, languages: Sequence[str], decoding: DecodeConfig, device: str = "auto") -> Stack:
    """The six frozen parts, and the word graphs of the languages that the judges will hear."""
    picked = pick_device(device)
    parts = {name: load_part(name, folder).to(picked) for name in PARTS if name != "backbone"}
    graphs = {lang: word_graph(load_language(lang).lexicon, lang) for lang in languages}
    return Stack(**parts, graphs=graphs, decoding=decoding, device=picked)
