"""A small weighted grammar that builds sentences of 3 to 9 words.

One alternative a line in `data/text/LANG/grammar.txt`: `symbol: weight item item [optional item]`. An item is a symbol of
the file, a class of the lexicon, or a "literal word" in double quotes; a sentence is what `S` expands to. Within a class
words are drawn with weight 1 / rank ** zipf.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.studio.lexicon import Word

SHORTEST, LONGEST = 3, 9  # words a sentence


@dataclass(frozen=True)
class Grammar:
    """`rules[symbol]` is a list of (weight, items); `classes[name]` the words of a class with their probabilities."""

    rules: dict[str, list[tuple[float, tuple[str, ...]]]]
    classes: dict[str, tuple[list[Word], np.ndarray]]
    lexicon: dict[str, Word]

    def expand(self, symbol: str, rng: np.random.Generator) -> list[Word]:
        if symbol.startswith("["):
            return self.expand(symbol[1:-1], rng) if rng.random() < 0.5 else []
        if symbol.startswith('"'):
            return [self.lexicon[symbol[1:-1]]]
        if symbol in self.classes:
            words, weights = self.classes[symbol]
            return [words[rng.choice(len(words), p=weights)]]
        alternatives = self.rules[symbol]
        weights = np.array([weight for weight, _ in alternatives])
        items = alternatives[rng.choice(len(alternatives), p=weights / weights.sum())][1]
        return [word for item in items for word in self.expand(item, rng)]

    def sentence(self, rng: np.random.Generator) -> list[Word]:
        """A sentence in which no word follows itself."""
        while True:
            words = self.expand("S", rng)
            repeats = any(a is b for a, b in pairwise(words))
            if SHORTEST <= len(words) <= LONGEST and not repeats:
                return words


def members_of(lexicon: dict[str, Word], zipf: float) -> dict[str, tuple[list[Word], np.ndarray]]:
    """Each class with its words and their probabilities, 1 / rank ** zipf normalised."""
    members: dict[str, list[Word]] = {}
    for word in lexicon.values():
        for name in word.classes:
            members.setdefault(name, []).append(word)
    classes = {}
    for name, words in members.items():
        weights = np.array([word.rank for word in words], dtype=float) ** -zipf
        classes[name] = (words, weights / weights.sum())
    return classes


def load_grammar(path: Path, lexicon: dict[str, Word], zipf: float = 1.0) -> Grammar:
    """The grammar of a file over a lexicon; a bad line is named."""
    if not path.is_file():
        raise UserError(f"{path}: no grammar; fetch the embedded data with `dvc pull data.dvc`")
    rules: dict[str, list] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        try:
            symbol, rest = line.split(":", 1)
            weight, *items = rest.split()
            rules.setdefault(symbol.strip(), []).append((float(weight), tuple(items)))
        except ValueError:
            raise UserError(f"{path}:{number}: not `symbol: weight item item ...`") from None
    classes = members_of(lexicon, zipf)
    for symbol, alternatives in rules.items():
        for item in (item.strip("[]") for _, items in alternatives for item in items):
            known = item.strip('"') in lexicon if item.startswith('"') else item in rules or item in classes
            if not known:
                raise UserError(f"{path}: {symbol} uses {item}, which is no symbol, class or word of the lexicon")
    if "S" not in rules:
        raise UserError(f"{path}: no rule for S, where a sentence starts")
    return Grammar(rules, classes, lexicon)
