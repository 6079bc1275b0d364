"""TDSC (Sec. 4): with no real speech a policy speaks, a judge listens, the policy learns what passed, and begins again.

An iteration k speaks at three temperatures (Eq. 15), judges (Eq. 16), learns the accepted candidates G by likelihood (Eq. 17),
and prefers winners to losers (Eq. 18-19). Left out: weights by the judge's confidence, several pairs of a text.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.align.critic import Length, Listen, Text, judged
from sebridge_lite.align.dgsa import PairSet, dgsa_loss, paired
from sebridge_lite.align.runs import constant, winner_change
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.hashes import key_of
from sebridge_lite.core.params import SamplingParams, SFTParams, TdscParams
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.lm.train import Batches, TrainConfig, train

RISE = 0.1  # of Tmax, an iteration
BEFORE = {"paper_d2": 0.8, "table12": 1.3, "table12_first": 1.2}  # Tmax at k = 0
REASONS = ("wer", "repetition", "short", "long")
LATEST = 5  # steps over which the fall of the winners is taken


class Speech(NamedTuple):
    """Text as ids, its speech tokens, and who says it."""

    text: Tensor
    codes: Tensor
    speaker: str


@dataclass(frozen=True, eq=False)
class Loop:
    """What stays the same from iteration to iteration."""

    name: str
    seed: int
    p: TdscParams
    sft: SFTParams
    sampling: SamplingParams
    encode: Callable[[str], Tensor]
    listen: Listen
    length: Length  # |x|
    synthetic: Sequence[Speech]  # the training speech, to be replayed
    work: Path  # where training goes on after a kill

    def seed_in(self, k: int) -> int:
        return seed_of(self.seed, "critique", k) % 2**31

    def say(self, k: int, what: str) -> None:
        print(f"{self.name}-s{self.seed} k{k}: {what}", file=sys.stderr)


class Candidates(NamedTuple):
    """What a policy said of T texts, and the judge's decision."""

    texts: Sequence[Text]
    codes: list[Tensor]  # (T C,)
    table: pd.DataFrame  # (T C,), as `judged`
    why: pd.DataFrame  # (T C, 4), as `decide`
    accepted: list[int]  # G
    pairs: list[tuple[int, int]]  # Eq. 18

    def text(self, row: int) -> str:
        return self.texts[self.table["text"][row]].text


def temperatures(k: int, p: TdscParams) -> tuple[float, ...]:
    """Eq. 15 (Sec. 4): the temperatures of iteration k = 1, 2, ...: cold, plain and Tmax(k).

    The paper has several schedules: 0.8 + 0.1 k (D.2, `paper_d2`) and "starts at 1.3, + 0.1" (Table 12), which is 1.3 + 0.1 k
    (`table12`) or has its 1.3 at k = 1 (`table12_first`). `fixed` and `one` (plain alone) are those of Table 8.
    """
    if p.schedule == "one":
        return (p.plain,)
    return (p.cold, p.plain, p.fixed_tmax if p.schedule == "fixed" else round(BEFORE[p.schedule] + RISE * k, 6))


def rows_of(heats: Sequence[float], candidates: int) -> list[float]:
    """The temperature of each candidate of a text, as many at each temperature."""
    if candidates % len(heats):
        raise UserError(f"candidates: {candidates} do not divide among {len(heats)} temperatures; take a multiple of 3")
    return [heat for heat in heats for _ in range(candidates // len(heats))]


def speak(loop: Loop, k: int, policy: TextSpeechLM, texts: Sequence[Text]) -> list[list[Tensor]]:
    """Candidates of each text, all temperatures in one batch: T lists of C."""
    p, ids = loop.p, [loop.encode(text.text) for text in texts]
    heats = torch.tensor([rows_of(temperatures(k, p), p.candidates)])
    seeds = [seed_of(loop.seed, "loop", k, place) for place in range(len(ids))]
    sampler = SamplerConfig(p.plain, p.top_p, **vars(loop.sampling), seed=loop.seed)
    return generate(policy, ids, [row[:0] for row in ids], sampler, p.candidates, heats, row_seeds=seeds)


def decide(table: pd.DataFrame, p: TdscParams) -> pd.DataFrame:
    """Eq. 16 (Sec. 4): C(y) = [WER < .40] [Rep < .10] [.5 |x| <= length <= 2 |x|]; a column a reason to reject (N, 4).

    A candidate may have several; it is accepted when it has none.
    """
    short, long = p.shortest * table["expected"], p.longest * table["expected"]
    broken = (table["wer"] >= p.max_wer, table["rep"] >= p.max_rep, table["tokens"] < short, table["tokens"] > long)
    return pd.DataFrame(dict(zip(REASONS, broken, strict=True)))


def accepted_set(table: pd.DataFrame, why: pd.DataFrame, best: int) -> list[int]:
    """G: of each text the `best` accepted rows with the fewest errors, the hottest of equals; each sequence once."""
    good = table[~why.any(axis=1) & ~table["again"]]
    order = good.sort_values(["text", "wer", "temperature", "slot"], ascending=[True, True, False, True])
    return order.groupby("text").head(best).index.to_list()


def preferences(table: pd.DataFrame, why: pd.DataFrame, p: TdscParams) -> list[tuple[int, int]]:
    """Eq. 18 (Sec. 4): rows (winner, loser) of each text that has both.

    Winner: the fewest errors in G, the hottest of equals. Loser: rejected for its errors alone, so that length and loops are
    never what is learnt. Departure from the paper: `matched` losers are also at least `apart` worse, within `near` tokens
    of the winner's length and no hotter than it, coldest first; else a pair teaches cold against hot, or short against long.
    """
    good, bad = ~why.any(axis=1), why["wer"] & ~why.drop(columns="wer").any(axis=1)
    order = table[good | bad].sort_values(["wer", "temperature", "slot"], ascending=[True, False, True])
    pairs = []
    for _, group in order.groupby("text"):
        winners, losers = group[good[group.index]], group[bad[group.index]]
        if winners.empty:
            continue
        winner = winners.iloc[0]
        if p.matched:
            losers = losers[
                (losers["wer"] >= winner["wer"] + p.apart)
                & ((losers["tokens"] - winner["tokens"]).abs() <= p.near)
                & (losers["temperature"] <= winner["temperature"])
            ].sort_values(["temperature", "wer", "slot"], ascending=[True, False, True])
        else:
            losers = losers.sort_values(["wer", "slot"], ascending=[False, True])
        if len(losers):
            pairs.append((int(winner.name), int(losers.index[0])))
    return pairs


def judge(loop: Loop, k: int, texts: Sequence[Text], groups: Sequence[Sequence[Tensor]]) -> Candidates:
    """The candidates with the judge's decision: which are in G, and which are a pair."""
    p = loop.p
    table = judged(groups, texts, rows_of(temperatures(k, p), p.candidates), loop.length, loop.listen)
    why = decide(table, p)
    pairs = preferences(table, why, p) if p.dpo_steps else []
    codes = [row for group in groups for row in group]
    return Candidates(texts, codes, table, why, accepted_set(table, why, p.best), pairs)


def sft_set(loop: Loop, spoken: Candidates) -> list[Speech]:
    """Eq. 17 (Sec. 4): what maximum likelihood is taken of, G.

    Departure from the paper: with `replay` all of the training speech stands beside it. Each sequence of G has a speaker of
    its own, so that it is never learnt under a style prefix, as it was not sampled under one.
    """
    learnt = enumerate(spoken.accepted)
    own = [Speech(loop.encode(spoken.text(row)), spoken.codes[row], f"own-{place}") for place, row in learnt]
    return [*own, *(loop.synthetic if loop.p.replay else ())]


def learn_accepted(loop: Loop, k: int, policy: TextSpeechLM, spoken: Candidates, folder: Path) -> dict:
    """Trains `policy` in place by Eq. 17; returns how that went."""
    without = 1 - spoken.table.loc[spoken.accepted, "text"].nunique() / len(spoken.texts)
    if without:
        share = f"{without:.0%} of {len(spoken.texts)} texts have no accepted candidate"
        loop.say(k, f"{share}; it goes on with the others")
    speech = sft_set(loop, spoken)
    settings = replace(loop.sft, steps=loop.p.steps, lr=loop.p.lr)
    examples, speakers = [(row.text, row.codes) for row in speech], [row.speaker for row in speech]
    done = fine_tune(policy, examples, speakers, settings, loop.seed_in(k), folder, f"{loop.name} k{k}: SFT")
    return {"sft_loss": round(done.loss, 4), "sft_epochs": round(done.epochs, 2)}


def config_of(loop: Loop, k: int, steps: int, lr: float) -> TrainConfig:
    """The settings of the training loop in iteration k."""
    return constant(steps, lr, min(loop.p.dpo_warmup, steps), save_every=10, seed=loop.seed_in(k))


def dpo_pairs(loop: Loop, spoken: Candidates, reference: TextSpeechLM) -> PairSet:
    """Eq. 19 (Sec. 4): the pairs of Eq. 18 for L_DPO, which is `dgsa_loss` on this one set of weight 1."""
    pairs = []
    for winner, loser in spoken.pairs:
        text = loop.encode(spoken.text(winner))
        pairs.append([(text, text[:0], spoken.codes[row]) for row in (winner, loser)])
    names = [str(winner) for winner, _ in spoken.pairs]
    return paired(names, {"critique": pairs}, {"critique": 1.0}, reference)


def learn_pairs(
    loop: Loop, k: int, policy: TextSpeechLM, pairs: PairSet | None, spoken: Candidates, folder: Path
) -> dict:
    """Trains `policy` in place by Eq. 19; returns how that went, nothing where there are no pairs.

    pairs: with what the reference says of them; with None the policy is its own reference.
    """
    p, what = loop.p, f"{loop.name}-s{loop.seed} k{k}: DPO"
    if not spoken.pairs:
        loop.say(k, "no text has both a winner and a loser; it goes on without DPO")
        return {}
    pairs = pairs or dpo_pairs(loop, spoken, policy)
    config = config_of(loop, k, p.dpo_steps, p.dpo_lr)
    batches = Batches(pairs.sizes, pairs.names, max(p.dpo_budget, *map(int, pairs.sizes)), config.seed)
    data = key_of(*(part for both in pairs.rows for row in both for part in row), pairs.reference, p.beta)
    done = train(policy, partial(dgsa_loss, beta=p.beta), batches, pairs.collate, config, folder, data, what)
    change = winner_change(folder, LATEST, p.most_fall, f"{loop.name}-s{loop.seed} k{k}")
    return {"dpo_loss": round(done.loss, 4), "winner_change": change}


def learn(loop: Loop, k: int, policy: TextSpeechLM, spoken: Candidates, folder: Path) -> dict:
    """Trains `policy` in place: first on G, then on the pairs; returns how that went."""
    early = loop.p.reference == "start" and loop.p.dpo_steps and spoken.pairs
    pairs = dpo_pairs(loop, spoken, policy) if early else None  # before it moves, so that no copy of it is needed
    about = learn_accepted(loop, k, policy, spoken, folder / "sft")
    return about | (learn_pairs(loop, k, policy, pairs, spoken, folder / "dpo") if loop.p.dpo_steps else {})


def tdsc(
    loop: Loop,
    policy: TextSpeechLM,
    texts: Callable[[int], Sequence[Text]],
    keep: Callable[[int, TextSpeechLM, Candidates, dict], TextSpeechLM],
    learn: Callable[[Loop, int, TextSpeechLM, Candidates, Path], dict] = learn,
) -> int:
    """The number of iterations that were kept: Sec. 4 from its first word to its last.

    texts(k): what is spoken in iteration k = 1, 2, ... keep(k, policy, spoken, about): saves the iteration, and returns the
    policy as it is kept, which may be rounded. An iteration whose candidates are all rejected ends the loop. A killed loop
    speaks again, which is deterministic and quick, and finds its training where it was.
    """
    for k in range(1, loop.p.iterations + 1):
        said = texts(k)
        spoken = judge(loop, k, said, speak(loop, k, policy, said))
        if not spoken.accepted:
            why = ", ".join(f"{name} {share:.0%}" for name, share in spoken.why.mean().items())
            none = f"none of {len(spoken.codes):,} candidates accepted (rejected for {why})"
            loop.say(k, f"{none}; the loop ends here: start from a better policy or raise tdsc.max_wer")
            return k - 1
        about = learn(loop, k, policy, spoken, loop.work / f"k{k}")
        policy = keep(k, policy, spoken, about)
    return loop.p.iterations
