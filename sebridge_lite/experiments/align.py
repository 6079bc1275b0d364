"""The stage `align`: one method of Tables 3 and 7, trained from the SFT policy on its pairs; nothing is chosen or scored here.

artifacts/align/sSEED/METHOD/ gets step-N/model for each N of the grid, loss.csv and about.json. A killed run goes on where it
was. Which N is used, and at which temperature, `experiments.choose` decides on dev.
"""

import importlib
import shutil
import sys
import time
from pathlib import Path

import pandas as pd

from sebridge_lite.align.dpo import fallen
from sebridge_lite.align.methods import arm_for, method_of
from sebridge_lite.align.pairs import load_triplets, pairs_folder
from sebridge_lite.align.runs import Run
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.paths import working
from sebridge_lite.experiments.bench import Bench, load_bench, write_json
from sebridge_lite.experiments.sft import arm_of, sft_policy
from sebridge_lite.lm.lm import TextSpeechLM

LATEST = 10  # steps over which the fall of the winners is taken


def align_folder(name: str, seed: int) -> Path:
    return paths.artifacts("align", f"s{seed}", name)


def train_method(params: Params, name: str, seed: int) -> dict:
    """What is known of the training of a method, which leaves its policies."""
    method, out, begun = method_of("align", name), align_folder(name, seed), time.perf_counter()
    if not method.by:
        raise UserError(f"method '{name}': nothing to train; `sebridge choose` and `sebridge score align` decode it")
    arm, bench = arm_for(method, params.align), load_bench(params)
    triplets, _ = load_triplets(pairs_folder(arm, method.pairs, seed), bench.stack.text.encode)
    model, module = sft_policy(bench, arm, seed), importlib.import_module(f"sebridge_lite.align.{method.by}")
    with working(out) as work, paths.replacing(out) as temporary:
        done, counts = module.train(model, triplets, Run(method, params, arm_of(arm).alpha, seed, work))
        change = _winner_change(work, params.align.most_fall, f"{name} s{seed}")
        about = counts | {"loss": round(done.loss, 4), "epochs": round(done.epochs, 2), "winner_change": change}
        about["seconds_all"] = round(time.perf_counter() - begun, 1)
        for step in params.align.steps:
            shutil.copytree(work / f"step-{step}", temporary / f"step-{step}")
        shutil.copy(work / "loss.csv", temporary)
        write_json(temporary / "about.json", about)
    return about


def _winner_change(work: Path, most: float, what: str) -> float | None:
    """Nats a token at the end of training; a line on stderr when that is a fall of over `most`."""
    history = pd.read_csv(work / "loss.csv")
    if "winner_change" not in history:
        return None
    change = float(history["winner_change"].tail(LATEST).mean())
    if line := fallen(change, most):
        print(f"{what}: {line}", file=sys.stderr)
    return round(change, 4)


def policy_at(bench: Bench, name: str, seed: int, steps: int) -> TextSpeechLM:
    """The policy of a method after so many steps; after none it is the SFT policy that it starts from."""
    if steps:
        return bench.policy(align_folder(name, seed) / f"step-{steps}", "align")
    return sft_policy(bench, arm_for(method_of("align", name), bench.params.align), seed)
