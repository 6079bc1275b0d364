"""What synthetic speech must be like to be trained on (F.3): of a plausible length, and not stuck.

Left out here: the judge's WER, which needs a judge.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.recordings import Recording

STUCK_DB = 1.0  # bands that move less than this over 200 ms stand still
PATIENCE = 50  # failures in a row before an engine counts as broken


def stuck_share(samples: np.ndarray) -> float:
    """Share of 40 ms blocks at which a stretch of 200 ms begins that does not change: a hung or looping engine."""
    blocks = samples[: len(samples) // 640 * 640].reshape(-1, 640).astype(np.float32)
    if len(blocks) < 6:
        return 0.0
    power = np.abs(np.fft.rfft(blocks * np.hanning(640), axis=1)[:, 1:]) ** 2
    bands = 10 * np.log10(power.reshape(len(blocks), 16, -1).sum(axis=2) + 1e4)  # (blocks, 16) dB
    still = (np.abs(np.diff(bands, axis=0)) < STUCK_DB).all(axis=1)
    return float(np.lib.stride_tricks.sliding_window_view(still, 5).all(axis=1).mean())


@dataclass(frozen=True)
class Filter:
    """F.3: what synthetic speech must be like; `seconds_per_letter` comes from people reading the same language."""

    seconds_per_letter: float
    duration_ratio: tuple[float, ...]
    max_stuck: float
    pause: float = 0.0  # seconds that every utterance takes beside its letters

    def fault(self, recording: Recording) -> str:
        expected = self.pause + self.seconds_per_letter * len(recording.utterance.text)
        low, high = self.duration_ratio
        if not low <= recording.utterance.seconds / expected <= high:
            return "duration"
        return "repetition" if stuck_share(recording.samples) > self.max_stuck else ""


def letter_seconds(utterances: list[Utterance]) -> float:
    """The median seconds a letter."""
    return float(np.median([utterance.seconds / len(utterance.text) for utterance in utterances]))


def fitted(utterances: list[Utterance], duration_ratio: tuple[float, ...], max_stuck: float) -> Filter:
    """The filter by a line through letters and seconds: recordings of your own may be single words and long sentences."""
    letters, seconds = [len(said.text) for said in utterances], [said.seconds for said in utterances]
    slope, pause = np.polyfit(letters, seconds, 1) if len(set(letters)) > 1 else (0.0, 0.0)
    if slope <= 0 or pause < 0:
        slope, pause = letter_seconds(utterances), 0.0
    return Filter(float(slope), duration_ratio, max_stuck, float(pause))


def filtered(recordings: Iterable[Recording], rule: Filter, dropped: dict[str, int]) -> Iterator[Recording]:
    """Only what passes; `dropped` counts the rest by reason. A long row of failures stops the run."""
    in_a_row = 0
    for recording in recordings:
        if not (reason := rule.fault(recording)):
            in_a_row = 0
            yield recording
            continue
        dropped[reason] = dropped.get(reason, 0) + 1
        in_a_row += 1
        if in_a_row == PATIENCE:
            said = f"{recording.utterance.engine}: {PATIENCE} utterances in a row fail the {reason} filter"
            raise UserError(f"{said}; listen to one, or widen duration_ratio or max_stuck")
