"""What DGSA has to beat: the best of several samples, and SFT continued on the very recordings that its pairs prefer.

The second is the control that the paper lacks: y_real wins both sets of pairs, so DGSA raises its likelihood too. Left out:
choosing among samples by anything but words (the paper says no more than "best of N").
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.lm.batching import Batches
from sebridge_lite.lm.lm import TextSpeechLM, collate, loss
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.lm.train import TrainConfig, Trained, train
from sebridge_lite.measure.evaluate import Scores, scores_of_codes
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.measure.scoring import References
from sebridge_lite.stack.stack import Stack


def best_of(stack: Stack, groups: Sequence[Sequence[Tensor]], said: Sequence[Sequence[str]], lang: str) -> list[Tensor]:
    """Of each text's samples the one that the *selecting* judge reads with the fewest wrong words, the first of equals."""
    words = [text for text, group in zip(said, groups, strict=True) for _ in group]
    wrong, _ = word_errors(words, stack.read([row for group in groups for row in group], lang))
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return [group[int(found.argmin())] for group, found in zip(groups, np.split(wrong, ends), strict=True)]


def rejection_scores(
    model: TextSpeechLM,
    stack: Stack,
    references: References,
    sampler: SamplerConfig,
    *,
    candidates: int,
    silence: Sequence[int],
    seed: int,
    floor: float | None = None,
) -> Scores:
    """Scores as `evaluate` has them, of the best of `candidates`; the first of them is the sample that `evaluate` takes.

    There is no `h_cond`: what was chosen among is no longer drawn from the policy.
    """
    test = references.utterances
    texts = [stack.text.encode(utterance.text) for utterance in test]
    row_seeds = [seed_of(seed, "tokens", utterance.id) for utterance in test]
    groups = generate(model, texts, [text[:0] for text in texts], sampler, candidates, row_seeds=row_seeds)
    codes = best_of(stack, groups, [utterance.words for utterance in test], references.lang)
    return scores_of_codes(stack, references, codes, silence=silence, seed=seed, floor=floor)


def continue_sft(
    model: TextSpeechLM,
    examples: dict[str, tuple[Tensor, Tensor]],
    noise: float,
    budget: int,
    config: TrainConfig,
    folder: Path,
    what: str,
    dev: Callable,
) -> Trained:
    """Trains `model` in place on name: (text, y_real), without style prefix as the pairs are scored; resumable."""
    names, rows = list(examples), list(examples.values())
    sizes = [len(text) + len(speech) + 2 for text, speech in rows]

    def batch(indices):
        return collate([(rows[i][0], torch.zeros(0, dtype=torch.long), rows[i][1]) for i in indices])

    data = key_of("sft on y_real", noise, *(part for row in rows for part in row))
    batches = Batches(sizes, names, budget, config.seed)
    return train(model, partial(loss, noise=noise), batches, batch, config, folder, data, what, dev)
