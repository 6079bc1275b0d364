"""What the networks share: masks, and one convolution block. Padding is held at zero, so it never reaches a valid frame.

All work on (B, T, D) with lengths (B,). Left out: attention (utterances last seconds, and convolutions are faster here).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sebridge_lite.core.errors import UserError

STEPS = 2  # CTC outputs a token of 40 ms: a fast syllable has more units than tokens


def valid(lengths: Tensor, size: int) -> Tensor:
    """True where a frame is no padding. (B,) -> (B, size)"""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the valid frames; 0 where there is none. (B, T, D), (B, T) -> (B, D)"""
    weight = mask[..., None].to(x.dtype)
    return (x * weight).sum(1) / weight.sum(1).clamp(min=1)


def standardise(mel: Tensor, mask: Tensor) -> Tensor:
    """Each band to mean 0 and deviation 1 over its own utterance: level and spectral tilt go. Padding becomes 0.

    The floor keeps a band that never moves (silence) at 0 and does not blow up its rounding errors.
    """
    mean = masked_mean(mel, mask)[:, None]
    deviation = masked_mean((mel - mean).square(), mask).sqrt()[:, None].clamp(min=0.1)
    return (mel - mean) / deviation * mask[..., None]


class Block(nn.Module):
    """ConvNeXt: each channel filtered over time, then mixed over channels, added to what came in.

    `shift` (B, D) or (B, T, D) is added before the mixing: the way in for time, speaker, or the utterance's mean.
    """

    def __init__(self, width: int, dilation: int = 1):
        super().__init__()
        self.over_time = nn.Conv1d(width, width, 7, padding=3 * dilation, dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 3 * width)
        self.down = nn.Linear(3 * width, width)

    def forward(self, x: Tensor, mask: Tensor, shift: Tensor | None = None) -> Tensor:
        keep = mask[..., None]
        y = self.norm(self.over_time((x * keep).transpose(1, 2)).transpose(1, 2))
        if shift is not None:
            y = y + (shift[:, None] if shift.ndim == 2 else shift)
        return (x + self.down(F.silu(self.up(y)))) * keep


class Halve(nn.Module):
    """Two frames become one, 50 Hz to 25 Hz. (B, T, in) -> (B, ceil(T / 2), out)"""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.conv = nn.Conv1d(inputs, width, 5, stride=2, padding=2)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = x * valid(lengths, x.shape[1])[..., None]
        return self.conv(x.transpose(1, 2)).transpose(1, 2), (lengths + 1) // 2


def check_codes(codes: Tensor, count: int, reader: str) -> None:
    """Speech tokens (any shape, without padding) must be whole numbers from 0 to `count` - 1."""
    low, high = (int(codes.min()), int(codes.max())) if codes.numel() else (0, 0)
    if codes.is_floating_point() or not 0 <= low <= high < count:
        raise UserError(
            f"speech tokens from {low} to {high} ({codes.dtype}): {reader} reads whole numbers from 0 to {count - 1}; "
            "cut off end markers first"
        )
