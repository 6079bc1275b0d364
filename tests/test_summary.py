"""`sebridge claims`: what was judged comes out whole, and a smaller run never takes the place of evidence."""

import dataclasses
import json
from pathlib import Path

import pytest
from made_up import account_row, claim_row

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments.account import accounted, accounts
from sebridge_lite.paper import evidence
from sebridge_lite.report.claims import as_text, run_claims

ROOT = Path(__file__).parents[1]
MADE = account_row("")


def account(path: Path, stage: str, **about) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(account_row(stage, **about)), encoding="utf-8")


def finish(outputs, stage, *ids, **about):
    """What a stage leaves behind that judges these claims."""
    folder = outputs / "results" / stage
    folder.mkdir(parents=True)
    made = ("it falls", "Table 1", -0.2, [-0.3, -0.1], f"results/{stage}/t.csv")
    claims = [claim_row(name, *made) for name in ids]
    (folder / "claims.json").write_text(json.dumps(claims), encoding="utf-8")
    account(folder / "account.json", stage, **about)


@pytest.fixture
def results(project, monkeypatch):
    """Two stages of a full run; the evidence is of the same project."""
    now = {key: MADE[key] for key in evidence.FIELDS}
    monkeypatch.setattr("sebridge_lite.report.claims.here", lambda params: now | {"profile": params.profile})
    for stage, ids in (("scaling", ("C2", "C10", "C1")), ("erosion", ("C8",))):
        finish(project, stage, *ids)
    table = "alpha,wer,wer_low,wer_high,sim\n0.03,0.7512346,0.7,0.8,\n"
    (project / "results" / "scaling" / "table1.csv").write_text(table, encoding="utf-8")
    return project / "results"


def params(profile):
    return dataclasses.replace(load_params(ROOT / "params" / "lite.yaml"), profile=profile)


def kept(results):
    return [json.loads((results / name).read_text(encoding="utf-8")) for name in ("summary.json", "claims.json")]


# Accounts


def test_cells_of_a_matrix_add_up_the_largest_peak_counts_and_only_the_stages_asked_for(results):
    account(paths.artifacts("accounts", "align-dgsa-0.json"), "align", seconds=3.0, peak_gib=0.5)
    account(paths.artifacts("accounts", "align-sft-0.json"), "align", seconds=4.0, peak_gib=0.75)
    account(paths.artifacts("accounts", "pairs-0.json"), "pairs")
    found = accounts(["align", "scaling", "dgsa"])
    took = {stage: (one["seconds"], one["peak_gib"]) for stage, one in found.items()}
    assert took == {"align": (7.0, 0.75), "scaling": (12.5, 2.5)}


def test_an_account_says_what_the_block_took_and_work_that_fails_leaves_none(project):
    with accounted("sft", project / "a.json", params("full")):
        pass
    made = json.loads((project / "a.json").read_text())
    assert made["stage"] == "sft" and 0 <= made["seconds"] < 60 and made["peak_gib"] > 0
    assert set(evidence.FIELDS) < set(made)
    with pytest.raises(ZeroDivisionError), accounted("sft", project / "b.json", params("full")):
        1 / 0  # noqa: B018
    assert not (project / "b.json").exists()


# A run


def test_claims_of_all_stages_are_there_in_the_order_of_their_numbers(results):
    lines = run_claims(params("full"), publish=True)
    assert [row["id"] for row in kept(results)[1]] == ["C1", "C2", "C8", "C10"]
    assert kept(results) == kept(results / "claims")
    assert len(lines) <= 10 and (results / "claims" / "brief.txt").read_text().splitlines() == lines[:-1]


def test_tables_keep_their_numbers_and_say_null_where_nothing_is_known(results):
    (results / "scaling" / "figure1.png").write_bytes(b"drawn")
    run_claims(params("full"), publish=True)
    summary, _ = kept(results)
    assert summary["tables"]["table1"] == [
        {"alpha": 0.03, "wer": 0.75123, "wer_low": 0.7, "wer_high": 0.8, "sim": None}
    ]
    assert summary["tables"]["phase"] == []
    assert summary["seconds"] == {"erosion": 12.5, "scaling": 12.5}
    assert "75.1 (70.0 to 80.0)" in (results / "summary.md").read_text(encoding="utf-8")
    assert (results / "figure1.png").read_bytes() == b"drawn" and not (results / "phase.png").exists()


def test_a_claim_without_a_verdict_says_what_it_indicates(results):
    claim = {
        "claim": "x",
        "paper": "y",
        "ours": 0.1,
        "interval": [0.0, 0.2],
        "n": 9,
        "seeds": 1,
        "why": "z",
        "strict": "mixed",
        "source": "results/scaling/table1.csv",
    }
    words = {"C1": ("not tested", "mixed"), "C2": ("not tested", "not tested"), "C8": ("reproduced", "reproduced")}
    claims = [claim | {"id": id, "verdict": now, "indicative": more} for id, (now, more) in words.items()]
    run_claims(params("lite"), publish=False)
    summary = kept(results / "claims")[0]
    told = as_text(summary, claims)
    rows = {line[2:4]: line.split(" | ")[5] for line in told.splitlines() if line[2:4] in words}
    assert rows == {"C1": "indicates: mixed", "C2": "not tested", "C8": "reproduced"} and "*indicates* one" in told
    assert "*indicates* one" not in as_text(summary, claims[1:])


@pytest.mark.parametrize("profile", ["smoke", "lite"])
def test_a_smaller_run_leaves_the_evidence_alone(results, profile):
    (results / "claims.json").write_text("[]", encoding="utf-8")
    for stage in ("scaling", "erosion"):
        account(results / stage / "account.json", stage, profile=profile)
    run_claims(params(profile), publish=profile == "lite")
    assert (results / "claims.json").read_text() == "[]"
    assert not (results / "summary.json").exists()
    assert (results / "claims" / "summary.md").is_file()
    assert (results / "lite.md").is_file() == (profile == "lite")


def test_a_run_without_the_clock_is_published_beside_the_evidence(results):
    for stage in ("scaling", "erosion"):
        account(results / stage / "account.json", stage, profile="no-clock")
    run_claims(load_params(ROOT / "params" / "no-clock.yaml"), publish=True)
    assert kept(results / "no-clock") == kept(results / "claims")
    assert not (results / "summary.json").exists()


def test_what_was_not_published_leaves_the_evidence_alone_and_smoke_cannot_be(results):
    run_claims(params("full"))
    assert not (results / "claims.json").exists()
    with pytest.raises(UserError, match="too small to publish"):
        run_claims(params("smoke"), publish=True)


# One publication joins the next


def published_later(results, stage, *ids, profile="full", **tables):
    """Everything but `stage` of the first run goes; a run of another day has it alone, and is published."""
    for other in ("scaling", "erosion"):
        (results / other / "account.json").unlink()
    finish(results.parent, stage, *ids, commit="later", profile=profile)
    for name, table in tables.items():
        (results / stage / f"{name}.csv").write_text(table, encoding="utf-8")
    return run_claims(params("full"), publish=True)


def test_a_run_of_some_stages_replaces_those_and_keeps_the_rest(results):
    account(paths.artifacts("accounts", "sft-a-0.json"), "sft")
    account(paths.artifacts("accounts", "align-a-0.json"), "align")
    run_claims(params("full"), publish=True)
    first, _ = kept(results)
    for path in paths.artifacts("accounts").glob("*.json"):
        path.unlink()
    published_later(results, "dgsa", "D1", table3="variant,wer\nsft,0.5\n")
    summary, claims = kept(results)
    assert summary["tables"]["table1"] == first["tables"]["table1"] != []
    assert summary["tables"]["table3"] == [{"variant": "sft", "wer": 0.5}]
    assert [row["id"] for row in claims] == ["C1", "C2", "C8", "C10", "D1"]
    assert summary["sources"]["scaling"] == first["sources"]["scaling"]
    assert summary["sources"]["dgsa"]["commit"] == "later"
    assert set(summary["seconds"]) == {
        "scaling",
        "erosion",
        "sft",
        "dgsa",
    }  # align was run for the dgsa that is replaced


def test_a_stage_of_another_profile_is_not_published(results):
    run_claims(params("full"), publish=True)
    before = (results / "summary.json").read_bytes()
    with pytest.raises(UserError, match=r"tdsc: made by profile smoke, not full; nothing was published"):
        published_later(results, "tdsc", "T1", profile="smoke")
    assert (results / "summary.json").read_bytes() == before


def test_a_committed_table_shows_the_rows_asked_for_and_says_where_the_others_are(project):
    table = [{"variant": name, "line": line, "hp": 8.0} for name in ("sft", "tdsc") for line in ("point", "corner")]
    summary = {"sources": {}, **MADE, "tables": {"frontier10": table}}
    (project / "results").mkdir(exist_ok=True)
    (project / "results" / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    columns = ["variant", "line", "hp"]
    said, heading, row, rest = evidence.shown("frontier10", columns, variant=["tdsc"], line=["point"]).splitlines()
    assert said.startswith("the committed run: ") and heading.split() == columns
    assert row.split() == ["tdsc", "point", "8.000"] and rest == "3 more rows: results/summary.json, table frontier10"
    assert len(evidence.shown("frontier10", columns).splitlines()) == 6
