"""What TDSC learns from (Sec. 4): the accepted candidates of its own, by likelihood, then winners against losers, by DPO.

Candidates are rows of a table, judged by `align.critic`. Left out: weights by the judge's confidence, several pairs a text.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.align.dgsa import PairSet, check_pairs, check_rows, reference_logprobs
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import TdscParams
from sebridge_lite.lm.lm import Example, TextSpeechLM
from sebridge_lite.stack.characters import CharVocab


def accepted_set(table: pd.DataFrame, why: pd.DataFrame, best: int) -> list[int]:
    """G: of each text the `best` accepted rows with the fewest errors, the hottest of equals; each sequence once."""
    good = table[~why.any(axis=1) & ~table["again"]]
    order = good.sort_values(["text", "wer", "temperature", "slot"], ascending=[True, True, False, True])
    return order.groupby("text").head(best).index.to_list()


def sft_set(
    own: Sequence[tuple[str, Tensor]], replay: Sequence[tuple[str, Tensor]], speakers: Sequence[str]
) -> tuple[list[tuple[Tensor, Tensor]], list[str]]:
    """Eq. 17 (Sec. 4): what maximum likelihood is taken of, G as (text, codes): examples and their speakers.

    Departure from the paper: all of the training speech is replayed beside G. Each sequence of G has a speaker of its own,
    so that it is never learnt under a style prefix, as it was not sampled under one.
    """
    vocab = CharVocab()
    examples = [(vocab.encode(text), row) for text, row in (*own, *replay)]
    return examples, [*(f"own-{i}" for i in range(len(own))), *speakers]


def preferences(table: pd.DataFrame, why: pd.DataFrame, p: TdscParams) -> list[tuple[int, int]]:
    """Eq. 18 (Sec. 4): rows (winner, loser) of each text that has both.

    Winner: the fewest errors in G, the hottest of equals. Loser: rejected for its errors alone, so that length and loops are
    never what is learnt. Departure from the paper: `matched` losers are also at least `apart` worse, within `near` tokens
    of the winner's length and no hotter than it, coldest first; else a pair teaches cold against hot, or short against long.
    """
    good, bad = ~why.any(axis=1), why["wer"] & ~why.drop(columns="wer").any(axis=1)
    some, found = table.assign(good=good, bad=bad)[good | bad], []
    order = some.sort_values(["wer", "temperature", "slot"], ascending=[True, False, True])
    for _, group in order.groupby("text"):
        if not (group["good"].any() and group["bad"].any()):
            continue
        winner, losers = group[group["good"]].iloc[0], group[group["bad"]]
        if p.matched:
            losers = losers[
                (losers["wer"] >= winner["wer"] + p.apart)
                & ((losers["tokens"] - winner["tokens"]).abs() <= p.near)
                & (losers["temperature"] <= winner["temperature"])
            ].sort_values(["temperature", "wer", "slot"], ascending=[True, False, True])
        else:
            losers = losers.sort_values(["wer", "slot"], ascending=[False, True])
        if len(losers):
            found.append((int(winner.name), int(losers.index[0])))
    return found


def critique_set(
    pairs: Sequence[tuple[str, str, Tensor, Tensor]], policy: TextSpeechLM, reference: TextSpeechLM, cache: Path
) -> PairSet:
    """Eq. 19 (Sec. 4): (name, text, winner, loser) for L_DPO, which is `dgsa_loss` on this one set of weight 1."""
    vocab = CharVocab()
    check_pairs(pairs, policy, reference)
    rows: list[list[Example]] = []
    for name, text, *both in pairs:
        ids = vocab.encode(text)
        if torch.equal(*both):
            raise UserError(f"pair {name}: winner and loser are the same tokens; drop it")
        rows.append([(ids, ids[:0], codes) for codes in both])
    names = [name for name, *_ in pairs]
    check_rows(names, rows, policy)
    logps = reference_logprobs(reference, [row for of_one in rows for row in of_one], cache)
    return PairSet(names, rows, {"critique": (0, 1)}, {"critique": 1.0}, logps.view(-1, 2))
