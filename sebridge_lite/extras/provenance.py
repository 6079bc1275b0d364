"""What a generated WAV says about itself: a comment, in words and as JSON, where every player shows it.

Anybody can write or strip it, and re-encoding may drop it; the mark in the sound (`watermark.py`) is what stays. Texts and
consents are named by their SHA-256 only. Left out: C2PA and signatures.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import soundfile

from sebridge_lite import __version__
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import AUDIO_ERRORS, LONGEST_SECONDS, open_sound, show
from sebridge_lite.extras.consent import Consent
from sebridge_lite.extras.watermark import detect

COMMENT = "Synthetic speech, made by sebridge_lite: no person said this. "


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


def write_wav(path: Path, samples: np.ndarray, rate: int, provenance: Provenance) -> None:
    """Writes (N,) floats in [-1, 1] as 16-bit mono, with where they come from."""
    whole = (np.clip(samples, -1, 1) * 32767).round().astype(np.int16)
    with paths.replacing(path) as file, soundfile.SoundFile(file, "w", rate, 1, "PCM_16", format="WAV") as sound:
        sound.comment = COMMENT + json.dumps(asdict(provenance))
        sound.write(whole)


def read_provenance(sound: soundfile.SoundFile) -> Provenance | None:
    """What an open sound says about itself; None where it says nothing."""
    if not sound.comment.startswith(COMMENT):
        return None
    try:
        said = Provenance(**json.loads(sound.comment.removeprefix(COMMENT)))
    except (ValueError, TypeError, RecursionError):
        said = None
    if said is None or not all(type(value) is str and value.isprintable() for value in asdict(said).values()):
        raise UserError(f"{sound.name}: its comment is damaged; take the file as it was first written")
    return said


def run_detect(path: Path) -> list[str]:
    """Lines on what a file says about itself and what its sound says."""
    with open_sound(path) as sound:
        if sound.frames > LONGEST_SECONDS * sound.samplerate:
            raise UserError(f"{path}: longer than {LONGEST_SECONDS / 60:.0f} minutes; cut it")
        said = read_provenance(sound)
        try:
            mark = detect(sound.read(dtype="float32", always_2d=True).mean(1), sound.samplerate)
        except AUDIO_ERRORS:
            raise UserError(f"{path}: the audio is broken") from None
    rare = f", by chance once in {1 / max(mark.p, 1e-12):.2g} unmarked sounds" if mark.found else ""
    lines = [f"the mark of sebridge_lite is {'there' if mark.found else 'not found'} (score {mark.score:.1f}{rare})"]
    if said:
        lines.append(f"made by {said.generator} {said.version}, model {show(said.model)}, on {said.date}")
        lines.append(f"text {said.text[:12]}, consent {said.consent[:12]} (first of their SHA-256)")
    else:
        lines.append("it does not say where it comes from")
    if not (mark.found or said):
        lines.append("neither: this does not show that a person spoke")
    return [f"{path}: {line}" for line in lines]
