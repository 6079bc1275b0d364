"""Ours beside what the paper prints: `beside_paper` for one table, `sections` for every table and figure.

`beside.json` says which of our tables stands beside which of the paper's, how rows are matched, and what is compared.
Listening scores have no stand-in and are shown as printed. Left out: which of two numbers is better.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from sebridge_lite.measure.stats import measure, row_range
from sebridge_lite.paper.evidence import TABLES, read_json
from sebridge_lite.paper.published import NAMES, everything, published

NOT_MADE = "This run has not made it: only the paper's numbers are shown."
NO_STAND_IN = "Listening scores have no stand-in here: nobody has rated anything."


def readable(table: pd.DataFrame, columns: Sequence[str], digits: int = 3) -> pd.DataFrame:
    """Those of the columns that a table has, as text, "value (low to high)" where it has an interval."""

    def text(row: Mapping, name: str):
        return row_range(row, name, spec=f".{digits}g") if f"{name}_low" in row else row[name]

    rows = table.to_dict("records")
    return pd.DataFrame({name: [text(row, name) for row in rows] for name in columns if name in table})


def beside_paper(
    table: pd.DataFrame,
    printed: pd.DataFrame,
    columns: Sequence[str | tuple[str, str]],
    on: Mapping[str, str],
    names: Mapping[str, str] | None = None,
    why: Mapping[tuple, str] | None = None,
) -> pd.DataFrame:
    """A row for each system of the paper or of ours, and of each measure the paper's number and ours with its interval.

    columns: measures, or pairs (ours, the paper's) where the names differ; on: our key columns to the paper's; names: what
    our systems are called in the paper; why: for a key, why it did not run here.
    """
    names, why = names or {}, why or {}
    own = {tuple(names.get(row[name], row[name]) for name in on): row for row in table.to_dict("records")}
    theirs = {tuple(row[name] for name in on.values()): row for row in printed.to_dict("records")}
    keys = list(dict.fromkeys([*theirs, *own, *why]))
    if all(isinstance(key[0], int | float) for key in keys):
        keys.sort()
    rows = []
    for key in keys:
        mine, paper, row = own.get(key), theirs.get(key, {}), {}
        for name, value in zip(on, key, strict=True):
            alias = value if mine is None else mine[name]
            text = f"{value:g}" if isinstance(value, float) else str(value)
            row[name] = text if alias == value else f"{value} ({alias})"
        for ours, other in [(one, one) if isinstance(one, str) else one for one in columns]:
            if other in printed:
                value, spread = (paper.get(other + end) for end in ("", "_ci"))
                text = "" if value is None or value != value else f"{value:g}"
                row[f"{measure(other)[0]}: paper"] = text if spread is None or not text else f"{text} ± {spread:g}"
            if ours in table:
                label, by, digits = measure(ours)
                text = why.get(key, "") if mine is None else row_range(mine, ours, spec=f".{digits}f", by=by)
                row[f"{label}: ours"] = text
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """Our Table 2 with word error in per cent."""
    table = table.rename(columns={"low": "difference_low", "high": "difference_high"})
    values = [name for name in table if name.startswith("difference") or name.endswith("_hp")]
    return table.assign(**{name: table[name].mul(100).where(table["metric"] == "wer", table[name]) for name in values})


def _last_temperatures(table: pd.DataFrame) -> pd.DataFrame:
    """The last iteration of TDSC: its cold, plain and hot temperatures in place of the paper's three."""
    own = table[table["variant"] == "tdsc"]
    own = own[own["k"] == own["k"].max()].sort_values("temperature")
    return own.assign(T=published("table9_temperatures_k5")["temperature"].reindex(range(len(own))).to_numpy())


def _with_filtered(table: pd.DataFrame) -> pd.DataFrame:
    filtered = {"temperature": "filtered set", **everything()["table9_temperatures_k5"]["filtered"]}
    return pd.concat([table.astype({"temperature": object}), pd.DataFrame([filtered])], ignore_index=True)


OURS = {  # how our table is turned into what the paper's shows; all others are compared as they are
    "table2": _differences,
    "table9": _last_temperatures,
    "figure6": lambda table: table[table["variant"] == "tdsc"],
}
THEIRS = {"table1": lambda table: table.assign(alpha=table["alpha"] / 100), "table9": _with_filtered}


def sections(tables: Mapping[str, Sequence[Mapping]]) -> list[dict]:
    """One for every table and figure of the paper: `rows` of text under `columns`, figures by name, and what to know.

    tables: ours by name.
    """
    found = []
    for place in read_json(Path(__file__).with_name("beside.json"), []):
        name, theirs = place["table"], published(place["printed"])
        printed, own = THEIRS.get(name, pd.DataFrame)(theirs), pd.DataFrame(tables.get(name) or [])
        own = OURS.get(name, pd.DataFrame)(own) if len(own) else own
        shown = beside_paper(own, printed, place["columns"], place["on"], NAMES.get(place["printed"]))
        notes = place["note"], "" if len(own) else NOT_MADE, NO_STAND_IN if "nmos" in printed else ""
        section = {"title": place["title"], "stage": TABLES[name]["stage"], "note": " ".join(filter(None, notes))}
        section |= {"columns": list(shown), "rows": shown.to_numpy().tolist()}
        found.append(section | {"figures": place["figures"] if len(own) else []})
    return found
