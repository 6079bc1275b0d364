"""Means with 95 % intervals, and tests of differences.

Texts are the units that were sampled: candidates or repeats of one text move together, and so do all texts of one training
seed. Left out: BCa, mixed models. With S seeds, resampling them understates their share of the variance by (S - 1) / S.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from sebridge_lite.core.errors import UserError

LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; `n` counts the independent texts (clusters)."""

    mean: float
    low: float
    high: float
    n: int
    seeds: int


ENDS = ("", "_low", "_high")


def columns(name: str, interval: Interval) -> dict[str, float]:
    """The three columns of a measure in our tables: NAME, NAME_low and NAME_high."""
    return dict(zip((name + end for end in ENDS), (interval.mean, interval.low, interval.high), strict=True))


def value_range(mean, low, high, unit: str = "", spec: str = ".3g", by: float = 1.0) -> str:
    """A value with its interval in words, `10.4 bits (10.2 to 10.6)`; without what is None or NaN.

    spec: of each number, such as `.1f` or `+.2f`; by: what all three are multiplied with (100 for per cent).
    """
    if _missing(mean):
        return "-"
    text = f"{by * mean:{spec}}{unit and ' ' + unit}"
    return text if _missing(low) or _missing(high) else f"{text} ({by * low:{spec}} to {by * high:{spec}})"


def row_range(row: Mapping, name: str, unit: str = "", spec: str = ".3g", by: float = 1.0) -> str:
    """`value_range` of a measure in a row of our tables; `-` where the row lacks it."""
    return value_range(*(row.get(name + end) for end in ENDS), unit, spec, by)


def _missing(value) -> bool:
    return value is None or math.isnan(value)


def _by_cluster(values: np.ndarray, weights: np.ndarray, clusters: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Sums of values and of weights for each seed and cluster. (S, N) -> 2 x (S, C)"""
    if clusters is None:
        return values, weights
    _, index = np.unique(clusters, return_inverse=True)
    values, weights = (np.array([np.bincount(index, row) for row in sums]) for sums in (values, weights))
    return values, weights


def _arms(arms: list[tuple], clusters) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each arm's (values, weights) as sums by cluster; what is NaN in one arm is left out of all."""
    arms = [(np.atleast_2d(np.asarray(v, dtype=float)), w) for v, w in arms]
    arms = [
        (v, np.ones_like(v) if w is None else np.broadcast_to(np.asarray(w, dtype=float), v.shape)) for v, w in arms
    ]
    shapes = {v.shape for v, _ in arms}
    if len(shapes) > 1 or (clusters is not None and len(clusters) != arms[0][0].shape[1]):
        raise UserError(f"values of shapes {sorted(shapes)} do not pair up: give one value a seed and text to each arm")
    known = np.all([np.isfinite(v) for v, _ in arms], axis=0)
    if not known.any():
        raise UserError("no value to average: all are NaN or none was given; score at least one utterance")
    clusters = None if clusters is None else np.asarray(clusters)
    return [_by_cluster(np.where(known, v, 0), np.where(known, w, 0), clusters) for v, w in arms]


@lru_cache(maxsize=4)
def _draws(seed: int, replicates: int, seeds: int, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each seed (replicates, S) and each cluster (replicates, C) is drawn; of a table's measures always alike."""
    rng = np.random.default_rng(seed)
    return tuple(rng.multinomial(count, np.full(count, 1 / count), replicates) for count in (seeds, clusters))


def _replicates(arm: tuple[np.ndarray, np.ndarray], seed: int, replicates: int) -> np.ndarray:
    """The mean over resampled seeds and clusters; equal seeds resample alike. (replicates,)"""
    by_seed, by_cluster = _draws(seed, replicates, *arm[0].shape)
    top, bottom = (np.sum(by_cluster @ sums.T * by_seed, axis=1) for sums in arm)
    return np.divide(top, bottom, out=np.full(replicates, np.nan), where=bottom > 0)


def mean_interval(values, clusters=None, weights=None, seed: int = 0, replicates: int = 2000) -> Interval:
    """Mean and bootstrap interval over texts and training seeds.

    values: (N,) or (S, N), a row a training seed, NaN where undefined; clusters: (N,) the text of each column, by default
    each its own; weights: what each value is counted out of (reference words under errors), so that the mean is the pooled
    rate sum(values) / sum(weights).
    """
    arm = _arms([(values, weights)], clusters)[0]
    spread = _replicates(arm, seed, replicates)
    low, high = np.nanquantile(spread, LEVELS)
    return Interval(float(arm[0].sum() / arm[1].sum()), float(low), float(high), arm[0].shape[1], arm[0].shape[0])


def paired_difference(
    a, b, clusters=None, weights=None, weights_b=None, seed: int = 0, replicates: int = 2000
) -> Interval:
    """Mean of a minus mean of b, both resampled alike; arguments as in `mean_interval`, `weights_b` if b's differ."""
    arms = _arms([(a, weights), (b, weights if weights_b is None else weights_b)], clusters)
    first, second = (_replicates(arm, seed, replicates) for arm in arms)
    low, high = np.nanquantile(first - second, LEVELS)
    mean = arms[0][0].sum() / arms[0][1].sum() - arms[1][0].sum() / arms[1][1].sum()
    return Interval(float(mean), float(low), float(high), arms[0][0].shape[1], arms[0][0].shape[0])


def share_interval(count: int, n: int) -> Interval:
    """A share of n independent trials with Wilson's (1927) interval, which stays within 0 and 1 and has a width at both ends."""
    if not 0 <= count <= n or n < 1:
        raise UserError(f"{count} of {n} is no share: give a count from 0 to n, and one trial at least")
    z = NormalDist().inv_cdf(LEVELS[1])
    middle = (count + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(count * (n - count) / n + z**2 / 4)
    return Interval(count / n, float(middle - half), float(middle + half), n, 1)


def normal_interval(values) -> Interval:
    """The paper's interval of listening scores (Sec. 5): mean +- 1.96 s / sqrt(N), every rating taken as independent."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise UserError(f"values of shape {values.shape}: a normal interval needs a row of two or more")
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(float(values.mean()), float(values.mean() - half), float(values.mean() + half), len(values), 1)


def paired_tests(a, b, clusters=None) -> tuple[float, float]:
    """p of the paired t-test and of Wilcoxon's signed ranks, one difference a cluster. Arguments as in `mean_interval`."""
    (top_a, count), (top_b, _) = _arms([(a, None), (b, None)], clusters)
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
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
