"""What a generated WAV says about itself: a RIFF chunk `sebr` of JSON, and the same in words as a LIST/INFO comment.

Both stand behind the samples, where every reader of WAV skips what it does not know. Any re-encoding drops them, and
anybody can write or strip them; the mark in the sound (`watermark.py`) is what stays. Texts and consents are named by
their SHA-256 only. Left out: C2PA and signatures.
"""

import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np

from sebridge_lite import __version__
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import AUDIO_ERRORS, LONGEST_SECONDS, open_sound, show
from sebridge_lite.extras.consent import Consent
from sebridge_lite.extras.watermark import detect

CHUNK = b"sebr"
COMMENT = b"Synthetic speech, made by sebridge_lite: no person said this."


@dataclass(frozen=True)
class Provenance:
    model: str
    text: str  # SHA-256
    consent: str  # the record's digest
    date: str
    generator: str = "sebridge_lite"
    version: str = __version__


def provenance_of(model: str, text: str, consent: Consent, day: date) -> Provenance:
    return Provenance(model, hashlib.sha256(text.encode()).hexdigest(), consent.digest, day.isoformat())


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def write_wav(path: Path, samples: np.ndarray, rate: int, provenance: Provenance) -> None:
    """(N,) float in [-1, 1] as 16-bit mono."""
    sound = (np.clip(samples, -1, 1) * 32767).round().astype("<i2")
    parts = (
        _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)),
        _chunk(b"data", sound.tobytes()),
        _chunk(b"LIST", b"INFO" + _chunk(b"ICMT", COMMENT + b"\0")),
        _chunk(CHUNK, json.dumps(asdict(provenance)).encode()),
    )
    with paths.replacing(path) as temporary:
        temporary.write_bytes(_chunk(b"RIFF", b"WAVE" + b"".join(parts)))


def _body(path: Path) -> bytes | None:
    """What the chunk holds."""
    with path.open("rb") as handle:
        riff = handle.read(12)
        if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            return None
        while len(head := handle.read(8)) == 8:
            size = struct.unpack("<I", head[4:])[0]
            if head[:4] == CHUNK:
                return handle.read(size)
            handle.seek(size + size % 2, 1)
    return None


def read_provenance(path: Path) -> Provenance | None:
    """None where there is none: no WAV, or no such chunk."""
    body = _body(path)
    if body is None:
        return None
    try:
        found = Provenance(**json.loads(body))
    except (ValueError, TypeError, RecursionError):
        found = None
    if found is None or not all(type(value) is str and value.isprintable() for value in asdict(found).values()):
        raise UserError(f"{path}: its chunk of provenance is damaged; take the file as it was first written")
    return found


def _sound(path: Path) -> tuple[np.ndarray, int]:
    with open_sound(path) as sound:
        if sound.frames > LONGEST_SECONDS * sound.samplerate:
            raise UserError(f"{path}: longer than {LONGEST_SECONDS / 60:.0f} minutes; cut it")
        try:
            return sound.read(dtype="float32", always_2d=True).mean(1), sound.samplerate
        except AUDIO_ERRORS:
            raise UserError(f"{path}: the audio is broken") from None


def run_detect(path: Path) -> list[str]:
    """Lines on what a file says about itself and what its sound says."""
    mark, said = detect(*_sound(path)), read_provenance(path)
    rare = f", by chance once in {1 / max(mark.p, 1e-12):.2g} unmarked sounds" if mark.found else ""
    lines = [
        f"{path}: the mark of sebridge_lite is {'there' if mark.found else 'not found'} (score {mark.score:.1f}{rare})"
    ]
    if said:
        lines.append(f"{path}: made by {said.generator} {said.version}, model {show(said.model)}, on {said.date}")
        lines.append(f"{path}: text {said.text[:12]}, consent {said.consent[:12]} (first of their SHA-256)")
    else:
        lines.append(f"{path}: no chunk of provenance")
    if not (mark.found or said):
        lines.append(f"{path}: neither: this does not show that a person spoke")
    return lines
