"""Prosodic entropy and what becomes of it in a mixture of two sources. All entropies in bits.

Counts come as (..., V): the last axis holds the codes. Tokens of one utterance depend on each other, which formulas that
count single tokens cannot see (notebook 05 has two): `jackknife` can, and is the one to report. Left out: entropy rates.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import gammaln, xlogy

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.metrics import edit_distance
from sebridge_lite.measure.stats import Interval

LN2 = np.log(2)
Estimator = Callable[[np.ndarray], np.ndarray]  # counts (..., V) to bits (...)


def token_counts(utterances: Sequence, codes: int) -> np.ndarray:
    """How often each utterance uses each code. (U, V); its sum over U is the pooled count."""
    rows = [np.bincount(np.asarray(tokens, dtype=np.int64), minlength=codes) for tokens in utterances]
    return np.array(rows).reshape(len(rows), codes)


def entropy(p: np.ndarray) -> np.ndarray:
    """Of distributions on the last axis."""
    return -xlogy(p, p).sum(-1) / LN2


def prosodic_entropy(counts: np.ndarray) -> np.ndarray:
    """Eq. 3 (Sec. 2): Hp = - sum_v p(v) log2 p(v), p(v) the share of code v in all tokens pooled. (..., V) -> (...)

    The paper's estimate, low by about (codes in use) / (1.39 tokens) bits: compare at equal counts or corrected.
    """
    total = counts.sum(-1)
    if np.any(total == 0):
        raise UserError("no tokens to take the entropy of; generate at least one utterance")
    return entropy(counts / total[..., None])


def rarefied(counts: np.ndarray, size: int) -> float:
    """The expected prosodic entropy of `size` of the tokens, drawn without replacement (exact). counts: (V,)"""
    total = int(counts.sum())
    n, codes = np.unique(counts[counts > 0].astype(int), return_counts=True)
    k = np.arange(1, min(n.max(), size) + 1)

    def log_choose(a, b):
        return gammaln(a + 1) - gammaln(b + 1) - gammaln(a - b + 1)

    n = n[:, None]
    possible = (k <= n) & (size - k <= total - n)
    drawn = np.where(possible, k, np.minimum(n, size))  # another possible number: keeps gammaln finite
    chance = np.exp(log_choose(n, drawn) + log_choose(total - n, size - drawn) - log_choose(total, size))
    share = k / size
    return float(-(codes @ (np.where(possible, chance, 0) @ xlogy(share, share))) / LN2)


def in_parts(estimator: Estimator, rows: np.ndarray, make: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The estimator on made counts, 100 rows at a time: 1,000 x 6,561 at once would take half a gigabyte."""
    return np.concatenate([estimator(make(part)) for part in np.array_split(rows, -(-len(rows) // 100))])


def jackknife(counts: np.ndarray, estimator: Estimator = prosodic_entropy) -> Interval:
    """Prosodic entropy with its bias and its interval from leaving out one utterance at a time. counts: (U, V)

    As good as Chao-Wang-Jost on independent tokens. Where 40 tokens of an utterance were drawn from 15 (300 utterances,
    729 codes) the bias was -0.15 bit plain, -0.12 with either formula and -0.01 so. Too few below about 100 utterances.
    """
    size, pool = len(counts), counts.sum(0)
    without = in_parts(estimator, counts, lambda part: pool - part)
    value = float(size * estimator(pool) - (size - 1) * without.mean())
    half = 1.96 * float(np.sqrt((size - 1) * without.var()))
    return Interval(value, value - half, value + half, size, 1)


def mix(p_real: np.ndarray, p_syn: np.ndarray, alpha) -> np.ndarray:
    """Eq. 4 (Sec. 2): p_alpha = (1 - alpha) p_real + alpha p_syn. (V,), (V,), (...) -> (..., V)"""
    alpha = np.asarray(alpha, dtype=float)[..., None]
    return (1 - alpha) * p_real + alpha * p_syn


def mixture_slope(p_real: np.ndarray, p_syn: np.ndarray, alpha) -> np.ndarray:
    """Eq. 22 (Sec. 2): dH(p_alpha) / dalpha = sum_v (p_real(v) - p_syn(v)) log2 p_alpha(v). (V,), (V,), (...) -> (...)

    Departure from the paper: it prints log 1 / p_alpha(v), which turns the sign round. Infinite at an end where one
    source has codes that the other has not.
    """
    p_alpha = mix(p_real, p_syn, alpha)
    gap = np.broadcast_to(np.asarray(p_real) - p_syn, p_alpha.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap == 0, 0, gap * np.log2(p_alpha)).sum(-1)


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q); infinite when p has codes that q has not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(np.asarray(p) > 0, p * (np.log2(p) - np.log2(q)), 0).sum())


def has_interior_peak(p_real: np.ndarray, p_syn: np.ndarray) -> bool:
    """Whether the entropy of the mixture peaks strictly inside (0, 1): rising at alpha = 0 and falling at alpha = 1.

    The slope at 0 is KL(p_syn || p_real) - (H(p_real) - H(p_syn)), the slope at 1 is H(p_syn) - H(p_real) -
    KL(p_real || p_syn). With H(p_syn) < H(p_real) the second is negative by itself, so a peak exists exactly when
    KL(p_syn || p_real) > H(p_real) - H(p_syn): concavity alone, as the paper's App. B.4 argues, does not give one.
    """
    return bool(mixture_slope(p_real, p_syn, 0.0) > 0 > mixture_slope(p_real, p_syn, 1.0))


def alpha_star(p_real: np.ndarray, p_syn: np.ndarray) -> float:
    """Eq. 5 (Sec. 2): where the entropy of the mixture stops rising. 0 or 1 when it has no peak inside.

    The slope falls strictly in alpha (unless the sources are equal: 0), so bisection finds its only zero.
    """
    from scipy.optimize import bisect

    if not has_interior_peak(p_real, p_syn):
        return float(mixture_slope(p_real, p_syn, 0.0) > 0)
    return bisect(lambda alpha: mixture_slope(p_real, p_syn, alpha), 0, 1)


def diversity(candidates: Sequence[Sequence]) -> np.ndarray:
    """How far the candidates of each text lie apart: mean edit distance over the longer length, of all pairs. (texts,)

    0 when all are equal, 1 when no token agrees; NaN for a text with fewer than two candidates.
    """
    pairs = [(text, a, b) for text, group in enumerate(candidates) for i, a in enumerate(group) for b in group[:i]]
    text, first, second = zip(*pairs, strict=True) if pairs else ((), (), ())
    longer = np.array([max(len(a), len(b), 1) for a, b in zip(first, second, strict=True)])
    total = np.bincount(np.array(text, dtype=int), edit_distance(first, second) / longer, len(candidates))
    count = np.bincount(np.array(text, dtype=int), minlength=len(candidates))
    return np.divide(total, count, out=np.full(len(candidates), np.nan), where=count > 0)
