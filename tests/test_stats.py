from inspect import signature

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp, wilcoxon

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure import evaluate, proxy, systems, trends
from sebridge_lite.measure.bootstrap import (
    draws,
    entropy_curve,
    entropy_interval,
    interval_of,
    mean_interval,
    paired_difference,
    rate_curve,
    ratio,
)
from sebridge_lite.measure.stats import (
    holm,
    normal_interval,
    paired_tests,
    row_range,
    share_interval,
    value_range,
)


def _texts_with_repeats(rng, texts=40, repeats=4):
    """Values around 1 that move together within a text."""
    values = 1 + np.repeat(rng.normal(size=texts), repeats) + 0.3 * rng.normal(size=texts * repeats)
    return values, np.repeat(np.arange(texts), repeats)


def test_cluster_interval_covers_the_truth_and_a_naive_one_does_not():
    rng = np.random.default_rng(0)
    covered, naive = 0, 0
    for run in range(300):
        values, texts = _texts_with_repeats(rng)
        interval = mean_interval(values, texts, seed=run, replicates=400)
        alone = mean_interval(values, seed=run, replicates=400)
        covered += interval.low <= 1 <= interval.high
        naive += alone.low <= 1 <= alone.high
    assert 0.90 <= covered / 300 <= 0.98
    assert naive / 300 < 0.80


def test_weighted_mean_is_the_pooled_rate():
    """1 of 2 words and 1 of 8 words wrong: 2 of 10."""
    assert mean_interval([1, 1], weights=[2, 8]).mean == pytest.approx(0.2)


def test_an_interval_is_the_middle_of_the_rates_of_resampled_texts_and_seeds():
    values, weights = np.random.default_rng(1).integers(1, 9, (2, 2, 5))
    pairs = zip(*draws(0, 200, 2, 5), strict=True)
    rates = [np.sum(s[:, None] * t * values) / np.sum(s[:, None] * t * weights) for s, t in pairs]
    found = mean_interval(values, weights=weights, replicates=200)
    assert (found.low, found.high) == pytest.approx((*np.quantile(rates, [0.025, 0.975]),))
    assert (found.n, found.seeds) == (5, 2) and np.isnan(ratio(np.ones(2), np.arange(2))[0])
    away = interval_of(0.0, np.array([1.0, 2.0, np.nan]), 5)
    assert away.low == 0 and away.high > 1.9 and away.seeds == 1  # it holds its value


def test_one_text_of_one_seed_has_a_mean_and_no_interval():
    found = mean_interval([3.0, 5.0], ["a", "a"])
    assert (found.mean, found.n, found.seeds) == (4.0, 1, 1) and np.isnan([found.low, found.high]).all()
    assert np.isfinite(mean_interval([[3.0], [5.0]]).low)  # two seeds differ


def test_by_default_all_measures_draw_the_same_texts_and_seeds():
    drawn = [mean_interval, paired_difference, entropy_interval, rate_curve, entropy_curve, evaluate.rate, proxy.proxy]
    drawn += [systems.curve_of, systems.curves_over, systems.side_by_side, systems.systems, systems.over_heats]
    assert {signature(function).parameters["seed"].default for function in [*drawn, trends.from_corpus]} == {0}


def test_pairing_removes_what_both_arms_share():
    rng = np.random.default_rng(2)
    shared = 10 * rng.normal(size=100)
    difference = paired_difference(shared + 0.5 + 0.1 * rng.normal(size=100), shared)
    assert 0.4 < difference.low < 0.5 < difference.high < 0.6


def test_paired_difference_is_antisymmetric_and_zero_against_itself():
    rng = np.random.default_rng(3)
    a, b, texts = rng.normal(size=(2, 30)), rng.normal(size=(2, 30)), np.arange(30) // 3
    forth, back = paired_difference(a, b, texts), paired_difference(b, a, texts)
    assert (forth.mean, forth.low, forth.high) == pytest.approx((-back.mean, -back.high, -back.low))
    itself = paired_difference(a, a, texts)
    assert (itself.mean, itself.low, itself.high, itself.n) == (0, 0, 0, 10)


def test_normal_interval_by_hand():
    """Mean 3, s = 1.5811, 1.96 s / sqrt(5) = 1.3859."""
    interval = normal_interval([1, 2, 3, 4, 5])
    assert (interval.mean, interval.low, interval.high) == pytest.approx((3, 1.6141, 4.3859), abs=1e-4)
    assert (interval.n, interval.seeds) == (5, 1)


def test_paired_tests_count_texts_and_not_their_repeats():
    rng = np.random.default_rng(7)
    small = rng.normal(0.5, 1, size=8)
    repeated = paired_tests(np.repeat(small, 50), np.zeros(400), np.repeat(np.arange(8), 50))
    assert repeated == pytest.approx(paired_tests(small, np.zeros(8)))
    assert paired_tests(small, small) == (1, 1)
    partly = [0.0, 1.0, 2.0, 2.5]  # a pair alike, the others not
    assert paired_tests(partly, np.zeros(4)) == pytest.approx((ttest_1samp(partly, 0).pvalue, wilcoxon(partly).pvalue))
    assert paired_tests([3, 4], [1, 2]) == (0, wilcoxon([2, 2]).pvalue)  # the same in all


def test_a_value_is_said_with_its_unit_and_its_interval_where_both_are_known():
    assert value_range(10.4, 10.2, 10.6, "bits") == "10.4 bits (10.2 to 10.6)"
    assert value_range(0.021, -0.01, 0.05, "points", "+.1f", by=100) == "+2.1 points (-1.0 to +5.0)"
    assert value_range(-0.0004, -0.3, 0.0004, "bits", "+.2f") == "+0.00 bits (-0.30 to +0.00)"
    assert value_range(0.5, None, 0.6) == value_range(0.5, 0.4, np.nan) == "0.5"
    assert value_range(None, 0.4, 0.6) == value_range(np.nan, 0.4, 0.6) == row_range({}, "hp") == "-"
    assert row_range({"hp": 7.0, "hp_low": 6.5, "hp_high": 7.25}, "hp", "bits") == "7 bits (6.5 to 7.25)"


def test_holm_by_hand():
    """Sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, made monotone."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]).max() == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mean_interval([np.nan, np.nan]), "NaN"),
        (lambda: paired_tests([1], [2]), "one pair"),
    ],
)
def test_bad_input_is_one_clear_line(call, says):
    with pytest.raises(UserError, match=says) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("count", "n"), [(0, 12), (12, 12), (1, 3), (211, 212)])
def test_the_interval_of_a_share_is_scipys_wilson_and_stays_within_0_and_1(count, n):
    found, theirs = share_interval(count, n), binomtest(count, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert (found.n, found.seeds) == (n, 1)
    assert 0 <= found.low <= found.mean == count / n <= found.high <= 1
