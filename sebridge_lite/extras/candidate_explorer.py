"""What a policy said of one text while it criticised itself, and what its judge made of it; and a slider over temperatures.

All is replayed from what an iteration has kept. Left out: temperatures at which nothing was sampled.
"""

from collections.abc import Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import display
from torch import Tensor

from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.critique import sounds_of
from sebridge_lite.experiments.notebook import clip, interactive
from sebridge_lite.paper.pictures import candidates, outcome

WHOLE = 48  # tokens of a clip that is played to its end
MOST = 50  # texts to choose from
KINDS = ("cold winner", "hot winner", "rejected", "loser")


def kinds_of(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Of one text: the best accepted at the lowest and at the highest temperature, one rejected, and DPO's loser."""
    order = rows.sort_values(["wer", "slot"])
    good = order["rejected_for"].str.len() == 0
    cold, hot = (order["temperature"] == heat for heat in (rows["temperature"].min(), rows["temperature"].max()))
    masks = (good & cold, good & hot, ~good & ~order["loser"], order["loser"])
    return {kind: order[mask].iloc[0] for kind, mask in zip(KINDS, masks, strict=True) if mask.any()}


def telling_text(rows: pd.DataFrame) -> int:
    """The text that has most of these kinds; of several the one that is nearest to fill a clip."""

    def worth(text: int) -> tuple[int, int]:
        own = rows[rows["text"] == text]
        return len(kinds_of(own)), -abs(int(own["tokens"].max()) - WHOLE)

    return max(rows["text"].unique(), key=worth)


def caption(row: Mapping) -> str:
    why = " and ".join(row["rejected_for"])
    return (
        f"T = {row['temperature']:g}: {row['wrong']} of {row['words']} words wrong, repetition {row['rep']:.2f}, "
        f"{row['tokens']} tokens of {row['expected']:.0f} expected: {outcome(row)}{f' (fails in {why})' if why else ''}"
    )


def candidate_explorer(bench: Bench, rows: pd.DataFrame, codes: Mapping[str, Tensor], max_wer: float, seed: int):
    """Choose a text, slide over temperatures, take by take: hear it, read the judge's decision, see it among the others."""
    said = rows.drop_duplicates("text").head(MOST)
    heats = sorted(rows["temperature"].unique())
    takes = range(1, len(rows) // rows["text"].nunique() // len(heats) + 1)
    controls = {
        "text": widgets.Dropdown(options=dict(zip(said["said"], said["text"], strict=True)), description="text"),
        "heat": widgets.SelectionSlider(options=heats, description="temperature", continuous_update=False),
        "take": widgets.SelectionSlider(options=takes, description="take", continuous_update=False),
    }

    def show(text, heat, take):
        own = rows[rows["text"] == text]
        row = own[own["temperature"] == heat].iloc[take - 1]
        print(caption(row), "· read as:", row["read"])
        with torch.no_grad():
            (sound,) = sounds_of(bench, [codes[row["name"]]], seed)
        display(clip(sound.numpy(), bench.stack.sample_rate, seconds=10.0) if len(sound) else "no sound")
        plt.show(candidates(own, max_wer))

    return interactive(show, controls)
