"""Audio that another system exported: a folder with `manifest.csv`, whose first line is `file,text` or `file,text,speaker`.

The first row that is wrong stops the reading. Left out: listing all of them, as `own_data` does.
"""

import csv
from collections.abc import Callable
from pathlib import Path

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.own_data import check_audio, check_text
from sebridge_lite.data.own_tables import Fault

COLUMNS = ("file", "text", "speaker")


def _utterance(folder: Path, row: dict, name: str, lang: str, words_of: Callable) -> Utterance:
    if None in row or None in row.values():  # of DictReader: cells too many, cells too few
        raise Fault("not as many cells as the first line has", "quote cells that hold a comma")
    text = " ".join(row["text"].split())
    check_text(text, lang)
    found = Utterance(name, text, words_of(text), lang, row.get("speaker", ""), "recording", "", row["file"], 1.0)
    check_audio(folder, found)
    return found


def read_exports(folder: Path, lang: str, words_of: Callable[[str], tuple[str, ...]]) -> list[Utterance]:
    """The rows in order; `words_of` a text are its words."""
    path, found = folder / "manifest.csv", []
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            names = rows.fieldnames or []
            if not {"file", "text"} <= set(names) <= set(COLUMNS) or len(set(names)) < len(names):
                raise UserError(f"{path}:1: columns {', '.join(map(str, names)) or 'none'}; write file,text[,speaker]")
            for row in rows:
                try:
                    found.append(_utterance(folder, row, f"{rows.line_num:06d}", lang, words_of))
                except Fault as fault:
                    raise UserError(f"{path}:{rows.line_num}: {fault.what}; {fault.how}") from None
    except FileNotFoundError:
        raise UserError(f"{path}: not there; list the audio in it as file,text[,speaker]") from None
    except (UnicodeDecodeError, csv.Error, NotADirectoryError) as error:
        raise UserError(f"{path}: not a table in UTF-8 ({error}); save it as CSV, UTF-8") from None
    if not found:
        raise UserError(f"{path}: no rows; write one for each audio file")
    return found
