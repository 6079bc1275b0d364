"""The report, the README's tables and their check: every figure follows from the tables, hostile text stays text."""

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from browser import Browser, needs_chromium

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.measure.verdicts import CLAIMS
from sebridge_lite.paper import beside
from sebridge_lite.paper.evidence import FIGURES, TABLES, inconsistencies
from sebridge_lite.paper.published import published
from sebridge_lite.report.claims import as_text, files_of, run_claims
from sebridge_lite.report.ledger import VERDICTS, counts, ledger
from sebridge_lite.report.report import LARGEST, of_evidence, of_run, page_of, rewritten, run_check, run_report

ROOT = Path(__file__).parents[1]
SMOKE = load_params(ROOT / "params" / "smoke.yaml")
HOSTILE = '<script>alert("x")</script>&amp;'
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def run(project):
    """A project whose run has one judged claim, two tables, a figure and text of a hostile kind."""
    shutil.copy(ROOT / "params" / "smoke.yaml", project / "params.yaml")
    shutil.copy(ROOT / "constraints.txt", project / "constraints.txt")
    folder = project / "results" / "dgsa"
    folder.mkdir(parents=True)
    claim = {"id": "D1", "claim": HOSTILE, "paper": "a | b", "ours": 0.1234, "interval": [0.05, 0.2], "n": 300, "seeds": 3,
             "verdict": "reproduced", "source": "results/dgsa/table3.csv"}  # fmt: skip
    (folder / "claims.json").write_text(json.dumps([claim]), encoding="utf-8")
    names = ("wer", "hp", "f0_std", "hp_gain", "f0_std_gain", "wer_cal_gain")
    measures = {f"{name}{end}": 0.25 for name in names for end in ("", "_low", "_high")}
    rows = [{"variant": name, **measures, "texts": 300, "seeds": 3} for name in ("sft", "dgsa", HOSTILE, "กิน ເດັກ")]
    pd.DataFrame(rows).to_csv(folder / "table3.csv", index=False)
    condition = {"id": "D1", "what": HOSTILE, "measure": "hp", "wanted": "up", "effect": 0.1, "effect_low": 0.0,
                 "effect_high": 0.2, "verdict": "reproduced"}  # fmt: skip
    pd.DataFrame([condition]).to_csv(folder / "conditions.csv", index=False)
    (folder / "frontier.png").write_bytes(PIXEL)
    account = {"stage": "dgsa", "profile": "smoke", "commit": "abc", "date": "2026-01-02", "machine": "a toaster", "seed": 0,
               "seconds": 61.2, "peak_gib": 1.25}  # fmt: skip
    (folder / "account.json").write_text(json.dumps(account), encoding="utf-8")
    run_claims(SMOKE)
    run_report(SMOKE)
    return project / "results"


def committed(name):
    return json.loads((ROOT / "results" / name).read_text(encoding="utf-8"))


def texts_of(page: str) -> list[str]:
    """All texts of a page, as a reader of HTML finds them."""
    found: list[str] = []
    reader = HTMLParser()
    reader.handle_data = found.append
    reader.feed(page)
    return found


# The ledger


def test_the_ledger_holds_every_claim_once_and_in_order():
    rows = ledger([], SMOKE.claims)
    numbers = [("C", 8), ("D", 9), ("T", 13), ("S", 3)]
    assert [row.id for row in rows] == [f"{letter}{i}" for letter, last in numbers for i in range(1, last + 1)]
    assert counts(rows) == dict.fromkeys(VERDICTS, 0) | {"not tested": len(CLAIMS)}


def test_effects_stand_in_units_and_in_smallest_effects_the_claimed_way():
    claims = [{"id": "C1", "claim": "a", "paper": "b", "ours": -0.04, "interval": [-0.06, -0.02], "n": 300, "seeds": 3,
               "verdict": "reproduced", "source": "results/scaling/x.csv"}]  # fmt: skip
    row = ledger(claims, SMOKE.claims)[0]
    assert row.ours == "-4.0 points (-6.0 to -2.0)" and row.smallest == "2.0 points" and row.wanted == "down"
    assert row.scaled == pytest.approx((2.0, 1.0, 3.0))


# The paper beside ours, and its inconsistencies


def test_every_row_of_the_papers_tables_is_shown_even_without_ours():
    found = {section.title.partition(":")[0]: section for section in beside.sections({})}
    text = json.dumps([section.rows for section in found.values()])
    for name in ("table3_alignment_thai_alpha80", "table4_tdsc_lao", "table7_dgsa_ablation", "table8_tdsc_ablation"):
        assert all(row.iloc[0] in text for _, row in published(name).iterrows())
    assert all(row["system"] in text for _, row in published("table5_standard_tts").iterrows())
    assert len(found["Table 1, Fig. 1, Fig. 4"].rows) == len(published("table1_scaling"))
    for place in (*(f"Table {number}" for number in range(1, 10)), *(f"Fig. {number}" for number in (1, 4, 5, 6))):
        assert any(place in title for title in found)


def test_a_listening_score_is_only_ever_the_papers():
    for section in beside.sections({"table1": committed("summary.json")["tables"]["table1"]}):
        scores = [column for column in section.columns if "MOS" in column]
        assert all(column.endswith("paper") for column in scores)
        assert ("no stand-in" in section.note) == bool(scores)


def test_ours_stands_in_the_row_of_the_paper_that_it_answers():
    ours = [{"variant": "dgsa", "wer": 0.25, "wer_low": 0.2, "wer_high": 0.3}, {"variant": "sft-real", "wer": 0.5}]
    section = next(s for s in beside.sections({"table3": ours}) if s.title.startswith("Table 3"))
    rows = {row[0]: row for row in section.rows}
    assert rows["DGSA (dgsa)"][1:3] == ["38.9", "25.0 (20.0 to 30.0)"]
    assert rows["sft-real"][1:3] == ["", "50.0"]


def test_there_are_twenty_inconsistencies_and_what_measures_them_is_a_table():
    points = inconsistencies()
    assert len(points) == 20 and all(point["point"] and point["where"] for point in points)
    assert all(bool(point["ours"]) == (point["table"] in TABLES) for point in points)


# The page


def test_hostile_text_of_the_data_stays_text(run):
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    texts = texts_of(page)
    assert HOSTILE in texts and any(HOSTILE in text for text in texts if text != HOSTILE)
    assert "กิน ເດັກ" in texts


def test_the_page_says_whose_it_is_and_what_it_took(run):
    texts = " ".join(texts_of((run / "report" / "report.html").read_text(encoding="utf-8")))
    assert "profile smoke, 2026-01-02, commit abc, a toaster" in texts
    assert re.search(r"dgsa\s+09_dgsa\s+61\s+1\.2", texts)
    assert "the code of this run: unknown" in texts


def test_every_picture_has_an_alt_text_and_its_numbers(run):
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    (picture,) = re.findall(r"<figure>.*?</figure>", page, flags=re.DOTALL)
    assert len(re.search(r'alt="([^"]*)"', picture)[1]) > 40
    assert all(figure["table"] in TABLES and len(figure["alt"]) > 40 for figure in FIGURES.values())


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
        drawn = page.run("document.fonts.ready.then(() => [...document.fonts].map(f => f.status))")
        assert drawn == ["loaded", "loaded"]
        assert page.errors == []
        assert {address for address in page.requests if not address.startswith("data:")} == {
            (run / "report" / "report.html").as_uri()
        }


# The check


def test_a_run_agrees_with_itself(run):
    (said,) = run_check(SMOKE)
    assert said.startswith("this run: 4 files")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("dgsa/table3.csv", "0.25", "0.35", r"summary.json: line \d+: it says .*, made again it is .*0\.35"),
        ("dgsa/claims.json", "0.1234", "0.1235", r"claims.json: line \d+: it says .*0\.1234.*, made again it is .*0\.1235"),
        ("claims/summary.json", "0.25", "0.26", r"summary.json: line \d+: it says .*0\.26"),
        ("claims/summary.md", "0.123", "0.124", r"summary.md: line \d+: it says"),
        ("report/report.html", "25.0 (25.0 to 25.0)", "24.0 (25.0 to 25.0)", r"report.html: line \d+: it says .*24\.0"),
        ("report/report.html", "image/png;base64,iVBOR", "image/png;base64,iVBOS", r"report.html: line \d+"),
    ],
)  # fmt: skip
def test_one_changed_number_is_found_and_named(run, name, old, new, says):
    text = (run / name).read_text(encoding="utf-8")
    assert old in text
    (run / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=says) as error:
        run_check(SMOKE)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_without_anything_to_check_or_to_show_it_says_so(project):
    with pytest.raises(UserError, match="nothing to check"):
        run_check(SMOKE)
    with pytest.raises(UserError, match="no verdicts yet"):
        of_run()
    with pytest.raises(UserError, match="no evidence is committed"):
        of_evidence()
    with pytest.raises(UserError, match="--check writes nothing"):
        run_report(SMOKE, publish=True, check=True)


# What git keeps


def test_the_committed_texts_and_page_are_what_the_committed_numbers_give(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    (said,) = run_check(SMOKE)
    assert said.startswith("the evidence: 3 files")
    assert (ROOT / "results" / "report.html").stat().st_size < LARGEST


def test_a_summary_survives_its_file():
    summary, claims = committed("summary.json"), committed("claims.json")
    files = files_of(summary, claims)
    assert json.loads(files["summary.json"]) == summary and json.loads(files["claims.json"]) == claims
    assert as_text(summary, claims) == (ROOT / "results" / "summary.md").read_text(encoding="utf-8")


def test_the_committed_page_changes_with_one_number(monkeypatch):
    monkeypatch.chdir(ROOT)
    found = of_evidence()
    summary = json.loads(json.dumps(found.summary))
    summary["tables"]["table1"][0]["wer"] += 0.01
    assert page_of(dataclasses.replace(found, summary=summary)) != page_of(found)


# The README


def readme(**tables) -> tuple[str, list[str]]:
    """The README that is committed, and the lines of one whose evidence has other tables."""
    text, summary = (ROOT / "README.md").read_text(encoding="utf-8"), committed("summary.json")
    summary["tables"] |= tables
    return text, rewritten(text, summary, committed("claims.json")).splitlines()


def test_the_readme_changes_with_one_number_and_keeps_its_prose():
    rows = [row | {"f0_std_gain": 1.0} if row["variant"] == "dgsa" else row for row in
            committed("summary.json")["tables"]["table3"]]  # fmt: skip
    text, lines = readme(table3=rows)
    differ = [line for line, other in zip(lines, text.splitlines(), strict=True) if line != other]
    assert len(differ) == 1 and differ[0].startswith("DGSA over SFT: F0 std +1.00 semitones")
    with pytest.raises(UserError, match="aligned"):
        rewritten(text.replace("<!-- /aligned -->", ""), committed("summary.json"), [])


def test_a_systems_row_and_its_sentence_say_the_numbers_of_its_table():
    row = next(row for row in committed("summary.json")["tables"]["table4"] if row["variant"] == "tdsc")
    values = {f"{name}{end}": 0.5 for name in ("wer", "hp", "f0_std", "relative", "hp_gain", "f0_std_gain")
              for end in ("", "_low", "_high")}  # fmt: skip
    _, lines = readme(table4=[row | values], confirm_systems=[])
    assert "| TDSC | 0.500 (0.500 to 0.500) | 0.50 (0.50 to 0.50) | 0.50 (0.50 to 0.50) |" in lines
    assert any("word error +50 % (+50 to +50)" in line for line in lines)
    assert not any("asked once" in line for line in lines)


def test_without_tdsc_its_part_of_the_readme_is_empty():
    _, lines = readme(table4=[])
    start = next(place for place, line in enumerate(lines) if line.startswith("<!-- critique"))
    assert lines[start + 1] == "<!-- /critique -->"


def test_what_was_asked_again_on_fresh_texts_joins_the_readme_for_both_languages():
    rows = {(row["language"], row["variant"]): row for row in committed("summary.json")["tables"]["confirm_systems"]}
    _, lines = readme()
    (loop,) = [line for line in lines if line.startswith("On fresh texts, asked once: ")]
    assert f"word error {100 * rows['lo', 'tdsc']['relative']:+.0f} % (" in loop
    (own,) = [line for line in lines if "fresh texts, asked once (`sebridge confirm`)" in line]
    assert f"F0 std {rows['th', 'dgsa']['f0_std_gain']:+.2f} semitones (" in own and "over SFT on y_real" in own
