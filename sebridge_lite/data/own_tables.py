"""The layouts of a folder of recordings, read row by row into utterances whose text and audio nobody has looked at yet.

LJSpeech and Hugging Face's audiofolder (both `metadata.csv`), Common Voice (`validated.tsv`, else train, dev, test, other),
what another system exported (`manifest.csv`), our own `manifest.jsonl`, Kaldi (`wav.scp` and `text`), festvox
(`etc/txt.done.data`), Asterisk's prompts (`core-sounds-en.txt`), or a text file beside each recording. A row that cannot be an
utterance becomes a Fault. Left out: quoting in the tables that have none, Kaldi's commands and segments.
"""

import csv
import gzip
import itertools
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sebridge_lite.core.errors import UserError, show
from sebridge_lite.data.manifest import AUDIO, FOREIGN, Utterance, path_fault, read_rows

COMMON_VOICE = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv", "other.tsv")
ENDINGS = ("", *AUDIO, *FOREIGN)
COLUMNS = {"file": "file file_name", "text": "text transcription sentence transcript", "speaker": "speaker speaker_id"}
PROMPTS, MOST_PROMPTS = "core-sounds-*.txt*", 50_000_000  # characters: the published tables hold 100,000
is_file = os.path.isfile  # pathlib raises on a name longer than the file system takes
BOM = b"\xef\xbb\xbf"


class Fault(Exception):
    """What is wrong in a table, where, and how to mend it; the first line is row 1, and row 0 is the file as a whole."""

    def __init__(self, what: str, how: str, file: str = "", row: int = 0):
        self.what, self.how, self.file, self.row = what, how, file, row

    def __str__(self) -> str:
        return f"{self.file}{f':{self.row}' if self.row else ''}: {self.what}; {self.how}"


Row = tuple[int, Utterance | Fault]


class Table(NamedTuple):
    """Where the transcripts stand, in which layout, and who reads it."""

    path: Path
    layout: str
    read: Callable[[Path, Path], Iterator[Row]]


def sounds_in(folder: Path) -> list[Path]:
    """All audio files below a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS[1:] and is_file(path))


def find_table(folder: Path, transcripts: Path | None = None) -> Table:
    """The one table of a folder, or the one that is named."""
    try:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        there = [folder / name for name in READERS if (folder / name).exists()] + sorted(folder.glob(PROMPTS))
    except (OSError, ValueError) as error:
        raise UserError(f"{show(str(folder))}: cannot look into the folder ({error})") from None
    voice = [path for path in there if path.name in COMMON_VOICE]
    there = [transcripts] if transcripts else [path for path in there if path not in voice[1:]]
    if not there and any(path.with_suffix(".txt").is_file() for path in sounds_in(folder)):
        return Table(folder, "a text beside each recording", _beside)
    if len(there) != 1:
        names = f"{' and '.join(path.name for path in there)}: keep one" if there else "no table of recordings: add one"
        layouts = "metadata.csv (LJSpeech, audiofolder), validated.tsv (Common Voice), manifest.csv (file,text), wav.scp and text"
        more = f"(Kaldi), etc/txt.done.data (festvox), {PROMPTS} (Asterisk), or manifest.jsonl"
        audio, elsewhere = ("", "; `sebridge new --transcripts FILE` reads one that lies elsewhere")
        if not sounds_in(folder):
            audio, elsewhere = "no audio, and ", ""
        raise UserError(f"{folder}: {audio}{names} of {layouts} {more}, or a NAME.txt beside each recording{elsewhere}")
    (path,) = there
    if not is_file(path):  # a pipe would block
        raise UserError(f"{path}: is not a file; put the table there")
    if path.match(PROMPTS):
        return Table(path, "Asterisk", _asterisk)
    with path.open("rb") as handle:
        if path.name == "metadata.csv" and b"file_name" in handle.readline():
            return Table(path, "audiofolder", _exports)
    for name, (layout, read) in READERS.items():
        if path.name == Path(name).name:
            return Table(path, layout, read)
    raise UserError(f"{path}: a table is called {', '.join(READERS)} or {PROMPTS}; rename it")


def _rows(path: Path, separator: str, widths: Sequence[int], how: str) -> Iterator[tuple[int, list[str] | Fault]]:
    """The cells of each line that is not blank, which has as many as `widths` allows."""
    with path.open("rb") as handle:
        for number, raw in enumerate(handle, start=1):
            try:
                line = raw.removeprefix(BOM).decode("utf-8")
            except UnicodeDecodeError:
                yield number, Fault("not UTF-8", "save the file as UTF-8")
                continue
            if "\r" in line.rstrip("\r\n"):
                yield number, Fault("a line end of old Macs (CR) within the line", "save the file with line ends LF")
                continue
            cells = [cell.strip() for cell in line.split(separator)]
            if line.strip():
                yield number, cells if len(cells) in widths else Fault(f"{len(cells)} columns", how)


def _utterance(name: str, text: str, who: str, path: str) -> Utterance:
    return Utterance(name, text, (), "und", who, "recording", "", path, 0.0)


def _stem(name: str) -> str:
    return next((name.removesuffix(ending) for ending in ENDINGS[1:] if name.endswith(ending)), "") or name


def _recording(folder: Path, name: str, place: str, text: str, who: str) -> Utterance:
    """`place`: the sub-folder where `name` may lie, with or without its ending. A missing file is found out later."""
    tries = [where + name + ending for where in (place, "") for ending in ENDINGS]
    path = name if path_fault(name) else next((p for p in tries if is_file(folder / p)), tries[0])
    return _utterance(_stem(name), text, who, path)


def _ljspeech(folder: Path, path: Path) -> Iterator[Row]:
    for number, row in _rows(path, "|", (2, 3), "write id|text or id|text|normalised text"):
        yield number, row if isinstance(row, Fault) else _recording(folder, row[0], "wavs/", row[-1] or row[1], "own")


def _common_voice(folder: Path, path: Path) -> Iterator[Row]:
    with path.open("rb") as handle:
        columns = handle.readline().removeprefix(BOM).decode("utf-8", errors="replace").rstrip("\r\n").split("\t")
    if len(set(columns)) < len(columns):
        raise UserError(f"{path}:1: a column stands twice; keep one of each")
    if missing := {"client_id", "path", "sentence"} - set(columns):
        raise UserError(f"{path}:1: no column {', '.join(sorted(missing))}: the first line names the columns, by tabs")
    who, name, text = map(columns.index, ("client_id", "path", "sentence"))
    how = f"put one tab between columns: the header has {len(columns)}"
    # Quotes are letters here: no sentence holds a tab.
    for number, row in itertools.islice(_rows(path, "\t", [len(columns)], how), 1, None):
        yield number, row if isinstance(row, Fault) else _recording(folder, row[name], "clips/", row[text], row[who])


def _exports(folder: Path, path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle, strict=True)
            names = rows.fieldnames or []
            file, text, who = (next((n for n in any_of.split() if n in names), "") for any_of in COLUMNS.values())
            if not (file and text) or len(set(names)) < len(names):
                seen = ", ".join(map(show, names[:9])) or "none"
                raise UserError(f"{path}:1: columns {seen}; write file,text[,speaker]")
            for row in rows:
                if None in row or None in row.values():  # cells too many, cells too few
                    yield rows.line_num, Fault("not as many cells as the first line", "quote cells that hold a comma")
                else:
                    name = f"{rows.line_num:06d}"
                    yield rows.line_num, _utterance(name, row[text], row.get(who, ""), row[file])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a table in UTF-8 ({error}); save it as CSV, UTF-8") from None


def _manifest(folder: Path, path: Path) -> Iterator[Row]:
    for number, found in read_rows(path):
        yield number, Fault(found, "mend the row or take it out") if isinstance(found, str) else found


def _pairs(path: Path) -> dict[str, str]:
    """The first word of each line, and the rest of it."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if path.is_file() else []
    return {name: " ".join(rest) for name, *rest in map(str.split, filter(str.strip, lines))}


def _kaldi(folder: Path, path: Path) -> Iterator[Row]:
    places, people = _pairs(path), _pairs(path.with_name("utt2spk"))
    for number, (name, text) in enumerate(_pairs(path.with_name("text")).items(), start=1):
        place = places.get(name, "")
        if not place or place.endswith("|"):
            what = f"wav.scp has a command for {show(name)}, not a file" if place else f"{show(name)} is not in wav.scp"
            yield number, Fault(what, "write its audio to a file and name that")
        else:
            yield number, _utterance(name, text, people.get(name, "own"), place)


def _festvox(folder: Path, path: Path) -> Iterator[Row]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        found = re.fullmatch(r'\(\s*(\S+)\s+"(.*)"\s*\)', line.strip())
        if found:
            text = re.sub(r"(?<=\w)\+(?=\w)", "", found[2])  # marks a stress
            yield number, _recording(folder, found[1], "wav/", text.replace('\\"', '"'), "own")
        elif line.strip():
            yield number, Fault("not a line of festvox", 'write ( name "text" )')


def _asterisk(folder: Path, path: Path) -> Iterator[Row]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as handle:
        lines = handle.read(MOST_PROMPTS + 1)
    if len(lines) > MOST_PROMPTS:  # a small archive may hold gigabytes
        raise UserError(f"{path}: over {MOST_PROMPTS:,} characters; give a table of prompts, which is shorter")
    for number, line in enumerate(lines.split("\n"), start=1):
        name, _, said = line.partition(": ")
        text = re.sub(r"\[.*?\]|<.*?>|\(.*?\)", "", said).strip()
        if line.startswith(";") or not line.strip():
            continue
        if text:
            yield number, _recording(folder, name.strip(), "", text, "own")
        else:
            yield number, Fault(f"{show(line.strip())} has no words", "nothing to mend: a beep, a silence")


def _beside(folder: Path, path: Path) -> Iterator[Row]:
    for number, sound in enumerate(sounds_in(folder), start=1):
        name, text = sound.relative_to(folder).as_posix(), sound.with_suffix(".txt")
        if text.is_file():
            said = text.read_text(encoding="utf-8-sig", errors="replace")
            yield number, _utterance(_stem(name), said, "own", name)
        else:
            yield number, Fault(f"no text beside {show(name)}", f"add {show(text.name)}")


READERS = {
    "metadata.csv": ("LJSpeech", _ljspeech),
    "manifest.csv": ("manifest.csv", _exports),
    "manifest.jsonl": ("manifest.jsonl", _manifest),
    "wav.scp": ("Kaldi", _kaldi),
    "etc/txt.done.data": ("festvox", _festvox),
    **dict.fromkeys(COMMON_VOICE, ("Common Voice", _common_voice)),
}


def read_table(folder: Path, table: Table) -> list[Row]:
    """Each row by its number, as an utterance or with what is wrong with it."""
    try:
        return list(table.read(folder, table.path))
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{table.path}: cannot read it ({getattr(error, 'strerror', None) or error})") from None
