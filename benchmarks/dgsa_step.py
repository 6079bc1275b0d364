"""DGSA training steps: `align.dgsa` against TRL's `DPOTrainer`, on the same triplets, weights, precision and optimiser.

64 triplets (a text, y_real, y_expr, y_stab), 16 a step, the weights of alpha = 0.8, style off, beta 0.1, AdamW; lengths are
those of the studio world (9 to 46 characters, 2.3 tokens each, +-10 % between versions). At 50 M weights they are 8 and 4,
and adapters of rank 32 are trained, the same on both sides; TRL's reference is then its model with the adapter off. TRL has no
weights by pair, so its loss is called once for each set and added up as in Eq. 10; one call over both sets was no faster. Both
sides collate, run forward and backward, and step. TRL is spared the rest of its trainer, the reading of its dataset, and
gradient checkpointing, which is on by default there. Arms:

    TRL default      the reference is run in each step; batches in random order
    TRL best         log-probabilities of the reference computed beforehand; batches of like lengths, the same as ours
    sebridge_lite    y_real is scored once for both sets, the text is run once for all three; the reference is asked once

One step's loss and all its gradients are compared first, away from the reference, and must agree to 1e-4 of the largest of
each tensor. `ratio` is to TRL's best arm.

    OMP_WAIT_POLICY=passive python benchmarks/dgsa_step.py --size 50m --json dgsa_step_50m.json
"""

import copy
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from _common import compared, exit_code, finish, in_turn, options, seconds
from _twin import LONGEST, PER_CHARACTER, SHORTEST, SIZES, Size, agree, as_causal_lm, gap, named, prompt_rows, sized
from torch import Tensor

from sebridge_lite.align.dgsa import PairSet, dgsa_loss, pair_set
from sebridge_lite.align.methods import lambda_e, lambda_s
from sebridge_lite.align.pairs import Triplet
from sebridge_lite.core.device import autocast, move, pick_device
from sebridge_lite.lm.lm import STOPS, LMConfig, TextSpeechLM
from sebridge_lite.lm.lora import adapted, lora_config

BETA = 0.1
WEIGHTS = lambda_s(0.8), lambda_e(0.8)
LOSERS = "expr", "stab"  # of T_stab and of T_expr
DEFAULT, BEST, OURS = "TRL default", "TRL best", "sebridge_lite"


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
        model = self.trainer.model
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    def loss(self, indices: Sequence[int]) -> Tensor:
        total, triplets = 0.0, len(self.pairs) // 2
        for place, weight in enumerate(WEIGHTS):
            batch = self.trainer.data_collator([self.pairs[place * triplets + i] for i in indices])
            with autocast(self.device):
                total = total + weight * self.trainer.compute_loss(self.trainer.model, move(batch, self.device))
        return total


def make_triplets(config: LMConfig, count: int, seed: int) -> list[Triplet]:
    generator, triplets = torch.Generator().manual_seed(seed), []
    for i, size in enumerate(torch.randint(SHORTEST, LONGEST + 1, (count,), generator=generator).tolist()):
        lengths = (size * PER_CHARACTER * (0.9 + 0.2 * torch.rand(3, generator=generator))).long()
        speech = [torch.randint(0, config.speech_vocab, (n,), generator=generator) for n in lengths.tolist()]
        text = torch.randint(0, config.text_vocab, (size,), generator=generator)
        triplets.append(Triplet(f"t{i}", text, text[:0], *speech))
    return triplets


def as_words(config: LMConfig, triplet: Triplet, version: str) -> tuple[str, str]:
    """Prompt and completion: TRL takes text only, so each row of the twin's table is a word, its number."""
    said = [*getattr(triplet, version).tolist(), config.speech_vocab]  # eos is the first row after the tokens
    return " ".join(map(str, prompt_rows(config, triplet.text).tolist())), " " + " ".join(map(str, said))


def trl_arm(model: TextSpeechLM, triplets: list[Triplet], size: Size, device, precomputed: bool, folder: str) -> TRL:
    """A DPOTrainer on a twin of `model`; its reference is another, or the twin without its adapters."""
    import datasets
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    datasets.disable_progress_bars()
    config, speech = model.config, model.config.speech_vocab + STOPS
    numbers = {str(i): i for i in range(speech + config.text_vocab + 2)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    eos, fill = str(config.speech_vocab), str(speech - 1)
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=eos, pad_token=fill)
    said = [[as_words(config, t, version) for version in ("real", loser)] for loser in LOSERS for t in triplets]
    pairs = [{"prompt": won[0], "chosen": won[1], "rejected": lost[1]} for won, lost in said]
    twin = copy.deepcopy(as_causal_lm(model)).requires_grad_(True).train()
    settings = DPOConfig(
        folder, beta=BETA, per_device_train_batch_size=size.micro, precompute_ref_log_probs=precomputed, max_length=None,
        bf16=device.type == "cuda", use_cpu=device.type == "cpu", gradient_checkpointing=False, report_to="none",
    )  # fmt: skip
    reference = None if precomputed or size.rank else copy.deepcopy(twin).eval()
    data = datasets.Dataset.from_list(pairs)
    trainer = DPOTrainer(
        twin, ref_model=reference, args=settings, train_dataset=data, processing_class=words,
        peft_config=lora_config(model, size.rank) if size.rank else None,
    )  # fmt: skip
    return TRL(trainer, [dict(row) for row in trainer.train_dataset], device)


def learnt(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [weights for weights in model.parameters() if weights.requires_grad]


def make_arms(size: Size, device: torch.device, folder: str) -> dict[str, Ours | TRL]:
    """All on the same weights, which have left the reference: at it, losses are ln 2 and half of the errors would not show."""
    torch.manual_seed(0)
    reference, triplets = TextSpeechLM(size.config), make_triplets(size.config, size.triplets, 0)
    moved = adapted(copy.deepcopy(reference), size.rank)
    with torch.no_grad():
        for weights in learnt(moved):
            weights += 0.02 * torch.randn_like(weights)
    pairs = pair_set(triplets, reference.to(device), *WEIGHTS, "off")
    arms = {
        DEFAULT: trl_arm(reference.cpu(), triplets, size, device, False, folder),
        BEST: trl_arm(reference, triplets, size, device, True, folder),
    }
    for arm in arms.values():
        arm.model.load_state_dict(as_causal_lm(moved).state_dict())
    return {**arms, OURS: Ours(moved.to(device).train(), pairs, device)}


def disagreement(one: Ours, other: TRL, indices: Sequence[int]) -> dict[str, float]:
    """Of one step's loss and gradients."""
    return gap(one.model, other.model, one.loss(indices), other.loss(indices))


def rate(arm: Ours | TRL, batches: Sequence[Sequence[int]], optimizer: torch.optim.Optimizer) -> float:
    """Triplets a second."""

    def train():
        for indices in batches:
            optimizer.zero_grad()
            arm.loss(indices).backward()
            optimizer.step()

    return sum(map(len, batches)) / seconds(train)


def measure(arms: dict[str, Ours | TRL], micro: int, repeats: int) -> dict[str, list[float]]:
    """Triplets a second of each arm, after one turn that does not count."""
    sizes, order = arms[OURS].pairs.sizes, torch.randperm(len(arms[OURS].pairs.names)).numpy()
    like = sizes.argsort(kind="stable").reshape(-1, micro).tolist()
    batches = {name: order.reshape(-1, micro).tolist() if name == DEFAULT else like for name in arms}
    optimizers = {name: torch.optim.AdamW(learnt(arm.model), lr=1e-6, fused=True) for name, arm in arms.items()}
    turns = {name: partial(rate, arm, batches[name], optimizers[name]) for name, arm in arms.items()}
    return in_turn(turns, repeats, warm=1)


def main(argv: list[str] | None = None) -> int:
    parser = sized(options(__doc__, repeats=3))
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(argv)
    try:
        import trl  # noqa: F401
    except ImportError:
        print("trl is not installed: pip install -c constraints.txt trl==1.16.0", file=sys.stderr)
        return 1
    logging.disable(logging.WARNING)  # TRL and transformers warn of their own settings
    warnings.simplefilter("ignore")
    os.environ["TQDM_DISABLE"] = "1"
    device, size = pick_device(args.device), SIZES[args.size]
    with tempfile.TemporaryDirectory() as folder:
        arms = make_arms(size, device, folder)
    del os.environ["TQDM_DISABLE"]
    parity = {name: disagreement(arms[OURS], arms[name], range(size.micro)) for name in (DEFAULT, BEST)}
    if not agree(parity, device):
        return 1
    rates = measure(arms, size.micro, args.repeats)
    tokens = sum(len(row[0]) + len(row[2]) + 2 for of_one in arms[OURS].pairs.rows for row in of_one) / size.triplets
    print(f"{tokens:.0f} real tokens a triplet")
    result = compared(named("dgsa_step", args.size), rates, OURS, BEST, parity)
    finish(result | {"tokens_a_triplet": tokens}, "triplets/s", args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
