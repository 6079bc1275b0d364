"""The stage `sft`: one policy for each mix of real and synthetic speech.

An arm is a design and its alpha, such as `additive-0.80`:
    additive       Sec. 2, Table 1: the real speech, and synthetic speech until alpha; at 1.00 the real speech is left out
    kept           ours: as additive-1.00, with the real speech kept
    substitution   ours: the same seconds for every alpha
    upsampled      ours: the mix, with real speech repeated until it is half
    tagged         ours: the mix, each text marked with its source, and decoded under the mark of real speech

artifacts/sft/sSEED/ARM/ gets model, loss.csv and about.json.
"""

import re
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.params import ARM, DESIGNS, Params
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import alpha_of, mix, seconds_of, substitute, upsampled
from sebridge_lite.experiments.bench import Bench, cell, load_bench, write_json
from sebridge_lite.lm.lm import TextSpeechLM, load_backbone
from sebridge_lite.lm.lora import save_policy
from sebridge_lite.lm.sft import fine_tune

REAL, SYNTHETIC = "1", "0"  # marks of the source; the texts of the studio world hold no digits


class Arm(NamedTuple):
    design: str
    alpha: float

    @property
    def mark(self) -> str:
        """What stands before each text when the policy speaks."""
        return REAL if self.design == "tagged" else ""

    def read(self, utterance: Utterance) -> str:
        """The text as the policy learns to read it."""
        return (SYNTHETIC if self.mark and utterance.kind == "engine" else self.mark) + utterance.text


def arm_of(name: str) -> Arm:
    """The design and the alpha that a name such as additive-0.80 stands for."""
    found = re.fullmatch(ARM[0], name, re.ASCII)
    if not found:
        raise UserError(f"arm {show(name)}: not DESIGN-ALPHA, as in additive-0.80; designs: {', '.join(DESIGNS)}")
    return Arm(found[1], float(found[2]))


def mixed(arm: Arm, real: Sequence[Utterance], synthetic: Sequence[Utterance], seed: int) -> list[Utterance]:
    """What the arm's policy learns from; an utterance may stand in it more than once."""
    if arm.design == "substitution":
        return substitute(real, synthetic, arm.alpha, seed)
    if arm.design == "upsampled":
        return upsampled(real, synthetic, arm.alpha, seed)
    utterances = mix(real, synthetic, arm.alpha, seed)
    return [*real, *utterances] if arm.design == "kept" and arm.alpha == 1 else utterances


def train_sft(params: Params, name: str, seed: int) -> dict:
    """What is known of a policy's training, which leaves its weights; a killed run goes on where it was."""
    arm, out, bench = arm_of(name), cell("sft", seed, name), load_bench(params)
    utterances = mixed(arm, bench.utterances("real"), bench.utterances("synthetic"), seed)
    texts = [bench.stack.text.encode(text) for text in map(arm.read, utterances)]
    examples = list(zip(texts, bench.tokens_of(utterances), strict=True))
    model = load_backbone(bench.lang)
    with paths.working(out) as work, paths.replacing(out) as temporary:
        trained = fine_tune(model, examples, [u.speaker for u in utterances], params.sft, seed, work, name)
        about = {"arm": name, "alpha": arm.alpha, "alpha_measured": round(alpha_of(utterances), 4), "seed": seed}
        about |= {"minutes": round(seconds_of(utterances) / 60, 2), "steps": trained.steps}
        about |= {"epochs": round(trained.epochs, 2), "loss": round(trained.loss, 4)}
        save_policy(model, temporary / "model")
        shutil.copy(work / "loss.csv", temporary)
        write_json(temporary / "about.json", about)
    return about


def sft_policy(bench: Bench, name: str, seed: int) -> TextSpeechLM:
    return bench.policy(cell("sft", seed, name), "sft")
