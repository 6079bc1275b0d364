"""The effects that T1 to T13 are judged by: what self-critique changes on unfiltered test samples, and its candidates.

Systems are policies after their last iteration, at the study's temperature. Left out: listening scores; the noise of the
choice of variants (there is none: all settings were fixed before).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.bootstrap import mean_interval, paired_difference
from sebridge_lite.measure.claims import claims_of
from sebridge_lite.measure.dgsa_effects import gains
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.stats import Interval, columns, row_range
from sebridge_lite.measure.systems import UNKNOWN, Systems, systems
from sebridge_lite.measure.verdicts import Condition, by_claim

NOWHERE = "tdsc at some T", Systems({}, {})


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
    """How far a share by text, a series a seed, has risen from first to last."""
    return paired_difference(np.array(last, dtype=float), np.array(first, dtype=float)) if len(first) else UNKNOWN


def by_heat(rows: Sequence[pd.DataFrame], codes: Sequence[Mapping], size: int) -> dict[str, list[Scores]]:
    """Candidates as systems, one a temperature from cold to hot: what `judged` found of each, a table a seed."""
    found: dict[str, list[Scores]] = {}
    for table, spoken in zip(rows, codes, strict=True):
        renamed = table.rename(columns={"wrong": "words_wrong"}).assign(id=table["text"].astype(str))
        for heat, part in renamed.sort_values("temperature", kind="stable").groupby("temperature"):
            said = [spoken[name] for name in part["name"]]
            scores = Scores(part.reset_index(drop=True), token_counts(said, size), said, {})
            found.setdefault(f"T = {heat:g}", []).append(scores)
    return found


def contributions(rows: Sequence[pd.DataFrame]) -> dict[str, Interval]:
    """The share of G that each temperature gives."""
    out_of = np.array([table["learnt"].groupby(table["text"]).sum() for table in rows], float)
    shares = {}
    for heat in sorted(rows[0]["temperature"].unique()):
        given = [(table["learnt"] & (table["temperature"] == heat)).groupby(table["text"]).sum() for table in rows]
        shares[f"T = {heat:g}"] = mean_interval(np.array(given, float), weights=out_of)
    return shares


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


def beyond(
    start: Sequence[Scores], curve: Mapping[float, Sequence[Scores]], floor: float, params: ClaimsParams
) -> tuple[str, Systems]:
    """TDSC at its best temperature (its name) beside its start, on the same texts. start: at the study's temperature.

    The best of several is no test of itself: each half of the texts is judged at the temperature that the other half chose.
    """
    if not curve or not start:
        return NOWHERE
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
    return name, systems({"sft": start, name: joined}, floor)


def _by_heat(heats: Systems | None, shares: Mapping[str, Interval], measure: str) -> dict[str, Interval]:
    """T7, of the candidates of one iteration; the names of shares are temperatures from cold to hot."""
    if heats is None or len(shares) < 3:
        return {"hot - cold": UNKNOWN}
    cold, plain, hot = shares
    if measure == "share":
        return {f"G from {name}": shares[name] for name in (cold, hot)}
    return {f"{more} - {less}": heats.gain(measure, more, less) for less, more in ((cold, plain), (plain, hot))}


def tdsc_conditions(
    found: Systems,
    rises: Mapping[str, Interval] | None = None,
    heats: Systems | None = None,
    shares: Mapping[str, Interval] | None = None,
    outside: tuple[str, Systems] = NOWHERE,
) -> dict[str, list[Condition]]:
    """The conditions of T1 to T13. rises: of T6; heats, shares: of T7; outside: `beyond`, or systems and a name there."""

    def effects(what: str, measure: str):
        if what == "rise":
            return rises or UNKNOWN
        if measure == "share" or what == "hotter - colder":
            return _by_heat(heats, shares or {}, measure)
        if what.startswith("tdsc at its best T"):
            name, there = outside
            return {f"{name} - sft": there.gain(measure, name, "sft")}
        return gains(found)(what, measure)

    return by_claim(claims_of("T"), effects)


def with_relative(table: pd.DataFrame, found: Systems) -> pd.DataFrame:
    """Table 4 and what changes in word error, as a share of the start's."""
    changes = [columns("relative", relative(found, name, "sft")) for name in table["variant"]]
    return pd.concat([table, pd.DataFrame(changes)], axis=1)


def sentence(table: pd.DataFrame) -> str:
    """The finding in one line, from Table 4."""
    row = next((row for row in table.to_dict("records") if row["variant"] == "tdsc"), None)
    if row is None:
        return "TDSC against its start: not in this table"
    return (
        "TDSC against its start, on unfiltered samples by the judge that never selected: word error "
        f"{row_range(row, 'relative', '%', '+.0f', 100)}, Hp {row_range(row, 'hp_gain', 'bits', '+.2f')}, F0 std "
        f"{row_range(row, 'f0_std_gain', 'semitones', '+.2f')} ({row['texts']} texts, {row['seeds']} seed(s))"
    )
