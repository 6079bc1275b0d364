"""TDSC's critic (Sec. 4): at which temperatures the policy speaks, what the judge says of it, and why it rejects.

Candidates are rows of a table (`judged`); everything after it, here and in `align.tdsc`, is a choice of rows. Left out:
listening to candidates (the judge reads their tokens, unless the caller hands in another).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import TdscParams
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.metrics import repetition_rate, word_errors
from sebridge_lite.measure.scoring import K
from sebridge_lite.stack.batches import unless_empty

RISE = 0.1  # of Tmax, an iteration
BEFORE = {"paper_d2": 0.8, "table12": 1.3, "table12_first": 1.2}  # Tmax at k = 0
REASONS = ("wer", "repetition", "short", "long")


def temperatures(k: int, p: TdscParams) -> tuple[float, ...]:
    """Eq. 15 (Sec. 4): the temperatures of iteration k = 1, 2, ...: cold, plain and Tmax(k).

    The paper has several schedules: 0.8 + 0.1 k (D.2, `paper_d2`) and "starts at 1.3, + 0.1" (Table 12), which is 1.3 + 0.1 k
    (`table12`) or has its 1.3 at k = 1 (`table12_first`). `fixed` and `one` (plain alone) are those of Table 8.
    """
    if p.schedule == "one":
        return (p.plain,)
    return (p.cold, p.plain, p.fixed_tmax if p.schedule == "fixed" else round(BEFORE[p.schedule] + RISE * k, 6))


def rows_of(heats: Sequence[float], candidates: int) -> list[float]:
    """The temperature of each candidate of a text, as many at each temperature."""
    if candidates % len(heats):
        raise UserError(f"candidates: {candidates} do not divide among {len(heats)} temperatures; take a multiple of 3")
    return [heat for heat in heats for _ in range(candidates // len(heats))]


class Length(NamedTuple):
    """|x| of Eq. 16, to which the paper gives no unit: the speech tokens expected of a text, a line in its characters."""

    slope: float  # tokens a character
    start: float  # tokens

    def of(self, text: str) -> float:
        return max(1.0, self.start + self.slope * len(text))


def fit_length(texts: Sequence[str], codes: Sequence[Tensor]) -> Length:
    """By least squares over the training set."""
    characters = np.array([len(text) for text in texts])
    if len(np.unique(characters)) < 2:
        raise UserError(f"{len(texts)} training texts: two of different length are needed to know how long speech is")
    return Length(*map(float, np.polyfit(characters, [len(row) for row in codes], 1)))


def judged(
    groups: Sequence[Sequence[Tensor]],
    words: Sequence[Sequence[str]],
    heats: Sequence[float],
    length: Length,
    listen: Callable[[list[Tensor]], list[list[str]]],
) -> pd.DataFrame:
    """A row a candidate: C of each of T texts, whose temperatures are `heats` (C,). `listen`: codes to words, the judge."""
    if not words:
        raise UserError("texts: none; TDSC needs at least one text to speak")
    rows = [row for group in groups for row in group]
    said = [text for text, group in zip(words, groups, strict=True) for _ in group]
    read = unless_empty(lambda some: listen([rows[i] for i in some]), rows, [])
    wrong, out_of = word_errors(said, read)
    repeats, windows = repetition_rate(rows, K)
    table = pd.DataFrame({
        "text": np.repeat(np.arange(len(words)), [len(group) for group in groups]),
        "slot": [slot for group in groups for slot in range(len(group))],
        "temperature": [heat for _ in groups for heat in heats],
        "wrong": wrong, "words": out_of, "wer": wrong / out_of,
        "repeats": repeats, "windows": windows, "rep": repeats / np.maximum(windows, 1),
        "tokens": [len(row) for row in rows], "expected": [length.of("".join(text)) for text in said],
        "read": [" ".join(found) for found in read],
    })  # fmt: skip
    spoken = pd.DataFrame({"text": table["text"], "codes": [tuple(row.tolist()) for row in rows]})
    return table.assign(again=spoken.duplicated())  # as an earlier one of its text


def decide(table: pd.DataFrame, p: TdscParams) -> pd.DataFrame:
    """Eq. 16 (Sec. 4): C(y) = [WER < .40] [Rep < .10] [.5 |x| <= length <= 2 |x|]; a column a reason to reject (N, 4).

    A candidate may have several; it is accepted when it has none.
    """
    short, long = p.shortest * table["expected"], p.longest * table["expected"]
    broken = (table["wer"] >= p.max_wer, table["rep"] >= p.max_rep, table["tokens"] < short, table["tokens"] > long)
    return pd.DataFrame(dict(zip(REASONS, broken, strict=True)))


def by_temperature(
    table: pd.DataFrame, why: pd.DataFrame, used: Sequence[int], rows: Sequence[Tensor], codes: int
) -> pd.DataFrame:
    """Table 9: what each temperature gives and what it contributes to G. rows: the candidates' codes, of so many.

    Errors are the *selecting* judge's. Hp is that of all candidates of the temperature, NaN with fewer than two texts.
    """
    found = []
    for heat, own in table.groupby("temperature"):
        counts = pd.DataFrame(token_counts([rows[i] for i in own.index], codes)).groupby(own["text"].to_numpy()).sum()
        found.append({
            "temperature": heat, "candidates": len(own), "wer": own["wrong"].sum() / own["words"].sum(),
            "hp": jackknife(counts.to_numpy()).mean if len(counts) > 1 and counts.to_numpy().any() else np.nan,
            "rep": own["repeats"].sum() / max(1, own["windows"].sum()),
            "pass_rate": 1 - why.loc[own.index].any(axis=1).mean(),
            "contribution": own.index.isin(used).sum() / max(1, len(used)), "again": own["again"].mean(),
            **{f"rejected_{reason}": why.loc[own.index, reason].mean() for reason in REASONS},
        })  # fmt: skip
    return pd.DataFrame(found)


def dropped(table: pd.DataFrame, used: Sequence[int], words: Sequence[Sequence[str]]) -> dict[str, float]:
    """Whether hard texts and words go missing: shares of texts, and of different words, that G does not hold."""
    kept = set(table.loc[list(used), "text"])
    vocabulary = {word for text in words for word in text}
    held = {word for place in kept for word in words[place]}
    return {"texts_dropped": 1 - len(kept) / len(words), "words_dropped": 1 - len(held) / len(vocabulary)}
