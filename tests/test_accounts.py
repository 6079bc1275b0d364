"""What each stage took is written beside what it made, added up over a matrix, and never of work that failed."""

import json
from pathlib import Path

import pytest
import yaml

from sebridge_lite.core import paths
from sebridge_lite.experiments.accounts import (
    NAME,
    PLACES,
    accounted,
    memory_of_stages,
    seconds_of_stages,
    write_account,
)
from sebridge_lite.experiments.run import STAGES

DVC = Path(__file__).parents[1] / "dvc.yaml"
UNTIMED = {"code", "verdicts"}  # under a second
PULLED = {"pretrain", "codebook"}


@pytest.fixture(autouse=True)
def somewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))


def account(folder: Path, seconds: float, peak: float) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).write_text(json.dumps({"seconds": seconds, "peak_gib": peak}))


def test_every_stage_of_the_pipeline_has_an_account():
    stages = yaml.safe_load(DVC.read_text(encoding="utf-8"))["stages"]
    asked = {stage["cmd"].split()[1] for stage in stages.values() if not stage["cmd"].startswith("sebridge run")}
    assert asked - UNTIMED - PULLED - {"site", "report", "confirm"} == set(
        PLACES
    )  # these lie in results/, as notebooks do
    assert {stage["cmd"].split()[2] for stage in stages.values() if stage["cmd"].startswith("sebridge run")} == set(
        STAGES
    )


def test_runs_of_a_matrix_add_up_and_the_largest_of_their_peaks_counts():
    account(paths.artifacts("align", "dgsa-s0"), 3.0, 0.5)
    account(paths.artifacts("align", "sft-s0"), 4.0, 0.75)
    account(paths.results("scaling"), 5.0, 0.25)
    assert seconds_of_stages() == {"align": 7.0, "scaling": 5.0}
    assert memory_of_stages() == {"align": 0.75, "scaling": 0.25}


def test_policies_without_an_account_count_by_their_own_summary():
    folder = paths.artifacts("sft", "additive-0.50-s0")
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"seconds": 2.0, "seconds_scoring": 1.5}))
    assert seconds_of_stages() == {"sft": 3.5} and memory_of_stages() == {}


def test_an_account_says_what_the_block_took(tmp_path):
    with accounted(tmp_path):
        pass
    found = json.loads((tmp_path / NAME).read_text())
    assert 0 <= found["seconds"] < 60 and found["peak_gib"] > 0


def test_work_that_fails_leaves_no_account(tmp_path):
    with pytest.raises(ZeroDivisionError), accounted(tmp_path):
        1 / 0  # noqa: B018
    assert not (tmp_path / NAME).exists()


def test_a_notebook_counts_by_its_kernel(tmp_path):
    write_account(tmp_path, 1.25, children=True)
    assert json.loads((tmp_path / NAME).read_text())["seconds"] == 1.2
