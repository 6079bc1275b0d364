"""Supervised fine-tuning: the backbone goes on learning, by maximum likelihood, from a chosen set of utterances (Eq. 2).

The same function makes every policy of the studies, so that policies differ in their data alone. Left out: early stopping,
weight averaging.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.hashes import key_of
from sebridge_lite.core.params import PartsParams, SFTParams
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.lm.lm import Batch, TextSpeechLM, collate, loss, noisy
from sebridge_lite.lm.lora import adapted, rank_of, settled
from sebridge_lite.lm.train import Batches, TrainConfig, Trained, train


def same_speaker(speakers: Sequence[str]) -> list[list[int]]:
    """All places of its speaker, for each place; the places of one speaker share one list."""
    places: dict[str, list[int]] = {}
    for place, speaker in enumerate(speakers):
        places.setdefault(speaker, []).append(place)
    return [places[speaker] for speaker in speakers]


def styled_batch(
    examples: Sequence[tuple[torch.Tensor, torch.Tensor]],
    same: Sequence[Sequence[int]],
    share: float,
    longest: int,
    places,
) -> Batch:
    """A batch in which `share` of the rows have a style prefix: the first `longest` tokens of another of the speaker's."""
    rows = []
    for i in places:
        text, speech = examples[i]
        prefix = speech[:0]
        if len(same[i]) > 1 and torch.rand(()) < share:
            pick = int(torch.randint(len(same[i]), ()))
            other = same[i][pick] if same[i][pick] != i else same[i][pick - 1]
            prefix = examples[other][1][:longest]
        rows.append((text, prefix, speech))
    return collate(rows)


def noisy_batch(examples, same, p: SFTParams | PartsParams, codes: int, places) -> Batch:
    """What is trained on: `styled_batch`, and of its speech a share of `p.token_noise` is read as other tokens."""
    return noisy(styled_batch(examples, same, p.style_share, p.style_tokens, places), p.token_noise, codes)


def fine_tune(
    model: TextSpeechLM,
    examples: Sequence[tuple[torch.Tensor, torch.Tensor]],
    speakers: Sequence[str],
    p: SFTParams,
    seed: int,
    folder: Path,
    what: str,
) -> Trained:
    """Trains `model` in place on (text, speech tokens) examples; a killed run goes on where it was.

    `p.style_share` of the rows carry a style prefix, another utterance of the same speaker, so that both modes stay alive.
    """
    sizes = [len(text) + len(speech) + model.around for text, speech in examples]
    if (longest := max(sizes, default=0)) + p.style_tokens > model.config.max_positions:
        raise UserError(
            f"an utterance of {longest} text and speech tokens does not fit beside a prefix of {p.style_tokens} into the "
            f"model's {model.config.max_positions} positions; drop it or shorten the prefix"
        )
    torch.manual_seed(seed_of(seed, "adapters"))  # the first weights of adapters are drawn
    adapted(model, rank_of(model, p.lora_rank))
    config = TrainConfig(p.steps, p.lr, min(p.warmup, p.steps // 4), "cosine", 0.01, save_every=100, seed=seed)
    batches = Batches(sizes, [str(place) for place in range(len(examples))], p.budget, seed)
    rows = partial(noisy_batch, examples, same_speaker(speakers), p, model.config.speech_vocab)
    data = key_of(*(part for example in examples for part in example), *speakers, p)
    trained = train(model, loss, batches, rows, config, folder, data, what)
    settled(model)
    return trained
