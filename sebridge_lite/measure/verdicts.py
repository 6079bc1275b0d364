"""The one table of claims and the one rule that judges them, from the effects that their conditions name.

claims.json says of each claim what the paper prints for it, which table of ours shows it, and its conditions in a line of
text, `WHAT: WISH WISH ...; WHAT: WISH ...`. WHAT names an effect, such as `dgsa - sft`; a wish is a measure with the sign
that its effect should have (`+hp`), or after `!` the sign of a loss that must stay below the smallest effect (`!+wer_cal`).
The first condition is the claim's headline. Left out: listening scores, for which nothing here stands in; shades between
the verdicts.
"""

import json
import math
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.stats import Interval, columns

Statement = namedtuple(
    "Statement", "claim paper table conditions"
)  # paper: what it prints; table: ours, below results/
# C scaling, D DGSA, T TDSC, S systems and cloning
CLAIMS = {
    id: Statement(**row)
    for id, row in json.loads(Path(__file__).with_name("claims.json").read_text(encoding="utf-8")).items()
}
REPRODUCED, NOT_REPRODUCED, CONTRADICTED, NOT_TESTED = "reproduced", "not reproduced", "contradicted", "not tested"
HELD = {"wer_cal": "wer", "pass_rate": "wer", "share": "wer"}  # whose smallest effect they are held to


class Condition(NamedTuple):
    """An effect and the sign that it should have, or with `limit` the sign of a loss that must stay small."""

    what: str
    measure: str
    direction: int  # 1 or -1
    effect: Interval
    limit: bool = False

    @property
    def wanted(self) -> str:
        way = "up" if self.direction > 0 else "down"
        return f"not {way}" if self.limit else way


# The effect that a condition names, from WHAT and a measure; or several by their names, each then a condition of its own.
Effects = Callable[[str, str], Interval | Mapping[str, Interval]]


def conditions_of(text: str, effects: Effects) -> list[Condition]:
    """The conditions that a line of the little language asks for, with their effects."""
    conditions = []
    for part in text.split("; "):
        what, _, wishes = part.rpartition(": ")
        for wish in wishes.split():
            sign, measure = re.fullmatch(r"(!?[+-])(\w+)", wish).groups()
            effect = effects(what, measure)
            named = {what: effect} if isinstance(effect, Interval) else effect
            direction, limit = 1 if sign[-1] == "+" else -1, sign[0] == "!"
            conditions += [Condition(name, measure, direction, one, limit) for name, one in named.items()]
    return conditions


def by_claim(ids: str | Iterable[str], effects: Effects) -> dict[str, list[Condition]]:
    """The conditions of these claims, or of all that begin with a letter."""
    asked = [id for id in CLAIMS if id[0] == ids] if isinstance(ids, str) else ids
    return {id: conditions_of(CLAIMS[id].conditions, effects) for id in asked}


def smallest(measure: str, params: ClaimsParams) -> float:
    """The smallest effect worth the name."""
    return getattr(params, HELD.get(measure, measure))


def verdict(condition: Condition, params: ClaimsParams) -> str:
    """Reproduced: the interval lies on the claimed side of 0, the mean at least the smallest effect from it. Contradicted:
    the same on the other side. A limit is contradicted where the loss is shown, and holds where none worth the name is
    possible.
    """
    effect, least, way = condition.effect, smallest(condition.measure, params), condition.direction
    if effect.n < params.min_texts or effect.seeds < params.min_seeds or not _known(effect):
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


def combined(verdicts: Sequence[str]) -> str:
    """Of a claim with several conditions."""
    return next((word for word in (CONTRADICTED, NOT_TESTED, NOT_REPRODUCED) if word in verdicts), REPRODUCED)


def judged(conditions: Mapping[str, Sequence[Condition]], params: ClaimsParams) -> list[dict]:
    """Every claim with its verdict, as claims.json has it: the only place that decides. What was not run is not tested.

    `ours`, `interval` are of the first condition, None where nothing was measured.
    """
    claims = []
    for id, some in conditions.items():
        (claim, paper, table, _), effects = CLAIMS[id], [one.effect for one in some]
        head = effects[0]
        ours, interval = (head.mean, (head.low, head.high)) if _known(head) else (None, None)
        row = {"id": id, "claim": claim, "paper": paper, "ours": ours, "interval": interval}
        row |= {"n": min(effect.n for effect in effects), "seeds": min(effect.seeds for effect in effects)}
        row |= {"verdict": combined([verdict(one, params) for one in some]), "source": f"results/{table}.csv"}
        claims.append(row)
    return claims


def as_conditions(conditions: Mapping[str, Sequence[Condition]], params: ClaimsParams) -> pd.DataFrame:
    """A row a condition, with a verdict for it alone."""
    return pd.DataFrame(
        {"id": id, "what": one.what, "measure": one.measure, "wanted": one.wanted}
        | columns("effect", one.effect)
        | {"verdict": verdict(one, params)}
        for id, some in conditions.items()
        for one in some
    )


def write_claims(path: Path, claims: Sequence[Mapping]) -> None:
    """Writes a JSON list, a claim an object."""
    path.write_text(json.dumps(claims, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
