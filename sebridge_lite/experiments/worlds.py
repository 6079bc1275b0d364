"""`sebridge worlds`: policies of worlds with other engines or other texts. Does Hp peak where their corpora say it should?

    studio    the study's own, whose policies serve where their settings agree
    flat      its engines with `worlds.flat` of people's pitch range
    lively    its engines with `worlds.lively` of it
    one       all by its first engine
    narrow    people keep to the commonest `worlds.narrow` of the lexicon, engines do not: the text gives the source away
artifacts/worlds/KIND/speech/               utterances and tokens of what differs from the corpus; no sound
artifacts/worlds/KIND/ALPHA-sSEED/DOMAIN/   what a policy said of the texts of a domain: scores, codes; no weights

Nothing is decoded, so word error is the selecting judge's, of tokens. Left out: worlds whose people differ.
"""

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import pandas as pd
from torch import Tensor

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.core.workers import workers
from sebridge_lite.data.codes import codes_for, read_codes, write_codes
from sebridge_lite.data.manifest import Utterance, read_manifest, write_manifest
from sebridge_lite.data.mixing import mix, seconds_of
from sebridge_lite.experiments.corpus import SPEED, studio_real, take_seconds
from sebridge_lite.experiments.encode import AT_ONCE
from sebridge_lite.experiments.examine_parts import heard
from sebridge_lite.experiments.material import lm_examples
from sebridge_lite.experiments.phase import mixture_of, natural_range, with_range
from sebridge_lite.experiments.policies import Bench, policy_folder, sampler_of
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import generate
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.evaluate import Scores, rate
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.measure.saved import current, load_scores, save_scores
from sebridge_lite.measure.scoring import unless_empty
from sebridge_lite.measure.worlds import over_alpha, peak_row
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.stack import Stack, load_part, pretrained_folder
from sebridge_lite.studio.studio import Line, Recording, crew, lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences
from sebridge_lite.studio.voices import Voice, engines, people


def kinds_of(params: Params) -> list[str]:
    """The worlds of this profile; none where the speech is your own, for whose engines nothing can stand in."""
    studio = params.corpus.real_source == params.corpus.synthetic_source == "studio"
    return [kind for kind in params.cells.worlds if kind != "none" and studio]


def stand_ins(kind: str, params: Params) -> dict[str, Voice]:
    """Who speaks in place of each of the study's engines."""
    own = engines("main", params.corpus.engines)
    if kind == "one":
        return {voice.id: own[0] for voice in own}
    wide = natural_range(people("train", params.corpus.people)) * getattr(params.worlds, kind)
    return {voice.id: with_range(voice, wide) for voice in own}


def said_again(utterances: Sequence[Utterance], lang: str, voices: Mapping[str, Voice]) -> Iterator[Line]:
    """The same sentences in the same order, by `voices[speaker]`."""
    lexicon = load_language(lang).lexicon
    for u in utterances:
        yield Line(u.id, tuple(lexicon[word] for word in u.words), u.words, voices[u.speaker], lang, 0.0)


def recordings(kind: str, bench: Bench, params: Params, pool) -> dict[str, Iterable[Recording]]:
    """The sets in which a world differs from the corpus; `narrow` also gets a test set of its texts."""
    lang, seed, corpus, p = bench.lang, params.seed, params.corpus, params.worlds
    if kind != "narrow":
        again = said_again(bench.sets["synthetic"], lang, stand_ins(kind, params))
        lines = progress(again, f"{kind} synthetic", "utterance", len(bench.sets["synthetic"]))
        return {"synthetic": record_all(lines, seed, pool)}
    # Without the crew, which would ask for sentences ahead: these are found by trying, one in several hundred.
    real = studio_real(lang, replace(corpus, real_vocabulary=p.narrow), seed)
    said = islice(sentences(load_language(lang, corpus.zipf), "test", seed, p.narrow), corpus.test_texts)
    lines = lines_of("narrow", lang, said, people("unseen", corpus.unseen_people), seed)
    test = record_all(progress(lines, "narrow test", "utterance", corpus.test_texts), seed)
    return {"real": take_seconds(real, corpus.real_minutes * 60, "narrow real"), "narrow": test}


def encoded(stack: Stack, said: Iterable[Recording], folder: Path, name: str) -> None:
    utterances, codes, stream = [], [], iter(said)
    while some := list(islice(stream, AT_ONCE)):
        codes += stack.tokens(heard(some).sounds)
        utterances += [replace(one.utterance, path="none", truth=None) for one in some]
    write_manifest(folder / f"{name}.jsonl", utterances)
    write_codes(folder / f"{name}.safetensors", [utterance.id for utterance in utterances], codes)


def world(kind: str, bench: Bench, params: Params) -> Bench:
    """The bench of another world. Its speech is rendered once, in a minute or two."""
    if kind == "studio":
        return bench
    folder = paths.artifacts("worlds", kind, "speech")
    known = [bench.codes[utterance.id] for utterance in bench.sets["synthetic"]]
    settings = key_of(params.seed, params.corpus, getattr(params.worlds, kind, ""), *known)
    if not current(folder / "about.json", settings):
        seconds = 0.0 if kind == "narrow" else seconds_of(bench.sets["synthetic"])
        with paths.replacing(folder) as temporary, crew(workers(seconds / SPEED)) as pool:
            temporary.mkdir(parents=True)
            for name, said in recordings(kind, bench, params, pool).items():
                encoded(bench.stack, said, temporary, name)
            (temporary / "about.json").write_text(json.dumps({"settings": settings}) + "\n", encoding="utf-8")
    sets = {path.stem: read_manifest(path) for path in sorted(folder.glob("*.jsonl"))}
    codes = {id: row for name in sets for id, row in read_codes(folder / f"{name}.safetensors").items()}
    return bench._replace(sets=bench.sets | sets, codes=bench.codes | codes)


def spoken(bench: Bench, model: TextSpeechLM, texts: Sequence[Utterance], params: Params, seed: int) -> list[Tensor]:
    """As `evaluate` samples them."""
    characters = [CharVocab().encode(utterance.text) for utterance in texts]
    own = [seed_of(seed, "tokens", utterance.id) for utterance in texts]
    nothing = [text[:0] for text in characters]
    return [row for (row,) in generate(model, characters, nothing, sampler_of(params.sampling, seed), row_seeds=own)]


def as_read(bench: Bench, codes: list[Tensor], texts: Sequence[Utterance], seed: int) -> Scores:
    read = unless_empty(lambda some: bench.stack.read([codes[i] for i in some], bench.lang), codes, [])
    wrong, words = word_errors([utterance.words for utterance in texts], read)
    table = pd.DataFrame({"id": [utterance.id for utterance in texts], "words_wrong": wrong, "words": words})
    counts = token_counts(codes, bench.stack.codes)
    return Scores(table, counts, codes, {"hp": jackknife(counts), "wer_tokens": rate([table], "wer", seed)})


def of_the_study(alpha: float, seed: int, settings: str, texts: Sequence[Utterance], codes: int) -> list[Tensor] | None:
    """What the study's own policy said, if it is there, of these settings and of these texts."""
    folder = policy_folder(f"additive-{alpha:.2f}", seed)
    if not current(folder / "summary.json", settings):
        return None
    scores = load_scores(folder, codes)[0]
    return scores.codes if scores.table["id"].tolist() == [utterance.id for utterance in texts] else None


def tests_of(bench: Bench) -> dict[str, list[Utterance]]:
    """The domains of texts: the whole lexicon, and in the narrow world its own."""
    return {"whole": bench.sets["test"]} | {name: bench.sets[name] for name in bench.sets if name == "narrow"}


def cell(bench: Bench, kind: str, alpha: float, seed: int, params: Params) -> dict[str, Scores]:
    """What the policy of one world, alpha and seed says of each domain of texts; trained where it is not there."""
    codes, tests, start = bench.stack.codes, tests_of(bench), time.perf_counter()
    sft = replace(params.sft, steps=params.worlds.steps)
    ours = of_the_study(alpha, seed, key_of(sft, params.sampling), tests["whole"], codes) if kind == "studio" else None
    if ours:
        return {"whole": as_read(bench, ours, tests["whole"], seed)}
    utterances = mix(bench.sets["real"], bench.sets["synthetic"], alpha, seed)
    examples = lm_examples([u.text for u in utterances], codes_for(utterances, bench.codes))
    model, asked = load_part("backbone", pretrained_folder()), [u.text for texts in tests.values() for u in texts]
    settings = key_of(sft, params.sampling, *asked, *(x for pair in examples for x in pair), *model.parameters())
    folder = paths.artifacts("worlds", kind, f"{alpha:.2f}-s{seed}")
    if not current(folder / "whole" / "summary.json", settings):
        work, what = paths.artifacts("worlds_work", kind, folder.name), f"{kind} {folder.name}"
        trained = fine_tune(model, examples, [u.speaker for u in utterances], sft, seed, work, what)
        about = {"settings": settings, "epochs": round(trained.epochs, 2), "loss": round(trained.loss, 4)}
        with paths.replacing(folder) as temporary:
            for domain, texts in tests.items():
                scores = as_read(bench, spoken(bench, model, texts, params, seed), texts, seed)
                start, taken = time.perf_counter(), time.perf_counter() - start
                save_scores(temporary / domain, scores, **about, seconds=round(taken, 1))
        shutil.rmtree(work)
    return {domain: load_scores(folder / domain, codes)[0] for domain in tests}


def worlds(bench: Bench, params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a world, domain and alpha; and a row a world and domain: whether and where Hp peaks. Trains what is missing."""
    p, codes, curves, peaks = params.worlds, bench.stack.codes, [], []
    for kind in kinds_of(params):
        here, found = world(kind, bench, params), {}
        for alpha, seed in product(p.alphas, p.seeds):
            for domain, scores in cell(here, kind, alpha, seed, params).items():
                found.setdefault(domain, {}).setdefault(alpha, []).append(scores)
        corpora = [token_counts(codes_for(here.sets[name], here.codes), codes) for name in ("real", "synthetic")]
        predicted = mixture_of(*corpora, params.seed)
        for domain, by_alpha in found.items():
            name = {"world": kind, "domain": domain}
            table, hp = over_alpha(by_alpha, params.seed)
            curves.append(table.assign(**name)[[*name, *table.columns]])
            peaks.append(name | peak_row(hp, predicted) | {"texts": hp.n, "seeds": hp.seeds})
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(), pd.DataFrame(peaks)


def run_worlds(bench: Bench, params: Params) -> pd.DataFrame:
    """Trains all that is missing; artifacts/worlds/seconds.json says what all cells took."""
    _, peaks = worlds(bench, params)
    cells = paths.artifacts("worlds").glob("*/*-s*/*/summary.json")
    seconds = sum(json.loads(path.read_text(encoding="utf-8"))["seconds"] for path in cells)
    with paths.replacing(paths.artifacts("worlds", "seconds.json")) as temporary:
        temporary.write_text(json.dumps({"seconds": round(seconds, 1)}) + "\n", encoding="utf-8")
    return peaks
