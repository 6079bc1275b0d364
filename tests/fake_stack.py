"""A stack that shares nothing with the studio's: Greek letters, 40 tokens at 20 Hz, sound at 8 kHz, no tones, no true F0.

A token is a tone of its own pitch, 50 ms long; a letter is two tokens of its number, a space two of the last. So the judges
read exactly what was said.
"""

from itertools import groupby

import numpy as np
import soundfile
import torch

from sebridge_lite.data.languages import Language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.stack.stack import Stack

LETTERS = "αβγδεζηθικλμνξοπρστυφχψω "
CODES, RATE, SAMPLE_RATE = 40, 20, 8_000
SIZE = SAMPLE_RATE // RATE
PLACES = 10 + 2 * torch.arange(CODES)  # of each token's tone, in steps of 20 Hz
WORDS = ("μια", "νεα", "καλη", "φωνη", "λειο", "πολυ")
LANG = "el"


class Letters:
    size = len(LETTERS)

    def encode(self, text):
        return torch.tensor([LETTERS.index(letter) for letter in text])


class Tones:
    codes, rate, sample_rate = CODES, RATE, SAMPLE_RATE

    def encode(self, sounds):
        spectra = [torch.fft.rfft(sound[: len(sound) // SIZE * SIZE].view(-1, SIZE)).abs() for sound in sounds]
        return [spectrum[:, PLACES].argmax(1) for spectrum in spectra]

    def speak(self, codes, voices, seeds):
        time = torch.arange(SIZE) / SAMPLE_RATE
        return [
            (level * (2 * torch.pi * 20 * PLACES[row][:, None] * time).sin()).flatten()
            for row, level in zip(codes, voices[:, 0], strict=True)
        ]

    def embed(self, sounds):
        levels = torch.stack([sound.abs().max() for sound in sounds])
        return torch.stack([levels, (1 - levels.square()).clamp_min(0).sqrt()], 1)


class Spelling:
    """A judge that reads letters off tokens."""

    def __init__(self, name, hears):
        self.name, self.hears = name, hears

    def words(self, inputs, lang):
        rows = inputs if self.hears == "tokens" else Tones().encode(inputs)
        spelt = ["".join(LETTERS[code % len(LETTERS)] for code, _ in groupby(row.tolist())) for row in rows]
        return [text.split() for text in spelt]


class Greek(Language):
    def syllables(self, words):
        return []


def fake_stack() -> Stack:
    return Stack(
        text=Letters(),
        tokenizer=Tones(),
        decoder=Tones(),
        speaker=Tones(),
        select_judge=Spelling("eyes", "tokens"),
        score_judge=Spelling("ears", "sound"),
        languages={LANG: Greek(LANG, "Greek", ("GREEK",), str.split)},
        device=torch.device("cpu"),
    )


def tokens_of(text):
    return torch.tensor([LETTERS.index(letter) for letter in text for _ in range(2)])


def recorded(folder, count=8) -> list[Utterance]:
    """Sentences of two speakers, written below `folder`."""
    utterances, pick = [], np.random.default_rng(0)
    for place in range(count):
        words = tuple(pick.choice(WORDS, 3, replace=False).tolist())
        text, speaker = " ".join(words), place % 2
        (sound,) = Tones().speak([tokens_of(text)], torch.tensor([[0.5 + 0.3 * speaker, 0]]), [0])
        soundfile.write(folder / f"{place}.wav", sound.numpy(), SAMPLE_RATE, subtype="FLOAT")
        utterances.append(
            Utterance(
                str(place), text, words, LANG, f"s{speaker}", "recording", "", f"{place}.wav", len(sound) / SAMPLE_RATE
            )
        )
    return utterances
