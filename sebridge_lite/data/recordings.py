"""Recordings in memory, and sets of them on disk: a manifest NAME.jsonl, and shards NAME-000.wav of many utterances in a row.

Beside a shard lies NAME-000.f0.npy where the true pitch is known, which only the studio's speech has.
"""

import io
import wave
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from sebridge_lite.core.errors import UserError, given, show
from sebridge_lite.core.files import regular
from sebridge_lite.core.progress import progress
from sebridge_lite.data.manifest import RATE, Utterance, write_manifest

SHARD_BYTES = 256_000_000  # of a shard at most: 2.2 h; one longer utterance is a shard of its own
HEAD = 44  # bytes of a WAV file before its samples
F0_HOP = RATE // 100  # samples between two values of the true pitch
QUIET_DB = -40.0  # under the loudest 10 ms: silence
AGAIN = "`dvc repro import` makes it again"
EDGE = RATE // 10  # samples of silence that stay at either end


class Recording(NamedTuple):
    """An utterance (its path not yet known), its samples (N,) int16, and its true F0 every 10 ms, (N / 160,) or None."""

    utterance: Utterance
    samples: np.ndarray
    f0: np.ndarray | None


def to_int16(samples: np.ndarray) -> np.ndarray:
    """By 32768, as soundfile reads: 16-bit sources keep their samples."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


def write_sound(path: Path, samples: np.ndarray, rate: int = RATE, comment: str = "") -> None:
    """Writes samples (N,) int16 by the file's ending, in one piece: libsndfile alone does not tell that a disk is full."""
    whole = io.BytesIO()
    with soundfile.SoundFile(whole, "w", rate, 1, "PCM_16", format=path.suffix[1:].upper()) as sound:
        if comment:
            sound.comment = comment
        sound.write(samples)
    path.write_bytes(whole.getvalue())


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Samples (N,) with at most 100 ms of silence at either end: else its length tells people from engines."""
    power = np.square(samples[: len(samples) // F0_HOP * F0_HOP].reshape(-1, F0_HOP), dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (QUIET_DB / 10)) * F0_HOP
    return samples[max(0, loud[0] - EDGE) : loud[-1] + F0_HOP + EDGE] if len(loud) else samples


def take_seconds(recordings: Iterable[Recording], seconds: float, what: str) -> Iterator[Recording]:
    """Recordings until `seconds` are full, with a bar."""
    filled = 0.0
    with progress(None, what, "s", total=round(seconds)) as bar:
        for recording in recordings:
            yield recording
            filled += recording.utterance.seconds
            bar.update(round(filled) - bar.n)
            if filled >= seconds:
                return


def _numbered(recordings: Iterable[Recording]) -> Iterator[tuple[int, Recording]]:
    """Each recording with the number of its shard."""
    number, filled = 0, HEAD
    for recording in recordings:
        filled += recording.samples.nbytes
        if filled > SHARD_BYTES and filled > (alone := HEAD + recording.samples.nbytes):
            number, filled = number + 1, alone
        yield number, recording


def write_set(folder: Path, name: str, recordings: Iterable[Recording]) -> list[Utterance]:
    """The utterances with their place in the shards, after shards and manifest are written, a recording at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Utterance] = []
    for number, shard in groupby(_numbered(recordings), itemgetter(0)):
        path, tracks = folder / f"{name}-{number:03d}.wav", list[Any]()
        with wave.open(str(path), "wb") as wav:
            wav.setparams((1, 2, RATE, 0, "NONE", ""))
            for _, (utterance, samples, f0) in shard:
                written.append(replace(utterance, path=path.name, start=wav.tell(), frames=len(samples)))
                tracks.append(f0)
                wav.writeframesraw(samples.tobytes())
        if all(track is not None for track in tracks):
            np.save(path.with_suffix(".f0.npy"), np.concatenate(tracks).astype(np.float16))
    write_manifest(folder / f"{name}.jsonl", written)
    return written


def load_f0(utterance: Utterance, folder: Path) -> np.ndarray:
    """The true F0 of a studio utterance in Hz every 10 ms, 0 where unvoiced. (T,)"""
    path, first = folder / utterance.path.replace(".wav", ".f0.npy"), utterance.start // F0_HOP
    size = given(utterance.frames, f"{path}: frames of {show(utterance.id)}", AGAIN) // F0_HOP
    try:
        track = np.load(regular(path, AGAIN), mmap_mode="r")
        found = np.asarray(track[first : first + size], dtype=np.float32)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: damaged ({type(error).__name__}); {AGAIN}") from None
    if found.shape != (size,):
        raise UserError(f"{path}: ends before {show(utterance.id)} does; {AGAIN}")
    return found
