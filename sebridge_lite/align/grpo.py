"""GRPO with word error as its only reward: what the literature warns of, since a judge of words alone flattens the melody.

The rival of TDSC at equal compute: the same texts and candidates, the same judge, a gradient instead of a choice. The ratio is
that of the whole sequence, a token (as GSPO has it), so that one number a candidate is enough. Left out: a KL term, rewards
for anything but words, more than one pass over candidates of one policy but for the clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.align.dgsa import reference_logprobs
from sebridge_lite.lm.lm import Batch, Example, TextSpeechLM, collate, sequence_logprobs


@dataclass(frozen=True, eq=False)
class GroupBatch:
    rows: Batch  # R rows
    old: Tensor  # (R,) log pi of the policy that spoke
    advantage: Tensor  # (R,)


@dataclass(frozen=True, eq=False)
class GroupSet:
    """Candidates of texts on which they differ. `Batches(sizes, names, ...)` and `collate` are what `train` wants."""

    names: Sequence[str]
    examples: Sequence[Example]
    old: Tensor  # (N,)
    advantage: Tensor  # (N,)

    @property
    def sizes(self) -> list[int]:
        return [2 + sum(map(len, row)) for row in self.examples]

    def collate(self, indices: Sequence[int]) -> GroupBatch:
        places = torch.as_tensor(indices)
        return GroupBatch(collate([self.examples[i] for i in indices]), self.old[places], self.advantage[places])


def advantages(table: pd.DataFrame) -> np.ndarray:
    """(N,): how many standard deviations fewer errors than the mean of its text; 0 where all of a text are alike."""
    by_text = table.groupby("text")["wer"]
    spread = by_text.transform("std", ddof=0)
    return ((by_text.transform("mean") - table["wer"]) / spread.where(spread > 0, 1)).to_numpy()


def group_set(
    table: pd.DataFrame, texts: Sequence[Tensor], codes: Sequence[Tensor], policy: TextSpeechLM, cache: Path
) -> GroupSet:
    """texts (T,) and codes (N,) of the table's rows; texts whose candidates are all alike teach nothing and are left out."""
    found = advantages(table)
    kept = np.flatnonzero(found)
    examples = [(texts[table["text"][i]], codes[i][:0], codes[i]) for i in kept]
    old = reference_logprobs(policy, examples, cache)
    return GroupSet([str(i) for i in kept], examples, old, torch.from_numpy(found[kept]).float())


def grpo_loss(model: TextSpeechLM, batch: GroupBatch, clip: float) -> tuple[Tensor, int, dict]:
    """The clipped objective, the mean over candidates, for the training loop."""
    change = (sequence_logprobs(model, batch.rows) - batch.old) / (batch.rows.speech_lengths + 1)
    ratio = change.exp()
    gain = torch.minimum(ratio * batch.advantage, ratio.clamp(1 - clip, 1 + clip) * batch.advantage)
    return -gain.mean(), len(gain), {"change": change.detach().mean()}
