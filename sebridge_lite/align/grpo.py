"""GRPO with word error as its only reward: what the literature warns of, since a judge of words alone flattens the melody.

The rival of TDSC at equal compute: the same loop, texts, candidates and judge, and a gradient instead of a choice. The ratio
is that of the whole sequence, a token (as GSPO has it), so that one number a candidate is enough. Left out: a KL term, rewards
for anything but words, more than one pass over candidates of one policy but for the clip.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.align.dgsa import reference_logprobs
from sebridge_lite.align.tdsc import Candidates, Loop, config_of
from sebridge_lite.core.hashes import key_of
from sebridge_lite.lm.lm import Batch, Example, TextSpeechLM, collate, sequence_logprobs
from sebridge_lite.lm.train import Batches, train


class GroupSet(NamedTuple):
    """Candidates of texts on which they differ."""

    names: Sequence[str]
    examples: Sequence[Example]
    old: Tensor  # (N,) log pi of the policy that spoke
    advantage: Tensor  # (N,)

    def collate(self, indices: Sequence[int]) -> tuple[Batch, Tensor, Tensor]:
        places = torch.as_tensor(indices)
        return collate([self.examples[i] for i in indices]), self.old[places], self.advantage[places]


def advantages(table: pd.DataFrame) -> np.ndarray:
    """How many standard deviations fewer errors than the mean of its text, 0 where all of a text are alike. (N,)"""
    by_text = table.groupby("text")["wer"]
    spread = by_text.transform("std", ddof=0)
    return ((by_text.transform("mean") - table["wer"]) / spread).where(spread > 0, 0).to_numpy()


def group_set(loop: Loop, spoken: Candidates, policy: TextSpeechLM) -> GroupSet:
    """The candidates that teach anything: texts whose candidates are all alike are left out."""
    gains = advantages(spoken.table)
    kept = np.flatnonzero(gains)
    texts = [loop.encode(text.text) for text in spoken.texts]
    examples = [(texts[spoken.table["text"][i]], spoken.codes[i][:0], spoken.codes[i]) for i in kept]
    old = reference_logprobs(policy, examples)
    return GroupSet([str(i) for i in kept], examples, old, torch.from_numpy(gains[kept]).float())


def grpo_loss(model: TextSpeechLM, batch: tuple[Batch, Tensor, Tensor], clip: float) -> tuple[Tensor, int, dict]:
    """The clipped objective, the mean over candidates, for the training loop."""
    rows, old, advantage = batch
    change = (sequence_logprobs(model, rows) - old) / (rows.speech_lengths + 1)
    ratio = change.exp()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -gain.mean(), len(gain), {"change": change.detach().mean()}


def learn(loop: Loop, k: int, policy: TextSpeechLM, spoken: Candidates, folder: Path) -> dict:
    """Trains `policy` in place on all candidates, for as many steps as TDSC takes in both its parts."""
    p, groups = loop.p, group_set(loop, spoken, policy)
    config = config_of(loop, k, p.steps + p.dpo_steps, p.grpo_lr)
    sizes = [2 + sum(map(len, row)) for row in groups.examples]
    batches = Batches(sizes, groups.names, loop.sft.budget, config.seed)
    data = key_of(*(part for row in groups.examples for part in row), groups.old, groups.advantage, p.grpo_clip)
    loss, what = partial(grpo_loss, clip=p.grpo_clip), f"{loop.name} k{k}: GRPO"
    done = train(policy, loss, batches, groups.collate, config, folder / "grpo", data, what)
    return {"grpo_loss": round(done.loss, 4)}
