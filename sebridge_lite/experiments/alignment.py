"""`sebridge align VARIANT`: one system of Tables 3 and 7, from the SFT policy to its scores; or live in a notebook, the same way.

Steps and temperature are chosen on dev by one rule, over one grid for every variant, and for all seeds together: what one seed
would choose is mostly noise of its texts. artifacts/align/VARIANT-sSEED/ gets model, loss.csv (if trained), search.csv (its own,
on dev), curve.csv (test, over temperatures), and scores.csv, codes.safetensors and summary.json (test, at the chosen point).
"""

import copy
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from sebridge_lite.align.baselines import continue_sft
from sebridge_lite.align.dgsa import Triplet, dgsa_loss, pair_set
from sebridge_lite.align.dpo import fallen
from sebridge_lite.align.schedule import lambda_e, lambda_s
from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import AlignParams, Params
from sebridge_lite.experiments.policies import Bench, arm_of, policy_model
from sebridge_lite.experiments.preferences import make_pairs, pairs, pairs_folder
from sebridge_lite.experiments.variants import Variant, scored, variant_of
from sebridge_lite.lm.batching import Batches
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM, merge_lora
from sebridge_lite.lm.sft import adapted
from sebridge_lite.lm.train import TrainConfig, Trained, train
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.saved import current, load_scores, plain, save_scores
from sebridge_lite.stack.weights import load_model, save_model

LATEST = 10  # steps over which the fall of the winners is taken


def snapshots(folder: Path, steps: tuple[int, ...], lora: bool = False) -> Callable:
    """A `dev` for the training loop that keeps the policy at each of `steps`, adapters merged."""

    def keep(model: TextSpeechLM, step: int) -> dict:
        if step in steps:
            whole = merge_lora(copy.deepcopy(model)) if lora else model
            save_model(whole, model.config, folder / f"step-{step}", half=True)
        return {}

    return keep


def settings(p: AlignParams, lr: float, seed: int) -> TrainConfig:
    """Constant after the warm-up, so that a snapshot is what a shorter run would have given."""
    return TrainConfig(
        steps=max(p.steps), lr=lr, warmup=p.warmup, schedule="constant", weight_decay=0.0, clip=1.0, accumulate=1,
        save_every=math.gcd(*p.steps), dev_every=math.gcd(*p.steps), seed=seed, betas=(0.9, 0.98),
    )  # fmt: skip


def train_on_pairs(
    model: TextSpeechLM, triplets: list[Triplet], v: Variant, weights: tuple, p: AlignParams, seed: int, folder: Path
) -> Trained:
    """DGSA or one of its variants, `model` in place; the policy that it is now is the reference."""
    found = pair_set(triplets, model, model, *weights, v.conditioning, paths.artifacts("align_work", "reference"))
    beta, options = p.beta, {"normalised": v.normalised, "sft": p.sft_weight if v.sft_term else 0.0}
    if v.normalised:  # a token's margin is smaller by the length: so that the sigmoid sees what it sees without
        beta *= sum(len(t.real) + 1 for t in triplets) / len(triplets)
    torch.manual_seed(seed)  # of the adapters' first weights
    adapted(model, p.lora_rank if v.lora else 0)
    batches = Batches(found.sizes, found.names, p.budget * found.reference.shape[1], seed)
    tokens = [part for t in triplets for part in t[1:]]
    data = key_of(*tokens, found.reference, weights, v.conditioning, beta, options)
    config = settings(p, p.lora_lr if v.lora else p.lr, seed)
    loss = partial(dgsa_loss, beta=beta, **options)
    return train(
        model, loss, batches, found.collate, config, folder, data, folder.name, snapshots(folder, p.steps, v.lora)
    )


def _winner_change(folder: Path, most: float) -> float | None:
    """Nats a token at the end of training; a line when that is a fall of over `most`."""
    history = pd.read_csv(folder / "loss.csv")
    if "winner_change" not in history:
        return None
    change = float(history["winner_change"].tail(LATEST).mean())
    if line := fallen(change, most):
        print(f"{folder.name}: {line}", file=sys.stderr)
    return round(change, 4)


def trained(bench: Bench, name: str, seed: int, params: Params) -> tuple[dict[int, TextSpeechLM], dict]:
    """The policy after each of the grid's steps (0: not trained), and what is known of its training."""
    p, (v, arm) = params.align, variant_of(name, params.align)
    model, work = policy_model(bench, arm, seed), paths.artifacts("align_work", f"{name}-s{seed}")
    if v.trains == "nothing":
        return {0: model}, {}
    triplets = pairs(bench, arm, v.pairs, seed, params)
    if v.trains == "real":
        rows = {t.name.rpartition("/")[0]: (t.text, t.real) for t in triplets}
        config, about = settings(p, p.sft_lr, seed), {"utterances": len(rows)}
        done = continue_sft(
            model, rows, params.sft.token_noise, p.budget, config, work, work.name, snapshots(work, p.steps)
        )
    else:
        alpha = arm_of(arm).alpha
        weights = v.weights(lambda_s(alpha, p.alpha_star), lambda_e(alpha, p.alpha_star))
        done = train_on_pairs(model, triplets, v, weights, p, seed, work)
        about = {"pairs": len(triplets), "lambda_s": round(weights[0], 4), "lambda_e": round(weights[1], 4)}
    about |= {"loss": round(done.loss, 4), "epochs": round(done.epochs, 2), "seconds": round(done.seconds, 1),
              "winner_change": _winner_change(work, p.most_fall)}  # fmt: skip
    found = {step: load_model(TextSpeechLM, LMConfig, work / f"step-{step}") for step in p.steps}
    return {step: kept.to(bench.stack.device) for step, kept in found.items()}, about


def searched(bench: Bench, models: dict, name: str, seed: int, params: Params) -> pd.DataFrame:
    """The grid on dev, kept beside the training, since the choice for each other seed asks for it too."""
    p, dev = params.align, bench.sets["dev"]
    weights = [tensor for model in models.values() for tensor in model.state_dict().values()]
    key = key_of(replace(p, variants=(), seeds=()), params.sampling, *[u.id + u.text for u in dev], *weights)
    path = paths.artifacts("align_work", f"{name}-s{seed}") / f"search-{key}.csv"
    if not path.is_file():
        grid = [(step, heat) for step in models for heat in p.temperatures]
        search = points(bench, models, grid, name, seed, params, "dev", p.dev_texts)
        with paths.replacing(path) as temporary:
            search.to_csv(temporary, index=False)
    return pd.read_csv(path)


def start_on_dev(bench: Bench, arm: str, seed: int, params: Params) -> dict:
    """The SFT policy on dev at the study's temperature."""
    path = pairs_folder(arm, "own", seed) / "dev.json"
    if not path.is_file():
        make_pairs(bench, arm, "own", seed, params)
    return json.loads(path.read_text(encoding="utf-8"))


def choose(search: pd.DataFrame, start: dict, slack: float) -> pd.Series:
    """The highest Hp on dev among points whose word error is at most the start's plus `slack`; if none, the lowest error."""
    good = search[search["wer"] <= start["wer"] + slack]
    return good.loc[good["hp"].idxmax()] if len(good) else search.loc[search["wer"].idxmin()]


def pooled(searches: list[pd.DataFrame]) -> pd.DataFrame:
    """Each point of the grid, over all seeds; they have the same texts."""
    return pd.concat(searches).groupby(["steps", "temperature"], sort=False, as_index=False).mean()


def points(
    bench: Bench, models: dict, grid: list, name: str, seed: int, params: Params, split: str, texts: int
) -> pd.DataFrame:
    """A row for each (steps, temperature) of `grid`, with everything `evaluate` finds on a split."""
    rows = []
    for step, heat in grid:
        summary = scored(bench, models[step], name, seed, params, heat, split, texts).summary
        rows.append({"steps": step, "temperature": heat, "texts": summary["wer"].n, **plain(summary)})
    return pd.DataFrame(rows)


def curve_grid(models: dict[int, TextSpeechLM], best: tuple[int, float], v: Variant, heats: tuple) -> list:
    """All temperatures at the chosen steps, and of SFT on y_real all doses at the chosen temperature."""
    doses = models if v.trains == "real" else ()
    return list(dict.fromkeys([*((best[0], heat) for heat in heats), *((step, best[1]) for step in doses)]))


def settings_key(params: Params) -> str:
    """Of what a variant's scores follow from, all seeds of its choice among it, but not which variants are beside it."""
    return key_of(replace(params.align, variants=()), params.sft, params.sampling)


def align_variant(bench: Bench, name: str, seed: int, params: Params) -> dict:
    """Trains one system, chooses its point on dev, scores it on test; a killed run goes on with its training where it was."""
    p, (v, arm), begun = params.align, variant_of(name, params.align), time.perf_counter()
    searches, starts = [], []
    for one in [*(s for s in p.seeds if s != seed), seed]:  # its own last: of it models and search are kept
        models, about = trained(bench, name, one, params)
        searches.append(searched(bench, models, name, one, params))
        starts.append(start_on_dev(bench, arm, one, params)["wer"])
    start = {"wer": float(np.mean(starts))}
    found = choose(pooled(searches), start, p.wer_slack)
    best = int(found["steps"]), float(found["temperature"])
    scores = scored(bench, models[best[0]], name, seed, params, best[1], "test")
    grid = curve_grid(models, best, v, p.temperatures)
    curve = points(bench, models, grid, name, seed, params, "test", p.curve_texts)
    about |= {"variant": name, "arm": arm, "alpha": arm_of(arm).alpha, "seed": seed, "steps": best[0], "temperature": best[1],
              "dev_wer_start": start["wer"], "held": bool(found["wer"] <= start["wer"] + p.wer_slack),
              "settings": settings_key(params), "seconds_all": round(time.perf_counter() - begun, 1)}  # fmt: skip
    work = paths.artifacts("align_work", f"{name}-s{seed}")
    with paths.replacing(paths.artifacts("align", work.name)) as temporary:
        temporary.mkdir(parents=True)
        save_model(models[best[0]], models[best[0]].config, temporary / "model", half=True)
        if v.trains != "nothing":
            (temporary / "loss.csv").write_bytes((work / "loss.csv").read_bytes())
        searches[-1].to_csv(temporary / "search.csv", index=False)
        curve.to_csv(temporary / "curve.csv", index=False)
        save_scores(temporary, scores, **about)
    return about | {measure: value.mean for measure, value in scores.summary.items()}


def system(bench: Bench, name: str, seed: int, params: Params) -> tuple[Scores, dict]:
    """A system's scores at its chosen point: those of the matrix when they are there and of these settings, else made now."""
    folder, codes = paths.artifacts("align", f"{name}-s{seed}"), bench.stack.codes
    if not current(folder / "summary.json", settings_key(params)):
        align_variant(bench, name, seed, params)
    return load_scores(folder, codes)


def curve_of(name: str, seed: int) -> pd.DataFrame:
    """A system on test over temperatures, and over doses where it has several."""
    path = paths.artifacts("align", f"{name}-s{seed}") / "curve.csv"
    if not path.is_file():
        raise UserError(f"{path}: not there; `sebridge align {name} --seed {seed}` makes it")
    return pd.read_csv(path)
