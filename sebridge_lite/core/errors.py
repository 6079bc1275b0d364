"""One exception for everything that the user can mend, and how a value from outside is shown in its line."""

import reprlib
from typing import TypeVar

Value = TypeVar("Value")

LONGEST = 60  # characters of a value
LINE = 1_500  # characters of a whole message
_SHORT = reprlib.Repr()
_SHORT.maxother = _SHORT.maxlong = LONGEST


class UserError(Exception):
    """What is wrong, where, and how to mend it, in one line. The command line prints it and exits 1."""


def given(value: Value | None, what: str, mend: str) -> Value:
    """The value itself, where there is one."""
    if value is None:
        raise UserError(f"{what}: missing; {mend}")
    return value


def no_memory(error: BaseException) -> bool:
    """Whether the want of memory is behind an error, whoever raised it: Python, numpy, torch or the loader of libraries."""
    words = ("allocate memory", "out of memory", "Unable to allocate", "failed to map segment", "bad_alloc")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def show(value) -> str:
    """A value from outside as Python writes it: on one line, short, and safe to print."""
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[: LONGEST - 3] + "...")
    return _SHORT.repr(value)


def printable(text: str) -> str:
    """The text with every character escaped that moves the cursor, turns the writing direction or cannot be encoded."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def in_line(text: str) -> str:
    """The text as one line of a sane length that is safe to print."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= LINE else line[: LINE - 3] + "..."
