"""Figures: one look for all, letters of Thai and Lao that are really drawn, colours that colour-blind readers can tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.font_manager
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

PEOPLE, ENGINE, OURS, PAPER = "#0072B2", "#D55E00", "#009E73", "0.55"  # Okabe-Ito
FONTS = ("NotoSansThai-Regular.ttf", "NotoSansLao-Regular.ttf")
FONT_FOLDER = Path(__file__).with_name("fonts")
RATE = 16_000


def use_style() -> None:
    """Call once a notebook."""
    for name in FONTS:
        matplotlib.font_manager.fontManager.addfont(FONT_FOLDER / name)
    sns.set_theme(style="whitegrid", palette="colorblind", rc={
        "font.family": ["DejaVu Sans", "Noto Sans Thai", "Noto Sans Lao"],
        "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "figure.dpi": 80, "figure.constrained_layout.use": True,
    })  # fmt: skip


def spectrogram(axis, samples: np.ndarray, title: str) -> None:
    """Levels up to 8 kHz in dB, silence light and sound dark."""
    axis.specgram(samples.astype(float) + 1e-3, NFFT=400, Fs=RATE, noverlap=300, cmap="Greys", vmin=-60, vmax=40)
    axis.set(title=title, ylabel="Hz")
    axis.grid(False)


def pitch_track(axis, f0: np.ndarray, colour: str, seconds: float, label: str | None = None) -> None:
    """F0 in Hz, unvoiced stretches left blank."""
    times = np.linspace(0, seconds, len(f0), endpoint=False)
    axis.plot(times, np.where(f0 > 0, f0, np.nan), color=colour, lw=2, label=label)
    axis.set(xlabel="seconds", ylabel="F0, Hz", yscale="log")
    axis.set_yticks([80, 120, 180, 270], ["80", "120", "180", "270"])
    axis.minorticks_off()


def voices_side_by_side(clips: Mapping[str, tuple[np.ndarray, np.ndarray, str]], title: str) -> Figure:
    """Spectrogram over F0 track for each voice; `clips[label] = (samples, f0, "people" or "engine")`."""
    figure, axes = plt.subplots(2, len(clips), figsize=(3.2 * len(clips), 4.2), squeeze=False, sharey="row")
    for column, (label, (samples, f0, kind)) in zip(axes.T, clips.items(), strict=True):
        spectrogram(column[0], samples, label)
        pitch_track(column[1], f0, PEOPLE if kind == "people" else ENGINE, len(samples) / RATE)
    figure.suptitle(title)
    return figure


def pitch_spread(table: pd.DataFrame) -> Figure:
    """How far F0 moves within an utterance, people against engines; needs columns `kind` and `f0_std_st`."""
    figure, axis = plt.subplots(figsize=(5.5, 2.8))
    sns.histplot(
        table, x="f0_std_st", hue="kind", bins=30, stat="density", common_norm=False, ax=axis,
        palette={"people": PEOPLE, "engine": ENGINE},
    )  # fmt: skip
    axis.set(xlabel="F0 standard deviation in an utterance, semitones", ylabel="density")
    return figure


def mixes(table: pd.DataFrame) -> Figure:
    """Minutes of real and synthetic speech at each alpha; needs columns `alpha`, `real_min`, `synthetic_min`."""
    figure, axis = plt.subplots(figsize=(6, 2.8))
    places = np.arange(len(table))
    axis.bar(places, table["real_min"], color=PEOPLE, label="studio people")
    axis.bar(places, table["synthetic_min"], bottom=table["real_min"], color=ENGINE, label="engines")
    axis.set_xticks(places, [f"{alpha:.0%}" for alpha in table["alpha"]])
    axis.set(xlabel="alpha, share of synthetic seconds", ylabel="minutes")
    axis.legend()
    return figure


def journey(steps: Sequence[tuple[str, str, str]], title: str) -> Figure:
    """The map of the notebooks: (number, what it shows, state), state being "done" or "to come"."""
    columns = 5
    rows = -(-len(steps) // columns)
    figure, axis = plt.subplots(figsize=(10, 1.35 * rows + 0.4))
    for index, (number, what, state) in enumerate(steps):
        row, column = divmod(index, columns)
        x, y = (column if row % 2 == 0 else columns - 1 - column), -row
        there = state == "done"
        box = {"boxstyle": "round,pad=0.5", "fc": "#D9EDF7" if there else "white", "ec": PEOPLE if there else PAPER}
        axis.text(x, y, f"{number}\n{what}", ha="center", va="center", bbox=box, color="black" if there else PAPER)
        if index + 1 < len(steps):
            next_row, next_column = divmod(index + 1, columns)
            to = ((next_column if next_row % 2 == 0 else columns - 1 - next_column), -next_row)
            arrow = {
                "arrowstyle": "->",
                "color": PAPER,
                "shrinkA": 42 if row == next_row else 24,
                "shrinkB": 42 if row == next_row else 24,
            }
            axis.annotate("", xy=to, xytext=(x, y), arrowprops=arrow)
    axis.set(xlim=(-0.55, columns - 0.45), ylim=(0.6 - rows, 0.5), title=title)
    axis.axis("off")
    return figure
