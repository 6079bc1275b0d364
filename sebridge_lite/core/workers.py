"""How many processes may work: never a number that changes results, so no parameter."""

import os

from sebridge_lite.core.errors import UserError

WORTHWHILE = 60.0  # seconds of work: below, starting processes costs more than they save


def workers(seconds_of_work: float) -> int:
    """`SEBRIDGE_WORKERS`, else the cores this process may use, at most 8, or 1 where there is little to do."""
    asked = os.environ.get("SEBRIDGE_WORKERS", "")
    if not asked:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(8, cores) if seconds_of_work > WORTHWHILE else 1
    if not asked.isdecimal() or not int(asked):
        raise UserError(f"SEBRIDGE_WORKERS: '{asked}' is not a whole number from 1")
    return int(asked)
