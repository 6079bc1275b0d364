"""What a stack is made of. Whoever provides these six lets the same policies be trained and scored on other speech.

Sounds are (N,) float32 at the stack's sampling rate, codes (S,) long, voices (E,); lists of them in, lists out.
"""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

Syllable = tuple[str, str]  # its segments in IPA, and its tone


class Language(Protocol):
    code: str  # as in a corpus's `lang`
    name: str

    def segment(self, text: str) -> tuple[str, ...]:
        """Words, without punctuation."""

    def syllables(self, words: Sequence[str]) -> list[Syllable]:
        """How the words are said; nothing where a word is unknown or the language has no known tones."""

    def normalise(self, text: str) -> str:
        """The text as all texts of the language are written here."""

    def in_script(self, text: str) -> bool:
        """Whether the text is written in the letters of this language."""


class TextTokenizer(Protocol):
    size: int  # how many ids there are

    def encode(self, text: str) -> Tensor:
        """(X,) long."""


class SpeechTokenizer(Protocol):
    codes: int  # how many speech tokens there are
    rate: float  # tokens a second

    def encode(self, sounds: Sequence[Tensor]) -> list[Tensor]:
        """Codes of each sound."""


class Decoder(Protocol):
    sample_rate: int

    def speak(self, codes: Sequence[Tensor], voices: Tensor, seeds: Sequence[int]) -> list[Tensor]:
        """Sounds; the noise of each follows from its own seed."""


class Judge(Protocol):
    name: str
    hears: str  # "tokens" or "sound"

    def words(self, inputs: Sequence[Tensor], lang: str) -> list[list[str]]:
        """The words of each input."""


class SpeakerEncoder(Protocol):
    def embed(self, sounds: Sequence[Tensor]) -> Tensor:
        """Voices (N, E) of length 1; a UserError names a sound that is too short or silent."""
