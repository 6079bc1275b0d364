"""Every number that the paper prints, by table: `published("table1_scaling")`; and what our systems are called there."""

import json
from functools import cache
from pathlib import Path

import pandas as pd

from sebridge_lite.align.methods import printed_rows

# the paper's table: ours to the name that it prints
NAMES = {
    "table2_entropy_control": {f"f0_{name}_st": f"f0_{name}_hz" for name in ("std", "range", "rmse")},
    "table3_alignment_thai_alpha80": printed_rows("Table 3"),
    "table4_tdsc_lao": printed_rows("Table 4"),
    "table5_standard_tts": {"dgsa": "DGSA", "tdsc": "TDSC", "mms-tts": "MMS-TTS"},
    "table6_cloning": {"dgsa-on-3s-th": "DGSA", "tdsc-on-3s-lo": "TDSC"},
    "table7_dgsa_ablation": printed_rows("Table 7"),
    "table8_tdsc_ablation": printed_rows("Table 8"),
}


@cache
def everything() -> dict:
    """All of published.json."""
    return json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))


def published(table: str) -> pd.DataFrame:
    """A table with the paper's columns; `everything()[table]` holds its notes too."""
    found = everything()[table]
    return pd.DataFrame(found["rows"], columns=found["columns"])
