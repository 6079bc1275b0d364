"""The frozen parts: those that travel with the repository, and their training on tiny sizes."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import parts
from sebridge_lite.lm.lm import LMConfig
from sebridge_lite.lm.sft import styled_batch
from sebridge_lite.stack.parts import FOLDERS, NETWORKS, part_file
from sebridge_lite.stack.studio import load_stack
from sebridge_lite.stack.weights import load_config
from sebridge_lite.studio.teach import examine_parts, train_parts
from sebridge_lite.studio.teach.material import at_50_hz, features, render_material, speaker_medians
from sebridge_lite.studio.voices import engines, people

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT / "params" / "lite.yaml")
SECTIONS = {name: "lm" if name == "backbone" else name for name in FOLDERS}
TINY = dataclasses.replace(
    PARAMS.pretrain, people=4, engines=2, utterances=16, backbone_utterances=16,
    **{section: dataclasses.replace(getattr(PARAMS.pretrain, section), steps=2, width=32, blocks=1)
       for section in SECTIONS.values()},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")


@pytest.fixture(scope="module")
def metrics() -> dict:
    return json.loads((ROOT / "results" / "parts" / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, list[str]]:
    """The outputs of the stage, which was killed after the tokenizer and run again; and what it trained the second time."""
    folder, steps = tmp_path_factory.mktemp("run"), []
    vocoder, train = train_parts.train_vocoder, train_parts.train
    measures = {name: 0.0 for _, scores in parts.CARDS.values() for name in scores.split()}

    def kill(*_):
        raise KeyboardInterrupt

    def counted(*arguments):
        before = (arguments[5] / "checkpoint.pt").exists()
        done = train(*arguments)
        steps.append(f"{arguments[7]} {'goes on' if before else 'begins'}")
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("SEBRIDGE_WORKERS", "1")
        patch.setenv("SEBRIDGE_OUTPUTS", str(folder))
        patch.setattr(parts, "examine", lambda *_: measures)
        patch.setattr(train_parts, "train_vocoder", kill)
        tiny = dataclasses.replace(PARAMS, pretrain=TINY)
        with pytest.raises(KeyboardInterrupt):
            parts.run_parts(tiny)
        patch.setattr(train_parts, "train_vocoder", vocoder)
        patch.setattr(train_parts, "train", counted)
        parts.run_parts(tiny)
    return folder, steps


def test_a_killed_stage_goes_on_leaves_every_part_in_its_place_and_no_work(trained, monkeypatch):
    folder, steps = trained
    assert steps[:3] == ["speaker goes on", "tokenizer goes on", "vocoder begins"]
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(folder))
    monkeypatch.delenv("SEBRIDGE_PARTS", raising=False)
    assert {path.name for path in paths.artifacts().iterdir()} == {"parts", "judges"}
    for name, place in FOLDERS.items():
        assert part_file(name) == paths.artifacts(place, name)
        assert part_file(name).with_suffix(".json").is_file()


def test_cards_and_metrics_name_the_code_that_made_the_parts(trained):
    report = json.loads((trained[0] / "results/parts/metrics.json").read_text(encoding="utf-8"))
    cards = (trained[0] / "results/parts/cards.md").read_text(encoding="utf-8")
    assert len(report["code"]) == 16 and report["code"] in cards
    assert all(f"## {name}" in cards and report[f"steps_{name}"] == 2 for name in FOLDERS)


def test_a_report_without_the_hash_says_that_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    for stage in ("parts", "codebook"):
        parts.write_results(stage, {"codes": 729})
    assert parts.parts_metrics() == {"code": parts.UNKNOWN, "codes": 729, "compared_codes": 729}
    shutil.rmtree(tmp_path / "results" / "codebook")
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    with pytest.raises(UserError, match="dvc pull codebook"):
        parts.parts_metrics()


def test_the_parts_that_travel_are_complete_small_and_of_the_sizes_that_the_parameters_give(metrics):
    size = 0
    for name, section in SECTIONS.items():
        file, wanted = part_file(name), getattr(PARAMS.pretrain, section).width
        kind = LMConfig if name == "backbone" else NETWORKS[name][1]
        config = load_config(kind, file)
        assert {getattr(config, key) for key in ("width", "hidden") if hasattr(config, key)} == {wanted}
        size += sum(file.with_name(f"{name}.{ending}").stat().st_size for ending in ("json", "safetensors"))
    assert size == metrics["pretrained_bytes"] <= 12e6


def test_judges_and_re_synthesis_are_as_good_as_the_metrics_say(metrics):
    group, _ = examine_parts.held_out("th", 24, 3, seed=5)
    counts, _ = examine_parts.judge_report(load_stack(["th"], "cpu"), "th", group)
    report = {name: wrong / total for name, (wrong, total) in counts.items()}
    assert report["score"] == pytest.approx(metrics["score_wer_people_th"], abs=0.08)
    assert report["select"] == pytest.approx(metrics["select_wer_people_th"], abs=0.12)
    assert report["resynthesis"] == pytest.approx(metrics["resynthesis_wer_people_th"], abs=0.12)


def test_nobody_who_judges_also_teaches_another_judge_or_is_held_out():
    kinds = ("judge_a", "judge_b", "backbone", "train", "dev", "unseen")
    groups = [{voice.id for voice in people(group, 50)} for group in kinds]
    groups += [{voice.id for voice in engines(group, 3)} for group in ("main", "judge_a", "judge_b")]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_pitch_at_50_hz_is_the_voiced_one_of_two_frames():
    assert at_50_hz(np.array([0, 0, 0, 100, 110, 0, 120, 130, 140])).tolist() == [0, 100, 110, 130]


def test_features_fit_the_sound_and_the_truth():
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
    assert examine_parts.speaker_probe(mean, speakers, values, 0) == (1.0, 10)
    assert examine_parts.speaker_probe(free, speakers, values, 0)[0] < 0.2


def test_correlation_counts_frames_voiced_in_both():
    a = torch.tensor([0.0, *[100.0 * 2 ** (i / 12) for i in range(12)], 0.0])
    assert examine_parts.correlation([a], [a * 2]) == pytest.approx(1.0)
    assert examine_parts.correlation([a], [20_000 / a.clamp(min=1) * (a > 0)]) == pytest.approx(-1.0)
