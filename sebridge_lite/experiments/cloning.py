"""Table 6: people never seen, cloned from a short reference under several conditions; found on disk or made now.

artifacts/cloning/LANG/CLONE-sSEED/ gets scores.csv (with speaker, ceiling and floor of each row), codes.safetensors and
summary.json. A killed run goes on with the conditions that are missing.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.experiments import critique
from sebridge_lite.experiments.corpus import load_sets
from sebridge_lite.experiments.policies import Bench, sampler_of
from sebridge_lite.experiments.systems import BASE, pair_of, scored_key
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.measure.cloning import Voices, cloned, two_voices, voices_of
from sebridge_lite.measure.evaluate import Scores, speak
from sebridge_lite.measure.saved import current, load_scores, save_scores
from sebridge_lite.measure.scoring import References, load_references, load_sounds
from sebridge_lite.stack.weights import load_model


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
    """Both policies with style on and off; the aligned one with longer and shorter references, and with foreign ones."""
    p, (start, aligned) = params.systems, pair_of(lang, params)
    found = [Clone(name, style, p.reference, lang) for name in (start, aligned) for style in (True, False)]
    found += [Clone(aligned, True, seconds, lang) for seconds in p.seconds]
    if lang != params.roles.dgsa:
        found.append(Clone(aligned, True, p.reference, params.roles.dgsa))
    return list(dict.fromkeys(found))


def policy_weights(name: str, seed: int) -> tuple[Path, dict]:
    """Where a policy lies, and the report beside it."""
    if name in BASE["second"]:
        folders = sorted(critique.system_folder("tdsc", seed).glob("k*"), key=lambda path: int(path.name[1:]))
        folder = (folders or [critique.system_folder("tdsc", seed) / "k0"])[0 if name == "start" else -1]
    else:
        folder = paths.artifacts("align", f"{name}-s{seed}")
    if not (folder / "summary.json").is_file():
        stage = "critique" if name in BASE["second"] else "align"
        raise UserError(f"{folder}: no policy; `dvc repro {stage}` trains it")
    return folder / "model", json.loads((folder / "summary.json").read_text(encoding="utf-8"))


class Room(NamedTuple):
    """What all cloning conditions of a language share."""

    bench: Bench
    references: References
    pools: dict[str, tuple[list, list]]  # language of the reference: test recordings and their sounds


def room(bench: Bench, params: Params) -> Room:
    """The first test texts, and recordings to clone from."""
    texts, pools = bench.sets["test"][: params.systems.texts], {}
    for lang in dict.fromkeys(clone.voice for clone in grid(bench.lang, params)):
        folder = paths.artifacts("corpus", lang)
        pool = load_sets(folder)["test"]
        pools[lang] = pool, load_sounds(pool, folder)
    return Room(bench, load_references(bench.stack, texts, bench.folder, bench.lang), pools)


def voices(place: Room, clone: Clone) -> Voices:
    return voices_of(place.bench.stack, place.references.utterances, *place.pools[clone.voice], clone.seconds)


def clones(place: Room, clone: Clone, seed: int, params: Params) -> Scores:
    """A condition's scores: those on disk when they are of these weights and settings, else made now."""
    bench, (weights, report) = place.bench, policy_weights(clone.policy, seed)
    model = load_model(TextSpeechLM, LMConfig, weights).to(bench.stack.device)
    given = voices(place, clone)
    heat, test = report.get("temperature"), place.references.utterances
    tensors = [*given.codes, given.timbres, *model.state_dict().values()]
    key = key_of(scored_key(bench, test), params.sampling, params.sft.style_tokens, heat, *tensors)
    folder = paths.artifacts("cloning", bench.lang, f"{clone.name}-s{seed}")
    if current(folder / "summary.json", key):
        return load_scores(folder, bench.stack.codes)[0]
    sampler = sampler_of(params.sampling, seed, heat)
    style = params.sft.style_tokens if clone.style else 0
    scores = cloned(model, bench.stack, place.references, given, sampler, style=style, silence=bench.silence, seed=seed,
                    floor=bench.floor)  # fmt: skip
    with paths.replacing(folder) as temporary:
        save_scores(temporary, scores, settings=key, seed=seed, **clone._asdict())
    return scores


def sounds_of(place: Room, clone: Clone, seed: int, params: Params) -> list[torch.Tensor]:
    """A condition by ear: what was scored, decoded again."""
    scores = clones(place, clone, seed, params)
    noises = [seed_of(seed, "sound", utterance.id, 0) for utterance in place.references.utterances]
    return speak(place.bench.stack, scores.codes, voices(place, clone).timbres, noises)


def standard(place: Room, tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """A system's standard speech of the same texts, with their speakers: what cloning is compared with."""
    test = place.references.utterances
    return [table[: len(test)].assign(speaker=[utterance.speaker for utterance in test]) for table in tables]


def halves_of_people(place: Room, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Likeness of the halves of references of one person, and of such as join two people's. (U,), (U,)"""
    alone = voices(place, Clone("", True, seconds, place.bench.lang)).sounds
    names, joined = [utterance.speaker for utterance in place.references.utterances], []
    for i, (sound, name) in enumerate(zip(alone, names, strict=True)):
        others = [other for other, who in zip(alone[i:] + alone[:i], names[i:] + names[:i], strict=True) if who != name]
        half = min(len(sound), *(len(other) for other in others[:1])) // 2
        joined += [torch.cat([sound[:half], other[-half:]]) for other in others[:1]]
    return two_voices(place.bench.stack, alone), two_voices(place.bench.stack, joined) if joined else np.zeros(0)
