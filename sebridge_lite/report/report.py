"""`sebridge report`: one page with all that a run found, that opens from disk and loads nothing.

    results/report/report.html    of this run, from what `sebridge verdicts` left
    results/report.html           with `--publish`: of the committed evidence (results/summary.json, claims.json, figures)

The page is a function of summary, claims, figures and versions, so `report_check` can make it again. Left out: audio; scripts.
"""

import base64
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sebridge_lite.cli.doctor import PACKAGES
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import ClaimsParams, active_params, load_params
from sebridge_lite.experiments.origin import in_words, sources_of
from sebridge_lite.experiments.run import STAGES
from sebridge_lite.paper.beside import sections
from sebridge_lite.paper.figures import FONT_FOLDER, FONTS
from sebridge_lite.paper.inconsistencies import points
from sebridge_lite.report.ledger import VERDICTS, by_headline, counts, ledger
from sebridge_lite.report.publishing import read_json, stage_of
from sebridge_lite.report.readme import README, rewritten
from sebridge_lite.report.summary_text import cell, elsewhere
from sebridge_lite.report.tables import FIGURES, SHOWN, TABLES

LARGEST = 3_000_000  # bytes of the page
TEMPLATE, CHECKLIST = "report_page.html", "checklist.json"


@dataclass(frozen=True)
class Found:
    """What a page is made from; `root`: the way from the page to the project's folder."""

    summary: dict
    claims: list[dict]
    pictures: Mapping[str, bytes]
    versions: Mapping[str, str]
    rule: ClaimsParams
    root: str


def pinned() -> dict[str, str]:
    """The versions that `make` installs."""
    lines = (paths.root() / "constraints.txt").read_text(encoding="utf-8").split()
    pins = {name.lower(): version for name, _, version in (line.partition("==") for line in lines)}
    return {package: pins[package] for package in PACKAGES if package in pins}


def installed() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def of_run() -> Found:
    """This run, after its verdicts."""
    summary, claims = (read_json(paths.results("verdicts", name), None) for name in ("summary.json", "claims.json"))
    if summary is None or claims is None:
        raise UserError(f"{paths.results('verdicts')}: no verdicts yet; `sebridge verdicts` writes them")
    drawn = {
        name: paths.results(stage, f"{name}.png")
        for name, (stage, *_) in FIGURES.items()
        if stage in sources_of(summary)
    }
    pictures = {name: path.read_bytes() for name, path in drawn.items() if path.is_file()}
    return Found(summary, claims, pictures, installed(), active_params().claims, "../..")


def of_evidence() -> Found:
    """What git keeps."""
    folder = paths.root() / "results"
    summary, claims = (read_json(folder / name, None) for name in ("summary.json", "claims.json"))
    if summary is None or claims is None:
        raise UserError(f"{folder}: no evidence is committed; `sebridge verdicts --publish` of a full run writes it")
    pictures = {name: (folder / f"{name}.png").read_bytes() for name in FIGURES if (folder / f"{name}.png").is_file()}
    rule = load_params(paths.root() / "params" / f"{summary['profile']}.yaml").claims
    return Found(summary, claims, pictures, pinned(), rule, "..")


def notebook_of(stage: str) -> str:
    return STAGES[stage][0] if stage in STAGES else ""


def _claims(found: Found) -> list[dict]:
    claims = {row["id"]: row for row in found.claims}
    rows = []
    for row in ledger(found.claims, found.rule):
        stage = stage_of(claims[row.id]) if row.id in claims else ""
        conditions = [c for c in found.summary["tables"].get(f"conditions_{stage}") or [] if c["id"] == row.id]
        several = [
            f"{c['what']}, {c['measure']}, {c['wanted']}: {cell(c, 'effect') or 'no figure'}: {c['verdict']}"
            for c in conditions
        ]
        alone = by_headline(claims[row.id], found.rule) if row.id in claims else row.verdict
        rows.append(
            row._asdict() | {"stage": stage, "notebook": notebook_of(stage), "conditions": several, "alone": alone}
        )
    return rows


def _full_tables(found: Found) -> list[dict]:
    """Every table as summary.md has it, and the figures that belong to none of the paper's."""
    shown = {name for section in sections(found.summary["tables"], TABLES) for name in section.figures}
    tables = []
    for name, (stage, title) in TABLES.items():
        rows = found.summary["tables"].get(name)
        if not rows:
            continue
        columns = [column for column in SHOWN if column in rows[0]]
        figures = [figure for figure, (_, table, _) in FIGURES.items() if table == name and figure not in shown]
        tables.append({
            "name": name, "title": title, "stage": stage, "origin": elsewhere(found.summary, stage), "columns": columns,
            "rows": [[cell(row, column) for column in columns] for row in rows], "figures": figures,
        })  # fmt: skip
    return tables


def _stages(summary: Mapping) -> list[dict]:
    rows = []
    for stage, source in sources_of(dict(summary)).items():
        seconds, memory = source.get("seconds"), source.get("peak_gib")
        rows.append({
            "stage": stage, "notebook": notebook_of(stage), "seconds": "" if seconds is None else f"{seconds:,.0f}",
            "memory": "not recorded" if memory is None else f"{memory:.1f}", "origin": in_words(source),
        })  # fmt: skip
    return rows


def page_of(found: Found) -> str:
    """The page; whatever comes from data is escaped by the template."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template, checklist = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in (TEMPLATE, CHECKLIST))
    tables, rows = found.summary["tables"], _claims(found)
    pictures = {
        name: {"data": base64.b64encode(content).decode(), "alt": FIGURES[name][2], "table": FIGURES[name][1]}
        for name, content in found.pictures.items()
    }
    fonts = {name.partition("-")[0].replace("NotoSans", "Noto Sans "): FONT_FOLDER / name for name in FONTS}
    return environment.from_string(template).render(
        fonts={name: base64.b64encode(path.read_bytes()).decode() for name, path in fonts.items()},
        summary=found.summary, origin=in_words(found.summary), claims=rows, verdicts=VERDICTS,
        counts=counts(ledger(found.claims, found.rule)), rule=found.rule, sections=sections(tables, TABLES), pictures=pictures,
        points=points(tables), stages=_stages(found.summary), versions=found.versions, tables=_full_tables(found),
        root=found.root, checklist=json.loads(checklist), notebook_of=notebook_of,
    )  # fmt: skip


def write_report(found: Found, target: Path) -> Path:
    text = page_of(found)
    if len(text.encode()) > LARGEST:
        raise UserError(f"{target.name} would have {len(text.encode()):,} bytes, at most {LARGEST:,} are allowed")
    with paths.replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def run_report(publish: bool = False, readme: bool = False) -> list[Path]:
    """Of this run; or of the evidence, or its tables in the README, or both."""
    if not publish and not readme:
        return [write_report(of_run(), paths.results("report", "report.html"))]
    found, written = of_evidence(), []
    if publish:
        written.append(write_report(found, paths.root() / "results" / "report.html"))
    if readme:
        path = paths.root() / README
        text = rewritten(path.read_text(encoding="utf-8"), found.summary, found.claims)
        with paths.replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        written.append(path)
    return written
