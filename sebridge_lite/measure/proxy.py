"""Table 2 as a controlled study: does more token variety mean livelier speech, among samples of the same text?

Hp of one utterance is at most log2 of its length, so its quartiles may be quartiles of duration: the study is done twice,
the second time at matched length. Left out: listening scores, and texts of which only one sample was generated.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.bootstrap import paired_difference
from sebridge_lite.measure.entropy import prosodic_entropy
from sebridge_lite.measure.stats import holm, paired_tests

METRICS = ("f0_std_st", "f0_range_st", "f0_corr", "f0_rmse_st", "energy_std_db")
BALANCE = ("wer", "tokens")  # what a pair should have in common
MATCHED = ("wer", "wer and length")
WER_APART, TOKENS_APART = 0.05, 2


def sample_entropy(counts: np.ndarray) -> np.ndarray:
    """Hp of each sample by itself, NaN where it has no tokens. (N, V) -> (N,)"""
    silent = counts.sum(-1) == 0
    return np.where(silent, np.nan, prosodic_entropy(counts + silent[:, None]))


def usual_entropy(hp: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The mean Hp of the samples that are at most TOKENS_APART longer or shorter. (N,)"""
    order = np.argsort(tokens)
    lengths, total = tokens[order], np.append(0, np.cumsum(hp[order]))
    first = np.searchsorted(lengths, tokens - TOKENS_APART)
    last = np.searchsorted(lengths, tokens + TOKENS_APART, side="right")
    return (total[last] - total[first]) / (last - first)


def pairs_of(table: pd.DataFrame, counts: np.ndarray, matched: str) -> np.ndarray:
    """Rows (high, low) of one text: Hp in the top and in the bottom quartile, equal WER, equal length if asked. (P, 2)

    Departure from the paper: quartiles are of Hp about the mean of its text. Over all texts they sort texts by length, and
    few texts would have samples in both.
    """
    rows = table[["id", "tokens"]].assign(row=np.arange(len(table)), wer=table["words_wrong"] / table["words"])
    rows = rows.assign(hp=sample_entropy(counts)).dropna()
    if matched == "wer and length":
        rows["hp"] -= usual_entropy(rows["hp"].to_numpy(), rows["tokens"].to_numpy())
    rows["hp"] -= rows.groupby("id")["hp"].transform("mean")
    low, high = rows["hp"].quantile([0.25, 0.75])
    both = rows[rows["hp"] >= high].merge(rows[rows["hp"] <= low], on="id", suffixes=("", "_low"))
    alike = (both["hp"] > both["hp_low"]) & ((both["wer"] - both["wer_low"]).abs() <= WER_APART)
    if matched == "wer and length":
        alike &= (both["tokens"] - both["tokens_low"]).abs() <= TOKENS_APART
    return both.loc[alike, ["row", "row_low"]].to_numpy()


def proxy(
    tables: Sequence[pd.DataFrame],
    counts: Sequence[np.ndarray],
    matched: str,
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
) -> pd.DataFrame:
    """Table 2: high-Hp against low-Hp samples, from `evaluate`'s table and counts (N, V) of each training seed.

    Pairs are of one text and one seed; a text weighs by its pairs, and is the unit of the intervals and tests. Columns:
    metric, high_hp, low_hp, difference with its 95 % interval (low, high), p of the t-test and of Wilcoxon's (Holm over the
    metrics; over themselves for the balance rows at the end), pairs, texts, seeds.
    """
    found = []
    for table, count in zip(tables, counts, strict=True):
        pairs = pairs_of(table, count, matched)
        table = table.assign(wer=table["words_wrong"] / table["words"])
        found.append([table.iloc[pairs[:, side]].reset_index(drop=True) for side in (0, 1)])
    high, low = (pd.concat(side, ignore_index=True) for side in zip(*found, strict=True))
    if (texts := high["id"].nunique()) < 2:
        raise UserError(f"pairs matched by {matched}: in {texts} text(s) only; generate more samples of each text")
    rows = pd.DataFrame([_row(name, high, low, len(tables), seed) for name in (*metrics, *BALANCE)])
    for name in ("p_t", "p_wilcoxon"):
        rows[name] = np.concatenate([holm(rows[name][: len(metrics)]), holm(rows[name][len(metrics) :])])
    return rows


def _row(name: str, high: pd.DataFrame, low: pd.DataFrame, seeds: int, seed: int) -> dict:
    known = high[name].notna() & low[name].notna()
    a, b, texts = high[name][known].to_numpy(float), low[name][known].to_numpy(float), high["id"][known].to_numpy()
    found = [np.nan] * 7
    if len(set(texts)) > 1:
        gap = paired_difference(a, b, texts, seed=seed)
        found = [a.mean(), b.mean(), gap.mean, gap.low, gap.high, *paired_tests(a, b, texts)]
    names = ("high_hp", "low_hp", "difference", "low", "high", "p_t", "p_wilcoxon")
    row = {"metric": name, **dict(zip(names, found, strict=True))}
    return row | {"pairs": len(a), "texts": len(set(texts)), "seeds": seeds}
