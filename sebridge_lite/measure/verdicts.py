"""The one table of claims and the one rule that judges them, from the effects that their conditions name.

claims.json says of each claim what the paper prints for it, which table of ours shows it, and its conditions in a line of
text, `WHAT: WISH WISH ...; WHAT: WISH ...`. WHAT names an effect, such as `dgsa - sft`; a wish is a measure with the sign
that its effect should have (`+hp`), or after `!` a sign in which it must stay below the smallest effect (`!+wer_cal`).
The first condition is the claim's headline.

Each claim is judged twice: by the paper's protocol (`conditions`: all systems decoded alike, measures that the paper prints,
or what stands for its listening scores) and strictly, by ours (`strict`; the same conditions where we know no harder ones).
`forbidden` says how a shared clock, where there is one, keeps a phenomenon from happening. Left out: listening scores.
"""

import json
import math
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sebridge_lite.core.study_params import ClaimsParams
from sebridge_lite.measure.stats import Interval, change_of, columns, plain, value_range

Statement = namedtuple("Statement", "claim paper table conditions strict forbidden", defaults=(None, ""))
# C scaling, D DGSA, T TDSC, S systems and cloning
CLAIMS = {
    id: Statement(**row)
    for id, row in json.loads(Path(__file__).with_name("claims.json").read_text(encoding="utf-8")).items()
}
REPRODUCED, MIXED, NOT_REPRODUCED, CONTRADICTED = "reproduced", "mixed", "not reproduced", "contradicted"
NOT_TESTABLE, NOT_TESTED = "not testable here", "not tested"
VERDICTS = (REPRODUCED, MIXED, NOT_REPRODUCED, CONTRADICTED, NOT_TESTABLE, NOT_TESTED)
HELD = {"wer_cal": "wer", "pass_rate": "wer", "share": "wer"}  # whose smallest effect they are held to
EQUAL = "at equal word error, "  # how a strict condition along lines over temperatures begins
STANDS = ("rank", "correlation")  # effects that are a value, not a change


class Condition(NamedTuple):
    """An effect and the sign that it should have, or with `limit` the sign in which it must stay small."""

    what: str
    measure: str
    direction: int  # 1 or -1
    effect: Interval
    limit: bool = False

    @property
    def wanted(self) -> str:
        way = "up" if self.direction > 0 else "down"
        return f"not {way}" if self.limit else way


Conditions = Mapping[str, Sequence[Sequence[Condition]]]  # by claim: the paper's, and the strict ones
# The effect that a condition names, from WHAT and a measure; or several by their names, each then a condition of its own.
Effects = Callable[[str, str], Interval | Mapping[str, Interval]]


def conditions_of(text: str, effects: Effects) -> list[Condition]:
    """The conditions that a line of the little language asks for, with their effects."""
    conditions = []
    for part in text.split("; "):
        what, _, wishes = part.rpartition(": ")
        for wish in wishes.split():
            ((sign, name),) = re.findall(r"^(!?[+-])(\w+)$", wish)
            effect = effects(what, name)
            named = {what: effect} if isinstance(effect, Interval) else effect
            direction, limit = 1 if sign[-1] == "+" else -1, sign[0] == "!"
            conditions += [Condition(label, name, direction, one, limit) for label, one in named.items()]
    return conditions


def by_claim(ids: str | Iterable[str], effects: Effects) -> dict[str, tuple[list[Condition], list[Condition]]]:
    """The paper's and the strict conditions of these claims, or of all that begin with a letter."""
    asked = [id for id in CLAIMS if id[0] == ids] if isinstance(ids, str) else ids
    texts = {id: (CLAIMS[id].conditions, CLAIMS[id].strict or CLAIMS[id].conditions) for id in asked}
    return {id: (conditions_of(one, effects), conditions_of(other, effects)) for id, (one, other) in texts.items()}


def smallest(name: str, params: ClaimsParams) -> float:
    """The smallest effect worth the name."""
    return getattr(params, HELD.get(name, name))


def least_said(name: str, params: ClaimsParams) -> str:
    """The smallest effect in words, with its unit."""
    _, unit, by, digits = change_of(name)
    return value_range(smallest(name, params), None, None, unit, f".{digits}f", by)


def outcome(condition: Condition, params: ClaimsParams) -> str:
    """What the effect says, however few texts and seeds it has. Reproduced: the interval lies on the claimed side of 0, the
    mean at least the smallest effect from it. Contradicted: the same on the other side. A limit is contradicted where the
    change is shown, and holds where none worth the name is possible.
    """
    effect, least, way = condition.effect, smallest(condition.measure, params), condition.direction
    if not _known(effect):
        return NOT_TESTED
    side = 1 if effect.low > 0 else -1 if effect.high < 0 else 0
    shown = side if abs(effect.mean) >= least else 0
    if not condition.limit:
        return REPRODUCED if shown == way else CONTRADICTED if shown == -way else NOT_REPRODUCED
    if shown == way:
        return CONTRADICTED
    worst = effect.high if way > 0 else -effect.low
    return REPRODUCED if worst < least else NOT_REPRODUCED


def _known(effect: Interval) -> bool:
    return all(map(math.isfinite, (effect.mean, effect.low, effect.high)))


def enough(effect: Interval, params: ClaimsParams) -> bool:
    """Whether there are as many texts and training seeds as a verdict needs."""
    return effect.n >= params.min_texts and effect.seeds >= params.min_seeds


def verdict(condition: Condition, params: ClaimsParams) -> str:
    """Of one condition: its outcome, where there are enough texts and seeds."""
    return outcome(condition, params) if enough(condition.effect, params) else NOT_TESTED


def combined(words: Sequence[str], limits: Sequence[bool] = ()) -> str:
    """Of a claim, from the words of its conditions, the headline's first; `limits` says which of them are limits.

    A claim is reproduced when all hold, and mixed when some do: some hold and others do not, or one gain is paid with another.
    A limit that holds is no gain, so it makes no claim mixed, unless there are limits alone. Where none holds the headline
    decides.
    """
    if NOT_TESTED in words:
        return NOT_TESTED
    if set(words) == {REPRODUCED}:
        return REPRODUCED
    gains = [word for word, limit in zip(words, limits, strict=True) if not limit] if limits else words
    return MIXED if REPRODUCED in (gains or words) else CONTRADICTED if words[0] == CONTRADICTED else NOT_REPRODUCED


def judgement(conditions: Sequence[Condition], params: ClaimsParams, forbidden: str = "", judge=outcome) -> str:
    """Of a claim. Not testable here: the world forbids it, and no measured headline leaves the smallest effect."""
    effect = conditions[0].effect
    small = not _known(effect) or max(abs(effect.low), abs(effect.high)) < smallest(conditions[0].measure, params)
    if forbidden and small:
        return NOT_TESTABLE
    return combined([judge(one, params) for one in conditions], [one.limit for one in conditions])


def deciding(conditions: Sequence[Condition], params: ClaimsParams) -> Condition:
    """The condition that the verdict hangs on: the first that was not measured, or does not hold, or else the headline."""
    words = [outcome(one, params) for one in conditions]
    if NOT_TESTED not in words and REPRODUCED not in words:
        return conditions[0]
    for unwanted in (NOT_TESTED, CONTRADICTED, NOT_REPRODUCED):
        if unwanted in words:
            return conditions[words.index(unwanted)]
    return conditions[0]


def said(condition: Condition, params: ClaimsParams) -> str:
    """A condition in words, with its number: `dgsa - sft: Hp rises by 0.06 bits (0.04 to 0.08), as claimed`."""
    name, unit, by, digits = change_of(condition.measure)
    effect, turned, least = condition.effect, condition.effect.mean < 0, least_said(condition.measure, params)
    if condition.measure in STANDS:
        moved, sign = "is", 1
    elif float(plain(by * effect.mean, f".{digits}f")) == 0:
        moved, sign = "changes by", 1
    else:
        moved, sign = ("falls by", -1) if turned else ("rises by", 1)
    low, high = sorted((sign * effect.low, sign * effect.high))
    if abs(effect.mean) < smallest(condition.measure, params):
        digits += value_range(abs(effect.mean), None, None, unit, f".{digits}f", by) == least  # or it would look enough
    amount = value_range(sign * effect.mean, low, high, unit, f".{digits}f", by)
    word, certain = outcome(condition, params), effect.low > 0 or effect.high < 0
    if condition.limit:
        change = f"a {'rise' if condition.direction > 0 else 'fall'} of {least}"
        how = {REPRODUCED: f"{change} is excluded", CONTRADICTED: "which the claim excludes"}
        tail = how.get(word, f"so {change} is not excluded")
    elif word == NOT_REPRODUCED:
        tail = f"less than the {least} that count" if certain else "which its interval does not tell from 0"
        tail = f"the other way, by {tail}" if certain and turned == (condition.direction > 0) else tail
    else:
        tail = "as claimed" if word == REPRODUCED else "the other way"
    return f"{condition.what}: {name} {moved} {amount}, {tail}"


def why(conditions: Sequence[Condition], params: ClaimsParams, forbidden: str = "") -> str:
    """One sentence: what decided, with its number, and beside it what else held."""
    decided, word = deciding(conditions, params), judgement(conditions, params, forbidden)
    if word == NOT_TESTABLE:
        measured = f" ({said(decided, params)})" if _known(decided.effect) else ""
        return f"It cannot happen in this world: {forbidden}{measured}."
    if word == NOT_TESTED:
        told = "is unknown: their lines share too few word errors, or one was not run"
        told = told if decided.what.startswith(EQUAL) else "was not measured in this run"
        return f"{decided.what}: {change_of(decided.measure)[0]} {told}."
    held = [one for one in conditions if one is not decided and outcome(one, params) == REPRODUCED and not one.limit]
    first = f"{said(held[0], params)}; but " if word == MIXED and held else ""
    return f"{first}{said(decided, params)}."


def judged(conditions: Conditions, params: ClaimsParams) -> list[dict]:
    """Every claim with both verdicts, as claims.json has it: the only place that decides. What was not run is not tested.

    `ours`, `interval`, `what`, `measure`, `wanted` are of the condition that decided by the paper's protocol, None where nothing
    was measured; `headline` is the first condition's mean; `indicative` is the verdict with however few texts and seeds.
    """
    claims = []
    for id, (printed, strict) in conditions.items():
        statement, decided = CLAIMS[id], deciding(printed, params)
        forbidden = statement.forbidden if params.shared_clock else ""
        effects, known = [one.effect for one in printed], _known(decided.effect)
        effect, head = decided.effect, printed[0].effect
        row = {"id": id, "claim": statement.claim, "paper": statement.paper}
        row |= {"what": decided.what, "measure": decided.measure, "wanted": decided.wanted}
        row |= {"ours": effect.mean if known else None, "interval": (effect.low, effect.high) if known else None}
        row |= {"headline": head.mean if _known(head) else None}
        row |= {"n": min(one.n for one in effects), "seeds": min(one.seeds for one in effects)}
        row |= {"verdict": judgement(printed, params, forbidden, verdict)}
        row |= {"strict": judgement(strict, params, forbidden, verdict)}
        row |= {"indicative": judgement(printed, params, forbidden)}
        row |= {
            "why": why(printed, params, forbidden),
            "why_strict": why(strict, params, forbidden),
        }
        claims.append(row | {"source": f"results/{statement.table}.csv"})
    return claims


def as_conditions(conditions: Conditions, params: ClaimsParams) -> pd.DataFrame:
    """A row a condition, with a verdict for it alone; `rule` says whether the paper's protocol or ours asks it."""
    return pd.DataFrame(
        {"id": id, "rule": rule, "what": one.what, "measure": one.measure, "wanted": one.wanted}
        | columns("effect", one.effect)
        | {"verdict": verdict(one, params)}
        for id, both in conditions.items()
        for rule, some in zip(("paper", "strict"), both, strict=True)
        if rule == "paper" or CLAIMS[id].strict
        for one in some
    )


def indicated(row: Mapping) -> str:
    """What a claim of claims.json indicates where its texts or seeds are too few for a verdict, else ""."""
    word = row.get("indicative", NOT_TESTED)
    return word if row["verdict"] == NOT_TESTED != word else ""


def told(claims: Iterable[Mapping]) -> str:
    """A line a claim: its verdict by the paper's protocol and strictly, or what it indicates, and why."""

    def words(row: Mapping) -> str:
        small = f", indicates: {word}" if (word := indicated(row)) else ""
        strictly = f"; strictly {row['strict']}" if row.get("strict") else ""
        return f"{row['id']} {row['verdict']}{small}{strictly}. {row.get('why') or row['claim']}"

    return "\n".join(map(words, claims))


def write_claims(path: Path, claims: Sequence[Mapping]) -> None:
    """Writes a JSON list, a claim an object."""
    path.write_text(json.dumps(claims, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
