"""Many policies on the same test texts, with one bootstrap over texts and training seeds for all of them.

So every difference is paired, and may be one of differences. `curves_over` has a policy at each alpha, `systems` any number
under names, whose places in a Curve mean nothing. Left out: a model of the noise between seeds (see `stats`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.bootstrap import Curve, entropy_curve, rate_curve
from sebridge_lite.measure.evaluate import RATES, Scores
from sebridge_lite.measure.metrics import calibrated
from sebridge_lite.measure.stats import ENDS, UNKNOWN, Interval, columns, columns_of

MEASURES = ("wer", "hp", "h_cond", "rep", "f0_std", "f0_range", "sim")
# of what is said, then of how it sounds
SPOKEN = ("wer", "tone_error", "hp", "h_cond", "rep", "rep_speech")
OVER_ALPHA = (*SPOKEN, "f0_std", "f0_range", "energy_std", "sim", "length_ratio")
GAINS = ("wer_cal", "hp", "h_cond", "f0_std")
AXES = ("wer_cal", "hp", "f0_std")  # of the frontier
REACHED = 0.95  # share of the replicates in which two lines have a word error in common
BASELINES = (("sft", "temperature"), ("sft-real", "temperature"), ("sft-real", "dose"))
Runs = Sequence[Scores]  # of one policy, a Scores a training seed


def has(scores: Scores, measure: str) -> bool:
    """Whether anything was measured."""
    if measure == "hp":
        return bool(scores.counts.any())
    top, bottom = RATES[measure]
    return top in scores.table and bool((scores.table[top].notna() & (scores.table.get(bottom, 1) > 0)).any())


def curve_of(measure: str, places: Sequence[float], rows: Sequence[Runs], seed: int = 0) -> Curve:
    """A measure at each place, an alpha or a system's number."""
    tables = [[one.table for one in seeds] for seeds in rows]
    if measure == "hp":
        return entropy_curve(places, tables, [[one.counts for one in seeds] for seeds in rows], seed=seed)
    return rate_curve(places, tables, *RATES[measure], seed=seed)


def curves_over(found: Mapping[float, Runs], seed: int = 0, measures: Sequence[str] = OVER_ALPHA) -> dict[str, Curve]:
    """Each measure over alpha; none of what an alpha lacks (tones, in a foreign lexicon)."""
    alphas = sorted(found)
    if len(alphas) < 3:
        raise UserError(f"{len(alphas)} ratios: a curve needs three or more")
    rows = [found[alpha] for alpha in alphas]
    known = [name for name in measures if all(any(has(one, name) for one in seeds) for seeds in rows)]
    return {name: curve_of(name, alphas, rows, seed) for name in known}


def alpha_table(curves: Mapping[str, Curve], floor: float) -> pd.DataFrame:
    """A row an alpha: each measure with `_low` and `_high`, and the calibrated word error."""
    wer = curves["wer"]
    table = pd.DataFrame({"alpha": wer.alphas})
    for name, curve in curves.items():
        table = table.join(pd.DataFrame(columns(name, curve.interval(i)) for i in range(len(wer.alphas))))
    for end in ENDS:
        table["wer_cal" + end] = calibrated(table["wer" + end], floor)
    return table.assign(texts=wer.n, seeds=wer.seeds)


def side_by_side(found: Mapping[str, Runs], base: str, floor: float, seed: int = 0) -> pd.DataFrame:
    """A row an arm, whatever its design: as `alpha_table`, and `NAME_gain` with its interval, this arm minus `base`."""
    if base not in found:
        raise UserError(f"arm {base}: not among {', '.join(found)}")
    curves = curves_over(dict(enumerate(found.values())), seed)
    table, start = alpha_table(curves, floor).drop(columns="alpha"), list(found).index(base)
    table.insert(0, "arm", list(found))
    for name, curve in curves.items():
        gains = (columns(f"{name}_gain", curve.difference(i, start)) for i in range(len(found)))
        table = table.join(pd.DataFrame(gains))
    return table


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
        curve, by_place = self.curves[measure], np.zeros(len(self.curves[measure].alphas))
        for name, weight in weights.items():
            by_place[names.index(name)] = weight
        return curve.effect(curve.values @ by_place, curve.spread @ by_place)

    def at(self, measure: str, name: str) -> Interval:
        return self.contrast(measure, {name: 1.0})

    def gain(self, measure: str, one: str, other: str) -> Interval:
        """One system minus another."""
        return self.contrast(measure, {other: -1.0, one: 1.0} if one != other else {one: 0.0})

    def effect(self, what: str, measure: str) -> Interval:
        """The gain that is named `ONE - OTHER`."""
        return self.gain(measure, *what.split(" - "))


def systems(found: Mapping[str, Runs], floor: float, seed: int = 0) -> Systems:
    """From the scores of each system, all on the same texts; `floor` of the judge, for `wer_cal`."""
    names, curves = {}, {}
    for measure in MEASURES:
        have = tuple(name for name, seeds in found.items() if all(has(one, measure) for one in seeds))
        if have:
            rows = [found[name] for name in have]
            names[measure], curves[measure] = have, curve_of(measure, range(len(rows)), rows, seed)
    if "wer" in curves:
        parts = ("values", "spread", "folds", "fold_spread")
        raw = curves["wer"]
        curves["wer_cal"] = replace(raw, **{part: calibrated(getattr(raw, part), floor) for part in parts})
        names["wer_cal"] = names["wer"]
    return Systems(names, curves)


@dataclass(frozen=True, eq=False)
class Lines:
    """Systems over temperatures, on the same texts, to be compared at equal word error."""

    found: Systems
    heats: dict[str, dict[float, str]]  # by system: what it is called in `found` at each temperature

    def gain(self, measure: str, one: str, other: str) -> Interval:
        """One system's line minus the other's, at the word error in the middle of those that both lines reach.

        Unknown where too few replicates have such a word error. Straight between the points of a line; each replicate has
        lines of its own.
        """
        lines = [list(self.heats.get(name, {}).values()) for name in (one, other)]
        if min(map(len, lines)) < 2 or not {*lines[0], *lines[1]} <= set(self.found.names.get(measure, ())):
            return UNKNOWN
        errors, heights = ([self._along(name, line) for line in lines] for name in ("wer", measure))  # twice (R + 1, T)
        lowest = np.max([error.min(1) for error in errors], axis=0)
        highest = np.min([error.max(1) for error in errors], axis=0)
        goals = np.where(lowest <= highest, (lowest + highest) / 2, np.nan)
        rows = (zip(goals, *line, strict=True) for line in zip(errors, heights, strict=True))
        left, right = (np.array([_above(*row) for row in line]) for line in rows)
        gaps = left - right
        if np.isnan(gaps[0]) or np.isfinite(gaps[1:]).mean() < REACHED:
            return UNKNOWN
        return self.found.curves[measure].effect(gaps[0], gaps[1:])

    def _along(self, measure: str, line: Sequence[str]) -> np.ndarray:
        """A measure of a line, the data and then its replicates. (R + 1, T)"""
        curve, places = self.found.curves[measure], self.found.names[measure]
        return np.vstack([curve.values, curve.spread])[:, [places.index(name) for name in line]]


def _above(goal: float, errors: np.ndarray, heights: np.ndarray) -> float:
    """The height of a line at a word error; NaN beyond its ends."""
    order = np.argsort(errors)
    return float(np.interp(goal, errors[order], heights[order], left=np.nan, right=np.nan))


def first(found: Mapping[str, Runs], texts: int) -> dict[str, list[Scores]]:
    """The same on the first so many texts, of which each has one row."""
    return {
        name: [Scores(one.table[:texts], one.counts[:texts], one.codes[:texts], {}) for one in seeds]
        for name, seeds in found.items()
    }


def over_heats(curves: Mapping[str, Sequence[Mapping[float, Scores]]], texts: int, seed: int = 0) -> Lines:
    """From the scores of each system by temperature, a mapping a training seed; on the first so many texts, which all have."""
    heats = {name: {at: f"{name}, T = {at:g}" for at in sorted(seeds[0])} for name, seeds in curves.items()}
    runs = {called: [one[at] for one in curves[name]] for name, names in heats.items() for at, called in names.items()}
    return Lines(systems(first(runs, texts), 0.0, seed), heats)


def as_table(found: Systems, names: Sequence[str], base: str) -> pd.DataFrame:
    """A row a system: each measure, and `NAME_gain` over `base`, with `_low` and `_high`; NaN where unknown."""
    rows = []
    for name in names:
        intervals = {measure: found.at(measure, name) for measure in ("wer_cal", *MEASURES)}
        intervals |= {f"{measure}_gain": found.gain(measure, name, base) for measure in GAINS}
        counted = {"texts": intervals["wer"].n, "seeds": intervals["wer"].seeds}
        rows.append({"variant": name, **columns_of(intervals), **counted})
    return pd.DataFrame(rows)


def lines_of(name: str, curves: Sequence[pd.DataFrame], chosen: Sequence[tuple[int, float]]) -> pd.DataFrame:
    """A system over temperatures at its chosen steps, and over doses (steps) at its chosen temperature; means over seeds.

    curves: a `curve.csv` a training seed; chosen: the steps and the temperature of each.
    """
    rows = []
    for curve, (steps, heat) in zip(curves, chosen, strict=True):
        rows.append(curve[curve["steps"] == steps].assign(line="temperature", at=lambda t: t["temperature"]))
        if curve["steps"].nunique() > 1:
            rows.append(curve[curve["temperature"] == heat].assign(line="dose", at=lambda t: t["steps"]))
    means = pd.concat(rows).groupby(["line", "at"])[[*AXES, "texts"]].mean().reset_index()
    means.insert(0, "variant", name)
    return means


def frontier(
    points: pd.DataFrame,
    curves: Mapping[str, Sequence[pd.DataFrame]],
    chosen: Mapping[str, Sequence[tuple[int, float]]],
    corners: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Lines of every system, the points that dev chose (`points`, with intervals), and what recordings have (`corners`)."""
    lines = [lines_of(name, curves[name], chosen[name]) for name in curves]
    kept = ["variant", *(name + end for name in AXES for end in ("", "_low", "_high")), "texts", "seeds"]
    stood = points[kept].assign(line="chosen")
    ends = pd.DataFrame(
        {"variant": name, "line": "corner", **{axis: row[axis] for axis in AXES}} for name, row in corners.items()
    )
    return pd.concat([stood, *lines, ends], ignore_index=True)


def above(line: pd.DataFrame, wer: float, axis: str) -> float:
    """The height of a line at a word error, straight between its points; NaN beyond its ends."""
    return _above(wer, line["wer_cal"].to_numpy(), line[axis].to_numpy())


def outside(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """How far a system's chosen point lies above each baseline line at its own word error: over 0 is outside."""
    point = table[(table["variant"] == name) & (table["line"] == "chosen")].iloc[0]
    rows = []
    for variant, kind in BASELINES:
        line = table[(table["variant"] == variant) & (table["line"] == kind)]
        if variant != name and len(line) > 1:
            gaps = {axis: float(point[axis]) - above(line, float(point["wer_cal"]), axis) for axis in AXES[1:]}
            rows.append({"line": f"{variant}, by {kind}", **gaps})
    return pd.DataFrame(rows, columns=["line", *AXES[1:]])
