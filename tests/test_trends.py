from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure import trends as T
from sebridge_lite.measure.bootstrap import Curve, entropy_curve, mean_interval, paired_difference, rate_curve
from sebridge_lite.measure.entropy import jackknife, prosodic_entropy
from sebridge_lite.measure.evaluate import RATES, rate

ALPHAS = [0.03, 0.09, 0.25, 0.5, 0.67, 0.8, 1.0]


def _tables(rng, means, seeds=1, texts=60, samples=1, noise=0.5, between_seeds=0.0):
    """Words wrong of 4, and a value x, around the means; texts move together at all ratios."""
    ids, shared = (
        np.repeat([f"text {i:03d}" for i in range(texts)], samples),
        np.repeat(rng.normal(size=texts), samples),
    )
    out = []
    for mean in means:
        drifts = between_seeds * rng.normal(size=seeds)
        values = [mean + drift + shared + noise * rng.normal(size=len(ids)) for drift in drifts]
        out.append(
            [pd.DataFrame({"id": ids, "x": x, "words_wrong": 1.0 * (x > 0) + (x > 1), "words": 4.0}) for x in values]
        )
    return out


def _curve(seed, means, **more):
    return rate_curve(ALPHAS, _tables(np.random.default_rng(seed), means, **more), "x", seed=seed, replicates=300)


def _same(a, b):
    assert (a.mean, a.low, a.high, a.n, a.seeds) == pytest.approx((b.mean, b.low, b.high, b.n, b.seeds))


def test_a_replicate_of_hp_is_the_mean_of_the_seeds_that_it_drew():
    ids = pd.DataFrame({"id": [f"t{i}" for i in range(8)]})
    even, odd = np.tile([2, 2, 2, 2], (8, 1)), np.tile([8, 0, 0, 0], (8, 1))  # no two texts of a seed differ
    curve = entropy_curve([0.5], [[ids, ids, ids]], [[even, odd, odd]], replicates=50)
    assert curve.values == pytest.approx([2 / 3]) and set(np.round(3 * curve.spread[:, 0])) == {0, 2, 4, 6}
    assert curve.spread[:, 0] == pytest.approx(2 * curve.seed_draws[:, 0] / 3)


def test_a_point_of_a_curve_is_the_rate_of_its_tables_with_the_same_interval():
    tables = _tables(np.random.default_rng(0), np.zeros(7), seeds=3, samples=2)
    tables[2][1].loc[5, "words_wrong"] = np.nan
    curve = rate_curve(ALPHAS, tables, *RATES["wer"], replicates=2000)
    for i in (0, 2):
        _same(curve.interval(i), rate(tables[i], "wer"))
    plain = rate_curve(ALPHAS, tables, "x", replicates=2000)
    _same(plain.interval(3), mean_interval([table["x"] for table in tables[3]], tables[3][0]["id"]))


def test_a_curve_may_have_one_place_alone():
    tables = _tables(np.random.default_rng(0), [0.0], seeds=2)
    _same(rate_curve([0.5], tables, *RATES["wer"], replicates=2000).interval(0), rate(tables[0], "wer"))


def test_a_difference_of_two_ratios_is_paired_by_text_and_seed():
    tables = _tables(np.random.default_rng(1), np.linspace(0, 0.6, 7), seeds=2)
    curve = rate_curve(ALPHAS, tables, "x", replicates=2000)
    arms = [[table["x"] for table in tables[i]] for i in (6, 0)]
    _same(curve.difference(6, 0), paired_difference(*arms))
    loose = sum(curve.interval(i).high - curve.interval(i).low for i in (0, 6))
    assert curve.difference(6, 0).high - curve.difference(6, 0).low < loose / 2


def _utterances(rng, p, length, texts=200):
    """Each utterance takes its tokens from 15 draws: they depend on each other."""
    pools = rng.choice(len(p), p=p, size=(texts, 15))
    tokens = np.take_along_axis(pools, rng.integers(15, size=(texts, length)), axis=1)
    return np.array([np.bincount(row, minlength=len(p)) for row in tokens])


def test_corrected_entropy_of_one_source_hardly_rises_with_the_tokens_of_a_ratio():
    """From 1,000 to 8,000 tokens of the same 729 codes."""
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.full(729, 0.5))
    ids = pd.DataFrame({"id": np.arange(200)})
    counts = [[_utterances(rng, p, length) for _ in range(3)] for length in (5, 10, 20, 40)]
    curve = entropy_curve([0.1, 0.3, 0.6, 1], [[ids] * 3] * 4, counts, replicates=100)
    few, many = (np.mean([prosodic_entropy(rows.sum(0)) for rows in counts[a]]) for a in (0, 3))
    assert many - few > 0.1 and abs(curve.difference(-1, 0).mean) < (many - few) / 3
    for a in (0, 3):
        assert curve.values[a] == pytest.approx(np.mean([jackknife(rows).mean for rows in counts[a]]))


def test_trend_of_a_falling_curve_is_minus_one_and_of_a_level_one_holds_zero():
    curves = [_curve(5, means, texts=200) for means in (-np.arange(7), np.zeros(7))]
    (falling, level), changes = map(T.rank, curves), [curve.difference(-1, 0) for curve in curves]
    assert falling.mean == -1 and falling.high < -0.9 and changes[0].mean == pytest.approx(-6, abs=0.2)
    assert level.low < 0 < level.high and changes[1].low < 0 < changes[1].high


@pytest.mark.parametrize("shape", [np.zeros(7), -0.3 * np.array(ALPHAS), np.array([0, 0, -1, -1, -1, -1, -1])])
def test_a_maximum_over_noise_is_not_called_a_peak(shape):
    """Level, falling, and two equal best ratios of which one is an end: no peak inside, though some ratio is highest."""
    peaks = [T.interior_peak(_curve(run, shape)) for run in range(150)]
    assert np.mean([peak.low > 0 for peak in peaks]) <= 0.05


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_true_peak_is_found_with_its_height_and_place(seeds):
    curve = _curve(6, np.array([0, 0.1, 0.5, 1, 0.6, 0.2, 0]), seeds=seeds)
    peak, place = T.interior_peak(curve), T.peak_place(curve)
    assert 0 < peak.low < 1 < peak.high < 1.5
    assert (place.mean, place.low, place.high) == (0.5, 0.5, 0.5)


def crossed(folds):
    """Written apart from the library: of seeds, halves of the texts, alphas; to a mean a seed."""
    gaps = []
    for seed, half in np.ndindex(folds.shape[:2]):
        chosen = np.delete(folds, seed, 0).sum(0)[1 - half] if len(folds) > 1 else folds[0, 1 - half]
        end = 0 if chosen[0] >= chosen[-1] else -1
        gaps.append(folds[seed, half, 1 + chosen[1:-1].argmax()] - folds[seed, half, end])
    return np.reshape(gaps, folds.shape[:2]).mean(1)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_a_peak_is_chosen_on_other_texts_and_seeds_than_it_is_measured_on(seeds):
    rng = np.random.default_rng(seeds)
    folds, many, drawn = (
        rng.normal(size=(seeds, 2, 5)),
        rng.normal(size=(9, seeds, 2, 5)),
        rng.integers(0, 3, (9, seeds)),
    )
    nothing = np.zeros(5)
    curve = Curve(np.arange(5), nothing, np.zeros((9, 5)), folds, many, drawn, 30)
    spread = np.array([np.mean(crossed(one) * times) for one, times in zip(many, drawn, strict=True)])
    found, value = T.interior_peak(curve), crossed(folds).mean()
    low, high = np.quantile(value + spread - spread.mean(), [0.025, 0.975])
    assert (found.mean, found.low, found.high) == pytest.approx((value, low, high))
    with pytest.raises(UserError, match="nothing was measured in one half"):
        T.interior_peak(replace(curve, folds=folds * np.array([1, 1, np.nan, 1, 1])))


def test_how_far_one_ratio_lies_from_the_next_by_hand():
    values = np.array([[5.0, 1.0, 2.0], [4.0, 3.0, 0.0], [np.nan, 1.0, 0.0]])
    folds = np.zeros((1, 2, 3))
    curve = Curve(np.arange(3), values[0], values, folds, folds, np.ones((3, 1)), 9)
    assert [T.stands_out(curve, i, way).mean for i, way in ((0, 1), (1, -1), (2, 1))] == [3, 1, -3]
    low = T.stands_out(replace(curve, spread=values[:2]), 1, -1).low
    assert low == pytest.approx(-3 + 0.025 * 4)  # 1 below the next, and 3 above it
    assert T.peak_place(replace(curve, values=values[2])).mean == 1  # of what is known


@pytest.mark.parametrize(("inside", "word"), [(0.4, "inside"), (-0.4, "none"), (0.0, "undecided")])
def test_a_peak_is_told_beside_the_predicted_one(inside, word):
    values = np.array([0, inside, 0])
    folds, ones = np.tile(values, (1, 2, 1)), np.ones((4, 1))
    curve = Curve(np.array([0.1, 0.5, 1.0]), values, ones * values, folds, ones[..., None, None] * folds, ones, 9)
    predicted = {"alpha_star": 0.45, "low": 0.4, "high": 0.5, "peak": "inside", "height": 0.3, "gap": 0.1}
    row = T.peak_row(curve, predicted)
    assert (row["peak"], row["height"], row["observed"]) == (word, inside, 0.5 if inside > 0 else 0.1)
    assert {name: row[f"predicted{name}"] for name in ("", "_low", "_high", "_peak", "_height")} == {
        **{"": 0.45, "_low": 0.4, "_high": 0.5, "_peak": "inside", "_height": 0.3}
    }


def test_policies_follow_their_corpora_where_the_intervals_of_the_place_meet():
    ends = pd.DataFrame({"observed_low": [0.1, 0.6, 0.5], "observed_high": [0.4, 0.9, 0.7]})
    peaks = ends.assign(predicted_low=0.4, predicted_high=0.5, height=[1, 2, 3], predicted_height=[1, 3, 2])
    peaks["peak"] = ["inside", "none", "inside"]
    counted = {"inside": 2, "none": 1, "undecided": 0, "places meet": 2}
    assert T.agreement(peaks) == {"rows": 3, **counted, "heights": 0.5}
    assert np.isnan(T.agreement(peaks[:2])["heights"])


def test_tail_by_hand_and_as_an_interval():
    curve = _curve(8, np.array([0, 0, 0, 0, 0, 3, 5]), texts=200)
    surge = T.tail(curve, 0.8, 0.25, 0.8)
    assert surge.mean == pytest.approx(curve.values[5:].mean() - curve.values[2:5].mean())
    assert surge.low < 4 < surge.high and surge.low > 3.5


def test_association_of_curves_that_rise_together_is_one_and_with_itself_turned_minus_one():
    tables = _tables(np.random.default_rng(10), np.arange(7.0), seeds=2)
    for table in (table for seeds in tables for table in seeds):
        table["turned"], table["level"] = -3 * table["x"] + 1, 2.0
    x, turned, level = (rate_curve(ALPHAS, tables, name, replicates=200) for name in ("x", "turned", "level"))
    found = T.association(x, turned)
    assert (found.mean, found.low, found.high) == pytest.approx((-1, -1, -1))
    assert T.association(x, level).mean == 0
    assert T.correlation(1e-4 * np.arange(3), np.array([1e-4, 0, 0])) == pytest.approx(-(0.75**0.5))


def test_other_texts_at_one_ratio_are_refused_in_one_line():
    tables = _tables(np.random.default_rng(12), np.zeros(7), seeds=2)
    shuffled = [*tables[:6], [table[::-1] for table in tables[6]]]
    with pytest.raises(UserError, match="alpha 1: other texts") as error:
        rate_curve(ALPHAS, shuffled, "x", replicates=20)
    assert "\n" not in str(error.value)


def test_further_recordings_move_alpha_by_hand_and_are_read_off_straight_lines():
    curve = pd.DataFrame({"alpha": [0.8, 0.5], "f0_std": [1.4, 2.0], "f0_std_low": [1.3, 1.9]})
    found = T.further(curve, 10.0, 40.0, [0, 10, 30], ["f0_std"])
    assert found["alpha"].round(6).tolist() == [0.8, 0.666667, 0.5]
    np.testing.assert_allclose(found["f0_std"], [1.4, 2.0 - 0.6 * (2 / 3 - 0.5) / 0.3, 2.0])
    np.testing.assert_allclose(found["f0_std_low"], found["f0_std"] - 0.1)


def test_beyond_the_ends_of_a_curve_nothing_is_known():
    curve = pd.DataFrame({"alpha": [0.5, 0.8], "wer": [0.4, 0.2]})
    assert T.further(curve, 10.0, 40.0, [90], ["wer"])["wer"].isna().all()
