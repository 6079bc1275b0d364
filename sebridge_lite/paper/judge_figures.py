"""Figures of `03_text_speech_lm` and `05_judges_and_metrics`: what the LM reads and is scored on, and what metrics see."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE

COLOURS = {"special": "0.8", "text": "#F0E442", "prefix": "#CC79A7", "speech": "#56B4E9"}


def sequence_layout(rows: Mapping[str, Sequence[tuple[str, str, str]]]) -> Figure:
    """`rows[title]` is a list of (input, its part, what it must predict or ""); scored cells have an arrow to their target."""
    widest = max(map(len, rows.values()))
    figure, axes = plt.subplots(len(rows), figsize=(0.5 * widest + 0.6, 1.35 * len(rows)), squeeze=False)
    for axis, (title, cells) in zip(axes[:, 0], rows.items(), strict=True):
        for place, (token, part, target) in enumerate(cells):
            axis.add_patch(plt.Rectangle((place, 0), 0.92, 0.8, fc=COLOURS[part], ec="0.3"))
            axis.text(place + 0.46, 0.4, token, ha="center", va="center", fontsize=8)
            if target:
                axis.annotate(
                    "", (place + 0.46, 1.35), (place + 0.46, 0.85), arrowprops={"arrowstyle": "->", "color": OURS}
                )
                axis.text(place + 0.46, 1.6, target, ha="center", va="center", fontsize=8, color=OURS)
        axis.set(xlim=(-0.2, widest), ylim=(-0.1, 1.9))
        axis.set_title(title, loc="left")
        axis.axis("off")
    return figure


def influence(moved: np.ndarray, parts: Sequence[str]) -> Figure:
    """Which scores (columns) move when one input (rows, `parts` names each) is changed. moved: (inputs, scores), in nats."""
    figure, axis = plt.subplots(figsize=(6, 3.8))
    shown = np.where(moved > 0, np.log10(np.maximum(moved, 1e-6)), np.nan)
    image = axis.imshow(shown, aspect="auto", cmap="viridis", vmin=-4, vmax=1, interpolation="nearest")
    edges = [i for i in range(1, len(parts)) if parts[i] != parts[i - 1]]
    axis.hlines([edge - 0.5 for edge in edges], -0.5, moved.shape[1] - 0.5, color="black", lw=1)
    starts = [0, *edges]
    middles = [(a + b - 1) / 2 for a, b in zip(starts, [*edges, len(parts)], strict=True)]
    axis.set_yticks(middles, [parts[start] for start in starts])
    axis.set(xlabel="scored position (the last is eos)", ylabel="input that is changed")
    axis.grid(False)
    figure.colorbar(image, label="change of log p, nats (log10)")
    return figure


def style_scatter(table: pd.DataFrame, off: float) -> Figure:
    """F0 std of what was generated over that of the prefix; needs `reference`, `f0_std` and `mode`; `off` is the mean without."""
    figure, axis = plt.subplots(figsize=(5.5, 3))
    sns.scatterplot(table, x="reference", y="f0_std", hue="mode", style="mode", ax=axis)
    axis.axhline(off, color=PAPER, ls="--", label="style off, mean")
    axis.set(xlabel="F0 std of the recording behind the prefix, semitones", ylabel="F0 std, generated")
    axis.legend(fontsize=7)
    return figure


def floors(table: pd.DataFrame) -> Figure:
    """A judge's own error; needs `judge`, `language`, `voice`, `wer`, `low`, `high`."""
    judges = table["judge"].unique()
    figure, axes = plt.subplots(1, len(judges), figsize=(3.2 * len(judges), 2.8), sharey=True, squeeze=False)
    for axis, judge in zip(axes[0], judges, strict=True):
        rows = table[table["judge"] == judge]
        error = np.maximum(0, [100 * (rows["wer"] - rows["low"]), 100 * (rows["high"] - rows["wer"])])
        colours = [PEOPLE if voice == "people" else ENGINE for voice in rows["voice"]]
        axis.bar(np.arange(len(rows)), 100 * rows["wer"], yerr=error, color=colours, capsize=3)
        axis.set_xticks(np.arange(len(rows)), [f"{r.language}\n{r.voice}" for r in rows.itertuples()])
        axis.set_title(judge)
    axes[0, 0].set_ylabel("word error rate, %")
    return figure


def entropy_bias(table: pd.DataFrame, truth: float) -> Figure:
    """Estimates of one known entropy over the number of tokens; column `tokens` and one for each estimator."""
    figure, axis = plt.subplots(figsize=(5.5, 2.8))
    for column in table.columns.drop("tokens"):
        axis.plot(table["tokens"], table[column], "o-", label=column)
    axis.axhline(truth, color=PAPER, ls="--", label="truth")
    axis.set(xscale="log", xlabel="tokens", ylabel="entropy, bits")
    axis.legend(fontsize=8)
    return figure


def entropy_of_lengths(table: pd.DataFrame) -> Figure:
    """Entropy of single utterances under its ceiling; needs `tokens`, `hp`, `voice`."""
    figure, axis = plt.subplots(figsize=(5.5, 3))
    sns.scatterplot(table, x="tokens", y="hp", hue="voice", palette={"people": PEOPLE, "engine": ENGINE}, ax=axis)
    lengths = np.arange(max(2, table["tokens"].min() - 5), table["tokens"].max() + 5)
    axis.plot(lengths, np.log2(lengths), color=PAPER, ls="--", label="ceiling: log2(tokens)")
    axis.set(xlabel="tokens in the utterance", ylabel="Hp of the utterance, bits")
    axis.legend(fontsize=8)
    return figure


def similarities(same: np.ndarray, other: np.ndarray) -> Figure:
    """SIM between recordings of one speaker, and of different speakers."""
    figure, axis = plt.subplots(figsize=(5.5, 2.6))
    bins = np.linspace(min(same.min(), other.min()), 1, 25)
    axis.hist(other, bins, density=True, alpha=0.6, color=PAPER, label="two speakers")
    axis.hist(same, bins, density=True, alpha=0.6, color=PEOPLE, label="one speaker, two sentences")
    axis.set(xlabel="SIM", ylabel="density")
    axis.legend(fontsize=8)
    return figure
