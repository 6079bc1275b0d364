"""DGSA's step (Eq. 10): two sets of preferences that share their winner, trained by the one loop of `speech.train`.

    T_stab  y_real > y_expr     keep the words: the loser is the expressive but unstable output
    T_expr  y_real > y_stab     win back the melody: the loser is the stable but flat output

Each sequence of a triplet is one row, scored once, whatever number of pairs it is in: three rows when both sets are scored
without a style prefix, four when T_stab is scored under it ("split"), two when a weight is 0. The reference is frozen, so its
log-probabilities are computed once and kept by content. Left out: rows packed into padding-free sequences (measured on a CPU:
their block mask costs 15 to 40 % more time than the 11 % of padding in batches of like lengths; smaller batches with more
of them a step are the cheaper way to less padding), and sharing the text among a triplet's rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sebridge_lite.align.dpo import dpo_loss
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.device import autocast, move
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.paths import replacing
from sebridge_lite.lm.batching import Batches
from sebridge_lite.lm.lm import Batch, Example, TextSpeechLM, collate, sequence_logprobs, token_logprobs

BUDGET = 4_000  # tokens a batch while the reference is scored
CONDITIONINGS = ("off", "split")


class Triplet(NamedTuple):
    """One text in three versions; all but the name are (length,) long."""

    name: str
    text: Tensor
    prefix: Tensor  # the style under which y_expr was sampled
    real: Tensor  # the winner of both sets
    expr: Tensor  # Eq. 6
    stab: Tensor  # Eq. 7


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Sequences, each once, and the pairs among them."""

    rows: Batch  # R rows
    reference: Tensor  # (R,) log pi_ref
    pairs: Mapping[str, Tensor]  # set: (2, N), rows of winners and of losers
    weights: Mapping[str, float]  # set: lambda


@dataclass(frozen=True, eq=False)
class PairSet:
    """All triplets as rows. `Batches(pairs.sizes, pairs.names, ...)` and `pairs.collate` are what `train` wants."""

    names: Sequence[str]  # (N,)
    rows: Sequence[Sequence[Example]]  # (N, W)
    pairs: Mapping[str, tuple[int, int]]  # set: the winner's and the loser's place among the W
    weights: Mapping[str, float]
    reference: Tensor  # (N, W)

    @property
    def sizes(self) -> np.ndarray:
        """(N,) tokens with the padding inside a triplet, so that a batch keeps to its budget."""
        return np.array([len(rows) * max(map(_positions, rows)) for rows in self.rows])

    def collate(self, indices: Sequence[int]) -> PairBatch:
        n, width = len(indices), self.reference.shape[1]
        rows = collate([self.rows[i][place] for place in range(width) for i in indices])
        reference = self.reference[torch.as_tensor(indices)].T.reshape(-1)
        places = torch.arange(n)
        pairs = {name: torch.stack([places + n * place for place in pair]) for name, pair in self.pairs.items()}
        return PairBatch(rows, reference, pairs, dict(self.weights))


def _positions(row: Example) -> int:
    return 2 + sum(map(len, row))


def layout(lambda_s: float, lambda_e: float, conditioning: str) -> tuple[list[tuple[str, bool]], dict]:
    """Rows to score, (field of a triplet, under its prefix), and per set the places of winner and loser among them."""
    if conditioning not in CONDITIONINGS:
        raise UserError(f"conditioning: '{conditioning}' is not one of {', '.join(CONDITIONINGS)}")
    if min(lambda_s, lambda_e) < 0 or lambda_s + lambda_e == 0:
        raise UserError(f"lambda_s {lambda_s}, lambda_e {lambda_e}: weights must not be negative, nor both 0")
    rows, pairs = [], {}
    for name, loser, weight, styled in (
        ("stab", "expr", lambda_s, conditioning == "split"),
        ("expr", "stab", lambda_e, False),
    ):
        if weight:
            rows += [row for row in (("real", styled), (loser, styled)) if row not in rows]
            pairs[name] = (rows.index(("real", styled)), rows.index((loser, styled)))
    return rows, pairs


def check_pairs(pairs: Sequence, policy: TextSpeechLM, reference: TextSpeechLM) -> None:
    """Whatever kind of pairs: there are some, and the reference speaks the policy's tokens."""
    if not pairs:
        raise UserError("preference pairs: none; sample more texts or loosen the filters that made them")
    ours, theirs = policy.config, reference.config
    if (ours.text_vocab, ours.speech_vocab) != (theirs.text_vocab, theirs.speech_vocab):
        raise UserError(
            f"reference of {theirs.text_vocab} text and {theirs.speech_vocab} speech tokens, policy of {ours.text_vocab} and "
            f"{ours.speech_vocab}: take the checkpoint that the policy starts from as its reference"
        )


def _check(triplets: Sequence[Triplet], losers: set[str], policy: TextSpeechLM, reference: TextSpeechLM) -> None:
    check_pairs(triplets, policy, reference)
    for triplet in triplets:
        for loser in losers:
            if torch.equal(triplet.real, getattr(triplet, loser)):
                raise UserError(f"pair {triplet.name}: winner y_real and loser y_{loser} are the same tokens; drop it")


def check_rows(names: Sequence[str], rows: Sequence[Sequence[Example]], policy: TextSpeechLM) -> None:
    """Every version of every pair must fit into the policy's context and be made of its tokens."""
    context, vocab = policy.config.max_positions, policy.config.speech_vocab
    for name, of_one in zip(names, rows, strict=True):
        longest = max(map(_positions, of_one))
        if longest > context:
            raise UserError(
                f"pair {name}: {longest:,} tokens with its text and prefix, the model has {context:,} positions; drop it"
            )
        highest = max((int(part.max()) for _, *speech in of_one for part in speech if len(part)), default=0)
        if highest >= vocab:
            raise UserError(
                f"pair {name}: token {highest} is outside 0..{vocab - 1}; it is of another tokenizer: make the pairs again"
            )


def pair_set(
    triplets: Sequence[Triplet],
    policy: TextSpeechLM,
    reference: TextSpeechLM,
    lambda_s: float,
    lambda_e: float,
    conditioning: str,
    cache: Path,
) -> PairSet:
    """T_stab and T_expr (Eq. 8-9) as rows, with what the reference says of each; a set of weight 0 has none and costs nothing."""
    kinds, pairs = layout(lambda_s, lambda_e, conditioning)
    _check(triplets, {kind for kind, _ in kinds} - {"real"}, policy, reference)
    names = [triplet.name for triplet in triplets]
    rows = [
        [(t.text, t.prefix if styled else t.prefix[:0], getattr(t, kind)) for kind, styled in kinds] for t in triplets
    ]
    check_rows(names, rows, policy)
    logps = reference_logprobs(reference, [row for of_one in rows for row in of_one], cache)
    weights = {name: weight for name, weight in (("stab", lambda_s), ("expr", lambda_e)) if weight}
    return PairSet(names, rows, pairs, weights, logps.view(len(rows), len(kinds)))


@torch.no_grad()
def reference_logprobs(model: TextSpeechLM, examples: Sequence[Example], cache: Path) -> Tensor:
    """(N,) log pi_ref(y | x), each computed once in its life: kept in `cache` under the hash of weights and tokens."""
    device = next(model.parameters()).device
    weights = key_of(device.type, *(part for item in model.state_dict().items() for part in item))
    path = cache / f"reference_{weights}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    keys = [key_of(*(part.long() for part in example), *map(len, example)) for example in examples]
    new = {key: example for key, example in zip(keys, examples, strict=True) if key not in known}
    if new:
        names, sizes = list(new), [_positions(example) for example in new.values()]
        for indices in Batches(sizes, names, max(BUDGET, *sizes), seed=0).epoch(0):
            some = [names[i] for i in indices]
            with autocast(device):  # as in training, so that policy = reference gives margins of 0
                found = sequence_logprobs(model, move(collate([new[key] for key in some]), device))
            known |= dict(zip(some, found.tolist(), strict=True))
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(known), encoding="utf-8")
    return torch.tensor([known[key] for key in keys])


def dgsa_loss(model: TextSpeechLM, batch: PairBatch, beta: float, **options) -> tuple[Tensor, int, dict]:
    """Eq. 10 (Sec. 3): lambda_s L_DPO(T_stab) + lambda_e L_DPO(T_expr), the mean over triplets, for the training loop.

    `options` are those of `dpo_loss`. With one set of weight 1 it is standard DPO. Departure from the paper: under which
    conditioning each set is scored is left open there; here it is how the pair set was built.
    """
    tokens = token_logprobs(model, batch.rows)  # (R, S + 1)
    lengths = batch.rows.speech_lengths + 1
    logps, reference = tokens.sum(1), batch.reference
    total, scalars = 0.0, _winners(batch, tokens.detach(), lengths)
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


def _winners(batch: PairBatch, tokens: Tensor, lengths: Tensor) -> dict[str, Tensor]:
    """Displacement, watched live: nats a token, the change against the reference, and what is said of stopping."""
    won = torch.cat([pair[0] for pair in batch.pairs.values()])
    logps = tokens.sum(1)
    return {
        "winner_logp": (logps[won] / lengths[won]).mean(),
        "winner_change": ((logps - batch.reference)[won] / lengths[won]).mean(),
        "winner_eos": tokens[won, lengths[won] - 1].mean(),
        "winner_tokens": lengths[won].float().mean(),
    }
