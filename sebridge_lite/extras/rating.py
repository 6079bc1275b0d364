"""What raters answered, checked against the test's key, and what it comes to; and made-up raters, to show what a test can find.

An answer is a JSON object a line, as the page saves it. Of an A/B trial the score is 1 for the first clip and 2 for the second,
as that rater heard them:

    {"test": ..., "rater": ..., "trial": ..., "clips": [as heard], "score": 4, "simulated": false, "time": ...}

Every answer of a made-up rater says `"simulated": true`, no claim may rest on it (`ratings.by_people`), and it is never read
beside people's. Left out: raters who tire, who learn, or who use only part of the scale.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.files import once, read_text
from sebridge_lite.core.paths import NAME
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.extras import ratings as measures
from sebridge_lite.extras.listening import BROKEN, REFERENCE, load_both

FIELDS = {"test": str, "rater": str, "trial": str, "clips": list, "score": int, "simulated": bool}
LEAST = 0.75  # of the gold clips answered rightly; who answers at random gets 43 % on average
# Spreads of made-up raters in points: who is strict, which text is easy, whose taste differs, slips of the hand.
STRICT, EASY, TASTE, SLIP = 0.4, 0.25, 0.3, 0.6


def fault(row: object, test: dict) -> str:
    """What keeps a line from being a rating of this test, or ''."""
    if not isinstance(row, dict) or any(type(row.get(name)) is not kind for name, kind in FIELDS.items()):
        return "not an answer as raters' files have it; delete this line"
    if row["test"] != test["test"]:
        return f"rated in test {show(row['test'])}, and this is {show(test['test'])}; read it with its own key"
    if not NAME.fullmatch(row["rater"]):
        return f"rater {show(row['rater'])} has no plain name; write letters, digits, '-', '_' and '.'"
    trial: dict = next((trial for trial in test["trials"] if trial["id"] == row["trial"]), {"clips": []})
    if not trial["clips"] or sorted(map(str, row["clips"])) != sorted(trial["clips"]):
        return f"trial {show(row['trial'])} with these clips is not in this test; delete this line"
    scores = len(test["tasks"][trial["task"]]["scale"])
    return "" if 1 <= row["score"] <= scores else f"score {row['score']} is not from 1 to {scores}; delete this line"


def answers_in(path: Path, test: dict) -> list[tuple[str, dict]]:
    """Every answer in a file with its place, for messages; the first fault ends it."""
    lines, answers = read_text(path, "give the files that raters sent").split("\n"), []
    for place, line in ((f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()):
        try:
            row = json.loads(line, object_pairs_hook=once)
        except (ValueError, RecursionError):
            raise UserError(f"{place}: damaged, not JSON; delete this line") from None
        if reason := fault(row, test):
            raise UserError(f"{place}: {reason}")
        answers.append((place, row))
    return answers


def read_ratings(folder: Path, files: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings of the test in `folder` as `ratings.py` takes them, and `rater`, `right` of the gold trials."""
    test, key = load_both(folder)
    answers: dict[tuple, tuple[str, dict]] = {}
    for place, row in (found for path in files for found in answers_in(path, test)):
        before, first = answers.setdefault((row["rater"], row["trial"]), (place, row))
        if (first["clips"], first["score"]) != (row["clips"], row["score"]):
            raise UserError(f"{place}: {row['rater']} answered this trial otherwise in {before}; keep one of them")
    rows = [row for _, row in answers.values()]
    if len({row["simulated"] for row in rows}) != 1:
        raise UserError(
            f"{folder}: {'simulated raters beside people: read them apart' if rows else 'no ratings in it'}"
        )
    task_of, plain, gold = {trial["id"]: trial["task"] for trial in test["trials"]}, [], []
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


def simulate(folder: Path, quality: Mapping[str, float], raters: int, seed: int, careless: int = 0) -> list[dict]:
    """Answers of made-up raters, the last `careless` of them at random. quality: points, of each system."""
    test, key = load_both(folder)
    known = {BROKEN: 1.0, REFERENCE: 5.0, **quality}
    if unknown := set(key["clips"].values()) - set(known):
        raise UserError(f"simulated raters: how good is {min(unknown)}? give it a quality")
    easy = {item: EASY * rng_of(seed, item).normal() for item in key["items"].values()}
    answers = []
    for number in range(raters):
        name, rng = f"simulated-{number:03d}", rng_of(seed, "rater", number)
        strict, taste = STRICT * rng.normal(), {system: TASTE * rng.normal() for system in sorted(known)}
        for trial in test["trials"]:
            rng, choices = rng_of(seed, name, trial["id"]), len(test["tasks"][trial["task"]]["scale"])
            felt = {clip: SLIP * rng.normal() for clip in sorted(trial["clips"])}  # whichever is heard first
            for clip in felt:
                system = key["clips"][clip]
                felt[clip] += known[system] + taste[system] * (system in quality)
            score = round(felt[trial["clips"][-1]] + strict + easy[key["items"][trial["id"]]])
            if trial["task"] == "ab":
                score = 1 + trial["clips"].index(max(felt, key=felt.__getitem__))
            if number >= raters - careless:
                score = int(rng.integers(choices)) + 1
            answer = {"test": test["test"], "rater": name, "trial": trial["id"], "clips": trial["clips"]}
            answers.append(answer | {"score": min(max(score, 1), choices), "simulated": True})
    return answers


def write_ratings(path: Path, answers: Sequence[dict]) -> None:
    """Writes a file of answers."""
    with paths.replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in answers), encoding="utf-8")
