"""Ours beside what the paper prints: `beside_paper` for one table, `sections` for every table and figure.

Listening scores have no stand-in and are shown as printed. Left out: which of two numbers is better.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from sebridge_lite.measure.stats import row_range
from sebridge_lite.paper.evidence import TABLES
from sebridge_lite.paper.labels import measure
from sebridge_lite.paper.published import NAMES, everything, published

NOT_MADE = "This run has not made it: only the paper's numbers are shown."
NO_STAND_IN = "Listening scores have no stand-in here: nobody has rated anything."


def readable(table: pd.DataFrame, columns: Sequence[str], digits: int = 3) -> pd.DataFrame:
    """Those of the columns that a table has, as text, "value (low to high)" where it has an interval."""
    shown = {}
    for name in [name for name in columns if name in table]:
        known = f"{name}_low" in table
        shown[name] = [
            row_range(row, name, spec=f".{digits}g") if known else row[name] for row in table.to_dict("records")
        ]
    return pd.DataFrame(shown)


def _printed(row: Mapping, name: str) -> str:
    value, spread = row.get(name), row.get(f"{name}_ci")
    if value is None or value != value:
        return ""
    return f"{value:g} ± {spread:g}" if spread is not None else f"{value:g}"


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
                row[f"{measure(other)[0]}: paper"] = _printed(paper, other)
            if ours in table:
                label, by, digits = measure(ours)
                text = why.get(key, "") if mine is None else row_range(mine, ours, spec=f".{digits}f", by=by)
                row[f"{label}: ours"] = text
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


class Place(NamedTuple):
    """Where the paper has a table or figure: our table, its own, how rows are matched, what is compared, what to know."""

    title: str
    table: str
    printed: str
    on: Mapping[str, str]
    columns: Sequence[str | tuple[str, str]]
    figures: tuple[str, ...]
    note: str
    ours: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    theirs: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


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


BY_METHOD, BY_VARIANT = {"variant": "method"}, {"variant": "variant"}
RATES, LISTENED = ("wer", "hp", "rep"), ("nmos", "smos")
PLACES = (
    Place("Table 1, Fig. 1, Fig. 4: synthetic speech added to real speech", "table1", "table1_scaling", {"alpha": "alpha"},
          (*RATES, "f0_std", "sim", *LISTENED), ("figure1", "figure4"), "The paper's hours are our minutes.",
          theirs=lambda table: table.assign(alpha=table["alpha"] / 100)),
    Place("Table 2: samples of one text, by their Hp", "table2", "table2_entropy_control", {"metric": "metric"},
          ("high_hp", "low_hp", "difference"), ("table2",), "F0 in hertz there, in semitones here.", _differences),
    Place("Table 3: alignment, Thai, alpha = 80 %", "table3", "table3_alignment_thai_alpha80", BY_METHOD,
          (*RATES, "f0_std", "wer_cal", *LISTENED), ("frontier",),
          "Each of our systems stands at the steps and the temperature that the development set chose for it."),
    Place("Table 4: without real speech, Lao", "table4", "table4_tdsc_lao", BY_METHOD,
          (*RATES, "f0_std", "filtered_wer", *LISTENED), ("table4", "frontier10"),
          "Ours are unfiltered samples, scored by a judge that never selected."),
    Place("Table 5: standard speech, every system", "table5", "table5_standard_tts",
          {"language": "language", "variant": "system"}, ("wer", "hp", "f0_std", *LISTENED), ("table5",),
          "Systems that need weights or a service that are not here were not run; sebridge score-folder takes their audio."),
    Place("Table 6: cloning of unseen people", "table6", "table6_cloning", {"language": "language", "condition": "system"},
          ("wer", "sim", "floor", "ceiling", *LISTENED), ("speakers",),
          "SIM by our speaker encoder; the paper's by WavLM-Large."),
    Place("Table 7: DGSA without its parts", "table7", "table7_dgsa_ablation", BY_VARIANT,
          ("wer", "hp", "f0_std", "wer_cal", *LISTENED), (), ""),
    Place("Table 8: TDSC without its parts", "table8", "table8_tdsc_ablation", BY_VARIANT,
          ("wer", "hp", "f0_std", *LISTENED), (), ""),
    Place("Table 9: what each temperature gives", "table9", "table9_temperatures_k5", {"T": "temperature"},
          (("temperature", ""), *RATES, ("pass_rate", "pass"), "contribution"), (), "The last iteration.",
          _last_temperatures, _with_filtered),
    Place("Fig. 5: DGSA's gain over alpha", "figure5", "figure5_schedule", {"alpha": "alpha"},
          ("delta_hp", "delta_f0_std"), ("figure5",), "The paper's gain is read off its plot."),
    Place("Fig. 6: TDSC after each iteration", "figure6", "figure6_tdsc_iterations", {"k": "k"},
          ("wer", "hp", "pass_rate", "f0_std"), ("figure6",), "The paper's k = 1, 3, 4 are read off its plot.",
          lambda table: table[table["variant"] == "tdsc"]),
)  # fmt: skip


class Section(NamedTuple):
    """A table or figure of the paper; `rows` of text under `columns`, figures by name, and what to know."""

    title: str
    stage: str
    columns: list[str]
    rows: list[list[str]]
    figures: tuple[str, ...]
    note: str


def sections(tables: Mapping[str, Sequence[Mapping]]) -> list[Section]:
    """One for every table and figure of the paper; `tables`: ours by name."""
    found = []
    for place in PLACES:
        own = pd.DataFrame(tables.get(place.table) or [])
        printed = place.theirs(published(place.printed))
        own = place.ours(own) if len(own) else own
        shown = beside_paper(own, printed, place.columns, place.on, NAMES.get(place.printed))
        notes = [place.note, "" if len(own) else NOT_MADE, NO_STAND_IN if set(LISTENED) & set(printed) else ""]
        note, figures = " ".join(filter(None, notes)), place.figures if len(own) else ()
        columns, rows = list(shown), shown.to_numpy().tolist()
        found.append(Section(place.title, TABLES[place.table]["stage"], columns, rows, figures, note))
    return found
