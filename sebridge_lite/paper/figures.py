"""Figures of tables (curves, effects with intervals, trade-offs), the look of all figures, and how measures are called.

A table has a row for each point and the columns NAME, NAME_low and NAME_high of a measure; a point without an interval
has no bar. Sounds and maps are in `pictures`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib.font_manager
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sebridge_lite.measure.stats import measure
from sebridge_lite.paper.published import NAMES, published

# of Okabe and Ito, which colour-blind readers can tell apart
PEOPLE, ENGINE, OURS, PAPER = "#0072B2", "#D55E00", "#009E73", "0.45"
FIXED = {"sft": "0.3", "dgsa": OURS, "tdsc": OURS, "ours": OURS, "paper": PAPER, "people": PEOPLE, "engine": ENGINE}
OTHERS = (PEOPLE, ENGINE, "#CC79A7", "#56B4E9", "#E69F00", "black", "#8C6D31", "#7F3C8D")
FONTS = ("NotoSansThai-Regular.ttf", "NotoSansLao-Regular.ttf")
FONT_FOLDER = Path(__file__).with_name("fonts")

MOST = 7  # names of points; more cannot be told apart
MARKERS = "osXD^vP*"


def colours(names: Iterable[str], other: str | None = None) -> dict[str, str]:
    """A colour for each name: the start, ours, the paper, people and engines have always the same; `other` is for the rest."""
    names = list(dict.fromkeys(names))
    found = {name: colour for name in names for start, colour in FIXED.items() if re.match(f"{start}([s,]|$)", name)}
    free = cycle([colour for colour in OTHERS if colour not in found.values()])
    return {name: found[name] if name in found else other or next(free) for name in names}


def use_style() -> None:
    """Sets the look of all figures; call it once a notebook."""
    for name in FONTS:
        matplotlib.font_manager.fontManager.addfont(FONT_FOLDER / name)
    sns.set_theme(style="whitegrid", palette="colorblind")
    plt.style.use(Path(__file__).with_name("figures.mplstyle"))


def _reach(rows: pd.DataFrame, name: str, factor: float) -> np.ndarray | None:
    """How far the interval of a measure reaches below and above it; None where it has none. (2, N)"""
    if f"{name}_low" not in rows:
        return None
    ends = [rows[name] - rows[f"{name}_low"], rows[f"{name}_high"] - rows[name]]
    return factor * np.clip(np.array(ends, dtype=float), 0, None)


def _line(axis, rows: pd.DataFrame, x: str, name: str, factor: float, colour: str, **style) -> None:
    """One line with its band; a single point has a bar instead. A line of many points has no markers."""
    rows = rows[rows[name].notna()]
    values, reach = factor * rows[name], _reach(rows, name, factor)
    if reach is not None and len(rows) > 1:
        axis.fill_between(rows[x], values - reach[0], values + reach[1], color=colour, alpha=0.15, lw=0)
    elif reach is not None:
        axis.errorbar(rows[x], values, reach, color=colour, capsize=3)
    marker = "o" if len(rows) <= 20 else ""
    axis.plot(rows[x], values, **{"color": colour, "marker": marker, "ms": 4, "lw": 1.5, **style})


def _equal_spans(axes: Sequence, from_zero: bool) -> None:
    """Gives all axes the span of the widest, so that a step of one size looks alike in each."""
    limits = [axis.get_ylim() for axis in axes]
    span = max(high - low for low, high in limits)
    for axis, (low, high) in zip(axes, limits, strict=True):
        start = (low + high - span) / 2
        start = max(start, -0.05 * span) if from_zero else start
        axis.set_ylim(start, start + span)


def curves(
    table: pd.DataFrame,
    x: str,
    measures: Sequence[str | tuple[str, str]],
    by: str | None = None,
    panel: str | None = None,
    printed: pd.DataFrame | None = None,
    levels: Mapping[str, Mapping[str, float]] | None = None,
    spans: Sequence[tuple[float, float, str]] | Mapping[str, Sequence[tuple[float, float, str]]] = (),
    dots: Sequence[str] = (),
    size: tuple[float, float] = (2.6, 2.5),
    **settings,
) -> Figure:
    """Measures over `x`, a panel each, with their intervals: a line for each value of `by`; `dots` names those without a line.

    `panel`: a column with a panel for each of its values, of one measure. `printed`: the paper's table in its own units; it
    has a row of panels above ours, with y axes of the same span where the measure is the same, else (ours, the paper's).
    `levels[label][measure]`: horizontal lines. `spans`: shaded stretches of x with a label, or such a list for each panel.
    `settings` go to every axis.
    """
    pairs = [(name, name) if isinstance(name, str) else name for name in measures]
    pairs = [pair for pair in pairs if pair[0] in table]  # nobody knows tones of most languages
    parts = [(str(value), rows) for value, rows in table.groupby(panel, sort=False)] if panel else [("", table)]
    shown = [(title, rows, *pair) for title, rows in parts for pair in pairs]
    high = 1 if printed is None else 2
    size = size[0] * len(shown) + 0.6, size[1] * high
    figure, axes = plt.subplots(high, len(shown), figsize=size, squeeze=False, sharex=True, sharey=panel is not None)
    lines = list(dict.fromkeys(table[by])) if by else [""]
    colour_of = colours([str(value) for value in [*lines, *(levels or {})]]) | {"": OURS}
    spans = spans if isinstance(spans, Mapping) else {title: spans for title, _ in parts}
    span_colour = colours(what for own in spans.values() for _, _, what in own)
    for column, (title, rows, name, theirs) in zip(axes.T, shown, strict=True):
        label, factor, _ = measure(name)
        for axis in column:
            for start, end, what in spans.get(title, ()):
                axis.axvspan(start, end, color=span_colour[what], alpha=0.15, lw=0, label=what)
        for value in lines:
            own, key = (rows[rows[by] == value] if by else rows), str(value)
            style = {"ls": "none"} if value in dots else {"ls": "--", "mfc": "white"} if key == "paper" else {}
            if len(own):
                _line(column[-1], own, x, name, factor, colour_of[key], label=key or None, **style)
        for what, values in (levels or {}).items():
            if name in values:
                column[-1].axhline(factor * values[name], color=colour_of[what], ls=":", label=what)
        column[-1].set(**{"ylabel": fill(label, 28), "title": title, "xlabel": measure(x)[0], **settings})
        if printed is not None:
            column[0].set_visible(theirs in printed)
            if theirs in printed:
                column[0].plot(printed[x], printed[theirs], "o--", color=PAPER, ms=4)
                column[0].set(ylabel=measure(theirs)[0])
            column[0].set_title("the paper", loc="left")
            column[1].set_title("ours", loc="left")
            if name == theirs and theirs in printed:
                _equal_spans(column, min(printed[theirs].min(), rows[name].min()) >= 0)
        if settings.get("xscale") == "log" and table[x].nunique() <= 8:
            column[-1].set_xticks(ticks := sorted(table[x].unique()), [f"{tick:g}" for tick in ticks])
            column[-1].minorticks_off()
    for axis in axes[0, 1:] if panel else ():
        axis.set_ylabel("")
    legend(figure, axes.flat)
    return figure


def legend(figure: Figure, axes: Iterable) -> None:
    """One legend under all panels, where lines have names."""
    found: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        columns = int(13 * figure.get_figwidth() / (7 + max(map(len, found))))  # about 13 letters an inch
        figure.legend(
            list(found.values()), list(found), loc="outside lower center", ncols=max(1, columns), frameon=False
        )


def forest(
    table: pd.DataFrame,
    label: str,
    measures: Sequence[str],
    by: str | None = None,
    band: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
    hue: str | None = None,
    order: Sequence[str] = (),
    **settings,
) -> Figure:
    """Effects with their intervals, a line for each row and a panel for each measure (and each value of `by`).

    `band[measure]`: the smallest change that counts, a grey band. `levels`: vertical lines by label. `hue`: a column whose values
    choose colour and marker in place of `label`; those of `order` look the same in every figure. `settings` go to every axis.
    """
    parts = [(str(value), rows) for value, rows in table.groupby(by, sort=False)] if by else [("", table)]
    grid = (1, len(parts)) if len(measures) == 1 else (len(parts), len(measures))
    tall = max(len(rows) for _, rows in parts)
    wide = 1 + 0.07 * max(map(len, table[label].astype(str)), default=0) + max(2 * grid[1], 4)
    size = (wide, grid[0] * (0.27 * tall + 0.6) + 0.3)
    figure, axes = plt.subplots(*grid, figsize=size, squeeze=False, sharey="row" if len(measures) > 1 else "none")
    names = list(dict.fromkeys([*order, *table[hue or label].astype(str)]))
    colour_of = colours(names, None if hue else "0.25")
    marker_of = dict(zip(names, MARKERS, strict=False)) if hue else {}
    shown = [(title, rows, name) for title, rows in parts for name in measures]
    for axis, (title, rows, name) in zip(axes.flat, shown, strict=True):
        text, factor, _ = measure(name)
        if band:
            smallest = factor * band[name.removesuffix("_gain")]
            axis.axvspan(-smallest, smallest, color="0.9", lw=0)
        if band or name.endswith("_gain"):
            axis.axvline(0, color=PAPER, lw=1)
        for what, value in (levels or {}).items():
            axis.axvline(factor * value, color=ENGINE, ls=":", label=what)
        reach = _reach(rows, name, factor)
        for place, row in enumerate(rows.to_dict("records")):
            key = str(row[hue or label])
            spread = None if reach is None or np.isnan(reach[:, place]).any() else reach[:, [place]]
            look = {"fmt": marker_of.get(key, "D" if key == "paper" else "o"), "color": colour_of[key], "ms": 5}
            axis.errorbar(factor * row[name], place, xerr=spread, capsize=3, label=key if hue else None, **look)
        axis.set_yticks(range(len(rows)), rows[label].astype(str))
        axis.set(**{"xlabel": text, "title": title, "ylim": (max(len(rows), 1) - 0.5, -0.5), **settings})
        axis.grid(False, axis="y")
    for axis in axes[:, 1:].flat if len(measures) > 1 else ():
        axis.tick_params(labelleft=False)
    legend(figure, axes.flat)
    return figure


def frontier(
    table: pd.DataFrame,
    across: Sequence[str] = ("hp", "f0_std"),
    up: str = "wer_cal",
    shown: Sequence[str] | None = None,
    limit: float | None = None,
) -> Figure:
    """Word error against liveliness, a panel for each measure of `across`: better is to the right and down.

    `table` has the columns `variant` and `line`. Rows with the line "point" or "chosen" are systems with both intervals; the
    first seven of `shown` have names and colours, all others are grey. "corner" are recordings: a star, or their values
    above the panel where they lie outside. "tried" are dots. Any other value is a thin line through its rows by `at`, with an
    arrow at the highest. `limit` is a horizontal line.
    """
    shown = list(dict.fromkeys(table.loc[table["line"] != "corner", "variant"] if shown is None else shown))
    colour_of = dict.fromkeys(shown, "0.7") | colours(shown[:MOST])
    inner = table[table["line"].ne("corner") & table["variant"].isin(shown)]
    inner = inner.sort_values("at") if "at" in inner else inner
    figure, axes = plt.subplots(1, len(across), figsize=(5 * len(across), 4), sharey=True, squeeze=False)
    label, factor, _ = measure(up)
    axes[0, 0].set_ylabel(label)
    for axis, name in zip(axes[0], across, strict=True):
        text, by, _ = measure(name)
        for (variant, kind), own in inner.groupby(["variant", "line"], sort=False):
            x, y, style = by * own[name], factor * own[up], dict[str, Any](color=colour_of[variant])
            if kind in ("point", "chosen"):
                style |= {"label": variant if variant in shown[:MOST] else None}
                axis.errorbar(x, y, _reach(own, up, factor), _reach(own, name, by), "o", capsize=2, lw=1, **style)
            elif kind == "tried":
                axis.plot(x, y, ".", alpha=0.6, **style)
            else:
                axis.plot(x, y, ":" if kind == "dose" else "-", lw=1, alpha=0.7, **style)
                axis.plot(x.iloc[-1], y.iloc[-1], ">", ms=5, alpha=0.7, **style)
        if limit is not None:
            axis.axhline(factor * limit, color=PAPER, ls="--", lw=1)
        axis.set(xlabel=text, xlim=axis.get_xlim(), ylim=axis.get_ylim())
        outside = []
        for row in table[table["line"] == "corner"].to_dict("records"):
            x, y, who = by * row[name], factor * row[up], row["variant"]
            if min(axis.get_xlim()) <= x <= max(axis.get_xlim()) and min(axis.get_ylim()) <= y <= max(axis.get_ylim()):
                axis.plot(x, y, "*", ms=12, color=colours([who])[who], label=who)
            else:
                outside.append(f"{who} at {x:.2f}, {y:.1f} %")
        axis.set_title("\n".join(["outside the panel:", *outside] if outside else []), fontsize=8, loc="left")
    legend(figure, axes.flat)
    return figure


def outcome(tables: Mapping[str, Sequence[Mapping]]) -> Figure:
    """What came out, in one picture: erosion over alpha at the left, repair at the right, ours on the paper's grey.

    Everything is a change in per cent, from alpha = 0.03 or from the policy that a method starts from, so that both fit on one
    axis. Expressivity is F0 std here and NMOS in the paper. tables: of a run with Table 1, 3 and 4
    """
    figure, axes = plt.subplots(2, 2, figsize=(4.8, 5.4), sharey="row", sharex="col", width_ratios=(5, 3))
    ours, printed = pd.DataFrame(tables["table1"]), published("table1_scaling")
    repairs = (("table3", "dgsa", "sft", "table3_alignment_thai_alpha80"), ("table4", "tdsc", "sft", "table4_tdsc_lao"))
    for (left, right), name, theirs, title in zip(
        axes, ("f0_std", "wer"), ("nmos", "wer"), ("expressivity, change in %", "word error, change in %"), strict=True
    ):
        ends = [100 * (ours[name + end] / ours[name].iloc[0] - 1) for end in ("", "_low", "_high")]
        left.plot(
            printed["alpha"],
            100 * (printed[theirs] / printed[theirs].iloc[0] - 1),
            "D-",
            color=PAPER,
            ms=4,
            label="paper",
        )
        left.plot(100 * ours["alpha"], ends[0], "o-", color=OURS, label="ours")
        left.fill_between(100 * ours["alpha"], *ends[1:], color=OURS, alpha=0.2, lw=0)
        for place, (table, one, other, of_paper) in enumerate(repairs):
            rows = {row["variant"]: row for row in tables.get(table, [])}
            row, gain = rows.get(one, {}), "wer_cal" if name == "wer" else name
            if row and other in rows:
                mean, low, high = (100 * row[f"{gain}_gain{end}"] / rows[other][gain] for end in ("", "_low", "_high"))
                right.errorbar(place + 0.08, mean, [[mean - low], [high - mean]], fmt="o", color=OURS, capsize=3)
            both = published(of_paper).set_index("method")[theirs]
            right.plot(
                place - 0.08,
                100 * (both[NAMES[of_paper][one]] / both[NAMES[of_paper][other]] - 1),
                "D",
                color=PAPER,
                ms=5,
            )
        for axis in (left, right):
            axis.axhline(0, color=PAPER, lw=1)
        left.set_ylabel(title)
    axes[0, 0].set_title("Erosion", loc="left")
    axes[0, 1].set_title("Repair", loc="left")
    axes[1, 0].set_xlabel("synthetic speech, %")
    axes[1, 1].set(xlim=(-0.5, 1.5), xticks=(0, 1), xticklabels=("DGSA", "TDSC"))
    axes[1, 0].legend(frameon=False)
    return figure
