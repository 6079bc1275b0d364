"""Synthetic speech from elsewhere: a folder of audio, or espeak-ng. The studio's own engines are in `voices`.

Left out: MMS-TTS and other neural engines, which need weights; export their audio to a folder.
"""

import io
import itertools
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import RATE, Utterance, load_audio, resample
from sebridge_lite.data.own_data import good_rows
from sebridge_lite.data.recordings import Recording, to_int16

TIMEOUT = 60  # seconds for one sentence


def folder_recordings(folder: Path, lang: str, engine: str = "", skip_bad: bool = False) -> Iterator[Recording]:
    """The recordings of a folder that `sebridge check-data` accepts."""
    kind, prefix = "engine" if engine else "recording", f"{lang}-{engine or 'real'}"
    for utterance in good_rows(folder, lang, skip_bad):
        samples = to_int16(load_audio(utterance, folder))
        words = utterance.words or language(lang).segment(utterance.text)
        made = replace(utterance, id=f"{prefix}-{utterance.id}", lang=lang, words=words, kind=kind, engine=engine)
        yield Recording(replace(made, seconds=len(samples) / RATE, truth=None), samples, None)


def engine_folders(folder: Path, lang: str, skip_bad: bool = False) -> Iterator[Recording]:
    """The recordings of all engines in turn, from `data/synthetic/ENGINE/`."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not names:
        raise UserError(f"{folder}: no engine folders; put each engine's audio and table into a folder named after it")
    queues = [folder_recordings(folder / name, lang, name, skip_bad) for name in names]
    for turn in itertools.zip_longest(*queues):
        yield from (recording for recording in turn if recording is not None)


def espeak(text: str, lang: str) -> np.ndarray:
    """Samples (N,) int16 at 16 kHz of a text that espeak-ng says."""
    command = shutil.which("espeak-ng")
    if command is None:
        raise UserError("espeak-ng is not installed: install it, or set synthetic_source to studio or folder")
    done = subprocess.run([command, "-v", lang, "--stdout", "--", text], capture_output=True, timeout=TIMEOUT)
    if done.returncode or not done.stdout:
        raise UserError(f"espeak-ng does not speak '{lang}': {done.stderr.decode(errors='replace').strip()[:120]}")
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    return to_int16(resample(samples, rate))


def espeak_recordings(texts: Iterable[tuple[str, ...]], lang: str) -> Iterator[Recording]:
    """Each text, given as words, as espeak-ng says it."""
    for index, words in enumerate(texts):
        samples, text, name = espeak("".join(words), lang), "".join(words), "espeak-ng"
        said = Utterance(f"{lang}-{name}-{index:06d}", text, words, lang, name, "engine", name, "", len(samples) / RATE)
        yield Recording(said, samples, None)
