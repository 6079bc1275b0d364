"""What the listening page lets one hear, found where the studies left it: the same sentences by every system that this run has.

Sentences and people are chosen by their place in the test set alone (`chosen`), never by ear or by score, and of each policy its
first training seed and first sample is taken. Left out: making a policy that is not there; `Heard.absent` names it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.manifest import Utterance, read_manifest
from sebridge_lite.experiments import alignment, critique
from sebridge_lite.experiments.cloning import Clone, clones, room
from sebridge_lite.experiments.corpus import load_sets
from sebridge_lite.experiments.policies import Bench, arm_of, load_bench, policy_folder
from sebridge_lite.experiments.systems import pair_of, recorded
from sebridge_lite.extras.listening_items import said_by
from sebridge_lite.measure.cloning import voices_of
from sebridge_lite.measure.evaluate import Scores, speak
from sebridge_lite.measure.saved import current, load_scores
from sebridge_lite.measure.scoring import load_sounds
from sebridge_lite.paper.systems_figures import LANGUAGES
from sebridge_lite.studio.texts import load_language

ALIGNED = {"sft": "SFT", "dpo": "DPO", "dgsa": "DGSA", "sft-real": "SFT on y_real (ours)"}
RECORDED = {"people": "a studio person, recorded", "recording": "recorded"}  # by kind of utterance
ENGINE = "an engine, in its own voice"


class Take(NamedTuple):
    """One thing to hear. kind: people, engine or ours; row: what the judge found in it, {} where it did not listen."""

    label: str
    kind: str
    sound: np.ndarray
    row: Mapping
    alpha: float | None = None


class Group(NamedTuple):
    """Takes to be compared; gloss: (word, in English)."""

    title: str
    lang: str
    text: str
    gloss: Sequence[tuple[str, str]]
    takes: Sequence[Take]
    person: str = ""


class Heard(NamedTuple):
    erosion: Sequence[Group]
    aligned: Sequence[Group]
    tdsc: Sequence[Group]
    cloned: Sequence[Group]
    absent: Mapping[str, Sequence[str]]  # of each, what this run does not have


def chosen(utterances: Sequence[Utterance], count: int, least_words: int) -> list[int]:
    """Places of the first sentences, in the test set's own order, of at least so many words."""
    found = [place for place, utterance in enumerate(utterances) if len(utterance.words) >= least_words][:count]
    if not found:
        raise UserError(
            f"test set: no sentence of {least_words} words for the page; lower site.least_words in params.yaml"
        )
    return found


def group_of(title: str, lang: str, utterance: Utterance, takes: Sequence[Take], person: str = "") -> Group:
    lexicon = load_language(lang).lexicon
    gloss = [(word, lexicon[word].gloss if word in lexicon else "") for word in utterance.words]
    return Group(title, lang, utterance.text, gloss, takes, person)


def row_of(scores: Scores, name: str) -> dict:
    table: pd.DataFrame = scores.table
    return table[table["id"] == name].iloc[0].to_dict()


def recordings(bench: Bench, place: int) -> list[Take]:
    """A test sentence as a person says it, and as an engine does where the studio's spoke."""
    found, own = recorded(bench), bench.sets["test"][place]
    takes = [
        Take(
            RECORDED.get(own.kind, own.kind),
            "people",
            load_sounds([own], bench.folder)[0].numpy(),
            row_of(found["people"], own.id),
        )
    ]
    folder = paths.artifacts("speech_tokens", bench.lang)
    if "engines" in found:
        engine = read_manifest(folder / "engine-test.jsonl")[place]
        takes.append(Take(ENGINE, "engine", load_sounds([engine], folder)[0].numpy(), row_of(found["engines"], own.id)))
    return takes


def said(
    bench: Bench, scores: Scores, places: Sequence[int], seed: int, label: str, alpha: float | None = None
) -> list[Take]:
    """A system's take of each sentence, as the judge heard it."""
    sounds, names = said_by(bench, scores, places, seed), [bench.sets["test"][place].id for place in places]
    return [Take(label, "ours", sound, row_of(scores, name), alpha) for sound, name in zip(sounds, names, strict=True)]


def erosion(bench: Bench, places: Sequence[int], params: Params) -> tuple[list[Group], list[str]]:
    """One sentence by the policy of each alpha; and the paper's ratios that this run has not."""
    seed, codes = params.cells.seeds[0], bench.stack.codes
    arms = sorted((arm_of(name).alpha, name) for name in params.cells.arms if arm_of(name).design == "additive")
    takes, key = [], key_of(params.sft, params.sampling)
    for alpha, name in arms:
        folder = policy_folder(name, seed)
        if current(folder / "summary.json", key):
            takes += said(bench, load_scores(folder, codes)[0], places[:1], seed, f"alpha {alpha:.2f}", alpha)
    has = {take.alpha for take in takes}
    absent = [f"alpha {alpha:.2f}" for alpha in params.corpus.alphas if alpha not in has]
    own = bench.sets["test"][places[0]]
    return [group_of("The same sentence and voice", bench.lang, own, [*takes, *recordings(bench, places[0])])], absent


def aligned(bench: Bench, places: Sequence[int], params: Params) -> tuple[list[Group], list[str]]:
    """Each sentence by SFT and what became of it, beside the recording."""
    seed, key = params.cells.seeds[0], alignment.settings_key(params)
    by_place, absent = [recordings(bench, place)[:1] for place in places], []
    for name, label in ALIGNED.items():
        folder = paths.artifacts("align", f"{name}-s{seed}")
        if not current(folder / "summary.json", key):
            absent.append(label)
            continue
        scores = load_scores(folder, bench.stack.codes)[0]
        for takes, take in zip(by_place, said(bench, scores, places, seed, label), strict=True):
            takes.append(take)
    return _numbered(bench, places, by_place), absent


def criticised(bench: Bench, places: Sequence[int], params: Params) -> tuple[list[Group], list[str]]:
    """Each sentence after 0, 1, ... iterations of TDSC, beside recordings."""
    seed, by_place = params.cells.seeds[0], [recordings(bench, place) for place in places]
    if not critique.made("tdsc", seed, params):
        return [], ["TDSC"]
    for k, (scores, _) in enumerate(critique.history(bench, "tdsc", seed)):
        label = f"k{k}" if k else "k0, the start"
        for takes, take in zip(by_place, said(bench, scores, places, seed, label), strict=True):
            takes.append(take)
    return _numbered(bench, places, by_place), []


def _numbered(bench: Bench, places: Sequence[int], by_place: Sequence[list[Take]]) -> list[Group]:
    test = bench.sets["test"]
    return [group_of(f"Sentence {number}", bench.lang, test[place], takes)
            for number, (place, takes) in enumerate(zip(places, by_place, strict=True), 1)]  # fmt: skip


def people_of(texts: Sequence[Utterance], wanted: Sequence[str] | int, least_words: int) -> dict[str, int]:
    """The first sentence of so many words of each person wanted, or of the first so many people."""
    found: dict[str, int] = {}
    for place, utterance in enumerate(texts):
        if len(utterance.words) >= least_words:
            found.setdefault(utterance.speaker, place)
    if isinstance(wanted, int):
        return dict(list(found.items())[:wanted])
    return {name: found[name] for name in wanted if name in found}


def cloned(bench: Bench, voice: str, wanted: Sequence[str] | int, params: Params) -> list[Group]:
    """For each person: the reference in `voice`'s language, their own recording, and the clone. Whether clones on disk are of
    these weights the systems stage has checked; to do so again takes every reference of the test set."""
    p, seed = params.systems, params.cells.seeds[0]
    clone = Clone(pair_of(bench.lang, params)[1], True, p.reference, voice)
    folder = paths.artifacts("cloning", bench.lang, f"{clone.name}-s{seed}")
    if not (folder / "summary.json").is_file():
        clones(room(bench, params), clone, seed, params)
    scores, own = load_scores(folder, bench.stack.codes)[0], recorded(bench)["people"]
    texts = bench.sets["test"][: p.texts]
    rows = people_of(texts, wanted, params.site.least_words)
    places, home = list(rows.values()), paths.artifacts("corpus", voice)
    pool = load_sets(home)["test"]
    first = texts[
        : max(places, default=-1) + 1
    ]  # a reference follows from its text's place, so those before it come along
    given = voices_of(bench.stack, first, pool, load_sounds(pool, home), p.reference)
    noises = [seed_of(seed, "sound", texts[place].id, 0) for place in places]
    made = speak(bench.stack, [scores.codes[place] for place in places], given.timbres[places], noises)
    groups = []
    for (name, place), sound, read in zip(
        rows.items(), made, load_sounds([texts[i] for i in places], bench.folder), strict=True
    ):
        utterance = texts[place]
        who = f"Studio person {name.rpartition('-')[2]}" if utterance.kind == "people" else f"Speaker {name}"
        title = f"{who}, in {LANGUAGES.get(bench.lang, bench.lang)}"
        takes = [Take(f"reference, {LANGUAGES.get(voice, voice)}", "people", given.sounds[place].numpy(), {}),
                 Take("the person's own recording", "people", read.numpy(), row_of(own, utterance.id)),
                 Take("clone", "ours", sound.numpy(), row_of(scores, utterance.id))]  # fmt: skip
        groups.append(group_of(title, bench.lang, utterance, takes, name))
    return groups


def collect(params: Params) -> Heard:
    """All of it, from the run whose parameters these are."""
    p, first = params.site, load_bench(params.roles.dgsa)
    places = chosen(first.sets["test"], p.texts, p.least_words)
    scale, no_scale = erosion(first, places, params)
    repair, no_repair = aligned(first, places, params)
    people, loop, no_loop = cloned(first, first.lang, p.people, params), [], ["a second language"]
    if params.roles.tdsc != "none":
        second = critique.second_bench(params)
        loop, no_loop = criticised(second, chosen(second.sets["test"], p.texts, p.least_words), params)
        names = [group.person for group in people]
        foreign = cloned(second, first.lang, names, params)
        people = sorted([*people, *foreign], key=lambda group: names.index(group.person))
    return Heard(scale, repair, loop, people, {"erosion": no_scale, "aligned": no_repair, "tdsc": no_loop})
