"""Figures of `08_dpo_from_scratch`: preference, optimum, beta, displacement, and the weights of DGSA."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE

ANSWERS = (PEOPLE, ENGINE, OURS, "#CC79A7", "#56B4E9")  # one an answer, Okabe-Ito


def bradley_terry(gaps: Sequence[float], counted: Sequence[float]) -> Figure:
    """The curve of Bradley-Terry, and how often the better one was really preferred at some reward gaps."""
    figure, axis = plt.subplots(figsize=(5, 2.6))
    line = np.linspace(-3, 3, 121)
    axis.plot(line, 1 / (1 + np.exp(-line)), color=PAPER, label="Bradley-Terry")
    axis.plot(gaps, counted, "o", color=PEOPLE, label="counted")
    axis.set(xlabel="reward of a less reward of b", ylabel="a is preferred", ylim=(0, 1))
    axis.legend()
    return figure


def bandit(table: pd.DataFrame, history: pd.DataFrame) -> Figure:
    """Left: a bar per policy for each answer (columns `answer` and one a policy). Right: distance from the optimum by step."""
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.8))
    table.plot.bar(x="answer", ax=axes[0], rot=0, color=[PAPER, PEOPLE, OURS], width=0.75)
    axes[0].set(xlabel="answer", ylabel="probability", ylim=(0, 1.35 * table.iloc[:, 1:].to_numpy().max()))
    axes[0].legend(fontsize=7, loc="upper left", ncols=3)
    axes[1].semilogy(history["step"], history["distance"], color=OURS)
    axes[1].set(xlabel="step of DPO", ylabel="KL(optimum || policy), nats")
    return figure


def beta_view(path: pd.DataFrame, names: Sequence[str], beta: float) -> Figure:
    """Where the optimum lies at each beta; columns `beta`, `kl`, `reward` and one an answer; a mark at `beta`."""
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.8))
    here = path.iloc[(np.log(path["beta"]) - np.log(beta)).abs().argmin()]
    for name, colour in zip(names, ANSWERS, strict=False):
        axes[0].semilogx(path["beta"], path[name], color=colour, label=name)
        axes[0].plot(here["beta"], here[name], "o", color=colour)
    axes[0].axvline(here["beta"], color=PAPER, ls="--")
    axes[0].set(xlabel="beta", ylabel="probability in the optimum", ylim=(0, 1))
    axes[0].legend(fontsize=7, title="answer", title_fontsize=7)
    axes[1].plot(path["kl"], path["reward"], color=PAPER)
    axes[1].plot(here["kl"], here["reward"], "o", color=OURS, label=f"beta {here['beta']:.2g}")
    axes[1].set(xlabel="KL from the reference, nats", ylabel="mean reward")
    axes[1].legend(fontsize=8, loc="lower right")
    return figure


def displacement(runs: Mapping[str, pd.DataFrame], loser: str) -> Figure:
    """The history of each run: margin, winner and loser in nats a token, and the winner's eos; `loser` is a set's name."""
    columns = {
        f"{loser}_margin": "margin",
        "winner_logp": "log p of the winner, nats a token",
        f"{loser}_loser_logp": "log p of the loser, nats a token",
        "winner_eos": "log p of the winner's eos",
    }
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.7))
    for (name, history), colour in zip(runs.items(), (ENGINE, PEOPLE, OURS, PAPER), strict=False):
        for axis, column in zip(axes, columns, strict=True):
            axis.plot(history["step"], history[column], color=colour, label=name)
    for axis, title in zip(axes, columns.values(), strict=True):
        axis.set(xlabel="step", title=title)
        axis.axhline(axis.lines[0].get_ydata()[0], color=PAPER, ls=":", lw=1)
    axes[0].legend(fontsize=7)
    return figure


def schedule(alphas: np.ndarray, weights: Mapping[str, np.ndarray], printed: pd.DataFrame, star: float) -> Figure:
    """lambda_s and lambda_e over alpha, with the points of the paper's Fig. 5; `printed` has a column for each."""
    figure, axis = plt.subplots(figsize=(5.5, 2.8))
    for (name, values), colour in zip(weights.items(), (PEOPLE, ENGINE), strict=True):
        label = {"lambda_s": "stability", "lambda_e": "expressivity"}[name]
        axis.plot(alphas, values, color=colour, label=f"{label} (Eq. {'14' if name == 'lambda_s' else '13'})")
        axis.plot(printed["alpha"], printed[name], "o", mfc="white", mec=colour)
    axis.axvline(star, color=PAPER, ls="--")
    axis.annotate("alpha*", (star, 0.5), xytext=(4, 0), textcoords="offset points", color="0.4")
    axis.set(xlabel="alpha, share of synthetic speech", ylabel="weight", ylim=(-0.05, 1.05))
    axis.legend(fontsize=8)
    return figure
