"""The report, the README's tables and their check: every figure follows from the tables, hostile text stays text."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from browser import Browser, needs_chromium
from made_up import account_row, claim_row

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.measure.verdicts import CLAIMS, VERDICTS
from sebridge_lite.report.claims import run_claims
from sebridge_lite.report.ledger import brief, counts, decided, indication, ledger
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
    claim = claim_row("D1", HOSTILE, "a | b", 0.1234, [0.05, 0.2], "results/dgsa/table3.csv")
    (folder / "claims.json").write_text(json.dumps([claim]), encoding="utf-8")
    names = ("wer", "hp", "f0_std", "hp_gain", "f0_std_gain", "wer_cal_gain")
    measures = {f"{name}{end}": 0.25 for name in names for end in ("", "_low", "_high")}
    rows = [{"variant": name, **measures, "texts": 300, "seeds": 3} for name in ("sft", "dgsa", HOSTILE, "กิน ເດັກ")]
    pd.DataFrame(rows).to_csv(folder / "table3.csv", index=False)
    effect = {"effect": 0.1, "effect_low": 0.0, "effect_high": 0.2, "verdict": "reproduced"}
    condition = {"id": "D1", "what": HOSTILE, "measure": "hp", "wanted": "up"} | effect
    pd.DataFrame([condition]).to_csv(folder / "conditions.csv", index=False)
    (folder / "frontier.png").write_bytes(PIXEL)
    account = account_row("dgsa", profile="smoke", commit="abc", date="2026-01-02", seed=0)
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


def test_a_small_run_says_in_ten_lines_whether_it_points_the_same_way():
    kinds = {"C1": (-0.2, -0.1), "C2": (0.1, -0.1), "D1": (0.1, None), "T1": (None, 0.2)}
    full, here = (
        [
            claim_row(id, "a", "b", one[place] or 0.0, [0, 1], "results/x/y.csv") | {"headline": one[place]}
            for id, one in kinds.items()
        ]
        for place in (0, 1)
    )
    assert [indication(a, b) for a, b in zip(here, full, strict=True)] == [
        "same way",
        "other way",
        "not run",
        "nothing to compare with",
    ]
    lines = brief(here, full)
    assert len(lines) <= 10 and lines[2].startswith("C, more synthetic speech: same way C1; other way C2; not run C3")
    assert brief([], [])[0].startswith("The ledger of this run: 0 texts")


def test_a_claim_that_the_world_forbids_is_no_verdict_of_a_run():
    rows = [{"verdict": word} for word in VERDICTS]
    assert [row["verdict"] for row in decided(rows)] == ["reproduced", "mixed", "not reproduced", "contradicted"]


def test_the_ledger_holds_every_claim_once_and_in_order():
    rows = ledger([], SMOKE.claims)
    numbers = [("C", 8), ("D", 9), ("T", 13), ("S", 3)]
    assert [row["id"] for row in rows] == [f"{letter}{i}" for letter, last in numbers for i in range(1, last + 1)]
    assert counts(rows) == dict.fromkeys(VERDICTS, 0) | {"not tested": len(CLAIMS)}


def test_effects_stand_in_units_and_in_smallest_effects_the_claimed_way():
    claims = [claim_row("C1", "a", "b", -0.04, [-0.06, -0.02], "results/scaling/x.csv")]
    row = ledger(claims, SMOKE.claims)[0]
    assert row["ours"] == "-4.0 points (-6.0 to -2.0)" and row["smallest"] == "2.0 points" and row["wanted"] == "down"
    assert row["scaled"] == pytest.approx((2.0, 1.0, 3.0))


# The page


def test_hostile_text_of_the_data_stays_text(run):
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    texts = texts_of(page)
    assert HOSTILE in texts and any(HOSTILE in text for text in texts if text != HOSTILE)
    assert "กิน ເດັກ" in texts


# The check


@needs_chromium
def test_in_a_browser_hostile_text_does_nothing_and_no_claim_is_cut_off(run, tmp_path):
    with Browser(tmp_path) as tab:
        for width in (390, 1100):
            tab.viewport(width, dark=width == 390)
            tab.open(run / "report" / "report.html")
            assert tab.run("document.documentElement.scrollWidth") <= width
            assert (
                tab.run(
                    "Math.max(...[...document.querySelectorAll('.claims *')].map(one => one.getBoundingClientRect().right))"
                )
                <= width
            )
            assert tab.run("document.querySelectorAll('script').length") == 0
        assert tab.errors == []
        assert {address.partition(":")[0] for address in tab.requests} <= {"file", "data"}


def test_a_run_agrees_with_itself(run):
    (said,) = run_check(SMOKE)
    assert said.startswith("this run: 5 files")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("dgsa/table3.csv", "0.25", "0.35", r"summary.json: line \d+: it says .*, made again it is .*0\.35"),
        ("dgsa/claims.json", "0.1234", "0.1235", r"claims.json: line \d+: .*0\.1234.*, made again it is .*0\.1235"),
        ("claims/summary.json", "0.25", "0.26", r"summary.json: line \d+: it says .*0\.26"),
        ("claims/summary.md", "0.123", "0.124", r"summary.md: line \d+: it says"),
        ("report/report.html", "25.0 (25.0 to 25.0)", "24.0 (25.0 to 25.0)", r"report.html: line \d+: it says .*24\.0"),
        ("report/report.html", "image/png;base64,iVBOR", "image/png;base64,iVBOS", r"report.html: line \d+"),
    ],
)
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
    assert said.startswith("the evidence: 8 files")
    assert (ROOT / "results" / "report.html").stat().st_size < LARGEST


def test_a_run_on_human_recordings_stands_in_page_and_readme_with_what_it_indicates(run):
    shutil.copytree(run / "claims", run / "real")
    scale = [{"alpha": 0.5, "texts": 110, "seeds": 1} | dict.fromkeys(("wer", "hp", "f0_std"), 0.5)]
    summary = json.loads((run / "real" / "summary.json").read_text(encoding="utf-8"))
    summary["tables"]["table1"] = scale
    (run / "real" / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    claims = [claim_row("D1", HOSTILE, "a", 0.1, [0, 1], "results/dgsa/x.csv") | {"n": 110, "seeds": 1}]
    claims[0] |= {"verdict": "not tested", "indicative": "mixed"}
    (run / "real" / "claims.json").write_text(json.dumps(claims), encoding="utf-8")
    page = "".join(texts_of(page_of(of_run())))
    assert "English recordings (110 texts, 1 seed): indicates mixed" in page and HOSTILE in page
    text = rewritten((ROOT / "README.md").read_text(encoding="utf-8"), committed("summary.json"), [])
    assert "110 test sentences, 1 training seed" in text and "| alpha 0.50 | 0.500 |" in text
    assert "What they indicate: mixed D1.\n" in text


def test_what_the_clock_forbids_is_told_from_a_run_without_it_and_nothing_else(run):
    shutil.copytree(run / "claims", run / "no-clock")
    row = dict.fromkeys(("wer", "rep", "f0_std"), 0.25) | {"texts": 200, "seeds": 1}
    summary = json.loads((run / "no-clock" / "summary.json").read_text(encoding="utf-8"))
    summary["tables"] |= {
        "table1": [row | {"alpha": 0.8}],
        "table8": [row | {"variant": name} for name in ("tdsc", "no-length")],
    }
    (run / "no-clock" / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    claims = [claim_row(id, HOSTILE, "a", 0.1, [0, 1], "results/scaling/x.csv") for id in ("C1", "C3")]
    claims = [
        claim | {"verdict": "not tested", "indicative": "mixed", "why": "it loops", "n": 200, "seeds": 1}
        for claim in claims
    ]
    (run / "no-clock" / "claims.json").write_text(json.dumps(claims), encoding="utf-8")
    page = "".join(texts_of(page_of(of_run())))
    assert page.count("without the clock (200 texts, 1 seed): indicates mixed") == 1
    text = rewritten((ROOT / "README.md").read_text(encoding="utf-8"), committed("summary.json"), [])
    block = text.split("<!-- free")[1].split("<!-- /free")[0]
    assert "| alpha 0.80 | 0.250 | 25.00 | 0.25 |" in block
    assert "| TDSC without the length filter | 0.250 | 25.00 | 0.25 |" in block and "| TDSC |" not in block
    assert "- C3, " in block and "indicates: mixed. it loops" in block and "C1" not in block


# The README


def readme(**tables) -> tuple[str, list[str]]:
    """The README that is committed, and the lines of one whose evidence has other tables."""
    text, summary = (ROOT / "README.md").read_text(encoding="utf-8"), committed("summary.json")
    summary["tables"] |= tables
    return text, rewritten(text, summary, committed("claims.json")).splitlines()


def test_the_readme_changes_with_one_number_and_keeps_its_prose():
    rows = [
        row | {"f0_std_gain": 1.0} if row["variant"] == "dgsa" else row
        for row in committed("summary.json")["tables"]["table3"]
    ]
    text, lines = readme(table3=rows)
    differ = [line for line, other in zip(lines, text.splitlines(), strict=True) if line != other]
    begun = ("3. DGSA changes the F0 std of the flattened policy by +1.00", "DGSA over SFT: F0 std +1.00 semitones")
    assert [line[: len(start)] for line, start in zip(differ, begun, strict=True)] == [*begun]
    with pytest.raises(UserError, match="aligned"):
        rewritten(text.replace("<!-- /aligned -->", ""), committed("summary.json"), [])
