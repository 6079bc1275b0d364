"""How lively an utterance is, and how near its melody comes to a recording's (Table 2's measures).

Tracks are (T,), as `stack.tracks` makes them. F0 is reported in semitones beside the paper's Hz: in Hz a high
voice looks livelier than a low one. NaN where too little is voiced to say. Left out: stress, phrasing, intonation models.
"""

from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.fft import dct

from sebridge_lite.data.manifest import RATE, Utterance, load_audio
from sebridge_lite.stack.tracks import Tracks, contours

ENOUGH = 5  # voiced frames: 100 ms
CEPSTRA = 13  # the shape of the vocal tract without the harmonics, so that pitch does not steer the alignment
SPEECH_DB = 35.0  # below an utterance's loud frames, where silence begins


# rate: syllables a second
Prosody = namedtuple("Prosody", "f0_std_st f0_range_st f0_std_hz f0_range_hz energy_std_db rate")
# F0 against a recording, on frames voiced in both: correlation and root mean square errors. In semitones the register (median
# difference) is taken out; in Hz, as in Table 2, a wrong register counts.
Match = namedtuple("Match", "corr rmse_st rmse_hz")


def _spread(track: np.ndarray) -> tuple[float, float]:
    """Standard deviation, and range from the 5th to the 95th percentile, which one octave error does not move."""
    low, high = np.percentile(track, [5, 95])
    return float(track.std()), float(high - low)


def speech_frames(energy: np.ndarray) -> slice:
    """From the first to the last frame that is not silence."""
    loud = np.flatnonzero(energy > np.percentile(energy, 95) - SPEECH_DB)
    return slice(loud[0], loud[-1] + 1)


def describe(f0: np.ndarray, energy: np.ndarray, syllables: float) -> Prosody:
    """Pitch and energy over the voiced frames, rate over the time from the first sound to the last."""
    where = speech_frames(energy)
    rate = syllables * Tracks.rate / (where.stop - where.start)
    voiced = f0 > 0
    if voiced.sum() < ENOUGH:
        return Prosody(np.nan, np.nan, np.nan, np.nan, np.nan, rate)
    semitones = 12 * np.log2(f0[voiced])
    (std_st, range_st), (std_hz, range_hz) = _spread(semitones), _spread(f0[voiced])
    return Prosody(std_st, range_st, std_hz, range_hz, float(energy[voiced].std()), rate)


def tracked_pitch(utterances: Sequence[Utterance], folder: Path) -> pd.DataFrame:
    """A row an utterance: how far its pitch spreads, by the tracker; how fast it is spoken nobody knows."""
    sounds = [torch.from_numpy(load_audio(said, folder)) for said in utterances]
    rows = [describe(pitch.numpy(), energy.numpy(), np.nan) for pitch, energy in contours(sounds, RATE)]
    who = [(said.id, said.kind, said.speaker) for said in utterances]
    table = pd.DataFrame(rows)[["f0_std_st", "f0_range_st"]].assign(syllables_per_second=np.nan)
    return pd.concat([pd.DataFrame(who, columns=["id", "kind", "speaker"]), table], axis=1)


def _shape(mel: np.ndarray) -> np.ndarray:
    """Cepstra around their mean, so that voice and channel do not count. (T, 80) -> (T, 13)"""
    cepstra = dct(mel, norm="ortho", axis=1)[:, :CEPSTRA]
    return cepstra - cepstra.mean(0)


def time_alignment(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Dynamic time warping of two log-mels, (T, 80) and (U, 80), to frame pairs (P, 2).

    Chosen over stretching to equal length: pauses and lengthening differ inside utterances, and a stretch compares sounds
    with their neighbours. Between studio voices this errs by 0.09 of a phone on average, a stretch by 0.79.
    """
    a, b = _shape(reference), _shape(other)
    cost = np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0))
    along = np.cumsum(cost, axis=1)
    total = np.full((len(a), len(b) + 1), np.inf)  # a wall at the left
    total[0, 1:] = along[0]
    for i in range(1, len(a)):
        enter = np.minimum(total[i - 1, 1:], total[i - 1, :-1])
        # steps along the row, without a loop
        total[i, 1:] = along[i] + np.minimum.accumulate(enter - along[i] + cost[i])
    rows, path = total[:, 1:].tolist(), [(len(a) - 1, len(b) - 1)]  # lists: the way back reads single numbers
    while path[-1] != (0, 0):
        i, j = path[-1]
        steps = [step for step in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if min(step) >= 0]
        path.append(min(steps, key=lambda step: rows[step[0]][step[1]]))  # of equal steps the diagonal first
    return np.array(path[::-1])


def f0_match(reference: np.ndarray, other: np.ndarray, pairs: np.ndarray) -> Match:
    """F0 (T,) against F0 (U,) on aligned frame pairs (P, 2)."""
    ref, hyp = reference[pairs[:, 0]], other[pairs[:, 1]]
    both = (ref > 0) & (hyp > 0)
    if both.sum() < ENOUGH:
        return Match(*[np.nan] * 3)
    ref, hyp = ref[both], hyp[both]
    st_ref, st_hyp = 12 * np.log2(ref), 12 * np.log2(hyp)
    flat = min(st_ref.std(), st_hyp.std()) < 1e-6
    corr = np.nan if flat else float(np.corrcoef(st_ref, st_hyp)[0, 1])
    apart = st_hyp - st_ref
    return Match(corr, *(float(np.sqrt(np.mean(x**2))) for x in (apart - np.median(apart), hyp - ref)))
