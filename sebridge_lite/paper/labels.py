"""How measures and systems are called in figures and tables, and the one look of all figures."""

from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import matplotlib.font_manager
import seaborn as sns

PEOPLE, ENGINE, OURS, PAPER = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "0.45",
)  # Okabe-Ito, which colour-blind readers can tell apart
FIXED = {"sft": "0.3", "dgsa": OURS, "tdsc": OURS, "ours": OURS, "paper": PAPER, "people": PEOPLE, "engine": ENGINE}
OTHERS = (PEOPLE, ENGINE, "#CC79A7", "#56B4E9", "#E69F00", "black", "#8C6D31", "#7F3C8D")
FONTS = ("NotoSansThai-Regular.ttf", "NotoSansLao-Regular.ttf")
FONT_FOLDER = Path(__file__).with_name("fonts")

# measure: (label with its unit, factor from a table's number to what is shown, digits)
MEASURES = {
    "wer": ("word error, %", 100, 1),
    "wer_cal": ("calibrated word error, %", 100, 1),
    "filtered_wer": ("word error of its filtered part, %", 100, 1),
    "tone_error": ("tone error, %", 100, 1),
    "hp": ("Hp, bits", 1, 2),
    "h_cond": ("h_cond, bits", 1, 2),
    "rep": ("repetition, %", 100, 2),
    "f0_std": ("F0 std, semitones", 1, 2),
    "sim": ("SIM", 1, 2),
    "sim_held": ("SIM, unseen recording", 1, 2),
    "floor": ("SIM, floor", 1, 2),
    "ceiling": ("SIM, ceiling", 1, 2),
    "delta_hp": ("change of Hp, bits", 1, 3),
    "delta_f0_std": ("change of F0 std, semitones", 1, 2),
    "pass_rate": ("pass rate, %", 100, 0),
    "test_pass_rate": ("pass rate at one T, %", 100, 0),
    "pass": ("pass rate, %", 100, 0),
    "contribution": ("share of G, %", 100, 0),
    "high_hp": ("at high Hp", 1, 2),
    "low_hp": ("at low Hp", 1, 2),
    "nmos": ("NMOS", 1, 2),
    "smos": ("SMOS", 1, 2),
    "f0_std_st": ("F0 std, semitones", 1, 2),
    "f0_range_st": ("F0 range, semitones", 1, 2),
    "f0_corr": ("F0 correlation", 1, 2),
    "f0_rmse_st": ("F0 RMSE, semitones", 1, 2),
    "energy_std_db": ("energy std, dB", 1, 2),
    "k": ("iteration", 1, 0),
    "lambda_s": ("weight of stability", 1, 2),
    "lambda_e": ("weight of expressivity", 1, 2),
}


def measure(name: str) -> tuple[str, float, int]:
    """Label, factor and digits of a measure; an unknown one is called by its name. `wer_gain` is the change of `wer`."""
    known = MEASURES.get(name.removesuffix("_gain"), (name if " " in name else name.replace("_", " "), 1, 2))
    return (f"change of {known[0]}", *known[1:]) if name.endswith("_gain") else known


def colours(names: Iterable[str], other: str | None = None) -> dict[str, str]:
    """A colour for each name: the start, ours, the paper, people and engines have always the same; `other` is for the rest."""
    names, found = list(dict.fromkeys(names)), {}
    for name in names:
        for start, colour in FIXED.items():
            if name == start or name.startswith((f"{start}s", f"{start},")):
                found[name] = colour
    free = cycle([colour for colour in OTHERS if colour not in found.values()])
    return {name: found[name] if name in found else other or next(free) for name in names}


def use_style() -> None:
    """Sets the look of all figures; call it once a notebook."""
    for name in FONTS:
        matplotlib.font_manager.fontManager.addfont(FONT_FOLDER / name)
    sns.set_theme(style="whitegrid", palette="colorblind", rc={
        "font.family": ["DejaVu Sans", "Noto Sans Thai", "Noto Sans Lao"], "font.size": 9, "axes.titlesize": 9,
        "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8, "legend.title_fontsize": 8,
        "figure.titlesize": 10, "figure.dpi": 80, "figure.constrained_layout.use": True,
    })  # fmt: skip
