"""The frontier: word error against expressivity, each system a point, and the lines that it has to leave.

Everything on it is of the same texts, the first `curve_texts` of the test set. Left out: intervals of the lines; of each of
their points only the summary is kept.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

AXES = ("wer_cal", "hp", "f0_std")
BASELINES = (("sft", "temperature"), ("sft-real", "temperature"), ("sft-real", "dose"))


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
    line = line.sort_values("wer_cal")
    return float(np.interp(wer, line["wer_cal"], line[axis], left=np.nan, right=np.nan))


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
