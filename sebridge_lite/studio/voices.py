"""Who speaks: expressive, varied people and flat, deterministic engines.

Left out: age, accent, a change of mood within an utterance. Groups never share a voice, and the n-th voice of a group
does not depend on how many are asked for.

Engines use 0.4 to 0.5 of the nominal pitch range, which is 0.35 to 0.44 of a person's: round numbers, set by looking at the
token entropy of recordings before any policy was trained (at 0.65 to 0.8 engines were as varied as people, and the paper's
premise did not hold). `07_erosion` varies them.
"""

from dataclasses import dataclass

import numpy as np

from sebridge_lite.core.seeds import rng_of
from sebridge_lite.studio.tones import NOMINAL_RANGE


@dataclass(frozen=True)
class Style:
    """A way of speaking; every spread of 0 is an engine. Pitch in semitones, energy in dB."""

    range: float = 1.0  # multiplies the pitch range of the tones
    rate: float = 1.0
    register: float = 0.0  # spread of the level of a phrase
    declination: float = 0.0  # fall from the first syllable to the last
    final: float = 0.0  # lowering of the last word
    emphasis: float = 0.0  # share of the words that are stressed
    stress: float = 1.0  # how far stress widens the tones
    tempo: float = 0.0  # spread of the log rate between phrases
    rhythm: float = 0.0  # spread of the log duration between syllables
    lengthening: float = 1.0  # of the last syllable of a phrase
    pauses: float = 0.0  # share of the word boundaries that are phrase boundaries
    energy: float = 0.0  # spread between phrases; half of it between syllables
    jitter: float = 0.0  # relative, from one 5 ms step to the next
    hold: bool = False  # each half of a tone is held level
    metronome: bool = False  # every syllable takes the same time


@dataclass(frozen=True)
class Voice:
    """A speaker: the tract, the pitch, and a way of speaking."""

    id: str
    kind: str  # "people" or "engine"
    tract: float  # length against an adult male's
    f0: float  # Hz at the mid level
    range_st: float  # semitones between the lowest and the highest tone target
    rate: float
    breath: float
    tilt: float  # 0 to 1: darker
    style: Style


def _timbre(rng: np.random.Generator, index: int) -> dict:
    """Even voices are male-like, odd ones female-like."""
    tract, f0 = ((0.94, 1.07), (100, 150)) if index % 2 == 0 else ((0.82, 0.91), (170, 235))
    return {
        "tract": rng.uniform(*tract),
        "f0": float(np.exp(rng.uniform(*np.log(f0)))),
        "breath": rng.uniform(0.01, 0.05),
        "tilt": rng.uniform(0.0, 0.5) + 0.4 * (index % 2),
    }


def _person(group: str, index: int) -> Voice:
    rng = rng_of(0, "people", group, index)
    style = Style(
        range=rng.uniform(0.95, 1.15),
        register=rng.uniform(0.4, 1.0),
        declination=rng.uniform(0.3, 2.0),
        final=rng.uniform(0.0, 1.0),
        emphasis=rng.uniform(0.15, 0.4),
        stress=rng.uniform(1.2, 1.4),
        tempo=rng.uniform(0.06, 0.16),
        rhythm=rng.uniform(0.05, 0.12),
        lengthening=rng.uniform(1.15, 1.5),
        pauses=rng.uniform(0.05, 0.15),
        energy=rng.uniform(1.0, 2.5),
        jitter=rng.uniform(0.003, 0.01),
    )
    return Voice(
        id=f"people-{group}-{index:03d}",
        kind="people",
        range_st=NOMINAL_RANGE * rng.uniform(0.95, 1.2),
        rate=rng.uniform(0.95, 1.2),
        style=style,
        **_timbre(rng, index),
    )


def people(group: str, n: int) -> list[Voice]:
    """The first `n` people of a group: train, unseen, judge_a, judge_b, backbone or dev."""
    return [_person(group, index) for index in range(n)]


def _engine(name: str, f0: float, tract: float, rate: float, style: Style, breath: float, tilt: float) -> Voice:
    return Voice(f"engine-{name}", "engine", tract, f0, NOMINAL_RANGE, rate, breath, tilt, style)


MAIN_ENGINES = (
    _engine("level", 118.0, 1.0, 1.0, Style(range=0.5, hold=True), 0.015, 0.2),
    _engine("narrow", 198.0, 0.86, 1.05, Style(range=0.4), 0.02, 0.6),
    _engine("metronome", 196.0, 0.87, 0.97, Style(range=0.5, metronome=True), 0.02, 0.7),
)


def _flat_voice(group: str, index: int) -> Voice:
    rng = rng_of(0, "engine", group, index)
    flat, hold, metronome = rng.uniform(0.35, 0.75), bool(rng.random() < 0.35), bool(rng.random() < 0.35)
    rate = rng.uniform(0.9, 1.15)
    style = Style(range=flat, hold=hold, metronome=metronome)
    return _engine(f"{group}-{index:03d}", rate=rate, style=style, **_timbre(rng, index))


def engines(group: str = "main", n: int = 3) -> list[Voice]:
    """The first `n` of the three engines of the study, or other flat voices of a judge's group."""
    return list(MAIN_ENGINES[:n]) if group == "main" else [_flat_voice(group, index) for index in range(n)]
