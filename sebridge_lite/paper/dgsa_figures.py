"""Figures and tables of `09_dgsa`: what the pairs are, how dev chose, the frontier, Tables 3 and 7, Fig. 5.

Tables are those of `measure.systems.as_table` and `measure.frontier.frontier`.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE

COLOURS = {
    "sft": "0.35",
    "sft-real": PEOPLE,
    "dpo": ENGINE,
    "dgsa": OURS,
    "rejection": "#CC79A7",
    "style-prefix": "#56B4E9",
}
OTHER = "#E69F00"
LABELS = {"wer_cal": ("calibrated word error, %", 100), "wer": ("word error, %", 100), "hp": ("Hp, bits", 1),
          "h_cond": ("h_cond, bits", 1), "f0_std": ("F0 std, semitones", 1)}  # fmt: skip
TABLE3 = {"sft": "SFT Baseline", "dpo": "Standard DPO", "rejection": "Rejection Sampling", "dgsa": "DGSA"}
TABLE7 = {"dgsa": "Full DGSA", "no-expr": "w/o Expressivity Obj.", "random-speaker": "w/o Identity Pairs",
          "no-stab": "w/o Stability Obj.", "fixed": "w/o Dynamic Scaling"}  # fmt: skip


def beside_paper(
    table: pd.DataFrame, printed: pd.DataFrame, names: Mapping[str, str], columns: Sequence[str]
) -> pd.DataFrame:
    """Ours with its interval beside the paper's number, in its units; blank where it has none. names: ours to the paper's."""
    theirs = printed.set_index(printed.columns[0])
    rows = []
    for row in table.to_dict("records"):
        line, paper = {"variant": row["variant"]}, names.get(row["variant"])
        for column in columns:
            by = 100 if column in ("wer", "rep") else 1
            value, low, high = (by * row[column + end] for end in ("", "_low", "_high"))
            line[f"{column}, ours"] = "-" if np.isnan(value) else f"{value:.3g} [{low:.3g}, {high:.3g}]"
            known = paper in theirs.index and column in theirs
            line[f"{column}, paper"] = f"{theirs.loc[paper, column]:g}" if known else ""
        rows.append(line)
    return pd.DataFrame(rows)


def _whiskers(row: Mapping, name: str, by: float) -> list[list[float]]:
    return [[by * max(0.0, row[name] - row[f"{name}_low"])], [by * max(0.0, row[f"{name}_high"] - row[name])]]


def premise(modes: pd.DataFrame) -> Figure:
    """What the versions of a text are: Hp, F0 std and word error of each `mode`, with intervals."""
    figure, axes = plt.subplots(1, 3, figsize=(8, 2.2), sharey=True)
    colours = {"real": PEOPLE, "expr": OURS, "stab": ENGINE}
    for axis, name in zip(axes, ("hp", "f0_std", "wer"), strict=True):
        label, by = LABELS[name]
        for row in modes.to_dict("records"):
            x, spread = by * row[name], _whiskers(row, name, by)
            axis.errorbar(x, f"y_{row['mode']}", xerr=spread, fmt="o", color=colours[row["mode"]], capsize=3)
        axis.set(xlabel=label)
        axis.margins(y=0.3)
    axes[0].invert_yaxis()
    return figure


def watched(histories: Mapping[str, pd.DataFrame], most_fall: float) -> Figure:
    """Training on pairs: margins of both sets, and how the winners' log-probability changed; a line a system."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.5))
    panels = {"stab_margin": "margin, y_real over y_expr", "expr_margin": "margin, y_real over y_stab",
              "winner_change": "change of the winners, nats a token"}  # fmt: skip
    for axis, (column, title) in zip(axes, panels.items(), strict=True):
        for name, history in histories.items():
            if column in history:
                axis.plot(history["step"], history[column], color=COLOURS.get(name, OTHER), label=name)
        axis.axhline(0, color=PAPER, lw=1)
        axis.set(xlabel="step", title=title)
    axes[2].axhline(-most_fall, color=PAPER, ls="--", lw=1)
    axes[2].legend(fontsize=7)
    return figure


def choice(searches: Mapping[str, pd.DataFrame], chosen: Mapping[str, tuple[int, float]], limit: float) -> Figure:
    """Every point that was tried on dev; a ring where the rule chose; the line is the word error that it may not exceed."""
    figure, axis = plt.subplots(figsize=(5.5, 2.8))
    for name, search in searches.items():
        colour = COLOURS.get(name, OTHER)
        axis.plot(search["hp"], 100 * search["wer"], "o", ms=4, color=colour, label=name)
        steps, heat = chosen[name]
        best = search[(search["steps"] == steps) & (search["temperature"] == heat)]
        axis.plot(best["hp"], 100 * best["wer"], "o", ms=11, mfc="none", mec=colour)
    axis.axhline(100 * limit, color=PAPER, ls="--")
    axis.set(xlabel="Hp on dev, bits", ylabel="word error on dev, %")
    axis.legend(fontsize=7)
    return figure


def frontier(table: pd.DataFrame, shown: Sequence[str]) -> Figure:
    """Calibrated word error against Hp and against F0 std: lines over temperature (solid) and dose (dotted), points that dev
    chose with both intervals, recordings as stars. Better is to the right and down."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for axis, name in zip(axes, ("hp", "f0_std"), strict=True):
        for variant in shown:
            own, colour = table[table["variant"] == variant], COLOURS.get(variant, OTHER)
            for line, style in (("temperature", "-"), ("dose", ":")):
                part = own[own["line"] == line].sort_values("at")
                axis.plot(part[name], 100 * part["wer_cal"], style, color=colour, lw=1, marker=".", ms=4, alpha=0.7)
            for row in own[own["line"] == "chosen"].to_dict("records"):
                spread = {"xerr": _whiskers(row, name, 1), "yerr": _whiskers(row, "wer_cal", 100)}
                axis.errorbar(
                    row[name], 100 * row["wer_cal"], fmt="o", color=colour, capsize=2, label=variant, **spread
                )
        for row in table[table["line"] == "corner"].to_dict("records"):
            colour = PEOPLE if row["variant"].startswith("people") else ENGINE
            fill = "white" if row["variant"].endswith("resynthesised") else colour
            axis.plot(
                row[name], 100 * row["wer_cal"], "*", ms=12, mec=colour, mfc=fill, ls="none", label=row["variant"]
            )
        axis.set(xlabel=LABELS[name][0])
    axes[0].set(ylabel=LABELS["wer_cal"][0])
    axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def gains(table: pd.DataFrame, base: str, smallest: Mapping[str, float]) -> Figure:
    """Each system less `base`: expressivity and words, with intervals; the band is too small to be worth the name."""
    rows = table[table["variant"] != base]
    figure, axes = plt.subplots(1, 3, figsize=(9, 0.9 + 0.28 * len(rows)), sharey=True)
    for axis, name in zip(axes, ("hp", "f0_std", "wer_cal"), strict=True):
        label, by = LABELS[name]
        for row in reversed(rows.to_dict("records")):
            spread = _whiskers(row, f"{name}_gain", by)
            axis.errorbar(by * row[f"{name}_gain"], row["variant"], xerr=spread, fmt="o", capsize=3,
                          color=COLOURS.get(row["variant"], OTHER))  # fmt: skip
        axis.axvspan(-by * smallest[name], by * smallest[name], color=PAPER, alpha=0.2, lw=0)
        axis.axvline(0, color=PAPER, lw=1)
        axis.set(xlabel=f"change of {label}")
        axis.margins(y=0.5 / max(1, len(rows)))
    return figure


def figure5(table: pd.DataFrame, printed: pd.DataFrame) -> Figure:
    """Fig. 5: the weights over alpha, and what DGSA changes in Hp; open and grey is the paper's."""
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.6))
    for name, colour in (("lambda_s", PEOPLE), ("lambda_e", ENGINE)):
        axes[0].plot(table["alpha"], table[name], "o", color=colour, label=name)
        axes[0].plot(printed["alpha"], printed[name], "o-", lw=1, mfc="white", mec=colour, color=PAPER, zorder=0)
    axes[0].set(xlabel="alpha", ylabel="weight", ylim=(-0.05, 1.05))
    axes[0].legend(fontsize=8)
    spread = [(table["delta_hp"] - table["delta_hp_low"]).clip(0), (table["delta_hp_high"] - table["delta_hp"]).clip(0)]
    axes[1].plot(printed["alpha"], printed["delta_hp"], "o--", lw=1, mfc="white", color=PAPER, label="paper")
    axes[1].errorbar(table["alpha"], table["delta_hp"], yerr=spread, fmt="o-", color=OURS, capsize=3, label="ours")
    axes[1].axhline(0, color=PAPER, lw=1)
    axes[1].set(xlabel="alpha", ylabel="DGSA less SFT, Hp in bits", xlim=axes[0].get_xlim())
    axes[1].legend(fontsize=8)
    return figure
