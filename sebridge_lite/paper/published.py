"""Every number that the paper prints, by table: `published("table1_scaling")`; and what our systems are called there."""

import json
from functools import cache
from pathlib import Path

import pandas as pd

from sebridge_lite.core.errors import UserError

LANGUAGES = {"th": "Thai", "lo": "Lao"}
# the paper's table: ours to the name that it prints
NAMES = {
    "table2_entropy_control": {
        "f0_std_st": "f0_std_hz", "f0_range_st": "f0_range_hz", "f0_rmse_st": "f0_rmse_hz",
    },
    "table3_alignment_thai_alpha80": {
        "sft": "SFT Baseline", "dpo": "Standard DPO", "rejection": "Rejection Sampling", "dgsa": "DGSA",
    },
    "table4_tdsc_lao": {
        "sft": "SFT Baseline", "self-training": "Self-Training", "rejection": "Rejection Sampling", "tdsc": "TDSC",
    },
    "table5_standard_tts": {"dgsa": "DGSA", "tdsc": "TDSC", "mms-tts": "MMS-TTS"},
    "table6_cloning": {"dgsa-on-3s-th": "DGSA", "tdsc-on-3s-lo": "TDSC"},
    "table7_dgsa_ablation": {
        "dgsa": "Full DGSA", "no-expr": "w/o Expressivity Obj.", "random-speaker": "w/o Identity Pairs",
        "no-stab": "w/o Stability Obj.", "fixed": "w/o Dynamic Scaling",
    },
    "table8_tdsc_ablation": {
        "tdsc": "Full TDSC", "no-dpo": "w/o DPO Loss", "t1-only": "w/o Multi-Temperature",
        "no-length": "w/o Length Filter", "fixed-tmax": "w/o Temp. Curriculum", "no-repetition": "w/o Repetition Filter",
    },
}  # fmt: skip


@cache
def everything() -> dict:
    """All of published.json."""
    return json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))


def published(table: str) -> pd.DataFrame:
    """A table with the paper's columns; `everything()[table]` holds its notes too."""
    found = everything().get(table)
    if not isinstance(found, dict) or "columns" not in found:
        known = [name for name, value in everything().items() if isinstance(value, dict) and "columns" in value]
        raise UserError(f"no table '{table}' of the paper; tables: {', '.join(known)}")
    return pd.DataFrame(found["rows"], columns=found["columns"])
