"""`sebridge verdicts`: every claim with its verdict and the tables behind it, in three small files.

    results/verdicts/     claims.json, summary.json, summary.md of this run
    results/              with `--publish`, kept in git: the same three of a full run, and its main figures: the evidence;
                          of a lite run lite.md, what a reader's own run is to be compared with

Left out: the report with every figure.
"""

import datetime
import json
import math
import os
import platform
from pathlib import Path

import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.stages.accounts import memory_of_stages, seconds_of_stages
from sebridge_lite.stages.doctor import memory_gib
from sebridge_lite.stages.notebook import commit

# table: (stage, what it is)
TABLES = {
    "table1": ("scaling", "Table 1: synthetic speech added to a fixed amount of real speech"),
    "substitution": ("scaling", "Ours: the same seconds for every alpha"),
    "simple_answers": ("scaling", "Ours: simple answers at alpha = 0.80"),
    "table2": ("erosion", "Table 2: samples of one text with equal word error, by their Hp"),
    "table2_length": ("erosion", "Ours: the same with equal length"),
    "phase": ("erosion", "Ours: where the entropy of two corpora peaks"),
    "worlds": ("erosion", "Ours: policies of worlds with other engines or other texts (word error of tokens)"),
    "worlds_peak": ("erosion", "Ours: whether Hp peaks there, and where the corpora say it should"),
    "finding": ("dgsa", "Ours: DGSA against SFT continued on y_real"),
    "table3": ("dgsa", "Table 3: alignment at alpha = 0.80"),
    "table7": ("dgsa", "Table 7: DGSA without its parts, and in other forms"),
    "figure5": ("dgsa", "Fig. 5: what DGSA changes at each alpha"),
    "frontier": ("dgsa", "Ours: word error against expressivity"),
    "premise": ("dgsa", "Ours: what y_real, y_expr and y_stab are"),
    "table4": ("tdsc", "Table 4: without real speech, on unfiltered samples"),
    "table8": ("tdsc", "Table 8: TDSC without its parts"),
    "table9": ("tdsc", "Table 9: what each temperature gives, by iteration and schedule"),
    "figure6": ("tdsc", "Fig. 6: TDSC after each iteration"),
    "frontier10": ("tdsc", "Ours: word error against expressivity over temperatures, without real speech"),
    "table5": ("systems", "Table 5: every system that runs here, and recordings"),
    "table6": ("systems", "Table 6: people never seen, cloned"),
    "marks": ("systems", "Ours: the mark of generated speech, in short cuts, after what happens to files"),
    "mark_cost": ("systems", "Ours: what the mark costs in words"),
    "detector": ("systems", "Ours: clones told from recordings without the mark, of people not heard before"),
    "passes": ("tdsc", "Ours: what passes, and why the rest does not"),
}
FIGURES = {
    "figure1": "scaling",
    "figure4": "scaling",
    "predicted_peak": "erosion",
    "phase": "erosion",
    "worlds": "erosion",
    "table2": "erosion",
    "frontier": "dgsa",
    "figure6": "tdsc",
    "table4": "tdsc",
    "frontier10": "tdsc",
    "table5": "systems",
    "speakers": "systems",
}
SHOWN = (
    "world", "domain", "alpha", "arm", "variant", "line", "at", "modes", "measure", "temperature", "metric", "range",
    "engines", "dgsa", "wer", "wer_cal", "wer_tokens", "hp", "h_cond", "rep", "f0_std", "sim", "hp_gain", "f0_std_gain",
    "wer_cal_gain", "high_hp", "low_hp", "difference", "h_real", "h_syn", "alpha_star", "height", "peak", "observed",
    "predicted", "predicted_height", "lambda_e", "delta_hp", "paper", "k", "schedule", "filtered_wer", "relative",
    "pass_rate", "test_pass_rate", "contribution", "candidates_apart", "words_dropped", "rejected_wer",
    "rejected_repetition", "rejected_short", "rejected_long", "language", "condition", "sim_held", "ceiling",
    "floor", "above_floor", "to_ceiling", "f0_mean_gap", "attack", "n", "found", "rate", "unmarked", "alarms", "alarm_rate",
    "speech", "wer_marked", "cost", "heard", "sounds", "speakers", "eer",
)  # fmt: skip


def machine() -> str:
    """In words, without names."""
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {memory_gib():.0f} GiB{gpu}"


def plain(value):
    """What JSON can hold: no NaN, at most six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def read_table(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    return [{key: plain(value) for key, value in row.items()} for row in pd.read_csv(path).to_dict("records")]


def cell(row: dict, name: str) -> str:
    """A value, with its interval where it has one."""
    value = row.get(name)
    if not isinstance(value, float):
        return "" if value is None else str(value)
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if name == "difference":
        low, high = row.get("low"), row.get("high")
    return f"{value:.3g}" if low is None or high is None else f"{value:.3g} ({low:.3g} to {high:.3g})"


def markdown(columns: list[str], rows: list[list[str]]) -> list[str]:
    return [" | ".join(["", *row, ""]).strip() for row in [columns, ["---"] * len(columns), *rows]]


def as_text(summary: dict, claims: list[dict]) -> str:
    lines = [
        "# What a run of SE-Bridge Lite found", "",
        f"Profile `{summary['profile']}`, seed {summary['seed']}, {summary['date']}, commit {summary['commit']}, "
        f"{summary['machine']}. Speakers are the studio's, not human; the paper's listening scores have no stand-in. "
        "Intervals are at 95 %, over texts and training seeds.", "", "## Claims", "",
    ]  # fmt: skip
    rows = []
    for row in claims:
        ours = (
            "" if row["ours"] is None else f"{row['ours']:.3g} ({row['interval'][0]:.3g} to {row['interval'][1]:.3g})"
        )
        rows.append([row["id"], row["claim"], row["paper"], ours, f"{row['n']} x {row['seeds']}", row["verdict"]])
    lines += markdown(["", "claim", "paper", "our effect (interval)", "texts x seeds", "verdict"], rows)
    for name, (_, title) in TABLES.items():
        if found := summary["tables"].get(name):
            columns = [column for column in SHOWN if column in found[0]]
            lines += ["", f"## {title}", "", *markdown(columns, [[cell(row, c) for c in columns] for row in found])]
    return "\n".join(lines) + "\n"


def run_verdicts(params: Params, publish: bool = False) -> list[dict]:
    if publish and params.profile == "smoke":
        raise UserError("profile smoke: too small to publish; run lite or full")
    claims = []
    for path in sorted(paths.results().glob("*/claims.json")):
        if path.parent.name != "verdicts":
            claims += json.loads(path.read_text(encoding="utf-8"))
    if not claims:
        raise UserError(f"{paths.results()}: no stage has judged a claim yet; `dvc repro` runs them")
    claims.sort(key=lambda row: (row["id"][0], int(row["id"][1:])))
    summary = {
        "profile": params.profile, "seed": params.seed, "commit": commit(), "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "seconds": seconds_of_stages(),
        "memory_gib": memory_of_stages(),
        "tables": {name: read_table(paths.results(stage, f"{name}.csv")) for name, (stage, _) in TABLES.items()},
    }  # fmt: skip
    files = {
        "claims.json": json.dumps(claims, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        "summary.json": json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        "summary.md": as_text(summary, claims),
    }
    write_all(paths.results("verdicts"), files)
    if publish and params.profile == "lite":
        write_all(paths.results(), {"lite.md": files["summary.md"]})
    elif publish:
        drawn = {f"{name}.png": paths.results(stage, f"{name}.png") for name, stage in FIGURES.items()}
        write_all(paths.results(), files | {name: path.read_bytes() for name, path in drawn.items() if path.is_file()})
    return claims


def write_all(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        with paths.replacing(folder / name) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
