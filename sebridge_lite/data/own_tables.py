"""The four layouts of a folder of recordings, read row by row into utterances whose audio nobody has looked at yet.

LJSpeech (`metadata.csv`), Common Voice (`validated.tsv`, else train, dev, test, other), what another system exported
(`manifest.csv`, whose first line is `file,text` or `file,text,speaker`), and our own `manifest.jsonl`. A row that cannot be
one becomes a Fault. Left out: quoting in the first two layouts, which have none.
"""

import csv
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance, path_fault, read_rows, show

COMMON_VOICE = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv", "other.tsv")
ENDINGS = ("", ".wav", ".flac", ".mp3", ".ogg", ".opus")
is_file = os.path.isfile  # pathlib raises on a name longer than the file system takes
BOM = b"\xef\xbb\xbf"


class Fault(Exception):
    """What is wrong in a table, where, and how to mend it; the first line is row 1, and row 0 is the file as a whole."""

    def __init__(self, what: str, how: str, file: str = "", row: int = 0):
        self.what, self.how, self.file, self.row = what, how, file, row

    def __str__(self) -> str:
        return f"{self.file}{f':{self.row}' if self.row else ''}: {self.what}; {self.how}"


Row = tuple[int, Utterance | Fault]


def find_table(folder: Path) -> Path:
    """The one table of a folder."""
    try:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        there = [name for name in READERS if (folder / name).exists()]
    except (OSError, ValueError) as error:
        raise UserError(f"{show(str(folder))}: cannot look into the folder ({error})") from None
    voice = [name for name in COMMON_VOICE if name in there]
    there = [name for name in there if name not in voice[1:]]
    if len(there) != 1:
        names = f"{' and '.join(there)}: keep one" if there else "no table of recordings: add one"
        layouts = "metadata.csv (LJSpeech), validated.tsv (Common Voice), manifest.csv (file,text) or manifest.jsonl"
        raise UserError(f"{folder}: {names} of {layouts}")
    if not is_file(folder / there[0]):  # a pipe would block
        raise UserError(f"{folder / there[0]}: is not a file; put the table there")
    return folder / there[0]


def _rows(path: Path, separator: str, widths: Sequence[int], how: str) -> Iterator[tuple[int, list[str] | Fault]]:
    """The cells of each line that is not blank, which has as many as `widths` allows."""
    with path.open("rb") as handle:
        for number, raw in enumerate(handle, start=1):
            try:
                line = raw.removeprefix(BOM).decode("utf-8")
            except UnicodeDecodeError:
                yield number, Fault("not UTF-8", "save the file as UTF-8")
                continue
            cells = [cell.strip() for cell in line.split(separator)]
            if line.strip():
                yield number, cells if len(cells) in widths else Fault(f"{len(cells)} columns", how)


def _utterance(name: str, text: str, lang: str | None, who: str, path: str) -> Utterance:
    return Utterance(name, language(lang).normalise(text), (), lang or "und", who, "recording", "", path, 0.0)


def _recording(folder: Path, name: str, place: str, text: str, lang: str | None, who: str) -> Utterance:
    """`place`: the sub-folder where `name` may lie, with or without its ending. A missing file is found out later."""
    tries = [where + name + ending for where in (place, "") for ending in ENDINGS]
    path = name if path_fault(name) else next((p for p in tries if is_file(folder / p)), tries[0])
    return _utterance(re.sub(r"\.(wav|flac|mp3|ogg|opus)$", "", name) or name, text, lang, who, path)


def _ljspeech(folder: Path, path: Path, lang: str | None) -> Iterator[Row]:
    for number, row in _rows(path, "|", (2, 3), "write id|text or id|text|normalised text"):
        faulty = isinstance(row, Fault)
        yield number, row if faulty else _recording(folder, row[0], "wavs/", row[-1] or row[1], lang, "own")


def _common_voice(folder: Path, path: Path, lang: str | None) -> Iterator[Row]:
    with path.open("rb") as handle:
        columns = handle.readline().removeprefix(BOM).decode("utf-8", errors="replace").rstrip("\r\n").split("\t")
    if missing := {"client_id", "path", "sentence"} - set(columns):
        raise UserError(f"{path}:1: no column {', '.join(sorted(missing))}: the first line names the columns, by tabs")
    who, name, text = map(columns.index, ("client_id", "path", "sentence"))
    how = f"put one tab between columns: the header has {len(columns)}"
    # Quotes are letters here: no sentence holds a tab.
    for number, row in itertools.islice(_rows(path, "\t", [len(columns)], how), 1, None):
        faulty = isinstance(row, Fault)
        yield number, row if faulty else _recording(folder, row[name], "clips/", row[text], lang, row[who])


def _exports(folder: Path, path: Path, lang: str | None) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            names = rows.fieldnames or []
            if not {"file", "text"} <= set(names) <= {"file", "text", "speaker"} or len(set(names)) < len(names):
                seen = ", ".join(map(show, names[:9])) or "none"
                raise UserError(f"{path}:1: columns {seen}; write file,text[,speaker]")
            for row in rows:
                if None in row or None in row.values():  # cells too many, cells too few
                    yield rows.line_num, Fault("not as many cells as the first line", "quote cells that hold a comma")
                else:
                    name, who = f"{rows.line_num:06d}", row.get("speaker", "")
                    yield rows.line_num, _utterance(name, row["text"], lang, who, row["file"])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a table in UTF-8 ({error}); save it as CSV, UTF-8") from None


def _manifest(folder: Path, path: Path, lang: str | None) -> Iterator[Row]:
    for number, found in read_rows(path):
        if isinstance(found, str):
            yield number, Fault(found, "mend the row or take it out")
        elif lang not in (None, found.lang):
            name = show(found.lang)
            yield number, Fault(f"language {name}", f"check with --lang {name}, or mend the row")
        else:
            yield number, replace(found, text=language(lang).normalise(found.text))


READERS = {"metadata.csv": _ljspeech, "manifest.csv": _exports, "manifest.jsonl": _manifest}
READERS |= dict.fromkeys(COMMON_VOICE, _common_voice)


def read_table(folder: Path, path: Path, lang: str | None) -> list[Row]:
    """Each row by its number, as an utterance or with what is wrong with it."""
    try:
        return list(READERS[path.name](folder, path, lang))
    except OSError as error:
        raise UserError(f"{path}: cannot read it ({error.strerror})") from None
