"""Widgets to play with. Each has a static twin in the notebook, because widgets vanish from executed copies."""

from dataclasses import replace

import numpy as np

from sebridge_lite.studio.lexicon import Word
from sebridge_lite.studio.prosody import plan
from sebridge_lite.studio.render import render
from sebridge_lite.studio.voices import Voice


def say(
    words: list[Word],
    lang: str,
    voice: Voice,
    speed: float = 1.0,
    pitch_range: float = 1.0,
    take: int = 0,
    flat: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """(samples, true F0) of one sentence. `flat` drops a person's random prosody and keeps the voice."""
    style = replace(voice.style, rate=voice.style.rate * speed, range=voice.style.range * pitch_range)
    rng = None if flat or voice.kind == "engine" else np.random.default_rng(take)
    spoken = plan(words, lang, voice, rng, style=style, slip_rate=0.0)
    return render([spoken], [voice], [take])[0], spoken.f0


def voice_explorer(sentences: dict[str, list[Word]], lang: str, voices: dict[str, Voice]):
    """Choose sentence, voice, style, speed and pitch range; hear it and see its F0."""
    import ipywidgets as widgets
    import matplotlib.pyplot as plt
    from IPython.display import display

    from sebridge_lite.experiments.notebook import clip, interactive
    from sebridge_lite.paper.figures import ENGINE, PEOPLE
    from sebridge_lite.paper.pictures import pitch_track

    controls = {
        "text": widgets.Dropdown(options=list(sentences), description="text"),
        "voice": widgets.Dropdown(options=list(voices), description="voice"),
        "flat": widgets.ToggleButtons(options={"own style": False, "flat": True}, description="style"),
        "speed": widgets.FloatSlider(1.0, min=0.6, max=1.6, step=0.1, description="speed", continuous_update=False),
        "pitch_range": widgets.FloatSlider(
            1.0, min=0.2, max=1.8, step=0.1, description="pitch range", continuous_update=False
        ),
        "take": widgets.IntSlider(0, min=0, max=20, description="take", continuous_update=False),
    }

    def show(text, voice, flat, speed, pitch_range, take):
        chosen = voices[voice]
        samples, f0 = say(sentences[text], lang, chosen, speed, pitch_range, take, flat)
        figure, axis = plt.subplots(figsize=(6, 2.2))
        pitch_track(axis, f0, PEOPLE if chosen.kind == "people" else ENGINE, len(samples) / 16_000)
        display(clip(samples, seconds=10.0))
        plt.show(figure)

    return interactive(show, controls)
