"""Text as ids: the characters of the Thai and Lao blocks, digits and the space. What the studio's language models read."""

import torch
from torch import Tensor

from sebridge_lite.core.errors import UserError

MAX_TEXT = 1_000  # characters; a sentence of the studio world has at most about 50
# Whole blocks, whatever the Unicode version of this Python: ids must not move between machines.
ALPHABET = " 0123456789" + "".join(map(chr, [*range(0x0E01, 0x0E5C), *range(0x0E81, 0x0EE0)]))


def sized(text: str) -> str:
    """The text itself, unless it is empty or too long to be spoken at once."""
    if not text.strip():
        raise UserError("text: empty; give at least one word")
    if len(text) > MAX_TEXT:
        raise UserError(f"text '{text[:20]}…': {len(text):,} characters, at most {MAX_TEXT:,}; split it into sentences")
    return text


class CharVocab:
    """Characters as ids: space, digits, and the Thai and Lao blocks."""

    size = len(ALPHABET)
    ids = {char: i for i, char in enumerate(ALPHABET)}  # noqa: RUF012

    def encode(self, text: str) -> Tensor:
        """(X,) long."""
        for place, char in enumerate(sized(text), 1):
            if char not in self.ids:
                raise UserError(
                    f"text '{text[:20]}': character {place} is {char!r} (U+{ord(char):04X}); only Thai and Lao letters and "
                    "signs, digits and spaces are known: spell it out or take it away"
                )
        return torch.tensor([self.ids[char] for char in text])
