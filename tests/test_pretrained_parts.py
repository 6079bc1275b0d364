"""The parts that travel with the repository: they load, they are small, and they are as good as their cards say."""

import json
from pathlib import Path

import pytest

from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import examine_parts as parts
from sebridge_lite.lm.lm import LMConfig
from sebridge_lite.stack.parts import FOLDERS, NETWORKS, part_file
from sebridge_lite.stack.studio import load_stack
from sebridge_lite.stack.weights import load_config

ROOT = Path(__file__).parents[1]
PROMISED = ("score_judge_wer_people", "score_judge_wer_engines", "select_judge_wer_people", "resynthesis_wer_loss",
            "resynthesis_f0_corr", "speaker_probe_over_chance", "speaker_eer", "pretrained_bytes")  # fmt: skip


@pytest.fixture(scope="module")
def metrics() -> dict:
    return json.loads((ROOT / "results" / "pretrain" / "metrics.json").read_text(encoding="utf-8"))


def test_parts_are_complete_and_at_most_12_mb(metrics):
    files = [part_file(name).with_suffix(ending) for name in FOLDERS for ending in (".json", ".safetensors")]
    assert sum(path.stat().st_size for path in files) == metrics["pretrained_bytes"] <= 12e6


def test_metrics_hold_what_other_tools_read(metrics):
    assert set(PROMISED) <= set(metrics)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_part_has_the_size_that_the_parameters_give(name):
    wanted = getattr(load_params(ROOT / "params" / "lite.yaml").pretrain, "lm" if name == "backbone" else name)
    config = load_config(LMConfig if name == "backbone" else NETWORKS[name][1], part_file(name))
    assert {getattr(config, key) for key in ("width", "hidden") if hasattr(config, key)} == {wanted.width}


def test_each_part_has_a_card_with_its_cost(metrics):
    cards = (ROOT / "results" / "pretrain" / "cards.md").read_text(encoding="utf-8")
    for name in FOLDERS:
        assert f"## {name}" in cards
        assert metrics[f"seconds_{name}"] > 0


def test_judges_and_re_synthesis_are_as_good_as_the_metrics_say(metrics, monkeypatch):
    monkeypatch.chdir(ROOT)
    stack = load_stack(["th"], "cpu")
    people, _ = parts.held_out("th", 24, 3, seed=5)
    report = {name: wrong / total for name, (wrong, total) in parts.judge_report(stack, "th", people)[0].items()}
    assert report["score"] == pytest.approx(metrics["score_wer_people_th"], abs=0.08)
    assert report["select"] == pytest.approx(metrics["select_wer_people_th"], abs=0.12)
    assert report["resynthesis"] == pytest.approx(metrics["resynthesis_wer_people_th"], abs=0.12)
