"""The claims T1 to T13: what self-critique changes on unfiltered test samples, and what its candidates are.

Systems are policies after their last iteration, at the study's temperature. Left out: listening scores; the noise of the
choice of variants (there is none: all settings were fixed before).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.alignment_claims import Part, claims_of
from sebridge_lite.measure.bootstrap import mean_interval, paired_difference
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.stats import Interval, columns
from sebridge_lite.measure.systems import UNKNOWN, Systems, systems
from sebridge_lite.measure.verdicts import Claim, Condition

# id: claim, what the paper prints, and our table
CLAIMS = {
    "T1": ("TDSC lowers WER (Sec. 5.4)", "WER 38.5 to 29.8 % (Table 4)", "table4"),
    "T2": ("TDSC lowers repetition (Sec. 5.4)", "repetition 7.62 to 4.15 % (Table 4)", "table4"),
    "T3": ("TDSC raises Hp over SFT (Sec. 5.4)", "Hp 10.08 to 10.42 bits (Table 4)", "table4"),
    "T4": ("TDSC beats self-training (Sec. 5.4)", "WER 35.2 %, Hp 10.15 bits (Table 4)", "table4"),
    "T5": ("TDSC beats rejection sampling (Sec. 5.4)", "WER 36.8 %, Hp 10.11 bits (Table 4)", "table4"),
    "T6": ("The pass rate rises over iterations (Sec. 5.4)", "23 to 62 % (Fig. 6)", "passes"),
    "T7": ("Low temperature gives stability, high expressivity, and both add to G (Sec. 5.4)",
           "WER 26.8 / 32.4 / 41.6 %, Hp 9.85 / 10.38 / 10.82 bits, 42 / 35 / 23 % of G (Table 9)", "table9"),
    "T8": ("Without DPO both are worse (Table 8)", "WER 35.8 %, Hp 10.21 bits (Table 8)", "table8"),
    "T9": ("With T = 1 alone both are worse (Table 8)", "WER 34.1 %, Hp 10.05 bits (Table 8)", "table8"),
    "T10": ("Without the length filter both are worse (Table 8)", "WER 33.5 %, Hp 10.35 bits (Table 8)", "table8"),
    "T11": ("With a fixed Tmax both are worse (Table 8)", "WER 32.6 %, Hp 10.18 bits (Table 8)", "table8"),
    "T12": ("Without the repetition filter both are worse (Table 8)", "WER 31.2 %, Hp 10.28 bits (Table 8)", "table8"),
    "T13": ("The gain survives on unfiltered samples by a judge that never selected, outside the start's curve (ours)",
            "its final figures equal those of its filtered set (Table 9)", "frontier10"),
}  # fmt: skip
ABLATIONS = {"T8": "no-dpo", "T9": "t1-only", "T10": "no-length", "T11": "fixed-tmax", "T12": "no-repetition"}


class Share(Part):
    """Of a share of candidates: held to the smallest effect of word error, one in 50."""

    @property
    def condition(self) -> Condition:
        return Condition(self.effect, self.direction, "wer")


def less(found: Systems, one: str, other: str, measure: str, direction: int, limit: bool = False) -> Part:
    return Part(f"{one} - {other}", measure, direction, found.gain(measure, one, other), limit)


def relative(found: Systems, one: str, other: str) -> Interval:
    """What changes in word error, as a share of the other's."""
    names = found.names.get("wer", ())
    if one not in names or other not in names:
        return UNKNOWN
    curve, (i, j) = found.curves["wer"], (names.index(name) for name in (one, other))
    return curve.effect(curve.values[i] / curve.values[j] - 1, curve.spread[:, i] / curve.spread[:, j] - 1)


def passed(rows: pd.DataFrame) -> pd.Series:
    """Of each text, the share of its candidates that nothing was held against."""
    return (rows["rejected_for"].str.len() == 0).groupby(rows["text"]).mean()


def risen(first: Sequence[pd.Series], last: Sequence[pd.Series]) -> Interval:
    """A share by text, a series a seed, after and before."""
    return paired_difference(np.array(last, dtype=float), np.array(first, dtype=float)) if len(first) else UNKNOWN


def by_heat(rows: Sequence[pd.DataFrame], codes: Sequence[Mapping], size: int) -> dict[str, list[Scores]]:
    """Candidates as systems, one a temperature from cold to hot: what `judged` found of each, a table a seed."""
    found: dict[str, list[Scores]] = {}
    for table, spoken in zip(rows, codes, strict=True):
        renamed = table.rename(columns={"wrong": "words_wrong"}).assign(id=table["text"].astype(str))
        for heat, own in renamed.sort_values("temperature", kind="stable").groupby("temperature"):
            said = [spoken[name] for name in own["name"]]
            scores = Scores(own.reset_index(drop=True), token_counts(said, size), said, {})
            found.setdefault(f"T = {heat:g}", []).append(scores)
    return found


def contributions(rows: Sequence[pd.DataFrame]) -> dict[str, Interval]:
    """The share of G that each temperature gives."""
    found = {}
    for heat in sorted(rows[0]["temperature"].unique()):
        own = [(table["learnt"] & (table["temperature"] == heat)).groupby(table["text"]).sum() for table in rows]
        out_of = [table["learnt"].groupby(table["text"]).sum() for table in rows]
        found[f"T = {heat:g}"] = mean_interval(np.array(own, float), weights=np.array(out_of, float))
    return found


def heat_parts(heats: Systems, shares: Mapping[str, Interval]) -> list[Part]:
    """T7, of the candidates of one iteration; the names of both are temperatures from cold to hot."""
    if len(shares) < 3:
        return [Part("hot - cold", "wer", 1, UNKNOWN)]
    cold, plain, hot = shares
    steps = [
        less(heats, more, one, measure, 1) for measure in ("wer", "hp") for one, more in ((cold, plain), (plain, hot))
    ]
    return [*steps, *(Share(f"G from {name}", "share", 1, shares[name]) for name in (cold, hot))]


def lesser_gain(one: Sequence[Scores], start: Sequence[Scores], texts: slice, params: ClaimsParams) -> float:
    """The lesser of what is gained in words and in Hp, in smallest effects, on some of the texts."""
    wer, hp = (
        [np.mean([of(scores) for scores in some]) for some in (start, one)]
        for of in (
            lambda scores: scores.table["words_wrong"][texts].sum() / scores.table["words"][texts].sum(),
            lambda scores: jackknife(scores.counts[texts]).mean,
        )
    )
    return float(min((wer[0] - wer[1]) / params.wer, (hp[1] - hp[0]) / params.hp))


def against_start(found: Systems, name: str) -> list[Part]:
    """T13: fewer errors and more Hp at once."""
    return [less(found, name, "sft", "wer_cal", -1), less(found, name, "sft", "hp", 1)]


def beyond(
    start: Sequence[Scores], curve: Mapping[float, Sequence[Scores]], floor: float, params: ClaimsParams
) -> list[Part]:
    """T13: at some temperature better than the start on both axes, on the same texts. start: at the study's temperature.

    The best of several is no test of itself: each half of the texts is judged at the temperature that the other half chose.
    """
    if not curve or not start:
        return [Part("tdsc at some T - sft", "wer_cal", -1, UNKNOWN)]
    chosen = [
        max(curve, key=lambda heat: lesser_gain(curve[heat], start, slice(1 - half, None, 2), params))
        for half in (0, 1)
    ]
    even = np.arange(len(start[0].table)) % 2 == 0
    joined = [
        Scores(
            pd.concat([a.table[::2], b.table[1::2]]).sort_index(), np.where(even[:, None], a.counts, b.counts), [], {}
        )
        for a, b in zip(curve[chosen[0]], curve[chosen[1]], strict=True)
    ]
    name = "tdsc at T = " + " or ".join(f"{heat:g}" for heat in sorted(set(chosen)))
    found = systems({"sft": start, name: joined}, floor)
    return against_start(found, name)


def parts_of(
    found: Systems, rises: Mapping[str, Interval], heat: Sequence[Part], outside: Sequence[Part]
) -> dict[str, list[Part]]:
    """Every claim's conditions; the first is its headline. rises: of T6; heat: `heat_parts`; outside: `beyond`."""
    gain = less(found, "tdsc", "sft", "wer_cal", -1)
    parts = {
        "T1": [gain],
        "T2": [less(found, "tdsc", "sft", "rep", -1)],
        "T3": [less(found, "tdsc", "sft", "hp", 1)],
        "T4": [
            less(found, "tdsc", "self-training", "wer_cal", -1),
            less(found, "tdsc", "self-training", "hp", -1, True),
        ],
        "T5": [less(found, "tdsc", "rejection", "wer_cal", -1), less(found, "tdsc", "rejection", "hp", -1, True)],
        "T6": [Share(what, "pass rate", 1, effect) for what, effect in rises.items()],
        "T7": list(heat),
    }
    for id, name in ABLATIONS.items():
        parts[id] = [less(found, name, "tdsc", "wer_cal", 1), less(found, name, "tdsc", "hp", -1)]
    return parts | {"T13": [gain, *outside]}


def tdsc_claims(parts: Mapping[str, Sequence[Part]], params: ClaimsParams, folder: str) -> list[Claim]:
    """T1 to T13 from `parts_of`."""
    return claims_of(CLAIMS, parts, params, folder)


def with_relative(table: pd.DataFrame, found: Systems) -> pd.DataFrame:
    """Table 4 and what changes in word error, as a share of the start's."""
    changes = [columns("relative", relative(found, name, "sft")) for name in table["variant"]]
    return pd.concat([table, pd.DataFrame(changes)], axis=1)


def sentence(table: pd.DataFrame) -> str:
    """The finding in one line, from Table 4."""
    rows = table.to_dict("records")
    row = next((row for row in rows if row["variant"] == "tdsc"), None)
    if row is None:
        return "TDSC against its start: not in this table"
    wer, hp, f0 = (
        f"{row[m] * by:+.{digits}f} [{row[f'{m}_low'] * by:+.{digits}f}, {row[f'{m}_high'] * by:+.{digits}f}]"
        for m, by, digits in (("relative", 100, 0), ("hp_gain", 1, 2), ("f0_std_gain", 1, 2))
    )
    return (
        f"TDSC against its start, on unfiltered samples by the judge that never selected: word error {wer} %, "
        f"Hp {hp} bits, F0 std {f0} semitones ({row['texts']} texts, {row['seeds']} seed(s))"
    )
