"""The four layouts of a folder of recordings, read row by row into utterances whose audio nobody has looked at yet.

LJSpeech (`metadata.csv`), Common Voice (`validated.tsv`, else train, dev, test, other), what another system exported
(`manifest.csv`, whose first line is `file,text` or `file,text,speaker`), and our own `manifest.jsonl`. A row that cannot be
one becomes a Fault. Left out: quoting in the first two layouts, which have none.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance, path_fault, read_rows, show

COMMON_VOICE = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv", "other.tsv")
ENDINGS = ("", ".wav", ".flac", ".mp3", ".ogg", ".opus")


class Fault(Exception):
    """What is wrong with a row, and how to mend it."""

    def __init__(self, what: str, how: str):
        super().__init__(what, how)
        self.what, self.how = what, how


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


def _lines(path: Path) -> Iterator[tuple[int, str | Fault]]:
    with path.open("rb") as handle:
        for number, raw in enumerate(handle, start=1):
            raw = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            try:
                if raw.strip():
                    yield number, raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                yield number, Fault("not UTF-8", "save the file as UTF-8")


def is_file(path: Path) -> bool:
    """Whether a file lies there, whatever a stranger calls it."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name longer than the file system takes
        return False


def _recording(folder: Path, name: str, places: tuple[str, ...], text: str, lang: str | None, who: str) -> Utterance:
    """`places`: the sub-folders where `name` may lie, with or without its ending. A missing file is found out later."""
    tries = [place + name + ending for place in places for ending in ENDINGS]
    path = name if path_fault(name) else next((p for p in tries if is_file(folder / p)), tries[0])
    stem = re.sub(r"\.(wav|flac|mp3|ogg|opus)$", "", name) or name
    return Utterance(stem, language(lang).normalise(text), (), lang or "und", who, "recording", "", path, 0.0)


def _ljspeech(folder: Path, path: Path, lang: str | None) -> Iterator[tuple[int, Utterance | Fault]]:
    for number, line in _lines(path):
        cells = [cell.strip() for cell in line.split("|")] if isinstance(line, str) else []
        if isinstance(line, Fault):
            yield number, line
        elif len(cells) not in (2, 3):
            yield number, Fault(f"{len(cells)} columns", "write id|text or id|text|normalised text")
        else:
            yield number, _recording(folder, cells[0], ("wavs/", ""), cells[-1] or cells[1], lang, "own")


def _common_voice(folder: Path, path: Path, lang: str | None) -> Iterator[tuple[int, Utterance | Fault]]:
    rows = _lines(path)
    header = next(rows, (1, ""))[1]
    columns = header.split("\t") if isinstance(header, str) else []
    if missing := {"client_id", "path", "sentence"} - set(columns):
        raise UserError(f"{path}:1: no column {', '.join(sorted(missing))}: the first line names the columns, by tabs")
    for number, line in rows:
        cells = line.split("\t") if isinstance(line, str) else []  # quotes are letters here: no sentence holds a tab
        if isinstance(line, Fault):
            yield number, line
        elif len(cells) != len(columns):
            yield number, Fault(f"{len(cells)} columns, the header has {len(columns)}", "put one tab between columns")
        else:
            row = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
            yield number, _recording(folder, row["path"], ("clips/", ""), row["sentence"], lang, row["client_id"])


def _exports(folder: Path, path: Path, lang: str | None) -> Iterator[tuple[int, Utterance | Fault]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            names = rows.fieldnames or []
            if not {"file", "text"} <= set(names) <= {"file", "text", "speaker"} or len(set(names)) < len(names):
                raise UserError(
                    f"{path}:1: columns {', '.join(map(show, names[:9])) or 'none'}; write file,text[,speaker]"
                )
            for row in rows:
                if None in row or None in row.values():  # cells too many, cells too few
                    yield rows.line_num, Fault("not as many cells as the first line", "quote cells that hold a comma")
                    continue
                text, who = language(lang).normalise(row["text"]), row.get("speaker", "")
                made = Utterance(
                    f"{rows.line_num:06d}", text, (), lang or "und", who, "recording", "", row["file"], 0.0
                )
                yield rows.line_num, made
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a table in UTF-8 ({error}); save it as CSV, UTF-8") from None


def _manifest(folder: Path, path: Path, lang: str | None) -> Iterator[tuple[int, Utterance | Fault]]:
    for number, found in read_rows(path):
        if isinstance(found, str):
            yield number, Fault(found, "mend the row or take it out")
        elif lang not in (None, found.lang):
            how = f"check with --lang {show(found.lang)}, or mend the row"
            yield number, Fault(f"language {show(found.lang)}", how)
        else:
            yield number, replace(found, text=language(lang).normalise(found.text))


READERS = {"metadata.csv": _ljspeech, "manifest.csv": _exports, "manifest.jsonl": _manifest} | dict.fromkeys(
    COMMON_VOICE, _common_voice
)


def read_table(folder: Path, path: Path, lang: str | None) -> list[tuple[int, Utterance | Fault]]:
    """Each row by its number, as an utterance or with what is wrong with it."""
    try:
        return list(READERS[path.name](folder, path, lang))
    except OSError as error:
        raise UserError(f"{path}: cannot read it ({error.strerror})") from None
