"""Every number that the paper prints, by table: `published("table1_scaling")`."""

import json
from functools import cache
from pathlib import Path

import pandas as pd

from sebridge_lite.core.errors import UserError


@cache
def everything() -> dict:
    return json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))


def published(table: str) -> pd.DataFrame:
    """A table with the paper's columns; `everything()[table]` holds its notes too."""
    found = everything().get(table)
    if not isinstance(found, dict) or "columns" not in found:
        known = [name for name, value in everything().items() if isinstance(value, dict) and "columns" in value]
        raise UserError(f"no table '{table}' of the paper; tables: {', '.join(known)}")
    return pd.DataFrame(found["rows"], columns=found["columns"])
