"""How much memory there is, and how much a run took. Left out: Windows, which has no such account: there it is NaN."""

import os
import sys


def peak_memory_gib(children: bool = False) -> float:
    """The largest resident size so far of this process, or of the largest of its finished children."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss / unit


def memory_gib() -> float:
    """Physical memory, or NaN where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, AttributeError, OSError):
        return float("nan")
