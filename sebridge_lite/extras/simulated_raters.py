"""Made-up raters, to show what a listening test can find before anybody is asked.

Every row says `"simulated": true`, no claim may rest on them (`ratings.by_people`), and they are never read beside people.
Left out: raters who tire, who learn, or who use only part of the scale.
"""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.extras.listening import BROKEN, REFERENCE, load
from sebridge_lite.extras.rating import answer, order_of

# Spreads in points: who is strict, which text is easy, whose taste differs, slips of the hand.
STRICT, EASY, TASTE, SLIP = 0.4, 0.25, 0.3, 0.6


def simulate(
    folder: Path, quality: Mapping[str, float], raters: int, seed: int, careless: int = 0
) -> dict[str, list[dict]]:
    """Answers of made-up raters by name, the last `careless` of them at random. quality: points, of each system."""
    test, key = load(folder, "test.json"), load(folder, "key.json")
    known = {BROKEN: 1.0, REFERENCE: 5.0, **quality}
    if unknown := set(key["clips"].values()) - set(known):
        raise UserError(f"simulated raters: how good is {min(unknown)}? give it a quality")
    easy = {item: EASY * rng_of(seed, item).normal() for item in key["items"].values()}
    answers = {}
    for number in range(raters):
        name, rng = f"simulated-{number:03d}", rng_of(seed, "rater", number)
        strict, taste = STRICT * rng.normal(), {system: TASTE * rng.normal() for system in sorted(known)}
        answers[name] = []
        for trial in order_of(test, name):
            rng, choices = rng_of(seed, name, trial["id"]), len(test["tasks"][trial["task"]]["scale"])
            felt = {clip: SLIP * rng.normal() for clip in sorted(trial["clips"])}  # whichever is heard first
            for clip in felt:
                system = key["clips"][clip]
                felt[clip] += known[system] + taste[system] * (system in quality)
            score = round(felt[trial["clips"][-1]] + strict + easy[key["items"][trial["id"]]])
            if trial["task"] == "ab":
                score = 1 + trial["clips"].index(max(felt, key=felt.get))
            if number >= raters - careless:
                score = int(rng.integers(choices)) + 1
            answers[name].append(answer(test, name, trial, min(max(score, 1), choices), simulated=True))
    return answers


def write_ratings(path: Path, rows: Mapping[str, list[dict]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in itertools.chain.from_iterable(rows.values())]
    with paths.replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
