"""The detector separates what differs and does not separate what does not."""

import numpy as np
import torch

from sebridge_lite.data.manifest import RATE
from sebridge_lite.extras.marking import fit, log_odds, pooled


def noises(count, tilt, seed):
    """Noise with some high frequencies taken away."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((count, RATE // 2 + 1)) * 0.1
    return list(white[:, 1:] + tilt * white[:, :-1])


def test_level_and_silence_at_the_ends_are_no_clue():
    (samples,) = noises(1, 0.0, 0)
    padded = np.concatenate([np.zeros(3200), samples[:7680], np.zeros(3200)])
    torch.testing.assert_close(pooled(samples / 10), pooled(samples), atol=1e-3, rtol=0)
    torch.testing.assert_close(pooled(padded)[:80], pooled(samples[:7680])[:80], atol=0.15, rtol=0)


def test_one_loud_frame_is_enough_to_be_scored():
    detector = fit(noises(4, 0.0, 0), noises(4, 0.3, 1))
    assert np.isfinite(log_odds(detector, [np.pad(np.ones(320), 3200)])).all()
