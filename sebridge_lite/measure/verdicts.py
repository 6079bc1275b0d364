"""What is said of each of the paper's claims, by a rule that was written down before any result.

Left out: shades between the verdicts. A claim of several conditions is reproduced only when all of them are.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.stats import Interval

REPRODUCED, NOT_REPRODUCED, CONTRADICTED, NOT_TESTED = "reproduced", "not reproduced", "contradicted", "not tested"


@dataclass(frozen=True)
class Condition:
    """An effect, the sign it should have (1 or -1), and which of the smallest effects of ClaimsParams it is held to."""

    effect: Interval
    direction: int
    measure: str


@dataclass(frozen=True)
class Claim:
    """A row of results/claims.json; `ours`, `interval` are of the first condition, None where nothing was measured."""

    id: str
    claim: str
    paper: str
    ours: float | None
    interval: tuple[float, float] | None
    n: int
    seeds: int
    verdict: str
    source: str


def verdict(condition: Condition, params: ClaimsParams) -> str:
    """Reproduced: the interval lies on the claimed side of 0, the mean at least the smallest effect from it. Contradicted:
    the same on the other side."""
    effect, measure = condition.effect, condition.measure
    if condition.direction not in (1, -1):
        raise UserError(f"direction {condition.direction} of {measure}: 1 if the claim is of a rise, -1 if of a fall")
    if measure not in {field.name for field in fields(params)} - {"min_texts", "min_seeds"}:
        raise UserError(f"measure '{measure}': no smallest effect is set for it; add one to ClaimsParams")
    numbers = (effect.mean, effect.low, effect.high)
    if effect.n < params.min_texts or effect.seeds < params.min_seeds or not all(map(math.isfinite, numbers)):
        return NOT_TESTED
    side = 1 if effect.low > 0 else -1 if effect.high < 0 else 0
    if not side or abs(effect.mean) < getattr(params, measure):
        return NOT_REPRODUCED
    return REPRODUCED if side == condition.direction else CONTRADICTED


def combined(verdicts: Sequence[str]) -> str:
    """Of a claim with several conditions."""
    for decisive in (CONTRADICTED, NOT_TESTED, NOT_REPRODUCED):
        if decisive in verdicts:
            return decisive
    return REPRODUCED


def claim(id: str, text: str, paper: str, source: str, conditions: Sequence[Condition], params: ClaimsParams) -> Claim:
    """A judged claim. paper: what it prints; source: where our numbers are; the first condition is the headline."""
    if not conditions:
        raise UserError(f"claim {id}: no condition; give at least one effect to judge it by")
    head, effects = conditions[0].effect, [condition.effect for condition in conditions]
    known = all(map(math.isfinite, (head.mean, head.low, head.high)))
    return Claim(
        id,
        text,
        paper,
        head.mean if known else None,
        (head.low, head.high) if known else None,
        min(effect.n for effect in effects),
        min(effect.seeds for effect in effects),
        combined([verdict(condition, params) for condition in conditions]),
        source,
    )


def write_claims(path: Path, claims: Sequence[Claim]) -> None:
    """A JSON list, a claim an object."""
    names = [claim.id for claim in claims]
    if len(set(names)) < len(names):
        raise UserError(f"{path.name}: claims {', '.join(names)}: an id stands twice; keep one")
    text = json.dumps([asdict(claim) for claim in claims], ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
