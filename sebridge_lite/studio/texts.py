"""Sentences, and the split that each belongs to.

A sentence's split follows from a hash of its text, so the splits stay disjoint whatever the seed, the profile or the number
of sentences: a judge trained once never meets a test sentence of a later run.
"""

import hashlib
from collections.abc import Iterator

import numpy as np

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.studio.backbone import backbone_grammar
from sebridge_lite.studio.grammar import Grammar, load_grammar
from sebridge_lite.studio.lexicon import Word, load_lexicon

# Shares of all possible sentences. `loop` is what TDSC may sample on (Sec. 4).
SPLITS = {"test": 0.10, "dev": 0.05, "judge": 0.20, "real": 0.25, "synthetic": 0.30, "loop": 0.10}
PATIENCE = 20_000  # draws without a new sentence before a split counts as exhausted


def text_of(words: list[Word]) -> str:
    """The sentence as written: Thai and Lao have no spaces between words."""
    return "".join(word.text for word in words)


def split_of(text: str) -> str:
    """The split of a sentence, or of any text of your own."""
    position = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") / 2**64
    place = int(np.searchsorted(np.cumsum(list(SPLITS.values())), position, "right"))
    return list(SPLITS)[min(place, len(SPLITS) - 1)]


def load_language(lang: str, zipf: float = 1.0) -> Grammar:
    """The grammar of `th`, `lo`, or of the backbone language in either script: `bb-th`, `bb-lo`."""
    if lang.startswith("bb-"):
        return backbone_grammar(lang.removeprefix("bb-"), zipf)
    folder = paths.data("text", lang)
    return load_grammar(folder / "grammar.txt", load_lexicon(folder / "lexicon.tsv", lang), zipf)


def sentences(grammar: Grammar, split: str, seed: int, vocabulary: float = 1.0) -> Iterator[list[Word]]:
    """Endlessly many different sentences of a split, using only the most frequent share `vocabulary` of the lexicon."""
    rng, seen, idle = rng_of(seed, "sentences", split), set(), 0
    last_rank = vocabulary * len(grammar.lexicon)
    while idle < PATIENCE:
        words = grammar.sentence(rng)
        text = text_of(words)
        idle += 1
        if text not in seen and split_of(text) == split and all(word.rank <= last_rank for word in words):
            idle = 0
            seen.add(text)
            yield words
    raise UserError(
        f"no more than {len(seen)} different sentences for '{split}': ask for less speech or more vocabulary"
    )
