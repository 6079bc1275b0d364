"""When has a mixture a peak inside? People's tokens mixed with those of engines of other pitch range and number.

Nothing is trained: everybody says the same sentences, so that only the way of speaking differs. And what a printed curve of
Hp can bear witness to. Left out: engines that differ in rhythm or timbre, and texts of which the two sides differ.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from sebridge_lite.core.workers import crew, workers
from sebridge_lite.experiments.corpus import SPEED
from sebridge_lite.measure.entropy import token_counts
from sebridge_lite.measure.trends import from_corpus, mixture_entropies
from sebridge_lite.stack.stack import Stack
from sebridge_lite.studio.teach.examine_parts import heard
from sebridge_lite.studio.teach.material import render_material
from sebridge_lite.studio.tones import NOMINAL_RANGE
from sebridge_lite.studio.voices import Voice, engines

SECONDS = 3.0  # of a sentence, about
REPLICATES = 200  # an interval a cell, each of 101 mixtures a replicate


def natural_range(voices: Sequence[Voice]) -> float:
    """The mean pitch range of the voices, as `Style.range` counts it: 1 is the nominal range of the tones."""
    return float(np.mean([voice.style.range * voice.range_st / NOMINAL_RANGE for voice in voices]))


def with_range(voice: Voice, value: float) -> Voice:
    return replace(voice, style=replace(voice.style, range=value * NOMINAL_RANGE / voice.range_st))


def mixture_of(real: np.ndarray, syn: np.ndarray, seed: int, replicates: int = REPLICATES) -> dict:
    """Where and how high the mixture of two corpora peaks, in bits corrected for their size. Counts (U, V) an utterance.

    height: of the peak above the better end. peak: `inside` or `none` where the interval of alpha* says so.
    """
    curve, star = mixture_entropies(real, syn), from_corpus(real, syn, seed, replicates)
    first, last, top = float(curve[0]), float(curve[-1]), float(curve.max())
    inside, none = star.low > 0 and star.high < 1, star.high == 0 or star.low == 1
    found = {"h_real": first, "h_syn": last, "gap": first - last, "height": top - max(first, last)}
    found |= {"alpha_star": star.mean, "low": star.low, "high": star.high}
    return found | {"peak": "inside" if inside else "none" if none else "undecided"}


def phase_diagram(
    stack: Stack, lang: str, speakers: list[Voice], ranges: list[float], counts: list[int], recordings: int, seed: int
) -> pd.DataFrame:
    """Columns of `mixture_of`, a row for each pitch range of the engines (a share of the speakers') and number of engines."""
    natural, cells = natural_range(speakers), list(product(ranges, counts))
    with crew(workers((len(cells) + 1) * recordings * SECONDS / SPEED)) as pool:

        def said_by(voices: Sequence[Voice]) -> np.ndarray:
            made = render_material("phase", lang, "real", recordings, voices, seed, pool=pool)
            return token_counts(stack.tokens(heard(list(made)).sounds), stack.codes)

        real = said_by(speakers)
        rows = []
        for share, count in cells:
            syn = said_by([with_range(voice, share * natural) for voice in engines("main", count)])
            rows.append({"range": share, "engines": count, **mixture_of(real, syn, seed), "recordings": recordings})
    return pd.DataFrame(rows)


def nearest_concave(x: Sequence[float], y: Sequence[float], falling: bool = False) -> tuple[np.ndarray, float]:
    """The concave curve whose largest distance from the points is least, and that distance; `falling`: one without a rise.

    How much noise must be in a curve for it to be a mixture's (Eq. 4); and for it to have no peak.
    """
    x, n = np.asarray(x, dtype=float), len(y)
    near = np.block([[sign * np.eye(n), -np.ones((n, 1))] for sign in ([[1], [-1]])])
    steps = np.diff(np.eye(n), axis=0) / np.diff(x)[:, None]  # slopes of the curve
    shape = np.diff(steps, axis=0) if not falling else np.vstack([np.diff(steps, axis=0), steps[:1]])
    above = np.vstack([near, np.pad(shape, ((0, 0), (0, 1)))])
    limits = np.concatenate([y, -np.asarray(y, dtype=float), np.zeros(len(shape))])
    found = linprog(np.eye(n + 1)[n], A_ub=above, b_ub=limits, bounds=[(None, None)] * n + [(0, None)])
    return found.x[:n], float(found.x[n])
