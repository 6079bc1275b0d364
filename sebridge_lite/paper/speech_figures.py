"""Figures of the speech stack: tokens under a spectrogram, probes, the toy flow, solvers and noises, swapped voices."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE
from sebridge_lite.paper.pictures import pitch_track, spectrogram

FRAME, TOKEN = 0.01, 0.04  # seconds of a frame of the truth, and of a token


def tokens_over_time(samples: np.ndarray, truth: Mapping, codes: np.ndarray, values: np.ndarray, title: str) -> Figure:
    """Spectrogram with the true phones, and beneath it what each channel of each token says; values: (S, channels)."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, height_ratios=(3, 2))
    spectrogram(top, samples, 16_000)
    top.set_title(title, pad=16)  # room for the phones
    edges = FRAME * np.cumsum([0, *truth["durations"]])
    for start, end, phone in zip(edges[:-1], edges[1:], truth["phones"], strict=True):
        top.axvline(end, color=ENGINE, lw=0.8)
        top.text((start + end) / 2, 8100, "" if phone == "_" else phone, ha="center", va="bottom", color=ENGINE)
    places = TOKEN * np.arange(len(values) + 1)
    bottom.pcolormesh(places, np.arange(values.shape[1] + 1), values.T, cmap="coolwarm", edgecolors="white", lw=0.3)
    bottom.set_xticks(places[:-1] + TOKEN / 2, codes, rotation=90, fontsize=7)
    bottom.set_yticks(np.arange(values.shape[1]) + 0.5, 1 + np.arange(values.shape[1]))
    bottom.set(xlabel="code of each token, one every 40 ms", ylabel="channel")
    bottom.grid(False)
    return figure


def shares(table: pd.DataFrame, chance: float, label: str) -> Figure:
    """A bar a row with its interval, and a line at chance; columns `probe`, `share`, `low`, `high`."""
    figure, axis = plt.subplots(figsize=(6.5, 0.5 * len(table) + 1))
    reach = [table["share"] - table["low"], table["high"] - table["share"]]
    axis.barh(table["probe"], table["share"], xerr=np.clip(reach, 0, None), color=OURS, capsize=3)
    axis.axvline(chance, color=ENGINE, ls="--", label=f"chance, {chance:.2g}")
    axis.set(xlabel=label, xlim=(0, 1))
    axis.invert_yaxis()
    axis.legend(loc="upper right")
    return figure


def code_usage(counts: Mapping[str, np.ndarray]) -> Figure:
    """How often each code is used, from the commonest down; `counts["people" or "engines"]`: (V,)."""
    figure, axis = plt.subplots(figsize=(5.5, 2.8))
    for (name, count), colour in zip(counts.items(), (PEOPLE, ENGINE), strict=True):
        used = np.sort(count[count > 0])[::-1]
        axis.loglog(1 + np.arange(len(used)), used / used.sum(), color=colour, label=name)
    axis.set(xlabel="rank of the code", ylabel="share of tokens")
    axis.legend()
    return figure


def toy_flow(pairs: np.ndarray, paths: np.ndarray, modes: np.ndarray, errors: pd.DataFrame) -> Figure:
    """Training pairs (2, N, 2), the flow's own paths (steps, N, 2), and both solvers' errors; columns steps, euler, midpoint."""
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.1))
    for axis, lines, name in ((axes[0], pairs, "pairs, each on its line"), (axes[1], paths, "the flow they add up to")):
        axis.plot(*lines.transpose(2, 0, 1), color=PAPER, lw=0.6)
        axis.plot(*lines[0].T, ".", color=PEOPLE, ms=4, label="noise, t = 0")
        axis.plot(*lines[-1].T, ".", color=ENGINE, ms=4, label="data, t = 1")
        axis.plot(*modes.T, "k+", ms=9)
        axis.set(title=name, xticks=[], yticks=[], aspect="equal")
    axes[0].legend(fontsize=7, loc="lower left")
    for solver, colour in (("euler", ENGINE), ("midpoint", PEOPLE)):
        axes[2].loglog(errors["steps"], errors[solver], "o-", color=colour, label=solver)
    axes[2].set(xlabel="steps", ylabel="distance from the exact end", title="error of the solver")
    axes[2].set_xticks(errors["steps"], errors["steps"])
    axes[2].minorticks_off()
    axes[2].legend()
    return figure


def steps_and_noises(table: pd.DataFrame, floor: float) -> Figure:
    """Word error and pitch of what is decoded; columns `steps`, `noise`, `word error`, `F0 corr`; floor: of recordings."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.8))
    for colour, (noise, rows) in zip((OURS, PEOPLE, ENGINE, PAPER, "black"), table.groupby("noise"), strict=False):
        for axis, column in zip(axes, ("word error", "F0 corr"), strict=True):
            axis.plot(rows["steps"], rows[column], "o-", color=colour, label=f"noise {noise:g}")
            axis.set(xlabel="steps of the solver", ylabel=column, xticks=sorted(set(table["steps"])))
    axes[0].axhline(floor, color="black", ls=":", label="recordings")
    axes[0].legend(fontsize=7)
    return figure


def mels(pictures: Mapping[str, np.ndarray], title: str) -> Figure:
    """Log mels (T, 80) side by side on one scale."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(2.3 * len(pictures), 2.6), sharey=True)
    for axis, (name, mel) in zip(axes, pictures.items(), strict=True):
        axis.imshow(
            mel.T, origin="lower", aspect="auto", cmap="Greys", vmin=-11, vmax=1, extent=(0, len(mel) / 50, 0, 80)
        )
        axis.set(title=name, xlabel="seconds")
        axis.grid(False)
    axes[0].set_ylabel("mel band")
    figure.suptitle(title)
    return figure


def swap_tracks(rows: Sequence[tuple[str, str, np.ndarray]], title: str) -> Figure:
    """A panel for each source of tokens, a line for each timbre: (tokens of, timbre of, F0 at 50 Hz)."""
    sources = list(dict.fromkeys(tokens for tokens, _, _ in rows))
    voices = list(dict.fromkeys(timbre for _, timbre, _ in rows))
    figure, axes = plt.subplots(1, len(sources), figsize=(4.5 * len(sources), 2.8), sharey=True)
    for tokens, timbre, f0 in rows:
        colour = (PEOPLE, ENGINE)[voices.index(timbre)]
        pitch_track(axes[sources.index(tokens)], f0, colour, len(f0) / 50, f"in the voice of {timbre}")
    for axis, tokens in zip(axes, sources, strict=True):
        axis.set_title(f"tokens of {tokens}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=7, frameon=False)
    figure.suptitle(title)
    return figure
