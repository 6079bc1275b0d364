"""Intervals, and how they and measures are written; intervals by formula; tests of differences. `bootstrap` has all others."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.core.errors import UserError


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; `n` counts the independent texts (clusters)."""

    mean: float
    low: float
    high: float
    n: int
    seeds: int


UNKNOWN = Interval(math.nan, math.nan, math.nan, 0, 0)
ENDS = ("", "_low", "_high")
# measure: [label with its unit, factor from a table's number to what is shown, digits]
MEASURES = json.loads(Path(__file__).with_name("measures.json").read_text(encoding="utf-8"))


def measure(name: str) -> tuple[str, float, int]:
    """Label, factor and digits of a measure; an unknown one is called by its name. `wer_gain` is the change of `wer`."""
    unknown = name if " " in name else name.replace("_", " ")
    label, factor, digits = MEASURES.get(name.removesuffix("_gain"), (unknown, 1, 2))
    return f"change of {label.replace(', %', ', points')}" if name.endswith("_gain") else label, factor, digits


def number_of(count: int, noun: str) -> str:
    """As in `1 seed` and `3 seeds`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def change_of(name: str) -> tuple[str, str, float, int]:
    """What a measure is called, the unit of its change, its factor and digits."""
    label, by, digits = measure(name)
    called, _, unit = label.partition(", ")
    return called, unit.replace("%", "points"), by, digits


def columns(name: str, interval: Interval) -> dict[str, float]:
    """The three columns of a measure in our tables: NAME, NAME_low and NAME_high."""
    return dict(zip((name + end for end in ENDS), (interval.mean, interval.low, interval.high), strict=True))


def columns_of(intervals: Mapping[str, Interval]) -> dict[str, float]:
    """The three columns of each measure."""
    return {column: value for name, found in intervals.items() for column, value in columns(name, found).items()}


def plain(value: float, spec: str) -> str:
    """A number by a format; 0 never has a minus."""
    text = f"{value:{spec}}"
    return f"{0:{spec}}" if float(text) == 0 else text


def value_range(mean, low, high, unit: str = "", spec: str = ".3g", by: float = 1.0) -> str:
    """A value with its interval in words, `10.4 bits (10.2 to 10.6)`; without what is None or NaN.

    spec: of each number, such as `.1f` or `+.2f`; by: what all three are multiplied with (100 for per cent).
    """
    if pd.isna(mean):
        return "-"
    text = plain(by * mean, spec) + (unit and " " + unit)
    return text if pd.isna(low) or pd.isna(high) else f"{text} ({plain(by * low, spec)} to {plain(by * high, spec)})"


def row_range(row: Mapping, name: str, unit: str = "", spec: str = ".3g", by: float = 1.0) -> str:
    """`value_range` of a measure in a row of our tables; `-` where the row lacks it."""
    mean, low, high = (row.get(name + end) for end in ENDS)
    return value_range(mean, low, high, unit, spec, by)


def by_cluster(arms: list[tuple], clusters=None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each arm's (values, weights) as sums by cluster; what is NaN in one arm is left out of all. 2 x (S, C) an arm"""
    arms = [(np.atleast_2d(np.asarray(v, dtype=float)), w) for v, w in arms]
    arms = [(v, np.broadcast_to(np.asarray(1.0 if w is None else w, dtype=float), v.shape)) for v, w in arms]
    known = np.all([np.isfinite(v) for v, _ in arms], axis=0)
    if not known.any():
        raise UserError("no value to average: all are NaN or none was given; score at least one utterance")
    arms = [(np.where(known, v, 0), np.where(known, w, 0)) for v, w in arms]
    if clusters is None:
        return arms
    index = np.unique(np.asarray(clusters), return_inverse=True)[1]

    def summed(sums: np.ndarray) -> np.ndarray:
        return np.array([np.bincount(index, row) for row in sums])

    return [(summed(values), summed(weights)) for values, weights in arms]


def share_interval(count: int, n: int) -> Interval:
    """A share of n independent trials with Wilson's (1927) interval, which stays within 0 and 1 and has a width at both ends."""
    from statsmodels.stats import proportion  # a second, which few who import this module need to wait

    low, high = proportion.proportion_confint(count, n, method="wilson")
    return Interval(count / n, float(low) if count else 0.0, float(high) if count < n else 1.0, n, 1)


def normal_interval(values) -> Interval:
    """The paper's interval of listening scores (Sec. 5): mean +- 1.96 s / sqrt(N), every rating taken as independent."""
    mean, half = float(np.mean(values)), float(1.96 * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half, len(values), 1)


def paired_tests(a, b, clusters=None) -> tuple[float, float]:
    """p of the paired t-test and of Wilcoxon's signed ranks, one difference a cluster. Arguments as in `mean_interval`."""
    (top_a, count), (top_b, _) = by_cluster([(a, None), (b, None)], clusters)
    count = count.sum(0)
    difference = (top_a.sum(0) - top_b.sum(0))[count > 0] / count[count > 0]
    if len(difference) < 2:
        raise UserError("one pair is too few for a test; score two or more texts")
    from scipy import stats  # two thirds of a second, which few who import this module need to wait

    if not difference.any():
        return 1.0, 1.0
    if np.ptp(difference) == 0:
        return 0.0, float(stats.wilcoxon(difference).pvalue)
    return float(stats.ttest_1samp(difference, 0).pvalue), float(stats.wilcoxon(difference).pvalue)


def holm(p_values) -> np.ndarray:
    """Holm's (1979) adjusted p of a family of tests: reject where it is at most 0.05."""
    from statsmodels.stats.multitest import multipletests

    return multipletests(p_values, method="holm")[1] if len(p_values) else np.empty(0)
