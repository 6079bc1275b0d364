"""What each stage took: wall time and the largest resident size of its process, in a `seconds.json` beside what it made.

Left out: the time that Python takes to start and to import, and what a notebook makes live counts as the notebook's.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.memory import peak_memory_gib

NAME = "seconds.json"
PLACES = {"encode": "speech_tokens", "sft": "sft/*", "worlds": "worlds", "pairs": "pairs/*", "align": "align/*",
          "critique": "tdsc/*"}  # fmt: skip


def write_account(folder: Path, seconds: float, children: bool = False, origin: Mapping | None = None) -> None:
    """children: a notebook's work is done by its kernel. origin: who made it, `origin.here`"""
    account = {"seconds": round(seconds, 1), "peak_gib": round(peak_memory_gib(children), 2)}
    with paths.replacing(folder / NAME) as temporary:
        temporary.write_text(json.dumps(account | dict(origin or {})) + "\n", encoding="utf-8")


@contextmanager
def accounted(folder: Path, origin: Mapping | None = None) -> Iterator[None]:
    """Of the block, which makes `folder`; nothing when it fails."""
    begun = time.perf_counter()
    yield
    write_account(folder, time.perf_counter() - begun, origin=origin)


def accounts() -> dict[str, list[dict]]:
    """Of each stage of this run what is written down: one a run of it, so several where it is a matrix."""
    found = {path.parent.name: [path] for path in sorted(paths.results().glob(f"*/{NAME}"))}
    found |= {stage: sorted(paths.artifacts().glob(f"{place}/{NAME}")) for stage, place in PLACES.items()}
    return {
        stage: [json.loads(path.read_text(encoding="utf-8")) for path in some] for stage, some in found.items() if some
    }


def seconds_of_stages() -> dict[str, float]:
    """How long each stage took, all runs of a matrix together."""
    found = {stage: round(sum(one["seconds"] for one in some), 1) for stage, some in accounts().items()}
    if "sft" not in found:  # policies of before there were accounts
        reports = [
            json.loads(path.read_text(encoding="utf-8")) for path in paths.artifacts("sft").glob("*/summary.json")
        ]
        if reports:
            found["sft"] = round(sum(report["seconds"] + report["seconds_scoring"] for report in reports), 1)
    return found


def memory_of_stages() -> dict[str, float]:
    """GiB at most, where a stage says so."""
    peaks = {stage: [one["peak_gib"] for one in some if "peak_gib" in one] for stage, some in accounts().items()}
    return {stage: max(some) for stage, some in peaks.items() if some}
