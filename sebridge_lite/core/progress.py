"""Progress bars on stderr, silent when nobody watches."""

import os
import sys

from tqdm import tqdm

BARS = "SEBRIDGE_BARS"  # set where stderr is no terminal and a process behind it still watches the bars


def progress(items, what: str, unit: str = "it", total: int | None = None):
    """The items with a bar; nothing is drawn where stderr is no terminal."""
    seen, watched = sys.stderr.isatty(), bool(os.environ.get(BARS))
    return tqdm(items, what, total, leave=seen, file=sys.stderr, disable=not (seen or watched), unit=unit)
