"""The own stack: the architectures of the studio, trained on your own speech, in any language that is written.

A text is the letters of your corpus, or its phones (`text.units`). A judge hears the same letters or phones, of which a word
graph over your lexicon makes words. Left out: tones and true pitch; a measure that needs them is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sebridge_lite.core import paths
from sebridge_lite.core.files import read_json
from sebridge_lite.data.languages import Language, language
from sebridge_lite.stack.characters import sized
from sebridge_lite.stack.parts import OWN, Parts
from sebridge_lite.stack.stack import Stack, Syllable
from sebridge_lite.stack.trained import trained_stack
from sebridge_lite.stack.wordgraph import WordGraph

ABOUT = "stack.json"
PRIOR = 0.25  # as the studio's
SILENT = " ˈˌ"  # what no sound stands for: spaces, and the marks of stress


class Letters:
    """Text as ids: 0 for a letter that the training texts do not hold, then the letters of `alphabet`."""

    def __init__(self, alphabet: str):
        self.ids = {letter: place for place, letter in enumerate(alphabet, 1)}
        self.size = len(alphabet) + 1

    def encode(self, text: str) -> Tensor:
        """(X,) long."""
        return torch.tensor([self.ids.get(letter, 0) for letter in sized(text)])


def units_of(alphabet: str) -> dict[str, int]:
    """What CTC tells apart: the letters that are heard, from 1; 0 is its blank."""
    return {letter: place for place, letter in enumerate((c for c in alphabet if c not in SILENT), 1)}


def spelt(text: str, units: Mapping[str, int]) -> list[int]:
    """The units of a text or word, without the letters that training never met."""
    return [units[letter] for letter in text if letter in units]


@dataclass(frozen=True)
class OwnLanguage(Language):
    """A language whose lexicon is the words of its own corpus."""

    alphabet: str = ""  # of the training texts

    @cached_property
    def lexicon(self) -> dict[str, str]:
        """How each word of the corpus is written in the letters that a text is made of, the most frequent word first."""
        path = paths.artifacts("corpus", "lexicon", f"{self.code}.json")
        return read_json(path, "`dvc repro import` makes it", {str: str})

    @cached_property
    def graph(self) -> WordGraph:
        units = units_of(self.alphabet)
        spellings = {word: spelt(letters, units) for word, letters in self.lexicon.items()}
        return WordGraph({word: spelling for word, spelling in spellings.items() if spelling}, PRIOR)

    def syllables(self, words: Sequence[str]) -> list[Syllable]:
        return []


def has_own_stack() -> bool:
    """Whether artifacts/own/ holds a stack; else at most a backbone for the studio's policies lies there."""
    return paths.artifacts(OWN, ABOUT).exists()


def own_about(lang: str) -> dict | None:
    """What the parts of your own speech are, with their alphabet. None where none are there that speak the language."""
    if not has_own_stack():
        return None
    about = read_json(paths.artifacts(OWN, ABOUT), "`dvc repro own` makes it again", {"lang": str, "alphabet": str})
    return about if lang in about["lang"].split() else None


def own_stack(parts: Parts, languages: Sequence[str], alphabet: str) -> Stack:
    """The stack of parts that were trained on your own speech."""
    known = {lang: OwnLanguage(**vars(language(lang)), alphabet=alphabet) for lang in languages}
    return trained_stack(parts, Letters(alphabet), known)
