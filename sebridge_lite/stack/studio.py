"""The studio stack: the embedded parts as the seam wants them. Sound is at 16 kHz, a token is 40 ms, text is characters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sebridge_lite.data.languages import Language, language
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.flow import DecodeConfig
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.stack import Stack, Syllable
from sebridge_lite.stack.trained import DECODING, trained_stack
from sebridge_lite.stack.wordgraph import WordGraph
from sebridge_lite.studio.lexicon import Word, tone_language, word_units
from sebridge_lite.studio.texts import load_language

PRIOR = 0.25  # weight of word frequencies in a judge's decision; in a trial anything from 0.1 to 0.5 did as well


@dataclass(frozen=True)
class StudioLanguage(Language):
    """A language of the studio world, whose lexicon says how each word sounds."""

    @cached_property
    def lexicon(self) -> Mapping[str, Word]:
        return load_language(self.code).lexicon

    @cached_property
    def graph(self) -> WordGraph:
        """What makes words of the units that a judge hears."""
        tones = tone_language(self.code)
        return WordGraph({text: word_units(word, tones) for text, word in self.lexicon.items()}, PRIOR)

    def syllables(self, words: Sequence[str]) -> list[Syllable]:
        """Segments and tone of each syllable; none when a word is unknown."""
        if not all(word in self.lexicon for word in words):
            return []
        return [(syllable.ipa, syllable.tone) for word in words for syllable in self.lexicon[word].syllables]


def studio_stack(parts: Parts, languages: Sequence[str], decoding: DecodeConfig = DECODING) -> Stack:
    """The studio's stack of these networks."""
    known = {lang: StudioLanguage(**vars(language(lang))) for lang in languages}
    return trained_stack(parts, CharVocab(), known, decoding)
