"""`sebridge repro`: what `dvc repro` does, several stages at once.

DVC runs one stage at a time, and models as small as the studio's gain nothing from a second core. So each stage that has what it
needs is given to a `dvc repro --single-item` of its own, and as many run as there are cores. What is run, what is taken
from the cache and what is written is decided by DVC alone. Left out: the options of `dvc repro`.
"""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, printable
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import BARS, progress
from sebridge_lite.core.workers import MOST, cores

MEMORY = 0.75 * 2**30  # bytes that a process of a stage takes
SHOWN = 40  # characters of what a stage is doing
WAITED_FOR = ("own",)  # stages beside which hardly any other can run: they have all cores


def stages_at_once(stack: str) -> int:
    """One a core, as far as there is memory for their pools; one alone where each holds a released model."""
    import psutil

    fit = psutil.virtual_memory().available // (MEMORY * min(MOST, cores()))
    return 1 if stack == "hub" else int(max(1, min(cores(), fit)))


def plan(repo: Any, targets: Sequence[str] = ()) -> tuple[list[Any], dict[str, set[str]]]:
    """The stages that make the targets, or all, those first behind which the longest chain waits; and what each waits for."""
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    graph = get_active_graph(repo.index.graph)  # in which a frozen stage waits for nothing
    order, behind = plan_repro(graph, collect_stages(repo, targets)), dict[Any, int]()
    for stage in reversed(order):
        behind[stage] = 1 + max((behind.get(later, 0) for later in graph.predecessors(stage)), default=0)
    waits = {stage.addressing: {before.addressing for before in graph.successors(stage)} for stage in order}
    return sorted(order, key=lambda stage: -behind[stage]), waits


def environment(name: str, jobs: int) -> dict[str, str]:
    """Of a stage. The last digits of a sum depend on the number of threads, so that follows from the machine alone."""
    threads = cores() if name in WAITED_FOR else max(1, cores() // jobs)
    return {"OMP_NUM_THREADS": str(threads)} | ({BARS: "1"} if sys.stderr.isatty() else {}) | os.environ


def run_one(name: str, jobs: int, doing: dict[str, str]) -> tuple[int, str]:
    """The exit code of one stage under DVC and what it said; `doing` has the latest state of its progress bar meanwhile."""
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--quiet", "--single-item", name]
    said = []
    with subprocess.Popen(
        command, env=environment(name, jobs), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        for line in io.TextIOWrapper(process.stdout or io.BytesIO(), "utf-8", "replace", newline=""):
            if line.endswith("\n"):
                said.append(line)
            elif line.strip():  # ends in a carriage return, after which the bar draws over itself
                doing[name] = line.strip()[:SHOWN]
    return process.returncode, "".join(said)


def run_all(targets: Sequence[str], jobs: int) -> tuple[int, list[str]]:
    """How many stages ran, and those that failed; after a failure none is started."""
    from dvc.repo import Repo

    repo = Repo(str(paths.root()), _wait_for_lock=True)
    todo, waits = plan(repo, targets)
    current, ran, failed, doing, running = set[str](), 0, list[str](), dict[str, str](), dict[Future, str]()
    bar: Any = progress(None, "stages", "stage", total=len(todo))
    with ThreadPoolExecutor(jobs) as threads:
        while running or (todo and not failed):
            ready = [stage for stage in todo if waits[stage.addressing] <= current and not failed]
            for stage in ready[: jobs - len(running)]:
                todo.remove(stage)
                with repo.lock:
                    changed = stage.changed()
                if changed:
                    running[threads.submit(run_one, stage.addressing, jobs, doing)] = stage.addressing
                else:
                    current.add(stage.addressing)
                    bar.update()
            for future in wait(running, timeout=1, return_when=FIRST_COMPLETED).done:
                name, (code, said) = running.pop(future), future.result()
                doing.pop(name, None)
                bar.write(printable(said.rstrip()) or name)
                bar.update()
                ran += 1
                if code:
                    failed.append(name)
                else:
                    current.add(name)
            bar.set_postfix_str("; ".join(f"{name} {doing.get(name, '')}".strip() for name in running.values()))
    bar.close()
    return ran, failed


def repro(params: Params, targets: Sequence[str], jobs: int | None) -> str:
    """What was done, in a line."""
    from dvc.exceptions import DvcException

    count = jobs or stages_at_once(params.stack)
    try:
        ran, failed = run_all(targets, count)
    except DvcException as error:
        raise UserError(f"dvc: {error}; `dvc stage list` names the stages of a pipeline that is in order") from None
    if failed:
        raise UserError(
            f"stage {', '.join(failed)} failed, see above; mend it and run this again: what is done is kept"
        )
    return f"{ran} of the stages ran, {count} at once" if ran else "everything is up to date"
