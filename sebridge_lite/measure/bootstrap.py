"""The bootstrap over texts and training seeds: the only place that draws them and makes intervals of what they give.

Texts are the units that were sampled: candidates or repeats of one text move together, and so do all texts of one training
seed. A replicate draws the same texts and seeds for every measure, system and ratio, so all differences are paired. Left
out: BCa, mixed models. With S seeds, resampling them understates their share of the variance by (S - 1) / S.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.entropy import Estimator, in_parts, jackknife, prosodic_entropy
from sebridge_lite.measure.stats import UNKNOWN, Interval, by_cluster

LEVELS = (0.025, 0.975)
REPLICATES = 1000
Tables = Sequence[Sequence[pd.DataFrame]]


@lru_cache(maxsize=8)
def draws(seed: int, replicates: int, *sizes: int) -> tuple[np.ndarray, ...]:
    """How often each unit is drawn in each replicate, one kind of units after the other. (replicates, size) each"""
    rng = np.random.default_rng(seed)
    return tuple(rng.multinomial(size, np.full(size, 1 / size), replicates) for size in sizes)


def interval_of(value: float | np.ndarray, spread: np.ndarray, n: int, seeds: int = 1) -> Interval:
    """A value and the 95 % interval of its replicates, which holds the value. spread: (replicates,), NaN where unknown

    One text of one training seed, drawn again and again, never differs: its interval is unknown, and not of no width.
    """
    if n < 2 and seeds < 2:
        return replace(UNKNOWN, mean=float(value), n=n, seeds=seeds)
    low, high = np.nanquantile(spread, LEVELS)
    return Interval(float(value), float(min(low, value)), float(max(high, value)), n, seeds)


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """NaN where there is nothing to divide by."""
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def _replicates(arm: tuple[np.ndarray, np.ndarray], seed: int, replicates: int) -> np.ndarray:
    """The mean over resampled seeds and clusters; equal seeds resample alike. (replicates,)"""
    by_seed, by_text = draws(seed, replicates, *arm[0].shape)
    return ratio(*(np.sum(by_text @ sums.T * by_seed, axis=1) for sums in arm))


def mean_interval(values, clusters=None, weights=None, seed: int = 0, replicates: int = 2000) -> Interval:
    """Mean and bootstrap interval over texts and training seeds.

    values: (N,) or (S, N), a row a training seed, NaN where undefined; clusters: (N,) the text of each column, by default
    each its own; weights: what each value is counted out of (reference words under errors), so that the mean is the pooled
    rate sum(values) / sum(weights).
    """
    return paired_difference(values, np.multiply(values, 0), clusters, weights, None, seed, replicates)


def paired_difference(
    a, b, clusters=None, weights=None, weights_b=None, seed: int = 0, replicates: int = 2000
) -> Interval:
    """Mean of a minus mean of b, both resampled alike; arguments as in `mean_interval`, `weights_b` if b's differ."""
    arms = by_cluster([(a, weights), (b, weights if weights_b is None else weights_b)], clusters)
    first, second = (_replicates(arm, seed, replicates) for arm in arms)
    one, other = (top.sum() / bottom.sum() for top, bottom in arms)
    return interval_of(one - other, first - second, *arms[0][0].shape[::-1])


def entropy_interval(
    counts: np.ndarray,
    estimator: Estimator,
    spread_of: Estimator | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Interval:
    """An estimator on the pooled counts, with a 95 % interval by resampling utterances. counts: (U, V), a row a cluster

    A resample holds fewer different codes than the sample, so it is biased once more: the interval is that of the
    deviations from the resamples' own mean. `spread_of` gives them where `estimator` takes one row and is slow:
    `entropy_interval(counts, lambda c: rarefied(c, size), prosodic_entropy)`.
    """
    value, counts = float(estimator(counts.sum(0))), counts.astype(float)
    (by_text,) = draws(seed, replicates, len(counts))
    spread = in_parts(spread_of or estimator, by_text, lambda part: part @ counts)
    return interval_of(value, value + (spread - spread.mean()), len(counts))


@dataclass(frozen=True, eq=False)
class Curve:
    """A measure at A ratios with R bootstrap replicates, and the same for each of S seeds and of two halves of the texts."""

    alphas: np.ndarray  # (A,)
    values: np.ndarray  # (A,)
    spread: np.ndarray  # (R, A)
    folds: np.ndarray  # (S, 2, A)
    fold_spread: np.ndarray  # (R, S, 2, A)
    seed_draws: np.ndarray  # (R, S) how often each replicate has each seed
    n: int  # texts

    @property
    def seeds(self) -> int:
        return len(self.folds)

    def effect(self, value: float | np.ndarray, spread: np.ndarray) -> Interval:
        """A number of this curve, and the same number of its replicates."""
        return interval_of(value, spread, self.n, self.seeds)

    def interval(self, i: int) -> Interval:
        return self.effect(self.values[i], self.spread[:, i])

    def difference(self, i: int, j: int) -> Interval:
        """Ratio i minus ratio j."""
        return self.effect(self.values[i] - self.values[j], self.spread[:, i] - self.spread[:, j])


def _texts(alphas: Sequence[float], tables: Tables) -> np.ndarray:
    """Which text each row has, as numbers from 0; the same in all tables. (N,)"""
    ids = tables[0][0]["id"].to_numpy()
    for alpha, seeds in zip(alphas, tables, strict=True):
        if any(not np.array_equal(table["id"], ids) for table in seeds):
            raise UserError(f"alpha {alpha:g}: other texts, or another order of texts, than alpha {alphas[0]:g}")
    return np.unique(ids, return_inverse=True)[1]


def _with_data(seed: int, replicates: int, *sizes: int) -> tuple[np.ndarray, ...]:
    """As `draws`, with the data itself as the first row. (R + 1, S), (R + 1, U)"""
    return tuple(np.vstack([np.ones_like(rows[:1]), rows]) for rows in draws(seed, replicates, *sizes))


def _curve(alphas, whole: np.ndarray, folds: np.ndarray, by_seed: np.ndarray, texts: int) -> Curve:
    """whole: (R + 1, A); folds: (2, R + 1, A, S); the data itself comes first."""
    folds = folds.transpose(1, 3, 0, 2)
    return Curve(np.asarray(alphas, float), whole[0], whole[1:], folds[0], folds[1:], by_seed[1:], texts)


def rate_curve(
    alphas, tables: Tables, top: str, bottom: str | None = None, seed: int = 0, replicates: int = REPLICATES
) -> Curve:
    """A column, or one column out of another (`*RATES[name]` of `evaluate`), as `evaluate.rate` pools it."""
    index = _texts(alphas, tables)
    texts, shape = int(index.max()) + 1, (len(tables), len(tables[0]))
    by_seed, by_text = _with_data(seed, replicates, shape[1], texts)
    values = np.array([[table[top] for table in seeds] for seeds in tables], dtype=float)
    weights = np.array(
        [[table[bottom] if bottom else np.ones(len(table)) for table in seeds] for seeds in tables], float
    )
    known = np.isfinite(values)
    sums = [
        np.array([np.bincount(index, row, texts) for row in np.where(known, part, 0).reshape(-1, len(index))])
        for part in (values, weights)
    ]  # 2 x (A S, U)
    halves = [[(by_text[:, h::2] @ part[:, h::2].T).reshape(-1, *shape) for part in sums] for h in (0, 1)]
    folds = np.array([ratio(*half) for half in halves])
    whole = ratio(*[((halves[0][i] + halves[1][i]) * by_seed[:, None]).sum(-1) for i in (0, 1)])
    return _curve(alphas, whole, folds, by_seed, texts)


def entropy_curve(
    alphas,
    tables: Tables,
    counts: Sequence[Sequence[np.ndarray]],
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Curve:
    """Hp (Eq. 3) of each model, averaged over seeds: `counts[a][s]` (N, V) belong to `tables[a][s]`.

    It is corrected by the jackknife over texts, since the plug-in's bias depends on the number of tokens, which differs between
    ratios. Replicates are the plug-in's deviations from their own mean, as in `entropy_interval`.
    """
    index = _texts(alphas, tables)
    texts, order = int(index.max()) + 1, np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(texts))
    by_seed, by_text = _with_data(seed, replicates, len(tables[0]), texts)
    by_text = by_text.astype(np.float32)
    bits = np.empty((3, replicates + 1, len(tables), len(tables[0])))  # two halves and the whole
    for a, s in np.ndindex(bits.shape[2:]):
        rows = np.add.reduceat(np.asarray(counts[a][s])[order], starts)  # exact: the jackknife multiplies its errors
        pools = [by_text[:, h::2] @ rows[h::2].astype(np.float32) for h in (0, 1)]
        for part, (pool, counted) in enumerate(
            [(pools[0], rows[::2]), (pools[1], rows[1::2]), (pools[0] + pools[1], rows)]
        ):
            plain = _entropies(pool)
            value = jackknife(counted).mean
            bits[part, :, a, s] = np.append(value, value + plain[1:] - np.nanmean(plain[1:]))
    whole = (bits[2] * by_seed[:, None]).sum(-1) / by_seed.sum(-1)[:, None]
    return _curve(alphas, whole, bits[:2], by_seed, texts)


def _entropies(pool: np.ndarray) -> np.ndarray:
    """NaN where a replicate drew no tokens."""
    some = np.asarray(pool.any(-1))
    return prosodic_entropy(pool) if some.all() else np.where(some, prosodic_entropy(pool + ~some[:, None]), np.nan)
