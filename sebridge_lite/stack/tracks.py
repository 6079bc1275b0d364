"""What is measured of any sound, whoever made it: mel, pitch and energy, in frames of a fixed rate."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torchaudio.functional import resample

from sebridge_lite.stack.batches import cut, in_batches, unless_empty
from sebridge_lite.stack.features import FRAME_RATE, HOP, SAMPLE_RATE, energy_db, f0
from sebridge_lite.stack.speaker import SHORTEST, SILENT

TRACKED = 2_000 * HOP  # samples at once: pitch takes 20 kB a frame


class Tracks(NamedTuple):
    mel: np.ndarray  # (T, 80) natural log
    f0: np.ndarray  # (T,) Hz, 0 where unvoiced
    energy: np.ndarray  # (T,) dB

    rate = FRAME_RATE  # type: ignore[misc]  # frames a second, of the class

    @property
    def tells_a_voice(self) -> bool:
        """Whether there is enough sound to know a speaker by."""
        return len(self.mel) >= SHORTEST and self.mel.max() >= SILENT


def measured(features: Sequence, sounds: Sequence[torch.Tensor], rate: int, device: torch.device) -> list:
    """A tuple of features for each sound at `rate` samples a second, None where there is no sound."""

    def measure(batch, lengths, _):
        return list(zip(*(cut(feature(batch), lengths // HOP) for feature in features), strict=True))

    heard = sounds if rate == SAMPLE_RATE else [resample(sound, rate, SAMPLE_RATE) for sound in sounds]
    return unless_empty(lambda some: in_batches(measure, [heard[i] for i in some], TRACKED, device), sounds, None)


def contours(sounds: Sequence[torch.Tensor], rate: int) -> list:
    """Pitch and energy of each sound, (T,) each, by the tracker; None where there is no sound."""
    return measured((f0, energy_db), sounds, rate, torch.device("cpu"))
