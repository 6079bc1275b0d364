"""`sebridge site`: the listening page, one file that needs no network, in results/site/index.html.

With `--publish` also results/site.html, which git keeps. Left out: clips of systems from outside, which others may own.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
import torch
from matplotlib.figure import Figure

from sebridge_lite.align.methods import METHODS
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.data.languages import language
from sebridge_lite.experiments.account import NAME, accounted
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.extras.listening import LOUD, levelled
from sebridge_lite.measure import effects
from sebridge_lite.paper.evidence import evidence_claims
from sebridge_lite.paper.figures import FIXED, curves, use_style
from sebridge_lite.paper.published import NAMES, published
from sebridge_lite.report.claims import judged_run, read_table
from sebridge_lite.report.ledger import VERDICTS
from sebridge_lite.report.render import fonts, render, write
from sebridge_lite.report.site_clips import Group, collect
from sebridge_lite.stack.stack import Stack

MOST = 8_000_000  # bytes
TICKS = (60, 80, 100, 120, 150, 180, 220, 270, 330, 400, 480)  # Hz
OCTAVE, LEAST_SPAN, ROOM = 12, 8.0, 1.0  # semitones: the least that a drawing shows, and what is free above and below
BESIDE = ("dgsa", "sft-real")  # in the figure of erosion and repair


def png(figure: Figure, **how) -> bytes:
    """A figure as a picture, which is then closed."""
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None}, **how)
    plt.close(figure)
    return out.getvalue()


def mp3(sound: np.ndarray, rate: int) -> bytes:
    """The one compressed form that every browser plays, at its best variable rate, about 70 kbit/s."""
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0)
    return out.getvalue()


def pitch_range(tracks: Sequence[np.ndarray]) -> tuple[float, float]:
    """Semitones over 1 Hz that hold the pitch of all tracks."""
    voiced = np.concatenate([track[track > 0] for track in tracks])
    pitch = OCTAVE * np.log2(voiced) if len(voiced) else np.array([OCTAVE * np.log2(150.0)])
    middle, half = (pitch.max() + pitch.min()) / 2, max(np.ptp(pitch), LEAST_SPAN) / 2 + ROOM
    return middle - half, middle + half


def drawing(sound: np.ndarray, f0: np.ndarray, rate: int, kind: str, span: float, pitch: tuple[float, float]) -> bytes:
    """Pitch over the waveform, `span` seconds wide."""
    figure = Figure(figsize=(3.6, 1.0), dpi=100, layout="none")
    below, above = figure.add_axes((0, 0, 1, 1)), figure.add_axes((0, 0, 1, 1))
    seconds = len(sound) / rate
    loud = [np.abs(part).max(initial=0) for part in np.array_split(sound, max(1, round(150 * seconds / span)))]
    below.fill_between(np.linspace(0, seconds, len(loud)), np.negative(loud), loud, color="0.5", alpha=0.4, lw=0)
    below.set(xlim=(0, span), ylim=(-1.3, 1.3))
    low, high = pitch
    for hertz in TICKS:
        place = OCTAVE * np.log2(hertz)
        if low + 0.06 * (high - low) < place < high - 0.06 * (high - low):
            above.axhline(place, color="0.5", alpha=0.4, lw=0.6)
            above.text(span, place, f"{hertz} Hz", color="0.5", fontsize=6, ha="right", va="bottom")
    line = np.full(len(f0), np.nan)
    line[f0 > 0] = OCTAVE * np.log2(f0[f0 > 0])
    above.plot(np.linspace(0, seconds, len(f0), endpoint=False), line, color=FIXED[kind], lw=2.5)
    above.set(xlim=(0, span), ylim=pitch)
    for axis in (below, above):
        axis.axis("off")
    return png(figure, transparent=True)


def in_words(f0: np.ndarray, seconds: float) -> str:
    """A clip's drawing for those who do not see it."""
    voiced = f0[f0 > 0]
    if not len(voiced):
        return f"{seconds:.1f} s, without pitch"
    low, middle, high = np.percentile(voiced, [5, 50, 95])
    return f"{seconds:.1f} s, pitch around {middle:.0f} Hz, from {low:.0f} to {high:.0f} Hz"


def shown(group: Group, stack: Stack) -> dict:
    """A group as the template wants it: takes at one level, drawn to one scale, each with its sound."""
    rate = stack.sample_rate
    sounds = [levelled(take.sound, rate) for take in group.takes]
    tracks = [found.f0 for found in stack.tracks([torch.from_numpy(sound.astype(np.float32)) for sound in sounds])]
    span, pitch = max(map(len, sounds)) / rate, pitch_range(tracks)
    takes = [
        take._asdict()
        | {
            "picture": drawing(sound / max(np.abs(sound).max(), 1e-9), f0, rate, take.kind, span, pitch),
            "words": in_words(f0, len(sound) / rate),
            "mp3": mp3(sound, rate),
        }
        for take, sound, f0 in zip(group.takes, sounds, tracks, strict=True)
    ]
    return group._asdict() | {"takes": takes, "span": span}


def erosion_figure(tables: Mapping, alpha: float, lang: str) -> bytes | None:
    """Spread of F0 and word error over alpha, with aligned systems beside the SFT policies and recordings as lines."""
    named = {row["variant"]: row for row in tables.get("table3", [])}
    levels = {row["variant"]: row for row in tables.get("table5", []) if row["language"] == lang}
    rows = [row | {"system": "ours, SFT at each alpha"} for row in tables.get("table1", [])]
    if len(rows) < 2:
        return None
    beside = {METHODS["align"][name].label.replace("`", ""): named[name] for name in BESIDE if name in named}
    rows += [row | {"system": title, "alpha": alpha} for title, row in beside.items()]
    lines = {name: levels[name] for name in ("people", "engines") if name in levels}
    use_style()
    table, look = pd.DataFrame(rows).sort_values("alpha", kind="stable"), {"dots": list(beside), "size": (4, 3)}
    return png(curves(table, "alpha", ["f0_std", "wer"], by="system", levels=lines, **look), dpi=110)


def page_of(heard: Mapping, stack: Stack, summary: dict, claims: list[dict], params: Params, committed: bool) -> str:
    """The whole page; whatever comes from data is escaped by the template."""
    tables, alpha = summary["tables"], arm_of(params.align.arm).alpha
    loop = [row for row in tables.get("table4", []) if row["variant"] == "tdsc" and row.get("relative") is not None]
    said = {
        "dgsa": [effects.dgsa_sentence(row) for row in tables.get("finding", []) if row.get("hp") is not None],
        "tdsc": [effects.tdsc_sentence(pd.DataFrame(tables["table4"]))] if loop else [],
    }
    groups = {name: [shown(group, stack) for group in heard[name]] for name in ("erosion", "aligned", "tdsc", "cloned")}
    figure, systems = erosion_figure(tables, alpha, params.roles.dgsa), paths.results("systems", "table5_beside.csv")
    known = {"printed": published, "names": NAMES, "language": language, "methods": METHODS, "verdicts": VERDICTS}
    ours = {"summary": summary, "tables": tables, "claims": claims, "committed": committed, "params": params}
    made = {"figure": figure, "said": said, "groups": groups, "absent": heard["absent"], "systems": read_table(systems)}
    return render("site.html", **known, **ours, **made, alpha=alpha, fonts=fonts(), level=20 * np.log10(LOUD))


def run_site(params: Params, publish: bool = False) -> str:
    """Where the page is, and how large."""
    if publish and params.profile == "smoke":
        raise UserError("profile smoke: too small to publish; run lite or full")
    summary, claims = judged_run()
    if (made := summary["profile"]) != params.profile:
        raise UserError(f"results/claims is of profile {made}, params.yaml of {params.profile}; `dvc repro`")
    committed = bool(evidence_claims()) and all(row["verdict"] == "not tested" for row in claims)
    with accounted("site", paths.results("site", NAME), params):
        heard, stack = collect(params)
        page = page_of(heard, stack, summary, evidence_claims() if committed else claims, params, committed)
        if (size := len(page.encode())) > MOST:
            raise UserError(f"the page has {size:,} bytes, {MOST:,} are allowed; lower site.texts or site.people")
        path = write(paths.results("site", "index.html"), page)
    if publish:
        write(paths.results("site.html"), page)
    return f"site: {size / 1e6:.1f} MB, open {path}, or `sebridge listen`"
