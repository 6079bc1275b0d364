"""One text of the test set in one voice, as its reader said it and as each policy says it; and a slider to go through them.

Left out: speech of texts outside the test set, which has no scores to show beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core.seeds import seed_of
from sebridge_lite.experiments.policies import Bench, arm_of, policy_folder
from sebridge_lite.measure.evaluate import Scores, speak
from sebridge_lite.measure.saved import load_scores
from sebridge_lite.measure.scoring import load_sounds, tracks_of

READING = "the recording"


class Take(NamedTuple):
    sound: np.ndarray  # (N,)
    f0: np.ndarray  # (T,) Hz at 50 Hz, 0 where unvoiced
    row: pd.Series | None  # its scores; None of the recording


def all_scores(bench: Bench, arms: Sequence[str], seed: int) -> dict[str, Scores]:
    codes = bench.stack.codes
    return {name: load_scores(policy_folder(name, seed), codes)[0] for name in arms}


def takes_of(bench: Bench, scores: dict[str, Scores], seed: int, place: int) -> dict[str, Take]:
    """The recording of test text `place`, and the first sample of each policy as the judge heard it."""
    utterance = bench.sets["test"][place]
    recorded = load_sounds([utterance], bench.folder)
    rows = [int((one.table["id"] == utterance.id).to_numpy().argmax()) for one in scores.values()]
    codes = [one.codes[row] for one, row in zip(scores.values(), rows, strict=True)]
    timbres = bench.stack.timbres(recorded).repeat(len(codes), 1)
    noise = seed_of(seed, "sound", utterance.id, 0)
    sounds = [*recorded, *speak(bench.stack, codes, timbres, [noise] * len(codes))]
    tracks = [tracks_of([sound], bench.stack.device)[0].f0 if len(sound) else np.zeros(0) for sound in sounds]
    found = [None, *(one.table.iloc[row] for one, row in zip(scores.values(), rows, strict=True))]
    takes = [Take(s.numpy(), f0, row) for s, f0, row in zip(sounds, tracks, found, strict=True)]
    return dict(zip([READING, *scores], takes, strict=True))


def nearest_text(bench: Bench, seconds: float) -> int:
    """The test text whose recording is nearest to so many seconds."""
    return int(np.abs(np.array([utterance.seconds for utterance in bench.sets["test"]]) - seconds).argmin())


def caption(name: str, take: Take) -> str:
    if take.row is None:
        return name
    wrong, words = int(take.row["words_wrong"]), int(take.row["words"])
    return f"alpha {arm_of(name).alpha:.2f}: {wrong} words wrong of {words}, F0 std {take.row['f0_std_st']:.1f} st"


def alpha_explorer(bench: Bench, arms: Sequence[str], seed: int):
    """Slide over alpha, choose a text: hear it in its reader's voice, see its F0 over the reader's own."""
    import ipywidgets as widgets
    import matplotlib.pyplot as plt
    from IPython.display import display

    from sebridge_lite.experiments.notebook import clip, interactive
    from sebridge_lite.paper.scaling_figures import contours

    scores, heard = all_scores(bench, arms, seed), {}
    texts = {utterance.text: place for place, utterance in enumerate(bench.sets["test"])}
    controls = {
        "place": widgets.Dropdown(options=texts, description="text"),
        "name": widgets.SelectionSlider(options=[READING, *arms], description="alpha", continuous_update=False),
    }

    def show(place, name):
        if place not in heard:
            with torch.no_grad():
                heard[place] = takes_of(bench, scores, seed, place)
        take, reading = heard[place][name], heard[place][READING]
        print(caption(name, take), "" if take.row is None else f"· heard: {take.row['heard']}")
        display(clip(take.sound, seconds=10.0) if len(take.sound) else "no sound")
        plt.show(contours(reading.f0, {caption(name, take): take.f0}))

    return interactive(show, controls)
