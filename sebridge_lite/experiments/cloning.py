"""The stage `cloning` (Table 6): people never heard, cloned from a short reference under several conditions.

artifacts/cloning/LANG/sSEED/CLONE/ gets scores.csv (with speaker, ceiling and floor of each row), codes.safetensors and
summary.json.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.core.workers import in_pool
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.experiments.align import policy_at
from sebridge_lite.experiments.bench import Bench, languages, load_bench
from sebridge_lite.experiments.choose import choice_of
from sebridge_lite.experiments.critique import iterations
from sebridge_lite.experiments.systems import PAIRS, pairs_of
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.measure.cloning import Voices, cloned, two_voices, voices_of
from sebridge_lite.measure.evaluate import Scores, save_scores


class Clone(NamedTuple):
    """A condition of Table 6. voice: the language of the reference."""

    policy: str
    style: bool
    seconds: float
    voice: str

    @property
    def name(self) -> str:
        return f"{self.policy}-{'on' if self.style else 'off'}-{self.seconds:g}s-{self.voice}"


def grid(lang: str, params: Params) -> list[Clone]:
    """Both policies of each method with style on and off; the aligned one with other references, and with foreign ones."""
    p, conditions = params.systems, []
    for start, aligned in pairs_of(lang, params):
        conditions += [Clone(name, style, p.reference, lang) for name in (start, aligned) for style in (True, False)]
        conditions += [Clone(aligned, True, seconds, lang) for seconds in p.seconds]
        if lang != params.roles.dgsa:
            conditions.append(Clone(aligned, True, p.reference, params.roles.dgsa))
    return list(dict.fromkeys(conditions))


def policy_of(bench: Bench, name: str, seed: int) -> TextSpeechLM:
    """A policy of Table 6."""
    if name in PAIRS["tdsc"]:
        return bench.policy(iterations("tdsc", seed)[0 if name == "start" else -1], "critique")
    return policy_at(bench, name, seed, choice_of(name)["steps"])


def said(bench: Bench) -> list[Utterance]:
    return bench.utterances("test")[: bench.params.systems.texts]


def voices(bench: Bench, clone: Clone) -> Voices:
    """The reference of each text that is cloned, from the test recordings of the clone's language of reference."""
    home = bench if clone.voice == bench.lang else load_bench(bench.params, clone.voice)
    pool = home.utterances("test")
    return voices_of(bench.stack, said(bench), pool, bench.stack.load(pool, home.folder("test")), clone.seconds)


cached_bench = lru_cache(maxsize=1)(load_bench)  # one process scores many conditions against the same recordings


def _clone(job: tuple[Params, str, Clone, int, Path]) -> None:
    params, lang, clone, seed, out = job
    bench = cached_bench(params, lang)
    model = policy_of(bench, clone.policy, seed)
    references, sampler = bench.references("test", params.systems.texts), bench.sampler(seed)
    how = bench.judging(seed) | {"style": params.sft.style_tokens if clone.style else 0}
    scores = cloned(model, bench.stack, references, voices(bench, clone), sampler, **how)
    save_scores(out / lang / f"s{seed}" / clone.name, scores, seed=seed, **clone._asdict())


def run_cloning(params: Params) -> int:
    """How many cells there are, each scored."""
    with paths.replacing(paths.artifacts("cloning")) as out:
        clones_of = {lang: grid(lang, params) for lang in languages(params)}
        cells = [(lang, *cell) for lang in clones_of for cell in product(clones_of[lang], params.cells.seeds)]
        jobs = [(params, *cell, out) for cell in cells]
        in_pool(_clone, jobs, "cloning")
    return len(jobs)


def clones(bench: Bench, clone: Clone, seed: int) -> Scores:
    return bench.scores(paths.artifacts("cloning", bench.lang, f"s{seed}", clone.name), "cloning")[0]


def sounds_of(bench: Bench, clone: Clone, seed: int) -> list[torch.Tensor]:
    """A condition by ear: what was scored, decoded again."""
    noises = [seed_of(seed, "sound", text.id, 0) for text in said(bench)]
    return bench.stack.speak(clones(bench, clone, seed).codes, voices(bench, clone).timbres, noises)


def standard(bench: Bench, tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """A system's standard speech of the same texts, with their speakers: what cloning is compared with."""
    speakers = [text.speaker for text in said(bench)]
    return [table[: len(speakers)].assign(speaker=speakers) for table in tables]


def halves_of_people(bench: Bench, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Likeness of the halves of references of one person, and of such as join two people's. (U,), (U,)"""
    alone = voices(bench, Clone("", True, seconds, bench.lang)).sounds
    names = [text.speaker for text in said(bench)]
    joined = []
    for i, (sound, name) in enumerate(zip(alone, names, strict=True)):
        others = [place for place in (*range(i, len(names)), *range(i)) if names[place] != name]
        if others:
            other = alone[others[0]]
            half = min(len(sound), len(other)) // 2
            joined.append(torch.cat([sound[:half], other[-half:]]))
    return two_voices(bench.stack, alone), two_voices(bench.stack, joined) if joined else np.zeros(0)
