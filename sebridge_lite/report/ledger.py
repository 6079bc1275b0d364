"""The claims ledger: every claim of the paper (and ours), the effect that decided, in readable units, and its verdicts.

A claim that a run has not judged stands in it as not tested. Left out: the other conditions (tables
`conditions_...`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sebridge_lite.core.study_params import ClaimsParams
from sebridge_lite.measure import verdicts
from sebridge_lite.measure.stats import UNKNOWN, change_of, number_of, value_range
from sebridge_lite.measure.verdicts import CLAIMS, CONTRADICTED, NOT_TESTABLE, NOT_TESTED, REPRODUCED, VERDICTS

GROUPS = {"C": "more synthetic speech", "D": "DGSA", "T": "TDSC", "S": "systems and cloning"}


def ledger_row(id: str, found: Mapping | None, params: ClaimsParams) -> dict:
    """A claim as it is read. found: its row of claims.json, if there is one

    `scaled`: effect and interval in smallest effects, above 0 the claimed way, or None.
    """
    head = verdicts.conditions_of(CLAIMS[id].conditions, lambda what, measure: UNKNOWN)[0]
    about = {"id": id, "claim": CLAIMS[id].claim, "paper": CLAIMS[id].paper, "what": head.what, "measure": head.measure}
    about |= {"wanted": head.wanted, "n": 0, "seeds": 0, "verdict": NOT_TESTED, "strict": "", "indicative": NOT_TESTED}
    about |= {"why": "", "why_strict": "", "source": ""}
    row = about | {name: found[name] for name in about if name in found} if found else about
    name, unit, by, digits = change_of(row["measure"])
    least = verdicts.smallest(row["measure"], params)
    ours, scaled = "", None
    if found and found["ours"] is not None:
        mean, (low, high) = found["ours"], found["interval"]
        ours = value_range(mean, low, high, unit, f"+.{digits}f", by)
        turned = (mean, low, high) if row["wanted"] in ("up", "not down") else (-mean, -high, -low)
        scaled = tuple(value / least for value in turned)
    shown = {"what": f"{name}, {row['what']}", "smallest": verdicts.least_said(row["measure"], params)}
    return row | shown | {"ours": ours, "scaled": scaled}


def ledger(claims: Sequence[Mapping], params: ClaimsParams) -> list[dict]:
    """Every claim, in the paper's order. params: the rule that the claims were judged by"""
    found = {row["id"]: row for row in claims}
    return [ledger_row(id, found.get(id), params) for id in CLAIMS]


def counts(rows: Sequence[Mapping]) -> dict[str, int]:
    """How many claims have each verdict."""
    tally = Counter(row["verdict"] for row in rows)
    return {verdict: tally[verdict] for verdict in VERDICTS}


def entry(row: Mapping, summary: Mapping) -> str:
    """A verdict in the vocabulary of the ICML 2026 open reproductions; a small model verifies and falsifies nothing."""
    if summary.get("stack") == "hub":
        return {REPRODUCED: "verified", CONTRADICTED: "falsified"}.get(row["verdict"], "inconclusive")
    return "toy" if row["verdict"] == REPRODUCED else "inconclusive"


def indication(row: Mapping | None, full: Mapping | None) -> str:
    """Where a small run's headline points beside the committed one's: `same way`, `other way`, or not to be said."""
    here, there = (one["headline"] if one else None for one in (row, full))
    if here is None:
        return "not run"
    if there is None or not here * there:
        return "nothing to compare with"
    return "same way" if here * there > 0 else "other way"


def decided(claims: Sequence[Mapping]) -> list[Mapping]:
    """The claims that a run has a verdict on; what its world forbids, or what has too few texts or seeds, is none."""
    return [row for row in claims if row["verdict"] not in (NOT_TESTABLE, NOT_TESTED)]


def brief(claims: Sequence[Mapping], full: Sequence[Mapping]) -> list[str]:
    """The ledger of a run in ten lines: its verdicts, or what it indicates beside the committed run's."""
    here, there = ({row["id"]: row for row in rows} for rows in (claims, full))
    texts, seeds = (max((row[name] for row in claims), default=0) for name in ("n", "seeds"))
    lines = [
        f"The ledger of this run: {texts} texts, {number_of(seeds, 'training seed')}, "
        f"{len(decided(claims))} of {len(CLAIMS)} claims with a verdict.",
        "Below, what the run indicates: the first effect of each claim points the same way as in the committed full run, or not.",
    ]
    for letter, title in GROUPS.items():
        by_word: dict[str, list[str]] = {}
        for id in CLAIMS:
            if id[0] == letter:
                by_word.setdefault(indication(here.get(id), there.get(id)), []).append(id)
        order = ("same way", "other way", "nothing to compare with", "not run")
        lines.append(f"{letter}, {title}: " + "; ".join(f"{w} {' '.join(by_word[w])}" for w in order if w in by_word))
    tally, committed = Counter(row.get("indicative", NOT_TESTED) for row in claims), counts(full)
    for whose, found in (("here, as if texts and seeds were enough", tally), ("committed", committed)):
        if words := ", ".join(f"{found[word]} {word}" for word in VERDICTS if found[word]):
            lines.append(f"{whose}: {words}")
    return lines
