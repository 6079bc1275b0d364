"""DGSA's step (Eq. 10): two sets of preferences that share their winner, trained by the one loop of `lm.train`.

Each sequence of a triplet is one row, scored once, whatever number of pairs it is in: three rows when both sets are scored
without a style prefix, four when T_stab is scored under it ("split"), two when a weight is 0. The reference is frozen, so its
log-probabilities are computed once. Rows under the same text and prefix run them once (`TextSpeechLM.continued`). Left out:
rows packed into padding-free sequences (measured on a CPU: their block mask costs 15 to 40 % more time than the 11 % of padding
in batches of like lengths).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sebridge_lite.align.dpo import dpo_loss
from sebridge_lite.align.methods import lambda_e, lambda_s
from sebridge_lite.align.pairs import Triplet, expressivity_pairs, stability_pairs
from sebridge_lite.align.runs import Run
from sebridge_lite.core.device import autocast, move
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.hashes import key_of
from sebridge_lite.lm import train as loop
from sebridge_lite.lm.lm import Batch, Example, TextSpeechLM, collate, sequence_logprobs, token_logprobs
from sebridge_lite.lm.lora import adapted

BUDGET = 4_000  # tokens a batch while the reference is scored


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Sequences, each once, and the pairs among them."""

    rows: Batch  # R rows
    reference: Tensor  # (R,) log pi_ref
    pairs: Mapping[str, Tensor]  # set: (2, N), rows of winners and of losers
    weights: Mapping[str, float]  # set: lambda


@dataclass(frozen=True, eq=False)
class PairSet:
    """All pairs as rows. `Batches(pairs.sizes, pairs.names, ...)` and `pairs.collate` are what `lm.train` wants."""

    names: Sequence[str]  # (N,)
    rows: Sequence[Sequence[Example]]  # (N, W)
    pairs: Mapping[str, tuple[int, ...]]  # set: the winner's and the loser's place among the W
    weights: Mapping[str, float]
    reference: Tensor  # (N, W)

    @property
    def sizes(self) -> np.ndarray:
        """Tokens with the padding inside each row of the set, so that a batch keeps to its budget. (N,)"""
        return np.array([len(rows) * max(map(_positions, rows)) for rows in self.rows])

    def collate(self, indices: Sequence[int]) -> PairBatch:
        n, width = len(indices), self.reference.shape[1]
        rows = collate([self.rows[i][place] for place in range(width) for i in indices], shared=True)
        reference = self.reference[torch.as_tensor(indices)].T.reshape(-1)
        places = torch.arange(n)
        pairs = {name: torch.stack([places + n * place for place in pair]) for name, pair in self.pairs.items()}
        return PairBatch(rows, reference, pairs, dict(self.weights))


def _positions(row: Example) -> int:
    return 2 + sum(map(len, row))


def paired(
    names: Sequence[str],
    sets: Mapping[str, Sequence[Sequence[Example]]],
    weights: Mapping[str, float],
    reference: TextSpeechLM,
) -> PairSet:
    """Pairs as rows, with what the reference says of each. sets: each has one pair for each of `names`.

    What is the winner or the loser of two sets throughout is one row.
    """
    if not names:
        raise UserError("preference pairs: none; sample more texts or loosen the filters that made them")
    sides = {label: list(zip(*pairs, strict=True)) for label, pairs in sets.items()}  # all winners, all losers
    columns = {tuple(map(_key, side)): side for both in sides.values() for side in both}
    at = {key: place for place, key in enumerate(columns)}
    places = {label: tuple(at[tuple(map(_key, side))] for side in both) for label, both in sides.items()}
    rows = list(zip(*columns.values(), strict=True))
    last = [row for pair in list(sets.values())[-1] for row in pair]  # of DGSA this is T_expr, which DPO has alone
    logps = reference_logprobs(reference, [row for of_one in rows for row in of_one], first=last)
    return PairSet(names, rows, places, weights, logps.view(len(rows), len(columns)))


def pair_set(
    triplets: Sequence[Triplet], reference: TextSpeechLM, lambda_s: float, lambda_e: float, conditioning: str
) -> PairSet:
    """T_stab and T_expr (Eq. 8-9) with their weights; a set of weight 0 has no rows and costs nothing.

    conditioning: "split" scores T_stab under the style that y_expr was drawn under, "off" nothing.
    """
    if not (lambda_s or lambda_e):
        raise UserError(f"lambda_s {lambda_s}, lambda_e {lambda_e}: weights must not both be 0")
    weights = {label: weight for label, weight in (("stab", lambda_s), ("expr", lambda_e)) if weight}
    sets = {"stab": stability_pairs(triplets, styled=conditioning == "split"), "expr": expressivity_pairs(triplets)}
    used = {label: sets[label] for label in weights}
    return paired([triplet.name for triplet in triplets], used, weights, reference)


@torch.no_grad()
def reference_logprobs(model: TextSpeechLM, examples: Sequence[Example], first: Sequence[Example] = ()) -> Tensor:
    """log pi_ref(y | x) of each example; equal ones are asked once. (N,)

    first: those that go in batches of their own, so that their numbers do not depend, in the last bit, on the others.
    """
    device = next(model.parameters()).device
    found: dict[str, float] = {}
    for some in (first, examples):
        new = {key: example for example in some if (key := _key(example)) not in found}
        names, sizes = list(new), [_positions(example) for example in new.values()]
        for indices in loop.Batches(sizes, names, max(BUDGET, *sizes), seed=0).epoch(0) if new else ():
            batch = [names[i] for i in indices]
            with autocast(device):  # as in training, so that policy = reference gives margins of 0
                logps = sequence_logprobs(model, move(collate([new[name] for name in batch]), device))
            found |= dict(zip(batch, logps.tolist(), strict=True))
    return torch.tensor([found[_key(example)] for example in examples])


def _key(example: Example) -> str:
    return key_of(*(part.long() for part in example), *map(len, example))


def dgsa_loss(model: TextSpeechLM, batch: PairBatch, beta: float, **options) -> tuple[Tensor, int, dict]:
    """Eq. 10 (Sec. 3): lambda_s L_DPO(T_stab) + lambda_e L_DPO(T_expr), the mean over triplets, for the training loop.

    `options` are those of `dpo_loss`. With one set of weight 1 it is standard DPO. Departure from the paper: under which
    conditioning each set is scored is left open there; here it is how the pair set was built.
    """
    tokens = token_logprobs(model, batch.rows)  # (R, S + 1)
    lengths = batch.rows.speech_lengths + 1
    logps, reference = tokens.sum(1), batch.reference
    winners = torch.cat([pair[0] for pair in batch.pairs.values()])
    total = torch.zeros(())
    scalars = {  # displacement, watched live: nats a token, and what is said of stopping
        "winner_logp": (logps.detach()[winners] / lengths[winners]).mean(),
        "winner_change": ((logps.detach() - reference)[winners] / lengths[winners]).mean(),
        "winner_eos": tokens.detach()[winners, lengths[winners] - 1].mean(),
        "winner_tokens": lengths[winners].float().mean(),
    }
    for name, (won, lost) in batch.pairs.items():
        both = lengths[won], lengths[lost]
        found = dpo_loss(logps[won], logps[lost], reference[won], reference[lost], beta, lengths=both, **options)
        total = total + batch.weights[name] * found.losses.mean()
        scalars |= {
            f"{name}_loss": found.losses.detach().mean(),
            f"{name}_margin": found.margins.mean(),
            f"{name}_accuracy": found.accuracy,
            f"{name}_loser_logp": (logps[lost].detach() / both[1]).mean(),
            f"{name}_loser_tokens": both[1].float().mean(),
        }
    return total, len(won), scalars


def train(model: TextSpeechLM, triplets: Sequence[Triplet], run: Run) -> tuple[loop.Trained, dict]:
    """Trains `model` in place by DGSA or a variant of it; the policy that it is before the first step is the reference."""
    method, p = run.method, run.params.align
    weights = method.weights(lambda_s(run.alpha, p.alpha_star), lambda_e(run.alpha, p.alpha_star))
    found = pair_set(triplets, model, weights[0], weights[1], method.conditioning)
    options: dict[str, Any] = {"normalised": method.normalised, "sft": p.sft_weight if method.sft_term else 0.0}
    beta = p.beta
    if method.normalised:  # a token's margin is smaller by the length: so that the sigmoid sees what it sees without
        beta *= sum(len(t.real) + 1 for t in triplets) / len(triplets)
    torch.manual_seed(run.seed)  # of the adapters' first weights
    adapted(model, p.lora_rank if method.lora else 0)
    batches = loop.Batches(found.sizes, found.names, p.budget * found.reference.shape[1], run.seed)
    tokens = [part for t in triplets for part in t[1:]]
    data = key_of(*tokens, found.reference, weights, method.conditioning, beta, options)
    config, loss = run.config(p.lora_lr if method.lora else p.lr), partial(dgsa_loss, beta=beta, **options)
    done = loop.train(model, loss, batches, found.collate, config, run.work, data, run.what, run.keep)
    return done, {"pairs": len(triplets), "lambda_s": round(weights[0], 4), "lambda_e": round(weights[1], 4)}
