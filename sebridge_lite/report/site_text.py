"""What the listening page says in words and tables, all of it read from a run's own tables; where one is empty, it says that.

Left out: any word on what a figure means, for that is what the claims and their rule are for.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

import pandas as pd

from sebridge_lite.measure import dgsa_effects, tdsc_effects
from sebridge_lite.paper.dgsa_figures import TABLE3
from sebridge_lite.paper.published import published
from sebridge_lite.paper.systems_figures import LANGUAGES
from sebridge_lite.report.markup import table, tag

Rows = Sequence[Mapping]
NOTHING = "This run has no figures for it."
COMMITTED = "Verdicts of the committed runs: the run whose sounds and figures these are is too small."
SMOKE = "Profile smoke trains for seconds, to show every step. Nothing on this page is evidence."
NOBODY = (
    "The voices are a stand-in: a synthesiser that speaks real Thai and Lao words, lively as “studio people” and flat as "
    "“engines”. Nobody on this page is a person."
)
OWN = "In this run people are recordings from data/real. Show this page to others only if whoever speaks in them agreed to that."
# Of Table 5, where `sft` is the policy that alignment starts from, at the temperature that dev chose.
NAMES = {"sft": "SFT, temperature chosen", "dgsa": "DGSA", "start": "k0, the start of TDSC", "tdsc": "TDSC"}
VERDICTS = {"reproduced": "✓", "not reproduced": "○", "contradicted": "✕", "not tested": "–"}  # not by colour alone


def paragraph(text: str, class_: str = "says") -> Element:
    return tag("p", text, class_=class_)


def value(row: Mapping, name: str, by: float = 1, digits: int = 2, unit: str = "") -> str:
    """With its interval."""
    found = [row.get(name + end) for end in ("", "_low", "_high")]
    if found[0] is None:
        return "unknown"
    if None in found:
        return f"{by * found[0]:.{digits}f}{unit}"
    middle, low, high = (f"{by * x:.{digits}f}" for x in found)
    return f"{middle}{unit} ({low} to {high})"


def wer(row: Mapping) -> str:
    return value(row, "wer", 100, 1, " %")


def spread(row: Mapping) -> str:
    return value(row, "f0_std", unit=" semitones")


def counted(row: Mapping) -> str:
    """Behind every figure."""
    return f"{row['texts']} sentences, {row['seeds']} training seed{'s' if row['seeds'] > 1 else ''}, 95 % intervals"


def of_paper(name: str, key: str) -> dict:
    """What a table of the paper prints for each row that it names by `key`."""
    return {row[key]: f"{row['wer']:g} %, {row['hp']:.2f} bits" for row in published(name).to_dict("records")}


def erosion(rows: Rows) -> list[Element]:
    """Table 1 from end to end, ours and the paper's."""
    rows = sorted((row for row in rows if row.get("wer") is not None), key=lambda row: row["alpha"])
    if len(rows) < 2:
        return [paragraph(NOTHING)]
    first, last, theirs = rows[0], rows[-1], published("table1_scaling")
    peak = max(rows, key=lambda row: -math.inf if row.get("hp") is None else row["hp"])
    printed = theirs.loc[theirs["hp"].idxmax()]
    ours = (
        f"From alpha {first['alpha']:.2f} to {last['alpha']:.2f} word error goes from {wer(first)} to {wer(last)}, and the "
        f"spread of F0 within a sentence from {spread(first)} to {spread(last)}. Hp, the paper's measure of expressivity, is "
        f"highest at alpha {peak['alpha']:.2f}: {value(peak, 'hp')} bits. {counted(first)}."
    )
    paper = (
        f"The paper prints a word error of {theirs['wer'].iloc[0]:g} % at alpha {theirs['alpha'].iloc[0] / 100:.2f} and "
        f"{theirs['wer'].iloc[-1]:g} % at {theirs['alpha'].iloc[-1] / 100:.2f}, and the highest Hp, {printed['hp']:.2f} bits, at "
        f"{printed['alpha'] / 100:.2f}."
    )
    return [paragraph(ours), paragraph(paper)]


def measured(named: Sequence[tuple[str, Mapping]], what: str, printed: Mapping[str, str]) -> Element:
    """A row a system, with intervals, beside what the paper prints, which is on a scale of its own."""
    cells = [[name, wer(row), spread(row), value(row, "hp"), printed.get(name, "")] for name, row in named]
    columns = ["", "word error", "spread of F0", "Hp, bits", "the paper prints"]
    return table(columns, cells, f"{what}: {counted(named[0][1])}")


def aligned(rows: Rows, finding: Rows, labels: Mapping[str, str]) -> list[Element]:
    """The finding of notebook 09, and Table 3, the systems that the page plays."""
    by_name, theirs = {row["variant"]: row for row in rows}, of_paper("table3_alignment_thai_alpha80", "method")
    named = [(label, by_name[name]) for name, label in labels.items() if name in by_name]
    printed = {label: theirs[TABLE3[name]] for name, label in labels.items() if name in TABLE3}
    says = [paragraph(f"{dgsa_effects.sentence(row)}.") for row in finding if row.get("hp") is not None]
    return [*says, measured(named, "Aligned systems", printed)] if named else [paragraph(NOTHING)]


def tdsc(rows: Rows, loop: Rows) -> list[Element]:
    """The finding of notebook 10, and Fig. 6."""
    own = sorted((row for row in loop if row["variant"] == "tdsc"), key=lambda row: row["k"])
    found = []
    if any(row["variant"] == "tdsc" and row.get("relative") is not None for row in rows):
        found.append(paragraph(f"{tdsc_effects.sentence(pd.DataFrame(rows))}."))
    if own:
        printed = {f"k{k}": words for k, words in of_paper("figure6_tdsc_iterations", "k").items()}
        found.append(measured([(f"k{row['k']}", row) for row in own], "After each iteration", printed))
    return found or [paragraph(NOTHING)]


def cloning(rows: Rows, seconds: float) -> Element:
    """Table 6, the conditions that the page plays: style on, the aligned policies, references of so many seconds."""
    shown = [row for row in rows if row["style"] and row["policy"] in ("dgsa", "tdsc") and row["seconds"] == seconds]
    if not shown:
        return paragraph(NOTHING)
    cells = []
    for row in shown:
        said, heard = (LANGUAGES.get(row[name], row[name]) for name in ("language", "voice"))
        sims = (value(row, name) for name in ("sim", "sim_held", "floor", "ceiling"))
        cells.append([f"{said} from a {heard} reference", wer(row), *sims])
    columns = ["", "word error", "similarity to the reference", "to an unseen recording", "floor: other people",
               "ceiling: the same person, recorded"]  # fmt: skip
    return table(columns, cells, f"Clones: {shown[0]['speakers']} people, {counted(shown[0])} over people")


def tally(claims: Rows) -> str:
    """How many claims have which verdict."""
    counts = Counter(row["verdict"] for row in claims)
    return f"Of {len(claims)} claims: " + ", ".join(f"{counts[name]} {name}" for name in VERDICTS) + "."


def ledger(claims: Rows) -> Element:
    rows = []
    for row in claims:
        ours = (
            "" if row["ours"] is None else f"{row['ours']:.3g} ({row['interval'][0]:.3g} to {row['interval'][1]:.3g})"
        )
        size = f"{row['n']} × {row['seeds']}" if row["n"] else ""
        verdict = tag("span", tag("span", VERDICTS.get(row["verdict"], "?"), aria_hidden="true"), f" {row['verdict']}",
                      class_="verdict " + row["verdict"].replace(" ", "-"))  # fmt: skip
        rows.append([row["id"], row["claim"], row["paper"], ours, size, verdict])
    columns = ["", "claim", "the paper prints", "our effect (95 % interval)", "sentences × seeds", "verdict"]
    return table(columns, rows, "Every claim with its verdict")


def systems(rows: Rows) -> Element:
    """Table 5, ours beside the paper's; what did not run in a quieter voice."""
    columns = ["system", "language", "word error of ours, %", "of the paper, %"]
    cells = []
    for row in rows:
        ours = str(row["word error, ours"]).replace("`", "")
        quiet = "absent" if ours.startswith("not run") else None
        name = NAMES.get(row["system"], row["system"].replace("sft-", "SFT, alpha "))
        cells.append(
            [
                tag("span", name, class_=quiet),
                LANGUAGES.get(row["language"], row["language"]),
                tag("span", ours, class_=quiet),
                f"{row['paper'] or ''}",
            ]
        )
    return table(columns, cells, "Table 5: every system that runs here, and the paper's")
