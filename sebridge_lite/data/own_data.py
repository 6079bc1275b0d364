"""Your own recordings: a folder is checked, and what is wrong with each row is said.

Left out: loudness levelling, forced alignment, and anything that mends a recording behind its owner's back.
"""

import os
import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from sebridge_lite.core.errors import UserError, show
from sebridge_lite.data.data_card import Sound, make_card, measure
from sebridge_lite.data.languages import Language, language
from sebridge_lite.data.manifest import (
    AUDIO_ERRORS,
    FOREIGN,
    RATES,
    TAIL,
    Utterance,
    converter,
    name_fault,
    open_sound,
    path_fault,
)
from sebridge_lite.data.own_tables import Fault, find_table, is_file, read_table

SECONDS = (0.5, 30.0)
LONGEST_TEXT = 1_000  # characters: nobody reads more in half a minute, and word segmenters crawl on more
CHANNELS = 8
SILENT = 2e-3  # peak to peak, full scale being 2: nothing that anybody could hear
LOUDEST = 10.0  # full scale being 1: float files may peak a little above, never by this much
JOINERS = "\u200c\u200d"  # signs within words that some scripts need
# What is done with the samples (N, channels) of a good row, and the rate that they have: the row as it is kept.
Keep = Callable[[Utterance, np.ndarray, int], Utterance]


def _text_fault(text: str, lang: Language) -> Fault | None:
    if odd := [c for c in text if c == "\ufffd" or (unicodedata.category(c)[0] == "C" and c not in JOINERS)]:
        what = f"control or replacement characters in the text, or private or unknown ones (U+{ord(odd[0]):04X})"
        return Fault(what, "mend the text: it was damaged on its way")
    if not any(unicodedata.category(c)[0] in "LN" for c in text):
        return Fault("no letter or digit in the text" if text else "empty text", "write what is said")
    if len(text) > LONGEST_TEXT:
        return Fault(f"text of {len(text)} characters", f"cut it to at most {LONGEST_TEXT}, with the audio")
    if not lang.in_script(text):
        what = f"text {show(text)} is mostly not in {lang.script[0].title()} script"
        return Fault(what, "mend the text or choose --lang")
    return None


def _locate(folder: Path, name: str, anywhere: bool = False) -> Path:
    if (reason := path_fault(name)) and not (anywhere and Path(name).is_absolute()):
        raise Fault(reason, "copy the file into the folder and name it from there")
    path = folder / name
    if not is_file(path):
        raise Fault(f"no audio file {show(name)}", "add it or take the row out")
    if not anywhere and not path.resolve().is_relative_to(folder.resolve()):
        raise Fault(f"{show(name)} is a link that leads outside the folder", "copy the file itself into the folder")
    if not os.access(path, os.R_OK):
        raise Fault(f"no permission to read {show(name)}", "give yourself the right with chmod u+r")
    return path


def _decode(sound: soundfile.SoundFile, utterance: Utterance) -> np.ndarray:
    """(N, channels) float32 of the row's range; a file that breaks off is a fault, not a shorter recording."""
    if not RATES[0] <= sound.samplerate <= RATES[1] or sound.channels > CHANNELS:
        raise Fault(f"{sound.samplerate} Hz in {sound.channels} channels", "convert it, say to 16000 Hz mono")
    frames = sound.frames - utterance.start if utterance.frames is None else utterance.frames
    if frames > sound.frames - utterance.start:
        raise Fault(f"ends past the {sound.frames} samples of the file", "mend start and frames")
    seconds = max(frames, 0) / sound.samplerate
    if seconds < SECONDS[0]:
        raise Fault(f"{seconds:.2f} s long, under {SECONDS[0]} s", "take the row out or join it to its neighbour")
    if seconds > SECONDS[1]:
        raise Fault(f"{seconds:.2f} s long, over {SECONDS[1]:.0f} s", "cut it into sentences")
    try:
        sound.seek(utterance.start)
        samples = sound.read(frames, dtype="float32", always_2d=True)
    except AUDIO_ERRORS:
        samples = np.zeros((0, sound.channels), dtype=np.float32)
    if len(samples) < frames - TAIL * sound.samplerate:
        raise Fault(f"audio breaks off after {len(samples) / sound.samplerate:.2f} s", "fetch or convert it again")
    return samples


def read_audio(folder: Path, utterance: Utterance, anywhere: bool = False) -> tuple[np.ndarray, int, str]:
    """Samples (N, channels), rate and format of a row, or a Fault when they cannot be speech."""
    path = _locate(folder, utterance.path, anywhere)
    try:
        sound = open_sound(path)
    except UserError as error:
        if "breaks off" in str(error):
            raise Fault(f"{show(utterance.path)} breaks off before its end", "fetch or convert it again") from None
        raise Fault(f"{show(utterance.path)} is not audio", "convert it to wav, flac, ogg or mp3") from None
    with sound:
        samples = _decode(sound, utterance)
        if not (np.abs(samples) <= LOUDEST).all():  # false for NaN too
            raise Fault("NaN, infinite or absurdly large samples", "export it again as 16-bit samples")
        if np.ptp(samples.mean(axis=1)) < SILENT:
            raise Fault("silence from end to end", "record it again or take the row out")
        return samples, sound.samplerate, "G722" if path.suffix == ".g722" else sound.format


def check_audio(folder: Path, utterance: Utterance) -> Sound:
    """What a row's samples say, or a Fault when they cannot be speech."""
    return measure(*read_audio(folder, utterance))


def check_folder(
    folder: Path, lang: str | None = None, transcripts: Path | None = None, keep: Keep | None = None
) -> tuple[list[Utterance], list[Fault], dict]:
    """The good rows with their measured seconds, every problem, and the card of the good rows.

    `transcripts` is a table that lies elsewhere; `keep` takes the samples of each good row.
    """
    table = find_table(folder, transcripts)
    rows = read_table(folder, table)
    utterances = [(number, found) for number, found in rows if isinstance(found, Utterance)]
    known = language(lang, [found.text for _, found in utterances])
    first: dict[str, int] = {}
    for number, row in utterances:
        first.setdefault(row.id, number)
        if row.path.lower().endswith(FOREIGN):
            converter(folder / row.path)

    def inspect(row: tuple[int, Utterance | Fault]) -> tuple[Utterance | None, Sound | None, list[Fault]]:
        """Text and audio are both looked at, so that one run finds both."""
        number, found = row
        if isinstance(found, Fault):
            return None, None, [found]
        if lang and found.lang not in ("und", lang):
            name = show(found.lang)
            return found, None, [Fault(f"language {name}", f"check with --lang {name}, or mend the row")]
        spoken = known if lang else language(found.lang)
        said = replace(found, text=spoken.normalise(found.text), lang=lang or found.lang)
        faults = [fault] if (fault := _text_fault(said.text, spoken)) else []
        if reason := name_fault(found):
            faults.append(Fault(reason, "write a plain name"))
        try:
            samples, rate, format = read_audio(folder, said, table.layout == "Kaldi")
            if first[found.id] != number:
                where = f"id {show(found.id)} stands in line {first[found.id]} already"
                faults.append(Fault(where, "give each row its own"))
            said = replace(said, seconds=len(samples) / rate)
            if keep and not faults:
                said = keep(said, samples, rate)
            return said, measure(samples, rate, format), faults
        except Fault as fault:
            return said, None, [*faults, fault]

    good, raw, sounds, problems = [], [], [], []
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # libsndfile decodes outside the interpreter's lock
        checked = tqdm(pool.map(inspect, rows), total=len(rows), desc="checking", unit="row", disable=None)
        for (number, found), (said, sound, faults) in zip(rows, checked, strict=True):
            problems += [Fault(fault.what, fault.how, table.path.name, number) for fault in faults]
            if said and sound and isinstance(found, Utterance) and not faults:
                good.append(said)
                raw.append(found.text)
                sounds.append(sound)
    if not rows:
        problems.append(Fault("no rows", "add one for each recording", table.path.name))
    return good, problems, {"layout": table.layout} | make_card(good, raw, sounds, len(rows), len(rows) - len(good))


def good_rows(folder: Path, lang: str, skip_bad: bool = False) -> list[Utterance]:
    """The rows that pass the check; a bad one stops the run, or is named on stderr and left out."""
    good, problems, _ = check_folder(folder, lang)
    if problems and not skip_bad:
        how = "mend them (sebridge check-data lists all), or import without them (corpus.skip_bad: true)"
        raise UserError(f"{folder}: {len(problems)} bad rows, the first: {problems[0]}; {how}")
    for problem in problems:
        print(f"{folder}: skipped {problem}", file=sys.stderr)
    return good
