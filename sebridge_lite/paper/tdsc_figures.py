"""Figures and tables of `10_tdsc`: candidates of a text, what temperatures give, the loop (Fig. 6), the frontier.

Tables 4 and 8 are set beside the paper's by `dgsa_figures.beside_paper`. Left out: a picture of each reason to reject.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.paper.dgsa_figures import LABELS
from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE

TABLE4 = {"sft": "SFT Baseline", "self-training": "Self-Training", "rejection": "Rejection Sampling", "tdsc": "TDSC"}
TABLE8 = {"tdsc": "Full TDSC", "no-dpo": "w/o DPO Loss", "t1-only": "w/o Multi-Temperature", "no-length": "w/o Length Filter",
          "fixed-tmax": "w/o Temp. Curriculum", "no-repetition": "w/o Repetition Filter"}  # fmt: skip
COLOURS = {"sft": "0.35", "tdsc": OURS, "self-training": "#CC79A7", "rejection": ENGINE, "no-dpo": "#56B4E9",
           "best-of-12": PEOPLE, "literal": "black", "grpo-wer": "#F0E442"}  # fmt: skip
OTHER = "#E69F00"
OUTCOMES = {"winner": PEOPLE, "learnt": OURS, "accepted": "#56B4E9", "rejected": "0.7", "loser": ENGINE}
SHARES = {"pass_rate": ("pass rate, %", 100), "contribution": ("share of G, %", 100)}


def outcome(row: Mapping) -> str:
    """The most that became of a candidate."""
    used = [name for name in ("winner", "loser", "learnt") if row[name]]
    return used[0] if used else "rejected" if row["rejected_for"] else "accepted"


def candidates(rows: pd.DataFrame, max_wer: float) -> Figure:
    """One text's, from cold to hot: the judge's word error, and how many tokens; grey fails in words, letters in other ways."""
    figure, axis = plt.subplots(figsize=(7.5, 2.8))
    order = rows.sort_values(["temperature", "slot"]).reset_index(drop=True)
    for place, row in order.iterrows():
        axis.plot(place, 100 * row["wer"], "o", color=OUTCOMES[outcome(row)], ms=9)
        others = [reason for reason in row["rejected_for"] if reason != "wer"]
        note = "\n".join([str(row["tokens"]), *others])
        axis.annotate(note, (place, 100 * row["wer"]), (0, 7), textcoords="offset points", fontsize=7, ha="center")
    top = 100 * max(max_wer, order["wer"].max()) + 25
    axis.axhspan(100 * max_wer, top, color=PAPER, alpha=0.2, lw=0)
    for name, colour in OUTCOMES.items():
        axis.plot([], [], "o", color=colour, label=name)
    axis.set(ylim=(-10, top), ylabel="word error, the judge's, %", xlabel="takes; tokens above each")
    axis.set_xticks(range(len(order)), [f"T = {heat:g}" for heat in order["temperature"]], fontsize=7)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def heats(table: pd.DataFrame, printed: pd.DataFrame) -> Figure:
    """Table 9: what each temperature gives, a line an iteration (the later, the darker); dashed is the paper's k = 5."""
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.6))
    last = table["k"].max()
    panels = {name: (LABELS | SHARES)[name] for name in ("wer", "hp", "pass_rate", "contribution")}
    for axis, (name, (label, by)) in zip(axes, panels.items(), strict=True):
        for k, own in table.groupby("k"):
            axis.plot(
                own["temperature"], by * own[name], "o-", color=OURS, alpha=0.3 + 0.7 * k / last, label=f"k = {k}"
            )
        axis.set(xlabel="temperature", ylabel=label)
        ghost(axis, printed["temperature"], printed["pass" if name == "pass_rate" else name])
    axes[0].legend(fontsize=7)
    return figure


def ghost(axis, x: pd.Series, y: pd.Series) -> None:
    """The paper's numbers on an axis of their own: only their shape can be compared."""
    other = axis.twinx()
    other.plot(x, y, color=PAPER, ls="--", marker=".", lw=1)
    other.tick_params(labelsize=7, colors=PAPER)
    other.grid(False)


def figure6(table: pd.DataFrame, printed: pd.DataFrame) -> Figure:
    """Fig. 6: unfiltered test samples after each iteration, a line a system, with intervals; dashed is the paper's TDSC."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 2.8))
    panels = {"wer": LABELS["wer"], "hp": LABELS["hp"], "f0_std": LABELS["f0_std"],
              "test_pass_rate": ("pass rate at one T, %", 100)}  # fmt: skip
    for axis, (name, (label, by)) in zip(axes, panels.items(), strict=True):
        for variant, own in table.groupby("variant", sort=False):
            colour = COLOURS.get(variant, OTHER)
            axis.plot(own["k"], by * own[name], "o-", color=colour, ms=4, label=variant)
            if f"{name}_low" in own:
                axis.fill_between(
                    own["k"], by * own[f"{name}_low"], by * own[f"{name}_high"], color=colour, alpha=0.15, lw=0
                )
        theirs = name.removeprefix("test_")
        if theirs in printed:
            ghost(axis, printed["k"], printed[theirs])
        axis.set(xlabel="iteration", ylabel=label)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[2].plot([], [], color=PAPER, ls="--", label="paper, own axis")
    axes[2].legend(fontsize=7)
    return figure


def spread(table: pd.DataFrame, name: str, by: float) -> list[pd.Series]:
    return [(by * (table[name] - table[f"{name}_low"])).clip(0), (by * (table[f"{name}_high"] - table[name])).clip(0)]


def frontier(table: pd.DataFrame, shown: Sequence[str]) -> Figure:
    """Word error against Hp and F0 std: lines over temperature, points at the study's own with both intervals, recordings as
    stars. Better is to the right and down."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for axis, name in zip(axes, ("hp", "f0_std"), strict=True):
        for variant in shown:
            own, colour = table[table["variant"] == variant], COLOURS.get(variant, OTHER)
            line, point = (own[own["line"] == kind] for kind in ("temperature", "point"))
            axis.plot(line[name], 100 * line["wer_cal"], ".-", color=colour, lw=1)
            for row in line.to_dict("records"):
                axis.annotate(f"{row['at']:g}", (row[name], 100 * row["wer_cal"]), fontsize=6, color=colour)
            axis.errorbar(point[name], 100 * point["wer_cal"], spread(point, "wer_cal", 100), spread(point, name, 1),
                          fmt="o", color=colour, capsize=2, label=variant)  # fmt: skip
        for row in table[table["line"] == "corner"].to_dict("records"):
            colour = PEOPLE if row["variant"].startswith("people") else ENGINE
            axis.plot(row[name], 100 * row["wer_cal"], "*", ms=12, color=colour, ls="none", label=row["variant"])
        axis.set(xlabel=LABELS[name][0])
    axes[0].set(ylabel=LABELS["wer_cal"][0])
    axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
