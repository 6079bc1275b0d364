"""`sebridge report --readme`: the README's tables of results, from results/summary.json and results/claims.json.

Each stands between two comments, `<!-- NAME: made by sebridge report --readme -->` and `<!-- /NAME -->`. Left out: alt texts of
the pictures, and the prose around them.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.experiments.origin import sources_of
from sebridge_lite.measure.dgsa_effects import sentence as against_control
from sebridge_lite.measure.tdsc_effects import sentence as against_start
from sebridge_lite.paper.inconsistencies import Tables, first_row
from sebridge_lite.report.summary_text import markdown
from sebridge_lite.report.tables import TABLES

README = "README.md"
ALPHAS = (0.03, 0.25, 0.5, 0.8, 1.0)  # an excerpt of Table 1
# system: (table, what it is called)
ALIGNED = {
    "sft": ("table3", "SFT"),
    "rejection": ("table3", "best of N by the selecting judge"),
    "dpo": ("table3", "DPO, expressivity pairs alone"),
    "dgsa": ("table3", "DGSA"),
    "dgsa-sft": ("table7", "DGSA with an SFT term (ours)"),
    "sft-real": ("table3", "SFT continued on `y_real` (ours)"),
}
CRITIQUE = {
    "sft": "SFT on engines alone, the start",
    "self-training": "self-training",
    "rejection": "rejection sampling",
    "best-of-12": "best of 12 at inference (ours)",
    "no-dpo": "TDSC without DPO: the judge's choice, learnt (Table 8)",
    "grpo-wer": "WER-only GRPO (ours)",
    "tdsc": "TDSC",
}


def spread(row: Mapping, name: str, digits: int = 2, factor: float = 1, sign: str = "") -> str:
    mean, low, high = (f"{factor * row[name + end]:{sign}.{digits}f}" for end in ("", "_low", "_high"))
    return f"{mean} ({low} to {high})"


def _words_hp_f0(row: Mapping) -> list[str]:
    return [spread(row, "wer", 3), spread(row, "hp"), spread(row, "f0_std")]


HEADS = ["word error", "Hp, bits", "F0 std, semitones"]


def _gains(row: Mapping) -> tuple[str, str, str]:
    """Over SFT: F0 std, Hp, calibrated word error in points."""
    return tuple(
        spread(row, f"{name}_gain", digits, by, "+")
        for name, digits, by in (("f0_std", 2, 1), ("hp", 2, 1), ("wer_cal", 1, 100))
    )


def origin(summary: Mapping, table: str) -> str:
    """When a table was made, and on how much."""
    row, source = summary["tables"][table][0], sources_of(dict(summary))[TABLES[table][0]]
    amount = f"{row['texts']} test sentences, {row['seeds']} training seeds, 95 % intervals over both"
    return f"From the `{source['profile']}` run of {source['date']}: {amount}."


def scaling(tables: Tables, summary: Mapping, _claims) -> list[str]:
    rows = [row for alpha in ALPHAS for row in tables["table1"] if abs(row["alpha"] - alpha) < 1e-9]
    cells = [[f"{row['alpha']:.2f}", *_words_hp_f0(row), spread(row, "sim")] for row in rows]
    return [origin(summary, "table1"), "", *markdown(["alpha", *HEADS, "speaker similarity"], cells)]


def fresh(tables: Tables) -> list[str]:
    """DGSA on the texts of `sebridge confirm`, where that has run."""
    row = first_row(tables, "confirm_systems", variant="dgsa")
    if not row:
        return []
    f0, hp, wer = _gains(row)
    said = [
        f"On {row['texts']:,} fresh texts, asked once (`sebridge confirm`), DGSA over SFT: F0 std {f0} semitones, Hp {hp} bits, "
        f"calibrated word error {wer} points"
    ]
    rival = {one["measure"]: one for one in tables.get("confirm", []) if one["id"] == "D9"}
    if rival:
        f0, hp = (spread(rival[name], "effect", 2, 1, "+") for name in ("f0_std", "hp"))
        said.append(f"over SFT on y_real: {f0}, {hp}, {spread(rival['wer_cal'], 'effect', 1, 100, '+')}")
    return ["; ".join(said) + "."]


def aligned(tables: Tables, summary: Mapping, _claims) -> list[str]:
    found = [(label, first_row(tables, table, variant=name)) for name, (table, label) in ALIGNED.items()]
    lines = markdown(["system", *HEADS], [[label, *_words_hp_f0(row)] for label, row in found if row])
    dgsa, best, control = (first_row(tables, "table3", variant="dgsa"), first_row(tables, "table3", variant="rejection"),
                           first_row(tables, "finding"))  # fmt: skip
    said = []
    if dgsa:
        f0, hp, wer = _gains(dgsa)
        said.append(f"DGSA over SFT: F0 std {f0} semitones, Hp {hp} bits, calibrated word error {wer} points.")
    if best:
        f0, _, wer = _gains(best)
        said.append(f"Choosing among N samples: F0 std {f0} semitones, calibrated word error {wer} points.")
    if control:
        said.append(f"{against_control(control)}.")
    again = [line for text in fresh(tables) for line in ("", text)]
    return [origin(summary, "table3"), "", *lines, "", " ".join(said), *again]


def critique(tables: Tables, summary: Mapping, _claims) -> list[str]:
    """Nothing while there is no TDSC in the evidence."""
    if not tables.get("table4"):
        return []
    found = [(label, first_row(tables, "table4", variant=name)) for name, label in CRITIQUE.items()]
    lines = markdown(["system", *HEADS], [[label, *_words_hp_f0(row)] for label, row in found if row])
    said = [f"{against_start(pd.DataFrame(tables['table4']))}."]
    if again := [row for row in tables.get("confirm_systems", []) if row["language"] == "lo"]:
        said.append(f"On fresh texts, asked once: {against_start(pd.DataFrame(again))}.")
    return [origin(summary, "table4"), "", *lines, *(line for text in said for line in ("", text))]


def verdicts(_tables: Tables, _summary: Mapping, claims: Sequence[Mapping]) -> list[str]:
    tally: dict[str, int] = {}
    for row in claims:
        tally[row["verdict"]] = tally.get(row["verdict"], 0) + 1
    said = ", ".join(f"{count} {verdict}" for verdict, count in tally.items())
    rows = [[row["id"], row["claim"], row["verdict"]] for row in claims]
    return [f"Of {len(claims)} claims {said}:", "", *markdown(["", "claim of the paper", "verdict here"], rows)]


BLOCKS: dict[str, Callable] = {"scaling": scaling, "aligned": aligned, "critique": critique, "verdicts": verdicts}


def rewritten(text: str, summary: Mapping, claims: Sequence[Mapping]) -> str:
    """The README with every block made again."""
    for name, make in BLOCKS.items():
        block = re.compile(rf"(<!-- {name}: made by [^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(block.findall(text)) != 1:
            raise UserError(
                f"{README}: not one pair of <!-- {name}: made by ... --> and <!-- /{name} -->; restore them"
            )
        lines = make(summary["tables"], summary, claims)
        body = "\n" + "\n".join(lines) + "\n\n" if lines else ""
        text = block.sub(lambda found, body=body: found[1] + body + found[2], text)
    return text
