"""How measures and systems are called in figures and tables, and the one look of all figures."""

import json
import re
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import matplotlib.font_manager
import matplotlib.pyplot as plt
import seaborn as sns

# of Okabe and Ito, which colour-blind readers can tell apart
PEOPLE, ENGINE, OURS, PAPER = "#0072B2", "#D55E00", "#009E73", "0.45"
FIXED = {"sft": "0.3", "dgsa": OURS, "tdsc": OURS, "ours": OURS, "paper": PAPER, "people": PEOPLE, "engine": ENGINE}
OTHERS = (PEOPLE, ENGINE, "#CC79A7", "#56B4E9", "#E69F00", "black", "#8C6D31", "#7F3C8D")
FONTS = ("NotoSansThai-Regular.ttf", "NotoSansLao-Regular.ttf")
FONT_FOLDER = Path(__file__).with_name("fonts")

# measure: [label with its unit, factor from a table's number to what is shown, digits]
MEASURES = json.loads(Path(__file__).with_name("measures.json").read_text(encoding="utf-8"))


def measure(name: str) -> tuple[str, float, int]:
    """Label, factor and digits of a measure; an unknown one is called by its name. `wer_gain` is the change of `wer`."""
    unknown = name if " " in name else name.replace("_", " ")
    label, factor, digits = MEASURES.get(name.removesuffix("_gain"), (unknown, 1, 2))
    return f"change of {label}" if name.endswith("_gain") else label, factor, digits


def colours(names: Iterable[str], other: str | None = None) -> dict[str, str]:
    """A colour for each name: the start, ours, the paper, people and engines have always the same; `other` is for the rest."""
    names = list(dict.fromkeys(names))
    found = {name: colour for name in names for start, colour in FIXED.items() if re.match(f"{start}([s,]|$)", name)}
    free = cycle([colour for colour in OTHERS if colour not in found.values()])
    return {name: found[name] if name in found else other or next(free) for name in names}


def use_style() -> None:
    """Sets the look of all figures; call it once a notebook."""
    for name in FONTS:
        matplotlib.font_manager.fontManager.addfont(FONT_FOLDER / name)
    sns.set_theme(style="whitegrid", palette="colorblind")
    plt.style.use(Path(__file__).with_name("figures.mplstyle"))
