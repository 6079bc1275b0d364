"""The stage `align`: one method of Tables 3 and 7, trained from the SFT policy on its pairs; nothing is chosen or scored here.

artifacts/align/sSEED/METHOD/ gets step-N/model for each N of the grid, loss.csv and about.json. A killed run goes on where it
was. Which N is used, and at which temperature, `experiments.choose` decides on dev.
"""

import importlib
import shutil
import time

from sebridge_lite.align.methods import arm_for, method_of
from sebridge_lite.align.pairs import load_triplets
from sebridge_lite.align.runs import Run, winner_change
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.bench import Bench, cell, load_bench, made, write_json
from sebridge_lite.experiments.sft import arm_of, sft_policy
from sebridge_lite.lm.lm import TextSpeechLM

LATEST = 10  # steps over which the fall of the winners is taken


def train_method(params: Params, name: str, seed: int) -> dict:
    """What is known of the training of a method, which leaves its policies."""
    method, out, begun = method_of("align", name), cell("align", seed, name), time.perf_counter()
    if not method.by:
        raise UserError(f"method '{name}': nothing to train; `sebridge choose` and `sebridge score align` decode it")
    arm, bench = arm_for(method, params.align), load_bench(params)
    triplets, _ = load_triplets(made(cell("pairs", seed, f"{arm}-{method.pairs}"), "pairs"), bench.stack.text.encode)
    model, module = sft_policy(bench, arm, seed), importlib.import_module(f"sebridge_lite.align.{method.by}")
    with paths.working(out) as work, paths.replacing(out) as temporary:
        done, counts = module.train(model, triplets, Run(method, params, arm_of(arm).alpha, seed, work))
        change = winner_change(work, LATEST, params.align.most_fall, f"{name} s{seed}")
        about = counts | {"loss": round(done.loss, 4), "epochs": round(done.epochs, 2), "winner_change": change}
        about["seconds_all"] = round(time.perf_counter() - begun, 1)
        for step in params.align.steps:
            shutil.copytree(work / f"step-{step}", temporary / f"step-{step}")
        shutil.copy(work / "loss.csv", temporary)
        write_json(temporary / "about.json", about)
    return about


def policy_at(bench: Bench, name: str, seed: int, steps: int) -> TextSpeechLM:
    """The policy of a method after so many steps; after none it is the SFT policy that it starts from."""
    if steps:
        return bench.policy(cell("align", seed, name) / f"step-{steps}", "align")
    return sft_policy(bench, arm_for(method_of("align", name), bench.params.align), seed)
