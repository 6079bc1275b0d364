"""Pictures of sounds, sequences and maps. Figures of tables are in `figures`. Each function returns the Figure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE, colours, legend
from sebridge_lite.stack.tracks import Tracks

PARTS = {"special": "0.8", "text": "#F0E442", "prefix": "#CC79A7", "speech": "#56B4E9"}
OUTCOMES = {"winner": PEOPLE, "learnt": OURS, "accepted": "#56B4E9", "rejected": "0.7", "loser": ENGINE}


def pitch_track(axis, f0: np.ndarray, colour: str, seconds: float, label: str | None = None) -> None:
    """Draws F0 in hertz over seconds; unvoiced stretches stay blank."""
    times = np.linspace(0, seconds, len(f0), endpoint=False)
    axis.plot(times, np.where(f0 > 0, f0, np.nan), color=colour, lw=2, label=label)
    axis.set(xlabel="seconds", ylabel="F0, Hz", yscale="log")
    axis.set_yticks([80, 120, 180, 270], ["80", "120", "180", "270"])
    axis.minorticks_off()


def tracks(panels: Mapping[str, Mapping[str, np.ndarray]], columns: int = 1) -> Figure:
    """F0 contours: `panels[title][name]` is `Tracks.f0`, in hertz, 0 where unvoiced."""
    names = list(dict.fromkeys(name for tracks_of in panels.values() for name in tracks_of))
    colour_of = colours(names) | {name: PAPER for name in names if name.startswith("the recording")}
    rows = -(-len(panels) // columns)
    size = (6 if columns == 1 else 4.5 * columns, 0.5 + 1.6 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for axis, (title, own) in zip(axes.flat, panels.items(), strict=True):
        for name, f0 in own.items():
            pitch_track(axis, f0, colour_of[name], len(f0) / Tracks.rate, name)
        axis.set_title(title, loc="left")
        axis.label_outer()
    legend(figure, axes.flat)
    return figure


def heat(
    panels: Mapping[str, pd.DataFrame], digits: int | None = None, key: str | None = None, same: bool = False
) -> Figure:
    """Maps of tables side by side, dark is high; `digits` writes numbers into the cells, `key` labels a bar of colours.

    Axes are called as a table's index and columns are. `same`: one scale of colours for all panels.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(max(5, 3 * len(panels)), 3), squeeze=False, sharey=True)
    tables = [table.to_numpy(dtype=float) for table in panels.values()]
    how = {"cmap": "Blues", "cbar": key is not None, "cbar_kws": {"label": key}}
    how |= {"vmin": min(map(np.nanmin, tables)), "vmax": max(map(np.nanmax, tables))} if same else {}
    how |= {} if digits is None else {"annot": True, "fmt": f".{digits}f"}
    for axis, (title, table) in zip(axes[0], panels.items(), strict=True):
        down, across = (-(-size // 8) for size in table.shape)  # eight ticks at most
        sns.heatmap(table, ax=axis, xticklabels=across, yticklabels=down, **how)
        axis.set(title=title)
        axis.tick_params(rotation=0)
        axis.grid(False)
        axis.label_outer(remove_inner_ticks=False)
    axes[0, 0].invert_yaxis()
    return figure


def spectrogram(axis, samples: np.ndarray, rate: int, title: str = "") -> None:
    """Draws levels in dB, silence light and sound dark; `samples` in units of int16."""
    axis.specgram(samples + 1e-3, NFFT=rate // 40, Fs=rate, noverlap=rate // 53, cmap="Greys", vmin=-60, vmax=40)
    axis.set(title=title, ylabel="Hz")
    axis.grid(False)


def voices(clips: Mapping[str, tuple[np.ndarray, np.ndarray, str]], rate: int, title: str) -> Figure:
    """A spectrogram over the F0 track of each voice; `clips[label] = (samples, f0, "people" or "engine")`."""
    figure, axes = plt.subplots(2, len(clips), figsize=(2.4 * len(clips), 4), squeeze=False, sharey="row", sharex="col")
    for column, (label, (samples, f0, kind)) in zip(axes.T, clips.items(), strict=True):
        spectrogram(column[0], samples.astype(float), rate, label)
        pitch_track(column[1], f0, colours([kind])[kind], len(samples) / rate)
    for axis in axes.flat:
        axis.label_outer()
    figure.suptitle(title)
    return figure


def tokens_over_time(samples: np.ndarray, rate: int, phones: Sequence, codes, values: np.ndarray, title: str) -> Figure:
    """A spectrogram with the true phones, and under it what each channel of each of S tokens says.

    phones: (name or "_", seconds); codes: (S,); values: (S, channels).
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, height_ratios=(3, 2))
    spectrogram(top, samples, rate)
    top.set_title(title, pad=16)  # room for the phones
    edges = np.cumsum([0, *(seconds for _, seconds in phones)])
    for start, end, (phone, _) in zip(edges[:-1], edges[1:], phones, strict=True):
        top.axvline(end, color=ENGINE, lw=0.8)
        top.text((start + end) / 2, 1.01 * rate / 2, phone.strip("_"), ha="center", va="bottom", color=ENGINE)
    places = np.linspace(0, len(samples) / rate, len(values) + 1)
    bottom.pcolormesh(places, np.arange(values.shape[1] + 1), values.T, cmap="coolwarm", edgecolors="white", lw=0.3)
    bottom.set_xticks((places[:-1] + places[1:]) / 2, codes, rotation=90)
    bottom.set_yticks(np.arange(values.shape[1]) + 0.5, 1 + np.arange(values.shape[1]))
    bottom.set(xlabel=f"code of each token, one every {1000 * places[1]:.0f} ms", ylabel="channel")
    bottom.grid(False)
    return figure


def sequences(rows: Mapping[str, Sequence[tuple[str, str, str]]]) -> Figure:
    """What the language model reads: `rows[title]` lists (input, its part, target or ""); an arrow leads to the target."""
    widest, arrow = max(map(len, rows.values())), {"arrowstyle": "<-", "color": OURS}
    figure, axes = plt.subplots(len(rows), figsize=(0.55 * widest + 0.6, 1.35 * len(rows)), squeeze=False)
    for axis, (title, cells) in zip(axes[:, 0], rows.items(), strict=True):
        for place, (token, part, target) in enumerate(cells):
            axis.add_patch(plt.Rectangle((place, 0), 0.92, 0.8, fc=PARTS[part], ec="0.3"))
            axis.text(place + 0.46, 0.4, token, ha="center", va="center", fontsize=8)
            if target:
                start, end, look = (place + 0.46, 0.85), (place + 0.46, 1.45), {"fontsize": 8, "color": OURS}
                axis.annotate(target, start, end, ha="center", arrowprops=arrow, **look)
        axis.set(xlim=(-0.2, widest), ylim=(-0.1, 1.9))
        axis.set_title(title, loc="left")
        axis.axis("off")
    return figure


def outcome(row: Mapping) -> str:
    """The most that became of a candidate."""
    used = [name for name in ("winner", "loser", "learnt") if row[name]]
    return used[0] if used else "rejected" if row["rejected_for"] else "accepted"


def candidates(rows: pd.DataFrame, max_wer: float) -> Figure:
    """The takes of one text from cold to hot: the judge's word error, and above each its tokens and why else it fails."""
    figure, axis = plt.subplots(figsize=(9, 3))
    order = rows.sort_values(["temperature", "slot"]).reset_index(drop=True)
    kinds = order.apply(outcome, axis=1)
    for kind, colour in OUTCOMES.items():
        own = order[kinds == kind]
        axis.plot(own.index, 100 * own["wer"], "o", color=colour, ms=9, label=kind)
    for place, row in order.iterrows():
        note = "\n".join([str(row["tokens"]), *(reason for reason in row["rejected_for"] if reason != "wer")])
        axis.annotate(note, (place, 100 * row["wer"]), (0, 7), textcoords="offset points", fontsize=8, ha="center")
    top = 100 * max(max_wer, order["wer"].max()) + 30
    axis.axhspan(100 * max_wer, top, color=PAPER, alpha=0.2, lw=0)
    axis.set(ylim=(-10, top), ylabel="the judge's word error, %", xlabel="temperature of each take; above, its tokens")
    axis.set_xticks(range(len(order)), [f"{heat:g}" for heat in order["temperature"]])
    legend(figure, [axis])
    return figure


def journey(steps: Sequence[tuple[str, str, str]], title: str) -> Figure:
    """The map of the notebooks: (number, what it shows, "done" or "to come")."""
    columns, rows = 5, -(-len(steps) // 5)
    figure, axis = plt.subplots(figsize=(10, 1.35 * rows + 0.4))
    places = [(x if y % 2 == 0 else columns - 1 - x, -y) for y in range(rows) for x in range(columns)][: len(steps)]
    for place, (number, what, state) in zip(places, steps, strict=True):
        box = {"boxstyle": "round,pad=0.5", "fc": "#D9EDF7" if state == "done" else "white", "ec": PEOPLE}
        axis.text(*place, f"{number}\n{what}", ha="center", va="center", bbox=box)
    for here, there in pairwise(places):
        gap = 42 if here[1] == there[1] else 24
        axis.annotate("", there, here, arrowprops={"arrowstyle": "->", "color": PAPER, "shrinkA": gap, "shrinkB": gap})
    axis.set(xlim=(-0.55, columns - 0.45), ylim=(0.6 - rows, 0.5), title=title)
    axis.axis("off")
    return figure
