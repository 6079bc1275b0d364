"""Fine-tuning: it learns, goes on where it was killed, and adapters leave a plain model behind."""

import dataclasses

import pytest
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import SFTParams
from sebridge_lite.lm import sft
from sebridge_lite.lm import train as loop
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.lm.train import TrainConfig

CONFIG = LMConfig(12, 15, 16, 1, 2, 1, 24, max_positions=64, rope_theta=1e4, pace=2)
P = SFTParams(12, 0.01, 2, 120, style_share=0.5, style_tokens=4, token_noise=0.0, lora_rank=0)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TextSpeechLM(CONFIG)


@pytest.fixture
def data():
    torch.manual_seed(1)
    examples = [(torch.randint(12, (4,)), torch.randint(15, (8,))) for _ in range(12)]
    return examples, ["a", "b", "c"] * 4


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_killed_and_resumed_is_uninterrupted(model, data, tmp_path, monkeypatch):
    start = weights(model)
    fine_tune(model, *data, P, 0, tmp_path / "whole", "whole")
    whole = weights(model)

    class Killed(Exception):
        pass

    save, calls = loop.save, []

    def save_and_die(path, *rest):
        save(path, *rest)
        calls.append(path)
        raise Killed

    def saved_often(*given, **named):
        return dataclasses.replace(TrainConfig(*given, **named), save_every=5)

    monkeypatch.setattr(sft, "TrainConfig", saved_often)
    monkeypatch.setattr(loop, "save", save_and_die)
    model.load_state_dict(start)
    with pytest.raises(Killed):
        fine_tune(model, *data, P, 0, tmp_path / "killed", "killed")
    monkeypatch.setattr(loop, "save", save)
    model.load_state_dict(start)
    fine_tune(model, *data, P, 0, tmp_path / "killed", "killed")
    assert calls
    assert same(weights(model), whole)


def test_adapters_change_only_the_matrices_they_are_on_and_leave_a_plain_model(model, data, tmp_path):
    before = weights(model)
    fine_tune(model, *data, dataclasses.replace(P, lora_rank=2), 0, tmp_path, "lora")
    after = weights(model)
    assert after.keys() == before.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.endswith("_proj.weight") for name in moved)


def test_a_style_is_the_beginning_of_another_utterance_of_the_speaker():
    said = [(torch.tensor([i]), torch.arange(10 * i, 10 * i + 9)) for i in range(3)]
    same = sft.same_speaker(["a", "a", "b"])
    for _ in range(20):
        batch = sft.styled_batch(said, same, 1.0, 4, [0, 1, 2])
        assert batch.prefix.tolist() == [[10, 11, 12, 13], [0, 1, 2, 3], [0] * 4]
        assert batch.prefix_lengths.tolist() == [4, 4, 0]
    assert not sft.styled_batch(said, same, 0.0, 4, [0, 1, 2]).prefix_lengths.any()


def test_a_style_out_of_several_is_never_the_utterance_itself():
    torch.manual_seed(0)
    said = [(torch.tensor([1]), torch.full((4,), code)) for code in range(6)]
    same = [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3, 4], [3, 4], [5]]
    for _ in range(20):
        batch = sft.styled_batch(said, same, 1.0, 3, range(6))
        for place, length in enumerate(batch.prefix_lengths.tolist()):
            assert set(batch.prefix[place, :length].tolist()) <= set(same[place]) - {place}
            assert length == (0 if place == 5 else 3)
    assert sft.styled_batch(said, same, 0.0, 3, range(6)).prefix.shape == (6, 0)


def test_fine_tuning_warms_up_for_a_quarter_at_most_and_takes_utterances_that_just_fit(
    model, data, tmp_path, monkeypatch
):
    seen, (examples, speakers) = [], data
    monkeypatch.setattr(sft, "train", lambda *some: seen.append(some))
    examples[3] = (examples[3][0], torch.zeros(64 - 4 - 4 - 2, dtype=torch.long))
    for warmup in (2, 9):
        fine_tune(model, examples, speakers, dataclasses.replace(P, warmup=warmup), 0, tmp_path, "")
    assert [some[4].warmup for some in seen] == [2, 3] and 0 < seen[0][4].weight_decay < 0.1
    assert seen[0][2].sizes[:4] == [14, 14, 14, 60]


def test_an_utterance_that_does_not_fit_beside_a_prefix_is_one_line(model, data, tmp_path):
    examples, speakers = data
    examples[3] = (examples[3][0], torch.zeros(60, dtype=torch.long))
    with pytest.raises(UserError, match="66 text and speech tokens does not fit beside a prefix of 4"):
        fine_tune(model, examples, speakers, P, 0, tmp_path, "long")
