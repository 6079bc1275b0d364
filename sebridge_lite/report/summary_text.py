"""summary.md: what a run found, to be read; everything in it comes from summary.json and claims.json."""

from collections.abc import Sequence

from sebridge_lite.experiments.origin import FIELDS, in_words, sources_of
from sebridge_lite.report.publishing import stage_of
from sebridge_lite.report.tables import SHOWN, TABLES


def cell(row: dict, name: str) -> str:
    """A value, with its interval where it has one."""
    value = row.get(name)
    if not isinstance(value, float):
        return "" if value is None else str(value)
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if name == "difference":
        low, high = row.get("low"), row.get("high")
    return f"{value:.3g}" if low is None or high is None else f"{value:.3g} ({low:.3g} to {high:.3g})"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; a bar within a cell would end it."""
    safe = [[text.replace("|", "\\|") for text in row] for row in rows]
    return [" | ".join(["", *row, ""]).strip() for row in [columns, ["---"] * len(columns), *safe]]


def effect(claim: dict) -> str:
    if claim["ours"] is None:
        return ""
    return f"{claim['ours']:.3g} ({claim['interval'][0]:.3g} to {claim['interval'][1]:.3g})"


def elsewhere(summary: dict, stage: str) -> str:
    """Where a stage's numbers come from, if not from what the top of the summary says; else ''."""
    source = sources_of(summary).get(stage)
    if source is None or all(source.get(field) == summary.get(field) for field in FIELDS):
        return ""
    return in_words(source)


def as_text(summary: dict, claims: list[dict]) -> str:
    lines = [
        "# What a run of SE-Bridge Lite found", "",
        f"Profile `{summary['profile']}`, seed {summary['seed']}, {summary['date']}, commit {summary['commit']}, "
        f"{summary['machine']}. Speakers are the studio's, not human; the paper's listening scores have no stand-in. "
        "Intervals are at 95 %, over texts and training seeds.", "", "## Claims", "",
    ]  # fmt: skip
    rows = [
        [row["id"], row["claim"], row["paper"], effect(row), f"{row['n']} x {row['seeds']}", row["verdict"]]
        for row in claims
    ]
    lines += markdown(["", "claim", "paper", "our effect (interval)", "texts x seeds", "verdict"], rows)
    others: dict[str, list[str]] = {}
    for row in claims:
        if where := elsewhere(summary, stage_of(row)):
            others.setdefault(where, []).append(row["id"])
    lines += [line for where, ids in others.items() for line in ("", f"{', '.join(ids)}: made by {where}.")]
    for name, (stage, title) in TABLES.items():
        if found := summary["tables"].get(name):
            columns = [column for column in SHOWN if column in found[0]]
            where = elsewhere(summary, stage)
            lines += ["", f"## {title}", "", *([f"Made by {where}.", ""] if where else [])]
            lines += markdown(columns, [[cell(row, c) for c in columns] for row in found])
    return "\n".join(lines) + "\n"
