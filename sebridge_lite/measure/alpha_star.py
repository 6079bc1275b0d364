"""alpha*, the ratio at which more synthetic speech stops adding variety, estimated instead of assumed (the paper's 0.5).

From the token counts of two corpora, before anything is trained; or from Hp measured over alpha. Left out: rates between
ratios by isotonic regression, whose peak is a measured ratio, which `trends.peak_place` reports.
"""

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.bootstrap import REPLICATES, Curve, draws, interval_of
from sebridge_lite.measure.entropy import entropy, mix
from sebridge_lite.measure.stats import Interval

GRID = np.linspace(0, 1, 101)
GROUPS = 100  # of the jackknife
AT_ONCE = 50  # mixtures: 30 MB at 729 codes


def _mixtures(real: np.ndarray, syn: np.ndarray) -> np.ndarray:
    """Entropy of the mixture (Eq. 4) at each ratio of GRID. Counts (B, V) or (1, V) each -> (B, 101)"""
    size = max(len(real), len(syn))
    real, syn = (np.broadcast_to(c / c.sum(-1, keepdims=True), (size, c.shape[-1]))[:, None] for c in (real, syn))
    parts = np.array_split(np.arange(size), -(-size // AT_ONCE))
    return np.concatenate([entropy(mix(real[part], syn[part], GRID)) for part in parts])


def _without(counts: np.ndarray) -> np.ndarray:
    """The pooled counts without one group of utterances after the other. (U, V) -> (groups, V)"""
    groups = min(GROUPS, len(counts))
    return counts.sum(0) - np.array([counts[group::groups].sum(0) for group in range(groups)])


def mixture_entropies(real: np.ndarray, syn: np.ndarray) -> np.ndarray:
    """Entropy of the two corpora mixed at each ratio of GRID, its bias taken off by the jackknife. (U, V) x 2 -> (101,)

    A sample lacks codes that its source has, and the other sample's then look new: the plug-in overstates KL(p_syn ||
    p_real), and with it alpha*.
    """
    plain = _mixtures(real.sum(0)[None], syn.sum(0)[None])[0]
    fewer = _mixtures(_without(real), syn.sum(0)[None]), _mixtures(real.sum(0)[None], _without(syn))
    return plain - sum((len(rows) - 1) * (rows.mean(0) - plain) for rows in fewer)


def from_corpus(real: np.ndarray, syn: np.ndarray, seed: int = 0, replicates: int = REPLICATES) -> Interval:
    """alpha* (Eq. 5) of the two corpora's token unigrams: where their mixture has most entropy, to 0.01.

    0 or 1 where nothing speaks for a peak inside. real (U, V), syn (U', V): counts an utterance. The interval resamples
    utterances, in the plug-in's deviations from their own mean.
    """
    real, syn = (np.asarray(counts)[np.sum(counts, axis=1) > 0] for counts in (real, syn))
    if min(len(real), len(syn)) < 2 or real.shape[1] != syn.shape[1]:
        raise UserError(
            f"counts of shapes {real.shape} and {syn.shape}: two or more utterances each, over the same codes"
        )
    drawn, curve = draws(seed, replicates, len(real), len(syn)), mixture_entropies(real, syn)
    spread = _mixtures(*(times @ counts.astype(float) for times, counts in zip(drawn, (real, syn), strict=True)))
    places = GRID[(curve + spread - spread.mean(0)).argmax(1)]
    return interval_of(GRID[curve.argmax()], places, len(real))


def from_curve(curve: Curve) -> Interval:
    """The peak of a parabola through measured Hp, each ratio weighing by its certainty; replicates are fitted alike.

    0 or 1, the better of them, if it does not bend down or its top lies outside. A parabola is not a mixture's curve: on
    those it errs by up to 0.03, which the interval does not hold.
    """
    if len(curve.alphas) < 4:
        raise UserError(f"Hp at {len(curve.alphas)} ratios: a parabola needs four or more to be an estimate")
    error = np.nanstd(curve.spread, axis=0)
    weights = 1 / np.maximum(error, max(error.max(), 1e-12) / 10)  # no ratio is taken as certain
    known = curve.spread[np.isfinite(curve.spread).all(1)]
    bend, slope, _ = np.polyfit(curve.alphas, np.vstack([curve.values, known]).T, 2, w=weights)
    top = np.clip(-slope / (2 * np.where(bend < 0, bend, -1)), 0, 1)
    places = np.where(bend < 0, top, np.where(bend + slope > 0, 1.0, 0.0))
    return curve.effect(places[0], places[1:])
