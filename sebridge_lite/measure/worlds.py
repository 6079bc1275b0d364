"""Policies of one world over alpha: the curve of Hp, whether it peaks inside, and where its two corpora would have it.

Word error is the selecting judge's, read in tokens, since nothing is decoded: good for comparing alphas, not for comparing
with the tables of `scaling`. Left out: a verdict, which the rule of `verdicts` leaves to three training seeds or more.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from sebridge_lite.measure.bootstrap import Curve
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.stats import columns
from sebridge_lite.measure.systems import curve_of
from sebridge_lite.measure.trends import interior_peak, peak_place


def over_alpha(found: Mapping[float, Sequence[Scores]], seed: int) -> tuple[pd.DataFrame, Curve]:
    """A row an alpha, and the curve of Hp, from the scores of each alpha, a Scores a training seed."""
    alphas = sorted(found)
    hp, wer = (curve_of(name, alphas, [found[alpha] for alpha in alphas], seed) for name in ("hp", "wer"))
    rows = [
        {"alpha": alpha} | columns("hp", hp.interval(i)) | columns("wer_tokens", wer.interval(i))
        for i, alpha in enumerate(alphas)
    ]
    return pd.DataFrame(rows).assign(texts=hp.n, seeds=hp.seeds), hp


def peak_row(hp: Curve, predicted: Mapping) -> dict:
    """What the policies' curve shows beside what `phase.mixture_of` says of their corpora.

    height: of the best alpha inside above the better end, chosen on one half of the texts and measured on the other. peak:
    `inside` or `none` where its interval lies on one side of 0.
    """
    height, place = interior_peak(hp), peak_place(hp)
    row = {"peak": "inside" if height.low > 0 else "none" if height.high < 0 else "undecided"}
    row |= columns("height", height) | columns("observed", place)
    for name, of in (("predicted", "alpha_star"), ("predicted_low", "low"), ("predicted_high", "high")):
        row[name] = predicted[of]
    return row | {f"predicted_{name}": predicted[name] for name in ("peak", "height")} | {"gap": predicted["gap"]}


def agreement(peaks: pd.DataFrame) -> dict:
    """How far the policies follow their corpora: of how many rows the peak lies inside, of how many the two intervals of its
    place meet, and `heights`, their rank correlation with those predicted."""
    meet = (peaks["observed_low"] <= peaks["predicted_high"]) & (peaks["observed_high"] >= peaks["predicted_low"])
    heights = peaks["height"].corr(peaks["predicted_height"], "spearman") if len(peaks) > 2 else float("nan")
    found = {name: int((peaks["peak"] == name).sum()) for name in ("inside", "none", "undecided")}
    return {"rows": len(peaks)} | found | {"places meet": int(meet.sum()), "heights": round(float(heights), 2)}
