"""The hub stack: the parts of a released model, behind the seam; weights come from a folder, or by name from the hub's cache.

    cosyvoice2    a folder of CosyVoice2 or 3 as it is published: Qwen's text tokenizer, speech tokenizer and x-vector as ONNX,
                  flow and vocoder by the installed package `cosyvoice`; style and voice are apart
    neutts        a causal LM with NeuCodec, both by transformers; the codes carry voice and style together, so a style prefix
                  brings the voice of its speaker, too, and the decoder is told no voice

A voice is what the speaker similarity of Eq. 26 compares; the decoder's own x-vector lies behind it, so small that it does not
count. A judge of sound may select: it is given tokens as sound. Left out: true pitch, tones, streaming.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import torch
from torch.nn import functional as F

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import open_sound, resample
from sebridge_lite.stack.judges import named_judge
from sebridge_lite.stack.likeness import APART, HEARD, heard
from sebridge_lite.stack.own import OwnLanguage
from sebridge_lite.stack.stack import Decoder, Judge, Stack

LAYER = 12  # Eq. 26


@dataclass(frozen=True)
class Released:
    """Which released model, as `params.hub` has it and as artifacts/own/stack.json keeps it."""

    family: str
    model: str  # folder, or name on the hub
    lm: str  # cosyvoice2: the file of the text-speech LM; else empty
    codec: str  # neutts: the codec's folder or name; else empty
    speaker: str  # a WavLM by folder or name
    voice: str  # a recording: the voice in which a selecting judge hears tokens
    checkpointing: bool  # less memory, a third more time

    @property
    def name(self) -> str:
        """What adapters say that they were made for."""
        return f"{self.model}/{self.lm}" if self.lm else self.model


def pretrained(what: str, load: Callable, place: str):
    """What transformers loads of a name or folder, without code of the model's own; one line where it does not."""
    try:
        return load(place, trust_remote_code=False)  # unsaid, transformers asks whether to run it
    except Exception as error:  # a broken file raises almost anything
        why = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise UserError(
            f"hub: {what} '{place}' cannot be loaded ({why}); name a whole folder, or fetch it again"
        ) from None


@dataclass(frozen=True, eq=False)
class Likeness:
    """What Eq. 26 compares (C.3): WavLM's hidden layer 12, its mean over time, of length 1; behind it any x-vector."""

    name: str
    rate: int
    device: torch.device
    xvector: Callable[[torch.Tensor], torch.Tensor] | None = None  # (N,) at 16 kHz -> (E,)

    @cached_property
    def net(self) -> torch.nn.Module:
        from transformers import AutoModel

        net = pretrained("WavLM", AutoModel.from_pretrained, self.name).to(self.device).eval()
        if net.config.num_hidden_layers < LAYER:
            raise UserError(f"hub.speaker '{self.name}': {net.config.num_hidden_layers} layers, Eq. 26 takes the 12th")
        return net

    @torch.no_grad()
    def embed(self, sounds: Sequence[torch.Tensor]) -> torch.Tensor:
        rows = []
        for sound in heard(sounds, self.rate):
            if len(sound) < HEARD // 10 or not sound.any():
                raise UserError(f"a recording of {len(sound) / HEARD:.2f} s: too short or silent to tell a voice")
            states = self.net(sound[None].to(self.device), output_hidden_states=True).hidden_states[LAYER]
            row = F.normalize(states[0].float().mean(0), dim=0).cpu()
            rows.append(torch.cat([row, APART * F.normalize(self.xvector(sound), dim=0)]) if self.xvector else row)
        return torch.stack(rows)


@dataclass(frozen=True, eq=False)
class ThroughSound:
    """A judge of sound that reads tokens: they are decoded first, all in one voice."""

    judge: Judge
    decoder: Decoder
    voice: Callable[[], torch.Tensor]  # (1, E)
    hears: str = "tokens"

    @property
    def name(self) -> str:
        return self.judge.name

    def words(self, inputs: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """The words of each row of tokens."""
        voices = self.voice().expand(len(inputs), -1)
        return self.judge.words(self.decoder.speak(inputs, voices, [0] * len(inputs)), lang)


def hub_stack(about: dict, languages: Sequence[str], score: str, select: str, device: torch.device) -> Stack:
    """The stack of a released model, `about` being its `Released`; judges by name, one of which selects and another scores."""
    released = Released(**about)
    if "own" in (score, select) or score == select:
        raise UserError(
            f"judge.select '{select}' and judge.score '{score}': a released model brings no judge; name two unlike ones, such as "
            "ctc:FOLDER and whisper:FOLDER"
        )
    known = {lang: OwnLanguage(**vars(language(lang))) for lang in languages}
    text, tokenizer, decoder, xvector = import_module(f"sebridge_lite.stack.{released.family}").parts(released, device)
    speaker = Likeness(released.speaker, decoder.sample_rate, device, xvector)

    def voice() -> torch.Tensor:
        if not xvector:
            return torch.zeros(1, 1)  # nobody reads it
        if not released.voice:
            raise UserError("hub.voice: empty; name a recording in whose voice the selecting judge hears tokens")
        with open_sound(Path(released.voice)) as file:
            sound = resample(file.read(dtype="float32", always_2d=True).mean(axis=1), file.samplerate, speaker.rate)
        return speaker.embed([torch.from_numpy(sound)])

    judges = [dataclasses.replace(named_judge(n, known, device), rate=decoder.sample_rate) for n in (select, score)]
    return Stack(text, tokenizer, decoder, speaker, ThroughSound(judges[0], decoder, voice), judges[1], known, device)
