"""One text of the test set in one voice, as its reader said it and as each policy says it; and a slider to go through them.

Left out: speech of texts outside the test set, which has no scores to show beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import display

from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.notebook import clip, interactive
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.extras.listening import said_by
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.paper import pictures

READING = "the recording"


class Take(NamedTuple):
    sound: np.ndarray  # (N,)
    f0: np.ndarray  # (T,) Hz, 0 where unvoiced
    row: pd.Series | None  # its scores; None of the recording


def all_scores(bench: Bench, arms: Sequence[str], seed: int) -> dict[str, Scores]:
    return {name: bench.scored("sft", name, seed)[0] for name in arms}


def takes_of(bench: Bench, scores: dict[str, Scores], seed: int, place: int) -> dict[str, Take]:
    """The recording of test text `place`, and the first sample of each policy as the judge heard it."""
    utterance = bench.utterances("test")[place]
    recorded = bench.stack.load([utterance], bench.folder("test"))[0].numpy()
    sounds = [recorded, *(said_by(bench, system, [place], seed)[0] for system in scores.values())]
    tracks = bench.stack.tracks([torch.from_numpy(sound) for sound in sounds])
    rows = [None, *(system.table[system.table["id"] == utterance.id].iloc[0] for system in scores.values())]
    pitch = [track.f0 if track else np.zeros(0) for track in tracks]
    takes = [Take(*take) for take in zip(sounds, pitch, rows, strict=True)]
    return dict(zip([READING, *scores], takes, strict=True))


def nearest_text(bench: Bench, seconds: float) -> int:
    """The test text whose recording is nearest to so many seconds."""
    return int(np.abs(np.array([utterance.seconds for utterance in bench.utterances("test")]) - seconds).argmin())


def caption(name: str, take: Take) -> str:
    """What is said of a take: its alpha, its word errors, how far its pitch moves."""
    if take.row is None:
        return name
    wrong, words = int(take.row["words_wrong"]), int(take.row["words"])
    return f"alpha {arm_of(name).alpha:.2f}: {wrong} words wrong of {words}, F0 std {take.row['f0_std_st']:.1f} st"


def alpha_explorer(bench: Bench, arms: Sequence[str], seed: int):
    """Slide over alpha, choose a text: hear it in its reader's voice, see its F0 over the reader's."""
    scores, heard = all_scores(bench, arms, seed), {}
    texts = {bench.written(utterance): place for place, utterance in enumerate(bench.utterances("test"))}
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
        display(clip(take.sound, bench.stack.sample_rate, seconds=10.0) if len(take.sound) else "no sound")
        plt.show(pictures.tracks({caption(name, take): {READING: reading.f0, "policy": take.f0}}))

    return interactive(show, controls)
