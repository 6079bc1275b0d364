"""T1 to T13 on made-up systems and candidates that do as the paper says, nothing, or the opposite."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from made_up import CODES, RULE, TEXTS, made, spread_over, verdicts, without

from sebridge_lite.measure.effects import (
    beyond,
    by_heat,
    contributions,
    lesser_gain,
    relative,
    risen,
    tdsc_conditions,
    tdsc_sentence,
    with_relative,
)
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.systems import as_table, systems
from sebridge_lite.measure.verdicts import CLAIMS as STATEMENTS
from sebridge_lite.measure.verdicts import judged, write_claims

FLOOR, SEEDS = 0.1, 3
ABLATIONS = ("no-dpo", "t1-only", "no-length", "fixed-tmax", "no-repetition")
CLAIMS = [id for id in STATEMENTS if id[0] == "T"]
WORSE = dict.fromkeys(ABLATIONS, (0.3, 0.35, 0.05))
# system: how lively, word error, repetition; T: of candidates how lively, word error, passing at first, passing at last, used
PRINTED = (
    {"sft": (0.0, 0.4, 0.1), "self-training": (0.1, 0.36, 0.1), "rejection": (0.1, 0.36, 0.1), "tdsc": (0.6, 0.3, 0.05)}
    | WORSE,
    {0.7: (0.0, 0.2, 0.5, 0.8, 0.5), 1.0: (0.3, 0.3, 0.3, 0.6, 0.5), 1.4: (0.6, 0.4, 0.2, 0.4, 0.5)},
    {0.7: (0.0, 0.2, 0.05), 1.2: (0.6, 0.33, 0.05)},
)
OPPOSITE = (
    {"sft": (0.6, 0.3, 0.05), "self-training": (0.6, 0.3, 0.05), "rejection": (0.6, 0.3, 0.05), "tdsc": (0.0, 0.4, 0.1)}
    | dict.fromkeys(ABLATIONS, (0.6, 0.3, 0.05)),
    {0.7: (0.6, 0.4, 0.8, 0.5, 0.5), 1.0: (0.3, 0.3, 0.6, 0.3, 0.5), 1.4: (0.0, 0.2, 0.4, 0.2, 0.5)},
    {0.7: (0.0, 0.4, 0.05), 1.2: (0.0, 0.45, 0.05)},
)


def scored(lively, wrong, rep, key):
    return without(made(lively, wrong, key, rep=rep), "bits", "sim", "f0_range_st")


def spoken(heats, last, key):
    """Candidates of an iteration, two at each temperature, as `stages.critique.candidates` gives them."""
    rng, rows, codes = np.random.default_rng(key), [], {}
    for text in range(TEXTS):
        for slot, (heat, (lively, wrong, before, after, used)) in enumerate([*heats.items()] * 2):
            good = rng.random() < (after if last else before)
            of_text = {"name": f"{text}/{slot}", "text": text, "slot": slot, "temperature": heat}
            learnt = bool(good and rng.random() < used)
            judged = {"wrong": rng.binomial(20, wrong), "words": 20, "repeats": 0, "windows": 30, "learnt": learnt}
            rows.append(of_text | judged | {"rejected_for": [] if good else ["wer"]})
            codes[f"{text}/{slot}"] = torch.from_numpy(rng.choice(CODES, 40, p=spread_over(lively)))
    return pd.DataFrame(rows), codes


def conditions(of, gone=(), cut=lambda rows: rows):
    named, heats, line = of
    seeds = range(SEEDS)
    found = {n: [scored(*how, [i, s]) for s in seeds] for i, (n, how) in enumerate(named.items()) if n not in gone}
    curve = {heat: [scored(*how, [50 + i, s]) for s in seeds] for i, (heat, how) in enumerate(line.items())}
    first, last = ([spoken(heats, late, [99, s, late]) for s in seeds] for late in (0, 1))
    rows, codes = zip(*last, strict=True)
    of_first, of_last = (
        [(one["rejected_for"].str.len() == 0).groupby(one["text"]).mean() for one in some]
        for some in ([one for one, _ in first], rows)
    )
    rises = {"last - first": risen(of_first, of_last)}
    outside = beyond(found.get("sft", []), curve, FLOOR, RULE)
    heats = systems(by_heat(rows, codes, CODES), 0.0)
    return tdsc_conditions(systems(found, FLOOR), rises, heats, contributions(rows), outside)


@pytest.fixture(scope="module")
def printed():
    return conditions(PRINTED)


def test_systems_that_do_as_the_paper_says_reproduce_every_claim(printed):
    assert verdicts(printed) == dict.fromkeys(CLAIMS, "reproduced")


def test_systems_that_do_the_opposite_contradict_every_claim():
    some_share = {"T7": "mixed"}  # cold and hot candidates add to G here, too
    assert verdicts(conditions(OPPOSITE)) == dict.fromkeys(CLAIMS, "contradicted") | some_share


def test_too_few_seeds_test_nothing_and_a_missing_system_leaves_its_claims_alone_untested(printed):
    assert set(verdicts(printed, replace(RULE, min_seeds=4)).values()) == {"not tested"}
    gone = conditions(PRINTED, gone=("rejection", "no-length"))
    assert {id for id, word in verdicts(gone).items() if word == "not tested"} == {"T5"}
    assert verdicts(gone)["T10"] == "not testable here"  # measured or not
    free = verdicts(gone, replace(RULE, shared_clock=False))
    assert {id for id, word in free.items() if word == "not tested"} == {"T5", "T10"}


def test_nothing_but_the_start_leaves_every_claim_untested_without_numbers(tmp_path):
    alone = systems({"sft": [scored(0.0, 0.4, 0.1, s) for s in range(SEEDS)]}, FLOOR)
    parts = tdsc_conditions(alone, {"last - first": risen([], [])}, alone, {}, beyond([], {}, FLOOR, RULE))
    write_claims(tmp_path / "claims.json", judged(parts, RULE))
    rows = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in rows] == [f"T{i}" for i in range(1, 14)]
    words = {row["id"]: row["verdict"] for row in rows}
    assert {words.pop(id) for id in ("T2", "T10", "T12")} == {"not testable here"}  # whatever is measured
    assert set(words.values()) == {"not tested"} and {(row["ours"], row["n"]) for row in rows} == {(None, 0)}


def test_a_gain_in_words_bought_with_expressivity_is_not_beyond_the_starts_curve(printed):
    flat = conditions((PRINTED[0], PRINTED[1], {0.7: (0.0, 0.2, 0.05), 1.2: (0.0, 0.38, 0.05)}))
    assert verdicts(flat)["T13"] == "mixed"
    assert printed["T13"][0][1].what == "tdsc at T = 1.2 - sft"
    assert printed["T13"][0][1].effect.n == TEXTS


@pytest.mark.parametrize(
    ("words", "hp", "lesser"), [(0.06, 9.0, 1.5), (0.02, 9.0, 0.5), (0.4, 0.1, 2.0), (0.02, -0.1, -2.0)]
)
def test_the_lesser_gain_is_that_in_words_or_in_hp_in_smallest_effects(monkeypatch, words, hp, lesser):
    rule = replace(RULE, wer=0.04, hp=0.05)

    def runs(rate, bits):  # two seeds, of other lengths
        tables = [pd.DataFrame({"words_wrong": [rate * n, 1], "words": [n, 1]}) for n in (10, 1000)]
        return [Scores(table, np.full((2, 1), bits), [], {}) for table in tables]

    monkeypatch.setattr("sebridge_lite.measure.effects.jackknife", lambda counts: SimpleNamespace(mean=counts.mean()))
    gain = lesser_gain(runs(0.5 - words, 5.0 + hp), runs(0.5, 5.0), slice(0, 1), rule)
    assert gain == pytest.approx(lesser)


def test_the_best_of_many_alike_is_judged_on_texts_that_did_not_choose_it():
    start, livelier = ([scored(lively, 0.3, 0.05, [7, s]) for s in range(SEEDS)] for lively in (0.3, 0.6))
    rng, curve = np.random.default_rng(0), {}
    for heat in range(1, 41):
        wrong = rng.binomial(100, 0.3, (SEEDS, TEXTS))
        curve[heat] = [
            replace(one, table=one.table.assign(words_wrong=row)) for one, row in zip(livelier, wrong, strict=True)
        ]
    rates = [np.mean([one.table["words_wrong"].mean() for one in some]) / 100 for some in (start, *curve.values())]
    name, found = beyond(start, curve, 0.0, RULE)
    assert found.gain("wer_cal", name, "sft").mean > min(rates) - rates[0] + 0.002
    assert found.gain("hp", name, "sft").low > 0


def test_candidates_by_temperature_add_up_to_all_of_them():
    rows, codes = spoken(PRINTED[1], 1, 0)
    found = by_heat([rows], [codes], CODES)
    assert list(found) == ["T = 0.7", "T = 1", "T = 1.4"]
    assert sum(one.table["words_wrong"].sum() for (one,) in found.values()) == rows["wrong"].sum()
    assert sum(one.counts.sum() for (one,) in found.values()) == 40 * len(rows)
    shares = contributions([rows])
    assert sum(share.mean for share in shares.values()) == pytest.approx(1)
    cold = rows[rows["learnt"] & (rows["temperature"] == 0.7)]
    assert shares["T = 0.7"].mean == pytest.approx(len(cold) / rows["learnt"].sum())


def test_the_finding_gives_the_change_of_word_error_as_a_share_of_the_starts():
    found = systems({"sft": [scored(0, 0.4, 0.1, 0)], "tdsc": [scored(0.6, 0.3, 0.1, 1)]}, FLOOR)
    rates = [found.at("wer", name).mean for name in ("tdsc", "sft")]
    effect = relative(found, "tdsc", "sft")
    assert effect.mean == pytest.approx(rates[0] / rates[1] - 1)
    assert effect.low < effect.mean < effect.high < 0
    table = with_relative(as_table(found, ["sft", "tdsc"], "sft"), found)
    assert f"word error {100 * effect.mean:+.0f} % (" in tdsc_sentence(table)
    assert table["relative"].iloc[0] == 0
    assert "not in this table" in tdsc_sentence(table[:1]) == tdsc_sentence(pd.DataFrame())
