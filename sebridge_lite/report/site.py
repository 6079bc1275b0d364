"""`sebridge site`: the listening page, one file that needs no network, in results/site/index.html.

With `--publish` also results/site.html, which git keeps. Sentences and people are chosen by their place in the test set alone,
never by ear or by score; of each policy its first training seed and sample. Left out: systems from outside, which others own.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import soundfile
import torch
from matplotlib.figure import Figure

from sebridge_lite.align.methods import METHODS
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance, read_manifest
from sebridge_lite.experiments import critique_scores
from sebridge_lite.experiments.account import NAME, accounted
from sebridge_lite.experiments.bench import Bench, load_bench
from sebridge_lite.experiments.cloning import Clone, clones, voices
from sebridge_lite.experiments.corpus import glosses
from sebridge_lite.experiments.critique import tdsc_bench
from sebridge_lite.experiments.floors import floor_scores, recorded_by
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.extras.listening import LOUD, levelled, said_by
from sebridge_lite.measure import effects
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.paper.evidence import evidence, evidence_claims
from sebridge_lite.paper.figures import FIXED, curves, use_style
from sebridge_lite.paper.published import NAMES, published
from sebridge_lite.report.claims import judged_run, read_table
from sebridge_lite.report.ledger import VERDICTS, decided
from sebridge_lite.report.render import fonts, png, render, write
from sebridge_lite.stack.stack import Stack

MOST = 8_000_000  # bytes
TICKS = (60, 80, 100, 120, 150, 180, 220, 270, 330, 400, 480)  # Hz
OCTAVE, LEAST_SPAN, ROOM = 12, 8.0, 1.0  # semitones: the least that a drawing shows, and what is free above and below
ALIGNED = ("sft", "dpo", "dgsa", "sft-real")
TITLES = {name: method.title.replace("`", "") for name, method in METHODS["align"].items()}  # a page is no Markdown
BESIDE = ("dgsa", "sft-real")  # in the figure of erosion and repair


class Take(NamedTuple):
    """One thing to hear."""

    label: str
    kind: str  # people, engine or ours
    sound: np.ndarray
    row: Mapping  # what the judge made of it, {} where it did not listen
    alpha: float | None = None


class Group(NamedTuple):
    """Takes to be compared; gloss: (word, in English)."""

    title: str
    lang: str
    gloss: Sequence[tuple[str, str]]
    takes: Sequence[Take]
    person: str = ""


def chosen(utterances: Sequence[Utterance], count: int, least_words: int) -> list[int]:
    """Places of the first sentences, in the test set's order, of at least so many words."""
    places = [place for place, utterance in enumerate(utterances) if len(utterance.words) >= least_words][:count]
    if not places:
        raise UserError(f"test set: no sentence of {least_words} words for the page; lower site.least_words")
    return places


def group_of(title: str, bench: Bench, place: int, takes: Sequence[Take], person: str = "") -> Group:
    return Group(title, bench.lang, glosses(bench.utterances("test")[place].words, bench.lang), takes, person)


def row_of(scores: Scores, name: str) -> dict:
    """What the judge made of one text."""
    return scores.table[scores.table["id"] == name].iloc[0].to_dict()


def recordings(bench: Bench, place: int) -> list[Take]:
    """A test sentence as a person says it, and as an engine does where the studio's spoke."""
    text, folder = bench.utterances("test")[place], paths.artifacts("floors", bench.lang)
    label = "a studio person, recorded" if text.kind == "people" else "recorded"
    heard = [("people", label, text, bench.folder("test"))]
    if floor_scores(bench, "engines-recorded"):
        spoken = read_manifest(folder / "engine-test.jsonl")[place]
        heard.append(("engines", "an engine, in its own voice", spoken, folder))
    takes = []
    for kind, label, said, where in heard:
        row = row_of(recorded_by(bench, kind), said.id)
        takes.append(Take(label, kind.replace("engines", "engine"), bench.stack.load([said], where)[0].numpy(), row))
    return takes


def takes_of(bench: Bench, scores: Scores, places: Sequence[int], label: str, alpha: float | None = None) -> list[Take]:
    """A system's take of each sentence, as the judge heard it."""
    sounds = said_by(bench, scores, places, bench.params.cells.seeds[0])
    rows = [row_of(scores, bench.utterances("test")[place].id) for place in places]
    return [Take(label, "ours", sound, row, alpha) for sound, row in zip(sounds, rows, strict=True)]


def erosion(bench: Bench, places: Sequence[int]) -> tuple[list[Group], list[str]]:
    """One sentence by the policy of each alpha; and the paper's ratios that this run has not."""
    params, place, takes = bench.params, places[0], []
    arms = {arm_of(name).alpha: name for name in params.cells.arms if arm_of(name).design == "additive"}
    for alpha, name in sorted(arms.items()):
        scores = bench.scored("sft", name, params.cells.seeds[0])[0]
        takes += takes_of(bench, scores, [place], f"alpha {alpha:.2f}", alpha)
    absent = [f"alpha {alpha:.2f}" for alpha in params.corpus.alphas if alpha not in arms]
    return [group_of("The same sentence and voice", bench, place, [*takes, *recordings(bench, place)])], absent


def aligned(bench: Bench, places: Sequence[int]) -> tuple[list[Group], list[str]]:
    """Each sentence by SFT and what became of it, beside the recording; and what this run has not."""
    titles = {name: TITLES[name] for name in ALIGNED}
    there, seed = [name for name in titles if name in bench.params.cells.aligned], bench.params.cells.seeds[0]
    heat = bench.params.score.temperature
    heard = {titles.pop(name): bench.scored("align", name, seed, heat)[0] for name in there}
    return sentences(bench, places, heard, recorded=1), list(titles.values())


def criticised(bench: Bench, places: Sequence[int]) -> tuple[list[Group], list[str]]:
    """Each sentence after 0, 1, ... iterations of TDSC, beside recordings."""
    if "tdsc" not in bench.params.cells.critique:
        return [], ["TDSC"]
    history = critique_scores.history(bench, "tdsc", bench.params.cells.seeds[0])
    heard = {f"k{k}" if k else "k0, the start": scores for k, (scores, _) in enumerate(history)}
    return sentences(bench, places, heard, recorded=2), []


def sentences(bench: Bench, places: Sequence[int], heard: Mapping[str, Scores], recorded: int) -> list[Group]:
    """Each sentence by every system, by its label, beside so many recordings."""
    systems = [takes_of(bench, scores, places, label) for label, scores in heard.items()]
    return [
        group_of(f"Sentence {number}", bench, place, [*recordings(bench, place)[:recorded], *takes])
        for number, (place, *takes) in enumerate(zip(places, *systems, strict=True), 1)
    ]


def cloned(bench: Bench, policy: str, voice: str, people: Sequence[str] | None = None) -> list[Group]:
    """For each person: the reference in `voice`'s language, their recording, and the clone. people: who, else the first"""
    p, site, seed = bench.params.systems, bench.params.site, bench.params.cells.seeds[0]
    clone, texts = Clone(policy, True, p.reference, voice), bench.utterances("test")[: p.texts]
    rows: dict[str, int] = {}
    for place, text in enumerate(texts):
        if len(text.words) >= site.least_words and text.speaker in (people or [text.speaker]):
            rows.setdefault(text.speaker, place)
    places = list(rows.values())[: site.people]
    scores, given, heard = clones(bench, clone, seed), voices(bench, clone), recorded_by(bench, "people")
    noises = [seed_of(seed, "sound", texts[place].id, 0) for place in places]
    made = bench.stack.speak([scores.codes[place] for place in places], given.timbres[places], noises)
    read = bench.stack.load([texts[place] for place in places], bench.folder("test"))
    groups = []
    for place, sound, recording in zip(places, made, read, strict=True):
        text, studio = texts[place], texts[place].kind == "people"
        name = f"Studio person {text.speaker.rpartition('-')[2]}" if studio else f"Speaker {text.speaker}"
        takes = [Take(f"reference, {language(voice).name}", "people", given.sounds[place].numpy(), {})]
        takes.append(Take("the person's recording", "people", recording.numpy(), row_of(heard, text.id)))
        takes.append(Take("clone", "ours", sound.numpy(), row_of(scores, text.id)))
        groups.append(group_of(f"{name}, in {language(bench.lang).name}", bench, place, takes, text.speaker))
    return groups


def collect(params: Params) -> tuple[dict, Stack]:
    """All groups by section, what is absent from each, and the stack that speaks."""
    p, bench = params.site, load_bench(params)
    places = chosen(bench.utterances("test"), p.texts, p.least_words)
    (scale, no_scale), (repair, no_repair) = erosion(bench, places), aligned(bench, places)
    people, loop, no_loop = cloned(bench, "dgsa", bench.lang), list[Group](), ["a second language"]
    if params.roles.tdsc != "none":
        second = tdsc_bench(params)
        loop, no_loop = criticised(second, chosen(second.utterances("test"), p.texts, p.least_words))
        names = [group.person for group in people]
        people += cloned(second, "tdsc", bench.lang, names)
        people.sort(key=lambda group: names.index(group.person))
    heard = {"erosion": scale, "aligned": repair, "tdsc": loop, "cloned": people}
    return heard | {"absent": {"erosion": no_scale, "aligned": no_repair, "tdsc": no_loop}}, bench.stack


def mp3(sound: np.ndarray, rate: int) -> bytes:
    """The one compressed form that every browser plays, at its best variable rate, about 70 kbit/s."""
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0)
    return out.getvalue()


def pitch_range(tracks: Sequence[np.ndarray]) -> tuple[float, float]:
    """Semitones over 1 Hz that hold the pitch of all tracks."""
    voiced = np.concatenate([track[track > 0] for track in tracks])
    pitch = OCTAVE * np.log2(voiced if len(voiced) else [150.0])
    middle, half = (pitch.max() + pitch.min()) / 2, max(np.ptp(pitch), LEAST_SPAN) / 2 + ROOM
    return middle - half, middle + half


def drawing(sound: np.ndarray, f0: np.ndarray, rate: int, kind: str, span: float, pitch: tuple[float, float]) -> bytes:
    """Pitch over the waveform, `span` seconds wide."""
    figure = Figure(figsize=(3.6, 1.0), dpi=100, layout="none")  # type: ignore[arg-type]  # the stubs lack it
    axis, seconds = figure.add_axes((0, 0, 1, 1)), len(sound) / rate
    middle, height = np.mean(pitch), np.ptp(pitch)
    parts = np.array_split(sound, max(1, round(150 * seconds / span)))
    loud = np.array([np.abs(part).max(initial=0) for part in parts]) * height / 2.6
    axis.fill_between(np.linspace(0, seconds, len(loud)), middle - loud, middle + loud, color="0.5", alpha=0.4, lw=0)
    for hertz in TICKS:
        if abs(OCTAVE * np.log2(hertz) - middle) < 0.44 * height:
            axis.axhline(OCTAVE * np.log2(hertz), color="0.5", alpha=0.4, lw=0.6)
            axis.text(span, OCTAVE * np.log2(hertz), f"{hertz} Hz", color="0.5", fontsize=6, ha="right", va="bottom")
    line, times = OCTAVE * np.log2(np.where(f0 > 0, f0, np.nan)), np.linspace(0, seconds, len(f0), endpoint=False)
    axis.plot(times, line, color=FIXED[kind], lw=2.5)
    axis.set(xlim=(0, span), ylim=pitch)
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
    rate, takes = stack.sample_rate, []
    sounds = [levelled(take.sound, rate) for take in group.takes]
    tracks = [found.f0 for found in stack.tracks_of_each([torch.from_numpy(sound).float() for sound in sounds])]
    span, pitch = max(map(len, sounds)) / rate, pitch_range(tracks)
    for take, sound, f0 in zip(group.takes, sounds, tracks, strict=True):
        picture = drawing(sound / max(np.abs(sound).max(), 1e-9), f0, rate, take.kind, span, pitch)
        facts = {"picture": picture, "words": in_words(f0, len(sound) / rate), "mp3": mp3(sound, rate)}
        takes.append(take._asdict() | facts)
    return group._asdict() | {"takes": takes, "span": span}


def erosion_figures(tables: Mapping, alpha: float, lang: str, speakers: Mapping[str, str]) -> dict[str, bytes]:
    """Spread of F0, and word error, over alpha, with aligned systems beside the SFT policies and recordings as lines."""
    named = {row["variant"]: row for row in tables.get("table3", [])}
    levels = {row["variant"]: row for row in tables.get("table5", []) if row["language"] == lang}
    rows = [row | {"system": "ours, SFT at each alpha"} for row in tables.get("table1", [])]
    if len(rows) < 2:
        return {}
    beside = {METHODS["align"][name].label.replace("`", ""): named[name] for name in BESIDE if name in named}
    rows += [row | {"system": title, "alpha": alpha} for title, row in beside.items()]
    lines = {title: levels[name] for name, title in speakers.items() if name in levels}
    use_style()
    table = pd.DataFrame(rows).sort_values("alpha", kind="stable")
    how: dict[str, Any] = {"by": "system", "levels": lines, "dots": list(beside), "size": (4, 3.2)}
    return {name: png(curves(table, "alpha", [name], **how), dpi=110) for name in ("f0_std", "wer")}


def page_of(heard: Mapping, stack: Stack, summary: dict, claims: list[dict], params: Params, committed: bool) -> str:
    """The whole page; whatever comes from data is escaped by the template."""
    tables = (evidence() if committed else summary)["tables"]
    alpha = arm_of(params.align.arm).alpha
    loop = [row for row in tables.get("table4", []) if row["variant"] == "tdsc" and row.get("relative") is not None]
    said = {
        "dgsa": [effects.dgsa_sentence(row) for row in tables.get("finding", []) if row.get("hp") is not None],
        "tdsc": [effects.tdsc_sentence(pd.DataFrame(tables["table4"]))] if loop else [],
    }
    groups = {name: [shown(group, stack) for group in heard[name]] for name in ("erosion", "aligned", "tdsc", "cloned")}
    systems = read_table(paths.results("systems", "table5_beside.csv"))
    known = {"printed": published, "names": NAMES, "language": language, "titles": TITLES, "verdicts": VERDICTS}
    ours = {"summary": summary, "tables": tables, "claims": claims, "committed": committed, "params": params}
    speakers = {"people": "studio people" if params.stack == "studio" else "people", "engines": "engines"}
    figures = erosion_figures(tables, alpha, params.roles.dgsa, speakers)
    made = {"figures": figures, "speakers": speakers, "said": said, "groups": groups}
    made |= {"absent": heard["absent"], "systems": systems}
    return render("site.html", **known, **ours, **made, alpha=alpha, fonts=fonts(), level=20 * np.log10(LOUD))


def run_site(params: Params, publish: bool = False) -> str:
    """Where the page is, and how large."""
    if publish and params.profile == "smoke":
        raise UserError("profile smoke: too small to publish; run lite or full")
    summary, claims = judged_run()
    if (made := summary["profile"]) != params.profile:
        raise UserError(f"results/claims is of profile {made}, params.yaml of {params.profile}; `dvc repro`")
    committed = bool(evidence_claims()) and not decided(claims)
    with accounted("site", paths.results("site", NAME), params):
        heard, stack = collect(params)
        page = page_of(heard, stack, summary, evidence_claims() if committed else claims, params, committed)
        if (size := len(page.encode())) > MOST:
            raise UserError(f"the page has {size:,} bytes, {MOST:,} are allowed; lower site.texts or site.people")
        path = write(paths.results("site", "index.html"), page)
    if publish:
        write(paths.results("site.html"), page)
    return f"site: {size / 1e6:.1f} MB, open {path}, or `sebridge listen`"
