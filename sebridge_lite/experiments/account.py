"""What a run of a stage was: profile, seed, commit, date, machine, and the seconds and memory that it took.

A stage's `account.json` is the last file that it writes: where there is none, the stage has failed or is still at work.
"""

import datetime
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.memory import memory_gib, peak_memory_gib
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.notebook import commit

NAME = "account.json"


def machine() -> str:
    """This machine in words, without names."""
    gpu = ""
    if shutil.which("nvidia-smi"):  # torch takes seconds to import, for nothing where there is no such card
        import torch

        gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {memory_gib():.0f} GiB{gpu}"


def here(params: Params) -> dict:
    """Whose it is what is made now: profile, commit, date, machine, seed."""
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {
        "profile": params.profile, "commit": commit(), "date": date, "machine": machine(), "seed": params.seed,
    }  # fmt: skip


@contextmanager
def accounted(stage: str, folder: Path, params: Params, children: bool = False) -> Iterator[None]:
    """Writes the account of the block, which makes `folder`; nothing when the block fails.

    children: the work is done in another process, as by a notebook's kernel. Left out: the time that Python takes to start.
    """
    origin, begun = here(params), time.perf_counter()
    yield
    took = {"seconds": round(time.perf_counter() - begun, 1), "peak_gib": round(peak_memory_gib(children), 2)}
    with paths.replacing(folder / NAME) as temporary:
        temporary.write_text(json.dumps({"stage": stage} | origin | took) + "\n", encoding="utf-8")


def accounts() -> dict[str, dict]:
    """Each stage of this run that has finished: who made it, its seconds (of all its cells together), its peak memory."""
    found: dict[str, dict] = {}
    for path in sorted([*paths.artifacts().rglob(NAME), *paths.results().glob(f"*/{NAME}")]):
        account = json.loads(path.read_text(encoding="utf-8"))
        before = found.get(account["stage"], {"seconds": 0, "peak_gib": 0})
        account["seconds"] = round(account["seconds"] + before["seconds"], 1)
        account["peak_gib"] = max(account["peak_gib"], before["peak_gib"])
        found[account.pop("stage")] = account
    return dict(sorted(found.items()))
