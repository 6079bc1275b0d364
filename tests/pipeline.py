"""A small run of the whole pipeline in a folder of its own: `python -m tests.pipeline FOLDER`. What the tests and nbval read.

Each stage runs in a sandbox that holds what it declares in dvc.yaml and nothing else, and may leave only its outs. So a file
that it reads and does not declare is not there, and one that it writes and does not declare is an error. The modules of the
library that it has loaded are compared with the code that it declares. Stages run side by side, on the cores there are.
"""

import importlib
import multiprocessing
import os
import shlex
import shutil
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROFILE = "smoke"
PULLED = ("artifacts/parts", "artifacts/judges", "results/parts", "results/codebook")
# Notebooks whose results other stages read; nbval executes all of them.
NOTEBOOKS = ("corpus", "scaling", "erosion", "dgsa", "tdsc", "systems")
# The command itself, and what it writes down of the run, decide nothing.
ALWAYS = ("sebridge_lite/__init__.py", "sebridge_lite/cli/", "sebridge_lite/experiments/account.py")


def stages() -> tuple[dict[str, dict], dict[str, set[str]]]:
    """Each stage's command, deps and outs under the smoke profile; and which stages it waits for. As DVC resolves them."""
    from dvc.repo import Repo

    from sebridge_lite.cli.repro import plan

    os.chdir(os.environ["PIPELINE_PROJECT"])  # names of stages are relative to the working directory
    order, waits = plan(Repo("."))
    resolved = {}
    for stage in order:
        deps = [str(dep) for dep in stage.deps if str(dep) != "params.yaml"]
        resolved[stage.addressing] = {"cmd": stage.cmd, "deps": deps, "outs": [str(out) for out in stage.outs]}
    return resolved, waits


def link(source: Path, target: Path) -> None:
    """A symbolic link, unless a folder above it is one already."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)


def source_of(dep: str, outputs: Path) -> Path:
    """Where a declared input lies: among what was made here, else in the repository."""
    made = outputs / dep
    return made if made.exists() else ROOT / dep


def undeclared_code(deps: list[str]) -> list[str]:
    """Loaded modules of the library that no dep covers."""
    loaded = [
        getattr(module, "__file__", None) for name, module in sys.modules.items() if name.startswith("sebridge_lite")
    ]
    files = [Path(file).relative_to(ROOT).as_posix() for file in loaded if file]
    code = [*ALWAYS, *(dep if dep.endswith(".py") else f"{dep}/" for dep in deps if dep.startswith("sebridge_lite"))]
    return [file for file in files if not file.endswith("/__init__.py") and not file.startswith(tuple(code))]


def run_stage(name: str, stage: dict, outputs: Path) -> tuple[float, str]:
    """Seconds that a stage took, and what was wrong with it ("" if nothing)."""
    begun, sandbox = time.perf_counter(), outputs / ".sandbox" / name.replace("@", "-")
    sandbox.mkdir(parents=True)
    for file in ("params.yaml", "dvc.yaml"):
        shutil.copy(outputs / ".project" / file, sandbox / file)
    link(ROOT / "params", sandbox / "params")
    if stage["cmd"].startswith("sebridge run"):
        link(ROOT / "notebooks", sandbox / "notebooks")
    for dep in sorted(stage["deps"]):
        if not dep.startswith("sebridge_lite"):
            link(source_of(dep, outputs), sandbox / dep)
    os.chdir(sandbox)
    log = (outputs / ".sandbox" / f"{sandbox.name}.log").open("w")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    from sebridge_lite.cli.main import main

    try:
        code = main(shlex.split(stage["cmd"])[1:])
    except Exception:
        traceback.print_exc()
        code = 1
    log.flush()
    if code:
        return time.perf_counter() - begun, Path(log.name).read_text(encoding="utf-8")[-2000:]
    problems = [f"loads {file}, which it does not declare" for file in undeclared_code(stage["deps"])]
    for out in stage["outs"]:
        if not (sandbox / out).exists():
            problems.append(f"has not written {out}")
            continue
        (outputs / out).parent.mkdir(parents=True, exist_ok=True)
        (sandbox / out).rename(outputs / out)
    for top in ("artifacts", "results"):
        left = [path for path in (sandbox / top).rglob("*") if path.is_file() and not path.is_symlink()]
        problems += [f"leaves {path.relative_to(sandbox)}, which is none of its outs" for path in left]
    os.chdir(outputs)
    shutil.rmtree(sandbox)
    return time.perf_counter() - begun, "\n".join(problems)


def _preload() -> None:
    """What every stage imports of others, once before the processes part; nothing of ours, so that its imports show."""
    import torch

    # The library's own guard comes first: it lets transformers import beside a broken torchaudio.
    for name in ("sebridge_lite", "numpy", "pandas", "scipy.stats", "transformers.models.qwen2.modeling_qwen2"):
        importlib.import_module(name)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    os.environ["SEBRIDGE_WORKERS"] = "1"  # stages run side by side


def run_pipeline(outputs: Path) -> dict[str, str]:
    """Runs all stages into `outputs`, but for those whose outs are there; returns what was wrong with each that failed."""
    project = outputs / ".project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.rmtree(outputs / ".sandbox", ignore_errors=True)
    shutil.copytree(ROOT / ".dvc", project / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local"))
    config = (project / ".dvc" / "config").read_text()
    (project / ".dvc" / "config").write_text(config.replace("[core]", "[core]\n    no_scm = true"))
    for file in ("dvc.yaml", "dvc.lock", "data.dvc"):
        shutil.copy(ROOT / file, project / file)
    shutil.copy(ROOT / "params" / f"{PROFILE}.yaml", project / "params.yaml")
    for place in PULLED:
        link(ROOT / place, outputs / place)
    os.environ["PIPELINE_PROJECT"] = str(project)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        resolved, waits = alone.submit(stages).result()  # DVC's modules stay out of the stages' processes
    skipped = {name for name, s in resolved.items() if s["cmd"] is None or name in ("parts", "codebook")}
    skipped |= {
        name
        for name, s in resolved.items()
        if s["cmd"] and s["cmd"].startswith("sebridge run") and name not in NOTEBOOKS
    }
    skipped |= {name for name, stage in resolved.items() if all((outputs / out).exists() for out in stage["outs"])}
    todo = [name for name in resolved if name not in skipped]
    done, failed, running = set(skipped), {}, {}
    _preload()
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("fork")
    pools: dict = {}
    while todo or running:
        ready = [name for name in todo if waits[name] <= done]
        for name in ready[: cores - len(running)]:
            todo.remove(name)
            pool = ProcessPoolExecutor(1, mp_context=context)  # a process for each, as DVC has it
            future = pool.submit(run_stage, name, resolved[name], outputs)
            running[future], pools[future] = name, pool
        if not running:
            failed |= dict.fromkeys(todo, "waits for a stage that failed")
            break
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            seconds, problem = future.result()
            pools.pop(future).shutdown()
            print(f"{name}: {seconds:.1f} s{' FAILED' if problem else ''}", flush=True)
            if problem:
                failed[name] = problem
            else:
                done.add(name)
    return failed


if __name__ == "__main__":
    begun = time.perf_counter()
    wrong = run_pipeline(Path(sys.argv[1]).resolve())
    for name, problem in wrong.items():
        print(f"{name}: {problem}", file=sys.stderr)
    print(f"the small run of the pipeline took {time.perf_counter() - begun:.0f} s")
    sys.exit(bool(wrong))
