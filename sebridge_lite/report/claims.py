"""`sebridge claims`: every claim with its verdict and the tables behind it, in three small files.

results/claims/     claims.json, summary.json, summary.md, logbook.md; ten lines, brief.txt; one picture, outcome.png: of this run
results/            with `--publish`, kept in git: the same of full runs, and their main figures: the evidence, of which
                    the stages of this run are replaced and all others stay; of a lite run lite.md, to compare your own with
results/real/       the same of a run on recordings of people, as a whole
results/no-clock/   the same of a run whose text and speech share no clock
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.account import NAME, accounted, accounts, here, parts_code
from sebridge_lite.paper import evidence
from sebridge_lite.paper.evidence import CONTENTS, FIELDS, FIGURES, TABLES, in_words, read_json
from sebridge_lite.paper.figures import outcome, use_style
from sebridge_lite.report.ledger import brief, entry
from sebridge_lite.report.render import png, render, write

OUTCOME = "outcome.png"
DIGITS = 5  # significant: more than is ever printed, and summary.json stays small
LARGEST = 300_000  # bytes of summary.json
PART_OF = CONTENTS["part_of"]  # a stage without tables: the notebook stage whose tables it was run for


def plain(value):
    """A value as JSON can hold it: rounded, and None in the place of NaN."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def read_table(path: Path) -> list[dict]:
    """The rows of a CSV, none where there is no such file."""
    if not path.is_file():
        return []
    return [{key: plain(value) for key, value in row.items()} for row in pd.read_csv(path).to_dict("records")]


def stage_of(claim: Mapping) -> str:
    """The stage that judged a claim, which its source names."""
    return claim["source"].split("/")[1]


def in_order(claim: Mapping) -> tuple[str, int]:
    """Sorts claims as C1, C2, ... D1, ..."""
    return claim["id"][0], int(claim["id"][1:])


def summary_of(origin: dict, sources: dict, tables: dict) -> dict:
    """summary.json: whose it is, what each stage took, and the tables."""
    sources = dict(sorted(sources.items()))
    seconds, memory = (
        {stage: source[name] for stage, source in sources.items() if name in source} for name in ("seconds", "peak_gib")
    )
    return origin | {"seconds": seconds, "memory_gib": memory, "sources": sources, "tables": tables}


def of_this_run(params: Params) -> tuple[dict, list[dict]]:
    """The summary and the claims of the stages that have finished."""
    sources = accounts({*(table["stage"] for table in TABLES.values()), *PART_OF})
    claims = [row for stage in sources for row in read_json(paths.results(stage, "claims.json"), [])]
    if not claims:
        raise UserError(f"{paths.results()}: no stage has judged a claim yet; `dvc repro` runs them")
    tables: dict[str, list] = {name: [] for name in TABLES}
    for name, table in TABLES.items():
        if table["stage"] in sources:
            tables[name] = read_table(paths.results(table["stage"], f"{table.get('file', name)}.csv"))
    origin = here(params) | {"stack": params.stack, "parts_code": parts_code()}
    return summary_of(origin, sources, tables), sorted(claims, key=in_order)


def judged_run() -> tuple[dict, list[dict]]:
    """The summary and the claims that `sebridge claims` has written for this run."""
    summary, claims = (read_json(paths.results("claims", f"{name}.json"), None) for name in ("summary", "claims"))
    if summary is None or claims is None:
        raise UserError(f"{paths.results('claims')}: no verdicts yet; `sebridge claims` writes them")
    return summary, claims


def merged(summary: dict, claims: list[dict]) -> tuple[dict, list[dict]]:
    """The evidence with what this run has in the place of what it had."""
    new, old = summary["sources"], evidence.evidence()
    stay = {stage: source for stage, source in old.get("sources", {}).items() if PART_OF.get(stage, stage) not in new}
    whose = {name: summary if table["stage"] in new else old for name, table in TABLES.items()}
    tables = {name: found.get("tables", {}).get(name, []) for name, found in whose.items()}
    judged = {row["id"] for row in claims}
    others = [row for row in evidence.evidence_claims() if stage_of(row) in stay and row["id"] not in judged]
    return summary_of(summary, stay | new, tables), sorted([*claims, *others], key=in_order)


def elsewhere(summary: dict, stage: str) -> str:
    """Who made a stage's numbers, where that is not whom the top of the summary names; else ''."""
    source = summary["sources"].get(stage)
    same = source is None or all(source.get(field) == summary.get(field) for field in FIELDS)
    return "" if same else in_words(source)


def as_text(summary: dict, claims: list[dict]) -> str:
    """summary.md: what a run found, to be read."""
    others: dict[str, list[str]] = {}
    for row in claims:
        if where := elsewhere(summary, stage_of(row)):
            others.setdefault(where, []).append(row["id"])
    return render("summary.md", summary=summary, claims=claims, others=others, contents=CONTENTS, elsewhere=elsewhere)


def files_of(summary: dict, claims: list[dict]) -> dict[str, str]:
    return {
        "claims.json": json.dumps(claims, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        "summary.json": render("summary.json", summary=summary),
        "summary.md": as_text(summary, claims),
        "logbook.md": render("logbook.md", summary=summary, claims=claims, entry=entry, in_words=in_words),
    }


def picture(tables: Mapping) -> dict[str, bytes]:
    """outcome.png, where erosion and a repair were measured."""
    if not tables.get("table3") or "f0_std" not in (tables.get("table1") or [{}])[0]:
        return {}
    use_style()
    return {OUTCOME: png(outcome(tables), dpi=160)}


def check_publishable(summary: dict, text: str) -> None:
    """Fails unless all is of one profile, and small. text: of summary.json"""
    for stage, source in summary["sources"].items():
        if source["profile"] != summary["profile"] and any(stage == table["stage"] for table in TABLES.values()):
            made = f"{paths.results(stage)}: made by profile {source['profile']}, not {summary['profile']}"
            raise UserError(f"{made}; nothing was published; `dvc repro {stage}` makes it again")
    if (size := len(text.encode())) >= LARGEST:
        raise UserError(f"summary.json would have {size:,} bytes, at most {LARGEST:,} are published")


def run_claims(params: Params, publish: bool = False) -> list[str]:
    """The claims of this run in ten lines, after they are written down with their tables."""
    if publish and params.profile == "smoke":
        raise UserError("profile smoke: too small to publish; run lite or full")
    with accounted("claims", paths.results("claims", NAME), params):
        summary, claims = of_this_run(params)
        files = files_of(summary, claims)
        lines = brief(claims, evidence.evidence_claims())
        pages = files | {"brief.txt": "\n".join(lines) + "\n"} | picture(summary["tables"])
        for name, page in pages.items():
            write(paths.results("claims", name), page)
    if publish and params.profile == "lite":
        check_publishable(summary, files["summary.json"])
        write(paths.results("lite.md"), files["summary.md"])
    elif publish:
        whose = evidence.REAL if params.stack != "studio" else evidence.FREE if params.backbone else ""
        whole, all_claims = (summary, claims) if whose else merged(summary, claims)
        files = files_of(whole, all_claims)
        check_publishable(whole, files["summary.json"])
        for name, page in (files | picture(whole["tables"])).items():
            write(paths.results(whose, name), page)
        for name, figure in FIGURES.items():
            drawn, kept = paths.results(figure["stage"], f"{name}.png"), paths.results(whose, f"{name}.png")
            if drawn.is_file():
                write(kept, drawn.read_bytes())
            elif figure["stage"] in summary["sources"]:
                kept.unlink(missing_ok=True)  # no longer drawn
    return [*lines, f"see {paths.results('claims', 'summary.md')}"]
