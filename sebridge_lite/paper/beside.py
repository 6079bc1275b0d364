"""Every table and figure of the paper, its printed numbers beside ours, as text to be shown.

Rows are the paper's in its order, then ours that it has not. Listening scores (NMOS, SMOS, expressivity) have no stand-in, and
are shown as printed. Left out: which of two numbers is better.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sebridge_lite.paper.dgsa_figures import TABLE3, TABLE7
from sebridge_lite.paper.published import everything, published
from sebridge_lite.paper.systems_figures import LANGUAGES, PRINTED
from sebridge_lite.paper.tdsc_figures import TABLE4, TABLE8

Rows = Sequence[Mapping]
# measure: (label, factor from ours to what is shown, digits)
MEASURES = {
    "wer": ("word error, %", 100, 1),
    "wer_cal": ("calibrated word error, %", 100, 1),
    "filtered_wer": ("word error of its filtered part, %", 100, 1),
    "hp": ("Hp, bits", 1, 2),
    "rep": ("repetition, %", 100, 2),
    "f0_std": ("F0 std, semitones", 1, 2),
    "sim": ("SIM", 1, 2),
    "floor": ("SIM, floor", 1, 2),
    "ceiling": ("SIM, ceiling", 1, 2),
    "delta_hp": ("change of Hp, bits", 1, 3),
    "delta_f0_std": ("change of F0 std, semitones", 1, 2),
    "pass_rate": ("pass rate, %", 100, 0),
    "contribution": ("share of G, %", 100, 0),
}
LISTENING = {"nmos": "NMOS", "smos": "SMOS"}
NO_STAND_IN = "Listening scores have no stand-in here: nobody has rated anything."


class Section(NamedTuple):
    """A table or figure of the paper; `rows` of text under `columns`, figures by name, and what to know."""

    title: str
    stage: str
    columns: list[str]
    rows: list[list[str]]
    figures: tuple[str, ...]
    note: str


def value(row: Mapping | None, name: str) -> str:
    """A measure of ours with its interval where it has one; '' where it is not known."""
    if row is None or row.get(name) is None:
        return ""
    _, factor, digits = MEASURES[name]
    mean, low, high = (row.get(name + end) for end in ("", "_low", "_high"))
    text = f"{factor * mean:.{digits}f}"
    return text if low is None or high is None else f"{text} ({factor * low:.{digits}f} to {factor * high:.{digits}f})"


def _printed(row: Mapping | None, name: str) -> str:
    found = None if row is None else row.get(name)
    if found is None or found != found:
        return ""
    spread = row.get(f"{name}_ci")
    return f"{found:g} ± {spread:g}" if spread is not None else f"{found:g}"


def lined_up(
    pairs: Sequence[tuple[str, Mapping | None, Mapping | None]],
    measures: Sequence[str],
    ours_alone: Sequence[str] = (),
    first: str = "",
) -> tuple[list[str], list[list[str]]]:
    """Columns and rows from (name, the paper's row, our row): each measure printed and ours, then listening scores as printed."""
    scores = [name for name in LISTENING if any(theirs and name in theirs for _, theirs, _ in pairs)]
    columns = [first]
    for name in measures:
        columns += [f"{MEASURES[name][0]}: paper", "ours"]
    columns += [f"{MEASURES[name][0]}: ours" for name in ours_alone] + [f"{LISTENING[name]}: paper" for name in scores]
    rows = []
    for label, theirs, ours in pairs:
        row = [label]
        for name in measures:
            row += [_printed(theirs, name), value(ours, name)]
        row += [value(ours, name) for name in ours_alone] + [_printed(theirs, name) for name in scores]
        rows.append(row)
    return columns, rows


def _paired(
    ours: Rows, printed: str, key: str, names: Mapping[str, str]
) -> list[tuple[str, Mapping | None, Mapping | None]]:
    """By the paper's names; names: ours to the paper's."""
    theirs = {row[key]: row for row in published(printed).to_dict("records")}
    by_name = {row["variant"]: row for row in ours}
    back = {paper: own for own, paper in names.items()}
    pairs = [
        (f"{paper} ({back[paper]})" if paper in back else paper, row, by_name.get(back.get(paper, "")))
        for paper, row in theirs.items()
    ]
    return pairs + [(f"{name} (ours)", None, row) for name, row in by_name.items() if names.get(name) not in theirs]


def table1(ours: Rows) -> tuple[list[str], list[list[str]]]:
    theirs = {row["alpha"]: row for row in published("table1_scaling").to_dict("records")}
    own = {round(100 * row["alpha"]): row for row in ours}
    pairs = [(f"{alpha} %", theirs.get(alpha), own.get(alpha)) for alpha in sorted(set(theirs) | set(own))]
    return lined_up(pairs, ("wer", "hp", "rep"), ("f0_std", "sim"), "alpha")


def table2(ours: Rows) -> tuple[list[str], list[list[str]]]:
    """The units of F0 differ: hertz in the paper, semitones here."""
    pairs = {"wer": "wer", "f0_std_hz": "f0_std_st", "f0_range_hz": "f0_range_st", "f0_corr": "f0_corr",
             "f0_rmse_hz": "f0_rmse_st", "energy_std_db": "energy_std_db", "expressivity_mos": ""}  # fmt: skip
    own, rows = {row["metric"]: row for row in ours}, []
    for row in published("table2_entropy_control").to_dict("records"):
        found = own.get(pairs[row["metric"]])
        by, digits = (100, 1) if row["metric"] == "wer" else (1, 2)
        cells = ["", "", ""]
        if found:
            cells = [f"{by * found[name]:.{digits}f}" for name in ("high_hp", "low_hp")]
            low, mean, high = (f"{by * found[name]:+.{digits}f}" for name in ("low", "difference", "high"))
            cells.append(f"{mean} ({low} to {high})")
        rows.append(
            [
                row["metric"],
                f"{row['high_hp']:g}",
                f"{row['low_hp']:g}",
                found["metric"] if found else "no stand-in",
                *cells,
            ]
        )
    columns = [
        "measure: paper",
        "high Hp: paper",
        "low Hp: paper",
        "measure: ours",
        "high Hp: ours",
        "low Hp: ours",
        "difference: ours",
    ]
    return columns, rows


def of_variants(
    printed: str, key: str, names: Mapping[str, str], ours_alone: Sequence[str], measures=("wer", "hp", "rep")
) -> Callable:
    return lambda ours: lined_up(_paired(ours, printed, key, names), measures, ours_alone, "system")


def table9(ours: Rows) -> tuple[list[str], list[list[str]]]:
    """The last iteration of TDSC: its cold, plain and hot temperatures beside the paper's three."""
    own = [row for row in ours if row["variant"] == "tdsc"]
    own = sorted((row for row in own if row["k"] == max(r["k"] for r in own)), key=lambda row: row["temperature"])
    theirs = [row | {"pass_rate": row["pass"]} for row in published("table9_temperatures_k5").to_dict("records")]
    own += [None] * (len(theirs) - len(own))
    pairs = [(f"T = {row['temperature']:g}" + (f" (ours: {mine['temperature']:g})" if mine else ""), row, mine)
             for row, mine in zip(theirs, own, strict=False)]  # fmt: skip
    filtered = everything()["table9_temperatures_k5"]["filtered"]
    return lined_up(
        [*pairs, ("filtered set", filtered, None)], ("wer", "hp", "rep", "pass_rate", "contribution"), (), "temperature"
    )


def figure5(ours: Rows) -> tuple[list[str], list[list[str]]]:
    theirs = {round(row["alpha"], 2): row for row in published("figure5_schedule").to_dict("records")}
    own = {round(row["alpha"], 2): row for row in ours}
    pairs = [(f"{alpha:.2f}", theirs.get(alpha), own.get(alpha)) for alpha in sorted(set(theirs) | set(own))]
    return lined_up(pairs, ("delta_hp",), ("delta_f0_std",), "alpha")


def figure6(ours: Rows) -> tuple[list[str], list[list[str]]]:
    theirs = {row["k"]: row for row in published("figure6_tdsc_iterations").to_dict("records")}
    own = {row["k"]: row for row in ours if row["variant"] == "tdsc"}
    pairs = [(f"{k:.0f}", theirs.get(k), own.get(k)) for k in sorted(set(theirs) | set(own))]
    return lined_up(pairs, ("wer", "hp", "pass_rate"), ("f0_std",), "iteration")


def table5(ours: Rows) -> tuple[list[str], list[list[str]]]:
    own, pairs = {(row["language"], PRINTED.get(row["variant"], row["variant"])): row for row in ours}, []
    printed = {(row["language"], row["system"]): row for row in published("table5_standard_tts").to_dict("records")}
    for key in [*(key for key in own if key not in printed), *printed]:
        missing = "" if key in own else " (not run here)"
        pairs.append((f"{LANGUAGES[key[0]]}: {key[1]}{missing}", printed.get(key), own.get(key)))
    return lined_up(pairs, ("wer",), ("hp", "f0_std"), "system")


def table6(ours: Rows) -> tuple[list[str], list[list[str]]]:
    """Our rows of the paper's two systems are those with the style prefix and three seconds of the speaker."""
    names = {("th", "DGSA"): "dgsa-on-3s-th", ("lo", "TDSC"): "tdsc-on-3s-lo"}
    own, pairs = {row["condition"]: row for row in ours}, []
    for row in published("table6_cloning").to_dict("records"):
        condition = names.get((row["language"], row["system"]))
        pairs.append(
            (f"{LANGUAGES[row['language']]}: {row['system']} ({condition or 'not run here'})", row, own.get(condition))
        )
    pairs += [(f"{name} (ours)", None, row) for name, row in own.items() if name not in names.values()]
    return lined_up(pairs, ("wer", "sim"), ("floor", "ceiling"), "system")


ALIGNED, WORDS_AND_HP = ("f0_std", "wer_cal"), ("wer", "hp")
# the paper's place: (title, our table, rows, figures, note)
PLACES = (
    ("Table 1, Fig. 1, Fig. 4: synthetic speech added to real speech", "table1", table1, ("figure1", "figure4"),
     "The paper's hours are our minutes. Calibrated error, tone error and conditional entropy are in the full table below."),
    ("Table 2: samples of one text, by their Hp", "table2", table2, ("table2",), "F0 in hertz there, in semitones here."),
    ("Table 3: alignment, Thai, alpha = 80 %", "table3", of_variants("table3_alignment_thai_alpha80", "method", TABLE3, ALIGNED),
     ("frontier",), "Each of our systems stands at the steps and the temperature that the development set chose for it."),
    ("Table 4: without real speech, Lao", "table4", of_variants("table4_tdsc_lao", "method", TABLE4, ("f0_std", "filtered_wer")),
     ("table4", "frontier10"), "Ours are unfiltered samples, scored by a judge that never selected."),
    ("Table 5: standard speech, every system", "table5", table5, ("table5",),
     "Systems that need weights or a service that are not here were not run; sebridge score takes their audio."),
    ("Table 6: cloning of unseen people", "table6", table6, ("speakers",),
     "SIM by our speaker encoder; the paper's by WavLM-Large."),
    ("Table 7: DGSA without its parts", "table7",
     of_variants("table7_dgsa_ablation", "variant", TABLE7, ALIGNED, WORDS_AND_HP), (), ""),
    ("Table 8: TDSC without its parts", "table8",
     of_variants("table8_tdsc_ablation", "variant", TABLE8, ("f0_std",), WORDS_AND_HP), (), ""),
    ("Table 9: what each temperature gives", "table9", table9, (), "The last iteration."),
    ("Fig. 5: DGSA's gain over alpha", "figure5", figure5, ("figure5",), "The paper's gain is read off its plot."),
    ("Fig. 6: TDSC after each iteration", "figure6", figure6, ("figure6",), "The paper's k = 1, 3, 4 are read off its plot."),
)  # fmt: skip


def sections(tables: Mapping[str, Rows], stage_of: Mapping[str, tuple[str, str]]) -> list[Section]:
    """Of every table and figure; stage_of: `tables.TABLES`."""
    found = []
    for title, name, make, figures, note in PLACES:
        columns, rows = make(tables.get(name) or [])
        own = bool(tables.get(name))
        notes = [note, "" if own else "This run has not made it: only the paper's numbers are shown."]
        notes += [NO_STAND_IN] if any(label in column for column in columns for label in LISTENING.values()) else []
        found.append(
            Section(title, stage_of[name][0], columns, rows, figures if own else (), " ".join(filter(None, notes)))
        )
    return found
