"""Where the paper disagrees with itself, in our words (inconsistencies.json), and what that comes to in the tables of a run.

A consequence is computed from the run's tables or from the paper's printed numbers, never typed; where a table is missing, or
nothing here can measure the point, it is None. Left out: whether the authors would agree.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sebridge_lite.measure.dgsa_effects import sentence
from sebridge_lite.paper.published import published

Tables = Mapping[str, Sequence[Mapping]]
EARLY = 0.67  # the rows of Table 1 over which listeners' scores are predicted (method: up to where repetition surges)


class Point(NamedTuple):
    """What disagrees, where the paper has it, and the consequence in a run's tables."""

    number: int
    says: str
    where: str
    consequence: str | None


def _frame(tables: Tables, name: str) -> pd.DataFrame | None:
    rows = tables.get(name)
    return pd.DataFrame(rows) if rows else None


def first_row(tables: Tables, name: str, **wanted) -> Mapping | None:
    """Of a table, the first row with these values."""
    return next(
        (row for row in tables.get(name, ()) if all(row.get(key) == value for key, value in wanted.items())), None
    )


def _between(row: Mapping, name: str, factor: float = 1, digits: int = 2) -> str:
    value, low, high = (f"{factor * row[name + end]:+.{digits}f}" for end in ("", "_low", "_high"))
    return f"{value} ({low} to {high})"


def _peaks(tables: Tables) -> str | None:
    table = _frame(tables, "phase")
    if table is None:
        return None
    inside = table[table["peak"] == "inside"]
    where = (
        f", between alpha {inside['alpha_star'].min():.2f} and {inside['alpha_star'].max():.2f}" if len(inside) else ""
    )
    return (
        f"The exact condition finds an interior peak in {len(inside)} of {len(table)} pairs of corpora{where}; "
        f"it is {table['height'].min():.3f} to {table['height'].max():.3f} bit high."
    )


def _below_star(tables: Tables) -> str | None:
    row = next((row for row in tables.get("figure5", ()) if row["lambda_e"] == 0), None)
    if row is None:
        return None
    return (
        f"At alpha = {row['alpha']:.2f}, where lambda_e is 0, training on T_stab alone changes F0 std by "
        f"{_between(row, 'delta_f0_std')} semitones and Hp by {_between(row, 'delta_hp')} bits: it is not SFT."
    )


def _schedules(tables: Tables) -> str | None:
    table = _frame(tables, "table9")
    if table is None:
        return None
    found = []
    for schedule, own in table.groupby("schedule", sort=False):
        hot = own[own["temperature"] == own.groupby("k")["temperature"].transform("max")]
        first = hot[hot["k"] == hot["k"].min()].iloc[0]
        last = hot[hot["k"] == hot["k"].max()].iloc[0]
        found.append(
            f"{schedule}: T = {first['temperature']:g} at k = {first['k']:.0f} ({first['pass_rate']:.0%} pass), "
            f"T = {last['temperature']:g} at k = {last['k']:.0f} ({last['pass_rate']:.0%})"
        )
    return "The hottest takes by schedule: " + "; ".join(found) + "."


def _labels(tables: Tables) -> str | None:
    table = _frame(tables, "premise")
    if table is None:
        return None
    own = table[table["modes"] == "expr - stab"].groupby("measure")["difference"].mean()
    return (
        f"As the caption and Eq. 6-7 have it: the styled y_expr less y_stab is {own['hp']:+.2f} bits in Hp, "
        f"{own['f0_std']:+.2f} semitones in F0 std and {100 * own['wer']:+.0f} points in word error."
    )


def _zigzag(tables: Tables) -> str | None:
    table = _frame(tables, "table1")
    if table is None or (table["alpha"] <= 0.5).sum() < 2:
        return None
    early, theirs = table[table["alpha"] <= 0.5], published("table1_scaling")
    half = ((early["hp_high"] - early["hp_low"]) / 2).mean()
    printed = theirs.loc[theirs["alpha"] <= 50, "hp"].diff().abs().max()
    return (
        f"The paper's largest step below 50 % is {printed:.3f} bit. Ours is {early['hp'].diff().abs().max():.3f} bit, with "
        f"intervals of +-{half:.3f} bit for each value ({early['texts'].iloc[0]} texts, {early['seeds'].iloc[0]} seed(s))."
    )


def _heat(tables: Tables) -> str | None:
    table = _frame(tables, "frontier")
    if table is None:
        return None
    line = table[(table["variant"] == "sft") & (table["line"] == "temperature")].sort_values("at")
    if len(line) < 2:
        return None
    cold, hot = line.iloc[0], line.iloc[-1]
    return (
        f"The same SFT policy, T = {cold['at']:g} to {hot['at']:g}: Hp {cold['hp']:.2f} to {hot['hp']:.2f} bits while "
        f"calibrated word error goes from {100 * cold['wer_cal']:.0f} to {100 * hot['wer_cal']:.0f} %."
    )


def _one_run(tables: Tables) -> str | None:
    table = _frame(tables, "table1")
    if table is None:
        return None
    wer, hp = (((table[f"{name}_high"] - table[f"{name}_low"]) / 2).mean() for name in ("wer", "hp"))
    return (
        f"With {table['seeds'].iloc[0]} training seed(s) and {table['texts'].iloc[0]} texts our intervals are +-{100 * wer:.1f} "
        f"points of word error and +-{hp:.3f} bit of Hp, on average over Table 1."
    )


def _amount(tables: Tables) -> str | None:
    added, same = _frame(tables, "table1"), _frame(tables, "substitution")
    if added is None or same is None:
        return None
    both = sorted(set(added["alpha"]) & set(same["alpha"]))
    if len(both) < 2:
        return None
    first, last = both[0], both[-1]
    said = []
    for what, table in (("engines added", added), ("the same seconds", same)):
        ends = table.set_index("alpha").loc[[first, last]]
        wer, f0 = (ends[name].iloc[1] - ends[name].iloc[0] for name in ("wer", "f0_std"))
        said.append(f"{what}: word error {100 * wer:+.0f} points, F0 std {f0:+.2f} semitones")
    text = f"From alpha = {first:.2f} to {last:.2f}, " + "; ".join(said) + "."
    kept = first_row(tables, "simple_answers", arm="kept-1.00")
    pure = first_row(tables, "table1", alpha=1.0)
    if kept and pure:
        with_it, without = 100 * kept["wer"], 100 * pure["wer"]
        text += f" All engines: word error {with_it:.0f} % with the real speech kept, {without:.0f} % without it."
    return text


def _predictors(tables: Tables) -> str | None:
    theirs = published("table1_scaling")
    early = theirs[theirs["alpha"] <= 100 * EARLY]
    text = "Printed, with NMOS: " + ", ".join(
        f"{name} {early[name].corr(early['nmos']):+.2f}" for name in ("hp", "wer", "rep")
    )
    table = _frame(tables, "table1")
    own = None if table is None else table[table["alpha"] <= EARLY]
    if own is not None and len(own) > 2:
        text += ". Ours, with F0 std: " + ", ".join(
            f"{name} {own[name].corr(own['f0_std']):+.2f}" for name in ("hp", "wer", "rep")
        )
    return text + "."


def _length(tables: Tables) -> str | None:
    free, equal = (_frame(tables, name) for name in ("table2", "table2_length"))
    if free is None or equal is None:
        return None
    longer, still = (table.set_index("metric")["difference"]["tokens"] for table in (free, equal))
    f0 = equal.set_index("metric").loc["f0_std_st"]
    return (
        f"Split by Hp alone, samples of high Hp differ by {longer:+.1f} tokens in length; at equal length ({still:+.1f}) their "
        f"F0 std still differs by {f0['difference']:+.2f} semitones ({f0['low']:+.2f} to {f0['high']:+.2f})."
    )


def _filtered(tables: Tables) -> str | None:
    row = first_row(tables, "table4", variant="tdsc")
    if row is None or row.get("filtered_wer") is None:
        return None
    return (
        f"TDSC's word error here: {100 * row['wer']:.1f} % on unfiltered test samples, {100 * row['filtered_wer']:.1f} % on the "
        "part of them that its filter accepts."
    )


def _too_long(tables: Tables) -> str | None:
    table = _frame(tables, "passes")
    if table is None:
        return None
    short, long = table["rejected_short"].mean(), table["rejected_long"].mean()
    return f"With |x| as the speech tokens expected of the text, {short:.1%} of candidates are too short and {long:.1%} too long."


def _floor(tables: Tables) -> str | None:
    table = _frame(tables, "table1")
    if table is None:
        return None
    row = table.iloc[0]
    floor = (row["wer"] - row["wer_cal"]) / (1 - row["wer_cal"])
    return (
        f"Ours: the judge that scores never selected. It reads recordings of people with {100 * floor:.1f} % word error, which "
        "calibrated figures are freed of."
    )


def _timbre(tables: Tables) -> str | None:
    table = _frame(tables, "table1")
    if table is None or len(table) < 2:
        return None
    first, last = table.iloc[0], table.iloc[-1]
    return (
        f"Ours, one decoder with the true timbre throughout: similarity {first['sim']:.2f} at alpha = {first['alpha']:.2f}, "
        f"{last['sim']:.2f} at {last['alpha']:.2f}. Where it falls, tokens carry something of the speaker."
    )


def _spread(tables: Tables) -> str | None:
    theirs = published("table1_scaling")
    spread = theirs["nmos_ci"] * np.sqrt(200) / 1.96
    return (
        f"Table 1's intervals, at 200 ratings a condition, need standard deviations of {spread.min():.2f} to {spread.max():.2f} "
        "points."
    )


def _twins(tables: Tables) -> str | None:
    one, other = first_row(tables, "table3", variant="dpo"), first_row(tables, "table7", variant="no-stab")
    if one is None or other is None:
        return None
    theirs3, theirs7 = (
        published(name).set_index(key)["wer"]
        for name, key in (("table3_alignment_thai_alpha80", "method"), ("table7_dgsa_ablation", "variant"))
    )
    return (
        f"The paper prints {theirs3['Standard DPO']:g} and {theirs7['w/o Stability Obj.']:g} % for them. Ours, run apart: "
        f"{100 * one['wer']:.1f} and {100 * other['wer']:.1f} %."
    )


def _control(tables: Tables) -> str | None:
    row = first_row(tables, "finding")
    return f"{sentence(row)}." if row else None


# the others have nothing to be measured by here: drawings, listening scores, what was trained on
CONSEQUENCES: dict[int, Callable[[Tables], str | None]] = {
    1: _peaks,
    2: _below_star,
    3: _schedules,
    4: _labels,
    8: _zigzag,
    9: _heat,
    10: _one_run,
    11: _amount,
    12: _predictors,
    13: _length,
    14: _filtered,
    15: _too_long,
    16: _floor,
    17: _timbre,
    18: _spread,
    19: _twins,
    20: _control,
}


def points(tables: Tables) -> list[Point]:
    """All of them, in the order of the digest, with what the tables say."""
    found = json.loads(Path(__file__).with_name("inconsistencies.json").read_text(encoding="utf-8"))
    return [
        Point(number, item["point"], item["where"], CONSEQUENCES[number](tables) if number in CONSEQUENCES else None)
        for number, item in enumerate(found, 1)
    ]
