"""`sebridge site`: the listening page, one file that needs no network, in results/site/index.html.

With `--publish` also results/site.html, which git keeps. Left out: the report with every figure.
"""

import json
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.paper.evidence import evidence_claims
from sebridge_lite.report.site_clips import collect
from sebridge_lite.report.site_page import Facts, page_of
from sebridge_lite.report.verdicts import read_table, write_all

MOST = 8_000_000  # bytes


def facts_of(params: Params) -> Facts:
    """From the stages that have run."""
    folder = paths.results("verdicts")
    try:
        summary, claims = (
            json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("summary", "claims")
        )
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: not there; `sebridge verdicts` writes it") from None
    beside = read_table(paths.results("systems", "table5_beside.csv"))
    systems = [
        dict(zip(("language", "system", "word error, ours", "paper"), row.values(), strict=True)) for row in beside
    ]
    kept = evidence_claims()
    committed = bool(kept) and all(row["verdict"] == "not tested" for row in claims)
    return Facts(summary, kept if committed else claims, systems, params, committed)


def run_site(params: Params, publish: bool = False) -> Path:
    """Writes the page; returns where."""
    if publish and params.profile == "smoke":
        raise UserError("profile smoke: too small to publish; run lite or full")
    facts = facts_of(params)
    if facts.summary["profile"] != params.profile:
        raise UserError(
            f"results/verdicts is of profile {facts.summary['profile']}, params.yaml of {params.profile}; `dvc repro`"
        )
    page = page_of(collect(params), facts).encode()
    if len(page) > MOST:
        raise UserError(
            f"the page has {len(page) / 1e6:.1f} MB, {MOST / 1e6:.0f} are allowed; lower site.texts or site.people"
        )
    write_all(paths.results("site"), {"index.html": page})
    if publish:
        write_all(paths.results(), {"site.html": page})
    return paths.results("site", "index.html")
