"""The decoder: speech tokens and a timbre become mel by conditional flow matching (Lipman et al. 2023), as in CosyVoice2.

A velocity carries noise x0 to mel x1 on straight lines, x_t = (1 - t) x0 + t x1 with velocity x1 - x0: the optimal-transport
path. The network sees x_t, t, the tokens, `e_timbre`, and, for infilling, whatever mel is already given. Dropping tokens and
timbre now and then in training makes classifier-free guidance possible. Left out: causal chunks for streaming, attention.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import one_of, within
from sebridge_lite.speech.layers import Block, valid

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
    drop: float = within(0, 1)  # share of training utterances without tokens and timbre


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
        self.embed = nn.Embedding(config.codes + 1, width)  # the last row stands for "no tokens"
        self.inputs = nn.Linear(2 * 80 + 1, width)
        self.before = Block(width)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.timbre = nn.Linear(config.timbre, width)
        self.blocks = nn.ModuleList(Block(width, dilation=2 ** (i % 3)) for i in range(config.blocks))
        self.shifts = nn.ModuleList(nn.Linear(width, width) for _ in range(config.blocks))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 80))

    def tokens(self, codes: torch.Tensor, token_lengths: torch.Tensor, dropped: torch.Tensor) -> torch.Tensor:
        """Codes (B, S) -> conditioning (B, 2 S, width); rows where `dropped` (B,) get "no tokens"."""
        mask = valid(token_lengths, codes.shape[1])
        inside = codes[mask]
        if inside.numel() and not 0 <= int(inside.min()) <= int(inside.max()) < self.config.codes:
            raise UserError(
                f"speech tokens from {int(inside.min())} to {int(inside.max())}: this decoder reads 0 to "
                f"{self.config.codes - 1}; end markers must be cut off first"
            )
        codes = torch.where(dropped[:, None] | ~mask, self.config.codes, codes)
        return self.before(self.embed(codes), mask).repeat_interleave(2, dim=1)

    def forward(self, x, t, tokens, timbre, given, is_given, mask) -> torch.Tensor:
        """Velocity (B, T, 80) at x (B, T, 80) and t (B,); `given` mel (B, T, 80) counts where `is_given` (B, T)."""
        shown = is_given[..., None].to(x.dtype)
        h = self.inputs(torch.cat([x, given * shown, shown], -1)) + tokens
        about = F.silu(self.time(_waves(t)) + self.timbre(timbre))
        for block, shift in zip(self.blocks, self.shifts, strict=True):
            h = block(h, mask, shift(about))
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
    """Mean squared error of the velocity over the frames not given; half of the utterances have a beginning given."""
    size, device, mel = len(batch.mel), batch.mel.device, (batch.mel - MEL_MEAN) / MEL_STD
    mask = valid(batch.lengths, mel.shape[1])
    share = (torch.rand(size, device=device) - 0.5).clamp(min=0)
    is_given = valid((share * batch.lengths).long(), mel.shape[1])
    dropped = torch.rand(size, device=device) < model.config.drop
    t, noise = torch.rand(size, device=device), torch.randn_like(mel)
    x = (1 - t)[:, None, None] * noise + t[:, None, None] * mel
    tokens = model.tokens(batch.codes, (batch.lengths + 1) // 2, dropped)
    velocity = model(x, t, tokens, batch.timbre * ~dropped[:, None], mel, is_given & mask, mask)
    wanted = (mask & ~is_given)[..., None]
    error = ((velocity - (mel - noise)).square() * wanted).sum() / (80 * wanted.sum())
    return error, int(batch.lengths.sum()), {}


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
    nobody = torch.zeros(size, dtype=torch.bool, device=codes.device)
    tokens = model.tokens(codes, token_lengths, nobody)
    blind = model.tokens(codes, token_lengths, ~nobody) if config.guidance else None

    def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
        times = torch.full((size,), t, device=x.device)
        v = model(x, times, tokens, timbre, given, is_given, mask)
        if blind is None:
            return v
        free = model(x, times, blind, torch.zeros_like(timbre), given, is_given, mask)
        return v + config.guidance * (v - free)

    x0 = _noise(2 * token_lengths, frames, seeds).to(codes.device) * config.noise
    mel = SOLVERS[config.solver](velocity, x0, config.steps)
    return torch.where(is_given[..., None], given, mel) * MEL_STD + MEL_MEAN


def _noise(lengths: torch.Tensor, frames: int, seeds: list[int]) -> torch.Tensor:
    """Row by row, so that an utterance sounds the same alone and in a batch. (B, frames, 80)"""
    noise = torch.zeros(len(seeds), frames, 80)
    for row, (length, seed) in enumerate(zip(lengths.tolist(), seeds, strict=True)):
        noise[row, :length] = torch.randn(length, 80, generator=torch.Generator().manual_seed(seed))
    return noise
