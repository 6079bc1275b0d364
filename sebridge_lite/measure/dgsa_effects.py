"""The effects that D1 to D9 are judged by, from the systems of Tables 3 and 7, each at the point that dev chose for it.

Left out: listening scores; the noise of the choice on dev.
"""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.claims import CLAIMS, claims_of
from sebridge_lite.measure.stats import Interval, columns, row_range
from sebridge_lite.measure.systems import UNKNOWN, Systems
from sebridge_lite.measure.verdicts import (
    NOT_TESTED,
    REPRODUCED,
    Condition,
    Effects,
    by_claim,
    combined,
    conditions_of,
    verdict,
)

UNJUDGED = "cannot yet be judged against"
Rungs = Mapping[float, tuple[str, str]]  # alpha: DGSA, and the SFT policy that it starts from


def rungs_of(names: Sequence[str], alpha: float) -> dict[float, tuple[str, str]]:
    """dgsa and sft at `alpha`, dgsa-0.50 and sft-0.50 at 0.50, by rising alpha."""
    found = {float(name[5:]): (name, f"sft-{name[5:]}") for name in names if re.fullmatch(r"dgsa-[01]\.\d\d", name)}
    return dict(sorted((found | {alpha: ("dgsa", "sft")}).items()))


def by_alpha(found: Systems, rungs: Rungs) -> pd.DataFrame:
    """Fig. 5: what DGSA changes at each alpha."""
    rows = []
    for alpha, (one, other) in rungs.items():
        row: dict = {"alpha": alpha}
        for measure in ("hp", "wer_cal", "f0_std"):
            row |= columns(f"delta_{measure}", found.gain(measure, one, other))
        rows.append(row | {"texts": found.at("hp", one).n, "seeds": found.at("hp", one).seeds})
    return pd.DataFrame(rows)


def gains(found: Systems) -> Effects:
    """Effects named `ONE - OTHER`: what a system gains over another."""
    return lambda what, measure: found.gain(measure, *what.split(" - "))


def _growth(found: Systems, rungs: Rungs, star: float) -> dict[str, Interval]:
    """From alpha* on, the gain of Hp at the last alpha minus that at the first, and minus that at the one before it."""
    steps = [pair for alpha, pair in rungs.items() if alpha >= star - 1e-9]
    growth = {}
    for less, more in dict.fromkeys((steps[0], steps[-2])) if len(steps) > 1 else ():
        one, other = steps[-1]
        effect = found.contrast("hp", {one: 1.0, other: -1.0, less: -1.0, more: 1.0})
        growth[f"({one} - {other}) - ({less} - {more})"] = effect
    return growth or {"dgsa at two values of alpha from alpha* on": UNKNOWN}


def alignment_conditions(found: Systems, rungs: Rungs, star: float) -> dict[str, list[Condition]]:
    """The conditions of D1 to D9."""

    def effects(what: str, measure: str):
        return _growth(found, rungs, star) if what.startswith("growth") else gains(found)(what, measure)

    return by_claim(claims_of("D"), effects)


def finding(found: Systems, params: ClaimsParams) -> dict:
    """Whether DGSA beats, ties with or loses to SFT on y_real: a row. To beat is D9, to lose is the reverse."""
    turned = CLAIMS["D9"].conditions.replace("dgsa - sft-real", "sft-real - dgsa")
    there, back = (
        combined([verdict(one, params) for one in conditions_of(text, gains(found))])
        for text in (CLAIMS["D9"].conditions, turned)
    )
    word = "beats" if there == REPRODUCED else "loses to" if back == REPRODUCED else "ties with"
    changes = {measure: found.gain(measure, "dgsa", "sft-real") for measure in ("hp", "f0_std", "wer_cal")}
    row: dict = {"dgsa": UNJUDGED if NOT_TESTED in (there, back) else word}
    for measure, change in changes.items():
        row |= columns(measure, change)
    return row | {"texts": changes["hp"].n, "seeds": changes["hp"].seeds}


def sentence(row: Mapping) -> str:
    """The finding in one line."""
    if not row["seeds"]:
        return "DGSA against SFT on y_real: not both in this profile; `sebridge profile lite` has them"
    hp, f0 = (row_range(row, measure, unit, "+.2f") for measure, unit in (("hp", "bits"), ("f0_std", "semitones")))
    return (
        f"DGSA {row['dgsa']} SFT on y_real: Hp {hp}, F0 std {f0}, calibrated word error "
        f"{row_range(row, 'wer_cal', 'points', '+.2f', 100)} ({row['texts']} texts, {row['seeds']} seed(s))"
    )
