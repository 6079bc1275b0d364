"""What the repository itself holds of the last run that counts: results/summary.json and results/claims.json.

Notebooks show it where their own profile is too small. Left out: a check that the code is still the same; the file names
its commit.
"""

import json

import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError

NONE = "no full run is committed yet"


def _read(name: str):
    """A file of the project, whatever `SEBRIDGE_OUTPUTS` says; None where there is none."""
    path = paths.root() / "results" / name
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); restore it with git") from None


def evidence() -> dict:
    """Profile, commit, date, machine, seconds and tables; {} before there is any."""
    return _read("summary.json") or {}


def evidence_claims() -> list[dict]:
    return _read("claims.json") or []


def evidence_table(name: str) -> pd.DataFrame:
    """A table of it, empty where there is none."""
    return pd.DataFrame(evidence().get("tables", {}).get(name, []))


def provenance(found: dict) -> str:
    return (
        f"the committed run: profile {found['profile']}, {found['date']}, commit {found['commit']}, {found['machine']}"
    )


def shown(name: str, columns: list[str]) -> str:
    """Those columns of a table that it has, beneath a line that says where it comes from."""
    found, table = evidence(), evidence_table(name)
    if not found:
        return NONE
    if table.empty:
        return f"{provenance(found)}\nno table '{name}' in it"
    kept = [column for column in columns if column in table]
    return f"{provenance(found)}\n{table[kept].to_string(index=False, float_format='%.3f')}"
