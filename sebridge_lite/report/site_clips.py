"""What the listening page lets one hear: the same sentences by every system that this run has.

Sentences and people are chosen by their place in the test set alone (`chosen`), never by ear or by score, and of each policy its
first training seed and first sample is taken.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sebridge_lite.align.methods import METHODS
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance, read_manifest
from sebridge_lite.experiments import choose, critique_scores, score
from sebridge_lite.experiments.bench import Bench, load_bench
from sebridge_lite.experiments.cloning import Clone, clones, voices
from sebridge_lite.experiments.corpus import glosses
from sebridge_lite.experiments.critique import tdsc_bench
from sebridge_lite.experiments.floors import floor_scores
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.extras.listening_items import said_by
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.stack.stack import Stack

ALIGNED = ("sft", "dpo", "dgsa", "sft-real")


class Take(NamedTuple):
    """One thing to hear. kind: people, engine or ours; row: what the judge made of it, {} where it did not listen."""

    label: str
    kind: str
    sound: np.ndarray
    row: Mapping
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
    """The takes of a test sentence."""
    return Group(title, bench.lang, glosses(bench.utterances("test")[place].words, bench.lang), takes, person)


def row_of(scores: Scores, name: str) -> dict:
    """What the judge made of one text."""
    return scores.table[scores.table["id"] == name].iloc[0].to_dict()


def recordings(bench: Bench, place: int) -> list[Take]:
    """A test sentence as a person says it, and as an engine does where the studio's spoke."""
    text, takes = bench.utterances("test")[place], []
    people, engines = (floor_scores(bench, f"{kind}-recorded") for kind in ("people", "engines"))
    label = "a studio person, recorded" if text.kind == "people" else "recorded"
    (sound,) = bench.stack.load([text], bench.folder("test"))
    takes.append(Take(label, "people", sound.numpy(), row_of(people[0], text.id)))
    if engines:
        folder = paths.artifacts("floors", bench.lang)
        spoken = read_manifest(folder / "engine-test.jsonl")[place]
        (sound,) = bench.stack.load([spoken], folder)
        takes.append(Take("an engine, in its own voice", "engine", sound.numpy(), row_of(engines[0], spoken.id)))
    return takes


def said(bench: Bench, scores: Scores, places: Sequence[int], label: str, alpha: float | None = None) -> list[Take]:
    """A system's take of each sentence, as the judge heard it."""
    sounds = said_by(bench, scores, places, bench.params.cells.seeds[0])
    rows = [row_of(scores, bench.utterances("test")[place].id) for place in places]
    return [Take(label, "ours", sound, row, alpha) for sound, row in zip(sounds, rows, strict=True)]


def erosion(bench: Bench, places: Sequence[int]) -> tuple[list[Group], list[str]]:
    """One sentence by the policy of each alpha; and the paper's ratios that this run has not."""
    params, place = bench.params, places[0]
    arms = sorted((arm_of(name).alpha, name) for name in params.cells.arms if arm_of(name).design == "additive")
    takes = []
    for alpha, name in arms:
        scores, _ = score.sft_scores(bench, name, params.cells.seeds[0])
        takes += said(bench, scores, [place], f"alpha {alpha:.2f}", alpha)
    absent = [f"alpha {alpha:.2f}" for alpha in params.corpus.alphas if alpha not in dict(arms)]
    return [group_of("The same sentence and voice", bench, place, [*takes, *recordings(bench, place)])], absent


def aligned(bench: Bench, places: Sequence[int]) -> tuple[list[Group], list[str]]:
    """Each sentence by SFT and what became of it, beside the recording; and what this run has not."""
    titles = {name: METHODS["align"][name].title for name in ALIGNED}
    there, seed = [name for name in titles if name in bench.params.cells.aligned], bench.params.cells.seeds[0]
    heard = {titles.pop(name): choose.aligned_scores(bench, name, seed)[0] for name in there}
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
    systems = [said(bench, scores, places, label) for label, scores in heard.items()]
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
        if len(text.words) >= site.least_words and (people is None or text.speaker in people):
            rows.setdefault(text.speaker, place)
    places = list(rows.values())[: site.people]
    scores, given, heard = clones(bench, clone, seed), voices(bench, clone), floor_scores(bench, "people-recorded")[0]
    noises = [seed_of(seed, "sound", texts[place].id, 0) for place in places]
    made = bench.stack.speak([scores.codes[place] for place in places], given.timbres[places], noises)
    read = bench.stack.load([texts[place] for place in places], bench.folder("test"))
    groups = []
    for place, sound, recording in zip(places, made, read, strict=True):
        text, studio = texts[place], texts[place].kind == "people"
        name = f"Studio person {text.speaker.rpartition('-')[2]}" if studio else f"Speaker {text.speaker}"
        reference = Take(f"reference, {language(voice).name}", "people", given.sounds[place].numpy(), {})
        person = Take("the person's recording", "people", recording.numpy(), row_of(heard, text.id))
        clip = Take("clone", "ours", sound.numpy(), row_of(scores, text.id))
        title = f"{name}, in {language(bench.lang).name}"
        groups.append(group_of(title, bench, place, [reference, person, clip], text.speaker))
    return groups


def collect(params: Params) -> tuple[dict, Stack]:
    """All groups by section, what is absent from each, and the stack that speaks."""
    p, bench = params.site, load_bench(params)
    places = chosen(bench.utterances("test"), p.texts, p.least_words)
    (scale, no_scale), (repair, no_repair) = erosion(bench, places), aligned(bench, places)
    people, loop, no_loop = cloned(bench, "dgsa", bench.lang), [], ["a second language"]
    if params.roles.tdsc != "none":
        second = tdsc_bench(params)
        loop, no_loop = criticised(second, chosen(second.utterances("test"), p.texts, p.least_words))
        names = [group.person for group in people]
        foreign = cloned(second, "tdsc", bench.lang, names)
        people = sorted([*people, *foreign], key=lambda group: names.index(group.person))
    absent = {"erosion": no_scale, "aligned": no_repair, "tdsc": no_loop}
    return {"erosion": scale, "aligned": repair, "tdsc": loop, "cloned": people, "absent": absent}, bench.stack
