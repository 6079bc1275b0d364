"""`sebridge report`: one page with all that a run found, that opens from disk and loads nothing.

    results/report/report.html    of this run, from what `sebridge claims` left
    results/report.html           with `--publish`: of the committed evidence (results/summary.json, claims.json, figures)
    README.md                     with `--readme`: its tables, from the same, each between two comments
    nothing                       with `--check`: all of them are made again and compared with what is there

Left out: audio; scripts.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sebridge_lite.align.methods import METHODS
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, active_params, load_params
from sebridge_lite.experiments.account import NAME, PACKAGES, accounted, version
from sebridge_lite.experiments.notebook import STAGES
from sebridge_lite.measure import effects
from sebridge_lite.measure.verdicts import CLAIMS
from sebridge_lite.paper import beside
from sebridge_lite.paper.evidence import (
    CONTENTS,
    FIELDS,
    FIGURES,
    FREE,
    REAL,
    evidence,
    evidence_claims,
    in_words,
    inconsistencies,
)
from sebridge_lite.report.claims import (
    OUTCOME,
    check_publishable,
    elsewhere,
    files_of,
    judged_run,
    of_this_run,
)
from sebridge_lite.report.ledger import VERDICTS, decided, ledger
from sebridge_lite.report.render import fonts, render, write

LARGEST = 3_000_000  # bytes of the page
README, CHECKLIST = "README.md", Path(__file__).with_name("checklist.json")
# Blocks of the README, each between two comments.
BLOCKS = ("outcome", "scaling", "aligned", "critique", "free", "verdicts", "human")


def of_run() -> dict:
    """What a page is made from: this run, after its claims. `root`: the way from the page to the project's folder."""
    summary, claims = judged_run()
    drawn = {name: figure["stage"] for name, figure in FIGURES.items() if figure["stage"] in summary["sources"]}
    files = {name: paths.results(stage, f"{name}.png") for name, stage in drawn.items()}
    pictures = _read(files | {"outcome": paths.results("claims", OUTCOME)})
    versions = {package: version(package) or "not installed" for package in PACKAGES}
    found = {"summary": summary, "claims": claims, "rule": active_params().claims}
    return found | {"pictures": pictures, "versions": versions, "root": "../.."}


def of_evidence() -> dict:
    """What git keeps."""
    folder = paths.root() / "results"
    if not evidence():
        raise UserError(f"{folder}: no evidence is committed; `sebridge claims --publish` of a full run writes it")
    pins = dict(re.findall(r"(\S+)==(\S+)", (paths.root() / "constraints.txt").read_text().lower()))
    versions = {package: pins[package] for package in PACKAGES if package in pins}
    rule = load_params(paths.root() / "params" / f"{evidence()['profile']}.yaml").claims
    pictures = _read({name: folder / f"{name}.png" for name in ("outcome", *FIGURES)})
    found = {"summary": evidence(), "claims": evidence_claims(), "rule": rule}
    return found | {"pictures": pictures, "versions": versions, "root": ".."}


def of_others() -> dict[str, Any]:
    """What git keeps of the runs beside the main one: `human` on recordings of people, `free` without the clock, or nothing."""

    def kept(whose: str) -> dict:
        picture = paths.root() / "results" / whose / OUTCOME
        found = {"summary": evidence(whose), "claims": evidence_claims(whose)}
        return found | {"picture": picture.read_bytes() if picture.is_file() else b""}

    forbidden = [id for id, claim in CLAIMS.items() if claim.forbidden]  # where a clock is shared
    return {"human": kept(REAL), "free": kept(FREE), "forbidden": forbidden}


def _read(files: Mapping[str, Path]) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files.items() if path.is_file()}


def page_of(found: dict) -> str:
    """The page; whatever comes from data is escaped by the template."""
    sections, rows = beside.sections(found["summary"]["tables"]), ledger(found["claims"], found["rule"])
    checklist = json.loads(CHECKLIST.read_text(encoding="utf-8"))
    known = {"contents": CONTENTS, "stages": STAGES, "verdicts": VERDICTS, "in_words": in_words, "elsewhere": elsewhere}
    beside_ours = {"sections": sections, "points": inconsistencies(), "checklist": checklist}
    others = of_others()
    beside_ours |= others | {"sentences": sentences(found["summary"], others["human"])}
    text = render("report.html", **found, **known, **beside_ours, rows=rows, fonts=fonts())
    if len(text.encode()) > LARGEST:
        raise UserError(f"the page would have {len(text.encode()):,} bytes, at most {LARGEST:,} are allowed")
    return text


def sentences(summary: Mapping, human: Mapping) -> list[str]:
    """What came out, in five sentences, or six where a run on human recordings is kept beside it."""
    people = {} if summary.get("stack") == "own" else human["summary"].get("tables", {})
    said = {"summary": summary, "tables": summary["tables"], "people": people, "unsure": not decided(human["claims"])}
    return render("outcome.txt", **said).splitlines()


def rewritten(text: str, summary: Mapping, claims: list[dict]) -> str:
    """The README with every block made again."""
    tables, others = summary["tables"], of_others()
    known = {"contents": CONTENTS["tables"], "methods": METHODS, "sentences": sentences(summary, others["human"])}
    known |= others | {"verdicts": VERDICTS, "decided": decided}
    again = [row for row in tables.get("confirm_systems", []) if row["language"] == "lo"]
    said = {
        "control": [f"{effects.dgsa_sentence(row)}." for row in tables.get("finding", [])],
        "loop": [f"{effects.tdsc_sentence(pd.DataFrame(rows))}." for rows in (tables.get("table4"), again) if rows],
    }
    for name in BLOCKS:
        start, end = f"<!-- {name}: made by sebridge report --readme -->\n", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise UserError(f"{README}: not one pair of {start.strip()} and {end}; restore them with git")
        before, rest = text.split(start)
        block = render("readme.md", block=name, summary=summary, tables=tables, claims=claims, said=said, **known)
        text = before + start + block + end + rest.split(end)[1]
    return text


def published(found: dict, publish: bool = True, readme: bool = True) -> dict[Path, str]:
    """What is written from the committed evidence."""
    files, path = {}, paths.root() / README
    if publish:
        files = {paths.root() / "results" / "report.html": page_of(found)}
        for whose in ("", REAL, FREE):
            texts = files_of(evidence(whose), evidence_claims(whose)) if evidence(whose) else {}
            files |= {
                paths.root() / "results" / whose / name: text for name, text in texts.items() if name.endswith(".md")
            }
    if readme:
        files[path] = rewritten(path.read_text(encoding="utf-8"), found["summary"], found["claims"])
    return files


def run_report(params: Params, publish: bool = False, readme: bool = False, check: bool = False) -> list[str]:
    """What was done: this run's report is written, or the evidence's, or its tables in the README, or all are checked."""
    if check and (publish or readme):
        raise UserError("--check writes nothing: leave out --publish and --readme")
    if check:
        return run_check(params)
    if publish or readme:
        return [f"see {write(path, text)}" for path, text in published(of_evidence(), publish, readme).items()]
    with accounted("report", paths.results("report", NAME), params):
        return [f"see {write(paths.results('report', 'report.html'), page_of(of_run()))}"]


def run_check(params: Params) -> list[str]:
    """A line for this run and for the evidence, whichever is there; the first difference is an error.

    Left out: that a CSV follows from its audio; the stages' tests stand for that.
    """
    said, folder = [], paths.results("claims")
    if (folder / "summary.json").is_file():
        kept, (summary, claims) = of_run(), of_this_run(params)
        summary |= {name: kept["summary"][name] for name in (*FIELDS, "parts_code")}  # who checks is not who ran it
        files = {folder / name: text for name, text in files_of(summary, claims).items()}
        files[paths.results("report", "report.html")] = page_of(kept)
        check_same(files, "`sebridge claims`, then `sebridge report`, write it again")
        said.append(f"this run: {len(files)} files say what its tables say")
    if evidence():
        kept = of_evidence()
        summary_json = paths.root() / "results" / "summary.json"
        check_publishable(kept["summary"], summary_json.read_text(encoding="utf-8"))
        files = published(kept)
        check_same(files, "`sebridge report --publish --readme` writes it again")
        said.append(f"the evidence: {len(files)} files say what summary.json and claims.json say")
    if not said:
        raise UserError(f"{paths.results()}: nothing to check: no claims of a run, no committed evidence")
    return said


def check_same(files: Mapping[Path, str], remedy: str) -> None:
    """Fails where a file is not what would be written now, and says where they part."""
    for path, anew in files.items():
        there = path.read_text(encoding="utf-8") if path.is_file() else None
        if there is None:
            raise UserError(f"{path}: not there; {remedy}")
        if there != anew:
            both = zip(f"{there}\0", f"{anew}\1", strict=False)
            at = next(place for place, (one, other) in enumerate(both) if one != other)
            line, begin = there.count("\n", 0, at) + 1, max(there.rfind("\n", 0, at) + 1, at - 20)
            said, again = there[begin : begin + 60], anew[begin : begin + 60]
            raise UserError(f"{path.name}: line {line}: it says {said!r}, made again it is {again!r}; {remedy}")
