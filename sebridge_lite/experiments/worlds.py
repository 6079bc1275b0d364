"""The stage `worlds`: policies of worlds with other engines or other texts. Does Hp peak where their corpora say it should?

    studio    the study's world, whose policies are those of the stage `sft`
    flat      its engines with `worlds.flat` of people's pitch range
    lively    its engines with `worlds.lively` of it
    one       all by its first engine
    narrow    people keep to the commonest `worlds.narrow` of the lexicon, engines do not: the text gives the source away

artifacts/worlds/KIND/speech/               utterances and tokens of what differs from the corpus; no sound
artifacts/worlds/KIND/ALPHA-sSEED/          tokens that a policy said, a file a domain of texts; no weights

Nothing is decoded, so word error is the selecting judge's, of tokens. And without any policy: when has a mixture of people's
tokens and engines' a peak inside, everybody saying the same sentences? What can a printed curve of Hp bear witness to? Left out:
worlds whose people differ; engines that differ in rhythm or timbre.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linprog
from torch import Tensor

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.workers import crew, workers
from sebridge_lite.data.codes import codes_for, read_codes, write_codes
from sebridge_lite.data.manifest import Utterance, read_manifest, write_manifest
from sebridge_lite.data.mixing import mix, seconds_of
from sebridge_lite.data.recordings import Recording, take_seconds
from sebridge_lite.experiments.bench import Bench, load_bench, made
from sebridge_lite.experiments.corpus import SPEED, read_aloud, studio_real
from sebridge_lite.experiments.encode import AT_ONCE
from sebridge_lite.lm.lm import load_backbone
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.evaluate import Scores, rate
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.measure.trends import from_corpus, mixture_entropies, over_alpha, peak_row
from sebridge_lite.stack.batches import unless_empty
from sebridge_lite.stack.stack import Stack
from sebridge_lite.studio.studio import Line, record_all
from sebridge_lite.studio.teach.examine_parts import heard
from sebridge_lite.studio.teach.material import render_material
from sebridge_lite.studio.texts import load_language
from sebridge_lite.studio.tones import NOMINAL_RANGE
from sebridge_lite.studio.voices import Voice, engines, people

SECONDS = 3.0  # of a sentence of the phase diagram, about
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

        def said_by(voices: list[Voice]) -> np.ndarray:
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
    at, n = np.asarray(x, dtype=float), len(y)
    near = np.block([[sign * np.eye(n), -np.ones((n, 1))] for sign in ([[1], [-1]])])
    steps = np.diff(np.eye(n), axis=0) / np.diff(at)[:, None]  # slopes of the curve
    shape = np.diff(steps, axis=0) if not falling else np.vstack([np.diff(steps, axis=0), steps[:1]])
    above = np.vstack([near, np.pad(shape, ((0, 0), (0, 1)))])
    limits = np.concatenate([y, -np.asarray(y, dtype=float), np.zeros(len(shape))])
    found = linprog(np.eye(n + 1)[n], A_ub=above, b_ub=limits, bounds=[(None, None)] * n + [(0, None)])
    return found.x[:n], float(found.x[n])


def kinds_of(params: Params) -> list[str]:
    """The worlds of this run; none where the speech is your own, for whose engines nothing can stand in."""
    studio = params.corpus.real_source == params.corpus.synthetic_source == "studio"
    return [kind for kind in params.worlds.kinds if studio]


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
    unseen, part = people("unseen", corpus.unseen_people), (0, corpus.test_texts)
    lines = read_aloud("narrow", "test", unseen, lang, corpus, seed, p.narrow, part=part)
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


def speech_of(kind: str, bench: Bench, folder: Path) -> dict[str, tuple[list[Utterance], list[Tensor]]]:
    """Utterances and tokens of the real and the synthetic speech of a world, and of its texts where it has some."""
    speech = {name: (bench.utterances(name), bench.tokens(name)) for name in ("real", "synthetic")}
    for path in sorted(folder.glob("*.jsonl")):  # none of the study's own world
        utterances = read_manifest(path)
        speech[path.stem] = utterances, codes_for(utterances, read_codes(path.with_suffix(".safetensors")))
    return speech


def tests_of(bench: Bench, speech: dict) -> dict[str, list[Utterance]]:
    """The domains of texts: the whole lexicon, and in the narrow world its own."""
    return {"whole": bench.utterances("test")} | {name: speech[name][0] for name in speech if name == "narrow"}


def run_worlds(params: Params) -> None:
    """Trains the policies of each world and keeps what they say; a killed run goes on with the training where it was."""
    bench, out = load_bench(params), paths.artifacts("worlds")
    with paths.working(out) as work, paths.replacing(out) as temporary:
        for kind in (kinds := kinds_of(params)):
            run_world(kind, bench, work / kind, temporary / kind)
        if not kinds:
            paths.leave_empty(temporary)


def run_world(kind: str, bench: Bench, work: Path, out: Path) -> None:
    params, p = bench.params, bench.params.worlds
    if kind != "studio":
        (out / "speech").mkdir(parents=True)
        with crew(workers(seconds_of(bench.utterances("synthetic")) / SPEED) if kind != "narrow" else 1) as pool:
            for name, recorded in recordings(kind, bench, pool).items():
                encoded(bench.stack, recorded, out / "speech", name)
    speech = speech_of(kind, bench, out / "speech")
    tokens = {u.id: row for name in speech for u, row in zip(*speech[name], strict=True)}
    tests = tests_of(bench, speech)
    for alpha, seed in product(p.alphas, p.seeds):
        name = f"{alpha:.2f}-s{seed}"
        if kind == "studio":
            said = {"whole": _of_the_study(bench, alpha, seed)}
        else:
            utterances = mix(speech["real"][0], speech["synthetic"][0], alpha, seed)
            examples = [(bench.stack.text.encode(u.text), tokens[u.id]) for u in utterances]
            model, sft = load_backbone(), replace(params.sft, steps=p.steps)
            fine_tune(model, examples, [u.speaker for u in utterances], sft, seed, work / name, f"{kind} {name}")
            said = {domain: [row for (row,) in bench.sampled(model, tests[domain], seed)] for domain in tests}
        for domain, rows in said.items():
            write_codes(out / name / f"{domain}.safetensors", [u.id for u in tests[domain]], rows)


def _of_the_study(bench: Bench, alpha: float, seed: int) -> list[Tensor]:
    """What the study's policy said."""
    if bench.params.worlds.steps != bench.params.sft.steps:
        raise UserError("params.yaml: worlds.steps differs from sft.steps: the studio world takes the study's policies")
    return bench.scored("sft", f"additive-{alpha:.2f}", seed)[0].codes


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
        folder = made(paths.artifacts("worlds", kind), "worlds")
        speech = speech_of(kind, bench, folder / "speech")
        real, synthetic = (token_counts(speech[name][1], bench.stack.codes) for name in ("real", "synthetic"))
        predicted = mixture_of(real, synthetic, params.seed)
        for domain, texts in tests_of(bench, speech).items():
            scores: dict[float, list[Scores]] = {alpha: [] for alpha in p.alphas}
            for alpha, seed in product(p.alphas, p.seeds):
                codes = read_codes(folder / f"{alpha:.2f}-s{seed}" / f"{domain}.safetensors")
                scores[alpha].append(as_read(bench, list(codes.values()), texts, seed))
            name = {"world": kind, "domain": domain}
            table, hp = over_alpha(scores, params.seed)
            curves.append(table.assign(**name)[[*name, *table.columns]])
            peaks.append(name | peak_row(hp, predicted) | {"texts": hp.n, "seeds": hp.seeds})
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(), pd.DataFrame(peaks)
