"""The claims ledger: every claim of the paper (and ours), its headline effect in readable units, and its verdict.

A claim that a run has not judged stands in it as not tested. Left out: conditions beyond the headline; the tables
`conditions_...` hold them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.claims import CLAIMS
from sebridge_lite.measure.stats import Interval
from sebridge_lite.measure.verdicts import CONTRADICTED, NOT_REPRODUCED, NOT_TESTED, REPRODUCED, Condition, verdict

VERDICTS = (REPRODUCED, NOT_REPRODUCED, CONTRADICTED, NOT_TESTED)
# measure of a condition: (unit, factor, digits)
UNITS = {
    "wer": ("points", 100, 1),
    "rep": ("points", 100, 2),
    "hp": ("bits", 1, 3),
    "f0_std": ("semitones", 1, 2),
    "sim": ("", 1, 2),
    "correlation": ("", 1, 2),
}


class Headline(NamedTuple):
    """The first condition of a claim: which effect, the smallest effect that it is held to, and the way it should go."""

    what: str
    measure: str
    wanted: str  # up, down, or not up: below the smallest effect


HEADLINES = {
    "C1": Headline("word error, last alpha less first", "wer", "down"),
    "C2": Headline("height of an interior peak of Hp", "hp", "up"),
    "C3": Headline("repetition, 80 to 100 % less 40 to 67 %", "rep", "up"),
    "C4": Headline("F0 std, 100 % less 40 to 50 %", "f0_std", "down"),
    "C5": Headline("F0 std, the next lowest less 100 %", "f0_std", "up"),
    "C6": Headline("correlation of Hp and F0 std over alpha", "correlation", "up"),
    "C7": Headline("speaker similarity, last alpha less first", "sim", "down"),
    "C8": Headline("F0 std, high Hp less low Hp", "f0_std", "up"),
    "D1": Headline("Hp, DGSA less SFT", "hp", "up"),
    "D2": Headline("Hp, DPO less SFT", "hp", "up"),
    "D3": Headline("Hp, best of N less SFT", "hp", "not up"),
    "D4": Headline("Hp, DGSA less DGSA without the expressivity objective", "hp", "up"),
    "D5": Headline("word error, without the stability objective less DGSA", "wer", "up"),
    "D6": Headline("Hp, random speakers less DGSA", "hp", "down"),
    "D7": Headline("Hp, DGSA less fixed weights", "hp", "up"),
    "D8": Headline("gain of Hp, last alpha less alpha*", "hp", "up"),
    "D9": Headline("Hp, DGSA less SFT on y_real", "hp", "up"),
    "T1": Headline("word error, TDSC less SFT", "wer", "down"),
    "T2": Headline("repetition, TDSC less SFT", "rep", "down"),
    "T3": Headline("Hp, TDSC less SFT", "hp", "up"),
    "T4": Headline("word error, TDSC less self-training", "wer", "down"),
    "T5": Headline("word error, TDSC less rejection sampling", "wer", "down"),
    "T6": Headline("pass rate of candidates, last iteration less first", "wer", "up"),
    "T7": Headline("word error, plain temperature less cold", "wer", "up"),
    "T8": Headline("word error, without DPO less TDSC", "wer", "up"),
    "T9": Headline("word error, T = 1 alone less TDSC", "wer", "up"),
    "T10": Headline("word error, without the length filter less TDSC", "wer", "up"),
    "T11": Headline("word error, fixed Tmax less TDSC", "wer", "up"),
    "T12": Headline("word error, without the repetition filter less TDSC", "wer", "up"),
    "T13": Headline("word error, TDSC less SFT", "wer", "down"),
    "S1": Headline("F0 std, Thai, DGSA less SFT", "f0_std", "up"),
    "S2": Headline("similarity, Thai, above other speakers", "sim", "up"),
    "S3": Headline("similarity, Lao in a Thai voice, above other speakers", "sim", "up"),
}
# claim: (the paper's statement in our words, what it prints)
STATEMENTS = {id: (one.claim, one.paper) for id, one in CLAIMS.items()}


class Row(NamedTuple):
    """A claim as it is read; `scaled`: effect and interval in smallest effects, above 0 the claimed way, or None."""

    id: str
    claim: str
    paper: str
    what: str
    wanted: str
    ours: str
    smallest: str
    n: int
    seeds: int
    verdict: str
    source: str
    scaled: tuple[float, float, float] | None


def in_units(measure: str, values: Sequence[float], sign: str = "+") -> str:
    """An effect, or an effect and its interval."""
    unit, factor, digits = UNITS[measure]
    mean, *ends = (f"{factor * value:{sign}.{digits}f}" for value in values)
    between = f" ({ends[0]} to {ends[1]})" if ends else ""
    return f"{mean}{between} {unit}".strip()


def ledger_row(id: str, found: Mapping | None, params: ClaimsParams) -> Row:
    """found: the claim's row of claims.json, if there is one."""
    (text, paper), head = STATEMENTS[id], HEADLINES[id]
    least = getattr(params, head.measure)
    smallest = in_units(head.measure, [least], "")
    if found is None:
        return Row(id, text, paper, head.what, head.wanted, "", smallest, 0, 0, NOT_TESTED, "", None)
    ours, scaled = "", None
    if found["ours"] is not None:
        effect = (found["ours"], *found["interval"])
        ours = in_units(head.measure, effect)
        if head.wanted == "up":
            scaled = tuple(value / least for value in effect)
        else:
            scaled = tuple(-value / least for value in (effect[0], effect[2], effect[1]))
    about = (found["claim"], found["paper"], head.what, head.wanted, ours, smallest)
    return Row(id, *about, found["n"], found["seeds"], found["verdict"], found["source"], scaled)


def ledger(claims: Sequence[Mapping], params: ClaimsParams) -> list[Row]:
    """Every claim, in the paper's order; params: the rule that the claims were judged by."""
    found = {row["id"]: row for row in claims}
    return [ledger_row(id, found.get(id), params) for id in HEADLINES]


def by_headline(found: Mapping, params: ClaimsParams) -> str:
    """The verdict that a claim would have if its first condition were all of it. found: its row of claims.json"""
    head = HEADLINES[found["id"]]
    ends = found["interval"] or (math.nan, math.nan)
    effect = Interval(math.nan if found["ours"] is None else found["ours"], *ends, found["n"], found["seeds"])
    way = -1 if head.wanted == "down" else 1
    return verdict(Condition(head.what, head.measure, way, effect, head.wanted.startswith("not")), params)


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How often each verdict."""
    return {verdict: sum(row.verdict == verdict for row in rows) for verdict in VERDICTS}
