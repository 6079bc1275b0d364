import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure import entropy as E
from sebridge_lite.measure.bootstrap import _entropies, draws, entropy_interval
from sebridge_lite.measure.stats import normal_interval

PAIRS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).dirichlet(np.ones(6), size=2))


def miller_madow(counts):
    """The plug-in and the first term of its bias."""
    return E.prosodic_entropy(counts) + ((counts > 0).sum(-1) - 1) / (2 * np.log(2) * counts.sum(-1))


def test_entropy_by_hand():
    """.5 x 1 + .25 x 2 + 2 x .125 x 3 = 1.75 bits."""
    assert E.prosodic_entropy(np.array([4, 2, 1, 1, 0])) == pytest.approx(1.75)


def test_counts_pool_to_what_numpy_counts():
    counts = E.token_counts([[1, 1, 2], [], [0]], codes=4)
    assert counts.tolist() == [[0, 2, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    with pytest.raises(UserError, match="no tokens"):
        E.prosodic_entropy(np.array([[1, 1], [0, 0]]))


def test_entropy_does_not_care_how_codes_are_named_and_takes_rows():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, size=(5, 100))
    assert E.prosodic_entropy(counts[:, rng.permutation(100)]) == pytest.approx(E.prosodic_entropy(counts))
    assert E.prosodic_entropy(counts) == pytest.approx([float(E.prosodic_entropy(row)) for row in counts])


def test_rarefied_entropy_is_the_mean_over_all_subsamples():
    counts = np.array([4, 2, 1])
    tokens = np.repeat([0, 1, 2], counts)
    for size in (1, 3, 5, 7):
        subsets = [np.bincount(s, minlength=3) for s in itertools.combinations(tokens, size)]
        assert E.rarefied(counts, size) == pytest.approx(E.prosodic_entropy(np.array(subsets)).mean())


def _utterances(rng, p, count, pool=0):
    """Utterances of 40 tokens; with `pool` each takes all of its tokens from that many draws."""
    tokens = rng.choice(len(p), p=p, size=(count, pool or 40))
    if pool:
        tokens = np.take_along_axis(tokens, rng.integers(pool, size=(count, 40)), axis=1)
    return E.token_counts(tokens, len(p))


def test_bootstrap_interval_covers_the_true_entropy_of_independent_tokens():
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(50, 0.5))
    truth = E.entropy(p)
    intervals = [entropy_interval(_utterances(rng, p, 60), miller_madow, seed=i, replicates=200) for i in range(200)]
    assert 0.88 <= np.mean([i.low <= truth <= i.high for i in intervals]) <= 0.99


def test_intervals_by_hand():
    """The jackknife of a mean is the mean with its normal interval; a bootstrap's is of deviations from their own mean."""
    counts = np.array([[1, 9, 0], [4, 6, 0], [8, 0, 2]])
    found = E.jackknife(counts, lambda c: c[..., 0] / c.sum(-1))
    assert vars(found) == pytest.approx(vars(normal_interval([0.1, 0.4, 0.8])))
    np.testing.assert_array_equal(_entropies(np.array([[1, 1], [0, 0], [2, 0]])), [1, np.nan, 0])
    spread = np.array([E.prosodic_entropy(times @ counts) for times in draws(0, 60, 3)[0]])
    low, high = E.prosodic_entropy(counts.sum(0)) + np.quantile(spread - spread.mean(), [0.025, 0.975])
    found = entropy_interval(counts, E.prosodic_entropy, replicates=60)
    assert (found.low, found.high, found.n) == pytest.approx((low, high, 3))


def test_jackknife_covers_the_true_entropy_where_tokens_of_an_utterance_depend_on_each_other():
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.full(200, 0.5))
    truth = E.entropy(p)
    samples = [_utterances(rng, p, 150, pool=10) for _ in range(100)]
    intervals = [E.jackknife(counts) for counts in samples]
    assert 0.88 <= np.mean([i.low <= truth <= i.high for i in intervals]) <= 1
    by_formula = np.mean([miller_madow(counts.sum(0)) for counts in samples]) - truth
    assert abs(np.mean([i.mean for i in intervals]) - truth) < abs(by_formula) / 4


@settings(max_examples=50, deadline=None)
@given(PAIRS, st.floats(0.01, 0.99))
def test_slope_is_the_finite_difference_and_the_printed_one_its_negative(pair, alpha):
    step = 1e-6
    numeric = np.diff(E.entropy(E.mix(*pair, [alpha - step, alpha + step])))[0] / (2 * step)
    assert E.mixture_slope(*pair, alpha) == pytest.approx(numeric, abs=1e-5)
    printed = np.sum((pair[0] - pair[1]) * np.log2(1 / E.mix(*pair, alpha)))
    assert printed == pytest.approx(-E.mixture_slope(*pair, alpha))


@settings(max_examples=50, deadline=None)
@given(PAIRS)
def test_interior_peak_is_a_large_enough_divergence_and_what_a_grid_sees(pair):
    real, synthetic = sorted(pair, key=E.entropy, reverse=True)
    assert E.has_interior_peak(real, synthetic) == (E.kl(synthetic, real) > E.entropy(real) - E.entropy(synthetic))
    grid = np.linspace(0, 1, 2001)
    best, found = grid[E.entropy(E.mix(real, synthetic, grid)).argmax()], E.alpha_star(real, synthetic)
    assert abs(best - found) <= 1 / 2000
    assert E.has_interior_peak(real, synthetic) == (0 < found < 1)


def test_sources_without_common_codes_mix_best_by_hand():
    """Two sources with k and m uniform codes of their own: alpha* = m / (k + m)."""
    a, b = np.array([0.5, 0.5, 0, 0, 0]), np.array([0, 0, 1, 1, 1]) / 3
    assert E.mixture_slope(a, b, [0.0, 1.0]).tolist() == [np.inf, -np.inf]
    assert E.kl(a, b) == np.inf and E.alpha_star(a, b) == pytest.approx(3 / 5)


def test_diversity_by_hand():
    """Distances 0, 1 of 4 and 1 of 4; then nothing in common, twice; nothing said; then one candidate only."""
    same = [1, 2, 3, 4]
    found = E.diversity([[same, same, [1, 2, 3, 5]], [[1, 1], [2, 2, 2]], [[1], [2]], [[], []], [same]])
    assert found[:4] == pytest.approx([1 / 6, 1, 1, 0]) and np.isnan(found[4])
