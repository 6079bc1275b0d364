import json
from pathlib import Path

import numpy as np
import pytest

from sebridge_lite.core.params import load_params
from sebridge_lite.measure import verdicts as V
from sebridge_lite.measure.stats import UNKNOWN, Interval

PARAMS = load_params(Path(__file__).parents[1] / "params" / "full.yaml").claims


def _condition(mean, low, high, direction=1, measure="hp", n=300, seeds=3):
    return V.Condition("x", measure, direction, Interval(mean, low, high, n, seeds))


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        (_condition(0.09, 0.02, 0.15), V.REPRODUCED),
        (_condition(0.05, 0.01, 0.09), V.REPRODUCED),
        (_condition(0.04, 0.03, 0.05), V.NOT_REPRODUCED),  # certain, but too small to be worth the name
        (_condition(0.09, -0.01, 0.2), V.NOT_REPRODUCED),  # large, but uncertain
        (_condition(0.09, 0.0, 0.2), V.NOT_REPRODUCED),
        (_condition(-0.09, -0.15, -0.02), V.CONTRADICTED),
        (_condition(-0.04, -0.05, -0.03), V.NOT_REPRODUCED),
        (_condition(-0.09, -0.15, -0.02, direction=-1), V.REPRODUCED),
        (_condition(0.09, 0.02, 0.15, n=199), V.NOT_TESTED),
        (_condition(0.09, 0.02, 0.15, seeds=2), V.NOT_TESTED),
        (_condition(np.nan, np.nan, np.nan), V.NOT_TESTED),
    ],
)
def test_verdict_follows_the_written_rule(condition, verdict):
    assert V.verdict(condition, PARAMS) == verdict


def test_a_verdict_mirrors_when_effect_and_claim_are_both_turned():
    rng = np.random.default_rng(0)
    for _ in range(200):
        low, mean, high = np.sort(rng.normal(0, 0.1, size=3))
        there, back = _condition(mean, low, high), _condition(-mean, -high, -low, direction=-1)
        assert V.verdict(there, PARAMS) == V.verdict(back, PARAMS)


GOOD, BAD, WRONG, UNTRIED = V.REPRODUCED, V.NOT_REPRODUCED, V.CONTRADICTED, V.NOT_TESTED


@pytest.mark.parametrize(
    ("words", "limits", "claim"),
    [
        ([GOOD, GOOD], [False, True], GOOD),
        ([GOOD, BAD], [False, False], V.MIXED),
        ([BAD, GOOD], [False, False], V.MIXED),
        ([WRONG, GOOD], [False, False], V.MIXED),  # one gain is paid with another
        ([GOOD, WRONG], [False, True], V.MIXED),
        ([BAD, GOOD], [False, True], BAD),  # no loss is no gain
        ([WRONG, GOOD], [False, True], WRONG),
        ([BAD, WRONG], [False, False], BAD),  # the headline is not reversed
        ([WRONG, BAD], [False, False], WRONG),
        ([GOOD, WRONG], [True, True], V.MIXED),  # limits alone
        ([GOOD, UNTRIED, WRONG], [False, False, False], UNTRIED),
    ],
)
def test_a_claim_of_several_conditions_is_mixed_when_some_hold(words, limits, claim):
    assert V.combined(words, limits) == claim


def test_what_a_world_forbids_is_not_testable_there_unless_it_happens_all_the_same():
    nothing, some, few = (
        _condition(*effect, measure="rep") for effect in ((0, 0, 0), (0.02, 0.01, 0.03), (0, -0.02, 0.02))
    )
    assert V.judgement([nothing], PARAMS, "one clock") == V.NOT_TESTABLE
    assert V.judgement([nothing], PARAMS) == V.NOT_REPRODUCED
    assert V.judgement([some], PARAMS, "one clock") == V.REPRODUCED
    assert V.judgement([few], PARAMS, "one clock") == V.NOT_REPRODUCED
    alone, loud = (_condition(*effect, measure="rep", seeds=1) for effect in ((0, 0, 0), (0.02, 0.01, 0.03)))
    assert V.judgement([alone], PARAMS, "one clock", V.verdict) == V.NOT_TESTABLE  # more seeds would not help
    assert V.judgement([loud], PARAMS, "one clock", V.verdict) == V.NOT_TESTED
    assert V.why([nothing], PARAMS, "one clock") == (
        "It cannot happen in this world: one clock (x: repetition changes by 0.00 points (0.00 to 0.00), "
        "which its interval does not tell from 0)."
    )
    unrun = _condition(np.nan, np.nan, np.nan, measure="rep", n=0, seeds=0)
    assert V.judgement([unrun], PARAMS, "one clock", V.verdict) == V.NOT_TESTABLE
    assert V.why([unrun], PARAMS, "one clock") == "It cannot happen in this world: one clock."
    assert V.judgement([unrun], PARAMS, judge=V.verdict) == V.NOT_TESTED


def test_the_reason_names_the_number_that_decided():
    up, flat, loss = (
        _condition(0.06, 0.04, 0.08),
        _condition(0.22, 0.15, 0.29, measure="f0_std"),
        V.Condition("x", "wer_cal", 1, Interval(0.021, -0.01, 0.05, 300, 3), limit=True),
    )
    rises = "x: F0 std rises by 0.22 semitones (0.15 to 0.29), less than the 0.37 semitones that count"
    assert V.why([up, flat], PARAMS) == f"x: Hp rises by 0.06 bits (0.04 to 0.08), as claimed; but {rises}."
    assert V.why([flat], PARAMS) == f"{rises}."
    assert V.why([up, up], PARAMS) == "x: Hp rises by 0.06 bits (0.04 to 0.08), as claimed."
    assert V.said(loss, PARAMS).endswith("rises by 2.1 points (-1.0 to 5.0), so a rise of 2.0 points is not excluded")
    assert V.said(_condition(-0.06, -0.08, -0.04), PARAMS) == "x: Hp falls by 0.06 bits (0.04 to 0.08), the other way"
    assert V.said(_condition(-0.02, -0.03, -0.01), PARAMS).endswith(
        "the other way, by less than the 0.05 bits that count"
    )
    nearly = "x: Hp rises by 0.048 bits (0.024 to 0.070), less than the 0.05 bits that count"  # not by 0.05 bits
    assert V.said(_condition(0.048, 0.024, 0.070), PARAMS) == nearly
    assert V.said(_condition(0.06, -0.01, 0.13), PARAMS).endswith("which its interval does not tell from 0")
    stands = _condition(-0.9, -0.95, -0.8, measure="correlation")  # it is a value, and no change
    assert V.said(stands, PARAMS).endswith("is -0.90 (-0.95 to -0.80), the other way")
    apart = _condition(np.nan, np.nan, np.nan)._replace(what=f"{V.EQUAL}a - b")
    assert "share too few word errors" in V.why([apart], PARAMS)
    assert "was not measured" in V.why([up, _condition(np.nan, np.nan, np.nan, n=0, seeds=0)], PARAMS)


def _claims():
    worst = _condition(0.4, 0.3, 0.5, measure="f0_std", n=280)
    best = _condition(-0.05, -0.08, -0.02, direction=-1, measure="wer", seeds=5)
    unknown = _condition(np.nan, np.nan, np.nan, n=0, seeds=0)
    return V.judged({"C5": ([worst, best], [best]), "C7": ([unknown], [unknown])}, PARAMS)


def test_a_line_of_conditions_is_read_into_effects_signs_and_limits():
    effect = Interval(0.1, 0.0, 0.2, 300, 3)
    several = {"c - b": effect, "d - c": effect}
    read = V.conditions_of(
        "a - b: +hp !-wer_cal; cloning x: sim - floor: +sim; steps: -rep",
        lambda what, measure: several if what == "steps" else effect,
    )
    found = [(one.what, one.measure, one.direction, one.limit) for one in read]
    assert found[:2] == [("a - b", "hp", 1, False), ("a - b", "wer_cal", -1, True)]
    assert found[2:] == [
        ("cloning x: sim - floor", "sim", 1, False),
        ("c - b", "rep", -1, False),
        ("d - c", "rep", -1, False),
    ]


def test_every_claim_of_the_table_has_conditions_with_a_smallest_effect():
    for id in V.CLAIMS:
        ((printed, strict),) = V.by_claim([id], lambda *_: Interval(0, 0, 0, 0, 0)).values()
        assert printed and strict and all(V.smallest(one.measure, PARAMS) > 0 for one in (*printed, *strict)), id
    assert [len(V.by_claim(letter, lambda *_: UNKNOWN)) for letter in "CDTS"] == [8, 9, 13, 3]


def test_claims_are_written_to_the_contract_with_finite_numbers_only(tmp_path):
    V.write_claims(tmp_path / "claims.json", _claims())

    def refuse(constant):
        raise AssertionError(constant)

    first, second = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"), parse_constant=refuse)
    verdicts = ["n", "seeds", "verdict", "strict", "indicative", "why", "why_strict", "source"]
    effect = ["what", "measure", "wanted", "ours", "interval", "headline"]
    assert list(first) == ["id", "claim", "paper", *effect, *verdicts]
    assert (first["ours"], first["interval"], first["n"], first["seeds"]) == (0.4, [0.3, 0.5], 280, 3)
    assert first["verdict"] == first["strict"] == first["indicative"] == V.REPRODUCED and first["headline"] == 0.4
    assert (second["ours"], second["interval"], second["verdict"]) == (None, None, V.NOT_TESTED)
