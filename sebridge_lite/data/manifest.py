"""What was said, by whom, and where the samples lie: one JSON object a line in `manifest.jsonl`, audio in files beside.

Shards hold many utterances in one WAV, so a row names a range of samples. Left out: symlinks are followed (a data cache
may link files), which is why `own_data.py` checks them before a stranger's folder comes this far.
"""

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.files import once, regular
from sebridge_lite.core.paths import replacing

try:
    import soundfile
except ImportError:  # a bare GPU machine: it trains, and reads no sound
    soundfile = None

RATE = 16_000
RATES = (4_000, 192_000)  # outside, a resampling filter is of no use or takes gigabytes
LONGEST_SECONDS = 3_600.0
LONGEST_NAME = 200  # characters; Common Voice names its speakers by 128
STREAMED = 0x7FFFF000  # a size from here on in a header means that its writer could not know it
AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus")  # what soundfile reads
FOREIGN = (".g722", ".m4a", ".aac", ".mp4", ".webm", ".wma", ".amr", ".gsm", ".sln16")  # what ffmpeg or sox must read
TAIL = 0.1  # seconds that a compressed file may promise in its header and not hold
KINDS = ("people", "engine", "recording")
# What soundfile raises on broken files.
AUDIO_ERRORS = (RuntimeError, OSError, TypeError, ValueError, AssertionError, MemoryError)


@dataclass(frozen=True)
class Utterance:
    """What was said, by whom, and where its samples lie."""

    id: str
    text: str
    words: tuple[str, ...]  # empty until segmented
    lang: str
    speaker: str
    kind: str  # people | engine | recording
    engine: str  # "" unless kind is engine
    path: str  # relative to the manifest's folder, with "/"
    seconds: float
    start: int = 0  # first sample within the file, at the file's own rate
    frames: int | None = None  # None: to the end of the file
    truth: dict | None = None  # plain JSON: phones, durations, tones ...


_NAMES = tuple(field.name for field in fields(Utterance))
_NEEDED = {field.name for field in fields(Utterance) if field.default is MISSING}
_STRINGS = ("id", "text", "lang", "speaker", "kind", "engine", "path")


def path_fault(path: str) -> str:
    """What keeps a path from naming a file in the manifest's folder, or ''."""
    if path.startswith(("/", "~")) or "\\" in path or path[1:2] == ":":
        return f"path {show(path)} is not relative to the manifest's folder, with '/'"
    if ".." in path.split("/"):
        return f"path {show(path)} leads outside the folder"
    return "" if path and path.isprintable() else f"path {show(path)} names no file"


def name_fault(utterance: "Utterance") -> str:
    """What keeps the names in a row from being shown and compared, or ''."""
    names = {name: getattr(utterance, name) for name in ("id", "lang", "speaker", "engine")}
    bad = [name for name, value in names.items() if not value.isprintable() or len(value) > LONGEST_NAME]
    return f"{bad[0]} {show(names[bad[0]])} has signs that nobody can see, or is too long" if bad else ""


def _faults(row: dict) -> Iterator[str]:
    if unknown := row.keys() - set(_NAMES):
        yield f"unknown key {show(min(unknown))}; the keys are {', '.join(_NAMES)}"
    if missing := _NEEDED - row.keys():
        yield f"no key '{min(missing)}'"
    yield from (f"{name} is not a string" for name in _STRINGS if type(row[name]) is not str)
    words, start, frames = row["words"], row.get("start", 0), row.get("frames")
    if type(words) is not list or not all(type(word) is str and word for word in words):
        yield "words is not a list of non-empty strings"
    if type(row["seconds"]) not in (int, float):
        yield "seconds is not a number"
    if type(start) is not int or start < 0:
        yield "start is not a whole number of 0 or more"
    if frames is not None and (type(frames) is not int or frames < 1):
        yield "frames is not a whole number of 1 or more"
    if not isinstance(row.get("truth"), dict | None):
        yield "truth is not an object"
    yield from (f"{name} is empty" for name in ("id", "text", "lang") if not row[name].strip())
    if row["kind"] not in KINDS:
        yield f"kind {show(row['kind'])} is not one of {', '.join(KINDS)}"
    if (row["kind"] == "engine") != bool(row["engine"]):
        yield f"kind is {row['kind']} but engine is named {show(row['engine'])}: only engines have one"
    if not 0 < row["seconds"] <= LONGEST_SECONDS:
        yield f"seconds is not above 0 and at most {LONGEST_SECONDS:.0f}"
    if any("\ud800" <= letter <= "\udfff" for text in (*map(row.get, _STRINGS), *words) for letter in text):
        yield "a text holds half of a surrogate pair (\\ud800 to \\udfff), which is no letter"
    yield path_fault(row["path"])


def _parse(raw: bytes) -> Utterance | str:
    try:
        row = json.loads(raw.decode("utf-8"), object_pairs_hook=once)
    except UnicodeDecodeError:
        return "not UTF-8; save the file as UTF-8"
    except (ValueError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError):
            return f"not JSON ({error.msg})"
        return str(error) if "stands twice" in str(error) else "not JSON of any sane size"
    if not isinstance(row, dict):
        return "not a JSON object"
    if reason := next(_faults(row)):
        return reason
    made = Utterance(**row | {"words": tuple(row["words"]), "seconds": float(row["seconds"])})
    return name_fault(made) or made


def read_rows(path: Path) -> Iterator[tuple[int, Utterance | str]]:
    """(line number, utterance or what is wrong with it) for every line that is not blank."""
    seen: dict[str, int] = {}
    try:
        with regular(path, "give a file").open("rb") as handle:
            for line, raw in enumerate(handle, start=1):
                found = _parse(raw.removeprefix(b"\xef\xbb\xbf") if line == 1 else raw) if raw.strip() else None
                if isinstance(found, Utterance):
                    first = seen.setdefault(found.id, line)
                    found = found if first == line else f"id {show(found.id)} stands in line {first} already"
                if found is not None:
                    yield line, found
    except OSError as error:
        raise UserError(f"{path}: cannot read the manifest: {error.strerror}") from None


def read_manifest(path: Path) -> list[Utterance]:
    """The utterances in order; the first bad row raises."""
    utterances = []
    for line, found in read_rows(path):
        if isinstance(found, str):
            raise UserError(f"{path}:{line}: {found}")
        utterances.append(found)
    return utterances


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Writes the same bytes for the same utterances; a run that dies leaves the old file whole."""
    seen = set()
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as handle:
        for utterance in utterances:
            if utterance.id in seen:
                raise UserError(f"{path}: id {show(utterance.id)} stands twice")
            seen.add(utterance.id)
            row = {name: value for name, value in vars(utterance).items() if value is not None}
            handle.write(json.dumps(row, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n")


def converter(path: Path) -> list[str]:
    """The command that makes a WAV, on its output, of a file that soundfile does not know."""
    file = str(path.absolute())
    if ffmpeg := shutil.which("ffmpeg"):
        return [ffmpeg, "-v", "error", "-i", file, "-f", "wav", "-"]
    if sox := shutil.which("sox"):
        return [sox, file, "-t", "wav", "-"]
    raise UserError(f"{path}: needs ffmpeg or sox to be read: install one, or convert such files to wav")


def missing_bytes(file: BinaryIO) -> int:
    """How many bytes a WAV or AIFF promises in its header and does not hold; libsndfile passes over it in silence."""
    head = file.read(12)
    order: Any = {b"RIFF": "little", b"RF64": "little", b"RIFX": "big", b"FORM": "big"}.get(head[:4])
    if order is None or head[8:] not in (b"WAVE", b"AIFF", b"AIFC"):
        return 0
    end = file.seek(0, os.SEEK_END)
    place, wide = 12, 0
    while place + 8 <= end:
        file.seek(place)
        name, size = file.read(4), int.from_bytes(file.read(4), order)
        if name == b"ds64":  # of a file over 4 GB: the true sizes
            wide = int.from_bytes(file.read(16)[8:], order)
        if name in (b"data", b"SSND"):
            size = wide if size == 0xFFFFFFFF and wide else size
            return 0 if STREAMED <= size <= 0xFFFFFFFF else max(0, place + 8 + size - end)
        place += 8 + size + size % 2
    return 1  # no sound at all


def unfinished_ogg(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg stream is not whole, or does not say that it is the last."""
    file.seek(0)
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, file.seek(0, os.SEEK_END) - 0x10000 - 300))  # a page is shorter
    page = b"".join(file.read().rpartition(b"OggS")[1:])
    if len(page) < 27 or not page[5] & 4:
        return True
    sizes = page[27 : 27 + page[26]]
    return len(page) < 27 + page[26] + sum(sizes)


def open_sound(path: Path) -> "soundfile.SoundFile":
    """An open sound file: by its content what libsndfile knows (wav, flac, ogg, mp3 ...), by its name what ffmpeg must read."""
    regular(path, "no such audio file; name a recording")  # before soundfile sees it: a pipe would block
    foreign = converter(path) if path.suffix.lower() in FOREIGN else None
    try:
        if foreign:
            done = subprocess.run(foreign, stdin=subprocess.DEVNULL, capture_output=True)
            return soundfile.SoundFile(io.BytesIO(done.stdout))
        with path.open("rb") as file:
            broken = missing_bytes(file) > 0 or unfinished_ogg(file)
        sound = soundfile.SoundFile(path)
    except AUDIO_ERRORS:
        raise UserError(f"{path}: not audio that can be read (wav, flac, ogg, mp3)") from None
    if broken:
        sound.close()
        raise UserError(f"{path}: breaks off before the end that it promises; fetch or convert it again")
    return sound


def resample(samples: np.ndarray, rate: int, to: int = RATE) -> np.ndarray:
    """(N,) float at `rate` -> (N * to / rate,) float32, at 16 kHz if at no other rate."""
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"{rate} samples a second; convert it to between {RATES[0]} and {RATES[1]}")
    if rate == to:
        return samples.astype(np.float32, copy=False)
    from scipy.signal import resample_poly  # half a second, which nobody need wait who has 16 kHz

    return resample_poly(samples, to, rate).astype(np.float32)


def load_audio(utterance: Utterance, folder: Path, rate: int = RATE) -> np.ndarray:
    """(N,) float32, mono, at 16 kHz if at no other rate."""
    path = folder / utterance.path
    with open_sound(path) as sound:
        stop = sound.frames if utterance.frames is None else utterance.start + utterance.frames
        if not utterance.start < stop <= sound.frames:
            raise UserError(f"{path}: holds {sound.frames} samples, but {show(utterance.id)} ends at {stop}")
        try:
            sound.seek(utterance.start)
            samples = sound.read(stop - utterance.start, dtype="float32", always_2d=True)
        except AUDIO_ERRORS:
            samples = np.zeros((0, sound.channels), np.float32)
        if len(samples) < stop - utterance.start - TAIL * sound.samplerate:
            raise UserError(f"{path}: the audio is broken, or breaks off; fetch or convert it again")
        return resample(samples.mean(axis=1), sound.samplerate, rate)
