"""What a run of a stage was: profile, seed, commit, date, machine, and the seconds and memory that it took.

It is the last file that a stage writes, so a stage without one has failed or is still at work. A stage that makes machines' files
has its account in `artifacts/accounts/`, apart from them: who reads these does not run again because they took longer.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.files import read_json
from sebridge_lite.core.hashes import PARTS_CODE, code_hash
from sebridge_lite.core.memory import memory_gib, peak_memory_gib
from sebridge_lite.core.params import Params

NAME = "account.json"
PACKAGES = (
    *("numpy", "scipy", "pandas", "torch", "torchaudio", "transformers", "peft", "soundfile", "papermill", "dvc"),
    *("jupyterlab", "ipywidgets", "seaborn", "pythainlp", "laonlp"),
)


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit() -> str:
    """The short hash of the code that ran, with + where files differ from it, or 'no git'."""
    try:
        command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=paths.root())
    except OSError:
        return "no git"
    return done.stdout.strip() or "no git"


def machine() -> str:
    """This machine in words, without names."""
    gpu = ""
    if shutil.which("nvidia-smi"):  # torch takes seconds to import, for nothing where there is no such card
        import torch

        gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {memory_gib():.0f} GiB{gpu}"


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def here(params: Params) -> dict:
    """Whose it is what is made now: profile, commit, date, machine, seed."""
    return {"profile": params.profile, "commit": commit(), "date": today(), "machine": machine(), "seed": params.seed}


@contextmanager
def accounted(stage: str, path: Path, params: Params) -> Iterator[dict]:
    """The account of the block: written to `path` at its end, not when the block fails.

    Left out: the time that Python takes to start.
    """
    account, begun = {"stage": stage, **here(params)}, time.perf_counter()
    yield account
    account["seconds"] = round(time.perf_counter() - begun, 1)
    most = max(peak_memory_gib(), peak_memory_gib(children=True))  # a pool may have done the work
    account["peak_gib"] = round(most, 2)
    with paths.replacing(path) as temporary:
        temporary.write_text(json.dumps(account) + "\n", encoding="utf-8")


def accounts(stages: Collection[str]) -> dict[str, dict]:
    """Of those stages that have finished: who made each, the seconds of all its cells together, its peak memory."""
    files = [*paths.artifacts("accounts").glob("*.json"), *(paths.results(stage, NAME) for stage in stages)]
    found: dict[str, dict] = {}
    for path in sorted(file for file in files if file.is_file()):
        account = read_json(path, "`dvc repro` makes it again", {"stage": str, "seconds": float, "peak_gib": float})
        if (stage := account.pop("stage")) in stages:
            before = found.get(stage, {"seconds": 0, "peak_gib": 0})
            account["seconds"] = round(account["seconds"] + before["seconds"], 1)
            account["peak_gib"] = max(account["peak_gib"], before["peak_gib"])
            found[stage] = account
    return dict(sorted(found.items()))


def parts_code() -> str:
    """Whether the code that made the embedded parts is the code here: "same", "differs", or "unknown"."""
    path = paths.results("parts", "metrics.json")
    made = read_json(path, "`dvc pull parts` fetches it").get("code") if path.is_file() else None
    return "unknown" if made is None else "same" if made == code_hash(*PARTS_CODE) else "differs"
