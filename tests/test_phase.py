from types import SimpleNamespace

import numpy as np
import pytest

from sebridge_lite.experiments import worlds as P
from sebridge_lite.measure import entropy as E
from sebridge_lite.studio.tones import NOMINAL_RANGE
from sebridge_lite.studio.voices import engines, people

CODES = 64


def _tokens(sounds):
    """A code for how often a stretch of 40 ms crosses zero and how loud it is."""
    rows = []
    for sound in sounds:
        frames = sound[: len(sound) // 640 * 640].view(-1, 640)
        crossings = ((frames[:, 1:] * frames[:, :-1]) < 0).sum(1) // 20
        loud = (frames.abs().amax(1) * 16).long()
        rows.append(crossings.clamp(max=7) * 8 + loud.clamp(max=7))
    return rows


STACK = SimpleNamespace(tokens=_tokens, codes=CODES)


def _counts(p, seed):
    return np.random.default_rng(seed).multinomial(40, p, 400)


def test_range_is_the_only_thing_that_changes_in_an_engine():
    for voice in engines("main", 3):
        moved = P.with_range(voice, 0.7)
        assert moved.style.range * moved.range_st / NOMINAL_RANGE == pytest.approx(0.7)
        assert P.with_range(moved, voice.style.range * voice.range_st / NOMINAL_RANGE) == voice


def test_two_sources_of_equal_entropies_peak_or_not_by_which_codes_they_prefer():
    """Both engines have 0.54 bits; one prefers the code that people use least."""
    real, alike, other = np.array([3 / 4, 1 / 4]), np.array([7 / 8, 1 / 8]), np.array([1 / 8, 7 / 8])
    none = P.mixture_of(_counts(real, 0), _counts(alike, 1), seed=0)
    inside = P.mixture_of(_counts(real, 0), _counts(other, 2), seed=0)
    assert none["peak"] == "none" and none["height"] == pytest.approx(0, abs=1e-9) and none["alpha_star"] == 0
    assert inside["peak"] == "inside" and inside["alpha_star"] == pytest.approx(0.4, abs=0.03)
    assert inside["height"] == pytest.approx(1 - E.entropy(real), abs=0.02)
    assert none["gap"] == pytest.approx(E.entropy(real) - E.entropy(alike), abs=0.02)


def test_phase_diagram_has_a_row_a_cell_and_repeats():
    voices = people("train", 6)
    table, again = (P.phase_diagram(STACK, "th", voices, [0.2, 0.9], [1, 3], 12, seed=0) for _ in range(2))
    assert table.equals(again)
    assert list(zip(table["range"], table["engines"], strict=True)) == [(0.2, 1), (0.2, 3), (0.9, 1), (0.9, 3)]
    assert np.ptp(table["h_real"]) == 0 and table["h_syn"].nunique() == 4
    assert (table["height"] >= 0).all() and table["alpha_star"].between(table["low"], table["high"]).all()


def test_nearest_concave_curve_goes_through_concave_points_and_only_through_those():
    x = np.array([0, 0.1, 0.5, 0.7, 1])
    fitted, distance = P.nearest_concave(x, 1 - (x - 0.4) ** 2)
    assert distance == pytest.approx(0, abs=1e-9) and np.allclose(fitted, 1 - (x - 0.4) ** 2)
    zigzag = [0, 1, 0, 1, 0]
    assert P.nearest_concave(range(5), zigzag)[1] == pytest.approx(0.5)


def test_nearest_concave_is_concave_whatever_the_points():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = np.sort(rng.random(8)), rng.random(8)
        fitted, distance = P.nearest_concave(x, y)
        assert (np.diff(np.diff(fitted) / np.diff(x)) <= 1e-6).all()
        assert np.abs(fitted - y).max() == pytest.approx(distance, abs=1e-9)
        assert P.nearest_concave(x, y, falling=True)[1] >= distance - 1e-9
