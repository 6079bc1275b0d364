"""`make bench`: every benchmark in a process of its own, on one thread, and what they found in `results/bench.json`.

    {"machine", "date", "commit", "threads", "seconds", "benchmarks": [contract, ...], "failed": [name, ...]}

A contract is what a benchmark writes with `--json` (`_common.compared`). One that fails is named, and the others still count.
In the end the table of the README is printed, for whoever publishes a run.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from _common import positive, write_json

from sebridge_lite.core import paths
from sebridge_lite.stages.notebook import commit
from sebridge_lite.stages.verdicts import machine, markdown, plain

HERE = Path(__file__).parent
THREADS = 1
BENCHMARKS = {
    "generate": "generation, 12 candidates a text",
    "dgsa_step": "DGSA training",
    "sft_step": "SFT training",
    "render": "the synthesiser",
    "growth": "TDSC's candidate step, time for twice the texts",
}


def run(script: Path, work: Path, repeats: int | None) -> dict | None:
    """What a benchmark found; None when it failed, and why is on stderr."""
    print(f"== {script.stem}", flush=True)
    file, env = work / f"{script.stem}.json", {"OMP_NUM_THREADS": str(THREADS), "OMP_WAIT_POLICY": "passive"}
    more = ["--repeats", str(repeats)] if repeats else []
    done = subprocess.run([sys.executable, script, "--json", file, *more], env=os.environ | env)
    if done.returncode or not file.is_file():
        print(f"benchmark {script.stem}: failed (exit code {done.returncode})", file=sys.stderr, flush=True)
        return None
    return json.loads(file.read_text(encoding="utf-8"))


def rounded(value):
    """Floats to six digits, wherever they are."""
    if isinstance(value, dict):
        return {key: rounded(of_it) for key, of_it in value.items()}
    return [rounded(of_it) for of_it in value] if isinstance(value, list) else plain(value)


def run_all(scripts: Sequence[Path], target: Path, repeats: int | None = None) -> dict:
    begun, code = time.perf_counter(), commit()
    with tempfile.TemporaryDirectory() as work:
        found = {script.stem: run(script, Path(work), repeats) for script in scripts}
    report = {
        "machine": machine(), "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "commit": code,
        "threads": THREADS, "seconds": round(time.perf_counter() - begun),
        "benchmarks": [rounded(result) for result in found.values() if result],
        "failed": [name for name, result in found.items() if not result],
    }  # fmt: skip
    write_json(target, report)
    return report


def speed_table(report: dict) -> list[str]:
    """The README's."""
    rows = []
    for result in report["benchmarks"]:
        arms = [f"{arm} {result['arms'][arm]:,.{0 if result['arms'][arm] >= 100 else 1}f}" for arm in result["of"]]
        interval = "{ratio:.2f} ({low:.2f} to {high:.2f})".format(**result)
        rows.append([BENCHMARKS[result["name"]], result["unit"], *arms, interval, str(result["repeats"])])
    return markdown(["benchmark", "rate", "ours", "beside", "ratio", "repeats"], rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=positive, help="of each benchmark, instead of its own number")
    scripts = [HERE / f"{name}.py" for name in BENCHMARKS]
    report = run_all(scripts, paths.results("bench.json"), parser.parse_args().repeats)
    print("\n".join(speed_table(report)))
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
