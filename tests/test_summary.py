"""`sebridge verdicts`: what was judged comes out whole, and a smaller run never takes the place of evidence."""

import dataclasses
import json
from pathlib import Path

import pytest

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import evidence
from sebridge_lite.report.publishing import LARGEST, stage_of
from sebridge_lite.report.summary_text import cell, markdown
from sebridge_lite.report.verdicts import run_verdicts

ROOT = Path(__file__).parents[1]
CLAIM = {"id": "C1", "claim": "it falls", "paper": "Table 1", "ours": -0.2, "interval": [-0.3, -0.1], "n": 300,
         "seeds": 3, "verdict": "reproduced", "source": "results/scaling/table1.csv"}  # fmt: skip


def finish(outputs, stage, *ids, **about):
    """What a stage leaves behind that judges these claims."""
    folder = outputs / "results" / stage
    folder.mkdir(parents=True)
    claims = [{**CLAIM, "id": name, "source": f"results/{stage}/t.csv"} for name in ids]
    (folder / "claims.json").write_text(json.dumps(claims), encoding="utf-8")
    (folder / "seconds.json").write_text(json.dumps({"seconds": 12.5, **about}), encoding="utf-8")


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    for stage, ids in (("scaling", ("C2", "C10", "C1")), ("erosion", ("C8",))):
        finish(tmp_path, stage, *ids)
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
        {"alpha": 0.03, "wer": 0.75123, "wer_low": 0.7, "wer_high": 0.8, "sim": None}
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


def test_a_bar_in_a_text_does_not_end_its_cell():
    assert markdown(["a", "b"], [["x|y", "z"]])[-1] == "| x\\|y | z |"


# One publication joins the next


def _of_one_stage(outputs, monkeypatch, stage, *ids, profile="full", **tables):
    """A run of another day, in a place of its own, that has only this stage; it is published into the first one's results."""
    (outputs / "later" / "results").mkdir(parents=True)
    for path in (outputs / "results").glob("*.*"):
        (outputs / "later" / "results" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(outputs / "later"))
    later = {
        "profile": profile,
        "seed": 7,
        "commit": "def+",
        "date": "2027-01-02",
        "machine": "a toaster",
        "peak_gib": 2.5,
    }
    finish(outputs / "later", stage, *ids, **later)
    for name, table in tables.items():
        (outputs / "later" / "results" / stage / f"{name}.csv").write_text(table, encoding="utf-8")
    return outputs / "later" / "results"


def _published(results):
    return [json.loads((results / name).read_text(encoding="utf-8")) for name in ("summary.json", "claims.json")]


def test_a_run_of_some_stages_replaces_those_and_keeps_the_rest(results, monkeypatch):
    (results / "erosion" / "phase.csv").write_text("range,peak\nwide,0.25\n", encoding="utf-8")
    (results / "scaling" / "figure1.png").write_bytes(b"scaling")
    (results / "erosion" / "phase.png").write_bytes(b"old")
    (results / "erosion" / "worlds.png").write_bytes(b"no longer drawn")
    run_verdicts(params("full"), publish=True)
    first, _ = _published(results)
    later = _of_one_stage(results.parent, monkeypatch, "erosion", "C8", "C9", phase="range,peak\nwide,0.75\n")
    (later / "erosion" / "phase.png").write_bytes(b"new")
    assert [row["id"] for row in run_verdicts(params("full"), publish=True)] == ["C8", "C9"]
    summary, claims = _published(later)
    assert summary["tables"]["table1"] == first["tables"]["table1"] != []
    assert summary["tables"]["phase"] == [{"range": "wide", "peak": 0.75}]
    assert [row["id"] for row in claims] == ["C1", "C2", "C8", "C9", "C10"]
    assert summary["sources"]["scaling"] == first["sources"]["scaling"]
    assert summary["sources"]["erosion"] == {
        "profile": "full", "seed": 7, "commit": "def+", "date": "2027-01-02", "machine": "a toaster", "seconds": 12.5,
        "peak_gib": 2.5,
    }  # fmt: skip
    assert (later / "figure1.png").read_bytes() == b"scaling" and (later / "phase.png").read_bytes() == b"new"
    assert not (later / "worlds.png").exists()


def test_a_file_without_sources_is_the_origin_of_all_of_its_stages(results, monkeypatch):
    run_verdicts(params("full"), publish=True)
    summary, _ = _published(results)
    old = {key: value for key, value in summary.items() if key != "sources"}
    old |= {"commit": "old", "date": "2025-01-01", "seconds": {"scaling": 5.0, "sft": 9.0, "erosion": 1.0}}
    (results / "summary.json").write_text(json.dumps(old), encoding="utf-8")
    later = _of_one_stage(results.parent, monkeypatch, "tdsc", "T1", table4="variant,wer\nsft,0.5\n")
    run_verdicts(params("full"), publish=True)
    summary, claims = _published(later)
    assert {summary["sources"][stage]["commit"] for stage in ("scaling", "sft", "erosion")} == {"old"}
    assert summary["sources"]["tdsc"]["commit"] == "def+"
    assert summary["seconds"] == {"scaling": 5.0, "sft": 9.0, "erosion": 1.0, "tdsc": 12.5}
    assert [row["id"] for row in claims] == ["C1", "C2", "C8", "C10", "T1"]


def test_policies_go_with_the_stage_that_they_were_trained_for(results, monkeypatch):
    run_verdicts(params("full"), publish=True)
    summary, _ = _published(results)
    summary["seconds"]["sft"] = 900.0
    summary["sources"]["sft"] = {**summary["sources"]["scaling"], "seconds": 900.0}
    (results / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    later = _of_one_stage(results.parent, monkeypatch, "systems", "S1")
    (later.parent / "artifacts" / "sft" / "additive-0.80-s0").mkdir(parents=True)
    trained = later.parent / "artifacts" / "sft" / "additive-0.80-s0" / "summary.json"
    trained.write_text('{"seconds": 1.0, "seconds_scoring": 2.0}', encoding="utf-8")
    run_verdicts(params("full"), publish=True)
    assert _published(later)[0]["seconds"]["sft"] == 900.0
    finish(later.parent, "scaling", "C1")
    run_verdicts(params("full"), publish=True)
    assert _published(later)[0]["seconds"]["sft"] == 3.0


def test_what_comes_from_another_run_says_so_in_summary_md_and_nothing_else_does(results, monkeypatch):
    run_verdicts(params("full"), publish=True)
    assert "ade by" not in (results / "summary.md").read_text(encoding="utf-8")
    later = _of_one_stage(results.parent, monkeypatch, "tdsc", "T1", table4="variant,wer\nsft,0.5\n")
    run_verdicts(params("full"), publish=True)
    parts = {part.split(":")[0]: part for part in (later / "summary.md").read_text(encoding="utf-8").split("\n## ")}
    assert "\nMade by profile full, 2027-01-02, commit def+, a toaster.\n" in parts["Table 4"]
    assert "ade by" not in parts["Table 1"]
    assert "\nT1: made by profile full, 2027-01-02" in next(
        part for name, part in parts.items() if name.startswith("Claims")
    )


def test_a_stage_that_has_not_finished_is_not_there(results):
    (results / "erosion" / "seconds.json").unlink()
    assert [row["id"] for row in run_verdicts(params("full"))] == ["C1", "C2", "C10"]


def test_a_stage_of_another_profile_is_not_published(results, monkeypatch):
    run_verdicts(params("full"), publish=True)
    before = (results / "summary.json").read_bytes()
    later = _of_one_stage(results.parent, monkeypatch, "tdsc", "T1", profile="smoke")
    with pytest.raises(UserError, match=r"tdsc: made by profile smoke, not full; nothing was published"):
        run_verdicts(params("full"), publish=True)
    assert (later / "summary.json").read_bytes() == before


def test_a_summary_that_is_too_large_is_not_published(results):
    rows = "\n".join(["0.1," + "x" * 100] * (LARGEST // 100))
    (results / "scaling" / "table1.csv").write_text(f"alpha,wer\n{rows}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"would have 2\d\d,\d+ bytes, at most 200,000"):
        run_verdicts(params("full"), publish=True)
    assert not (results / "summary.json").exists()


def test_the_stage_of_a_claim_is_in_its_source():
    assert stage_of({"id": "D1", "source": "results/dgsa/table3.csv"}) == "dgsa"
    with pytest.raises(UserError, match="claim D1: its source 'notebook 09' names no"):
        stage_of({"id": "D1", "source": "notebook 09"})


def test_the_committed_evidence_is_small_and_its_claims_name_their_stages():
    assert (ROOT / "results" / "summary.json").stat().st_size < LARGEST
    claims = json.loads((ROOT / "results" / "claims.json").read_text(encoding="utf-8"))
    assert {stage_of(row) for row in claims} >= {"scaling", "erosion", "dgsa"}


def test_a_table_is_shown_with_the_run_that_it_comes_from(project):
    source = {
        "profile": "full",
        "commit": "abc",
        "date": "2026-01-02",
        "machine": "a toaster",
        "seed": 0,
        "seconds": 1.0,
    }
    sources = {"scaling": source, "tdsc": source | {"date": "2026-03-04", "commit": "def"}}
    tables = {"table1": [{"wer": 0.5}], "table4": [{"wer": 0.25}]}
    (project / "results").mkdir()
    (project / "results" / "summary.json").write_text(
        json.dumps(
            source | {"date": "2026-03-04", "commit": "def", "seconds": {}, "sources": sources, "tables": tables}
        )
    )
    assert "2026-01-02, commit abc" in evidence.shown("table1", ["wer"]).splitlines()[0]
    assert "2026-03-04, commit def" in evidence.shown("table4", ["wer"]).splitlines()[0]
    both = evidence.provenance(evidence.evidence()).splitlines()
    assert both[0].startswith("the committed run of scaling:") and both[1].startswith("the committed run of tdsc:")
