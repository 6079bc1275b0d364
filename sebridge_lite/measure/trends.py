"""What can be said of a curve's shape: each an effect with its 95 % interval, for a verdict to be read off.

An interval holds its own estimate. Left out: tests that need no replicates (Page's, Mann-Kendall's): they take the ratios
as independent, which share their texts; a verdict on other worlds, which needs three training seeds or more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.bootstrap import REPLICATES, Curve, draws, interval_of
from sebridge_lite.measure.entropy import entropy, mix
from sebridge_lite.measure.stats import ENDS, Interval, columns_of
from sebridge_lite.measure.systems import Runs, alpha_table, curves_over

GRID = np.linspace(0, 1, 101)
GROUPS = 100  # of the jackknife
AT_ONCE = 50  # mixtures: 30 MB at 729 codes


def correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's along the last axis; 0 where one of the two is constant."""
    x, y = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    size = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return np.divide((x * y).sum(-1), size, out=np.zeros(size.shape), where=~(size < 1e-15))


def rank(curve: Curve) -> Interval:
    """Spearman's correlation with alpha: 1 rises everywhere, -1 falls everywhere."""
    from scipy.stats import rankdata  # half a second, which scoring a policy need not wait

    places = np.arange(len(curve.alphas), dtype=float)
    value, spread = (correlation(rankdata(x, axis=-1), places) for x in (curve.values, curve.spread))
    return curve.effect(value, spread)


def interior_peak(curve: Curve) -> Interval:
    """The best ratio inside minus the better end: above 0 there is an interior peak.

    The highest of several noisy points is high by its noise alone. So both places are chosen on one half of the texts and
    the other seeds, and measured on the other half and the seed left out, every way round. With one seed, its noise is in
    both halves and cannot be told from a peak. The replicates choose anew; noisier than the data, they choose worse, so the
    interval is that of the deviations from their own mean.
    """
    if not np.isfinite(curve.folds).all():
        raise UserError(f"{curve.n} texts: nothing was measured in one half of them; a peak needs more texts")
    value = _crossed(curve.folds).mean()
    spread = (_crossed(curve.fold_spread) * curve.seed_draws).mean(-1)
    return curve.effect(value, value + spread - np.nanmean(spread))


def _crossed(folds: np.ndarray) -> np.ndarray:
    """Inside minus end, chosen and measured on different folds. (..., S, 2, A) -> (..., S)"""
    seeds = folds.shape[-3]
    # The other seeds' sum: where it is highest, so is their mean.
    others = folds.sum(-3, keepdims=True) - folds if seeds > 1 else folds
    chosen = others[..., ::-1, :]  # the other half of the texts
    inside = chosen[..., 1:-1].argmax(-1) + 1
    end = np.where(chosen[..., 0] >= chosen[..., -1], 0, folds.shape[-1] - 1)
    best, rest = (np.take_along_axis(folds, place[..., None], -1)[..., 0] for place in (inside, end))
    return (best - rest).mean(-1)


def peak_place(curve: Curve) -> Interval:
    """The ratio with the highest value, an end if the curve peaks there."""
    place, spread = (curve.alphas[np.where(np.isnan(x), -np.inf, x).argmax(-1)] for x in (curve.values, curve.spread))
    return curve.effect(place, spread)


def tail(curve: Curve, start: float, low: float, high: float) -> Interval:
    """Mean of the ratios from `start` on, minus the mean of those from `low` to below `high`."""
    late, early = curve.alphas >= start, (curve.alphas >= low) & (curve.alphas < high)
    value, spread = (x[..., late].mean(-1) - x[..., early].mean(-1) for x in (curve.values, curve.spread))
    return curve.effect(value, spread)


def stands_out(curve: Curve, i: int, direction: int) -> Interval:
    """How far ratio i lies above (direction 1) or below (-1) all others: its gap to the nearest, over 0 if it does."""
    value, spread = (
        direction * x[..., i] - np.delete(direction * x, i, axis=-1).max(-1) for x in (curve.values, curve.spread)
    )
    return curve.effect(value, spread)


def association(a: Curve, b: Curve, most: float = 1.0) -> Interval:
    """Pearson's correlation over the ratios up to `most` of two curves from the same draws."""
    kept = a.alphas <= most + 1e-9
    pairs = (a.values, b.values), (a.spread, b.spread)
    return a.effect(*(correlation(x[..., kept], y[..., kept]) for x, y in pairs))


def over_alpha(found: Mapping[float, Runs], seed: int) -> tuple[pd.DataFrame, Curve]:
    """A row an alpha, and the curve of Hp. Word error is the selecting judge's, read in tokens, since nothing is decoded:
    good for comparing alphas, not for comparing with the tables of `scaling`."""
    curves = curves_over(found, seed, ("hp", "wer"))
    table = alpha_table(curves, 0.0).drop(columns=["wer_cal" + end for end in ENDS])
    return table.rename(columns={"wer" + end: "wer_tokens" + end for end in ENDS}), curves["hp"]


def peak_row(hp: Curve, predicted: Mapping) -> dict:
    """What the policies' curve shows beside what `worlds.mixture_of` says of their corpora.

    height: of the best alpha inside above the better end, chosen on one half of the texts and measured on the other. peak:
    `inside` or `none` where its interval lies on one side of 0.
    """
    height, place = interior_peak(hp), peak_place(hp)
    row: dict[str, Any] = {"peak": "inside" if height.low > 0 else "none" if height.high < 0 else "undecided"}
    row |= columns_of({"height": height, "observed": place})
    row |= {f"predicted{end}": predicted[of] for end, of in zip(ENDS, ("alpha_star", "low", "high"), strict=True)}
    return row | {f"predicted_{name}": predicted[name] for name in ("peak", "height")} | {"gap": predicted["gap"]}


def agreement(peaks: pd.DataFrame) -> dict:
    """How far the policies follow their corpora: of how many rows the peak lies inside, of how many the two intervals of its
    place meet, and `heights`, their rank correlation with those predicted."""
    meet = (peaks["observed_low"] <= peaks["predicted_high"]) & (peaks["observed_high"] >= peaks["predicted_low"])
    heights = peaks["height"].corr(peaks["predicted_height"], "spearman") if len(peaks) > 2 else float("nan")
    found = {name: int((peaks["peak"] == name).sum()) for name in ("inside", "none", "undecided")}
    return {"rows": len(peaks)} | found | {"places meet": int(meet.sum()), "heights": round(float(heights), 2)}


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
    drawn, curve = draws(seed, replicates, len(real), len(syn)), mixture_entropies(real, syn)
    spread = _mixtures(*(times @ counts.astype(float) for times, counts in zip(drawn, (real, syn), strict=True)))
    places = GRID[(curve + spread - spread.mean(0)).argmax(1)]
    return interval_of(GRID[curve.argmax()], places, len(real))


def from_curve(curve: Curve) -> Interval:
    """The peak of a parabola through measured Hp, each ratio weighing by its certainty; replicates are fitted alike.

    0 or 1, the better of them, if it does not bend down or its top lies outside. A parabola is not a mixture's curve: on
    those it errs by up to 0.03, which the interval does not hold.
    """
    error = np.nanstd(curve.spread, axis=0)
    weights = 1 / np.maximum(error, max(error.max(), 1e-12) / 10)  # no ratio is taken as certain
    known = curve.spread[np.isfinite(curve.spread).all(1)]
    bend, slope, _ = np.polyfit(curve.alphas, np.vstack([curve.values, known]).T, 2, w=weights)
    top = np.clip(-slope / (2 * np.where(bend < 0, bend, -1)), 0, 1)
    places = np.where(bend < 0, top, np.where(bend + slope > 0, 1.0, 0.0))
    return curve.effect(places[0], places[1:])


def further(
    curve: pd.DataFrame, real: float, synthetic: float, minutes: Sequence[float], measures: Sequence[str]
) -> pd.DataFrame:
    """Where on a curve over alpha you stand with so many further minutes of recordings and the same synthetic speech.

    Measures are read off straight lines between the curve's points; beyond its ends they are unknown.
    """
    alphas = np.round([synthetic / (synthetic + real + more) for more in minutes], 9)
    ordered = curve.sort_values("alpha")
    ends = {"left": np.nan, "right": np.nan}
    columns = [name + end for name in measures for end in ENDS if name + end in ordered]
    read = {name: np.interp(alphas, ordered["alpha"], ordered[name], **ends) for name in columns}
    return pd.DataFrame({"minutes": minutes, "alpha": alphas, **read})
