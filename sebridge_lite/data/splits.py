"""Train, dev and test of your own recordings, by a hash of their texts, so that no phrase of a test text was trained on.

Texts that are alike stay together: the same words, a run of `PHRASE` words in common, or one within the other. A single word
within another text binds nothing, or every prompt with "yes" in it would be one. Left out: paraphrases, and speakers, of whom
a folder often has one.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import Language
from sebridge_lite.data.manifest import Utterance

Words = tuple[str, ...]
PHRASE = 4  # words
SHARES = {"test": 0.2, "dev": 0.1}  # of the texts, at most
LARGEST = 0.05  # share of the texts: larger groups of texts that are alike train
SENTENCE = 3  # words: shorter texts have hardly a melody, and train while there are longer ones


def _runs(words: Words, length: int) -> Iterator[Words]:
    return (words[start : start + length] for start in range(len(words) - length + 1))


def alike(texts: Iterable[Words]) -> list[list[Words]]:
    """The different texts in groups: those that are alike, or linked by others that are."""
    distinct = sorted(set(texts))
    boss = {words: words for words in distinct}

    def top(words: Words) -> Words:
        while boss[words] != words:
            boss[words] = boss[boss[words]]
            words = boss[words]
        return words

    holder: dict[Words, Words] = {}
    for words in distinct:
        for run in _runs(words, PHRASE):
            boss[top(words)] = top(holder.setdefault(run, words))
        for length in range(2, min(PHRASE, len(words))):
            for run in _runs(words, length):
                if run in boss:
                    boss[top(words)] = top(run)
    groups: dict[Words, list[Words]] = {}
    for words in distinct:
        groups.setdefault(top(words), []).append(words)
    return list(groups.values())


def _place(words: Words) -> bytes:
    return hashlib.sha256(" ".join(words).encode()).digest()


def split(texts: Sequence[Words], most: Mapping[str, int]) -> dict[Words, str]:
    """The set of each text, real, dev or test; `most` says how many texts dev and test have at most.

    Groups are taken in the order of their hashes, those of whole sentences first.
    """
    counts, groups = Counter(texts), alike(texts)
    wanted = {name: max(1, min(most[name], round(share * len(texts)))) for name, share in SHARES.items()}
    sizes = {id(group): sum(counts[words] for words in group) for group in groups}
    small = [group for group in groups if sizes[id(group)] <= max(2, LARGEST * len(texts))]
    small.sort(key=lambda group: (min(map(len, group)) < SENTENCE, min(map(_place, group))))
    found = dict.fromkeys(counts, "real")
    for name, count in wanted.items():
        while small and count > 0:
            group = small.pop(0)
            found |= dict.fromkeys(group, name)
            count -= sizes[id(group)]
    if missing := {"real", *wanted} - set(found.values()):
        raise UserError(f"{len(texts)} texts: so alike that none is left for {min(missing)}; record other sentences")
    return found


def by_set(said: Iterable[Utterance], tongue: Language, dev: int, test: int) -> dict[str, list[Utterance]]:
    """Recordings, with their words, by set; `dev` and `test` are how many these have at most."""
    cut = [replace(one, words=one.words or tongue.segment(one.text)) for one in said]
    places = split([one.words for one in cut], {"dev": dev, "test": test})
    sets: dict[str, list[Utterance]] = {"real": [], "dev": [], "test": []}
    for one in sorted(cut, key=lambda one: (_place(one.words), one.id)):  # so that a part of the minutes is a fair part
        sets[places[one.words]].append(one)
    return sets


def apart_from(held_out: Iterable[Words]) -> Callable[[Words], bool]:
    """Whether a text is alike none of those held out."""
    kept = set(held_out)
    phrases = {run for words in kept for length in range(2, PHRASE + 1) for run in _runs(words, length)}

    def is_apart(words: Words) -> bool:
        inside = (run for length in range(2, PHRASE) for run in _runs(words, length))
        shared = any(run in phrases for run in _runs(words, PHRASE))
        return not (words in kept or words in phrases or shared or any(run in kept for run in inside))

    return is_apart
