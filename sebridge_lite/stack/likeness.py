"""Who says whether two voices are alike, by name: an encoder that the decoder has not learnt from (`judge.speaker`).

    own             the stack's own speaker encoder, from which its decoder speaks
    resemblyzer     GE2E of Resemblyzer (Apache-2.0), taught by recordings of some 8,000 people; only its weights are used

A voice is then the judge's embedding, and far smaller behind it the decoder's `e_timbre`: cosines are the judge's, and sound is
as before. Left out: Resemblyzer's own removal of pauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import resample
from sebridge_lite.stack.stack import Decoder, SpeakerEncoder

APART = 1e-4  # of the decoder's part of a voice: cosines change by 1e-8
HEARD = 16_000  # what speech tokenizers and speaker encoders take
LEVEL = -30.0  # dB; quieter sounds are raised to it
FRAMES, STEP, FILLED = 160, 77, 0.75  # of 10 ms: a window, from one to the next, and how full the last one has to be
AT_ONCE = 64  # windows of one call
INSTALL = "`pip install --no-deps resemblyzer==0.1.4` brings its weights"


def heard(sounds: Sequence[Tensor], rate: int) -> list[Tensor]:
    """Sounds of a stack at 16 kHz."""
    return [torch.from_numpy(resample(sound.numpy(), rate, HEARD)) for sound in sounds]


class GE2E(nn.Module):
    """Three LSTMs over 40 mel bands; the last state, of length 1, is the voice (Wan et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.linear = nn.LSTM(40, 256, 3, batch_first=True), nn.Linear(256, 256)

    def forward(self, mel: Tensor) -> Tensor:
        """(B, T, 40) -> (B, 256)"""
        return F.normalize(torch.relu(self.linear(self.lstm(mel)[1][0][-1])), dim=-1)


def windows(samples: int) -> list[int]:
    """The first frame of each window over so many samples."""
    frames = -(-(samples + 1) // (HEARD // 100))
    starts = list(range(0, max(1, frames - FRAMES + STEP + 1), STEP))
    filled = (samples - starts[-1] * (HEARD // 100)) / (FRAMES * HEARD // 100)
    return starts if len(starts) == 1 or filled >= FILLED else starts[:-1]


@dataclass(frozen=True, eq=False)
class Resemblyzer:
    rate: int  # of the sounds
    device: torch.device
    width: int = 256

    @cached_property
    def net(self) -> GE2E:
        spec, net = find_spec("resemblyzer"), GE2E()
        if spec is None or spec.origin is None:
            raise UserError(f"judge.speaker resemblyzer: not installed; {INSTALL}")
        weights = Path(spec.origin).with_name("pretrained.pt")
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
            net.load_state_dict({name: state[name] for name in net.state_dict()})
        except Exception as error:  # a broken file raises almost anything
            why = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise UserError(f"{weights}: cannot be loaded ({why}); {INSTALL}") from None
        return net.to(self.device).eval()

    @cached_property
    def mel(self) -> nn.Module:
        from torchaudio.transforms import MelSpectrogram

        how = {"n_fft": HEARD // 40, "hop_length": HEARD // 100, "n_mels": 40, "pad_mode": "constant"}
        return MelSpectrogram(HEARD, norm="slaney", mel_scale="slaney", **how).to(self.device)

    @torch.no_grad()
    def embed(self, sounds: Sequence[Tensor]) -> Tensor:
        """The mean over windows of 1.6 s, of length 1. (N, 256)"""
        looks = []
        for sound in heard(sounds, self.rate):
            wave = sound.to(self.device)
            power = wave.square().mean().clamp(min=1e-12)
            wave = wave * (10 ** (LEVEL / 20) / power.sqrt()).clamp(min=1)
            starts = windows(len(wave))
            needed = (starts[-1] + FRAMES) * HEARD // 100
            mel = self.mel(F.pad(wave, (0, max(0, needed - len(wave)))).float()).T  # (T, 40)
            looks.append(torch.stack([mel[s : s + FRAMES] for s in starts]))
        # An LSTM over many windows takes half the time of one over the few windows of each sound.
        voices = torch.cat([self.net(some) for some in torch.cat(looks).split(AT_ONCE)])
        rows = [F.normalize(few.mean(0), dim=0) for few in voices.split([len(look) for look in looks])]
        return torch.stack(rows).cpu()


ENCODERS = {"resemblyzer": Resemblyzer}


@dataclass(frozen=True, eq=False)
class Beside:
    """Voices as a judge tells them apart, with the decoder's behind them."""

    judge: SpeakerEncoder
    speaker: SpeakerEncoder

    def embed(self, sounds: Sequence[Tensor]) -> Tensor:
        timbres = self.speaker.embed(sounds)  # first: it names a sound that is too short or silent
        return torch.cat([self.judge.embed(sounds), APART * timbres], dim=1)


@dataclass(eq=False)
class Behind:
    """The decoder, which speaks from what stands behind the judge's part of a voice."""

    decoder: Decoder
    width: int  # of the judge's part

    def __post_init__(self) -> None:
        self.sample_rate = self.decoder.sample_rate

    def speak(self, codes: Sequence[Tensor], voices: Tensor, seeds: Sequence[int]) -> list[Tensor]:
        return self.decoder.speak(codes, voices[:, self.width :] / APART, seeds)
