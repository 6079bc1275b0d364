"""The speaker encoder and the equal error rate, on made-up people."""

import math

import numpy as np
import pytest
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder, eer, embed
from sebridge_lite.studio.teach.losses import Batch, speaker_loss

CONFIG = SpeakerConfig(width=24, blocks=2, embedding=8, speakers=3, margin=0.2, scale=10.0)


def encoder() -> SpeakerEncoder:
    torch.manual_seed(0)
    return SpeakerEncoder(CONFIG).eval()


def crowd(count: int, seed: int, frames: int = 40) -> Batch:
    """Three people who differ by where the spectrum is strong."""
    generator = torch.Generator().manual_seed(seed)
    speaker = torch.arange(count) % 3
    mel = torch.randn(count, frames, 80, generator=generator) - 5
    for row, who in enumerate(speaker.tolist()):
        mel[row, :, 20 * who : 20 * who + 20] += 1.5
    return Batch(mel=mel, lengths=torch.full((count,), frames), speaker=speaker)


def test_an_embedding_has_length_one_and_padding_never_changes_it():
    mel = torch.randn(3, 80, 80, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([80, 51, 30])
    together = embed(encoder(), mel, lengths)
    assert torch.allclose(together.norm(dim=1), torch.ones(3))
    for row, size in enumerate(lengths.tolist()):
        assert torch.allclose(
            together[row], embed(encoder(), mel[row : row + 1, :size], lengths[row : row + 1])[0], atol=1e-5
        )


def test_without_a_margin_the_loss_is_cross_entropy_of_scaled_cosines_and_a_margin_raises_it():
    batch, plain = crowd(6, seed=1), encoder()
    prototypes = torch.nn.functional.normalize(plain.prototypes, dim=-1)
    cosine = plain(batch.mel, batch.lengths) @ prototypes.T
    expected = torch.nn.functional.cross_entropy(10 * cosine, batch.speaker)
    plain.config = SpeakerConfig(**{**CONFIG.__dict__, "margin": 0.0})
    assert torch.allclose(speaker_loss(plain, batch)[0], expected, atol=1e-4)
    assert speaker_loss(encoder(), batch)[0] > expected


def test_people_unheard_in_training_recordings_are_told_apart():
    model = encoder().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for seed in range(40):
        loss = speaker_loss(model, crowd(12, seed))[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    new = crowd(12, seed=999)
    found = embed(model, new.mel, new.lengths)
    pairs = torch.triu_indices(12, 12, 1)
    same = (new.speaker[:, None] == new.speaker)[pairs[0], pairs[1]]
    assert eer((found @ found.T)[pairs[0], pairs[1]].numpy(), same.numpy()) < 0.05


def test_short_silent_and_broken_references_are_named():
    silent = torch.full((1, 100, 80), math.log(1e-5))
    with pytest.raises(UserError, match=r"reference 1: 0.1 s"):
        embed(encoder(), torch.zeros(1, 100, 80), torch.tensor([5]))
    with pytest.raises(UserError, match="silent"):
        embed(encoder(), silent, torch.tensor([100]))
    with pytest.raises(UserError, match=r"reference 2: .*NaN"):
        embed(encoder(), torch.stack([torch.zeros(100, 80), torch.full((100, 80), math.nan)]), torch.tensor([100, 100]))


def test_equal_error_rate_by_hand():
    same = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    assert eer([9, 8, 7, 6, 4, 3, 2, 1], same) == 0
    assert eer([1, 2, 3, 4, 6, 7, 8, 9], same) == 1
    assert eer([9, 8, 7, 4, 5, 3, 2, 1], same) == pytest.approx(0.25)
    assert eer([5] * 8, same) == pytest.approx(0.5)


def test_equal_error_rate_ignores_the_scale_of_scores_and_matches_two_gaussians():
    """Means 2 deviations apart: both kinds of error are Phi(-1) = 0.1587 halfway."""
    rng = np.random.default_rng(0)
    same = np.arange(40_000) % 2 == 0
    scores = rng.standard_normal(40_000) + 2 * same
    assert eer(scores, same) == pytest.approx(0.1587, abs=0.005)
    assert eer(np.exp(scores), same) == eer(scores, same)


def test_equal_error_rate_needs_both_kinds_of_pairs():
    with pytest.raises(UserError, match="same and of different"):
        eer([1.0, 2.0], [True, True])
