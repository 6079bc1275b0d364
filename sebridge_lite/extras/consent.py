"""Who agreed to be cloned, and what a generated WAV says about itself.

A consent record says for what, until when, by which recording. Cloning asks for one and refuses without.

`reference` is the SHA-256 of the recording's file, not of its samples, so that anybody can check it with `sha256sum` and no
decoder has a say; a copy that was re-encoded or tagged anew needs a record of its own, which errs on the safe side.
`digest` binds the fields and finds accidental edits. It is *not* a signature: whoever edits a record on purpose can work
the digest out again. Left out: keys, and any proof that the person named really wrote the record.

A generated WAV has a comment, in words and as JSON, where every player shows it. Anybody can write or strip it, and re-encoding
may drop it; the mark in the sound (`watermark.py`) is what stays. Texts and consents are named by their SHA-256 only. Left out:
C2PA and signatures.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import soundfile

from sebridge_lite import __version__
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.files import read_json
from sebridge_lite.data.manifest import AUDIO_ERRORS, LONGEST_SECONDS, TAIL, open_sound
from sebridge_lite.data.recordings import write_sound
from sebridge_lite.extras.watermark import detect

WRITE = "`sebridge consent` writes one"
COMMENT = "Synthetic speech, made by sebridge_lite: no person said this. "


@dataclass(frozen=True)
class Consent:
    who: str  # agreed
    purpose: str
    until: str  # the last day, YYYY-MM-DD
    reference: str  # SHA-256 of the recording's file
    digest: str  # SHA-256 of the other fields

    @property
    def fault(self) -> str:
        """What keeps the fields from being a record, or ''."""
        for name, value in asdict(self).items():
            if type(value) is not str or not value.strip() or not value.isprintable():
                return f"{name} is not one line of text"
        try:
            day = date.fromisoformat(self.until).isoformat()
        except ValueError:
            day = ""
        if day != self.until:
            return f"until {show(self.until)} is not a day (YYYY-MM-DD)"
        return "" if self.digest == digest_of(self) else "it was edited or damaged"


def digest_of(record: Consent) -> str:
    """The SHA-256 of all fields but the digest."""
    rest = {name: value for name, value in asdict(record).items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """The SHA-256 of an audio file."""
    open_sound(path).close()
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_consent(path: Path) -> Consent:
    """A whole and unedited record; whether it covers a recording today is for `check_consent`."""
    how = f"this is no consent record, JSON with its five fields; {WRITE}"
    found = read_json(path, how)
    if found.keys() != Consent.__dataclass_fields__.keys():
        raise UserError(f"{path}: {how}")
    record = Consent(**found)
    if record.fault:
        raise UserError(f"{path}: consent record: {record.fault}; {WRITE}")
    return record


def check_consent(record: Consent, reference: Path, today: date) -> None:
    """Raises unless the record covers this recording today."""
    if today > date.fromisoformat(record.until):
        raise UserError(f"consent of {show(record.who)} ended on {record.until}; ask again, and {WRITE}")
    if file_hash(reference) != record.reference:
        raise UserError(
            f"{reference}: the consent of {show(record.who)} is for another recording; {WRITE} for this one"
        )


def write_consent(
    path: Path, who: str, purpose: str, until: str, reference: Path, today: date | None = None
) -> Consent:
    """The record of a person who agreed, now in `path`; `until` is the last day it holds."""
    paths.check_output(path, reference, ending=".json")
    record = Consent(who, purpose, until, file_hash(reference), "-")
    record = replace(record, digest=digest_of(record))
    if record.fault:
        raise UserError(f"consent record: {record.fault}; nothing was written")
    if (today := today or date.today()) > date.fromisoformat(until):
        raise UserError(
            f"consent record: until {until} has passed (today is {today}); give a day to come, nothing was written"
        )
    with paths.replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(record), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return record


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
    with paths.replacing(path) as file:
        write_sound(file, whole, rate, COMMENT + json.dumps(asdict(provenance)))


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


def run_detect(files: Sequence[Path]) -> Iterator[str]:
    """Lines on what each file says about itself and what its sound says."""
    for path in files:
        with open_sound(path) as sound:
            if sound.frames > LONGEST_SECONDS * sound.samplerate:
                raise UserError(f"{path}: longer than {LONGEST_SECONDS / 60:.0f} minutes; cut it")
            said = read_provenance(sound)
            try:
                samples = sound.read(dtype="float32", always_2d=True)
                if len(samples) < sound.frames - TAIL * sound.samplerate or not np.isfinite(samples).all():
                    raise ValueError
                mark = detect(samples.mean(1), sound.samplerate)
            except AUDIO_ERRORS:
                raise UserError(f"{path}: the audio is broken; fetch or export it again") from None
        rare = f", by chance once in {1 / max(mark.p, 1e-12):.2g} unmarked sounds" if mark.found else ""
        lines = [
            f"the mark of sebridge_lite is {'there' if mark.found else 'not found'} (score {mark.score:.1f}{rare})"
        ]
        if said:
            lines.append(f"made by {said.generator} {said.version}, model {show(said.model)}, on {said.date}")
            lines.append(f"text {said.text[:12]}, consent {said.consent[:12]} (first of their SHA-256)")
        else:
            lines.append("it does not say where it comes from")
        if not (mark.found or said):
            lines.append("neither: this does not show that a person spoke")
        yield from (f"{path}: {line}" for line in lines)
