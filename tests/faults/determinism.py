"""`python -m tests.faults.determinism A [B] [--near SHARE]`: where two runs of the small pipeline part first.

B is made where it is not there. The stages are asked in the order in which they run, so the first that differs is the one to
look at: those behind it may differ for no reason of their own. All that a stage has written is compared to the last bit, but
for times, dates, and drawn pages.

With --near, for runs on other numbers of threads, whose sums end in other digits: before any token is drawn, numbers may
differ by that share (or by as much, below 1). From there on a last digit may draw another token, and everything behind it is
another sample. So verdicts must be the same, and of the intervals in all tables 99 in 100 must overlap.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
DRAWN = {".png", ".html", ".ipynb", ".md", ".txt"}  # of what the other files hold
UNDRAWN = (
    "import",
    "parts",
    "codebook",
    "own",
    "encode",
    "floors",
    "sft",
    "critique_start",
)  # stages that draw no token
MEETING = 0.99  # share of the intervals that must overlap
TIMES = ("seconds", "date", "peak_gib", "memory_gib", "commit", "machine", "took")  # what two runs need not share


def without_times(value):
    """A JSON value without what names a time, a date or a machine."""
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if not key.startswith(TIMES)}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def content(path: Path, near: float):
    """What is compared of a file."""
    if path.suffix == ".json":
        return without_times(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".csv":  # as text, so that a last digit counts
        table = pd.read_csv(path, dtype=None if near else str, keep_default_na=False)
        return without_times(table.to_dict("list"))
    return None if near else path.read_bytes()


def alike(one, other, near: float) -> bool:
    """Whether two values are the same, their numbers to a share of `near`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key], near) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(*pair, near) for pair in zip(one, other, strict=True))
    if near and isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=near, abs_tol=near)
    return one == other


def files_in(out: Path) -> dict[str, Path]:
    """The files of an output, which may be one itself."""
    found = [out] if out.is_file() else sorted(path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out.parent).as_posix(): path for path in found if path.suffix not in DRAWN}


def difference(out: str, a: Path, b: Path, near: float = 0.0) -> str:
    """The first file of an output in which two runs differ, or ''."""
    if out.startswith("artifacts/accounts"):
        return ""
    first, second = files_in(a / out), files_in(b / out)
    if lone := first.keys() ^ second.keys():
        return f"{min(lone)} is in one of them alone"
    pairs = ((name, content(path, near), content(second[name], near)) for name, path in first.items())
    return next((name for name, one, other in pairs if not alike(one, other, near)), "")


def first_difference(outs: Mapping[str, Iterable[str]], a: Path, b: Path, near: float = 0.0) -> tuple[str, str] | None:
    """The first stage whose outputs differ, and the file; None where all are the same. outs: by stage, in their order."""
    for stage, made in outs.items():
        for out in made:
            if (a / out).exists() and (name := difference(out, a, b, near)):
                return stage, name
    return None


def overlapping(one: pd.DataFrame, other: pd.DataFrame) -> tuple[int, int]:
    """How many intervals two tables of one shape hold, and how many of them overlap."""
    names = [name for name in one if {name + "_low", name + "_high"} <= set(one) & set(other)]
    apart = [(one[n + "_low"] > other[n + "_high"]) | (other[n + "_low"] > one[n + "_high"]) for n in names]
    count = len(names) * len(one)
    return count, count - int(sum(map(sum, apart)))


def sampled_otherwise(a: Path, b: Path) -> str:
    """What no other sample of the same policies explains, or ''."""
    words = []
    for run in (a, b):
        claims = json.loads((run / "results/claims/claims.json").read_text(encoding="utf-8"))
        words.append({row["id"]: (row["verdict"], row["strict"]) for row in claims})
    if changed := [id for id in words[0] if words[0][id] != words[1].get(id)]:
        return f"the verdict of {changed[0]} is another"
    tables = [path.relative_to(a) for path in sorted((a / "results").rglob("*.csv"))]
    read = {path: (pd.read_csv(a / path), pd.read_csv(b / path)) for path in tables if (b / path).is_file()}
    if odd := [path for path in tables if path not in read or len(read[path][0]) != len(read[path][1])]:
        return f"{odd[0]} has other rows"
    counted = [overlapping(*pair) for pair in read.values()]
    total, meet = (sum(column) for column in zip(*counted, strict=True))
    print(f"{meet} of {total} intervals in {len(tables)} tables overlap")
    return "" if total and meet >= MEETING * total else "too few intervals overlap"


def in_order(resolved: Mapping[str, dict], waits: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The outputs of each stage, every stage behind those that it waits for."""
    done: dict[str, list[str]] = {}
    while len(done) < len(resolved):
        ready = [name for name in resolved if name not in done and waits[name] <= done.keys()]
        done |= {name: resolved[name]["outs"] for name in sorted(ready)}
    return done


def main(a: Path, b: Path, near: float) -> int:
    from tests.pipeline import stages

    if not (b / "artifacts").is_dir():
        b.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "tests.pipeline", str(b)], cwd=ROOT, check=True)
    os.environ["PIPELINE_PROJECT"] = str(a / ".project")
    outs = in_order(*stages())
    if near:
        outs = {stage: made for stage, made in outs.items() if stage.partition("@")[0] in UNDRAWN}
    found = first_difference(outs, a, b, near)
    parted = f"the runs part in the stage {found[0]}, at {found[1]}" if found else near and sampled_otherwise(a, b)
    same = f"to a share of {near:g} before any token is drawn, and in every verdict" if near else "to the last bit"
    print(parted or f"the runs are the same {same}")
    return int(bool(parted))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("places", nargs="+", type=lambda place: Path(place).resolve())
    parser.add_argument("--near", type=float, default=0.0)
    args = parser.parse_args()
    places = [*args.places, args.places[0].with_name(f"{args.places[0].name}-again")]
    sys.exit(main(*places[:2], args.near))
