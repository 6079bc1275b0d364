"""The frozen parts: those that travel with the repository, and their training on tiny sizes."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from sebridge_lite.core import paths
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import parts
from sebridge_lite.lm.lm import LMConfig
from sebridge_lite.stack.parts import FOLDERS, NETWORKS, load_config, part_file
from sebridge_lite.stack.stacks import load_stack
from sebridge_lite.studio.teach import examine_parts, train_parts
from sebridge_lite.studio.teach.material import at_50_hz

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT / "params" / "lite.yaml")
SECTIONS = {name: "lm" if name == "backbone" else name for name in FOLDERS}
NETS = {
    section: dataclasses.replace(getattr(PARAMS.pretrain, section), steps=2, width=32, blocks=1)
    for section in SECTIONS.values()
}
SIZES = {"people": 4, "engines": 2, "utterances": 16, "backbone_utterances": 16}
TINY = dataclasses.replace(PARAMS.pretrain, **SIZES, **NETS)


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
    counts, _ = examine_parts.judge_report(load_stack(["th"], device="cpu"), "th", group)
    report = {name: wrong / total for name, (wrong, total) in counts.items()}
    assert report["score"] == pytest.approx(metrics["score_wer_people_th"], abs=0.08)
    assert report["select"] == pytest.approx(metrics["select_wer_people_th"], abs=0.12)
    assert report["resynthesis"] == pytest.approx(metrics["resynthesis_wer_people_th"], abs=0.12)


def test_pitch_at_50_hz_is_the_voiced_one_of_two_frames():
    assert at_50_hz(np.array([0, 0, 0, 100, 110, 0, 120, 130, 140])).tolist() == [0, 100, 110, 130]
