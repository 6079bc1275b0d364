"""`sebridge sft ARM`: one policy of the scaling study, from the backbone to its scores; or live in a notebook, the same way.

An arm is a design and its alpha, such as `additive-0.80`:
    additive       Sec. 2, Table 1: the real speech, and synthetic speech until alpha; at 1.00 the real speech is left out
    kept           ours: as additive-1.00, with the real speech kept
    substitution   ours: the same seconds for every alpha
    upsampled      ours: the mix, with real speech repeated until it is half
    tagged         ours: the mix, each text marked with its source, and decoded under the mark of real speech
artifacts/sft/ARM-sSEED/ gets model, loss.csv, scores.csv, codes.safetensors and summary.json.
"""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, SamplingParams
from sebridge_lite.data.codes import codes_for, read_codes
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import alpha_of, mix, seconds_of, substitute, upsampled
from sebridge_lite.experiments.corpus import build_corpus, load_sets
from sebridge_lite.experiments.encode import run_encode
from sebridge_lite.experiments.material import lm_examples
from sebridge_lite.experiments.train_parts import DECODING
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.lm.sampling import SamplerConfig
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.measure.evaluate import Scores, evaluate
from sebridge_lite.measure.saved import current, load_scores, save_scores
from sebridge_lite.measure.scaling import Study, study
from sebridge_lite.measure.scoring import References, load_references
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.stack import Stack, load_part, load_stack, pretrained_folder
from sebridge_lite.stack.weights import load_model, save_model

DESIGNS = ("additive", "kept", "substitution", "upsampled", "tagged")
REAL, SYNTHETIC = "1", "0"  # marks of the source; the texts of the studio world hold no digits


class Arm(NamedTuple):
    design: str
    alpha: float


class Tagged:
    """A vocabulary that marks every text as real."""

    def encode(self, text: str) -> torch.Tensor:
        return CharVocab().encode(REAL + text)


def arm_of(name: str) -> Arm:
    design, _, alpha = name.partition("-")
    try:
        arm = Arm(design, float(alpha))
    except ValueError:
        arm = Arm("", 2.0)
    if arm.design not in DESIGNS or not 0 <= arm.alpha <= 1 or name != f"{design}-{arm.alpha:.2f}":
        raise UserError(f"arm '{name}': not DESIGN-ALPHA, as in additive-0.80; designs: {', '.join(DESIGNS)}")
    return arm


def chosen(arm: Arm, real: Sequence[Utterance], synthetic: Sequence[Utterance], seed: int) -> list[Utterance]:
    """What the arm's policy learns from; an utterance may stand in it more than once."""
    if arm.design == "substitution":
        return substitute(real, synthetic, arm.alpha, seed)
    if arm.design == "upsampled":
        return upsampled(real, synthetic, arm.alpha, seed)
    mixed = mix(real, synthetic, arm.alpha, seed)
    return [*real, *mixed] if arm.design == "kept" and arm.alpha == 1 else mixed


def texts_for(arm: Arm, utterances: Sequence[Utterance]) -> list[str]:
    if arm.design != "tagged":
        return [utterance.text for utterance in utterances]
    return [(SYNTHETIC if utterance.kind == "engine" else REAL) + utterance.text for utterance in utterances]


def sampler_of(p: SamplingParams, seed: int, temperature: float | None = None) -> SamplerConfig:
    heat = p.temperature if temperature is None else temperature
    return SamplerConfig(heat, p.top_p, 0, p.window, p.tau, p.min_ratio, p.max_ratio, seed)


class Bench(NamedTuple):
    """What policies are trained from and scored on, loaded once."""

    stack: Stack
    sets: dict[str, list[Utterance]]
    codes: dict[str, torch.Tensor]  # tokens of real and synthetic speech by name
    silence: list[int]
    folder: Path
    lang: str
    floor: float
    loaded: dict[tuple, References] | None = None  # by ids of utterances; None keeps none

    def references(self, split: str) -> References:
        """The recordings of a split, looked at once where many policies are scored against them."""
        utterances = self.sets[split]
        key = tuple(utterance.id for utterance in utterances)
        found = (self.loaded or {}).get(key) or load_references(self.stack, utterances, self.folder, self.lang)
        if self.loaded is not None:
            self.loaded[key] = found
        return found


def load_bench(lang: str) -> Bench:
    folder, tokens = paths.artifacts("corpus", lang), paths.artifacts("speech_tokens", lang)
    stack = load_stack(pretrained_folder(), [lang], DECODING)
    sets = load_sets(folder)
    codes = {}
    for name in sets:
        codes |= read_codes(tokens / f"{name}.safetensors")
    silence = json.loads((tokens / "silence.json").read_text(encoding="utf-8"))
    floor = json.loads((tokens / "people-recorded" / "summary.json").read_text(encoding="utf-8"))["wer"]
    return Bench(stack, sets, codes, silence, folder, lang, floor, {})


def prepared(params: Params) -> Bench:
    """The bench of these parameters; corpus and tokens are made first where no stage has made them."""
    if not paths.artifacts("corpus").is_dir():
        build_corpus(params.corpus, params.seed, paths.artifacts("corpus"))
    if not paths.artifacts("speech_tokens").is_dir():
        run_encode(params)
    return load_bench(params.roles.dgsa)


def policy_folder(arm: str, seed: int) -> Path:
    return paths.artifacts("sft", f"{arm}-s{seed}")


def score_policy(
    bench: Bench, model: TextSpeechLM, params: Params, seed: int, arm: Arm, split: str = "test", **how
) -> Scores:
    """`evaluate` on a split, with the study's sampler; `how` as in `evaluate`, and a temperature if not the study's."""
    sampler = sampler_of(params.sampling, seed, how.pop("temperature", None))
    vocab = Tagged() if arm.design == "tagged" else CharVocab()
    return evaluate(
        model, bench.stack, bench.sets[split], bench.folder, bench.lang, sampler,
        silence=bench.silence, seed=seed, floor=bench.floor, vocab=vocab, references=bench.references(split), **how,
    )  # fmt: skip


def train_policy(bench: Bench, name: str, seed: int, params: Params) -> dict:
    """Trains and scores one policy, and returns its summary; a killed run goes on where it was."""
    arm, folder = arm_of(name), policy_folder(name, seed)
    utterances = chosen(arm, bench.sets["real"], bench.sets["synthetic"], seed)
    examples = lm_examples(texts_for(arm, utterances), codes_for(utterances, bench.codes))
    model = load_part("backbone", pretrained_folder())
    work = paths.artifacts("sft_work", folder.name)
    trained = fine_tune(model, examples, [u.speaker for u in utterances], params.sft, seed, work, name)
    start = time.perf_counter()
    scores = score_policy(bench, model, params, seed, arm)
    about = {
        "arm": name, "alpha": arm.alpha, "alpha_measured": round(alpha_of(utterances), 4), "seed": seed,
        "minutes": round(seconds_of(utterances) / 60, 2), "steps": trained.steps, "epochs": round(trained.epochs, 2),
        "loss": round(trained.loss, 4), "seconds": round(trained.seconds, 1),
        "seconds_scoring": round(time.perf_counter() - start, 1), "settings": key_of(params.sft, params.sampling),
    }  # fmt: skip
    with paths.replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        save_model(model, model.config, temporary / "model", half=True)
        (temporary / "loss.csv").write_bytes((work / "loss.csv").read_bytes())
        save_scores(temporary, scores, **about)
    shutil.rmtree(work)
    return about | {name: found.mean for name, found in scores.summary.items()}


def policy(bench: Bench, name: str, seed: int, params: Params) -> tuple[Scores, dict]:
    """A policy's scores: those of the matrix when they are there and of these settings, else trained now."""
    folder, codes = policy_folder(name, seed), bench.stack.codes
    if not current(folder / "summary.json", key_of(params.sft, params.sampling)):
        train_policy(bench, name, seed, params)
    return load_scores(folder, codes)


def load_policy(folder: Path, bench: Bench) -> TextSpeechLM:
    return load_model(TextSpeechLM, LMConfig, folder / "model").to(bench.stack.device)


def policy_model(bench: Bench, name: str, seed: int) -> TextSpeechLM:
    """The weights of a policy that was trained."""
    return load_policy(policy_folder(name, seed), bench)


def study_of(
    bench: Bench, arms: Sequence[str], seeds: Sequence[int], params: Params, design: str = "additive"
) -> Study:
    """The policies of one design as curves over alpha."""
    own = [name for name in arms if arm_of(name).design == design]
    found = {arm_of(name).alpha: [policy(bench, name, seed, params)[0] for seed in seeds] for name in own}
    return study(found)
