"""The report, the README's tables and their check: every figure follows from the tables, hostile text stays text."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from browser import Browser, needs_chromium
from sebridge_lite.paper.inconsistencies import CONSEQUENCES, points
from sebridge_lite.report.publishing import as_json
from sebridge_lite.report.readme import BLOCKS, rewritten
from sebridge_lite.report.report_check import Pieces, check_evidence, difference, run_check
from sebridge_lite.report.summary_text import as_text
from sebridge_lite.report.tables import FIGURES, TABLES
from sebridge_lite.report.verdicts import run_verdicts

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.measure import cloning, dgsa_effects, scaling, tdsc_effects
from sebridge_lite.measure.systems import UNKNOWN
from sebridge_lite.measure.verdicts import HELD
from sebridge_lite.paper import beside
from sebridge_lite.paper.published import published
from sebridge_lite.report.ledger import HEADLINES, STATEMENTS, UNITS, counts, ledger
from sebridge_lite.report.report import LARGEST, of_evidence, of_run, page_of, run_report

ROOT = Path(__file__).parents[1]
SMOKE = load_params(ROOT / "params" / "smoke.yaml")
HOSTILE = '<script>alert("x")</script>&amp;'
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def run(project, monkeypatch):
    """A project whose run has one judged claim, two tables, a figure and text of a hostile kind."""
    shutil.copy(ROOT / "params" / "smoke.yaml", project / "params.yaml")
    shutil.copy(ROOT / "constraints.txt", project / "constraints.txt")
    folder = project / "results" / "dgsa"
    folder.mkdir(parents=True)
    claim = {"id": "D1", "claim": HOSTILE, "paper": "a | b", "ours": 0.1234, "interval": [0.05, 0.2], "n": 300, "seeds": 3,
             "verdict": "reproduced", "source": "results/dgsa/table3.csv"}  # fmt: skip
    (folder / "claims.json").write_text(json.dumps([claim]), encoding="utf-8")
    measures = {
        f"{name}{end}": 0.25
        for name in ("wer", "hp", "f0_std", "hp_gain", "f0_std_gain", "wer_cal_gain")
        for end in ("", "_low", "_high")
    }
    rows = [{"variant": name, **measures, "texts": 300, "seeds": 3} for name in ("sft", "dgsa", HOSTILE, "กิน ເດັກ")]
    pd.DataFrame(rows).to_csv(folder / "table3.csv", index=False)
    condition = {
        "id": "D1",
        "what": HOSTILE,
        "measure": "hp",
        "wanted": "up",
        "effect": 0.1,
        "effect_low": 0.0,
        "effect_high": 0.2,
        "verdict": "reproduced",
    }
    pd.DataFrame([condition]).to_csv(folder / "conditions.csv", index=False)
    (folder / "frontier.png").write_bytes(PIXEL)
    (folder / "seconds.json").write_text('{"seconds": 61.2, "peak_gib": 1.25}', encoding="utf-8")
    run_verdicts(SMOKE)
    run_report()
    return project / "results"


def committed(name):
    return json.loads((ROOT / "results" / name).read_text(encoding="utf-8"))


# The ledger


def test_the_ledger_holds_every_claim_once_and_in_order():
    assert list(HEADLINES) == [
        *(f"C{i}" for i in range(1, 9)),
        *(f"D{i}" for i in range(1, 10)),
        *(f"T{i}" for i in range(1, 14)),
        "S1",
        "S2",
        "S3",
    ]
    assert set(STATEMENTS) == set(HEADLINES)
    assert {head.measure for head in HEADLINES.values()} == set(UNITS)


def test_a_headline_is_the_first_condition_that_the_study_judges():
    class Nothing:
        names = ()

        def gain(self, *_):
            return UNKNOWN

        def contrast(self, *_):
            return UNKNOWN

    rungs = dgsa_effects.rungs_of(["dgsa-0.50"], 0.8)
    parts = dgsa_effects.alignment_conditions(Nothing(), rungs, 0.5)
    parts |= tdsc_effects.tdsc_conditions(Nothing())
    parts |= cloning.systems_conditions(Nothing(), Nothing(), {})
    assert set(parts) == {id for id in HEADLINES if id[0] != "C"}
    for id, (head, *_) in parts.items():
        assert (HELD.get(head.measure, head.measure), head.wanted) == (HEADLINES[id].measure, HEADLINES[id].wanted), id


def test_the_headlines_of_the_scaling_claims_are_the_studys():
    from test_scaling import proxies, sweep

    parts = scaling.scaling_conditions(sweep(1, (0.03, 0.5, 0.8, 1.0), seeds=1, texts=10))
    parts |= scaling.proxy_conditions(proxies(2.0))
    assert {id: (head.measure, head.wanted) for id, (head, *_) in parts.items()} == {
        id: (head.measure, head.wanted) for id, head in HEADLINES.items() if id[0] == "C"
    }


def test_effects_stand_in_units_and_in_smallest_effects_the_claimed_way():
    claims = [{"id": "C1", "claim": "a", "paper": "b", "ours": -0.04, "interval": [-0.06, -0.02], "n": 300, "seeds": 3,
               "verdict": "reproduced", "source": "results/scaling/x.csv"}]  # fmt: skip
    row = ledger(claims, SMOKE.claims)[0]
    assert row.ours == "-4.0 (-6.0 to -2.0) points" and row.smallest == "2.0 points"
    assert row.scaled == pytest.approx((2.0, 1.0, 3.0))


def test_what_no_run_has_judged_is_not_tested():
    rows = ledger([], SMOKE.claims)
    assert counts(rows) == {"reproduced": 0, "not reproduced": 0, "contradicted": 0, "not tested": len(HEADLINES)}


# The paper beside ours, and its inconsistencies


def test_every_row_of_the_papers_tables_is_shown_even_without_ours():
    found = {section.title.partition(":")[0]: section for section in beside.sections({}, TABLES)}
    text = json.dumps([section.rows for section in found.values()])
    for name in (
        "table3_alignment_thai_alpha80",
        "table4_tdsc_lao",
        "table7_dgsa_ablation",
        "table8_tdsc_ablation",
        "table5_standard_tts",
    ):
        assert all(
            str(row.iloc[0] if name != "table5_standard_tts" else row["system"]) in text
            for _, row in published(name).iterrows()
        )
    assert len(found["Table 1, Fig. 1, Fig. 4"].rows) == len(published("table1_scaling"))
    for number in range(1, 10):
        assert any(f"Table {number}" in title for title in found)
    assert all(any(f"Fig. {number}" in title for title in found) for number in (1, 4, 5, 6))


def test_a_listening_score_is_only_ever_the_papers():
    for section in beside.sections({"table1": committed("summary.json")["tables"]["table1"]}, TABLES):
        scores = [column for column in section.columns if "MOS" in column]
        assert all(column.endswith("paper") for column in scores)
        assert ("no stand-in" in section.note) == bool(scores)


def test_ours_stands_in_the_row_of_the_paper_that_it_answers():
    ours = [{"variant": "dgsa", "wer": 0.25, "wer_low": 0.2, "wer_high": 0.3}, {"variant": "sft-real", "wer": 0.5}]
    section = next(s for s in beside.sections({"table3": ours}, TABLES) if s.title.startswith("Table 3"))
    rows = {row[0]: row for row in section.rows}
    assert rows["DGSA (dgsa)"][1:3] == ["38.9", "25.0 (20.0 to 30.0)"]
    assert rows["sft-real"][1:3] == ["", "50.0"]


def test_there_are_twenty_points_and_each_consequence_moves_with_its_table():
    tables = committed("summary.json")["tables"]
    found = points(tables)
    assert [point.number for point in found] == list(range(1, 21)) and set(CONSEQUENCES) <= set(range(1, 21))
    assert {point.number for point in points({}) if point.consequence} == {12, 18}  # of the paper's own numbers
    moved = json.loads(json.dumps(tables), parse_float=lambda text: float(text) * 1.5)
    same = [
        a.number for a, b in zip(found, points(moved), strict=True) if a.consequence and a.consequence == b.consequence
    ]
    assert set(same) <= {12, 18}


# The page


def test_hostile_text_of_the_data_stays_text(run):
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    texts = [text for _, text in Pieces(page).found]
    assert HOSTILE in texts and any(HOSTILE in text for text in texts if text != HOSTILE)
    assert "กิน ເດັກ" in texts


def test_every_picture_has_an_alt_text_and_its_numbers(run):
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<figure>.*?</figure>", page, flags=re.DOTALL)
    assert len(pictures) == 1
    for picture in pictures:
        assert len(re.search(r'alt="([^"]*)"', picture)[1]) > 40
        (target,) = re.findall(r'href="#(\w+)"', picture)
        assert f'id="{target}"' in page or target == "frontier"


def test_every_figure_that_is_published_says_what_it_shows_and_has_a_table():
    for stage, table, alt in FIGURES.values():
        assert TABLES[table][0] == stage and len(alt) > 40


@needs_chromium
def test_the_page_opens_from_disk_and_fits_a_phone_in_light_and_dark(run, tmp_path):
    with Browser(tmp_path) as page:
        for dark in (False, True):
            page.viewport(360, dark=dark)
            page.open(run / "report" / "report.html")
            assert page.run("document.documentElement.scrollWidth <= innerWidth")
            colour = page.run("getComputedStyle(document.body).color")
            assert colour == ("rgb(255, 255, 255)" if dark else "rgb(0, 0, 0)")
            assert page.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        drawn = page.run(
            "document.fonts.ready.then(() => [...document.fonts].map(f => f.family + ' ' + f.status).sort())"
        )
        assert [name.replace('"', "") for name in drawn] == ["Lao here loaded", "Thai here loaded"]
        assert page.run("document.querySelectorAll('script').length") == 0
        assert page.errors == []
        assert {address for address in page.requests if not address.startswith("data:")} == {
            (run / "report" / "report.html").as_uri()
        }


# The check


def test_a_run_agrees_with_itself(run):
    said = run_check(SMOKE)
    assert len(said) == 1 and said[0].startswith("this run:") and "numbers" in said[0]


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("dgsa/table3.csv", "0.25", "0.35", r"summary.json: tables.table3\[0\].wer: it says '0.25', made again it is '0.35'"),
        ("dgsa/claims.json", "0.1234", "0.1235", r"claims.json: \[0\].ours: it says '0.1234', made again it is '0.1235'"),
        ("verdicts/summary.json", "0.25", "0.26", r"summary.json: tables.table3\[0\].wer: it says '0.26'"),
        ("verdicts/claims.json", '"n": 300', '"n": 301', r"claims.json: \[0\].n: it says '301', made again it is '300'"),
        ("verdicts/summary.md", "0.123", "0.124", r"summary.md: line \d+: it says"),
        ("report/report.html", "25.0 (25.0 to 25.0)", "24.0 (25.0 to 25.0)", r"report.html: under 'Table 3.*it says '24.0"),
        ("report/report.html", "image/png;base64,iVBOR", "image/png;base64,iVBOS", r"report.html: under 'Table 3"),
    ],
)  # fmt: skip
def test_one_changed_number_is_found_and_named(run, name, old, new, says):
    text = (run / name).read_text(encoding="utf-8")
    assert old in text
    (run / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=says) as error:
        run_check(SMOKE)
    assert "\n" not in str(error.value)


def test_difference_names_the_first_place():
    assert difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) is None
    assert difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == ("a[1].b", 2, 3)
    assert difference({"a": [1]}, {"a": [1, 2]}) == ("a", "1 rows", "2 rows")
    assert difference({"a": 1}, {}) == ("a", 1, None)


def test_without_anything_to_check_or_to_show_it_says_so(project):
    with pytest.raises(UserError, match="nothing to check"):
        run_check(SMOKE)
    with pytest.raises(UserError, match="no verdicts yet"):
        of_run()
    with pytest.raises(UserError, match="no evidence is committed"):
        of_evidence()


# What git keeps


@pytest.fixture
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_committed_texts_and_page_are_what_the_committed_numbers_give(here):
    assert check_evidence().startswith("the evidence:")
    assert (ROOT / "results" / "report.html").stat().st_size < LARGEST


def test_a_summary_survives_its_file():
    summary, claims = committed("summary.json"), committed("claims.json")
    assert json.loads(as_json(summary)) == summary
    assert as_text(summary, claims) == (ROOT / "results" / "summary.md").read_text(encoding="utf-8")


def test_the_committed_page_changes_with_one_number(here):
    found = of_evidence()
    summary = json.loads(json.dumps(found.summary))
    summary["tables"]["table1"][0]["wer"] += 0.01
    assert page_of(dataclasses.replace(found, summary=summary)) != page_of(found)


def test_the_readme_changes_with_one_number_and_keeps_its_prose():
    text, summary, claims = (
        (ROOT / "README.md").read_text(encoding="utf-8"),
        committed("summary.json"),
        committed("claims.json"),
    )
    assert rewritten(text, summary, claims) == text
    row = next(row for row in summary["tables"]["table3"] if row["variant"] == "dgsa")
    row["f0_std_gain"] += 1
    changed = rewritten(text, summary, claims)
    first = next(a for a, b in zip(text.splitlines(), changed.splitlines(), strict=True) if a != b)
    assert first.startswith("DGSA over SFT")
    with pytest.raises(UserError, match="aligned"):
        rewritten(text.replace("<!-- /aligned -->", ""), summary, claims)


def test_the_readmes_melody_is_dgsa_over_sft_and_not_over_itself():
    summary = committed("summary.json")
    (line,) = [line for line in BLOCKS["aligned"](summary["tables"], summary, []) if line.startswith("DGSA over SFT")]
    row = next(row for row in summary["tables"]["table3"] if row["variant"] == "dgsa")
    assert f"F0 std {row['f0_std_gain']:+.2f} (" in line


def test_tdsc_joins_the_readme_with_its_table():
    summary = committed("summary.json")
    measures = ("wer", "hp", "f0_std", "relative", "hp_gain", "f0_std_gain")
    cells = {f"{name}{end}": 0.5 for name in measures for end in ("", "_low", "_high")}
    summary["tables"]["table4"] = [{"variant": "tdsc", **cells, "texts": 300, "seeds": 3}]
    summary["tables"]["confirm_systems"] = []
    summary["sources"] = {"tdsc": {"profile": "full", "date": "2027-01-01"}}
    lines = BLOCKS["critique"](summary["tables"], summary, [])
    assert "run of 2027-01-01: 300 test sentences" in lines[0]
    assert any(line.startswith("| TDSC | 0.500 (0.500 to 0.500)") for line in lines)
    assert "word error +50 [+50, +50] %" in lines[-1] and "(300 texts, 3 seed(s))" in lines[-1]
    assert BLOCKS["critique"]({}, summary, []) == []


def test_what_was_asked_again_on_fresh_texts_joins_the_readme_for_both_languages():
    summary = committed("summary.json")
    rows = {row["variant"]: row for row in summary["tables"]["confirm_systems"] if row["language"] == "lo"}
    (line,) = [line for line in BLOCKS["critique"](summary["tables"], summary, []) if line.startswith("On fresh texts")]
    assert f"word error {100 * rows['tdsc']['relative']:+.0f} [" in line and f"({rows['tdsc']['texts']} texts" in line
    (own,) = [row for row in summary["tables"]["confirm_systems"] if row["variant"] == "dgsa"]
    (line,) = [one for one in BLOCKS["aligned"](summary["tables"], summary, []) if "asked once" in one]
    assert line.startswith(f"On {own['texts']:,} fresh texts") and f"F0 std {own['f0_std_gain']:+.2f} (" in line
    assert "over SFT on y_real" in line
    without = summary["tables"] | {"confirm_systems": [], "confirm": []}
    assert not any("asked once" in one for one in BLOCKS["aligned"](without, summary, []))
