import numpy as np
import pandas as pd
import pytest

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure import proxy as P
from sebridge_lite.measure.entropy import prosodic_entropy
from sebridge_lite.measure.stats import holm


def _study(rng, by_length=0.0, by_variety=0.0, texts=100, each=8):
    """Samples of texts of many lengths; F0 std follows length, or what also drives how many codes are in use."""
    ids, size = np.repeat(np.arange(texts), each), texts * each
    own = np.repeat(rng.normal(45, 10, texts), each)
    tokens = np.maximum(12, own + by_length * rng.normal(0, 5, size)).astype(int)
    lively = by_variety * rng.normal(size=size)
    codes = np.maximum(2, 30 * np.exp(0.3 * lively)).astype(int)
    counts = np.array([np.bincount(rng.integers(k, size=n), minlength=300) for k, n in zip(codes, tokens, strict=True)])
    table = pd.DataFrame({"id": ids, "tokens": tokens, "words_wrong": rng.integers(0, 3, size), "words": 4})
    return table.assign(f0_std_st=2 + by_length * 0.05 * tokens + 0.3 * lively + 0.3 * rng.normal(size=size)), counts


def _row(study, matched, metric="f0_std_st"):
    return P.proxy([study[0]], [study[1]], matched, ["f0_std_st"]).set_index("metric").loc[metric]


def test_liveliness_that_brings_variety_survives_matching_of_length():
    study = _study(np.random.default_rng(0), by_variety=1)
    for matched in P.MATCHED:
        row = _row(study, matched)
        assert row["low"] > 0.3 and row["high_hp"] - row["low_hp"] == pytest.approx(row["difference"])
        assert row["p_t"] < 1e-6 and row["texts"] > 50 and row["pairs"] > row["texts"]


def test_what_comes_of_length_alone_vanishes_when_length_is_matched():
    apart = _row(_study(np.random.default_rng(1), by_length=1), "wer")
    assert apart["low"] > 0.1 and apart["p_t"] < 1e-3
    matched = [_row(_study(np.random.default_rng(run), by_length=1), "wer and length") for run in range(16)]
    assert abs(np.mean([row["difference"] for row in matched])) < 0.04
    assert np.mean([row["low"] <= 0 <= row["high"] for row in matched]) >= 0.8
    assert np.mean([row["p_t"] > 0.05 for row in matched]) >= 0.8


@pytest.mark.parametrize("matched", P.MATCHED)
def test_pairs_are_of_one_text_with_equal_errors_and_more_entropy_in_the_first(matched):
    table, counts = _study(np.random.default_rng(3), by_length=1, by_variety=1)
    pairs = P.pairs_of(table, counts, matched)
    high, low = (table.iloc[side].reset_index(drop=True) for side in pairs.T)
    assert len(pairs) > 30 and high["id"].equals(low["id"])
    assert high["words_wrong"].equals(low["words_wrong"])
    hp = P.sample_entropy(counts)
    if matched == "wer":
        assert (hp[pairs[:, 0]] > hp[pairs[:, 1]]).all()
    else:
        assert ((high["tokens"] - low["tokens"]).abs() <= P.TOKENS_APART).all()


def test_each_sample_is_its_own_distribution_and_silence_is_unknown():
    counts = np.array([[4, 2, 1, 1], [0, 0, 0, 0], [0, 9, 0, 0]])
    found = P.sample_entropy(counts)
    assert found[[0, 2]] == pytest.approx(prosodic_entropy(counts[[0, 2]])) and np.isnan(found[1])


def test_a_text_weighs_by_its_pairs_and_seeds_are_paired_apart():
    """Text a: two high and two low samples, four pairs of difference 1; text b: one pair of 3. (4 x 1 + 3) / 5 = 1.4"""
    rich, poor = [1] * 8, [8] + [0] * 7
    table = pd.DataFrame({"id": list("aaaabb"), "tokens": 8, "words_wrong": 1, "words": 4})
    table["f0_std_st"] = [2.0, 2, 1, 1, 5, 2]
    counts = np.array([rich, rich, poor, poor, rich, poor])
    one, two = (P.proxy([table] * n, [counts] * n, "wer and length", ["f0_std_st"]).iloc[0] for n in (1, 2))
    assert (one["difference"], one["pairs"], one["texts"], one["seeds"]) == (pytest.approx(1.4), 5, 2, 1)
    assert (two["difference"], two["pairs"], two["texts"], two["seeds"]) == (pytest.approx(1.4), 10, 2, 2)


def test_p_values_are_holms_over_the_metrics_and_unknown_metrics_stay_unknown():
    rng = np.random.default_rng(4)
    table, counts = _study(rng, by_variety=1)
    table["noise"], table["never"] = rng.normal(size=len(table)), np.nan
    alone = [P.proxy([table], [counts], "wer", [name])["p_t"][0] for name in ("f0_std_st", "noise")]
    together = P.proxy([table], [counts], "wer", ["f0_std_st", "noise", "never"])
    assert together["p_t"][:2].tolist() == pytest.approx((holm([*alone, 1.0]))[:2].tolist())
    never = together.iloc[2]
    assert (
        np.isnan(never["difference"]) and never["pairs"] == 0 and together["metric"].tolist()[3:] == ["wer", "tokens"]
    )


def test_bad_input_is_one_clear_line():
    table, counts = _study(np.random.default_rng(5), each=1)
    with pytest.raises(UserError, match="generate more samples") as error:
        P.proxy([table], [counts], "wer", ["f0_std_st"])
    assert "\n" not in str(error.value)
