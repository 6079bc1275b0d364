"""A stranger's folder of recordings becomes one of ours: 16 kHz mono FLAC, trimmed, beside one manifest. The source is only read.

data/real/manifest.jsonl, NAME.flac               recordings of people
data/synthetic/ENGINE/manifest.jsonl, NAME.flac   speech that an engine has made elsewhere
"""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.files import read_text
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import RATE, Utterance, resample, write_manifest
from sebridge_lite.data.own_data import SECONDS, check_folder
from sebridge_lite.data.own_tables import Fault
from sebridge_lite.data.recordings import to_int16, trimmed, write_sound

FEWEST = 20  # recordings: four to test on, two to choose on, and no result worth the name


def file_name(id: str) -> str:
    """A name for a file, different for different ids."""
    plain = re.sub(r"[^\w-]+", "_", id)[:60]
    return f"{plain}.flac" if plain == id else f"{plain}-{hashlib.sha256(id.encode()).hexdigest()[:8]}.flac"


def adopt(
    source: Path, lang: str, folder: Path, transcripts: Path | None = None
) -> tuple[list[Utterance], list[Fault], dict]:
    """The recordings that are now in a new `folder`, what is wrong with the others, and the card of what was read."""
    folder.mkdir()

    def keep(said: Utterance, samples: np.ndarray, rate: int) -> Utterance:
        sound = trimmed(to_int16(resample(samples.mean(axis=1), rate)))
        seconds, path = len(sound) / RATE, file_name(said.id)
        if seconds < SECONDS[0]:
            raise Fault(f"{seconds:.2f} s long without the silence at its ends", "join it to its neighbour")
        write_sound(folder / path, sound)
        whole: dict[str, Any] = {"start": 0, "frames": None, "truth": None, "words": ()}
        return replace(said, lang=lang, path=path, seconds=seconds, kind="recording", engine="", **whole)

    good, problems, card = check_folder(source, lang, transcripts, keep)
    foreign = [problem for problem in problems if problem.what.endswith(" script")]
    if 2 * len(foreign) > card["rows"]:
        what = f"{len(foreign)} of {card['rows']} transcripts are not in the script of --lang {lang}"
        raise UserError(f"{source}: {what}, the first: {foreign[0]}")
    if len(good) < FEWEST:
        bad = f"; {card['bad_rows']} are not: {problems[0]}" if problems else ""
        raise UserError(f"{source}: {len(good)} recordings can be used, at least {FEWEST} are needed{bad}")
    write_manifest(folder / "manifest.jsonl", good)
    return good, problems, card


def read_texts(file: Path, lang: str) -> list[str]:
    """The sentences of a file, one a line, each once, as the language writes them."""
    lines = read_text(file, "give a file of sentences, one a line").splitlines()
    tongue = language(lang, lines)
    texts = [text for text in dict.fromkeys(map(tongue.normalise, lines)) if tongue.segment(text)]
    if not texts or not tongue.in_script(" ".join(texts)):
        raise UserError(f"{file}: no sentences in the script of --lang {lang}; write one a line")
    return texts
