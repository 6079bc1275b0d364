"""What git keeps of the runs that count: results/summary.json and results/claims.json, and where their numbers come from.

Notebooks show it where their own profile is too small. `contents.json` says which stage makes which table and figure, and
which columns people are shown.
"""

import json
from pathlib import Path

import pandas as pd

from sebridge_lite.core import files, paths

NONE = "no such run is committed yet"
REAL = "real"  # where the evidence from human recordings lies
FREE = "no-clock"  # and that of policies whose text and speech share no clock
FIELDS = ("profile", "commit", "date", "machine", "seed")  # of whoever made something
CONTENTS = json.loads(Path(__file__).with_name("contents.json").read_text(encoding="utf-8"))
TABLES, FIGURES = CONTENTS["tables"], CONTENTS["figures"]  # each with its stage
SHAPES = {
    "summary.json": {"profile": str, "sources": {str: dict}, "tables": {str: [dict]}},
    "claims.json": [{"id": str, "claim": str, "verdict": str, "source": str}],
}


def read_json(path: Path, none):
    """The content of a JSON file, or `none` where there is no such file."""
    shape = SHAPES.get(path.name, dict if none is None else type(none))
    return files.read_json(path, "restore it with git, or make it again", shape) if path.exists() else none


def evidence(whose: str = "") -> dict:
    """The committed summary: profile, commit, date, machine, seconds, sources and tables; {} before there is any.

    `whose` is "" for the studio's main run, or REAL or FREE.
    """
    return read_json(paths.root() / "results" / whose / "summary.json", {})


def evidence_claims(whose: str = "") -> list[dict]:
    """The committed claims with their verdicts."""
    return read_json(paths.root() / "results" / whose / "claims.json", [])


def evidence_table(name: str, whose: str = "") -> pd.DataFrame:
    """A committed table, empty where there is none."""
    return pd.DataFrame(evidence(whose).get("tables", {}).get(name, []))


def in_words(source: dict) -> str:
    """Who made something: profile, date, commit, machine."""
    return f"profile {source['profile']}, {source['date']}, commit {source['commit']}, {source['machine']}"


def provenance(found: dict, table: str | None = None) -> str:
    """A line that says who made a table of the summary `found`, or all of them: a line for each run then."""
    sources = found["sources"]
    if table is not None:
        return f"the committed run: {in_words(sources.get(TABLES[table]['stage'], found))}"
    runs: dict[str, list[str]] = {}
    for stage in dict.fromkeys(entry["stage"] for entry in TABLES.values()):
        if stage in sources:
            runs.setdefault(in_words(sources[stage]), []).append(stage)
    if len(runs) < 2:
        return f"the committed run: {next(iter(runs), in_words(found))}"
    return "\n".join(f"the committed run of {', '.join(stages)}: {where}" for where, stages in runs.items())


def shown(name: str, columns: list[str], ids: str = "", whose: str = "", **only: list) -> str:
    """A committed table as text under a line that says who made it, and over one that says where the rows left out are.

    ids: the first letter of the claims whose rows are shown; only: for a column, the values whose rows are shown
    """
    found, table = evidence(whose), evidence_table(name, whose)
    if not found:
        return NONE
    if table.empty:
        return f"{provenance(found)}\nno table '{name}' in it"
    if ids:
        table = table[table["id"].str.startswith(ids)]
    kept = [column for column in columns if column in table]
    rows = table
    for column, values in only.items():
        rows = rows[rows[column].isin(values)]
    text = f"{provenance(found, name)}\n{rows[kept].to_string(index=False, float_format='%.3f')}"
    left = len(table) - len(rows)
    where = (Path("results") / whose / "summary.json").as_posix()
    return f"{text}\n{left} more rows: {where}, table {name}" if left else text


def inconsistencies() -> list[dict]:
    """Where the paper disagrees with itself: the point, where it stands, and which of our tables measures it, if one does."""
    return read_json(Path(__file__).with_name("inconsistencies.json"), [])


def runs() -> dict[str, tuple[list[dict], dict]]:
    """Claims and tables of this run, where it has any, and of the committed evidence, each by whose they are."""
    folder, found = paths.results("claims"), {}
    if (folder / "summary.json").is_file():
        summary = read_json(folder / "summary.json", {})
        found["this run"] = read_json(folder / "claims.json", []), summary["tables"]
    if evidence():
        found[provenance(evidence())] = evidence_claims(), evidence()["tables"]
    return found
