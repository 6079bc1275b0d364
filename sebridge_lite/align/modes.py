"""What y_real, y_expr and y_stab are, before anything is trained on them: DGSA supposes that y_expr is livelier than y_stab
(Hp, F0) and worse in its words. Left out: the scoring judge, which listens to results only.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from sebridge_lite.align.pairs import MODES, Triplet, spoken_by
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.measure.bootstrap import mean_interval, paired_difference
from sebridge_lite.measure.entropy import jackknife, prosodic_entropy, token_counts
from sebridge_lite.measure.metrics import repetition_rate, word_errors
from sebridge_lite.measure.prosody import describe
from sebridge_lite.measure.scoring import K
from sebridge_lite.measure.stats import columns
from sebridge_lite.stack.stack import Stack

MEASURES = {  # name: column, and what it is counted out of (None: a plain mean over utterances)
    "wer": ("words_wrong", "words"),
    "rep": ("repeats", "windows"),
    "tokens": ("tokens", None),
    "f0_std": ("f0_std_st", None),
    "energy_std": ("energy_std_db", None),
}


def said_in(
    stack: Stack, triplets: Sequence[Triplet], of: Sequence[Utterance], folder: Path, mode: str, seed: int
) -> list[Tensor]:
    """One mode as sound, each in the voice of its real recording."""
    timbres = stack.timbres(stack.load(of, folder))
    noises = [seed_of(seed, "sound", triplet.name) for triplet in triplets]
    return stack.speak([getattr(triplet, mode) for triplet in triplets], timbres, noises)


def through_codec(
    stack: Stack, triplets: Sequence[Triplet], of: Sequence[Utterance], folder: Path, seed: int
) -> list[Triplet]:
    """The losers decoded and tokenised again: as y_real they are then tokens of a sound, whatever the LM's own look like."""
    expr, stab = (stack.tokens(said_in(stack, triplets, of, folder, mode, seed)) for mode in ("expr", "stab"))
    return [t._replace(expr=e, stab=s) for t, e, s in zip(triplets, expr, stab, strict=True)]


def mode_rows(
    stack: Stack, triplets: Sequence[Triplet], utterances: Sequence[Utterance], folder: Path, decoded: int, seed: int
) -> pd.DataFrame:
    """A row a triplet and mode: errors by the *selecting* judge, repeats, length; of the first `decoded` also the melody."""
    of, tables = spoken_by(triplets, utterances), []
    for mode in MODES:
        codes = [getattr(triplet, mode) for triplet in triplets]
        wrong, words = word_errors([utterance.words for utterance in of], stack.read(codes, of[0].lang))
        repeats, windows = repetition_rate(codes, K)
        table = pd.DataFrame(
            {"id": [utterance.id for utterance in of], "mode": mode, "words_wrong": wrong, "words": words}
        )
        table = table.assign(repeats=repeats, windows=windows, tokens=[len(row) for row in codes])
        tracks = stack.tracks_of_each(said_in(stack, triplets[:decoded], of[:decoded], folder, mode, seed))
        melody = pd.DataFrame([describe(track.f0, track.energy, np.nan) for track in tracks])
        tables.append(table.join(melody[["f0_std_st", "energy_std_db"]]))
    return pd.concat(tables, ignore_index=True)


def _counts(triplets: Sequence[Triplet], mode: str, codes: int) -> np.ndarray:
    """By utterance, whose samples move together. (U, V)"""
    by_row = pd.DataFrame(token_counts([getattr(triplet, mode) for triplet in triplets], codes))
    return by_row.groupby([triplet.name.rpartition("/")[0] for triplet in triplets]).sum().to_numpy()


def modes(rows: pd.DataFrame, triplets: Sequence[Triplet], codes: int) -> pd.DataFrame:
    """What y_real, y_expr and y_stab are: a row a mode, Hp and each of MEASURES with `_low` and `_high`."""
    table = []
    for mode in MODES:
        own = rows[rows["mode"] == mode]
        row = {"mode": mode, "pairs": len(own), "texts": own["id"].nunique()}
        row |= columns("hp", jackknife(_counts(triplets, mode, codes)))
        for name, (top, bottom) in MEASURES.items():
            row |= columns(name, mean_interval(own[top], own["id"], own.get(bottom)))
        table.append(row)
    return pd.DataFrame(table)


def premise(rows: pd.DataFrame, triplets: Sequence[Triplet], codes: int) -> pd.DataFrame:
    """Differences between modes of the same texts: DGSA supposes that expr is above stab in Hp, F0 std and word error."""
    table = []
    for one, other in (("expr", "stab"), ("real", "expr"), ("real", "stab")):
        a, b = (rows[rows["mode"] == mode] for mode in (one, other))
        both = np.hstack([_counts(triplets, mode, codes) for mode in (one, other)])
        found = {"hp": jackknife(both, lambda c: prosodic_entropy(c[..., :codes]) - prosodic_entropy(c[..., codes:]))}
        for name, (top, bottom) in MEASURES.items():
            found[name] = paired_difference(a[top], b[top], a["id"], a.get(bottom), b.get(bottom))
        for name, gap in found.items():
            what = {"modes": f"{one} - {other}", "measure": name}
            table.append(what | {"difference": gap.mean, "low": gap.low, "high": gap.high})
    return pd.DataFrame(table)
