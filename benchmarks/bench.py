"""`make bench`: every benchmark in a process of its own, on one thread, and what they found in `results/bench.json`.

    {"machine", "date", "commit", "threads", "benchmarks": [contract with date, commit, seconds, ...], "failed": [name, ...]}

A contract is what a benchmark writes with `--json` (`_common.compared`). The file is written after each, so a killed run keeps
what was done. One that fails is named, and the others still count. With names only these run, and the others' last results
stay, if this machine gave them. In the end the lines of the README are printed, for whoever publishes a run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from _common import exit_code, positive, write_json

from sebridge_lite.core import paths
from sebridge_lite.experiments.account import commit, machine, today
from sebridge_lite.report.claims import plain

HERE = Path(__file__).parent
THREADS = 1
BENCHMARKS = {
    "generate": "generation, 12 candidates a text",
    "generate_50m": "generation, 12 candidates a text, 50 M weights",
    "dgsa_step": "DGSA training",
    "dgsa_step_50m": "DGSA training by adapters, 50 M weights",
    "sft_step": "SFT training",
    "sft_step_50m": "SFT training, 50 M weights",
    "render": "the synthesiser",
    "growth": "TDSC's candidate step, time for twice the texts",
}


def run(script: Path, work: Path, repeats: int | None) -> dict | None:
    """What a benchmark found; None when it failed, and why is on stderr. One named `x_50m` is `x` of that size."""
    print(f"== {script.stem}", flush=True)
    file, env = work / f"{script.stem}.json", {"OMP_NUM_THREADS": str(THREADS), "OMP_WAIT_POLICY": "passive"}
    own = script.stem.removesuffix("_50m")
    more = ["--size", "50m"] if own != script.stem else []
    more += ["--repeats", str(repeats)] if repeats else []
    done = subprocess.run([sys.executable, script.with_stem(own), "--json", file, *more], env=os.environ | env)
    if done.returncode or not file.is_file():
        print(f"benchmark {script.stem}: failed (exit code {done.returncode})", file=sys.stderr, flush=True)
        return None
    return json.loads(file.read_text(encoding="utf-8"))


def rounded(value):
    """Floats to six digits, wherever they are."""
    if isinstance(value, dict):
        return {key: rounded(of_it) for key, of_it in value.items()}
    return [rounded(of_it) for of_it in value] if isinstance(value, list) else plain(value)


def kept(target: Path) -> dict[str, dict]:
    """Earlier results of this machine, by name."""
    report = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    return {r["name"]: r for r in report["benchmarks"]} if report.get("machine") == machine() else {}


def run_all(scripts: Sequence[Path], target: Path, repeats: int | None = None) -> dict:
    about, failed, report = {"date": today(), "commit": commit()}, [], {}
    with tempfile.TemporaryDirectory() as work:
        for script in scripts:
            begun = time.perf_counter()
            result = run(script, Path(work), repeats)
            found = {name: old for name, old in kept(target).items() if name != script.stem}
            if result:
                found[script.stem] = rounded(result) | about | {"seconds": round(time.perf_counter() - begun)}
            else:
                failed.append(script.stem)
            listed = [*BENCHMARKS, *(name for name in found if name not in BENCHMARKS)]
            rows = [found[name] for name in listed if name in found]
            report = {"machine": machine(), **about, "threads": THREADS, "benchmarks": rows, "failed": failed}
            write_json(target, report)
    return report


def speed_table(report: dict) -> list[str]:
    """The README's."""
    rows = []
    for result in report["benchmarks"]:
        arms = [f"{arm} {result['arms'][arm]:,.{0 if result['arms'][arm] >= 100 else 1}f}" for arm in result["of"]]
        interval = "{ratio:.2f} ({low:.2f} to {high:.2f})".format(**result)
        rows.append([BENCHMARKS[result["name"]], result["unit"], *arms, interval, str(result["repeats"])])
    heads = ["benchmark", "rate", "ours", "beside", "ratio", "repeats"]
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]


def about(report: dict) -> str:
    """Where it ran, and how time grows."""
    grown = [row["growth"] for result in report["benchmarks"] for row in result.get("growth", []) if row["growth"]]
    growth = f"; twice the data take {min(grown):.2f} to {max(grown):.2f} times the time of a step" if grown else ""
    return f"{report['date']}, {report['machine']}, {report['threads']} thread{growth}."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--repeats", type=positive, help="of each benchmark, instead of its own number")
    args = parser.parse_args()
    if unknown := set(args.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    scripts = [HERE / f"{name}.py" for name in args.names or BENCHMARKS]
    report = run_all(scripts, paths.results("bench.json"), args.repeats)
    print("\n".join([*speed_table(report), about(report)]))
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
