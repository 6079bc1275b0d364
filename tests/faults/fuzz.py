"""`python tests/faults/fuzz.py [COUNT [SEED]]`: so many bad inputs, a line a class; exit code 1 where any made trouble."""

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from cases import run_cases


def main(count: int, seed: int) -> int:
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        found = run_cases(count, seed, Path(place))
    for kind, number in Counter(kind for kind, *_ in found).items():
        print(f"{kind:10} {number:4} cases, {sum(bool(bad) for of, _, bad in found if of == kind)} with trouble")
    for number, (kind, what, bad) in enumerate(found):
        if bad:
            print(f"case {number} ({kind}): {what}: {bad}")
    print(f"{len(found)} cases in {time.perf_counter() - begun:.0f} s")
    return int(any(bad for *_, bad in found))


if __name__ == "__main__":
    sys.exit(main(*map(int, [*sys.argv[1:], *(600, 0)[len(sys.argv) - 1 :]])))
