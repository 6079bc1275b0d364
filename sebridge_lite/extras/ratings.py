"""Ratings of a listening test: means, comparisons, agreement, screening, and how many ratings a difference needs.

Raters and texts are both samples, and crossed: every rater hears every text. So intervals resample both, and tests are
over both (Clark, 1973). The paper takes every rating as independent (`stats.normal_interval`); its interval stands beside
ours. Left out: mixed and ordinal models, ANOVA over all systems.

A table of ratings has a row a rating, with `rater`, `task` (nmos, smos, ab), `item` (the text), `system` and `score`; of an A/B
trial `system` is the preferred one, `other` the one that was not, and the score 1. `simulated` says that no person rated.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.bootstrap import mean_interval, paired_difference
from sebridge_lite.measure.stats import holm, normal_interval, paired_tests

LEVEL, POWER = 0.05, 0.8
MOST = 10_000  # texts, more than anybody would listen to


def by_people(ratings: pd.DataFrame) -> pd.DataFrame:
    """The same table if every rating is a person's: what a claim may rest on."""
    if ratings["simulated"].any():
        raise UserError("ratings: simulated raters say nothing about speech; a claim needs people's ratings")
    return ratings


def labelled(table: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """The table with a column that says whether any rater was made up."""
    return table.assign(simulated=bool(ratings["simulated"].any()))


def grids(ratings: pd.DataFrame, task: str) -> dict[str, np.ndarray]:
    """Scores of each system, raters down and texts across in one order for all, NaN where not rated. (R, I)"""
    rows = ratings[ratings["task"] == task]
    whole = rows.pivot(index=["system", "rater"], columns="item", values="score")
    raters = sorted(rows["rater"].unique())
    return {system: whole.loc[system].reindex(raters).to_numpy(float) for system in sorted(rows["system"].unique())}


def means(ratings: pd.DataFrame, task: str) -> pd.DataFrame:
    """A row a system: the mean, the paper's interval (`normal_`), and ours over raters and texts."""
    rows = []
    for system, grid in grids(ratings, task).items():
        known, ours = grid[np.isfinite(grid)], mean_interval(grid)
        row = {"system": system, "mean": ours.mean, "low": ours.low, "high": ours.high}
        if len(known) > 1:
            paper = normal_interval(known)
            row |= {"normal_low": paper.low, "normal_high": paper.high}
        rows.append(row | {"ratings": len(known), "raters": grid.shape[0], "texts": grid.shape[1]})
    return labelled(pd.DataFrame(rows).sort_values("mean", ascending=False), ratings)


class Parts(NamedTuple):
    """Variances of the difference between two systems: between raters, between texts, and what is left."""

    raters: float
    texts: float
    rest: float


def of_mean(parts: Parts, raters: int, texts):
    """Variance of the mean over so many raters and texts, and its degrees of freedom (Satterthwaite)."""
    by_rater, by_text, rest = parts.raters / raters, parts.texts / texts, parts.rest / (raters * texts)
    variance = by_rater + by_text + rest
    terms = (by_rater + rest) ** 2 / (raters - 1) + (by_text + rest) ** 2 / (texts - 1)
    return variance, variance**2 / (terms + rest**2 / ((raters - 1) * (texts - 1)))


def parts_of(a: np.ndarray, b: np.ndarray) -> Parts:
    """Of two systems' scores (R, I), by two-way analysis of variance; with a few gaps only nearly so."""
    difference = a - b
    raters, texts = difference.shape
    rows, columns = np.nanmean(difference, 1), np.nanmean(difference, 0)
    left = difference - rows[:, None] - columns + np.nanmean(difference)
    free = np.isfinite(left).sum() - raters - texts + 1
    if raters < 2 or texts < 2 or free < 1:
        raise UserError(
            f"{raters} raters and {texts} texts: parts of the variance need two or more of each, heard by all"
        )
    rest = np.nansum(left**2) / free
    return Parts(max(0.0, rows.var(ddof=1) - rest / texts), max(0.0, columns.var(ddof=1) - rest / raters), rest)


def crossed_t(a: np.ndarray, b: np.ndarray) -> float:
    """p of the paired t-test over raters and texts at once, which is Clark's quasi-F. a, b: (R, I)"""
    parts, mean = parts_of(a, b), np.nanmean(a - b)
    if not any(parts):
        return float(mean == 0)
    variance, free = of_mean(parts, *a.shape)
    return float(2 * stats.t.sf(abs(mean) / math.sqrt(variance), free))


def both_ways(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """p of the t-test, and of Wilcoxon's, which has no crossed form, the larger of that over raters and that over texts."""
    if min(a.shape) < 2:
        return math.nan, math.nan
    return crossed_t(a, b), max(paired_tests(a, b)[1], paired_tests(a.T, b.T)[1])


def _compared(pairs: list[tuple[str, str, np.ndarray, np.ndarray]], value: str) -> pd.DataFrame:
    """A row a pair of systems, with Holm's p over all of them."""
    rows = []
    for first, second, a, b in pairs:
        gap = paired_difference(a, b)
        rows.append((first, second, gap.mean, gap.low, gap.high, *both_ways(a, b)))
    table = pd.DataFrame(rows, columns=["one", "other", value, "low", "high", "t_p", "wilcoxon_p"])
    return table.assign(t_p=holm(table["t_p"]), wilcoxon_p=holm(table["wilcoxon_p"]))


def comparisons(ratings: pd.DataFrame, task: str) -> pd.DataFrame:
    """Every pair of systems: mean of the first minus the second, and Holm's p of both tests."""
    scores = grids(ratings, task)
    pairs = [(first, second, scores[first], scores[second]) for first, second in itertools.combinations(scores, 2)]
    return labelled(_compared(pairs, "difference"), ratings)


def preferences(ratings: pd.DataFrame) -> pd.DataFrame:
    """Every pair of the A/B trials: how often the first was preferred, minus one half, in place of the difference."""
    rows, pairs = ratings[ratings["task"] == "ab"], []
    names = rows[["system", "other"]].apply(lambda pair: tuple(sorted(pair)), axis=1)
    for (first, second), votes in rows.groupby(names):
        votes = votes.assign(score=(votes["system"] == first).astype(float))
        grid = votes.pivot(index="rater", columns="item", values="score").to_numpy()
        pairs.append((first, second, grid, np.full(grid.shape, 0.5)))
    return labelled(_compared(pairs, "over_half"), ratings)


def agreement(scores: np.ndarray) -> float:
    """Krippendorff's alpha for interval scores, raters down and clips across, NaN where not rated: 1 agreed, 0 chance.

    It allows gaps, any number of raters and tests where each heard other clips, which an intraclass correlation does not;
    of interval scores because means of them are what is reported. NaN if no two scores differ. Left out: the package
    `krippendorff`, whose licence (GPL) is not ours.
    """
    scores = np.asarray(scores, dtype=float)
    heard = np.isfinite(scores).sum(0)
    if not (heard > 1).any():
        raise UserError("agreement: no clip has two ratings; let two or more raters hear the same clips")
    scores, heard = scores[:, heard > 1], heard[heard > 1]
    within = (np.nanvar(scores, axis=0) * heard**2 / (heard - 1)).sum()  # n^2 var: (a - b)^2 over all pairs
    expected = np.nanvar(scores) * heard.sum() ** 2
    return float(1 - (heard.sum() - 1) * within / expected) if expected > 0 else math.nan


def screened(gold: pd.DataFrame, raters: list[str], least: float) -> pd.DataFrame:
    """A row a rater: the share of gold clips answered rightly, and whether to keep the rater. gold: `rater`, `right`"""
    rows = []
    for rater in raters:
        answers = gold.loc[gold["rater"] == rater, "right"]
        share = answers.mean() if len(answers) else math.nan
        why = "" if share >= least else f"{share:.0%} of gold clips right, {least:.0%} asked for"
        rows.append((rater, len(answers), share, share >= least, why if len(answers) else "no gold clip answered"))
    return pd.DataFrame(rows, columns=["rater", "gold", "right", "kept", "why"])


def texts_needed(difference: float, parts: Parts, raters: int, power: float = POWER) -> int | None:
    """How many texts so many raters must hear for `crossed_t` to find a difference with this power; None if MOST are too few.

    Times `raters` it is the number of ratings a system.
    """
    texts = np.arange(2, MOST + 1)
    variance, free = of_mean(parts, raters, texts)
    enough = (stats.t.ppf(1 - LEVEL / 2, free) + stats.t.ppf(power, free)) ** 2 * variance <= difference**2
    return int(texts[enough.argmax()]) if enough.any() else None


def honesty(parts: Parts, raters: int, texts: int, runs: int, seed: int = 0) -> dict[str, float]:
    """Shares of made-up tests of two equal systems: how often the paper's interval and ours hold the 0, and how often the
    t-test over both finds a difference that is not there."""
    rng, held = np.random.default_rng(seed), np.zeros((runs, 3))
    for run in held:
        shapes = ((raters, 1), (1, texts), (raters, texts))
        drawn = (math.sqrt(part) * rng.normal(size=shape) for part, shape in zip(parts, shapes, strict=True))
        scores = sum(drawn, np.zeros(()))
        paper, ours = normal_interval(scores.ravel()), mean_interval(scores, replicates=400)
        run[:] = [*(one.low <= 0 <= one.high for one in (paper, ours)), crossed_t(scores, 0 * scores) < LEVEL]
    return dict(zip(("normal", "crossed", "false_alarms"), held.mean(0).tolist(), strict=True))
