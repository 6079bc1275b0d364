from dataclasses import replace

import numpy as np
import pytest

from sebridge_lite.measure import entropy as E
from sebridge_lite.measure import trends as A
from sebridge_lite.measure.bootstrap import Curve

RATIOS = np.array([0.03, 0.09, 0.15, 0.25, 0.4, 0.5, 0.6, 0.67, 0.8, 1.0])


def _sources(rng, own):
    """Real speech, and a sharper version of it with a share of codes of its own."""
    real = rng.dirichlet(np.full(300, 0.4))
    sharper = real**1.4 / np.sum(real**1.4)
    return real, (1 - own) * sharper + own * rng.dirichlet(np.full(300, 0.1))


def _utterances(rng, p, count):
    """40 tokens an utterance, out of 15 draws."""
    tokens = np.take_along_axis(rng.choice(len(p), p=p, size=(count, 15)), rng.integers(15, size=(count, 40)), axis=1)
    return E.token_counts(tokens, len(p))


def _curve(rng, values, noise, replicates=300):
    values = values + noise * rng.normal(size=len(values))
    spread = values + noise * rng.normal(size=(replicates, len(values)))
    folds = np.broadcast_to(values, (1, 2, len(values)))
    return Curve(RATIOS, values, spread, folds, np.repeat(folds[None], replicates, 0), np.ones((replicates, 1)), 300)


def test_of_plenty_of_tokens_it_is_the_alpha_star_of_the_unigrams():
    real, syn = _sources(np.random.default_rng(0), own=0.3)
    plenty = [np.round(np.tile(p, (4, 1)) * 1e7).astype(int) for p in (real, syn)]
    assert A.from_corpus(*plenty, replicates=20).mean == pytest.approx(E.alpha_star(real, syn), abs=0.006)


def test_bias_of_few_tokens_is_taken_off_and_the_interval_covers_the_truth():
    """Codes that a sample lacks by chance make the other one look new: uncorrected, alpha* comes out too high."""
    rng = np.random.default_rng(1)
    real, syn = _sources(rng, own=0.2)
    truth, found, plain = E.alpha_star(real, syn), [], []
    for run in range(15):
        counts = _utterances(rng, real, 200), _utterances(rng, syn, 800)
        found.append(A.from_corpus(*counts, seed=run, replicates=100))
        plain.append(E.alpha_star(*(c.sum(0) / c.sum() for c in counts)))
    assert 0.05 < truth < 0.95 and np.mean(plain) - truth > 0.08
    assert abs(np.mean([star.mean for star in found]) - truth) < 0.03
    assert np.mean([star.low - 0.005 <= truth <= star.high + 0.005 for star in found]) >= 0.8


def test_the_mixtures_entropy_is_corrected_by_leaving_out_one_utterance_after_the_other():
    rng = np.random.default_rng(5)
    sides = [rng.integers(0, 9, (4, 6)), rng.integers(0, 9, (3, 6))]

    def mixed(real, syn):
        return E.entropy(E.mix(real.sum(0) / real.sum(), syn.sum(0) / syn.sum(), A.GRID))

    plain = corrected = mixed(*sides)
    for place, side in enumerate(sides):
        fewer = [mixed(*[*sides[:place], np.delete(side, u, 0), *sides[place + 1 :]]) for u in range(len(side))]
        corrected = corrected - (len(side) - 1) * (np.mean(fewer, 0) - plain)
    np.testing.assert_allclose(A.mixture_entropies(*sides), corrected)


def test_a_parabola_is_fitted_to_the_data_itself_and_no_ratio_counts_ten_times_the_least_certain():
    curve, exact = _curve(np.random.default_rng(8), 0 * RATIOS, 0.1), 8 - (RATIOS - 0.45) ** 2
    assert A.from_curve(replace(curve, values=exact)).mean == pytest.approx(0.45)
    curve.spread[:, 2], exact[2] = 8, 8.02
    weights = 1 / np.maximum(curve.spread.std(0), curve.spread.std(0).max() / 10)
    bend, slope, _ = np.polyfit(RATIOS, exact, 2, w=weights)
    assert A.from_curve(replace(curve, values=exact)).mean == pytest.approx(-slope / (2 * bend))


@pytest.mark.parametrize("turned", [False, True])
def test_without_a_peak_inside_it_is_the_end_of_the_richer_corpus(turned):
    rng = np.random.default_rng(3)
    real, syn = _sources(rng, own=0)
    counts = [_utterances(rng, real, 300), _utterances(rng, syn, 600)]
    star = A.from_corpus(*(counts[::-1] if turned else counts), replicates=100)
    assert not E.has_interior_peak(real, syn)
    assert star.mean == (1 if turned else 0) and star.low <= star.mean <= star.high
    assert star.high - star.low < 0.1


def test_peak_of_a_measured_parabola_is_found_and_covered():
    rng = np.random.default_rng(4)
    stars = [A.from_curve(_curve(rng, 8 - (RATIOS - 0.45) ** 2, noise=0.03)) for _ in range(150)]
    assert np.mean([star.mean for star in stars]) == pytest.approx(0.45, abs=0.01)
    assert 0.9 <= np.mean([star.low <= 0.45 <= star.high for star in stars]) <= 0.99


@pytest.mark.parametrize(("values", "end"), [(-RATIOS, 0), (RATIOS, 1), ((RATIOS - 0.6) ** 2, 0), (RATIOS**2, 1)])
def test_a_curve_without_a_peak_inside_gives_an_end(values, end):
    star = A.from_curve(_curve(np.random.default_rng(6), values, noise=1e-3))
    assert star.mean == end and star.low <= end <= star.high
