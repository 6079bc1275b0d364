"""The two weights of DGSA."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sebridge_lite.align.methods import lambda_e, lambda_s
from sebridge_lite.core.errors import UserError


@pytest.mark.parametrize(
    ("alpha", "star", "expected"), [(0.8, 0.5, 0.6), (0.5, 0.5, 0), (0.03, 0.5, 0), (1, 0.5, 1), (0.9, 0.8, 0.5)]
)
def test_expressivity_weighs_as_worked_by_hand(alpha, star, expected):
    assert lambda_e(alpha, star) == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(0, 0.99))
def test_weights_are_shares_that_sum_to_one(alpha, star):
    assert 0 <= lambda_e(alpha, star) <= 1
    assert lambda_s(alpha, star) + lambda_e(alpha, star) == pytest.approx(1)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.99))
def test_more_synthetic_speech_never_weighs_expressivity_less(one, other, star):
    low, high = sorted((one, other))
    assert lambda_e(low, star) <= lambda_e(high, star)


def test_up_to_alpha_star_stability_is_still_trained_although_the_paper_says_sft():
    assert (lambda_s(0.3), lambda_e(0.3)) == (1, 0)


@pytest.mark.parametrize(
    ("alpha", "star", "what"), [(1.2, 0.5, "alpha: 1.2"), (-0.1, 0.5, "alpha: -0.1"), (0.8, 1, "alpha_star: 1")]
)
def test_bad_shares_are_one_line(alpha, star, what):
    with pytest.raises(UserError, match=what):
        lambda_s(alpha, star)
