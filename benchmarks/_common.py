"""What the benchmarks share: arms that take turns, ratios over repeats, and the file that other tools read.

Arms are timed in turn, so that a busy moment of the machine hits all of them. `ratio` is the median over repeats of the
ratio within a repeat; `low` and `high` are the smallest and the largest, so they tell of this machine and this hour alone.
Where one thread computes, its own processor time is taken, in which other work on the machine does not count.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.progress import progress

Key, Value = TypeVar("Key"), TypeVar("Value")


def options(doc: str, repeats: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--repeats", type=positive, default=repeats)
    parser.add_argument("--json", type=Path, help="file for the result")
    return parser


def positive(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def clock() -> str:
    """`processor` where that is all the time there is: several threads would add up, and a GPU would not be seen."""
    return "processor" if torch.get_num_threads() == 1 and not torch.cuda.is_available() else "wall"


def seconds(work: Callable[[], object]) -> float:
    now = time.process_time if clock() == "processor" else time.perf_counter
    begun = now()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return now() - begun


def in_turn(arms: Mapping[Key, Callable[[], Value]], repeats: int, warm: int = 0) -> dict[Key, list[Value]]:
    """What each arm gives, by name, a turn each in every repeat, after `warm` turns that do not count."""
    rows = [{name: arm() for name, arm in arms.items()} for _ in progress(range(warm + repeats), "benchmark", "repeat")]
    return {name: [row[name] for row in rows[warm:]] for name in arms}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict:
    """Repeat by repeat: the median, the smallest and the largest."""
    found = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"ratio": statistics.median(found), "low": min(found), "high": max(found), "repeats": len(found)}


def compared(name: str, rates: Mapping[str, Sequence[float]], ours: str, rival: str, parity: dict) -> dict:
    """The contract, {"name", "arms": {arm: rate}, "ratio", "low", "high", "repeats"}, and what is known beside it.

    `ratio` is of `ours` to `rival`; `to` holds those to the other arms; `parity` is how far the arms' answers lay apart.
    """
    arms = {arm: statistics.median(values) for arm, values in rates.items()}
    others = {arm: ratios(rates[ours], values)["ratio"] for arm, values in rates.items() if arm not in (ours, rival)}
    found = ratios(rates[ours], rates[rival])
    return {"name": name, "arms": arms, **found, "of": [ours, rival], "to": others, "parity": parity, "clock": clock()}


def finish(result: dict, unit: str, file: Path | None) -> None:
    """Prints the contract, and writes it."""
    for arm, rate in result["arms"].items():
        print(f"{arm}: {rate:,.1f} {unit}")
    ours, rival = result["of"]
    for other, ratio in result["to"].items():
        print(f"ratio of {ours} to {other}: {ratio:.2f}")
    print("ratio of {} to {}: {ratio:.2f} ({low:.2f} to {high:.2f}, {repeats} repeats)".format(ours, rival, **result))
    if file:
        write_json(file, {**result, "unit": unit})


def write_json(file: Path, value) -> None:
    with paths.replacing(file) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def exit_code(main: Callable[[], int]) -> int:
    """As `sebridge` does: a mistake of the user's is one line and 1."""
    try:
        return main()
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
