"""Figures of the listening test. Each says in its title when no person has rated."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import OURS, PAPER

WAYS = (("", "crossed", OURS, "over raters and texts"), ("normal_", "normal", PAPER, "the paper's"))


def scores(tables: dict[str, pd.DataFrame], given: dict[str, float]) -> Figure:
    """Each system's mean with the paper's interval and ours, a panel a task; `given`: what simulated raters were told."""
    figure, axes = plt.subplots(1, len(tables), figsize=(4.2 * len(tables), 3), sharey=True, squeeze=False)
    for axis, (task, table) in zip(axes[0], tables.items(), strict=True):
        places = np.arange(len(table))
        for shift, (prefix, _, colour, label) in zip((-0.12, 0.12), WAYS, strict=True):
            spread = [table["mean"] - table[f"{prefix}low"], table[f"{prefix}high"] - table["mean"]]
            axis.errorbar(table["mean"], places + shift, xerr=spread, fmt="o", ms=4, color=colour, label=label)
        axis.plot(table["system"].map(given), places, "|", ms=14, color="black", label="given")
        axis.set_yticks(places, table["system"])
        who = ", simulated raters" if table["simulated"].any() else ""
        axis.set(title=task.upper() + who, xlabel="points", xlim=(1, 5))
    axes[0][0].invert_yaxis()
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def honest(table: pd.DataFrame, raters: int) -> Figure:
    """How often 95 % intervals hold the truth, over the number of texts; needs `texts`, `normal`, `crossed`."""
    figure, axis = plt.subplots(figsize=(5, 2.6))
    for _, column, colour, label in WAYS:
        axis.plot(table["texts"], table[column], "o-", color=colour, label=label)
    axis.axhline(0.95, color="black", lw=0.8, ls="--")
    what = f"texts that each of {raters} raters hears"
    axis.set(xscale="log", ylim=(0, 1.02), xlabel=what, ylabel="intervals that hold the truth")
    axis.set_xticks(table["texts"], table["texts"])
    axis.minorticks_off()
    axis.legend()
    return figure
