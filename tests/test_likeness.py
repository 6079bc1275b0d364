"""Voices told apart by an encoder that the decoder has not learnt from."""

import pickle

import pytest
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.metrics import similarity
from sebridge_lite.stack.likeness import APART, GE2E, Behind, Beside, Resemblyzer, windows
from sebridge_lite.stack.stacks import load_stack

SOUNDS = [0.1 * torch.randn(24_000, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]


class First:
    """An encoder, and a decoder that returns the voices it was given."""

    sample_rate = 16_000

    def embed(self, sounds):
        return torch.stack(
            [torch.tensor([1.0, 0.0]) if sound.mean() > 0 else torch.tensor([0.6, 0.8]) for sound in sounds]
        )

    def speak(self, codes, voices, seeds):
        return list(voices)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The file of weights of a package `resemblyzer` with weights of its own."""
    folder = tmp_path / "resemblyzer"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('only its weights are used')")
    torch.manual_seed(0)
    torch.save({"model_state": GE2E().state_dict() | {"similarity_weight": torch.ones(1)}}, folder / "pretrained.pt")
    monkeypatch.syspath_prepend(tmp_path)
    return folder / "pretrained.pt"


def test_windows_lie_770_ms_apart_and_a_last_one_that_is_hardly_filled_is_left_out():
    # 1.6 s is a window; 2.5 s reach 0.96 s into the third, 60 %; 3 s reach 1.46 s into it, 91 %
    assert [windows(round(16_000 * seconds)) for seconds in (1.0, 2.5, 3.0)] == [[0], [0, 77], [0, 77, 154]]


def test_similarity_is_the_judges_and_the_decoder_speaks_from_its_own_voice(package):
    judge = Resemblyzer(16_000, torch.device("cpu"))
    voices = Beside(judge, First()).embed(SOUNDS)
    alone = judge.embed(SOUNDS).numpy()
    together = similarity(voices.numpy(), voices.numpy()[::-1])
    assert together == pytest.approx(similarity(alone, alone[::-1]), abs=1e-6)
    spoken = torch.stack(Behind(First(), judge.width).speak([], voices, []))
    assert torch.allclose(spoken, First().embed(SOUNDS), atol=1e-7 / APART)


def test_a_voice_has_length_one_and_neither_a_low_level_nor_the_company_changes_it(package):
    judge = Resemblyzer(16_000, torch.device("cpu"))
    voices = judge.embed(SOUNDS)
    assert torch.allclose(voices.norm(dim=1), torch.ones(3), atol=1e-6)
    assert torch.allclose(judge.embed([0.01 * SOUNDS[1]]), judge.embed([0.001 * SOUNDS[1]]), atol=1e-5)
    assert torch.allclose(judge.embed(SOUNDS[1:2]), voices[1:2], atol=1e-6)


def test_without_the_package_or_with_a_pickle_that_runs_code_one_line_says_so(package, tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    package.write_bytes(pickle.dumps(Trap()))
    judge = Resemblyzer(16_000, torch.device("cpu"))
    with pytest.raises(UserError, match=r"pretrained.pt: cannot be loaded .*`pip install --no-deps resemblyzer"):
        judge.embed(SOUNDS)
    assert not (tmp_path / "sprung").exists()
    monkeypatch.setattr("sebridge_lite.stack.likeness.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"judge.speaker resemblyzer: not installed; `pip install"):
        judge.embed(SOUNDS)


def test_the_studio_stack_speaks_the_same_with_either_encoder(package):
    plain, judged = (load_stack(["th"], speaker=name) for name in ("own", "resemblyzer"))
    codes = [torch.arange(40)]
    sounds = [stack.speak(codes, stack.timbres(SOUNDS[:1]), [0])[0] for stack in (plain, judged)]
    assert torch.allclose(*sounds, atol=1e-2)
    assert judged.timbres(SOUNDS[:1]).shape[1] == plain.timbres(SOUNDS[:1]).shape[1] + judged.speaker.judge.width
