"""The decoder: speech tokens and a timbre become mel by conditional flow matching (Lipman et al. 2023), as in CosyVoice2.

A velocity carries noise x0 to mel x1 on straight lines, x_t = (1 - t) x0 + t x1 with velocity x1 - x0: the optimal-transport
path. Tokens and `e_timbre` first make a mean mel (with a loss of its own: it learns in minutes what the flow alone learns in
hours); the velocity network sees x_t, t, that mean, and, for infilling, whatever mel is already given. Dropping the mean now
and then in training makes classifier-free guidance possible. Left out: causal chunks for streaming, attention.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from sebridge_lite.core.params import one_of, within
from sebridge_lite.speech.layers import Block, check_codes, valid

MEL_MEAN, MEL_STD = -5.6, 2.9  # of studio speech, so that x1 is about as wide as the noise
Velocity = Callable[[torch.Tensor, float], torch.Tensor]


def euler(velocity: Velocity, x: torch.Tensor, steps: int) -> torch.Tensor:
    """From t = 0 to 1 in equal steps, each along the velocity at its start."""
    for step in range(steps):
        x = x + velocity(x, step / steps) / steps
    return x


def midpoint(velocity: Velocity, x: torch.Tensor, steps: int) -> torch.Tensor:
    """Each step along the velocity at its middle, reached by half an Euler step: two calls a step, error of second order."""
    for step in range(steps):
        half = x + velocity(x, step / steps) / (2 * steps)
        x = x + velocity(half, (step + 0.5) / steps) / steps
    return x


SOLVERS = {"euler": euler, "midpoint": midpoint}


@dataclass(frozen=True)
class FlowConfig:
    codes: int = within(2)
    timbre: int = within(1)  # width of e_timbre
    width: int = within(2)
    blocks: int = within(1)
    drop: float = within(0, 1)  # share of training utterances whose flow does not see the mean


@dataclass(frozen=True)
class DecodeConfig:
    steps: int = within(1, 1_000)
    solver: str = one_of(*SOLVERS)
    noise: float = within(0, 1)  # deviation of x0: 0 to 0.2 is clear, 0.7 wrecks what a judge hears
    guidance: float = within(0, 10)  # 0: none, and half the work


class Flow(nn.Module):
    def __init__(self, config: FlowConfig):
        super().__init__()
        width = config.width
        self.config = config
        self.embed = nn.Embedding(config.codes, width)
        self.timbre = nn.Linear(config.timbre, width)
        self.slow = nn.ModuleList(Block(width) for _ in range(2))
        self.widen = nn.Linear(width, 2 * width)
        self.fast = nn.ModuleList(Block(width) for _ in range(2))
        self.mean = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 80))
        self.inputs = nn.Linear(3 * 80 + 1, width)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.blocks = nn.ModuleList(Block(width, dilation=2 ** (i % 3)) for i in range(config.blocks))
        self.shifts = nn.ModuleList(nn.Linear(width, width) for _ in range(config.blocks))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 80))

    def expect(self, codes: torch.Tensor, token_lengths: torch.Tensor, timbre: torch.Tensor) -> torch.Tensor:
        """The mean mel, standardised, of codes (B, S) in a timbre (B, E). -> (B, 2 S, 80)"""
        mask = valid(token_lengths, codes.shape[1])
        check_codes(codes[mask], self.config.codes, "this decoder")
        x, voice = self.embed(codes.masked_fill(~mask, 0)), self.timbre(timbre)
        for block in self.slow:
            x = block(x, mask, voice)
        x = self.widen(x).view(len(x), -1, self.config.width)
        mask = valid(2 * token_lengths, x.shape[1])
        for block in self.fast:
            x = block(x, mask, voice)
        return self.mean(x).float() * mask[..., None]

    def forward(self, x, t, mean, given, is_given, mask) -> torch.Tensor:
        """Velocity at x (B, T, 80), t (B,), under a mean mel; `given` mel counts where `is_given` (B, T). -> (B, T, 80)"""
        shown = is_given[..., None].to(x.dtype)
        h = self.inputs(torch.cat([x, mean, given * shown, shown], -1))
        when = self.time(_waves(t))
        for block, shift in zip(self.blocks, self.shifts, strict=True):
            h = block(h, mask, shift(when))
        return self.out(h).float() * mask[..., None]


def _waves(t: torch.Tensor, size: int = 64) -> torch.Tensor:
    """A time in [0, 1] as sines and cosines. (B,) -> (B, size)"""
    rates = torch.exp(torch.linspace(0, math.log(1000), size // 2, device=t.device))
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


@dataclass(frozen=True, eq=False)
class FlowBatch:
    mel: torch.Tensor  # (B, T, 80), T = 2 S
    lengths: torch.Tensor  # (B,) frames
    codes: torch.Tensor  # (B, S)
    timbre: torch.Tensor  # (B, E), of another recording of the speaker where there is one


def flow_loss(model: Flow, batch: FlowBatch) -> tuple[torch.Tensor, int, dict]:
    """Squared errors of the velocity, over the frames not given (half of the rows have a beginning given), and of the mean."""
    size, device, mel = len(batch.mel), batch.mel.device, (batch.mel - MEL_MEAN) / MEL_STD
    mask = valid(batch.lengths, mel.shape[1])
    share = (torch.rand(size, device=device) - 0.5).clamp(min=0)
    is_given = valid((share * batch.lengths).long(), mel.shape[1])
    dropped = torch.rand(size, device=device) < model.config.drop
    t, noise = torch.rand(size, device=device), torch.randn_like(mel)
    x = (1 - t)[:, None, None] * noise + t[:, None, None] * mel
    mean = model.expect(batch.codes, (batch.lengths + 1) // 2, batch.timbre)[:, : mel.shape[1]]
    velocity = model(x, t, mean.detach() * ~dropped[:, None, None], mel, is_given & mask, mask)
    matching = _error(velocity, mel - noise, mask & ~is_given)
    expected = _error(mean, mel, mask)
    return matching + expected, int(batch.lengths.sum()), {"matching": matching, "mean": expected}


def _error(found: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (found - wanted)[mask].square().mean()


@torch.no_grad()
def decode(
    model: Flow,
    codes: torch.Tensor,
    token_lengths: torch.Tensor,
    timbre: torch.Tensor,
    config: DecodeConfig,
    seeds: list[int],
    prompt: torch.Tensor | None = None,
    prompt_lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """Codes (B, S) and timbre (B, E) -> mel (B, 2 S, 80); each row's noise follows from its own seed.

    With `prompt` (B, P, 80), P <= 2 S, the codes begin with those of the prompt; its frames come back as they were.
    """
    model.eval()
    size, frames = len(codes), 2 * codes.shape[1]
    mask = valid(2 * token_lengths, frames)
    given, is_given = torch.zeros(size, frames, 80, device=codes.device), torch.zeros_like(mask)
    if prompt is not None:
        given[:, : prompt.shape[1]] = (prompt - MEL_MEAN) / MEL_STD
        is_given = valid(prompt_lengths, frames) & mask
    mean = model.expect(codes, token_lengths, timbre)

    def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
        times = torch.full((size,), t, device=x.device)
        v = model(x, times, mean, given, is_given, mask)
        if not config.guidance:
            return v
        return v + config.guidance * (v - model(x, times, torch.zeros_like(mean), given, is_given, mask))

    x0 = _noise(2 * token_lengths, frames, seeds).to(codes.device) * config.noise
    mel = SOLVERS[config.solver](velocity, x0, config.steps)
    return torch.where(is_given[..., None], given, mel) * MEL_STD + MEL_MEAN


def _noise(lengths: torch.Tensor, frames: int, seeds: list[int]) -> torch.Tensor:
    """Row by row, so that an utterance sounds the same alone and in a batch. (B, frames, 80)"""
    noise = torch.zeros(len(seeds), frames, 80)
    for row, (length, seed) in enumerate(zip(lengths.tolist(), seeds, strict=True)):
        noise[row, :length] = torch.randn(length, 80, generator=torch.Generator().manual_seed(seed))
    return noise
