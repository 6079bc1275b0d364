"""`sebridge doctor`: what is installed, what the machine has, what is missing and how to mend it."""

import importlib
import os
import platform
import shutil
from pathlib import Path

from sebridge_lite.align.methods import checked
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, printable
from sebridge_lite.core.memory import memory_gib
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments.account import PACKAGES, parts_code, version

INSTALL = "pip install -c constraints.txt -e '.[test]', or `make .venv/.installed`"


def device() -> str:
    import torch

    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return f"cuda: {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB"
    return f"cpu: {torch.get_num_threads()} threads"


def broken_imports() -> list[str]:
    """Installed packages that do not import, each with its reason."""
    found = []
    for name in ("torch", "torchaudio", "transformers", "peft", "soundfile"):
        try:
            importlib.import_module(name)
        except Exception as error:  # any failure of a foreign package is what doctor is here to report
            found.append(f"{name} does not import: {str(error).splitlines()[0]}; reinstall it: {INSTALL}")
    return found


def project_problems() -> list[str]:
    """What a clone lacks: valid parameters, pulled data."""
    try:
        root = paths.root()
    except UserError as error:
        return [str(error)]
    here = (root / "data" / "text").is_dir()
    problems = [] if here else ["data/text is not here: fetch the embedded data with `dvc pull data.dvc`"]
    try:
        checked(load_params(root / "params.yaml"))
    except UserError as error:
        problems.append(str(error))
    lock = root / "dvc.lock"
    if lock.is_file() and not lock.read_text(encoding="utf-8", errors="replace").strip():
        problems.append("dvc.lock is empty, so that DVC knows of nothing that was made: `git checkout dvc.lock`")
    return problems


def examine() -> tuple[list[str], list[str]]:
    """(lines to print, problems found)."""
    problems = [f"{name} is missing: {INSTALL}" for name in PACKAGES if version(name) is None]
    lines = [f"python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    lines += [f"{name} {version(name) or 'missing'}" for name in PACKAGES]
    lines += [f"{name} {version(name) or 'missing (needed by `make test`)'}" for name in ("nbval", "ruff")]
    if version("torch"):
        problems += broken_imports()
        lines.append(f"device {device()}")
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    lines.append(f"cores {os.cpu_count()}, memory {memory_gib():.1f} GiB, free disk {disk:.1f} GiB")
    if memory_gib() < 3:
        problems.append("less than 3 GiB of memory: stages may be killed; close other programs")
    if disk < 4:
        problems.append("less than 4 GiB of free disk: free some before `make reproduce`")
    lines.append(f"code of the embedded parts, against the code here: {parts_code()}")
    lines.append(f"espeak-ng {shutil.which('espeak-ng') or 'not installed (optional: one more synthetic engine)'}")
    return lines, problems + project_problems()


def doctor() -> list[str]:
    """The lines of `sebridge doctor`; problems are an error."""
    lines, problems = examine()
    if not problems:
        return [*lines, "all is well"]
    print(printable("\n".join([*lines, *(f"problem: {problem}" for problem in problems)])))
    raise UserError(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} to mend, listed above")
