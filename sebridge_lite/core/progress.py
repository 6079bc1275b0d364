"""Progress bars on stderr, silent when nobody watches."""

import sys

from tqdm import tqdm


def progress(items, what: str, unit: str = "it", total: int | None = None):
    """The items with a bar; nothing is drawn where stderr is no terminal."""
    return tqdm(items, desc=what, unit=unit, total=total, file=sys.stderr, disable=not sys.stderr.isatty())
