"""The playground: what its controls change, and what its sounds are."""

import numpy as np
import pytest
import torch

from sebridge_lite.extras.playground import FLAT, make_toy, quality, samples, say, sound, spell, train


@pytest.fixture(scope="module")
def toy():
    return make_toy(steps=60)


def test_the_same_settings_give_the_same_policy(toy):
    one, other = (train(toy, toy.triplets[:4], 0.5, 0.5, 0.1, 1e-3, 3)[1] for _ in range(2))
    assert one.equals(other) and one["loss"][0] == pytest.approx(np.log(2), abs=1e-5)


def test_an_sft_term_leaves_winners_likelier_than_plain_dpo(toy):
    plain, held = (train(toy, toy.triplets[:8], 0.5, 0.5, 0.1, 3e-3, 12, sft=sft)[1] for sft in (0.0, 1.0))
    assert held["winner_change"].iloc[-1] > plain["winner_change"].iloc[-1]


def test_a_set_of_weight_0_is_not_trained(toy):
    log = train(toy, toy.triplets[:4], 1.0, 0.0, 0.1, 1e-3, 2)[1]
    assert "stab_margin" in log and "expr_margin" not in log


def test_quality_is_1_for_a_perfect_lively_reading(toy):
    generator = torch.Generator().manual_seed(0)
    flat = [say(text, False, generator) for text in toy.new]
    assert quality(flat, toy) == {"syllables right": 1.0, "lively marks": 0.0}
    lively = [torch.where(row == FLAT, FLAT + 1, row) for row in flat]
    assert quality(lively, toy) == {"syllables right": 1.0, "lively marks": 1.0}
    assert set(quality(samples(toy.sft, toy), toy)) == {"syllables right", "lively marks"}


def test_sounds_are_as_long_as_their_marks_and_silent_for_nothing():
    tokens = torch.tensor([0, 4, 1, 5, 2])
    assert spell(tokens) == "ma- na/ ka"
    made = sound(tokens)
    assert len(made) == 1 + 2 * 3520 and 0.7 < np.abs(made).max() <= 0.8
    assert not sound(torch.tensor([], dtype=torch.long)).any()
