"""The decoder: speech tokens and a timbre become mel by conditional flow matching (Lipman et al. 2023), as in CosyVoice2.

A velocity carries x0 to mel x1 on straight lines, x_t = (1 - t) x0 + t x1 with velocity x1 - x0: the optimal-transport path.
Tokens and `e_timbre` first make a pitch contour and, over its harmonics, a mean mel; each has a loss of its own. x0 is that
mean plus a little noise, not noise alone: in a trial of two minutes a judge missed 56 % of the words in the mean, and 79 % in
what a flow from noise made of it. Left out: causal chunks for streaming, attention, classifier-free guidance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sebridge_lite.core.fields import one_of, within
from sebridge_lite.stack.layers import Block, check_codes, valid
from sebridge_lite.stack.tokenizer import FSQ
from sebridge_lite.stack.vocoder import MEL_MEAN, MEL_STD, band_centres, hertz

Velocity = Callable[[Tensor, float], Tensor]


def euler(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """From t = 0 to 1 in equal steps, each along the velocity at its start."""
    for step in range(steps):
        x = x + velocity(x, step / steps) / steps
    return x


def midpoint(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """Each step along the velocity at its middle, reached by half an Euler step: two calls a step, error of second order."""
    for step in range(steps):
        half = x + velocity(x, step / steps) / (2 * steps)
        x = x + velocity(half, (step + 0.5) / steps) / steps
    return x


SOLVERS = {"euler": euler, "midpoint": midpoint}


@dataclass(frozen=True)
class FlowConfig:
    codes: int = within(2, 65_536)
    timbre: int = within(1, 65_536)  # width of e_timbre
    width: int = within(2, 65_536)
    blocks: int = within(1, 65_536)
    noise: float = within(0, 1)  # deviation of x0 around the mean, in deviations of the mel
    drop: float = within(0, 1)  # share of training utterances whose flow does not see the mean
    levels: tuple[int, ...] = field(
        default=(), metadata={"may_be_empty": True}
    )  # of the FSQ whose values are read; without them each code has a vector of its own


class GridEmbedding(nn.Module):
    """Codes as the FSQ values that they stand for, so that near codes are near before anything is learnt."""

    def __init__(self, levels: tuple[int, ...], width: int):
        super().__init__()
        self.fsq = FSQ(levels)
        self.read = nn.Sequential(nn.Linear(len(levels), width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, codes: Tensor) -> Tensor:
        return self.read(self.fsq.to_values(codes))


@dataclass(frozen=True)
class DecodeConfig:
    steps: int = within(1, 1_000)
    solver: str = one_of(*SOLVERS)
    noise: float = within(0, 1)  # as `FlowConfig.noise`, at most that: 0 is clearest, 0.5 wrecks what a judge hears


class Flow(nn.Module):
    centres: Tensor

    def __init__(self, config: FlowConfig):
        super().__init__()
        width = config.width
        self.config = config
        self.embed = GridEmbedding(config.levels, width) if config.levels else nn.Embedding(config.codes, width)
        self.timbre = nn.Linear(config.timbre, width)
        self.slow = nn.ModuleList(Block(width) for _ in range(2))
        self.widen = nn.Linear(width, 2 * width)
        self.pitch = nn.Linear(width, 2)  # log F0, standardised, and voicing as a logit
        self.comb = nn.Linear(80, width)
        self.register_buffer("centres", band_centres(), persistent=False)
        self.fast = nn.ModuleList(Block(width) for _ in range(2))
        self.mean = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 80))
        self.inputs = nn.Linear(3 * 80 + 1, width)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.blocks = nn.ModuleList(Block(width, dilation=2 ** (i % 3)) for i in range(config.blocks))
        self.shifts = nn.ModuleList(nn.Linear(width, width) for _ in range(config.blocks))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 80))

    def expect(
        self, codes: Tensor, token_lengths: Tensor, timbre: Tensor, f0: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Codes (B, S) in a timbre (B, E) -> mean mel, standardised (B, 2 S, 80); log F0 and voicing (B, 2 S, 2).

        The mean is drawn over the harmonics of `f0` (B, 2 S) in Hz, 0 where unvoiced; by default those it expects itself.
        """
        mask = valid(token_lengths, codes.shape[1])
        check_codes(codes[mask], self.config.codes, "this decoder")
        x, voice = self.embed(codes.masked_fill(~mask, 0)), self.timbre(timbre)
        for block in self.slow:
            x = block(x, mask, voice)
        x = self.widen(x).view(len(x), -1, self.config.width)
        mask = valid(2 * token_lengths, x.shape[1])
        pitch = self.pitch(x).float()
        x = x + self.comb(comb(hertz(*pitch.unbind(-1)) if f0 is None else f0, self.centres))
        for block in self.fast:
            x = block(x, mask, voice)
        return self.mean(x).float() * mask[..., None], pitch

    def forward(self, x, t, mean, given, is_given, mask) -> Tensor:
        """Velocity at x (B, T, 80), t (B,), under a mean mel; `given` mel counts where `is_given` (B, T). -> (B, T, 80)"""
        shown = is_given[..., None].to(x.dtype)
        h = self.inputs(torch.cat([x, mean, given * shown, shown], -1))
        when = self.time(_waves(t))
        for block, shift in zip(self.blocks, self.shifts, strict=True):
            h = block(h, mask, shift(when))
        return self.out(h).float() * mask[..., None]


def comb(f0: Tensor, centres: Tensor) -> Tensor:
    """Where the harmonics lie in the mel bands: 1 at one, -1 halfway to the next. (B, T) Hz, (80,) -> (B, T, 80)"""
    return (2 * math.pi * centres / f0.clamp(min=50)[..., None]).cos() * (f0 > 0)[..., None]


def _waves(t: Tensor, size: int = 64) -> Tensor:
    """A time in [0, 1] as sines and cosines. (B,) -> (B, size)"""
    rates = torch.exp(torch.linspace(0, math.log(1000), size // 2, device=t.device))
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


@torch.no_grad()
def decode(
    model: Flow, codes: Tensor, token_lengths: Tensor, timbre: Tensor, config: DecodeConfig, seeds: list[int]
) -> tuple[Tensor, Tensor]:
    """Codes (B, S) and timbre (B, E) -> mel (B, 2 S, 80) and pitch for the vocoder (B, 2 S) in Hz, 0 where unvoiced.

    Each row's noise follows from its own seed. Left out: a prompt, whose frames the network could be given.
    """
    model.eval()
    frames = 2 * codes.shape[1]
    mask = valid(2 * token_lengths, frames)
    mean, pitch = model.expect(codes, token_lengths, timbre)
    given, is_given = torch.zeros_like(mean), torch.zeros_like(mask)

    def velocity(x: Tensor, t: float) -> Tensor:
        return model(x, torch.full((len(x),), t, device=x.device), mean, given, is_given, mask)

    x0 = mean + _noise(2 * token_lengths, frames, seeds).to(codes.device) * config.noise
    mel = SOLVERS[config.solver](velocity, x0, config.steps)
    return mel * MEL_STD + MEL_MEAN, hertz(*pitch.unbind(-1)) * mask


def _noise(lengths: Tensor, frames: int, seeds: list[int]) -> Tensor:
    """Row by row, so that an utterance sounds the same alone and in a batch. (B, frames, 80)"""
    noise = torch.zeros(len(seeds), frames, 80)
    for row, (length, seed) in enumerate(zip(lengths.tolist(), seeds, strict=True)):
        noise[row, :length] = torch.randn(length, 80, generator=torch.Generator().manual_seed(seed))
    return noise
