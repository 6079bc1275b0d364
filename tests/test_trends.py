import numpy as np
import pandas as pd
import pytest

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure import trends as T
from sebridge_lite.measure.bootstrap import entropy_curve, mean_interval, paired_difference, rate_curve
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
