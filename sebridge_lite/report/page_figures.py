"""Drawings of the listening page, as SVG that follows the page's colours: a clip's waveform and pitch, a measure over alpha.

Left out: drawing in the browser, which cannot read sound from a file that it opened from disk.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from sebridge_lite.report.markup import tag

WIDE, HIGH, COLUMNS = 600, 100, 150  # of a clip's drawing; columns of its waveform in a whole span
OCTAVE, LEAST_SPAN, ROOM = 12, 8.0, 1.0  # semitones: the least that a drawing shows, and what is free above and below
LOUD = 0.75  # of the height, for the loudest sample
TICKS = (60, 80, 100, 120, 150, 180, 220, 270, 330, 400, 480)  # Hz
BOX = (440, 250)
LEFT, RIGHT, TOP, BOTTOM = 42, 14, 14, 36  # free edges of a panel


class Scale(NamedTuple):
    """What the drawings of a group share: seconds across, the loudest sample, and pitch in semitones over 1 Hz."""

    seconds: float
    peak: float
    low: float
    high: float

    def height(self, hertz: float) -> float:
        """From the top, as a share."""
        return (self.high - OCTAVE * math.log2(hertz)) / (self.high - self.low)

    @property
    def ticks(self) -> list[int]:
        return [tick for tick in TICKS if 0.06 < self.height(tick) < 0.94]


def scale_of(sounds: Sequence[np.ndarray], tracks: Sequence[np.ndarray], rate: int) -> Scale:
    voiced = np.concatenate([track[track > 0] for track in tracks])
    pitch = OCTAVE * np.log2(voiced) if len(voiced) else np.array([OCTAVE * np.log2(150.0)])
    middle, half = (pitch.max() + pitch.min()) / 2, max(np.ptp(pitch), LEAST_SPAN) / 2 + ROOM
    peak = max(float(np.abs(sound).max()) for sound in sounds)
    seconds = max(len(sound) for sound in sounds) / rate
    return Scale(seconds, peak or 1.0, float(middle - half), float(middle + half))


def _waveform(sound: np.ndarray, seconds: float, scale: Scale) -> str:
    """A closed path around the loudest samples of each column."""
    count = max(1, round(COLUMNS * seconds / scale.seconds))
    edges = np.linspace(0, len(sound), count + 1).astype(int)
    peaks = [LOUD / scale.peak * np.abs(sound[a:b]).max(initial=0) for a, b in itertools.pairwise(edges)]
    step = WIDE * seconds / scale.seconds / count
    top = [f"{i * step:.0f} {HIGH / 2 * (1 - peak):.0f}" for i, peak in enumerate(peaks)]
    bottom = [f"{i * step:.0f} {HIGH / 2 * (1 + peak):.0f}" for i, peak in enumerate(peaks)]
    return "M" + "L".join([*top, *bottom[::-1]]) + "Z"


def _contour(f0: np.ndarray, seconds: float, scale: Scale) -> str:
    """A line a voiced stretch."""
    parts, pen = [], "M"
    for frame, hertz in enumerate(f0):
        if hertz > 0:
            x = WIDE * (frame + 0.5) / len(f0) * seconds / scale.seconds
            parts.append(f"{pen}{x:.0f} {HIGH * scale.height(hertz):.1f}")
        pen = "L" if hertz > 0 else "M"
    return "".join(parts)


def in_words(f0: np.ndarray, seconds: float) -> str:
    """A clip's drawing for those who do not see it."""
    voiced = f0[f0 > 0]
    if not len(voiced):
        return f"{seconds:.1f} s, without pitch"
    low, middle, high = np.percentile(voiced, [5, 50, 95])
    return f"{seconds:.1f} s, pitch around {middle:.0f} Hz, from {low:.0f} to {high:.0f} Hz"


def clip(sound: np.ndarray, f0: np.ndarray, rate: int, scale: Scale, kind: str) -> Element:
    """Waveform under pitch; `kind` (people, engine, ours) chooses its colour."""
    seconds = len(sound) / rate
    grid = [tag("path", d=f"M0 {HIGH * scale.height(tick):.1f}H{WIDE}", class_="grid") for tick in scale.ticks]
    wave = tag("path", d=_waveform(sound, seconds, scale), class_="wave")
    pitch = tag("path", d=_contour(f0, seconds, scale), class_="pitch")
    return tag("svg", *grid, wave, pitch, viewBox=f"0 0 {WIDE} {HIGH}", preserveAspectRatio="none", class_=f"sound {kind}",
               role="img", aria_label=f"Waveform and pitch: {in_words(f0, seconds)}")  # fmt: skip


class Mark(NamedTuple):
    """A system beside the curve."""

    name: str
    alpha: float
    value: float
    low: float
    high: float


def _nice(low: float, high: float) -> list[float]:
    """Three to six round numbers that hold `low` to `high`."""
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-9)))
    step = next(step * by for by in (0.2, 0.5, 1, 2) if (high - low) / (step * by) <= 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


SHAPES = ("M0 -6L6 0L0 6L-6 0Z", "M-5 -5H5V5H-5Z", "M0 -6L6 5H-6Z")  # told apart without their colour


def panel(label: str, curve: Sequence[Mark], marks: Sequence[Mark], lines: Mapping[str, float], alt: str) -> Element:
    """A measure over alpha with its interval; `marks`: systems beside it; `lines`: recordings, by kind."""
    ends = [v for mark in (*curve, *marks) for v in (mark.low, mark.high, mark.value)] + list(lines.values())
    ticks = _nice(min(ends), max(ends))
    wide, high = BOX[0] - LEFT - RIGHT, BOX[1] - TOP - BOTTOM

    def x(alpha: float) -> float:
        return LEFT + wide * alpha

    def y(value: float) -> float:
        return TOP + high * (ticks[-1] - value) / (ticks[-1] - ticks[0])

    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    parts = [tag("title", alt)]
    for tick in ticks:
        parts += [tag("path", d=f"M{LEFT} {y(tick):.1f}H{BOX[0] - RIGHT}", class_="grid"),
                  tag("text", f"{tick:.{digits}f}", x=LEFT - 6, y=f"{y(tick) + 4:.1f}", text_anchor="end")]  # fmt: skip
    for alpha in (0, 0.25, 0.5, 0.75, 1):
        parts.append(tag("text", f"{alpha:g}", x=f"{x(alpha):.0f}", y=BOX[1] - BOTTOM + 16, text_anchor="middle"))
    parts.append(tag("text", "alpha, share of engine speech", x=x(0.5), y=BOX[1] - 4, text_anchor="middle"))
    for kind, value in lines.items():
        parts.append(tag("path", d=f"M{LEFT} {y(value):.1f}H{BOX[0] - RIGHT}", class_=f"level {kind}"))
    there = [f"{x(m.alpha):.1f} {y(m.low):.1f}" for m in curve]
    back = [f"{x(m.alpha):.1f} {y(m.high):.1f}" for m in reversed(curve)]
    parts.append(tag("path", d="M" + "L".join([*there, *back]) + "Z", class_="band ours"))
    parts.append(tag("path", d="M" + "L".join(f"{x(m.alpha):.1f} {y(m.value):.1f}" for m in curve), class_="line ours"))
    parts += [tag("circle", cx=f"{x(m.alpha):.1f}", cy=f"{y(m.value):.1f}", r=3.5, class_="dot ours") for m in curve]
    for place, mark in enumerate(marks):
        at = x(mark.alpha) + 14 * (place + 1)
        parts.append(tag("path", d=f"M{at:.1f} {y(mark.low):.1f}V{y(mark.high):.1f}", class_="whisker"))
        parts.append(
            tag(
                "path",
                d=SHAPES[place % len(SHAPES)],
                transform=f"translate({at:.1f} {y(mark.value):.1f})",
                class_="mark",
            )
        )
    parts.append(tag("path", d=f"M0 {TOP}V{BOX[1] - BOTTOM}", class_="here", hidden=""))
    return tag("figure", tag("figcaption", label),
               tag("svg", *parts, viewBox=f"0 0 {BOX[0]} {BOX[1]}", class_="panel", role="img", aria_label=alt,
                   data_left=LEFT, data_wide=wide))  # fmt: skip


def legend(marks: Sequence[str], lines: Mapping[str, str]) -> Element:
    """What shapes and lines of a panel mean; `lines`: words by kind."""

    def entry(words: str, *drawn: Element, **attributes) -> Element:
        return tag("li", tag("svg", *drawn, viewBox="0 0 26 14", aria_hidden="true"), words, **attributes)

    curve = (tag("path", d="M0 7H26", class_="line ours"), tag("circle", cx=13, cy=7, r=3.5, class_="dot ours"))
    here = entry("the slider below", tag("path", d="M13 0V14", class_="here"), class_="of-slider", hidden="")
    levels = [entry(words, tag("path", d="M0 7H26", class_=f"level {kind}")) for kind, words in lines.items()]
    shapes = [
        entry(name, tag("path", d=SHAPES[place % len(SHAPES)], transform="translate(13 7)", class_="mark"))
        for place, name in enumerate(marks)
    ]
    return tag("ul", entry("SFT policies, 95 % interval", *curve), *levels, *shapes, here, class_="legend")
