"""FSQ and the tokenizer around it, on made-up mels."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.tokenizer import FSQ, Tokenizer, TokenizerConfig
from sebridge_lite.studio.lexicon import INDEX, UNITS, Syllable, Word, spoken_units, word_units
from sebridge_lite.studio.teach.losses import Batch, tokenizer_loss

CONFIG = TokenizerConfig(levels=(3,) * 6, width=24, blocks=2, speaker_width=4, speakers=0)
LEVELS = st.lists(st.integers(2, 7), min_size=1, max_size=5)


def tokenizer(config: TokenizerConfig = CONFIG) -> Tokenizer:
    torch.manual_seed(0)
    return Tokenizer(config).eval()


def mels(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    mel = 3 * torch.randn(len(lengths), max(lengths), 80, generator=generator) - 6
    return mel, torch.tensor(lengths)


def batch() -> Batch:
    mel, lengths = mels(40, 26)
    units = torch.tensor([[INDEX["m"], INDEX["aː"], INDEX["th:M"]], [INDEX["k"], INDEX["a"], 0]])
    frames = torch.zeros(2, 40)
    heard = {"pitch": frames, "voiced": frames > -1, "energy": frames, "timbre": torch.zeros(2, 4)}
    return Batch(mel=mel, lengths=lengths, units=units, unit_lengths=torch.tensor([3, 2]), **heard)


@settings(max_examples=30, deadline=None)
@given(LEVELS)
def test_codes_and_grid_values_map_onto_each_other_one_to_one(levels):
    fsq = FSQ(levels)
    codes = torch.arange(math.prod(levels))
    values = fsq.to_values(codes)
    assert fsq.codes == len(codes)
    assert torch.equal(fsq.to_codes(values), codes)
    assert len(values.unique(dim=0)) == len(codes)


@settings(max_examples=30, deadline=None)
@given(LEVELS, st.floats(0, 1e6))
def test_quantised_values_lie_on_the_grid_within_one_however_large_the_input(levels, scale):
    fsq = FSQ(levels)
    values = fsq(scale * torch.randn(50, len(levels)))
    assert values.abs().max() <= 1
    assert torch.allclose(fsq.to_values(fsq.to_codes(values)), values, atol=1e-6)


def test_codes_of_2x2_by_hand():
    """Levels (2, 2): z below 0 is level 0, above is 1; code = first + 2 * second."""
    z = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    fsq = FSQ((2, 2))
    assert fsq.to_codes(fsq(z)).tolist() == [0, 1, 2, 3]


def test_the_gradient_passes_the_rounding_as_that_of_tanh():
    z = torch.tensor([[0.3, -0.7]], requires_grad=True)
    FSQ((3, 3))(z).sum().backward()
    assert torch.allclose(z.grad, 1 - torch.tanh(z.detach()) ** 2)


def test_wrong_levels_and_codes_out_of_range_are_named():
    with pytest.raises(UserError, match="from 0 to 8"):
        FSQ((3, 3)).to_values(torch.tensor([0, 9]))


def test_a_token_is_two_frames_and_all_tokens_are_in_range():
    mel, lengths = mels(40, 31)
    codes = tokenizer().encode(mel, lengths)
    assert codes.shape == (2, 20)
    assert codes.min() >= 0
    assert codes.max() < 729
    assert not codes[1, 16:].any()


def test_padding_never_changes_the_tokens():
    mel, lengths = mels(61, 40, 24)
    model = tokenizer()
    together = model.encode(mel, lengths)
    for row, size in enumerate(lengths.tolist()):
        alone = model.encode(mel[row : row + 1, :size], lengths[row : row + 1])[0]
        assert torch.equal(together[row, : len(alone)], alone)


def test_level_and_tilt_of_the_recording_do_not_change_the_tokens():
    mel, lengths = mels(60)
    tilted = mel + 2 + torch.linspace(-1, 1, 80)
    same = tokenizer().encode(mel, lengths) == tokenizer().encode(tilted, lengths)
    assert same.float().mean() > 0.99


def test_the_envelope_is_asked_for_without_its_level():
    torch.manual_seed(0)
    model, shown = tokenizer(replace(CONFIG, spectrum=True)), batch()
    without = tokenizer_loss(model, shown, prosody=1.0)[0]
    loss, _, parts = tokenizer_loss(model, shown, prosody=1.0, spectrum=2.0)
    torch.testing.assert_close(loss, without + 2 * parts["envelope"])
    louder = tokenizer_loss(model, replace(shown, mel=shown.mel + 3.0), prosody=1.0)[2]["envelope"]
    torch.testing.assert_close(louder, parts["envelope"], rtol=1e-3, atol=1e-4)


def test_the_loss_falls_on_two_utterances():
    model = tokenizer().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        loss, _, parts = tokenizer_loss(model, batch(), prosody=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(parts["ctc"].item())
    assert losses[-1] < 0.5 * losses[0]


def test_units_are_phones_then_the_tone_and_pauses_are_nothing():
    units = spoken_units(["m", "aː", "_", "k", "a", "n"], [0, 0, -1, 1, 1, 1], ["H", "L"], "lo")
    assert [UNITS[u] for u in units] == ["m", "aː", "lo:H", "k", "a", "n", "lo:L"]


def test_a_word_said_as_written_has_the_units_of_the_lexicon():
    syllable = Syllable("กลับ", "k", "l", "a", "p", "L")
    word = Word("กลับ", (syllable,), ("verb",), "return", 1)
    assert word_units(word, "th") == spoken_units(["k", "l", "a", "p"], [0] * 4, ["L"], "th")
