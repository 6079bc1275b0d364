"""The processes that a launcher has started for one command (`accelerate launch`, `torchrun`), and work shared out among them.

All of them run the whole command in step. Only the first leaves files behind (`core.paths`) and speaks (`cli.main`). Without
a launcher there is one process, and nothing here does anything. Left out: work that is shared out within shared work.
"""

import os
from collections.abc import Callable, Sequence


def world() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


def joined():
    """`torch.distributed`, by which the processes speak to each other; they wait here until all have come."""
    import torch  # not above: `sebridge --help` answers at once

    if not torch.distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return torch.distributed


def together() -> None:
    """Returns when all processes have come here."""
    if world() > 1:
        joined().barrier()


def shared_out(work: Callable[..., Sequence], items) -> list:
    """A result an item, in the order of `items`, to every process; each has done `work` on every n-th item."""
    mine = items[rank() :: world()]
    done = list(work(mine)) if len(mine) else []
    if world() == 1:
        return done
    shares: list[list] = [[]] * world()
    # A row of a padded batch would be sent with its whole batch.
    done = [result.clone() if hasattr(result, "clone") else result for result in done]
    joined().all_gather_object(shares, done)
    results: list = [None] * len(items)
    for place, share in enumerate(shares):
        results[place :: world()] = share
    return results
