"""What the repository itself holds of the runs that count: results/summary.json and results/claims.json.

Notebooks show it where their own profile is too small. Left out: a check that the code is still the same; the file names
the commit of each stage.
"""

import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.experiments.origin import in_words, sources_of
from sebridge_lite.report.publishing import read_json
from sebridge_lite.report.tables import TABLES

NONE = "no full run is committed yet"


def _committed(name: str, none):
    """A file of the project, whatever `SEBRIDGE_OUTPUTS` says."""
    return read_json(paths.root() / "results" / name, none)


def evidence() -> dict:
    """Profile, commit, date, machine, seconds, sources and tables; {} before there is any."""
    return _committed("summary.json", {})


def evidence_claims() -> list[dict]:
    return _committed("claims.json", [])


def evidence_table(name: str) -> pd.DataFrame:
    """A table of it, empty where there is none."""
    return pd.DataFrame(evidence().get("tables", {}).get(name, []))


def provenance(found: dict, table: str | None = None) -> str:
    """Of a table, or of all: one run a line where they are of several."""
    sources = sources_of(found)
    if table is not None:
        return f"the committed run: {in_words(sources.get(TABLES[table][0], found))}"
    stages_of: dict[str, list[str]] = {}
    for stage, _ in TABLES.values():
        if stage in sources and stage not in stages_of.setdefault(in_words(sources[stage]), []):
            stages_of[in_words(sources[stage])].append(stage)
    if len(stages_of) < 2:
        return f"the committed run: {next(iter(stages_of), in_words(found))}"
    return "\n".join(f"the committed run of {', '.join(stages)}: {where}" for where, stages in stages_of.items())


def shown(name: str, columns: list[str], ids: str = "") -> str:
    """Those columns of a table that it has, beneath a line that says where it comes from; `ids`: rows of claims D or T alone."""
    found, table = evidence(), evidence_table(name)
    if not found:
        return NONE
    if table.empty:
        return f"{provenance(found)}\nno table '{name}' in it"
    if ids:
        table = table[table["id"].str.startswith(ids)]
    kept = [column for column in columns if column in table]
    return f"{provenance(found, name)}\n{table[kept].to_string(index=False, float_format='%.3f')}"
