"""Solvers on velocities with known ends, flow matching on a 2-D toy, and the decoder on made-up tokens."""

import math
from dataclasses import replace

import pytest
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.flow import (
    MEL_MEAN,
    MEL_STD,
    DecodeConfig,
    Flow,
    FlowConfig,
    decode,
    euler,
    midpoint,
)
from sebridge_lite.studio.teach.losses import Batch, flow_loss

CONFIG = FlowConfig(codes=9, timbre=4, width=24, blocks=2, noise=0.5, drop=0.2)
PLAIN = DecodeConfig(steps=4, solver="euler", noise=0.2)


def flow() -> Flow:
    torch.manual_seed(0)
    return Flow(CONFIG)


def request(*lengths: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(9, (len(lengths), max(lengths)), generator=generator)
    return codes, torch.tensor(lengths), torch.randn(len(lengths), 4, generator=generator)


def turn(x: torch.Tensor, t: float) -> torch.Tensor:
    """A quarter turn in unit time."""
    return math.pi / 2 * torch.stack([-x[:, 1], x[:, 0]], 1)


@pytest.mark.parametrize(("solver", "order"), [(euler, 1), (midpoint, 2)])
def test_a_solver_reaches_the_known_end_with_its_order_of_error(solver, order):
    start, end = torch.tensor([[1.0, 0.0]], dtype=torch.double), torch.tensor([[0.0, 1.0]], dtype=torch.double)
    coarse, fine = ((solver(turn, start, steps) - end).norm().item() for steps in (40, 80))
    assert fine < 0.05
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


def test_one_euler_step_is_exact_where_the_velocity_is_constant_and_midpoint_where_it_is_linear_in_time():
    x = torch.tensor([[1.0, 2.0]])
    assert torch.allclose(euler(lambda x, t: torch.ones_like(x), x, 1), x + 1)
    assert torch.allclose(midpoint(lambda x, t: 2 * t * torch.ones_like(x), x, 1), x + 1)


def test_the_exact_velocity_of_straight_paths_carries_noise_to_two_points():
    """x1 is (3, 0) or (-3, 0), x0 standard normal: v = E[x1 - x0 | x_t], by Bayes' rule."""
    points = torch.tensor([[3.0, 0.0], [-3.0, 0.0]])

    def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
        width = 1 - t
        odds = -((x[:, None] - t * points) ** 2).sum(-1) / (2 * width**2)
        target = odds.softmax(-1) @ points
        return (target - x) / width

    x0 = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    x1 = euler(velocity, x0, 50)
    assert torch.cdist(x1, points).amin(1).max() < 0.01
    assert (x1[:, 0] > 0).float().mean() == pytest.approx(0.5, abs=0.08)


def test_decoded_mel_has_two_frames_a_token_and_padding_never_changes_it():
    codes, lengths, timbre = request(20, 13, 6)
    together, pitch = decode(flow(), codes, lengths, timbre, PLAIN, [7, 8, 9])
    assert together.shape == (3, 40, 80)
    assert pitch.shape == (3, 40)
    assert not pitch[1, 26:].any()
    for row, size in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        alone, own = decode(flow(), codes[one, :size], lengths[one], timbre[one], PLAIN, [7 + row])
        assert torch.allclose(together[row, : 2 * size], alone[0], atol=1e-4)
        assert torch.allclose(pitch[row, : 2 * size], own[0], atol=1e-2)


def test_tokens_out_of_the_vocabulary_are_named():
    codes, lengths, timbre = request(10)
    codes[0, 3] = 9
    with pytest.raises(UserError, match="from 0 to 8"):
        decode(flow(), codes, lengths, timbre, PLAIN, [1])


def toy(seed: int) -> Batch:
    """Each token is a flat spectrum of its own level and, but for token 0, of its own pitch."""
    codes = torch.randint(9, (8, 10), generator=torch.Generator().manual_seed(seed))
    mel = ((codes - 4.0) / 4 * MEL_STD + MEL_MEAN).repeat_interleave(2, 1)[..., None].expand(-1, -1, 80)
    f0 = torch.where(codes > 0, 100.0 + 20 * codes, 0.0).repeat_interleave(2, 1)
    return Batch(mel=mel.contiguous(), lengths=torch.full((8,), 20), codes=codes, timbre=torch.zeros(8, 4), f0=f0)


def test_training_makes_mel_and_pitch_follow_the_tokens():
    model = flow()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    torch.manual_seed(0)
    for seed in range(200):
        loss, weight, _ = flow_loss(model.train(), toy(seed))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    new = toy(999)
    mel, pitch = decode(model, new.codes, new.lengths // 2, new.timbre, PLAIN, list(range(8)))
    assert weight == 160
    assert ((pitch > 0) == (new.f0 > 0)).float().mean() > 0.95
    assert (pitch - new.f0)[new.f0 > 0].abs().median() < 10
    assert torch.corrcoef(torch.stack([mel.mean(-1).flatten(), new.mel.mean(-1).flatten()]))[0, 1] > 0.9


def test_the_loss_never_reads_padding():
    batch = toy(1)
    short = replace(batch, mel=batch.mel.clone(), lengths=torch.full((8,), 14), f0=batch.f0.clone())
    losses = []
    for rubbish in (0.0, 1e3):
        short.mel[:, 14:] = rubbish
        short.f0[:, 14:] = rubbish
        torch.manual_seed(3)
        losses.append(flow_loss(flow(), short)[0].item())
    assert losses[0] == losses[1]
