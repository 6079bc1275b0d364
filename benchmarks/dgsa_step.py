"""DGSA training steps: `align.dgsa` against TRL's `DPOTrainer`, on the same triplets, weights, precision and optimiser.

128 triplets (a text, y_real, y_expr, y_stab), 16 a step, the weights of alpha = 0.8, style off, beta 0.1, AdamW; lengths are
those of the studio world (9 to 46 characters, 2.3 tokens each, +-10 % between versions). TRL has no weights by pair, so its
loss is called once for each set and added up as in Eq. 10; one call over both sets was no faster. Both sides collate, run
forward and backward, and step. TRL is spared the rest of its trainer, the reading of its dataset, and gradient
checkpointing, which is on by default there. Arms:

    TRL default      the reference is run in each step; batches in random order
    TRL best         log-probabilities of the reference computed beforehand; batches of like lengths, the same as ours
    sebridge_lite    y_real is scored once for both sets; reference from the cache

One step's loss and all its gradients are compared first, away from the reference. Random weights will do: speed does not
depend on what is said. `ratio` is to TRL's best arm.

    OMP_WAIT_POLICY=passive python benchmarks/dgsa_step.py --repeats 5 --json dgsa_step.json
"""

import argparse
import copy
import dataclasses
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import generate
import torch
from torch import Tensor

from sebridge_lite.align.dgsa import PairSet, Triplet, dgsa_loss, pair_set
from sebridge_lite.align.schedule import lambda_e, lambda_s
from sebridge_lite.core.device import autocast, move, pick_device
from sebridge_lite.core.progress import progress
from sebridge_lite.speech.lm import SOS, STOPS, TASK, TextSpeechLM

# Positions that count on: TRL's model knows no others, and they make no difference to speed.
CONFIG = dataclasses.replace(generate.CONFIG, pace=0)
TRIPLETS, MICRO, BETA = 128, 16, 0.1
WEIGHTS = lambda_s(0.8), lambda_e(0.8)
LOSERS = "expr", "stab"  # of T_stab and of T_expr
CLOSE = {"cpu": 1e-4, "cuda": 5e-2}  # gradients: float32, bf16
SPEECH = CONFIG.speech_vocab + STOPS  # the twin's one table is speech | text | sos, task


@dataclass(frozen=True, eq=False)
class Ours:
    model: TextSpeechLM
    pairs: PairSet
    device: torch.device

    def loss(self, indices: Sequence[int]) -> Tensor:
        batch = move(self.pairs.collate(indices), self.device)
        with autocast(self.device):
            return dgsa_loss(self.model, batch, BETA)[0]


@dataclass(frozen=True, eq=False)
class TRL:
    trainer: object
    pairs: Sequence[dict]  # all of T_stab, then all of T_expr; read out of the dataset, so that Arrow costs nothing
    device: torch.device

    @property
    def model(self):
        return self.trainer.model

    def loss(self, indices: Sequence[int]) -> Tensor:
        total = 0.0
        for place, weight in enumerate(WEIGHTS):
            batch = self.trainer.data_collator([self.pairs[place * TRIPLETS + i] for i in indices])
            with autocast(self.device):
                total = total + weight * self.trainer.compute_loss(self.model, move(batch, self.device))
        return total


def make_triplets(seed: int) -> list[Triplet]:
    generator, triplets = torch.Generator().manual_seed(seed), []
    for i, size in enumerate(torch.randint(9, 47, (TRIPLETS,), generator=generator).tolist()):
        lengths = (size * generate.PER_CHARACTER * (0.9 + 0.2 * torch.rand(3, generator=generator))).long()
        speech = [torch.randint(0, CONFIG.speech_vocab, (n,), generator=generator) for n in lengths.tolist()]
        text = torch.randint(0, CONFIG.text_vocab, (size,), generator=generator)
        triplets.append(Triplet(f"t{i}", text, text[:0], *speech))
    return triplets


def as_words(triplet: Triplet, version: str) -> tuple[str, str]:
    """Prompt and completion: TRL takes text only, so each row of the twin's table is a word, its number."""
    sos, task = (SPEECH + CONFIG.text_vocab + mark for mark in (SOS, TASK))
    prompt = [sos, *(SPEECH + triplet.text).tolist(), task]
    said = [*getattr(triplet, version).tolist(), CONFIG.speech_vocab]  # eos is the first row after the tokens
    return " ".join(map(str, prompt)), " " + " ".join(map(str, said))


def trl_arm(model: TextSpeechLM, triplets: list[Triplet], device: torch.device, precomputed: bool, folder: str) -> TRL:
    """A DPOTrainer on a twin of `model`, its reference another."""
    import datasets
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    datasets.disable_progress_bars()
    numbers = {str(i): i for i in range(SPEECH + CONFIG.text_vocab + 2)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    eos, fill = str(CONFIG.speech_vocab), str(SPEECH - 1)
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=eos, pad_token=fill)
    said = [[as_words(t, version) for version in ("real", loser)] for loser in LOSERS for t in triplets]
    pairs = [{"prompt": won[0], "chosen": won[1], "rejected": lost[1]} for won, lost in said]
    twin = copy.deepcopy(generate.as_causal_lm(model)).requires_grad_(True).train()
    settings = DPOConfig(
        folder, beta=BETA, per_device_train_batch_size=MICRO, precompute_ref_log_probs=precomputed, max_length=None,
        bf16=device.type == "cuda", use_cpu=device.type == "cpu", gradient_checkpointing=False, report_to="none",
    )  # fmt: skip
    reference = None if precomputed else copy.deepcopy(twin).eval()
    data = datasets.Dataset.from_list(pairs)
    trainer = DPOTrainer(twin, ref_model=reference, args=settings, train_dataset=data, processing_class=words)
    return TRL(trainer, [dict(row) for row in trainer.train_dataset], device)


def make_arms(device: torch.device, folder: str) -> dict[str, Ours | TRL]:
    """All on the same weights, which have left the reference: at it, losses are ln 2 and half of the errors would not show."""
    torch.manual_seed(0)
    reference, triplets = TextSpeechLM(CONFIG), make_triplets(0)
    moved = copy.deepcopy(reference)
    with torch.no_grad():
        for weights in moved.parameters():
            weights += 0.02 * torch.randn_like(weights)
    pairs = pair_set(triplets, moved, reference.to(device), *WEIGHTS, "off", Path(folder))
    arms = {
        "TRL default": trl_arm(reference.cpu(), triplets, device, False, folder),
        "TRL best": trl_arm(reference, triplets, device, True, folder),
    }
    for arm in arms.values():
        arm.model.load_state_dict(generate.as_causal_lm(moved).state_dict())
    return {**arms, "sebridge_lite": Ours(moved.to(device).train(), pairs, device)}


def gradients(arm: Ours | TRL) -> dict[str, Tensor]:
    """By name in the text-speech LM."""
    if isinstance(arm, Ours):
        return {name: weights.grad for name, weights in arm.model.named_parameters()}
    tables = arm.model.model.embed_tokens.weight.grad.split([SPEECH, CONFIG.text_vocab, 2])
    names = ("speech_embedding.weight", "llm.embed_tokens.weight", "llm_embedding.weight")
    found = {f"llm.{name}": weights.grad for name, weights in arm.model.model.named_parameters()}
    found |= {f"llm_decoder.{name}": weights.grad for name, weights in arm.model.lm_head.named_parameters()}
    return found | dict(zip(names, tables, strict=True))


def disagreement(one: Ours | TRL, other: Ours | TRL, indices: Sequence[int]) -> tuple[float, float]:
    """Of one step's loss, and of the worst gradient, relative to the largest of its tensor."""
    losses = []
    for arm in (one, other):
        arm.model.zero_grad()
        losses.append(arm.loss(indices))
        losses[-1].backward()
    ours, theirs = gradients(one), gradients(other)
    gaps = [((ours[name] - theirs[name]).abs().max() / ours[name].abs().max()).item() for name in ours]
    return abs((losses[0] - losses[1]).item()), max(gaps)


def rate(arm: Ours | TRL, batches: Sequence[Sequence[int]], optimizer: torch.optim.Optimizer) -> float:
    """Triplets a second."""
    begun = time.perf_counter()
    for indices in batches:
        optimizer.zero_grad()
        arm.loss(indices).backward()
        optimizer.step()
    if arm.device.type == "cuda":
        torch.cuda.synchronize()
    return TRIPLETS / (time.perf_counter() - begun)


def measure(arms: dict[str, Ours | TRL], repeats: int) -> dict[str, list[float]]:
    """Triplets a second of each arm, a turn each in every repeat, after one that does not count."""
    sizes, order = arms["sebridge_lite"].pairs.sizes, torch.randperm(TRIPLETS).numpy()
    like = sizes.argsort(kind="stable").reshape(-1, MICRO).tolist()
    batches = {name: order.reshape(-1, MICRO).tolist() if name == "TRL default" else like for name in arms}
    optimizers = {name: torch.optim.AdamW(arm.model.parameters(), lr=1e-6, fused=True) for name, arm in arms.items()}
    rates = [
        {name: rate(arm, batches[name], optimizers[name]) for name, arm in arms.items()}
        for _ in progress(range(1 + repeats), "benchmark", "repeat")
    ]
    return {name: [row[name] for row in rates[1:]] for name in arms}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        import trl  # noqa: F401
    except ImportError:
        print("trl is not installed: pip install -c constraints.txt trl==1.16.0", file=sys.stderr)
        return 1
    logging.disable(logging.WARNING)  # TRL and transformers warn of their own settings
    warnings.simplefilter("ignore")
    os.environ["TQDM_DISABLE"] = "1"
    device = pick_device(args.device)
    with tempfile.TemporaryDirectory() as folder:
        arms = make_arms(device, folder)
    del os.environ["TQDM_DISABLE"]
    ours, parity = arms["sebridge_lite"], {}
    for name in ("TRL default", "TRL best"):
        parity[name] = disagreement(ours, arms[name], range(MICRO))
        print(
            f"{name}: loss differs by {parity[name][0]:.1e}, the worst gradient by {parity[name][1]:.1e} of its largest"
        )
    rates = measure(arms, args.repeats)
    report(rates, sum(len(row[0]) + len(row[2]) + 2 for of_one in ours.pairs.rows for row in of_one), args.json)
    return 0 if max(gap for _, gap in parity.values()) < CLOSE[device.type] else 1


def report(rates: dict[str, list[float]], tokens: int, file: Path | None) -> None:
    """Prints and writes rates and ratios; `tokens` are those of all triplets, each sequence counted once."""
    arms = {name: statistics.median(values) for name, values in rates.items()}
    ratios = {
        name: [a / b for a, b in zip(rates["sebridge_lite"], values, strict=True)]
        for name, values in rates.items()
        if name != "sebridge_lite"
    }
    for name, value in arms.items():
        print(f"{name}: {value:.1f} triplets/s, {value * tokens / TRIPLETS:,.0f} real tokens/s")
    for name, values in ratios.items():
        print(f"ratio to {name}: {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
    best = ratios["TRL best"]
    result = {"name": "dgsa_step", "arms": arms, "ratio": statistics.median(best), "low": min(best), "high": max(best)}
    result |= {"repeats": len(best), "ratio_to_default": statistics.median(ratios["TRL default"])}
    if file:
        file.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
