"""The evidence that git keeps, when a run of some of the stages joins it: what this run has replaces, the rest stays.

Each table says whose it is: summary.json holds the origin of every stage under `sources`; its top-level fields are of the
latest publication. Left out: two origins within one stage.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.experiments.origin import sources_of
from sebridge_lite.report.tables import FIGURES, PART_OF, TABLES

LARGEST = 200_000  # bytes of summary.json


def stage_of(claim: Mapping) -> str:
    """The stage that judged a claim, which its source names."""
    found = re.match(r"results/(\w+)/", claim["source"])
    if not found:
        raise UserError(f"claim {claim['id']}: its source '{claim['source']}' names no results/STAGE/; mend it there")
    return found[1]


def in_order(claims: Sequence[dict]) -> list[dict]:
    """C1, C2, ... D1, ..."""
    return sorted(claims, key=lambda row: (row["id"][0], int(row["id"][1:])))


def merged(summary: dict, claims: list[dict], old: dict, old_claims: list[dict]) -> tuple[dict, list[dict]]:
    """The summary and the claims of a run, filled up with those of stages that it has not."""
    ours, theirs = summary["sources"], sources_of(old)
    kept = {stage: source for stage, source in theirs.items() if PART_OF.get(stage, stage) not in ours}
    sources = kept | {stage: source for stage, source in ours.items() if PART_OF.get(stage, stage) in ours}
    tables = {
        name: summary["tables"][name] if stage in ours else old.get("tables", {}).get(name, [])
        for name, (stage, _) in TABLES.items()
    }
    seconds = {stage: source["seconds"] for stage, source in sorted(sources.items()) if source["seconds"] is not None}
    peaks = {
        stage: source["peak_gib"] for stage, source in sorted(sources.items()) if source.get("peak_gib") is not None
    }
    judged = {row["id"] for row in claims}
    others = [row for row in old_claims if stage_of(row) in kept and row["id"] not in judged]
    whole = summary | {
        "seconds": seconds,
        "memory_gib": peaks,
        "sources": dict(sorted(sources.items())),
        "tables": tables,
    }
    return whole, in_order(claims + others)


def as_json(summary: dict) -> str:
    """A row of a table, and a source, on one line: small, and a change shows as the rows it changed."""

    def line(value) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def several(items: Sequence[str], left: str, right: str) -> str:
        return f"{left}\n  " + ",\n  ".join(items) + f"\n {right}" if items else left + right

    blocks = []
    for key, value in summary.items():
        if key == "sources":
            value = several([f"{line(name)}: {line(source)}" for name, source in value.items()], "{", "}")
        elif key == "tables":
            tables = [f"{line(name)}: {several([line(row) for row in rows], '[', ']')}" for name, rows in value.items()]
            value = several(tables, "{", "}")
        else:
            value = line(value)
        blocks.append(f" {line(key)}: {value}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def check_publishable(summary: dict, text: str) -> None:
    """All of one profile, and small. text: of summary.json"""
    for stage, source in sources_of(summary).items():
        if source["profile"] != summary["profile"] and any(stage == of for of, _ in TABLES.values()):
            raise UserError(
                f"{paths.results(stage)}: made by profile {source['profile']}, not {summary['profile']}; nothing was "
                f"published; `dvc repro {stage}` makes it again"
            )
    if len(text.encode()) >= LARGEST:
        raise UserError(f"summary.json would have {len(text.encode()):,} bytes, at most {LARGEST:,} are published")


def figures(sources: Mapping[str, Mapping]) -> dict[str, bytes | None]:
    """{file name: its content, or None where the stage no longer draws it} of the stages of a run."""
    drawn = {
        f"{name}.png": paths.results(stage, f"{name}.png") for name, (stage, *_) in FIGURES.items() if stage in sources
    }
    return {name: path.read_bytes() if path.is_file() else None for name, path in drawn.items()}


def read_json(path: Path, none):
    """A file that a publication wrote, or `none` where there is no such file."""
    if not path.is_file():
        return none
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); restore it with git") from None
