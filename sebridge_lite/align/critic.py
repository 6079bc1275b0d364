"""What TDSC's judge makes of candidates (Sec. 4): a table with a row a candidate, and Table 9, which sums it up by temperature.

Everything that `align.tdsc` decides is a choice of rows of this table.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.metrics import repetition_rate, word_errors
from sebridge_lite.measure.scoring import K
from sebridge_lite.stack.batches import unless_empty

Listen = Callable[[list[Tensor]], list[list[str]]]  # the judge that selects: tokens of each candidate to words


class Text(NamedTuple):
    """What is to be said; an utterance serves as well."""

    text: str
    words: Sequence[str]


class Length(NamedTuple):
    """|x| of Eq. 16, to which the paper gives no unit: the speech tokens expected of a text, a line in its characters."""

    slope: float  # tokens a character
    start: float  # tokens

    def of(self, text: str) -> float:
        return max(1.0, self.start + self.slope * len(text))


def fit_length(texts: Sequence[str], codes: Sequence[Tensor]) -> Length:
    """The line of least squares through the training set."""
    characters = np.array([len(text) for text in texts])
    if len(np.unique(characters)) < 2:
        raise UserError(f"{len(texts)} training texts: two of different length are needed to know how long speech is")
    return Length(*map(float, np.polyfit(characters, [len(row) for row in codes], 1)))


def judged(
    groups: Sequence[Sequence[Tensor]],
    texts: Sequence[Text | Utterance],
    heats: Sequence[float],
    length: Length,
    listen: Listen,
) -> pd.DataFrame:
    """A row for each of the C candidates of T texts, which were sampled at the temperatures `heats` (C,)."""
    if not texts:
        raise UserError("texts: none; TDSC needs at least one text to speak")
    rows = [row for group in groups for row in group]
    said = [text for text, group in zip(texts, groups, strict=True) for _ in group]
    read = unless_empty(lambda places: listen([rows[i] for i in places]), rows, [])
    wrong, words = word_errors([text.words for text in said], read)
    repeats, windows = repetition_rate(rows, K)
    places = [(text, slot) for text, group in enumerate(groups) for slot in range(len(group))]
    columns = {
        "name": [f"{text}/{slot}" for text, slot in places],
        "text": [text for text, _ in places],
        "slot": [slot for _, slot in places],
        "temperature": [heat for _ in groups for heat in heats],
        "wrong": wrong,
        "words": words,
        "wer": wrong / words,
        "repeats": repeats,
        "windows": windows,
        "rep": repeats / np.maximum(windows, 1),
        "tokens": [len(row) for row in rows],
        "expected": [length.of(text.text) for text in said],
        "read": [" ".join(heard) for heard in read],
    }
    table = pd.DataFrame(columns)
    spoken = pd.DataFrame({"text": table["text"], "codes": [tuple(row.tolist()) for row in rows]})
    return table.assign(again=spoken.duplicated())  # the same tokens as an earlier candidate of its text


def by_temperature(
    table: pd.DataFrame, why: pd.DataFrame, accepted: Sequence[int], rows: Sequence[Tensor], codes: int
) -> pd.DataFrame:
    """Table 9: what each temperature gives and what it contributes to G.

    rows: the tokens of each candidate; codes: how many tokens there are. Errors are those of the judge that selects. Hp is
    that of all candidates of a temperature, NaN with fewer than two texts.
    """
    lines = []
    for heat, part in table.groupby("temperature"):
        counts = pd.DataFrame(token_counts([rows[i] for i in part.index], codes)).groupby(part["text"].to_numpy()).sum()
        reasons = why.loc[part.index]
        line = {
            "temperature": heat,
            "candidates": len(part),
            "wer": part["wrong"].sum() / part["words"].sum(),
            "hp": jackknife(counts.to_numpy()).mean if len(counts) > 1 and counts.to_numpy().any() else np.nan,
            "rep": part["repeats"].sum() / max(1, part["windows"].sum()),
            "pass_rate": 1 - reasons.any(axis=1).mean(),
            "contribution": part.index.isin(accepted).sum() / max(1, len(accepted)),
            "again": part["again"].mean(),
        }
        lines.append(line | {f"rejected_{reason}": reasons[reason].mean() for reason in why})
    return pd.DataFrame(lines)


def dropped(table: pd.DataFrame, accepted: Sequence[int], texts: Sequence[Text]) -> dict[str, float]:
    """The shares of texts, and of different words, that G does not hold: whether what is hard goes missing."""
    kept = set(table.loc[list(accepted), "text"])
    vocabulary = {word for text in texts for word in text.words}
    held = {word for place in kept for word in texts[place].words}
    return {"texts_dropped": 1 - len(kept) / len(texts), "words_dropped": 1 - len(held) / len(vocabulary)}
