"""What `evaluate` found, on disk: `scores.csv` (a row a sample), `codes.safetensors`, `summary.json`.

Left out: sound, which the codes give back in seconds.
"""

import json
import math
from pathlib import Path

import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.paths import replacing
from sebridge_lite.data.codes import read_codes, write_codes
from sebridge_lite.measure.entropy import token_counts
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.stats import ENDS, Interval, columns


def plain(summary: dict[str, Interval]) -> dict:
    """Means with `_low` and `_high`, None where unknown: numbers that JSON knows."""
    values = {name: value for measure, found in summary.items() for name, value in columns(measure, found).items()}
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in values.items()}


def save_scores(folder: Path, scores: Scores, **about) -> None:
    """`about`: what else is known of the run, beside the summary."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = scores.table["sample"] if "sample" in scores.table else [0] * len(scores.table)
    names = [f"{name}/{sample}" for name, sample in zip(scores.table["id"], samples, strict=True)]
    write_codes(folder / "codes.safetensors", names, scores.codes)
    with replacing(folder / "scores.csv") as temporary:
        scores.table.to_csv(temporary, index=False, float_format="%.6g")
    first = next(iter(scores.summary.values()))
    report = {**about, "texts": first.n, **plain(scores.summary)}
    with replacing(folder / "summary.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def load_scores(folder: Path, codes: int) -> tuple[Scores, dict]:
    """The scores, and all of `summary.json`."""
    try:
        report = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        texts = {"id": str, "heard": str}  # "007" and "NA" are names and words here
        table = pd.read_csv(folder / "scores.csv", dtype=texts, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no scores; `dvc repro` makes them") from None
    if "heard" in table:
        table["heard"] = table["heard"].fillna("")
    rows = list(read_codes(folder / "codes.safetensors").values())
    numbers = {name: math.nan if value is None else value for name, value in report.items()}
    known = [name for name in report if f"{name}_low" in report]
    summary = {name: Interval(*(numbers[name + end] for end in ENDS), report["texts"], 1) for name in known}
    return Scores(table, token_counts(rows, codes), rows, summary), report
