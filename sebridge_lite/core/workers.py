"""How many processes may work, and the pool in which they do: never a number that changes results, so no parameter."""

import contextlib
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch

from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.processes import world
from sebridge_lite.core.progress import progress

LM = "transformers.models.qwen2.modeling_qwen2"  # what nearly all jobs of a pool speak with
MOST = 8  # processes
WORTHWHILE = 60.0  # seconds of work: below, starting processes costs more than they save


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers(seconds_of_work: float = math.inf) -> int:
    """`SEBRIDGE_WORKERS`, else the cores this process may use, at most `MOST`, or 1 where there is little to do."""
    asked = os.environ.get("SEBRIDGE_WORKERS", "")
    if not asked:
        return min(MOST, cores()) if seconds_of_work > WORTHWHILE else 1
    if not asked.isdecimal() or len(asked) > 3 or not int(asked):
        raise UserError(f"SEBRIDGE_WORKERS: {show(asked)} is not a whole number from 1 to 999")
    return int(asked)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch within the block: small steps wait more than they work on two, and sums round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def crew(count: int, needs: Sequence[str] = ("torch",)) -> Iterator[ProcessPoolExecutor | None]:
    """A pool of `count` processes of one thread each, or None where this one is enough.

    needs: the modules that they work with. A forked torch may hang, and a spawned process imports everything anew; so where the
    system can, a server imports `needs` once, before any thread of torch, and the processes part from it.
    """
    if count <= 1:
        yield None
        return
    served = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if served else "spawn")
    if served:
        context.set_forkserver_preload(["sebridge_lite", *needs])  # ours first: it guards against a broken torchaudio
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    except BrokenProcessPool:
        why = "a process was killed, for memory perhaps; SEBRIDGE_WORKERS=1 takes one at a time"
        raise UserError(f"{count} processes at once: {why}") from None
    finally:
        pool.shutdown(cancel_futures=True)


def in_pool(function: Callable, jobs: Sequence[tuple], what: str) -> list:
    """`function(job)` of every job, in their order: each in one thread, in as many processes as `workers` allows.

    `function` stands at the top of a module. An error of a job names it, by its texts and numbers. A GPU is not shared: there
    the jobs run one after the other, and so they do where a launcher has started several processes for this command.
    """
    found, count = [], 1 if torch.cuda.is_available() or world() > 1 else min(workers(), len(jobs))
    with crew(count, [function.__module__, LM]) as pool, one_thread():
        done = (pool.map if pool else map)(function, jobs)
        for job in progress(jobs, what, "cell"):
            cell = " ".join(str(part) for part in job if isinstance(part, str | int | float))
            try:
                found.append(next(done))
            except UserError as error:
                raise UserError(f"{what}: {cell}: {error}") from None
            except BrokenProcessPool:
                raise
            except Exception as error:
                error.add_note(f"{what}: {cell}")
                raise
    return found
