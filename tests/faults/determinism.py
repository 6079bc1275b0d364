"""`python -m tests.faults.determinism A [B]`: where two runs of the small pipeline part first. B is made where it is not there.

The stages are asked in the order in which they run, so the first that differs is the one to look at: those behind it may differ
for no reason of their own. All that a stage has written is compared to the last bit, but for times, dates, and drawn pages.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
DRAWN = {".png", ".html", ".ipynb", ".md", ".txt"}  # of what the other files hold
TIMES = ("seconds", "date", "peak_gib", "memory_gib", "commit", "machine", "took")  # what two runs need not share


def without_times(value):
    """A JSON value without what names a time, a date or a machine."""
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if not key.startswith(TIMES)}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def content(path: Path):
    """What is compared of a file."""
    if path.suffix == ".json":
        return without_times(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".csv":  # as text, so that a last digit counts
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return table[[name for name in table if not name.startswith(TIMES)]].to_csv(index=False)
    return path.read_bytes()


def files_in(out: Path) -> dict[str, Path]:
    """The files of an output, which may be one itself."""
    found = [out] if out.is_file() else sorted(path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out.parent).as_posix(): path for path in found if path.suffix not in DRAWN}


def difference(out: str, a: Path, b: Path) -> str:
    """The first file of an output in which two runs differ, or ''."""
    if out.startswith("artifacts/accounts"):
        return ""
    first, second = files_in(a / out), files_in(b / out)
    if lone := first.keys() ^ second.keys():
        return f"{min(lone)} is in one of them alone"
    return next((name for name in first if content(first[name]) != content(second[name])), "")


def first_difference(outs: Mapping[str, Iterable[str]], a: Path, b: Path) -> tuple[str, str] | None:
    """The first stage whose outputs differ, and the file; None where all are the same. outs: by stage, in their order."""
    for stage, made in outs.items():
        for out in made:
            if (a / out).exists() and (name := difference(out, a, b)):
                return stage, name
    return None


def in_order(resolved: Mapping[str, dict], waits: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The outputs of each stage, every stage behind those that it waits for."""
    done: dict[str, list[str]] = {}
    while len(done) < len(resolved):
        ready = [name for name in resolved if name not in done and waits[name] <= done.keys()]
        done |= {name: resolved[name]["outs"] for name in sorted(ready)}
    return done


def main(a: Path, b: Path) -> int:
    from tests.pipeline import stages

    if not (b / "artifacts").is_dir():
        b.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "tests.pipeline", str(b)], cwd=ROOT, check=True)
    os.environ["PIPELINE_PROJECT"] = str(a / ".project")
    found = first_difference(in_order(*stages()), a, b)
    print(f"the runs part in the stage {found[0]}, at {found[1]}" if found else "the runs are the same to the last bit")
    return int(found is not None)


if __name__ == "__main__":
    places = [Path(place).resolve() for place in sys.argv[1:]]
    sys.exit(main(places[0], places[1] if len(places) > 1 else places[0].with_name(f"{places[0].name}-again")))
