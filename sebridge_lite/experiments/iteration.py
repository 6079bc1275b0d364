"""One iteration of TDSC's loop: fresh texts, candidates, the judge's decision, SFT, DPO, and what is kept of it on disk."""

import itertools
import json
import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.align.critic import by_temperature, decide, dropped, judged, rows_of, temperatures
from sebridge_lite.align.dgsa import dgsa_loss
from sebridge_lite.align.dpo import fallen
from sebridge_lite.align.grpo import group_set, grpo_loss
from sebridge_lite.align.tdsc import accepted_set, critique_set, preferences, sft_set
from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, TdscParams
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.codes import codes_for, read_codes, write_codes
from sebridge_lite.experiments.critics import GRPO, ORACLE
from sebridge_lite.experiments.critique_scores import filtered, hears, length_of, reads, unfiltered
from sebridge_lite.experiments.policies import Bench, load_policy, sampler_of
from sebridge_lite.lm.batching import Batches
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import generate
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.lm.train import TrainConfig, train
from sebridge_lite.measure.entropy import diversity
from sebridge_lite.measure.saved import save_scores
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.weights import save_model
from sebridge_lite.studio.texts import load_language, sentences

LATEST = 5  # steps over which the fall of the winners is taken


class Loop(NamedTuple):
    """What stays the same from iteration to iteration; `p` are the variant's settings, `params.tdsc` TDSC's."""

    bench: Bench
    name: str
    seed: int
    params: Params
    p: TdscParams
    work: Path


class Candidates(NamedTuple):
    words: list[tuple[str, ...]]  # T texts
    groups: list[list[Tensor]]  # T x C
    table: pd.DataFrame  # (T C,), as `judged`
    why: pd.DataFrame  # (T C, 4), as `decide`
    used: list[int]  # G
    pairs: list[tuple[int, int]]
    earlier: float  # seconds that they took in another run, from which they are read back; NaN where it wrote none down

    @property
    def codes(self) -> list[Tensor]:
        return [row for group in self.groups for row in group]

    def text(self, row: int) -> str:
        return "".join(self.words[self.table["text"][row]])


def loop_words(loop: Loop, k: int) -> list[tuple[str, ...]]:
    """Sentences of the loop's own split, other ones in each iteration."""
    grammar = load_language(loop.bench.lang, loop.params.corpus.zipf)
    said = sentences(grammar, "loop", loop.seed)
    own = itertools.islice(said, (k - 1) * loop.p.texts, k * loop.p.texts)
    return [tuple(word.text for word in words) for words in own]


def sampled(
    loop: Loop, k: int, model: TextSpeechLM, words: Sequence[Sequence[str]]
) -> tuple[list[list[Tensor]], float]:
    """Candidates of each text, all temperatures in one batch, and `Candidates.earlier`. What the same policy has said of the
    same texts before, for a variant that chooses among it otherwise or for a run that was killed, is read back."""
    p, texts = loop.p, [CharVocab().encode("".join(text)) for text in words]
    sampler = replace(sampler_of(loop.params.sampling, loop.seed), top_p=p.top_p)
    heats = torch.tensor([rows_of(temperatures(k, p), p.candidates)])
    seeds = [seed_of(loop.seed, "loop", k, place) for place in range(len(texts))]
    key = key_of(*model.state_dict().values(), *texts, heats, sampler, seeds)
    path = loop.work.parent / "candidates" / f"{key}.safetensors"
    took, earlier = path.with_suffix(".json"), 0.0
    if path.is_file():
        earlier = json.loads(took.read_text(encoding="utf-8"))["seconds"] if took.is_file() else math.nan
    else:
        begun = time.perf_counter()
        groups = generate(model, texts, [text[:0] for text in texts], sampler, p.candidates, heats, row_seeds=seeds)
        rows = [row for group in groups for row in group]
        with paths.replacing(took) as temporary:
            temporary.write_text(json.dumps({"seconds": round(time.perf_counter() - begun, 2)}), encoding="utf-8")
        write_codes(path, [f"{i // p.candidates}/{i % p.candidates}" for i in range(len(rows))], rows)
    rows = list(read_codes(path).values())
    return [rows[first : first + p.candidates] for first in range(0, len(rows), p.candidates)], earlier


def candidates_of(loop: Loop, k: int, model: TextSpeechLM, words: list[tuple[str, ...]] | None = None) -> Candidates:
    """words: other texts than the iteration's own."""
    bench, p, words = loop.bench, loop.p, loop_words(loop, k) if words is None else words
    if not words:
        raise UserError("texts: none; TDSC needs at least one text to speak")
    groups, earlier = sampled(loop, k, model, words)
    listen = hears(bench, loop.seed) if loop.name == ORACLE else reads(bench)
    table = judged(groups, words, rows_of(temperatures(k, p), p.candidates), length_of(bench), listen)
    why = decide(table, p)
    pairs = preferences(table, why, p) if p.dpo_steps else []
    return Candidates(words, groups, table, why, accepted_set(table, why, p.best), pairs, earlier)


def learn_accepted(loop: Loop, k: int, model: TextSpeechLM, found: Candidates, folder: Path) -> dict:
    """SFT on G, beside all synthetic speech when it is replayed; `model` in place."""
    bench, params = loop.bench, loop.params
    synthetic = bench.sets["synthetic"] if loop.p.replay else []
    replay = [(u.text, row) for u, row in zip(synthetic, codes_for(synthetic, bench.codes), strict=True)]
    codes = found.codes
    own = [(found.text(row), codes[row]) for row in found.used]
    examples, speakers = sft_set(own, replay, [u.speaker for u in synthetic])
    settings = replace(params.sft, steps=loop.p.steps, lr=loop.p.lr)
    seed = seed_of(loop.seed, "critique", k) % 2**31
    done = fine_tune(model, examples, speakers, settings, seed, folder, f"{loop.name} k{k}: SFT")
    return {"sft_loss": round(done.loss, 4), "sft_epochs": round(done.epochs, 2), "seconds_sft": round(done.seconds, 1)}


def _constant(loop: Loop, k: int, steps: int, lr: float) -> TrainConfig:
    return TrainConfig(
        steps=steps, lr=lr, warmup=min(loop.p.dpo_warmup, steps), schedule="constant", weight_decay=0.0, clip=1.0,
        accumulate=1, save_every=10, dev_every=0, seed=seed_of(loop.seed, "critique", k) % 2**31, betas=(0.9, 0.98),
    )  # fmt: skip


def learn_pairs(loop: Loop, k: int, model: TextSpeechLM, before: Path, found: Candidates, folder: Path) -> dict:
    """DPO on winners and losers, `model` in place; nothing without pairs."""
    p, what = loop.p, f"{loop.name}-s{loop.seed} k{k}"
    if not found.pairs:
        print(f"{what}: no text has both a winner and a loser; it goes on without DPO", file=sys.stderr)
        return {}
    codes = found.codes
    named = [(str(row), found.text(row), codes[row], codes[worse]) for row, worse in found.pairs]
    reference = model if p.reference == "sft" else load_policy(before, loop.bench)
    pairs = critique_set(named, model, reference, loop.work / "reference")
    config, budget = _constant(loop, k, p.dpo_steps, p.dpo_lr), max(p.dpo_budget, *map(int, pairs.sizes))
    batches = Batches(pairs.sizes, pairs.names, budget, config.seed)
    data = key_of(*(part for row in named for part in row[1:]), pairs.reference, p.beta)
    done = train(model, partial(dgsa_loss, beta=p.beta), batches, pairs.collate, config, folder, data, f"{what}: DPO")
    change = float(pd.read_csv(folder / "loss.csv")["winner_change"].tail(LATEST).mean())
    if line := fallen(change, p.most_fall):
        print(f"{what}: {line}", file=sys.stderr)
    return {"dpo_loss": round(done.loss, 4), "winner_change": round(change, 4), "seconds_dpo": round(done.seconds, 1)}


def learn_rewards(loop: Loop, k: int, model: TextSpeechLM, found: Candidates, folder: Path) -> dict:
    """GRPO on all candidates, `model` in place, for as many steps as TDSC takes in both its parts."""
    p, texts = loop.p, [CharVocab().encode("".join(text)) for text in found.words]
    groups = group_set(found.table, texts, found.codes, model, loop.work / "reference")
    config = _constant(loop, k, p.steps + p.dpo_steps, p.grpo_lr)
    batches = Batches(groups.sizes, groups.names, loop.params.sft.budget, config.seed)
    data = key_of(*(part for row in groups.examples for part in row), groups.old, groups.advantage, p.grpo_clip)
    loss, what = partial(grpo_loss, clip=p.grpo_clip), f"{loop.name} k{k}: GRPO"
    done = train(model, loss, batches, groups.collate, config, folder, data, what)
    return {"seconds_sft": round(done.seconds, 1)}


def watched(loop: Loop, k: int, found: Candidates) -> dict:
    """What is known of the candidates: how many pass and why not, whether they grow alike, whether hard texts go missing."""
    table, own = found.table, decide(found.table, loop.params.tdsc)  # by TDSC's own thresholds, whatever the variant's
    plain = [[row for row, heat in zip(group, rows_of(temperatures(k, loop.p), loop.p.candidates), strict=True)
              if heat == loop.p.plain] for group in found.groups]  # fmt: skip
    apart = diversity(plain)
    return {
        "texts": len(found.words), "candidates": len(table), "temperatures": list(temperatures(k, loop.p)),
        "pass_rate": round(float(1 - own.any(axis=1).mean()), 4),
        **{f"rejected_{reason}": round(float(share), 4) for reason, share in own.mean().items()},
        "learnt": len(found.used), "pairs": len(found.pairs), "again": round(float(table["again"].mean()), 4),
        "candidates_apart": round(float(np.nanmean(apart)), 4) if np.isfinite(apart).any() else None,
        **{name: round(value, 4) for name, value in dropped(table, found.used, found.words).items()},
    }  # fmt: skip


def write_verdicts(path: Path, found: Candidates) -> None:
    """A row a candidate: its text, its temperature, what the judge read, why it was rejected, and what it was used for."""
    winners, losers = ({pair[side] for pair in found.pairs} for side in (0, 1))
    rows = found.table.drop(columns="expected").round(4)
    rows.insert(0, "name", [f"{text}/{slot}" for text, slot in zip(rows["text"], rows["slot"], strict=True)])
    rows["said"] = [" ".join(found.words[text]) for text in rows["text"]]
    rows["expected"] = found.table["expected"].round(1)
    rows["rejected_for"] = [[name for name, bad in row.items() if bad] for row in found.why.to_dict("records")]
    for name, places in (("learnt", set(found.used)), ("winner", winners), ("loser", losers)):
        rows[name] = rows.index.isin(places)
    with paths.replacing(path) as temporary:
        rows.to_json(temporary, orient="records", lines=True, force_ascii=False)


def keep(loop: Loop, folder: Path, model: TextSpeechLM, about: dict) -> None:
    """The policy and the scores of what is kept of it, which is in half precision."""
    begun = time.perf_counter()
    save_model(model, model.config, folder / "model", half=True)
    scores = unfiltered(loop.bench, load_policy(folder, loop.bench), loop.params, loop.seed)
    about |= filtered(loop.bench, scores, loop.params)
    about["seconds_scoring"] = round(time.perf_counter() - begun, 1)
    save_scores(folder, scores, variant=loop.name, seed=loop.seed, **about)


def choice_of(loop: Loop, before: TextSpeechLM, found: Candidates, shared: str) -> str:
    """Of all that an iteration's policy and scores follow from; `shared`: of what all variants have in common."""
    p = loop.p
    how = (p.replay, p.steps, p.lr, p.reference, p.beta, p.dpo_steps, p.dpo_lr, p.dpo_warmup, p.dpo_budget)
    own = (p.grpo_lr, p.grpo_clip) if loop.name == GRPO else (found.used, found.pairs)
    return key_of(shared, *before.state_dict().values(), how, own, *map("".join, found.words), *found.codes)


def twin_of(loop: Loop, k: int, choice: str) -> Path | None:
    """Where another variant has learnt the very same from the very same policy: a filter that nothing fails changes nothing."""
    for path in sorted(paths.artifacts("tdsc").glob(f"*-s{loop.seed}/k{k}/summary.json")):
        if json.loads(path.read_text(encoding="utf-8")).get("choice") == choice:
            return path.parent
    return None


def copy_of(twin: Path, loop: Loop, folder: Path, about: dict) -> None:
    """The twin's policy and scores, under this variant's name."""
    shutil.copytree(twin, folder)
    report = json.loads((twin / "summary.json").read_text(encoding="utf-8"))
    report |= about | {"variant": loop.name, "same_as": twin.parent.name}
    (folder / "summary.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def learn(loop: Loop, k: int, model: TextSpeechLM, before: Path, found: Candidates, training: Path) -> dict:
    """Everything that an iteration teaches, `model` in place."""
    if loop.name == GRPO:
        return learn_rewards(loop, k, model, found, training / "grpo")
    about = learn_accepted(loop, k, model, found, training / "sft")
    return about | (learn_pairs(loop, k, model, before, found, training / "dpo") if loop.p.dpo_steps else {})


def iterate(loop: Loop, k: int, before: Path, key: str, shared: str, target: Path) -> bool:
    """From the policy in `before` to a whole folder `target`; False when no candidate was accepted."""
    model, begun = load_policy(before, loop.bench), time.perf_counter()
    found = candidates_of(loop, k, model)
    seconds = found.earlier + time.perf_counter() - begun
    about = {"k": k, "key": key, **({} if math.isnan(seconds) else {"seconds_candidates": round(seconds, 1)})}
    about |= watched(loop, k, found)
    about["choice"] = choice_of(loop, model, found, shared)
    if not found.used:
        why = ", ".join(f"{name} {share:.0%}" for name, share in found.why.mean().items())
        print(f"{loop.name}-s{loop.seed} k{k}: none of {len(found.table):,} candidates accepted (rejected for {why}); the loop "
              "ends here: start from a better policy or raise tdsc.max_wer", file=sys.stderr)  # fmt: skip
        return False
    if about["texts_dropped"] and loop.name != GRPO:
        share = f"{about['texts_dropped']:.0%} of {len(found.words)} texts have no accepted candidate"
        print(f"{loop.name}-s{loop.seed} k{k}: {share}; it goes on with the others", file=sys.stderr)
    training, twin = loop.work / f"k{k}-training", twin_of(loop, k, about["choice"])
    if twin is None:
        about |= learn(loop, k, model, before, found, training)
    with paths.replacing(target) as temporary:
        if twin is None:
            keep(loop, temporary, model, about)
        else:
            copy_of(twin, loop, temporary, about)
        names = [f"{text}/{slot}" for text, slot in zip(found.table["text"], found.table["slot"], strict=True)]
        write_codes(temporary / "candidates.safetensors", names, found.codes)
        write_verdicts(temporary / "verdicts.jsonl", found)
        codes = loop.bench.stack.codes
        by_temperature(found.table, found.why, found.used, found.codes, codes).to_csv(
            temporary / "temperatures.csv", index=False, float_format="%.6g"
        )
        for path in training.glob("*/loss.csv"):
            (temporary / f"{path.parent.name}.csv").write_bytes(path.read_bytes())
    return True
