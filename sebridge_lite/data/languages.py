"""Languages as they are written: script, words, and which letters belong.

Thai and Lao are known by name, since they are written without spaces. Any other language has words between spaces, and no
script of its own to be checked.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")  # zero-width spaces and soft hyphens: nobody says them


@dataclass(frozen=True)
class Language:
    """What a language's writing needs: `script` is its first and last letter, or None where any letter will do."""

    code: str
    name: str
    script: tuple[str, str] | None
    cut: Callable[[str], Iterable[str]]  # a text into words, punctuation and spaces

    def foreign(self, text: str) -> str:
        """The letters of a text that are not of this language's script."""
        if self.script is None:
            return ""
        low, high = self.script
        return "".join(c for c in text if unicodedata.category(c)[0] in "LM" and not low <= c <= high)

    def in_script(self, text: str) -> bool:
        """Whether at least half of a text's letters are of this language's script."""
        letters = sum(unicodedata.category(c)[0] in "LM" for c in text)
        return 2 * len(self.foreign(text)) <= letters

    def normalise(self, text: str) -> str:
        """The text in composed letters (NFC), with single spaces and without invisible characters."""
        return " ".join(unicodedata.normalize("NFC", INVISIBLE.sub("", text)).split())

    def segment(self, text: str) -> tuple[str, ...]:
        """The words of a text, without the punctuation around them."""
        tokens = list(self.cut(text))
        spoken = [[i for i, c in enumerate(token) if unicodedata.category(c)[0] in "LMN"] for token in tokens]
        return tuple(token[at[0] : at[-1] + 1] for token, at in zip(tokens, spoken, strict=True) if at)


def _thai(text: str) -> list[str]:
    from pythainlp.tokenize import word_tokenize

    return word_tokenize(text, engine="newmm", keep_whitespace=False)


def _lao(text: str) -> list[str]:
    from laonlp.tokenize import word_tokenize

    return word_tokenize(text)


LANGUAGES = {
    "th": Language("th", "Thai", ("\u0e00", "\u0e7f"), _thai),
    "lo": Language("lo", "Lao", ("\u0e80", "\u0eff"), _lao),
}


def language(code: str | None) -> Language:
    """The language of a code such as `th`; one that is not known by name has words between spaces."""
    return LANGUAGES.get(code) or Language(code or "und", code or "any language", None, str.split)
