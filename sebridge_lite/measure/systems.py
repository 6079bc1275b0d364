"""Any number of systems on the same test texts, with one bootstrap over texts and training seeds for all of them.

So every difference is paired, and may be one of differences. Left out: a model of the noise between seeds (see `stats`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sebridge_lite.measure.bootstrap import Curve, entropy_curve, rate_curve
from sebridge_lite.measure.evaluate import RATES, Scores
from sebridge_lite.measure.metrics import calibrated
from sebridge_lite.measure.stats import Interval, columns

MEASURES = ("wer", "hp", "h_cond", "rep", "f0_std", "f0_range", "sim")
GAINS = ("wer_cal", "hp", "h_cond", "f0_std")
UNKNOWN = Interval(np.nan, np.nan, np.nan, 0, 0)
LEAST = 3  # places of a Curve; a system stands in for those that are not there


@dataclass(frozen=True, eq=False)
class Systems:
    """`names[measure]`: the systems that have it; `curves[measure]`: them as the places of one Curve."""

    names: dict[str, tuple[str, ...]]
    curves: dict[str, Curve]

    def contrast(self, measure: str, weights: Mapping[str, float]) -> Interval:
        """A weighted sum of systems; unknown where one is not there or has not this measure."""
        names = self.names.get(measure, ())
        if not set(weights) <= set(names):
            return UNKNOWN
        curve = self.curves[measure]
        by_place = np.zeros(len(curve.alphas))
        for name, weight in weights.items():
            by_place[names.index(name)] = weight
        return curve.effect(curve.values @ by_place, curve.spread @ by_place)

    def at(self, measure: str, name: str) -> Interval:
        return self.contrast(measure, {name: 1.0})

    def gain(self, measure: str, one: str, other: str) -> Interval:
        """One system less another."""
        return self.contrast(measure, {other: -1.0, one: 1.0} if one != other else {one: 0.0})


def has(scores: Scores, measure: str) -> bool:
    """Whether anything was measured."""
    if measure == "hp":
        return bool(scores.counts.any())
    top, bottom = RATES[measure]
    return top in scores.table and bool((scores.table[top].notna() & (scores.table.get(bottom, 1) > 0)).any())


def curve_of(measure: str, places: Sequence[float], rows: Sequence[Sequence[Scores]], seed: int = 0) -> Curve:
    """A measure at each place (an alpha, or a system's number), from the scores of each, a Scores a training seed."""
    tables = [[one.table for one in seeds] for seeds in rows]
    if measure == "hp":
        return entropy_curve(places, tables, [[one.counts for one in seeds] for seeds in rows], seed=seed)
    return rate_curve(places, tables, *RATES[measure], seed=seed)


def systems(found: Mapping[str, Sequence[Scores]], floor: float, seed: int = 0) -> Systems:
    """From the scores of each system, a Scores a training seed, all on the same texts; `floor` of the judge, for `wer_cal`."""
    names, curves = {}, {}
    for measure in MEASURES:
        have = tuple(name for name, seeds in found.items() if all(has(one, measure) for one in seeds))
        if have:
            rows = [found[name] for name in (*have, *have[:1] * (LEAST - len(have)))]
            names[measure], curves[measure] = have, curve_of(measure, range(len(rows)), rows, seed)
    if "wer" in curves:
        parts = ("values", "spread", "folds", "fold_spread")
        raw = curves["wer"]
        curves["wer_cal"] = replace(raw, **{part: calibrated(getattr(raw, part), floor) for part in parts})
        names["wer_cal"] = names["wer"]
    return Systems(names, curves)


def first(found: Mapping[str, Sequence[Scores]], texts: int) -> dict[str, list[Scores]]:
    """The same on the first so many texts, of which each has one row."""
    return {
        name: [Scores(one.table[:texts], one.counts[:texts], one.codes[:texts], {}) for one in seeds]
        for name, seeds in found.items()
    }


def as_table(found: Systems, names: Sequence[str], base: str) -> pd.DataFrame:
    """A row a system: each measure, and `NAME_gain` over `base`, with `_low` and `_high`; NaN where unknown."""
    rows = []
    for name in names:
        row: dict = {"variant": name}
        for measure in ("wer_cal", *MEASURES):
            row |= columns(measure, found.at(measure, name))
        for measure in GAINS:
            row |= columns(f"{measure}_gain", found.gain(measure, name, base))
        counted = found.at("wer", name)
        rows.append(row | {"texts": counted.n, "seeds": counted.seeds})
    return pd.DataFrame(rows)
