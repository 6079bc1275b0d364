import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from sebridge_lite.extras import ratings
from sebridge_lite.extras.ratings import Parts, agreement, both_ways, crossed_t, honesty, parts_of, texts_needed


def crossed(rng, raters, texts, parts: Parts, mean=0.0):
    """Differences with an effect of each rater, of each text, and the rest. (R, I)"""
    spread = np.sqrt(parts)
    own = rng.normal(size=(raters, 1)), rng.normal(size=(1, texts)), rng.normal(size=(raters, texts))
    return mean + sum(s * effect for s, effect in zip(spread, own, strict=True))


def table(scores: dict[str, np.ndarray], simulated=False) -> pd.DataFrame:
    rows = [
        {"rater": f"r{r}", "item": f"i{i}", "task": "nmos", "system": system, "other": "", "score": score}
        for system, grid in scores.items()
        for r, line in enumerate(grid)
        for i, score in enumerate(line)
        if np.isfinite(score)
    ]
    return pd.DataFrame(rows).assign(simulated=simulated)


def test_a_mean_stands_beside_both_intervals():
    """Scores 3 and 5 by one rater, 4 and 4 by the other: mean 4, s = sqrt(2/3), so 4 +- 1.96 s / 2."""
    row = ratings.means(table({"one": np.array([[3, 5], [4, 4]])}), "nmos").iloc[0]
    assert (row["mean"], row["ratings"], row["raters"], row["texts"]) == (4, 4, 2, 2)
    assert row["normal_high"] - 4 == pytest.approx(1.96 * np.sqrt(2 / 3) / 2)


def test_where_raters_and_texts_differ_only_the_crossed_interval_covers_the_truth():
    found = honesty(Parts(0.16, 0.06, 0.4), raters=20, texts=20, runs=200)
    assert found["crossed"] >= 0.9
    assert found["normal"] < 0.6
    assert found["false_alarms"] <= 0.09  # 0.05 and two standard errors


def test_a_comparison_must_hold_over_texts_too():
    """All raters agree, and the two texts do not: sure over raters, nothing over texts."""
    rng = np.random.default_rng(1)
    a = np.array([1.0, -0.4]) + 0.01 * rng.normal(size=(20, 2))
    assert both_ways(a, np.zeros_like(a))[0] > 0.3
    assert np.isnan(both_ways(a[:1], np.zeros_like(a[:1]))).all()


def test_comparisons_find_a_difference_that_is_there_and_none_that_is_not():
    rng = np.random.default_rng(2)
    parts = Parts(0.02, 0.02, 0.3)
    scores = {name: crossed(rng, 15, 15, parts, mean) for name, mean in (("a", 4.0), ("b", 4.0), ("c", 3.3))}
    found = ratings.comparisons(table(scores), "nmos").set_index(["one", "other"])
    assert found.loc[("a", "c"), "t_p"] < 0.01
    assert found.loc[("a", "c"), "wilcoxon_p"] < 0.01
    assert found.loc[("a", "b"), "t_p"] > 0.05
    assert found.loc[("a", "c"), "low"] > 0 > found.loc[("a", "b"), "low"]


def test_preferences_count_votes_whichever_stands_first():
    """Of four votes between x and y, x has three: a quarter over one half."""
    votes = [("r0", "i0", "x", "y"), ("r0", "i1", "x", "y"), ("r1", "i0", "y", "x"), ("r1", "i1", "x", "y")]
    rows = pd.DataFrame(votes, columns=["rater", "item", "system", "other"])
    found = ratings.preferences(rows.assign(task="ab", score=1, simulated=False)).iloc[0]
    assert (found["one"], found["other"], found["over_half"]) == ("x", "y", 0.25)


def test_agreement_by_hand():
    """Clips (1, 2) and (4, 4), one clip heard once: within, 2 squared differences of 1, over 1 pair: 2. Pooled 1, 2, 4, 4:
    ordered pairs 2 (1 + 9 + 9 + 4 + 4 + 0) = 54. 1 - 3 * 2 / 54."""
    assert agreement([[1, 4, 5], [2, 4, np.nan]]) == pytest.approx(1 - 3 * 2 / 54)


def test_parts_of_the_variance_are_found_again():
    rng = np.random.default_rng(4)
    truth = Parts(0.2, 0.1, 0.5)
    found = np.mean([parts_of(crossed(rng, 30, 20, truth), np.zeros((30, 20))) for _ in range(60)], axis=0)
    np.testing.assert_allclose(found, truth, rtol=0.1)


def test_as_many_texts_as_are_said_to_be_needed_give_the_power():
    rng = np.random.default_rng(5)
    parts = Parts(0.05, 0.1, 0.5)
    texts = texts_needed(0.4, parts, raters=20)
    zero = np.zeros((20, texts))
    found = [crossed_t(crossed(rng, 20, texts, parts, 0.4), zero) < 0.05 for _ in range(300)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_where_only_raters_differ_the_crossed_t_is_the_paired_t_over_raters():
    """Each rater has one difference for all texts, so the texts add nothing."""
    by_rater = np.array([0.2, 0.5, 0.1, 0.4, 0.9])
    a = np.tile(by_rater[:, None], (1, 6))
    assert crossed_t(a, np.zeros_like(a)) == pytest.approx(ttest_1samp(by_rater, 0).pvalue)
