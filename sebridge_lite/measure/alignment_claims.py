"""The claims D1 to D9, read off the differences between the systems of Tables 3 and 7.

Each system stands at the point that dev chose for it. Left out: listening scores; the noise of the choice on dev.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.stats import Interval, columns
from sebridge_lite.measure.systems import UNKNOWN, Systems
from sebridge_lite.measure.verdicts import (
    CONTRADICTED,
    NOT_REPRODUCED,
    NOT_TESTED,
    REPRODUCED,
    Claim,
    Condition,
    claim,
    combined,
    verdict,
)

UNJUDGED = "cannot yet be judged against"
BETTER = "+hp +f0_std !+wer_cal"  # livelier by both measures, with words no worse
Rungs = Mapping[float, tuple[str, str]]  # alpha: DGSA, and the SFT policy that it starts from

# id: claim, what the paper prints, and our table
CLAIMS = {
    "D1": ("DGSA raises expressivity over SFT at no loss of WER (Sec. 5.3)", "Hp 10.36 to 10.52, WER 38.9 % (Table 3)", "table3"),
    "D2": ("Standard DPO raises expressivity and costs WER (Sec. 5.3)", "Hp 10.49 bits, WER 45.2 % (Table 3)", "table3"),
    "D3": ("Rejection sampling gives little (Sec. 5.3)", "Hp 10.41 bits, WER 40.5 % (Table 3)", "table3"),
    "D4": ("Without the expressivity objective speech stays flat (Sec. 5.3)", "Hp 10.38 bits (Table 7)", "table7"),
    "D5": ("Without the stability objective WER rises (Sec. 5.3)", "WER 38.9 to 46.5 % (Table 7)", "table7"),
    "D6": ("Pairs of random speakers hurt both (Sec. 5.3)", "Hp 10.41 bits, WER 42.8 % (Table 7)", "table7"),
    "D7": ("Dynamic weights beat fixed ones (Sec. 5.3)", "fixed: Hp 10.45 bits, WER 40.2 % (Table 7)", "table7"),
    "D8": ("DGSA's gain of Hp grows with alpha beyond alpha* (Sec. 5.3)", "0.02 at 67 %, 0.16 bit at 80 % (Fig. 5)", "figure5"),
    "D9": ("DGSA beats SFT continued on y_real (ours)", "no such control", "table3"),
}  # fmt: skip


def rungs_of(names: Sequence[str], alpha: float) -> dict[float, tuple[str, str]]:
    """dgsa and sft at `alpha`, dgsa-0.50 and sft-0.50 at 0.50, by rising alpha."""
    found = {float(name[5:]): (name, f"sft-{name[5:]}") for name in names if re.fullmatch(r"dgsa-[01]\.\d\d", name)}
    return dict(sorted((found | {alpha: ("dgsa", "sft")}).items()))


def by_alpha(found: Systems, rungs: Rungs) -> pd.DataFrame:
    """Fig. 5: what DGSA changes at each alpha."""
    rows = []
    for alpha, (one, other) in rungs.items():
        row: dict = {"alpha": alpha}
        for measure in ("hp", "wer_cal", "f0_std"):
            row |= columns(f"delta_{measure}", found.gain(measure, one, other))
        rows.append(row | {"texts": found.at("hp", one).n, "seeds": found.at("hp", one).seeds})
    return pd.DataFrame(rows)


class Part(NamedTuple):
    """A condition of a claim; `limit`: the effect must stay below the smallest one in `direction`, which would be a loss."""

    what: str
    measure: str
    direction: int
    effect: Interval
    limit: bool = False

    @property
    def condition(self) -> Condition:
        return Condition(self.effect, self.direction, {"wer_cal": "wer"}.get(self.measure, self.measure))

    def verdict(self, params: ClaimsParams) -> str:
        plain = verdict(self.condition, params)
        if not self.limit or plain == NOT_TESTED:
            return plain
        if plain == REPRODUCED:
            return CONTRADICTED  # the loss itself was shown
        worst = self.effect.high if self.direction > 0 else -self.effect.low
        return REPRODUCED if worst < getattr(params, self.condition.measure) else NOT_REPRODUCED

    @property
    def wanted(self) -> str:
        way = "up" if self.direction > 0 else "down"
        return f"not {way}" if self.limit else way


def _part(found: Systems, one: str, other: str, wish: str) -> Part:
    """`wish`: + or - or, for what must not be, !+ or !-, and the measure."""
    sign, measure = re.fullmatch(r"(!?[+-])(\w+)", wish).groups()
    effect = found.gain(measure, one, other)
    return Part(f"{one} - {other}", measure, 1 if sign[-1] == "+" else -1, effect, sign[0] == "!")


def _growth(found: Systems, rungs: Rungs, star: float) -> list[Part]:
    """From alpha* on, the gain at the last alpha less that at the first, and less that at the one before it."""
    steps = [pair for alpha, pair in rungs.items() if alpha >= star - 1e-9]
    parts = []
    for early in dict.fromkeys((steps[0], steps[-2])) if len(steps) > 1 else ():
        (one, other), (less, more) = steps[-1], early
        effect = found.contrast("hp", {one: 1.0, other: -1.0, less: -1.0, more: 1.0})
        parts.append(Part(f"({one} - {other}) - ({less} - {more})", "hp", 1, effect))
    return parts or [Part("dgsa at two values of alpha from alpha* on", "hp", 1, UNKNOWN)]


def parts_of(found: Systems, rungs: Rungs, star: float) -> dict[str, list[Part]]:
    """Every claim's conditions; the first is its headline."""
    asked = {
        "D1": [("dgsa", "sft", "+hp +h_cond +f0_std !+wer_cal")],
        "D2": [("dpo", "sft", "+hp +f0_std +wer_cal")],
        "D3": [("rejection", "sft", "!+hp !+f0_std !-wer_cal")],
        "D4": [("dgsa", "no-expr", "+hp +f0_std"), ("no-expr", "sft", "!+hp !+f0_std")],
        "D5": [("no-stab", "dgsa", "+wer_cal")],
        "D6": [("random-speaker", "dgsa", "-hp +wer_cal")],
        "D7": [("dgsa", "fixed", "+hp !+wer_cal")],
        "D9": [("dgsa", "sft-real", BETTER)],
    }
    parts = {id: [_part(found, one, other, wish) for one, other, wishes in rows for wish in wishes.split()]
             for id, rows in asked.items()}  # fmt: skip
    return dict(sorted((parts | {"D8": _growth(found, rungs, star)}).items()))


def claims_of(
    texts: Mapping[str, tuple[str, str, str]], parts: Mapping[str, Sequence[Part]], params: ClaimsParams, folder: str
) -> list[Claim]:
    """Claims from their conditions, by the rule of `params`; what a profile has not run is not tested. texts: as CLAIMS"""
    claims = []
    for id, some in parts.items():
        text, paper, table = texts[id]
        made = claim(id, text, paper, f"{folder}/{table}.csv", [part.condition for part in some], params)
        claims.append(replace(made, verdict=combined([part.verdict(params) for part in some])))
    return claims


def alignment_claims(parts: Mapping[str, Sequence[Part]], params: ClaimsParams, folder: str) -> list[Claim]:
    """D1 to D9 from `parts_of`."""
    return claims_of(CLAIMS, parts, params, folder)


def as_conditions(parts: Mapping[str, Sequence[Part]], params: ClaimsParams) -> pd.DataFrame:
    """A row a condition, with its own verdict."""
    return pd.DataFrame(
        {"id": id, "what": part.what, "measure": part.measure, "wanted": part.wanted, **columns("effect", part.effect),
         "verdict": part.verdict(params)}
        for id, some in parts.items() for part in some
    )  # fmt: skip


def finding(found: Systems, params: ClaimsParams) -> dict:
    """Whether DGSA beats, ties with or loses to SFT on y_real: a row. To beat is `BETTER` in all, to lose is the reverse."""
    there, back = (
        combined([_part(found, *pair, wish).verdict(params) for wish in BETTER.split()])
        for pair in (("dgsa", "sft-real"), ("sft-real", "dgsa"))
    )
    word = "beats" if there == REPRODUCED else "loses to" if back == REPRODUCED else "ties with"
    gains = {measure: found.gain(measure, "dgsa", "sft-real") for measure in ("hp", "f0_std", "wer_cal")}
    row: dict = {"dgsa": UNJUDGED if NOT_TESTED in (there, back) else word}
    for measure, gain in gains.items():
        row |= columns(measure, gain)
    return row | {"texts": gains["hp"].n, "seeds": gains["hp"].seeds}


def sentence(row: Mapping) -> str:
    """The finding in one line."""
    if not row["seeds"]:
        return "DGSA against SFT on y_real: not both in this profile; `sebridge profile lite` has them"
    hp, f0, wer = (
        f"{row[m] * by:+.2f} [{row[f'{m}_low'] * by:+.2f}, {row[f'{m}_high'] * by:+.2f}]"
        for m, by in (("hp", 1), ("f0_std", 1), ("wer_cal", 100))
    )
    return (
        f"DGSA {row['dgsa']} SFT on y_real: Hp {hp} bits, F0 std {f0} semitones, calibrated word error {wer} points "
        f"({row['texts']} texts, {row['seeds']} seed(s))"
    )
