"""A toy to play preference training with: six syllables a text, a tiny text-speech LM, a change of settings in a second or two.

A syllable is two tokens, which one (0 to 3) and how it is said (4 to 11); engines always say 4. It is the toy of notebook 08,
trained by the library's own loss. Left out: any claim; what is seen here is a toy's.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.align.dgsa import dgsa_loss, pair_set
from sebridge_lite.align.pairs import Triplet
from sebridge_lite.data.manifest import RATE
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM, collate, loss
from sebridge_lite.lm.sampling import SamplerConfig, generate

SYLLABLES, MARKS = (" ma", " na", " ka", " la"), "-/\\^v~!?"
LENGTH, EOS, FLAT = 6, 12, 4
SIZES: dict[str, Any] = {"hidden": 32, "layers": 1, "heads": 2, "kv_heads": 1, "ffn": 64}
SECONDS, VOICE = 0.22, 140.0  # of a syllable's sound; its pitch in Hz
# Semitones over the voice at the beginning, in the middle and at the end of a syllable, by its mark.
TUNES = {"-": (0, 0, 0), "/": (-2, 0, 4), "\\": (4, 0, -2), "^": (0, 4, 0), "v": (0, -4, 0), "~": (2, -2, 2)}
TUNES |= {"!": (5, 5, 5), "?": (-3, -3, 3)}
FORMANTS = {"m": 500, "n": 800, "k": 1200, "l": 1000}  # of a syllable by its consonant, Hz; a buzz, not speech


def spell(tokens: Tensor) -> str:
    """Tokens as a person would read them."""
    names = [*SYLLABLES, *MARKS]
    return "".join(names[token] for token in tokens.tolist()).strip()


def say(text: Tensor, lively: bool, generator: torch.Generator, wrong: bool = False) -> Tensor:
    """The tokens of a text, (12,); one syllable may be misread."""
    which, how = text.clone(), torch.full((LENGTH,), FLAT)
    if lively:
        how = torch.randint(FLAT, EOS, (LENGTH,), generator=generator)
    if wrong:
        place = torch.randint(0, LENGTH, (1,), generator=generator)
        which[place] = (which[place] + 1) % len(SYLLABLES)
    return torch.stack([which, how], 1).flatten()


@dataclass(frozen=True, eq=False)
class Toy:
    """A policy after SFT, triplets to train it on, and texts that are in none."""

    sft: TextSpeechLM
    triplets: list[Triplet]
    new: list[Tensor]


def make_toy(seed: int = 0, steps: int = 150) -> Toy:
    """SFT on 160 utterances of engines and 40 of people: a few seconds, once."""
    generator = torch.Generator().manual_seed(seed)
    texts = torch.randint(0, len(SYLLABLES), (200, LENGTH), generator=generator)
    off = texts[0][:0]
    heard = [(text, off, say(text, place % 5 == 0, generator)) for place, text in enumerate(texts)]
    torch.manual_seed(seed)
    sft = TextSpeechLM(LMConfig(4, EOS, **SIZES, max_positions=64, rope_theta=1e4, pace=0))
    optimizer = torch.optim.AdamW(sft.parameters(), lr=1e-2)
    for _ in range(steps):
        picked = torch.randint(0, len(heard), (32,), generator=generator).tolist()
        optimizer.zero_grad()
        loss(sft, collate([heard[i] for i in picked]))[0].backward()
        optimizer.step()
    triplets = []
    for place, text in enumerate(texts[:32]):
        versions = (say(text, True, generator), say(text, True, generator, wrong=True), say(text, False, generator))
        triplets.append(Triplet(f"text {place}", text, off, *versions))
    return Toy(sft, triplets, list(texts[32:132]))


def train(
    toy: Toy, triplets: list[Triplet], lambda_s: float, lambda_e: float, beta: float, lr: float, steps: int, **options
) -> tuple[TextSpeechLM, pd.DataFrame]:
    """A copy of the SFT policy after so many steps of Eq. 10, and what the loss wrote down; options: `ipo`, `sft`."""
    policy, rows = copy.deepcopy(toy.sft), []
    batch = pair_set(triplets, toy.sft, lambda_s, lambda_e, "off").collate(range(len(triplets)))
    optimizer = torch.optim.AdamW(policy.parameters(), lr=lr)
    for _ in range(steps):
        value, _, scalars = dgsa_loss(policy, batch, beta, **options)
        rows.append({"loss": value.item()} | {name: float(x) for name, x in scalars.items()})
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return policy, pd.DataFrame(rows).rename_axis("step").reset_index()


def samples(policy: TextSpeechLM, toy: Toy) -> list[Tensor]:
    """What a policy says of each new text, with the same random numbers for every policy."""
    how = SamplerConfig(1.0, top_p=1.0, window=0, tau=0.0, min_ratio=0.0, max_ratio=4.0, seed=0)
    return [takes[0] for takes in generate(policy, toy.new, [toy.new[0][:0]] * len(toy.new), how)]


def quality(said: list[Tensor], toy: Toy) -> dict[str, float]:
    """Shares: of syllables that are right, place by place, and of marks that are lively."""
    right = lively = marks = 0
    for text, tokens in zip(toy.new, said, strict=True):
        syllables, how = tokens[tokens < FLAT], tokens[tokens >= FLAT]
        right += sum(a == b for a, b in zip(syllables.tolist(), text.tolist(), strict=False))
        lively, marks = lively + int((how > FLAT).sum()), marks + len(how)
    return {"syllables right": right / (LENGTH * len(toy.new)), "lively marks": lively / max(marks, 1)}


def sound(tokens: Tensor) -> np.ndarray:
    """Samples of what was said, in [-1, 1]: a buzz a mark, with its tune and the colour of the last syllable. (N,)"""
    pieces, consonant = [np.zeros(1)], "m"
    for token in tokens.tolist():
        if token < FLAT:
            consonant = SYLLABLES[token][1]
            continue
        time = np.linspace(0, 1, int(RATE * SECONDS))
        pitch = VOICE * 2 ** (np.interp(time, (0, 0.5, 1), TUNES[MARKS[token - FLAT]]) / 12)
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        colour = [np.exp(-(((k * VOICE - FORMANTS[consonant]) / 300) ** 2)) + 0.1 for k in range(1, 16)]
        buzz = sum(weight * np.sin(k * phase) for k, weight in enumerate(colour, 1))
        pieces.append(buzz * np.sin(np.pi * time) ** 0.5)
    whole = np.concatenate(pieces)
    return whole / max(np.abs(whole).max(), 1e-9) * 0.8
