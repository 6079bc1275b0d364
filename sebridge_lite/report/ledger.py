"""The claims ledger: every claim of the paper (and ours), its headline effect in readable units, and its verdict.

A claim that a run has not judged stands in it as not tested. Left out: conditions beyond the headline; the tables
`conditions_...` hold them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure import verdicts
from sebridge_lite.measure.stats import UNKNOWN, value_range
from sebridge_lite.measure.verdicts import CLAIMS
from sebridge_lite.paper import figures

VERDICTS = (verdicts.REPRODUCED, verdicts.NOT_REPRODUCED, verdicts.CONTRADICTED, verdicts.NOT_TESTED)


def ledger_row(id: str, found: Mapping | None, params: ClaimsParams) -> dict:
    """A claim as it is read. found: its row of claims.json, if there is one

    `scaled`: effect and interval in smallest effects, above 0 the claimed way, or None.
    """
    head = verdicts.conditions_of(CLAIMS[id].conditions, lambda what, measure: UNKNOWN)[0]
    label, by, digits = figures.measure(head.measure)
    name, _, unit = label.partition(", ")
    unit, least = unit.replace("%", "points"), verdicts.smallest(head.measure, params)
    about = {"id": id, "claim": CLAIMS[id].claim, "paper": CLAIMS[id].paper, "wanted": head.wanted}
    about["what"], about["smallest"] = f"{name}, {head.what}", value_range(least, None, None, unit, f".{digits}f", by)
    found = found or {"ours": None, "n": 0, "seeds": 0, "verdict": verdicts.NOT_TESTED, "source": ""}
    ours, scaled = "", None
    if found["ours"] is not None:
        mean, (low, high) = found["ours"], found["interval"]
        ours = value_range(mean, low, high, unit, f"+.{digits}f", by)
        turned = (mean, low, high) if head.wanted in ("up", "not down") else (-mean, -high, -low)
        scaled = tuple(value / least for value in turned)
    kept = {name: found[name] for name in ("claim", "paper", "n", "seeds", "verdict", "source") if name in found}
    return about | kept | {"ours": ours, "scaled": scaled}


def ledger(claims: Sequence[Mapping], params: ClaimsParams) -> list[dict]:
    """Every claim, in the paper's order. params: the rule that the claims were judged by"""
    found = {row["id"]: row for row in claims}
    return [ledger_row(id, found.get(id), params) for id in CLAIMS]


def counts(rows: Sequence[Mapping]) -> dict[str, int]:
    """How many claims have each verdict."""
    tally = Counter(row["verdict"] for row in rows)
    return {verdict: tally[verdict] for verdict in VERDICTS}
