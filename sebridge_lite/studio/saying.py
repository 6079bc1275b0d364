"""One sentence in one voice, with its style turned up or down."""

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
