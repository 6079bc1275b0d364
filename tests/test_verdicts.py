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


def test_a_claim_of_several_conditions_needs_all_of_them():
    good, bad, wrong, untried = V.REPRODUCED, V.NOT_REPRODUCED, V.CONTRADICTED, V.NOT_TESTED
    assert V.combined([good, good]) == good
    assert V.combined([good, bad]) == bad
    assert V.combined([good, bad, wrong, untried]) == wrong
    assert V.combined([good, untried, bad]) == untried


def _claims():
    worst = _condition(0.4, 0.3, 0.5, measure="f0_std", n=280)
    best = _condition(-0.05, -0.08, -0.02, direction=-1, measure="wer", seeds=5)
    unknown = _condition(np.nan, np.nan, np.nan, n=0, seeds=0)
    return V.judged({"C5": [worst, best], "C7": [unknown]}, PARAMS)


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
        (conditions,) = V.by_claim([id], lambda *_: Interval(0, 0, 0, 0, 0)).values()
        assert conditions and all(V.smallest(one.measure, PARAMS) > 0 for one in conditions), id
    assert [len(V.by_claim(letter, lambda *_: UNKNOWN)) for letter in "CDTS"] == [8, 9, 13, 3]


def test_claims_are_written_to_the_contract_with_finite_numbers_only(tmp_path):
    V.write_claims(tmp_path / "claims.json", _claims())

    def refuse(constant):
        raise AssertionError(constant)

    first, second = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert list(first) == ["id", "claim", "paper", "ours", "interval", "n", "seeds", "verdict", "source"]
    assert (first["ours"], first["interval"], first["n"], first["seeds"]) == (0.4, [0.3, 0.5], 280, 3)
    assert first["verdict"] == V.REPRODUCED
    assert (second["ours"], second["interval"], second["verdict"]) == (None, None, V.NOT_TESTED)
