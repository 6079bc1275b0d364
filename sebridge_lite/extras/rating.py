"""Take a listening test, and read what raters answered: one JSON object a line, checked against the test's key.

    {"test": ..., "rater": ..., "trial": ..., "clips": [as heard], "score": 4, "simulated": false, "time": ...}

Of an A/B trial the score is 1 for the first clip and 2 for the second, as that rater heard them. Left out: two places at once
that write for one rater.
"""

import datetime
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.extras import ratings as measures
from sebridge_lite.extras.listening import load

FIELDS = {"test": str, "rater": str, "trial": str, "clips": list, "score": int, "simulated": bool}
RATER = r"[A-Za-z0-9_-]{1,40}"
LEAST = 0.75  # of the gold clips answered rightly; who answers at random gets 43 % on average


def mixed(text: str) -> int:
    """A number of 32 bits that looks random, the same here and in the page: FNV-1a and the last steps of MurmurHash3."""
    h = 0x811C9DC5
    for letter in text:
        h = (h ^ ord(letter)) * 0x01000193 & 0xFFFFFFFF
    h = (h ^ h >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


def order_of(test: dict, rater: str) -> list[dict]:
    """The trials as this rater hears them: task by task, shuffled within, A/B pairs turned at random."""
    tasks, heard = list(test["tasks"]), []
    for trial in test["trials"]:
        name = f"{test['test']}/{rater}/{trial['id']}"
        turned = trial["task"] == "ab" and mixed(name + "/side") % 2 == 1
        clips = trial["clips"][::-1] if turned else trial["clips"]
        heard.append((tasks.index(trial["task"]), mixed(name), trial | {"clips": clips}))
    return [trial for *_, trial in sorted(heard, key=lambda row: row[:2])]


def answer(test: dict, rater: str, trial: dict, score: int, simulated: bool) -> dict:
    """The line that keeps a rater's answer."""
    row = {"test": test["test"], "rater": rater, "trial": trial["id"], "clips": trial["clips"], "score": score}
    return row | {"simulated": simulated, "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}


class Sitting:
    """One rater in one test: `todo` holds the trials left, `rate(score)` answers the first of them and keeps it."""

    def __init__(self, folder: Path, rater: str, ratings: Path | None = None):
        if not re.fullmatch(RATER, rater):
            raise UserError(f"rater {rater[:60]!r}: a name of 1 to 40 letters, digits, - and _ is needed")
        self.test, self.rater = load(folder, "test.json"), rater
        self.path = (ratings or folder / "ratings") / f"{rater}.jsonl"
        whole = self.path.read_bytes().rpartition(b"\n")[0] if self.path.is_file() else b""
        done = {row["trial"] for _, row in rows_of(self.path, whole, self.test)}
        self.todo = [trial for trial in order_of(self.test, rater) if trial["id"] not in done]

    def rate(self, score: int) -> None:
        """Writes a line more, on the disk before this returns; what a killed write left of a line is dropped first."""
        row = answer(self.test, self.rater, self.todo[0], score, simulated=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        del self.todo[0]


def fault(row: object, test: dict) -> str:
    """What keeps a line from being a rating of this test, or ''."""
    if not isinstance(row, dict):
        return "not a rating; delete this line"
    for name, kind in FIELDS.items():
        if type(row.get(name)) is not kind:
            return f"no '{name}' as raters' files have it; delete this line"
    if row["test"] != test["test"]:
        return f"rated in test {row['test'][:60]!r}, and this is {test['test']}; read it with its own key"
    trial = next((trial for trial in test["trials"] if trial["id"] == row["trial"]), None)
    if trial is None:
        return f"trial {row['trial'][:60]!r} is not in this test; delete this line"
    if sorted(map(str, row["clips"])) != sorted(trial["clips"]):
        return f"its clips are not those of trial {trial['id']}; delete this line"
    scores = len(test["tasks"][trial["task"]]["scale"])
    return "" if 1 <= row["score"] <= scores else f"score {row['score']} is not from 1 to {scores}; delete this line"


def rows_of(path: Path, text: bytes, test: dict) -> list[tuple[str, dict]]:
    """Every rating in a file with its place, for messages; the first fault ends it."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise UserError(f"{path}:{number}: damaged, not JSON; delete this line") from None
        if reason := fault(row, test):
            raise UserError(f"{path}:{number}: {reason}")
        rows.append((f"{path}:{number}", row))
    return rows


def gathered(files: Sequence[Path], test: dict) -> list[dict]:
    """The answers in all files, each once; two different answers of a rater to a trial are an error."""
    rows: dict[tuple, tuple[str, dict]] = {}
    for path in files:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; give the files that raters sent") from None
        for place, row in rows_of(path, text, test):
            before, first = rows.setdefault((row["rater"], row["trial"]), (place, row))
            if (first["clips"], first["score"]) != (row["clips"], row["score"]):
                raise UserError(f"{place}: {row['rater']} answered this trial otherwise in {before}; keep one of them")
    return [row for _, row in rows.values()]


def read_ratings(folder: Path, files: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings of the test in `folder` as `ratings.py` takes them, and `rater`, `right` of the gold trials."""
    test, key = load(folder, "test.json"), load(folder, "key.json")
    if key["test"] != test["test"]:
        raise UserError(f"{folder / 'key.json'}: of test {key['test']}, and test.json is {test['test']}; restore one")
    task_of = {trial["id"]: trial["task"] for trial in test["trials"]}
    rows = gathered(files, test)
    if len({row["simulated"] for row in rows}) != 1:
        raise UserError(f"{folder}: {'simulated raters beside people: read them apart' if rows else 'no ratings in it'}")
    plain, gold = [], []
    for row in rows:
        trial, score = row["trial"], row["score"]
        preferred = row["clips"][score - 1] if task_of[trial] == "ab" else None
        if trial in key["gold"]:
            gold.append((row["rater"], (preferred or score) in key["gold"][trial]))
            continue
        systems = [key["clips"][clip] for clip in row["clips"]]
        said = (systems[score - 1], systems[2 - score], 1) if preferred else (systems[-1], "", score)
        plain.append((row["rater"], task_of[trial], key["items"][trial], *said, row["simulated"]))
    columns = ["rater", "task", "item", "system", "other", "score", "simulated"]
    return pd.DataFrame(plain, columns=columns), pd.DataFrame(gold, columns=["rater", "right"])


def analyse(folder: Path, files: Sequence[Path], least: float = LEAST) -> dict[str, pd.DataFrame]:
    """Tables by name: screening, then of the raters kept nmos, smos and their differences, preferences, agreement."""
    ratings, gold = read_ratings(folder, files)
    raters = measures.screened(gold, sorted({*ratings["rater"], *gold["rater"]}), least)
    kept = ratings[ratings["rater"].isin(raters.loc[raters["kept"], "rater"])]
    if kept.empty:
        why = "; ".join(f"{row.rater}: {row.why}" for row in raters[~raters["kept"]].itertuples())
        raise UserError(f"{folder}: no rater is kept ({why}); ask more people, or look at the gold clips")
    tables, rows = {"raters": measures.labelled(raters, ratings)}, []
    for task in sorted(set(kept["task"]) - {"ab"}):
        tables |= {task: measures.means(kept, task), f"{task}_differences": measures.comparisons(kept, task)}
        scores = np.concatenate(list(measures.grids(kept, task).values()), axis=1)
        alpha = measures.agreement(scores) if len(scores) > 1 else np.nan
        rows.append((task, alpha, len(scores), scores.shape[1]))
    if (kept["task"] == "ab").any():
        tables["preferences"] = measures.preferences(kept)
    tables["agreement"] = measures.labelled(pd.DataFrame(rows, columns=["task", "alpha", "raters", "clips"]), ratings)
    return tables
