"""The stage `worlds`: policies of worlds with other engines or other texts. Does Hp peak where their corpora say it should?

    studio    the study's world, whose policies are those of the stage `sft`
    flat      its engines with `worlds.flat` of people's pitch range
    lively    its engines with `worlds.lively` of it
    one       all by its first engine
    narrow    people keep to the commonest `worlds.narrow` of the lexicon, engines do not: the text gives the source away

artifacts/worlds/KIND/speech/               utterances and tokens of what differs from the corpus; no sound
artifacts/worlds/KIND/ALPHA-sSEED/          tokens that a policy said, a file a domain of texts; no weights

Nothing is decoded, so word error is the selecting judge's, of tokens. Left out: worlds whose people differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import pandas as pd
from torch import Tensor

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.paths import working
from sebridge_lite.core.progress import progress
from sebridge_lite.core.workers import crew, workers
from sebridge_lite.data.codes import codes_for, read_codes, write_codes
from sebridge_lite.data.manifest import Utterance, read_manifest, write_manifest
from sebridge_lite.data.mixing import mix, seconds_of
from sebridge_lite.data.recordings import Recording, take_seconds
from sebridge_lite.experiments.bench import Bench, load_bench, made
from sebridge_lite.experiments.corpus import SPEED, read_aloud, studio_real
from sebridge_lite.experiments.encode import AT_ONCE
from sebridge_lite.experiments.phase import mixture_of, natural_range, with_range
from sebridge_lite.experiments.score import sft_scores
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.evaluate import Scores, rate
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.measure.trends import over_alpha, peak_row
from sebridge_lite.stack.batches import unless_empty
from sebridge_lite.stack.stack import Stack
from sebridge_lite.studio.studio import Line, record_all
from sebridge_lite.studio.teach.examine_parts import heard
from sebridge_lite.studio.texts import load_language
from sebridge_lite.studio.voices import Voice, engines, people


def kinds_of(params: Params) -> list[str]:
    """The worlds of this run; none where the speech is your own, for whose engines nothing can stand in."""
    studio = params.corpus.real_source == params.corpus.synthetic_source == "studio"
    return [kind for kind in params.cells.worlds if studio]


def stand_ins(kind: str, params: Params) -> dict[str, Voice]:
    """Who speaks in place of each of the study's engines."""
    voices = engines("main", params.corpus.engines)
    if kind == "one":
        return {voice.id: voices[0] for voice in voices}
    wide = natural_range(people("train", params.corpus.people)) * getattr(params.worlds, kind)
    return {voice.id: with_range(voice, wide) for voice in voices}


def recordings(kind: str, bench: Bench, pool) -> dict[str, Iterable[Recording]]:
    """The sets in which a world differs from the corpus; `narrow` also gets a test set of its texts."""
    lang, seed, corpus, p = bench.lang, bench.params.seed, bench.params.corpus, bench.params.worlds
    if kind != "narrow":
        lexicon, voices = load_language(lang).lexicon, stand_ins(kind, bench.params)
        said = bench.utterances("synthetic")
        words = ((u, tuple(lexicon[word] for word in u.words)) for u in said)
        again = (Line(u.id, spoken, u.words, voices[u.speaker], lang, 0.0) for u, spoken in words)
        return {"synthetic": record_all(progress(again, f"{kind} synthetic", "utterance", len(said)), seed, pool)}
    # Without the crew, which would ask for sentences ahead: these are found by trying, one in several hundred.
    real = studio_real(lang, replace(corpus, real_vocabulary=p.narrow), seed)
    voices, part = people("unseen", corpus.unseen_people), (0, corpus.test_texts)
    lines = read_aloud("narrow", "test", voices, lang, corpus, seed, p.narrow, part=part)
    test = record_all(progress(lines, "narrow test", "utterance", corpus.test_texts), seed)
    return {"real": take_seconds(real, corpus.real_minutes * 60, "narrow real"), "narrow": test}


def encoded(stack: Stack, said: Iterable[Recording], folder: Path, name: str) -> None:
    """Writes the manifest and the tokens of what was said; its sound is not kept."""
    utterances, codes, stream = [], [], iter(said)
    while chunk := list(islice(stream, AT_ONCE)):
        codes += stack.tokens(heard(chunk).sounds)
        utterances += [replace(recording.utterance, path="none", truth=None) for recording in chunk]
    write_manifest(folder / f"{name}.jsonl", utterances)
    write_codes(folder / f"{name}.safetensors", [utterance.id for utterance in utterances], codes)


def worlds_folder(kind: str) -> Path:
    return paths.artifacts("worlds", kind)


def tests_of(kind: str, bench: Bench, narrow: Sequence[Utterance] = ()) -> dict[str, list[Utterance]]:
    """The domains of texts: the whole lexicon, and in the narrow world its own."""
    return {"whole": bench.utterances("test")} | ({"narrow": list(narrow)} if kind == "narrow" else {})


def speech_of(kind: str, bench: Bench, folder: Path) -> dict[str, tuple[list[Utterance], list[Tensor]]]:
    """Utterances and tokens of the real and the synthetic speech of a world, and of its texts where it has some."""
    speech = {name: (bench.utterances(name), bench.tokens(name)) for name in ("real", "synthetic")}
    if kind != "studio":
        for path in sorted(folder.glob("*.jsonl")):
            utterances = read_manifest(path)
            speech[path.stem] = utterances, codes_for(utterances, read_codes(path.with_suffix(".safetensors")))
    return speech


def run_worlds(params: Params, kind: str) -> None:
    """Trains the policies of a world and keeps what they say; a killed run goes on with the training where it was."""
    bench, out, p = load_bench(params), worlds_folder(kind), params.worlds
    if kind not in kinds_of(params):
        out.mkdir(parents=True, exist_ok=True)
        return
    with working(out) as work, paths.replacing(out) as temporary:
        if kind != "studio":
            (temporary / "speech").mkdir(parents=True)
            with crew(workers(seconds_of(bench.utterances("synthetic")) / SPEED) if kind != "narrow" else 1) as pool:
                for name, recorded in recordings(kind, bench, pool).items():
                    encoded(bench.stack, recorded, temporary / "speech", name)
        speech = speech_of(kind, bench, temporary / "speech")
        tokens = {u.id: row for name in speech for u, row in zip(*speech[name], strict=True)}
        tests = tests_of(kind, bench, speech.get("narrow", ((), ()))[0])
        for alpha, seed in product(p.alphas, p.seeds):
            name = f"{alpha:.2f}-s{seed}"
            if kind == "studio":
                said = {"whole": _of_the_study(bench, alpha, seed)}
            else:
                utterances = mix(speech["real"][0], speech["synthetic"][0], alpha, seed)
                examples = [(bench.stack.text.encode(u.text), tokens[u.id]) for u in utterances]
                model, sft = bench.backbone(), replace(params.sft, steps=p.steps)
                fine_tune(model, examples, [u.speaker for u in utterances], sft, seed, work / name, f"{kind} {name}")
                said = {domain: [row for (row,) in bench.sampled(model, tests[domain], seed)] for domain in tests}
            for domain, rows in said.items():
                write_codes(temporary / name / f"{domain}.safetensors", [u.id for u in tests[domain]], rows)


def _of_the_study(bench: Bench, alpha: float, seed: int) -> list[Tensor]:
    """What the study's policy said."""
    if bench.params.worlds.steps != bench.params.sft.steps:
        raise UserError("params.yaml: worlds.steps differs from sft.steps: the studio world takes the study's policies")
    return sft_scores(bench, f"additive-{alpha:.2f}", seed)[0].codes


def as_read(bench: Bench, codes: list[Tensor], texts: Sequence[Utterance], seed: int) -> Scores:
    """Scores of tokens by the judge that selects."""
    read = unless_empty(lambda places: bench.stack.read([codes[i] for i in places], bench.lang), codes, [])
    wrong, words = word_errors([utterance.words for utterance in texts], read)
    table = pd.DataFrame({"id": [utterance.id for utterance in texts], "words_wrong": wrong, "words": words})
    counts = token_counts(codes, bench.stack.codes)
    return Scores(table, counts, codes, {"hp": jackknife(counts), "wer_tokens": rate([table], "wer", seed)})


def worlds(bench: Bench) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a world, domain and alpha; and a row a world and domain: whether and where Hp peaks."""
    params, p, curves, peaks = bench.params, bench.params.worlds, [], []
    for kind in kinds_of(params):
        folder = made(worlds_folder(kind), "worlds")
        speech = speech_of(kind, bench, folder / "speech")
        corpora = [token_counts(speech[name][1], bench.stack.codes) for name in ("real", "synthetic")]
        predicted = mixture_of(*corpora, params.seed)
        for domain, texts in tests_of(kind, bench, speech.get("narrow", ((), ()))[0]).items():
            scores: dict[float, list[Scores]] = {alpha: [] for alpha in p.alphas}
            for alpha, seed in product(p.alphas, p.seeds):
                codes = read_codes(folder / f"{alpha:.2f}-s{seed}" / f"{domain}.safetensors")
                scores[alpha].append(as_read(bench, list(codes.values()), texts, seed))
            name = {"world": kind, "domain": domain}
            table, hp = over_alpha(scores, params.seed)
            curves.append(table.assign(**name)[[*name, *table.columns]])
            peaks.append(name | peak_row(hp, predicted) | {"texts": hp.n, "seeds": hp.seeds})
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(), pd.DataFrame(peaks)
