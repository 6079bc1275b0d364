import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import examine_parts as parts
from sebridge_lite.experiments.material import at_50_hz, crops, features, render_material, speaker_medians
from sebridge_lite.experiments.train_parts import pretrain
from sebridge_lite.lm.lm import load_backbone
from sebridge_lite.lm.sft import styled_batch
from sebridge_lite.stack.batches import in_batches
from sebridge_lite.stack.parts import FOLDERS, NETWORKS, Parts, load_part
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.studio import studio_stack
from sebridge_lite.studio.voices import engines, people

ROOT = Path(__file__).parents[1]
FULL = load_params(ROOT / "params" / "lite.yaml").pretrain
STEPS = {
    name: dataclasses.replace(getattr(FULL, "lm" if name == "backbone" else name), steps=2, width=32, blocks=1)
    for name in FOLDERS
}
TINY = dataclasses.replace(
    FULL, people=4, engines=2, utterances=16, backbone_utterances=16,
    **{("lm" if name == "backbone" else name): part for name, part in STEPS.items()},
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("SEBRIDGE_WORKERS", "1")
        pretrain(TINY, folder / "work", folder / "out")
    return folder


@pytest.fixture(scope="module")
def stack(trained) -> Stack:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        networks = {name: load_part(name, trained / "out" / name) for name in NETWORKS}
        return studio_stack(Parts(torch.device("cpu"), **networks), ["th", "lo"])


@pytest.fixture(scope="module")
def group():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return parts.heard(list(render_material("t", "th", "test", 8, people("unseen", 4), 0)))


def test_every_part_is_trained_saved_and_loads(trained, monkeypatch):
    monkeypatch.setenv("SEBRIDGE_PARTS", str(trained / "out"))
    assert {path.stem for path in (trained / "out").iterdir()} == set(FOLDERS)
    for network in (*map(load_part, NETWORKS), load_backbone()):
        assert sum(p.numel() for p in network.parameters()) > 0


def test_a_second_run_trains_nothing_and_gives_the_same_parts(trained, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    pretrain(TINY, trained / "work", trained / "again")
    for name in FOLDERS:
        file = f"{name}.safetensors"
        assert (trained / "again" / file).read_bytes() == (trained / "out" / file).read_bytes()
        assert len((trained / "work" / name / "loss.csv").read_text().splitlines()) == 3


def test_nobody_who_judges_also_teaches_another_judge_or_is_held_out():
    groups = [
        {v.id for v in people(group, 50)} for group in ("judge_a", "judge_b", "backbone", "train", "dev", "unseen")
    ]
    groups += [{v.id for v in engines(group, 3)} for group in ("main", "judge_a", "judge_b")]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_tokens_come_every_40_ms_and_sound_comes_back_as_long(stack, group):
    codes = stack.tokens(group.sounds)
    back = stack.speak(codes, stack.timbres(group.sounds), [0] * len(codes))
    assert [len(row) for row in codes] == [len(sound) // 640 for sound in group.sounds]
    assert [len(sound) for sound in back] == [640 * len(row) for row in codes]


def test_a_recording_gives_the_same_tokens_alone_and_among_others(stack, group):
    assert all(
        torch.equal(stack.tokens([sound])[0], row)
        for sound, row in zip(group.sounds, stack.tokens(group.sounds), strict=True)
    )


def test_the_scoring_judge_never_reads_tokens_and_the_selecting_one_never_hears_sound(stack, group):
    def refuse(*_):
        raise AssertionError("the other judge was asked")

    deaf = dataclasses.replace(stack, score_judge=refuse)
    blind = dataclasses.replace(stack, select_judge=refuse)
    assert len(deaf.read(stack.tokens(group.sounds), "th")) == len(blind.hear(group.sounds, "th")) == len(group.sounds)
    with pytest.raises(AssertionError):
        deaf.hear(group.sounds, "th")
    with pytest.raises(AssertionError):
        blind.read(stack.tokens(group.sounds), "th")


def test_batches_give_each_row_its_own_result_in_order():
    rows = [torch.full((size,), float(size)) for size in (5, 1, 9, 3, 7)]
    sums = in_batches(lambda batch, lengths, _: batch.sum(1).tolist(), rows, budget=12)
    assert sums == [25.0, 1.0, 81.0, 9.0, 49.0]


def test_pitch_at_50_hz_is_the_voiced_one_of_two_frames():
    assert at_50_hz(np.array([0, 0, 0, 100, 110, 0, 120, 130, 140])).tolist() == [0, 100, 110, 130]


def test_crops_are_stretches_of_their_rows():
    rows = [torch.arange(10), torch.arange(3)]
    cut, starts = crops(rows, 4)
    assert [len(row) for row in cut] == [4, 3]
    assert all(row[0] == start for row, start in zip(cut, starts, strict=True))


def test_features_fit_the_sound_and_the_truth(monkeypatch):
    monkeypatch.chdir(ROOT)
    recordings = list(render_material("t", "lo", "judge", 5, people("dev", 2), 0))
    material = features(recordings, keep_sounds=True)
    for place, recording in enumerate(recordings):
        size = len(recording.samples) // 320
        assert len(material.mels[place]) == len(material.f0[place]) == len(material.energy[place]) == size
        tones = len(recording.utterance.truth["tones"])
        spoken = sum(syllable >= 0 for syllable in recording.utterance.truth["syllables"])
        assert len(material.units[place]) == tones + spoken
    assert set(speaker_medians(material)) == set(material.speakers)


def test_a_style_prefix_is_of_the_same_speaker_and_never_the_utterance_itself():
    torch.manual_seed(0)
    examples = [(torch.tensor([1]), torch.full((4,), code)) for code in range(6)]
    same = [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3, 4], [3, 4], [5]]
    for _ in range(20):
        batch = styled_batch(examples, same, 1.0, 3, range(6))
        for place, length in enumerate(batch.prefix_lengths.tolist()):
            taken = set(batch.prefix[place, :length].tolist())
            assert taken <= set(same[place]) - {place}
            assert length == (0 if place == 5 else 3)
    assert styled_batch(examples, same, 0.0, 3, range(6)).prefix.shape == (6, 0)


def test_the_speaker_probe_finds_speakers_that_are_there_and_none_that_are_not():
    rng = np.random.default_rng(0)
    values = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    speakers = [f"p{i % 10}" for i in range(400)]
    mean = [torch.from_numpy(rng.integers(3 * (i % 10), 3 * (i % 10) + 3, 50)) for i in range(400)]
    free = [torch.from_numpy(rng.integers(0, 30, 50)) for _ in range(400)]
    assert parts.speaker_probe(mean, speakers, values, 0) == (1.0, 10)
    assert parts.speaker_probe(free, speakers, values, 0)[0] < 0.2


def test_correlation_counts_frames_voiced_in_both():
    a = torch.tensor([0.0, *[100.0 * 2 ** (i / 12) for i in range(12)], 0.0])
    assert parts.correlation([a], [a * 2]) == pytest.approx(1.0)
    assert parts.correlation([a], [20_000 / a.clamp(min=1) * (a > 0)]) == pytest.approx(-1.0)
