"""Parts of our architectures, trained on whatever speech, as the seam wants them. Sound is at 16 kHz, a token is 40 ms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from sebridge_lite.stack import flow, speaker
from sebridge_lite.stack.batches import at_once, cut, in_batches
from sebridge_lite.stack.features import FRAME_RATE, HOP, SAMPLE_RATE, log_mel
from sebridge_lite.stack.flow import DecodeConfig
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.stack import Stack, TextTokenizer
from sebridge_lite.stack.vocoder import Vocoder
from sebridge_lite.stack.wordgraph import WordGraph

DECODING = DecodeConfig(steps=6, solver="midpoint", noise=0.0)


class GraphLanguage(Protocol):
    graph: WordGraph  # what makes words of the units that a judge hears


@torch.no_grad()
def mels(sounds: Sequence[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """Log mel of each, (T, 80)."""

    def measure(batch, lengths, _):
        return cut(log_mel(batch), lengths // HOP)

    return in_batches(measure, sounds, at_once(device) * HOP, device)


@dataclass(frozen=True, eq=False)
class Part:
    """One of `parts`, which is read when it is first used."""

    parts: Parts
    name: str

    @property
    def net(self) -> Any:
        return self.parts[self.name]

    @property
    def device(self) -> torch.device:
        return self.parts.device


class TrainedTokenizer(Part):
    rate = FRAME_RATE // 2

    @property
    def codes(self) -> int:
        return self.net.fsq.codes

    @torch.no_grad()
    def encode(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Sound to codes, one every 40 ms."""

        def encode(mel, lengths, _):
            return cut(self.net.encode(mel, lengths), (lengths + 1) // 2)

        return in_batches(encode, mels(sounds, self.device), at_once(self.device), self.device)


class TrainedSpeaker(Part):
    @torch.no_grad()
    def embed(self, sounds: Sequence[torch.Tensor]) -> torch.Tensor:
        def embed(mel, lengths, _):
            return speaker.embed(self.net, mel, lengths).cpu()

        return torch.stack(in_batches(embed, mels(sounds, self.device), at_once(self.device), self.device))


@dataclass(frozen=True, eq=False)
class TrainedDecoder(Part):
    decoding: DecodeConfig
    sample_rate = SAMPLE_RATE

    @property
    def vocoder(self) -> Vocoder:
        return self.parts["vocoder"]

    @torch.no_grad()
    def speak(self, codes: Sequence[torch.Tensor], voices: torch.Tensor, seeds: Sequence[int]) -> list[torch.Tensor]:
        def decode(batch, lengths, places):
            seeds_here = [seeds[i] for i in places]
            mel, f0 = flow.decode(self.net, batch, lengths, voices[places].to(self.device), self.decoding, seeds_here)
            return cut(self.vocoder(mel, 2 * lengths, f0), 2 * HOP * lengths)

        return in_batches(decode, codes, at_once(self.device) // 2, self.device)


@dataclass(frozen=True, eq=False)
class TrainedJudge(Part):
    """A recogniser of phones and tones, of which the word graphs of the languages make words."""

    hears: str
    languages: Mapping[str, "GraphLanguage"]

    @torch.no_grad()
    def words(self, inputs: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        def read(batch, lengths, _):
            return self.languages[lang].graph.decode(*self.net(batch, lengths))

        return in_batches(read, inputs if self.hears == "tokens" else mels(inputs, self.device), device=self.device)


def trained_stack(
    parts: Parts, text: TextTokenizer, languages: Mapping[str, Any], decoding: DecodeConfig = DECODING
) -> Stack:
    """The stack of these networks; each of the languages has a graph."""
    return Stack(
        text=text,
        tokenizer=TrainedTokenizer(parts, "tokenizer"),
        decoder=TrainedDecoder(parts, "flow", decoding),
        speaker=TrainedSpeaker(parts, "speaker"),
        select_judge=TrainedJudge(parts, "select_judge", "tokens", languages),
        score_judge=TrainedJudge(parts, "score_judge", "sound", languages),
        languages=languages,
        device=parts.device,
    )
