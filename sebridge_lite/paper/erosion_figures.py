"""Figures of `07_erosion`: mixtures and their peaks, where a peak appears, and what high Hp goes with."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.measure.alpha_star import GRID, AlphaStar
from sebridge_lite.measure.bootstrap import Curve
from sebridge_lite.measure.entropy import alpha_star, entropy, mix
from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE

NAMES = {
    "f0_std_st": "F0 std, semitones", "f0_range_st": "F0 range, semitones", "f0_corr": "F0 correlation",
    "f0_rmse_st": "F0 RMSE, semitones", "energy_std_db": "energy std, dB", "tokens": "tokens",
}  # fmt: skip


def mixtures(cases: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Entropy of `(p_real, p_syn)` mixed, over alpha, with the chord between the ends."""
    figure, axes = plt.subplots(1, len(cases), figsize=(3.1 * len(cases), 2.7), squeeze=False)
    for axis, (title, (real, syn)) in zip(axes[0], cases.items(), strict=True):
        bits, top = entropy(mix(real, syn, GRID)), alpha_star(real, syn)
        axis.plot(GRID, bits, color=OURS)
        axis.plot([0, 1], bits[[0, -1]], color=PAPER, ls="--", lw=1)
        axis.plot([0], bits[:1], "o", color=PEOPLE, label="people")
        axis.plot([1], bits[-1:], "s", color=ENGINE, label="engine")
        axis.plot([top], [entropy(mix(real, syn, top))], "k*", ms=10, label="highest")
        axis.set(title=title, xlabel="alpha")
    axes[0, 0].set_ylabel("entropy of the mixture, bits")
    axes[0, -1].legend(fontsize=7)
    return figure


def predicted_peak(bits: np.ndarray, star: AlphaStar, generated: Curve) -> Figure:
    """Entropy of the two corpora mixed at each ratio of GRID, its peak, and Hp of what policies generate."""
    figure, axis = plt.subplots(figsize=(5.5, 3))
    axis.plot(GRID, bits, color=PEOPLE, label="corpora mixed (predicted)")
    axis.axvspan(star.low, star.high, color=PEOPLE, alpha=0.12, label="alpha* predicted, 95 %")
    axis.axvline(star.value, color=PEOPLE, lw=1, ls=":")
    at = [generated.interval(i) for i in range(len(generated.alphas))]
    error = np.array([(found.mean - found.low, found.high - found.mean) for found in at]).T
    axis.errorbar(generated.alphas, generated.values, error, fmt="o-", color=OURS, capsize=3, label="generated")
    axis.set(xlabel="alpha", ylabel="Hp, bits", xlim=(-0.02, 1.02))
    axis.legend(fontsize=7)
    return figure


def phase_diagram(table: pd.DataFrame) -> Figure:
    """Three maps over pitch range and number of engines: place of the peak, its height, and the gap of the ends."""
    shown = (("alpha_star", "alpha*", "viridis", 2), ("height", "height of the peak, bits", "Greens", 3),
             ("gap", "H(people) - H(engines), bits", "Oranges", 2))  # fmt: skip
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.8))
    for axis, (column, title, colours, digits) in zip(axes, shown, strict=True):
        cells = table.pivot(index="range", columns="engines", values=column)
        widest = (0, 1) if column == "alpha_star" else (min(0, cells.min().min()), max(cells.max().max(), 1e-3))
        image = axis.imshow(cells, cmap=colours, vmin=widest[0], vmax=widest[1], origin="lower", aspect="auto")
        for place in np.ndindex(cells.shape):
            value = cells.iloc[place]
            dark = image.norm(value) > 0.6 if column != "alpha_star" else image.norm(value) < 0.6
            axis.text(*place[::-1], f"{value:.{digits}f}", ha="center", va="center", color="white" if dark else "black")
        axis.set_xticks(range(cells.shape[1]), cells.columns)
        axis.set_yticks(range(cells.shape[0]), [f"{share:g}" for share in cells.index])
        axis.set(title=title, xlabel="number of engines")
        axis.grid(False)
    axes[0].set_ylabel("pitch range, of people's")
    return figure


def worlds(models: pd.DataFrame, peaks: pd.DataFrame) -> Figure:
    """Hp over alpha of the policies of each world and domain of texts, and where their corpora would have the peak."""
    figure, axes = plt.subplots(1, len(peaks), figsize=(1.2 + 1.6 * len(peaks), 2.6), sharey=True, squeeze=False)
    for axis, row in zip(axes[0], peaks.itertuples(), strict=True):
        own = models[(models["world"] == row.world) & (models["domain"] == row.domain)]
        error = [own["hp"] - own["hp_low"], own["hp_high"] - own["hp"]]
        axis.axvspan(row.predicted_low, row.predicted_high, color=PEOPLE, alpha=0.12)
        axis.axvline(row.predicted, color=PEOPLE, lw=1, ls=":", label="predicted")
        axis.errorbar(own["alpha"], own["hp"], error, fmt="o-", color=OURS, capsize=3, ms=4, label="generated")
        axis.set(title=f"{row.world}, {row.domain}\npeak: {row.peak}", xlabel="alpha", xlim=(-0.05, 1.05))
        axis.title.set_fontsize(8)
    axes[0, 0].set_ylabel("Hp, bits")
    axes[0, 0].legend(fontsize=7)
    return figure


def printed_hp(alphas: np.ndarray, hp: np.ndarray, fits: Mapping[str, np.ndarray]) -> Figure:
    """The paper's ten points, and curves through them."""
    figure, axis = plt.subplots(figsize=(5.5, 2.8))
    axis.plot(alphas, hp, "o", color="black", label="Table 1")
    for (name, fitted), colour, style in zip(fits.items(), (OURS, ENGINE), ("-", "--"), strict=True):
        axis.plot(alphas, fitted, style, color=colour, label=name)
    axis.set(xlabel="alpha", ylabel="Hp, bits")
    axis.legend(fontsize=7)
    return figure


def proxy(tables: Mapping[str, pd.DataFrame], paper: Mapping[str, float]) -> Figure:
    """High-Hp less low-Hp samples, a panel a measure, for each way of matching; `paper` where its unit is ours."""
    metrics = [name for name in NAMES if all(name in set(table["metric"]) for table in tables.values())]
    figure, axes = plt.subplots(1, len(metrics), figsize=(1.5 * len(metrics), 2.6))
    for axis, metric in zip(axes, metrics, strict=True):
        for place, table in enumerate(tables.values()):
            row = table.set_index("metric").loc[metric]
            error = [[row["difference"] - row["low"]], [row["high"] - row["difference"]]]
            axis.errorbar([place], [row["difference"]], error, fmt="o", color=(PEOPLE, OURS)[place], capsize=4)
        if metric in paper:
            axis.plot([len(tables)], [paper[metric]], "D", color=PAPER)
        axis.axhline(0, color="black", lw=0.8)
        axis.set_xticks(
            range(len(tables) + 1), [*(f"equal\n{name}" for name in tables), "paper"], rotation=90, fontsize=7
        )
        axis.set_xlim(-0.5, len(tables) + 0.5)
        axis.set_title(NAMES[metric].replace(", ", "\n"), fontsize=8)
    axes[0].set_ylabel("high Hp less low Hp")
    return figure
