"""A widget to play with the studio's voices. It has a static twin in the notebook, since widgets vanish from executed copies."""

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
import matplotlib.pyplot as plt
from IPython.display import display

from sebridge_lite.experiments.notebook import clip, interactive
from sebridge_lite.paper.figures import ENGINE, PEOPLE
from sebridge_lite.paper.pictures import pitch_track


def voice_explorer(say: Callable, sentences: Mapping[str, Sequence], lang: str, voices: Mapping, rate: int):
    """Controls for sentence, voice, style, speed and pitch range, over what is heard and its F0. say: as `studio.studio.say`"""

    def slider(low: float, high: float, name: str):
        return widgets.FloatSlider(1.0, min=low, max=high, step=0.1, description=name, continuous_update=False)

    controls = {
        "text": widgets.Dropdown(options=list(sentences), description="text"),
        "voice": widgets.Dropdown(options=list(voices), description="voice"),
        "flat": widgets.ToggleButtons(options={"own style": False, "flat": True}, description="style"),
        "speed": slider(0.6, 1.6, "speed"),
        "pitch_range": slider(0.2, 1.8, "pitch range"),
        "take": widgets.IntSlider(0, min=0, max=20, description="take", continuous_update=False),
    }

    def show(text, voice, **how):
        samples, f0 = say(sentences[text], lang, voices[voice], **how)
        figure, axis = plt.subplots(figsize=(6, 2.2))
        pitch_track(axis, f0, PEOPLE if voices[voice].kind == "people" else ENGINE, len(samples) / rate)
        display(clip(samples, rate, seconds=10.0))
        plt.show(figure)

    return interactive(show, controls)
