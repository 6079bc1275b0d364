"""Figures and tables of `06_scaling`: Table 1, Fig. 1 and Fig. 4, the paper's numbers beside ours.

Tables are those of `measure.scaling.as_table`: a row an alpha, each measure with `_low` and `_high`. Left out: the paper's
listening scores as a scale of ours; they are drawn as a ghost behind the measure that comes nearest.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE
from sebridge_lite.paper.pictures import pitch_track

# our measure: (label, factor, the paper's column that it stands beside)
PANELS = {
    "wer": ("word error, %", 100, "wer"),
    "hp": ("Hp, bits", 1, "hp"),
    "rep": ("repetition, %", 100, "rep"),
    "f0_std": ("F0 std, semitones", 1, "nmos"),
    "sim": ("SIM", 1, "smos"),
}
NAMES = {"wer": "WER", "hp": "Hp", "rep": "repetition", "nmos": "NMOS", "smos": "SMOS"}
CORNERS = {"people": PEOPLE, "engines": ENGINE}
OTHER = "#CC79A7"  # Okabe-Ito
FPS = 50


def readable(table: pd.DataFrame, columns: Sequence[str], digits: int = 3) -> pd.DataFrame:
    """Those columns as text, `value [low, high]` where the table has an interval."""
    shown = {}
    for name in columns:
        if f"{name}_low" in table:
            ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
            shown[name] = [f"{v:.{digits}g} [{low:.{digits}g}, {high:.{digits}g}]" for v, low, high in ends]
        elif name in table:
            shown[name] = list(table[name])
    return pd.DataFrame(shown)


def beside_paper(table: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Each measure with the paper's column at the same alpha, which it prints in per cent; blank where it has none."""
    theirs = printed.set_index("alpha").reindex((100 * table["alpha"]).round().astype(int))
    rows = {"alpha": table["alpha"].to_list()}
    for name, (_, factor, column) in PANELS.items():
        rows[f"{name}, ours"] = [f"{factor * value:.3g}" for value in table[name]]
        rows[f"{column}, paper"] = ["" if np.isnan(value) else f"{value:g}" for value in theirs[column]]
    return pd.DataFrame(rows)


def _curve(axis, table: pd.DataFrame, name: str, factor: float, colour: str, **style) -> None:
    low, high = factor * table[f"{name}_low"], factor * table[f"{name}_high"]
    axis.fill_between(table["alpha"], low, high, color=colour, alpha=0.2, lw=0)
    axis.plot(table["alpha"], factor * table[name], color=colour, **{"marker": "o", "ms": 4, **style})


def _ghost(axis, printed: pd.DataFrame, column: str) -> None:
    """The paper's curve on an axis of its own: only its shape can be compared."""
    other = axis.twinx()
    other.plot(printed["alpha"] / 100, printed[column], color=PAPER, ls="--", marker=".", lw=1)
    other.tick_params(labelsize=7, colors=PAPER)
    other.set_title(f"grey: the paper's {NAMES[column]}", fontsize=7, loc="right", color=PAPER)
    other.grid(False)


def figure1(table: pd.DataFrame, printed: pd.DataFrame, corners: Mapping[str, Mapping[str, float]]) -> Figure:
    """Fig. 1: five measures over alpha; `corners[kind][measure]` of recordings of people and engines are level lines."""
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 5), sharex=True)
    for axis, (name, (label, factor, column)) in zip(axes.flat, PANELS.items(), strict=False):
        _curve(axis, table, name, factor, OURS)
        if name == "wer" and "tone_error" in table:
            _curve(axis, table, "tone_error", factor, OTHER, ls=":", marker="s")
        for kind, values in corners.items():
            axis.axhline(factor * values[name], color=CORNERS[kind], lw=1)
        axis.set(ylabel=label)
        axis.xaxis.set_tick_params(labelbottom=True)
        _ghost(axis, printed, column)
    keys = {"ours, 95 % interval": (OURS, "-"), "tone error, %": (OTHER, ":"), "recordings of people": (PEOPLE, "-"),
            "recordings of engines": (ENGINE, "-"), "the paper, own axis": (PAPER, "--")}  # fmt: skip
    for key, (colour, line) in keys.items():
        axes[1, 2].plot([], [], color=colour, ls=line, label=key)
    axes[1, 2].legend(loc="center", fontsize=8)
    axes[1, 2].axis("off")
    for axis in axes[1, :2]:
        axis.set_xlabel("alpha")
    return figure


def figure4(table: pd.DataFrame, printed: pd.DataFrame, peak: float, surge: float) -> Figure:
    """Fig. 4: the paper's regions, up to its alpha*, beyond it, and where repetition surges; the paper above, ours below."""
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 4.4), sharex=True)
    theirs = printed.assign(alpha=printed["alpha"] / 100)
    for column, name in zip(axes.T, ("wer", "hp", "rep"), strict=True):
        label, factor, paper = PANELS[name]
        column[0].plot(theirs["alpha"], theirs[paper], color=PAPER, marker=".", ls="--")
        _curve(column[1], table, name, factor, OURS)
        for axis, who in zip(column, ("paper", "ours"), strict=True):
            for start, end, colour in ((0, peak, PEOPLE), (peak, surge, "0.8"), (surge, 1, ENGINE)):
                axis.axvspan(start, end, color=colour, alpha=0.12, lw=0)
            axis.set(ylabel=f"{label} ({who})", xlim=(0, 1))
        column[1].set_xlabel("alpha")
    return figure


def confound(table: pd.DataFrame) -> Figure:
    """What changes with alpha beside alpha; needs `alpha`, `minutes`, `epochs`."""
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.4))
    for axis, column, label in zip(axes, ("minutes", "epochs"), ("minutes of speech", "epochs"), strict=True):
        axis.plot(table["alpha"], table[column], "o-", color=OURS)
        axis.set(xlabel="alpha", ylabel=label, ylim=(0, None))
    return figure


def contours(reading: np.ndarray, takes: Mapping[str, np.ndarray]) -> Figure:
    """F0 tracks of one text, each over that of its recording."""
    figure, axes = plt.subplots(len(takes), figsize=(6, 1.7 * len(takes)), sharex=True, sharey=True, squeeze=False)
    for axis, (title, f0) in zip(axes[:, 0], takes.items(), strict=True):
        pitch_track(axis, reading, PAPER, len(reading) / FPS)
        pitch_track(axis, f0, OURS, len(f0) / FPS)
        axis.set_title(title, loc="left", fontsize=8)
        axis.label_outer()
    return figure


def designs(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """One curve a design, so that what follows from alpha alone can be told from what follows from the amount of speech."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 2.6))
    for axis, name in zip(axes, ("wer", "hp", "f0_std"), strict=True):
        label, factor, _ = PANELS[name]
        for (design, table), colour in zip(tables.items(), (OURS, OTHER), strict=True):
            _curve(axis, table, name, factor, colour, label=design)
        axis.set(xlabel="alpha", ylabel=label)
    axes[0].legend(fontsize=7)
    return figure


def temperatures(table: pd.DataFrame) -> Figure:
    """Word error against F0 std, a point a temperature; needs `temperature`, `wer`, `f0_std` and their intervals."""
    figure, axis = plt.subplots(figsize=(5, 2.8))
    wer, f0 = 100 * table["wer"], table["f0_std"]
    spread = [np.abs(100 * table[["wer_low", "wer_high"]].to_numpy().T - wer.to_numpy()),
              np.abs(table[["f0_std_low", "f0_std_high"]].to_numpy().T - f0.to_numpy())]  # fmt: skip
    axis.errorbar(f0, wer, yerr=spread[0], xerr=spread[1], color=OURS, marker="o", capsize=2, lw=1)
    for row in table.itertuples():
        axis.annotate(
            f"T = {row.temperature:g}", (row.f0_std, 100 * row.wer), (5, 5), textcoords="offset points", fontsize=8
        )
    axis.set(xlabel="F0 std, semitones", ylabel="word error, %")
    return figure
