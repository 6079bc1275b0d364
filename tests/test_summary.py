"""`sebridge verdicts`: what was judged comes out whole, and a smaller run never takes the place of evidence."""

import dataclasses
import json
from pathlib import Path

import pytest

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.stages.verdicts import cell, run_verdicts

ROOT = Path(__file__).parents[1]
CLAIM = {"id": "C1", "claim": "it falls", "paper": "Table 1", "ours": -0.2, "interval": [-0.3, -0.1], "n": 300,
         "seeds": 3, "verdict": "reproduced", "source": "06"}  # fmt: skip


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    for stage, ids in (("scaling", ("C2", "C10", "C1")), ("erosion", ("C8",))):
        (tmp_path / "results" / stage).mkdir(parents=True)
        claims = [{**CLAIM, "id": name} for name in ids]
        (tmp_path / "results" / stage / "claims.json").write_text(json.dumps(claims), encoding="utf-8")
    table = "alpha,wer,wer_low,wer_high,sim\n0.03,0.7512346,0.7,0.8,\n"
    (tmp_path / "results" / "scaling" / "table1.csv").write_text(table, encoding="utf-8")
    return tmp_path / "results"


def params(profile):
    return dataclasses.replace(load_params(ROOT / "params" / "lite.yaml"), profile=profile)


def test_claims_of_all_stages_are_there_in_the_order_of_their_numbers(results):
    assert [row["id"] for row in run_verdicts(params("full"), publish=True)] == ["C1", "C2", "C8", "C10"]
    assert json.loads((results / "claims.json").read_text()) == json.loads(
        (results / "verdicts/claims.json").read_text()
    )


def test_tables_keep_their_numbers_and_say_null_where_nothing_is_known(results):
    run_verdicts(params("full"), publish=True)
    summary = json.loads((results / "summary.json").read_text(encoding="utf-8"))
    assert summary["tables"]["table1"] == [
        {"alpha": 0.03, "wer": 0.751235, "wer_low": 0.7, "wer_high": 0.8, "sim": None}
    ]
    assert summary["tables"]["phase"] == []
    assert "0.751 (0.7 to 0.8)" in (results / "summary.md").read_text(encoding="utf-8")


def test_main_figures_come_along(results):
    (results / "scaling" / "figure1.png").write_bytes(b"drawn")
    run_verdicts(params("full"), publish=True)
    assert (results / "figure1.png").read_bytes() == b"drawn"
    assert not (results / "phase.png").exists()


@pytest.mark.parametrize("profile", ["smoke", "lite"])
def test_a_smaller_run_leaves_the_evidence_alone(results, profile):
    (results / "claims.json").write_text("[]", encoding="utf-8")
    run_verdicts(params(profile), publish=profile == "lite")
    assert (results / "claims.json").read_text() == "[]"
    assert not (results / "summary.json").exists()
    assert (results / "verdicts" / "summary.md").is_file()
    assert (results / "lite.md").is_file() == (profile == "lite")


def test_what_was_not_published_leaves_the_evidence_alone_and_smoke_cannot_be(results):
    run_verdicts(params("full"))
    assert not (results / "claims.json").exists()
    with pytest.raises(UserError, match="too small to publish"):
        run_verdicts(params("smoke"), publish=True)


def test_without_a_judged_claim_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    with pytest.raises(UserError, match="no stage has judged a claim"):
        run_verdicts(params("full"), publish=True)


def test_a_cell_shows_its_interval_where_it_has_one():
    assert cell({"wer": 0.5, "wer_low": 0.4, "wer_high": 0.6}, "wer") == "0.5 (0.4 to 0.6)"
    assert cell({"difference": 1.0, "low": 0.5, "high": 1.5}, "difference") == "1 (0.5 to 1.5)"
    assert cell({"arm": "kept-1.00"}, "arm") == "kept-1.00"
    assert cell({}, "wer") == ""
