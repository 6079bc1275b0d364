"""The clips of the listening page as HTML: a button, a drawing, the sound; takes of one sentence in a card, to one scale.

A clip is MP3, the one compressed form that every browser plays, at one level (`levelled`); its drawing is made here, since a
page opened from disk cannot read its own sound. Left out: spectrograms.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

import numpy as np
import soundfile
import torch

from sebridge_lite.extras.listening import levelled
from sebridge_lite.report import page_figures
from sebridge_lite.report.markup import details, table, tag
from sebridge_lite.report.site_clips import Group, Take
from sebridge_lite.stack.features import SAMPLE_RATE
from sebridge_lite.stack.tracks import tracks_of


def mp3(sound: np.ndarray) -> bytes:
    """Variable rate at its best, about 70 kbit/s: 29 dB above its error on studio speech, and no gap at either end."""
    out = io.BytesIO()
    soundfile.write(out, sound, SAMPLE_RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0)
    return out.getvalue()


def tracked(sound: np.ndarray) -> np.ndarray:
    """Pitch of a clip as the page plays it, by the tracker of every table."""
    return tracks_of([torch.from_numpy(sound.astype(np.float32))], SAMPLE_RATE)[0].f0


def judged(row: Mapping) -> str:
    """What the scoring judge found, in a line."""
    if not row:
        return ""
    pitch = f" · F0 spread {row['f0_std_st']:.2f} st" if np.isfinite(row["f0_std_st"]) else ""
    errors = f"{row['words_wrong']:.0f} error{'s' if row['words_wrong'] != 1 else ''}"
    return f"{errors} in {row['words']:.0f} words{pitch}"


def player(take: Take, where: str, sound: np.ndarray, f0: np.ndarray, scale: page_figures.Scale) -> Element:
    """A clip: a button, what is known of it, its drawing, and the sound itself."""
    source = "data:audio/mpeg;base64," + base64.b64encode(mp3(sound)).decode()
    name = f"{take.label}, {where}"
    ticks = [tag("span", str(tick), style=f"top:{100 * scale.height(tick):.1f}%") for tick in scale.ticks]
    drawing = page_figures.clip(sound, f0, SAMPLE_RATE, scale, take.kind)
    press = tag("button", type="button", class_="play", hidden="", aria_pressed="false", aria_label=f"Play {name}")
    return tag(
        "figure",
        tag("figcaption", press, tag("b", take.label), tag("span", judged(take.row), class_="facts")),
        tag("div", tag("div", drawing, tag("i", class_="head", hidden=""), class_="plane"),
            tag("span", *ticks, class_="ticks", aria_hidden="true"), class_="drawing"),
        tag("audio", controls="", preload="none", src=source, aria_label=name),
        class_="clip", data_span=f"{scale.seconds:.3f}", data_alpha=take.alpha,
    )  # fmt: skip


def companion(group: Group, sounds: Sequence[np.ndarray], tracks: Sequence[np.ndarray]) -> Element:
    """The drawings of a group as a table."""
    rows = []
    for take, sound, f0 in zip(group.takes, sounds, tracks, strict=True):
        heard = tag("span", str(take.row.get("heard", "")) or "–", lang=group.lang)
        rows.append([take.label, page_figures.in_words(f0, len(sound) / SAMPLE_RATE), judged(take.row) or "–", heard])
    caption = f"{group.title}: the drawings in words, and what the scoring judge heard"
    return details("As a table", table(["take", "length and pitch", "judge", "heard"], rows, caption))


def said(group: Group) -> Element:
    """The sentence, word by word."""
    words = [
        tag("span", tag("span", word, lang=group.lang), tag("small", gloss or "·"), class_="word")
        for word, gloss in group.gloss
    ]
    return tag("p", *words, class_="said")


def compared(group: Group, slider: bool = False) -> Element:
    """Takes side by side, drawn to one scale; with `slider` those that have an alpha stand in one place."""
    sounds = [levelled(take.sound, SAMPLE_RATE) for take in group.takes]
    tracks = [tracked(sound) for sound in sounds]
    scale = page_figures.scale_of(sounds, tracks, SAMPLE_RATE)
    heard = zip(group.takes, sounds, tracks, strict=True)
    players = [player(take, group.title, sound, f0, scale) for take, sound, f0 in heard]
    moved = [one for one, take in zip(players, group.takes, strict=True) if slider and take.alpha is not None]
    fixed = [one for one in players if one not in moved]
    turn = tag("button", "Play all in turn", type="button", class_="turn", hidden="")
    return tag("section", tag("h3", group.title), said(group), tag("div", *moved, id="moved") if moved else None,
               tag("div", *fixed, class_="takes"), turn, companion(group, sounds, tracks), class_="group")  # fmt: skip


def slider(group: Group) -> Element:
    """Alpha by hand or by arrow keys, one step an arm."""
    alphas = [take.alpha for take in group.takes if take.alpha is not None]
    ticks = tag("p", *(tag("span", f"{alpha:.2f}") for alpha in alphas), class_="ticks-of-slider", aria_hidden="true")
    handle = tag("input", type="range", id="alpha", min=0, max=max(0, len(alphas) - 1), step=1, value=0)
    shown = tag("output", f"{alphas[0]:.2f}", id="at", for_="alpha")
    label = tag("label", "alpha, the share of engine speech in training: ", shown, for_="alpha")
    return tag("div", label, handle, ticks, class_="slider", hidden="")
