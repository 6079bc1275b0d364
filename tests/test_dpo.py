"""The DPO loss: arithmetic by hand, its gradient, its options. (That every scored token counts is in test_dgsa.)"""

import math

import pytest
import torch

from sebridge_lite.align.dpo import dpo_loss, fallen
from sebridge_lite.core.errors import UserError


def columns(*rows):
    return [torch.tensor(row, dtype=torch.float64) for row in rows]


@pytest.fixture
def four():
    """log pi and log pi_ref of two pairs: the first learnt (winner +2, loser -1), the second displaced (-4, -10)."""
    return columns([-10.0, -24.0], [-21.0, -40.0], [-12.0, -20.0], [-20.0, -30.0])


def test_a_policy_that_is_its_reference_prefers_nothing(four):
    found = dpo_loss(four[0], four[1], four[0], four[1], 0.1)
    assert found.losses.tolist() == pytest.approx([math.log(2)] * 2) and found.accuracy == 0


def test_loss_and_rewards_as_worked_by_hand(four):
    found = dpo_loss(*four, 0.1)
    # margins 0.1 (2 - (-1)) = 0.3 and 0.1 (-4 - (-10)) = 0.6; losses ln(1 + e^-margin)
    assert found.chosen_rewards.tolist() == pytest.approx([0.2, -0.4])
    assert found.rejected_rewards.tolist() == pytest.approx([-0.1, -1.0])
    assert found.losses.tolist() == pytest.approx([math.log(1 + math.exp(-m)) for m in (0.3, 0.6)])
    assert found.accuracy == 1


def test_only_the_difference_to_the_reference_counts(four):
    won, lost, ref_won, ref_lost = four
    moved = dpo_loss(won + 5, lost - 7, ref_won + 5, ref_lost - 7, 0.1)
    torch.testing.assert_close(moved.losses, dpo_loss(*four, 0.1).losses)


@pytest.mark.parametrize(
    "options",
    [{}, {"normalised": True}, {"ipo": True}, {"sft": 0.5}, {"normalised": True, "sft": 1.0}],
)
def test_gradient_agrees_with_finite_differences(four, options):
    lengths = (torch.tensor([20, 30]), torch.tensor([25, 28]))
    won, lost = (x.clone().requires_grad_() for x in four[:2])
    assert torch.autograd.gradcheck(
        lambda a, b: dpo_loss(a, b, *four[2:], 0.7, lengths=lengths, **options).losses, (won, lost)
    )


def test_gradient_is_beta_times_how_wrong_the_margin_still_is(four):
    won, lost = (x.clone().requires_grad_() for x in four[:2])
    found = dpo_loss(won, lost, *four[2:], 0.1)
    found.losses.sum().backward()
    expected = 0.1 * torch.sigmoid(-found.margins)
    torch.testing.assert_close(won.grad, -expected)
    torch.testing.assert_close(lost.grad, expected)


def test_normalised_takes_log_probs_a_token(four):
    lengths = columns([2.0, 4.0], [5.0, 10.0])
    found = dpo_loss(*four, 0.1, lengths=lengths, normalised=True)
    assert found.margins.tolist() == pytest.approx([0.1 * (2 / 2 + 1 / 5), 0.1 * (-4 / 4 + 10 / 10)])


def test_ipo_is_least_where_the_log_ratio_difference_is_half_of_one_over_beta(four):
    assert dpo_loss(*four, 0.1, ipo=True).losses.tolist() == pytest.approx([(3 - 5) ** 2, (6 - 5) ** 2])


def test_the_sft_term_adds_the_winners_cross_entropy_a_token(four):
    lengths = columns([20.0, 30.0], [25.0, 28.0])
    added = dpo_loss(*four, 0.1, lengths=lengths, sft=0.5).losses - dpo_loss(*four, 0.1).losses
    assert added.tolist() == pytest.approx([0.5 * 10 / 20, 0.5 * 24 / 30])


def test_a_hopeless_margin_stays_finite_and_still_has_a_gradient():
    won, lost, zero = (torch.tensor([x], requires_grad=x < 0) for x in (-1e6, -1.0, 0.0))
    found = dpo_loss(won, lost, zero, zero, 0.1).losses
    found.backward()
    assert found.isfinite()
    assert won.grad.item() == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("beta", "options", "what"),
    [(0, {}, "beta: 0"), (0.1, {"sft": 1.0}, "lengths"), (0.1, {"normalised": True}, "lengths")],
)
def test_what_cannot_be_computed_is_one_line(four, beta, options, what):
    with pytest.raises(UserError, match=what) as error:
        dpo_loss(*four, beta, **options)
    assert "\n" not in str(error.value)


def test_a_fall_is_told_where_it_is_over_what_may_be_lost_or_no_number():
    told = {change: fallen(change, 0.5) for change in (-0.6, -0.5, 0.0, 9.0, math.inf, math.nan)}
    assert [change for change, line in told.items() if line is None] == [-0.5, 0.0, 9.0]
    assert "-0.600 nats a token (at most 0.5 may be lost)" in told[-0.6]
