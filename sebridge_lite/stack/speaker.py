"""Who speaks: a small metric-learning net on mel, trained to tell studio people apart (AAM-softmax, Deng et al. 2019).

It stands where the paper has CAM++ (the decoder's `e_timbre`) and WavLM (SIM). `forward` is the mean over time of the
last layer, as Eq. 26 has it. Level is taken off by the mean over the whole recording, tilt and register stay: they are the
voice. Left out: attentive pooling, a second stage of fine-tuning, score normalisation.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.fields import within
from sebridge_lite.stack.layers import Block, Halve, masked_mean, valid

SHORTEST = 25  # frames: half a second
SILENT = -11.0  # log mel: nothing but the floor of the features


@dataclass(frozen=True)
class SpeakerConfig:
    width: int = within(1, 65_536)
    blocks: int = within(1, 65_536)
    embedding: int = within(1, 65_536)
    speakers: int = within(2, 65_536)  # of the training set
    margin: float = within(0, 1)  # radians that the right speaker must win by
    scale: float = within(0, open_low=True)


class SpeakerEncoder(nn.Module):
    def __init__(self, config: SpeakerConfig):
        super().__init__()
        self.config = config
        self.halve = Halve(80, config.width)
        self.blocks = nn.ModuleList(Block(config.width, dilation=1 + i % 2) for i in range(config.blocks))
        self.timbre = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.embedding))
        self.prototypes = nn.Parameter(torch.randn(config.speakers, config.embedding))

    def forward(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Mean over time of the last layer, of length 1. (B, T, 80), (B,) -> (B, E)"""
        level = masked_mean(mel, valid(lengths, mel.shape[1])).mean(-1)[:, None, None]
        x, lengths = self.halve((mel - level) / 3, lengths)
        mask = valid(lengths, x.shape[1])
        for block in self.blocks:
            x = block(x, mask)
        return F.normalize(masked_mean(self.timbre(x), mask).float(), dim=-1)


@torch.no_grad()
def embed(model: SpeakerEncoder, mel: Tensor, lengths: Tensor) -> Tensor:
    """`forward` for references that came from outside: too short or silent ones are named. -> (B, E)"""
    for row, (frames, size) in enumerate(zip(mel, lengths.tolist(), strict=True), 1):
        if size < SHORTEST:
            raise UserError(f"reference {row}: {size / 50:.1f} s of speech; give at least {SHORTEST / 50:.1f} s")
        if not frames[:size].isfinite().all():
            raise UserError(f"reference {row}: the audio holds NaN or infinite samples; export it again")
        if frames[:size].max() < SILENT:
            raise UserError(f"reference {row}: silent; give a recording with speech")
    return model.eval()(mel, lengths)


def eer(scores: np.ndarray, same: np.ndarray) -> float:
    """Equal error rate of a verification trial: scores (N,), and whether both sides are one person (N,)."""
    scores, same = np.asarray(scores, dtype=float), np.asarray(same, dtype=bool)
    if same.all() or not same.any():
        raise UserError("equal error rate: needs pairs of the same and of different speakers")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores are accepted together
    misses = np.append(1.0, 1 - np.cumsum(same[order])[last] / same.sum())
    alarms = np.append(0.0, np.cumsum(~same[order])[last] / (~same).sum())
    at = int(np.argmax(alarms >= misses))
    gap, before = alarms[at] - misses[at], misses[at - 1] - alarms[at - 1]
    return float(alarms[at - 1] + (alarms[at] - alarms[at - 1]) * before / (before + gap))
