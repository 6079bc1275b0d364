"""Is it a recording or did our decoder make it? Logistic regression on the mean, spread and change of each mel band.

It knows this vocoder and flow decoder only, on studio recordings without noise: it learns their traces and nothing general
about synthetic speech. A new vocoder, a codec or a room in between, and its error rate says nothing any more.
Left out: networks, features of phase, calibration.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from sebridge_lite.stack.features import log_mel

PENALTY = 1e-2  # on squared weights: there are more features than a small training set can pin down
QUIET = 4.0  # nepers below the loudest frame: pauses are digital silence on one side only, which would be too easy


class Detector(NamedTuple):
    mean: torch.Tensor  # (D,)
    scale: torch.Tensor  # (D,)
    weight: torch.Tensor  # (D,)
    bias: torch.Tensor  # ()


def pooled(samples: np.ndarray) -> torch.Tensor:
    """(N,) -> (240,): of each mel band over frames of speech, level-free: mean, spread, spread of the change."""
    mel = log_mel(torch.as_tensor(samples, dtype=torch.float32)[None])[0]
    level = mel.mean(1)
    kept = mel[level > level.max() - QUIET]
    change = kept.diff(dim=0) if len(kept) > 1 else torch.zeros(1, mel.shape[1])
    return torch.cat([kept.mean(0) - kept.mean(), kept.std(0, correction=0), change.std(0, correction=0)])


def fit(people: Sequence[np.ndarray], generated: Sequence[np.ndarray]) -> Detector:
    """The detector that tells these recordings from these sounds best."""
    features = torch.stack([pooled(sound) for sound in (*people, *generated)])
    labels = torch.tensor([0.0] * len(people) + [1.0] * len(generated))
    mean, scale = features.mean(0), features.std(0).clamp(min=1e-6)
    features = (features - mean) / scale
    weight, bias = torch.zeros(features.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(features @ weight + bias, labels)
        value = value + PENALTY * weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return Detector(mean, scale, weight.detach(), bias.detach())


def scores(detector: Detector, sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Log odds of having been generated. (N,)"""
    features = torch.stack([pooled(sound) for sound in sounds])
    return ((features - detector.mean) / detector.scale @ detector.weight + detector.bias).numpy()
