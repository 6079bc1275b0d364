"""`sebridge verdicts`: every claim with its verdict and the tables behind it, in three small files.

results/verdicts/     claims.json, summary.json, summary.md of this run
results/              with `--publish`, kept in git: the same three of full runs, and their main figures: the evidence, of
                      which the stages of this run are replaced; of a lite run lite.md, what a reader's own run is to be
                      compared with
"""

import json
import math
from pathlib import Path

import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.origin import here, sources_of_run
from sebridge_lite.report.publishing import as_json, check_publishable, figures, in_order, merged, read_json
from sebridge_lite.report.summary_text import as_text
from sebridge_lite.report.tables import FILES, TABLES

DIGITS = 5  # significant: more than is ever printed, and summary.json stays small


def plain(value):
    """What JSON can hold: no NaN."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def read_table(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    return [{key: plain(value) for key, value in row.items()} for row in pd.read_csv(path).to_dict("records")]


def of_this_run(params: Params) -> tuple[dict, list[dict]]:
    """The summary and the claims of the stages that have finished."""
    now = here(params)
    sources = sources_of_run(now)
    claims = [row for stage in sources for row in read_json(paths.results(stage, "claims.json"), [])]
    if not claims:
        raise UserError(f"{paths.results()}: no stage has judged a claim yet; `dvc repro` runs them")
    tables = {
        name: read_table(paths.results(stage, f"{FILES.get(name, name)}.csv")) if stage in sources else []
        for name, (stage, _) in TABLES.items()
    }
    seconds = {stage: source["seconds"] for stage, source in sorted(sources.items())}
    peaks = {stage: source["peak_gib"] for stage, source in sorted(sources.items()) if "peak_gib" in source}
    return now | {"seconds": seconds, "memory_gib": peaks, "sources": sources, "tables": tables}, in_order(claims)


def as_files(summary: dict, claims: list[dict]) -> dict[str, str]:
    return {
        "claims.json": json.dumps(claims, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        "summary.json": as_json(summary),
        "summary.md": as_text(summary, claims),
    }


def run_verdicts(params: Params, publish: bool = False) -> list[dict]:
    """Writes them; gives the claims of this run."""
    if publish and params.profile == "smoke":
        raise UserError("profile smoke: too small to publish; run lite or full")
    summary, claims = of_this_run(params)
    files = as_files(summary, claims)
    write_all(paths.results("verdicts"), files)
    if publish:
        check_publishable(summary, files["summary.json"])
        if params.profile == "lite":
            write_all(paths.results(), {"lite.md": files["summary.md"]})
        else:
            publish_full(summary, claims)
    return claims


def publish_full(summary: dict, claims: list[dict]) -> None:
    old, old_claims = (
        read_json(paths.results(name), none) for name, none in (("summary.json", {}), ("claims.json", []))
    )
    whole, all_claims = merged(summary, claims, old, old_claims)
    files = as_files(whole, all_claims)
    check_publishable(whole, files["summary.json"])
    write_all(paths.results(), files | figures(summary["sources"]))


def write_all(folder: Path, files: dict[str, str | bytes | None]) -> None:
    """None takes a file away."""
    for name, content in files.items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
            continue
        with paths.replacing(folder / name) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
