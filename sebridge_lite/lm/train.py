"""The one training loop and its batches: tokenizer, judges, decoder, LM and preference alignment are all trained here.

A step draws a batch from an endless stream, clips the gradient of its mean loss, and lets AdamW move. Torch's random numbers are
seeded anew for each step from (seed, step), so a checkpoint needs no generator states: weights, optimizer and the
place in the stream are enough to go on bit by bit.

Several processes (`accelerate launch --multi_gpu --num_processes 2`, also on CPUs, or `torchrun`) each take every n-th
example of each batch and add up their gradients in the open, by torch.distributed. A `Batch` of the LM is drawn whole by each,
so that its style prefixes and its noise are those of one process; what a loss or a network draws is not. accelerate's own classes
would add nothing here but the launcher: they average over processes, which is wrong when shares differ in tokens. Left out: loss
scaling (bf16 needs none), schedulers as objects, callbacks beyond `keep`, two optimizers (adversarial training).
"""

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sebridge_lite.core.checkpoint import CHECKPOINT, add_row, resume, save, tidy
from sebridge_lite.core.device import autocast, move, pick_device
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.hashes import code_hash, key_of
from sebridge_lite.core.processes import joined, rank, together, world
from sebridge_lite.core.progress import progress
from sebridge_lite.core.seeds import rng_of, seed_of

SHOWN = 8  # batch ids in a message
BETAS = (0.9, 0.98)  # of AdamW
ROOMS = ("core", "stack", "lm", "align")  # whose code what is learnt depends on
JITTER = 0.1  # lengths are blurred by this before sorting, so that neighbours change from epoch to epoch

Place = tuple[int, int]  # (epoch, position): the batch that comes next


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches of indices into `sizes`; in each, examples x longest size <= budget, so padding is paid for.

    `sizes` may count anything: frames, tokens, or 1 an example, which gives batches of at most `budget` examples. The whole
    order follows from (seed, epoch), so a place in the endless stream is two numbers.
    """

    sizes: Sequence[int] | np.ndarray  # (N,)
    names: Sequence[str]  # (N,), for messages
    budget: int
    seed: int

    def __post_init__(self):
        if not len(self.sizes):
            raise UserError("training data: no examples; check the filters of the stage before")
        for name, size in zip(self.names, self.sizes, strict=True):
            if size < 1:
                raise UserError(f"example {name}: size {size}; drop empty examples before training")
            if size > self.budget:
                raise UserError(
                    f"example {name}: size {size:,} is over the budget of {self.budget:,} a batch; "
                    "cut it, drop it or raise the budget"
                )

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """All batches of an epoch: each example exactly once."""
        sizes = np.asarray(self.sizes)
        rng = rng_of("batches", self.seed, epoch)
        order = np.argsort(sizes * (1 + JITTER * rng.random(len(sizes))))
        cuts, first, longest = [], 0, 0
        for place, size in enumerate(sizes[order].tolist()):
            longest = max(longest, size)
            if longest * (place + 1 - first) > self.budget:
                cuts.append(place)
                first, longest = place, size
        batches = np.split(order, cuts)
        return [batches[i] for i in rng.permutation(len(batches))]

    def stream(self, start: Place = (0, 0)) -> Iterator[tuple[Place, np.ndarray]]:
        """Endlessly (place after this batch, indices), from any place."""
        epoch, first = start
        while True:
            batches = self.epoch(epoch)
            for position in range(first, len(batches)):
                last = position + 1 == len(batches)
                yield (epoch + 1, 0) if last else (epoch, position + 1), batches[position]
            epoch, first = epoch + 1, 0


@dataclass(frozen=True)
class TrainConfig:
    steps: int
    lr: float
    warmup: int  # steps of linear rise
    schedule: str  # cosine or constant
    weight_decay: float
    save_every: int  # steps; 0: at the end only
    seed: int
    clip: float = 1.0


@dataclass(frozen=True)
class Trained:
    """What a run took, resumed parts included; `loss` is that of the last step."""

    steps: int
    epochs: float
    tokens: int
    seconds: float
    loss: float


def lr_at(step: int, config: TrainConfig) -> float:
    """The learning rate of step 0, 1, ...: a linear rise, then constant or half a cosine down to 0."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "constant":
        return config.lr
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * done))


def _optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Weight decay on matrices only; fused, which is five times faster than the default for small models on a CPU."""
    params = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in params if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.lr, betas=BETAS, fused=True)


def _depends_on(model, batches: Batches, config: TrainConfig, inputs: str) -> dict[str, str]:
    """What a checkpoint must share with a run that goes on from it."""
    settings = {name: value for name, value in dataclasses.asdict(config).items() if name != "save_every"}
    return {
        "code": code_hash(*ROOMS),
        "settings": key_of(settings),
        "batches": key_of(np.asarray(batches.sizes), *batches.names, batches.budget, batches.seed),
        "first weights": key_of(*(part for item in model.state_dict().items() for part in item)),
        "inputs": inputs,
    }


def _add_up(params: list[torch.nn.Parameter], sums: torch.Tensor) -> None:
    """Adds gradients and `sums` up over the processes, in place."""
    grads = [p.grad for p in params if p.grad is not None]  # all of them: `_gradient` has made them
    flat = torch.cat([grad.reshape(-1) for grad in grads])
    joined().all_reduce(flat)
    joined().all_reduce(sums)
    for grad, whole in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(whole.view_as(grad))


def _gradient(model, params: list, clip: float, loss_fn: Callable, collate: Callable, indices, device, pieces=1):
    """(loss, gradient norm, scalars) of all processes; the clipped gradient is left in `.grad`. Nothing moves yet.

    pieces: how many parts of its share a process runs one after the other, for memory; sums are the same.
    """
    for p in params:  # zeros, not None: a parameter that one process's share leaves out is still added up
        p.grad = torch.zeros_like(p)
    mine, sums, scalars = np.arange(len(indices))[rank() :: world()], torch.zeros(()), dict[str, Any]()
    idle = len(mine) == 0  # fewer examples than processes: one of them again, with weight 0
    # Collated as a whole, so that it draws the random numbers that one process draws.
    whole: Any = collate(indices) if world() > 1 else None
    for part in np.array_split([0] if idle else mine, min(pieces, len(mine)) or 1):
        batch = move(whole.share(part) if hasattr(whole, "share") else collate(indices[part]), device)
        with autocast(device):
            loss, weight, scalars = loss_fn(model, batch)
        weight = torch.as_tensor(0 if idle else weight, dtype=torch.float32, device=device)
        (loss * weight).backward()
        means = [torch.as_tensor(value, dtype=torch.float32, device=device) for value in (loss, *scalars.values())]
        sums = sums + torch.stack([weight, *(mean.detach() * weight for mean in means)])
    if world() > 1:
        _add_up(params, sums)
    for p in params:
        p.grad /= sums[0]
    norm = torch.nn.utils.clip_grad_norm_(params, clip)
    # One copy to the CPU a step, since each makes a GPU wait.
    loss, *means, norm = torch.cat([sums[1:] / sums[0], norm.reshape(1)]).tolist()
    return loss, norm, dict(zip(scalars, means, strict=True))


def _in_pieces(pieces: int, what: str, budget: int, step, rest: tuple) -> tuple[int, tuple]:
    """In how many pieces a batch fitted into the memory of the GPU, and what `_gradient` made of it."""
    while True:
        try:
            return pieces, _gradient(*[*rest, pieces])
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        *_, indices, _ = rest
        if pieces >= len(indices) // world():
            raise UserError(
                f"{what}, step {step + 1}: out of GPU memory with one example at a time; shorten the longest, take adapters "
                "or hub.checkpointing; the last checkpoint is kept, and the same command goes on from it"
            )
        pieces *= 2
        few = f"a budget of {budget // pieces:,} (now {budget:,}) would fit at once"
        print(
            f"{what}, step {step + 1}: out of GPU memory; batches in {pieces} pieces from here on; {few}",
            file=sys.stderr,
        )


def _not_finite(loss: float, norm: float, ids: list[str], step: int, saved: Path) -> UserError:
    what = f"the gradient is {norm}" if math.isfinite(loss) else f"the loss is {loss}"
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    kept = f"{saved} keeps the last good state" if saved.exists() else "nothing was saved yet"
    return UserError(
        f"step {step}: {what} on batch {', '.join(ids[:SHOWN])}{more}; {kept}; lower lr or mend these examples"
    )


def train(
    model: torch.nn.Module,
    loss_fn: Callable,
    batches: Batches,
    collate: Callable,
    config: TrainConfig,
    folder: Path,
    inputs: str,
    what: str = "train",
    keep: Callable | None = None,
) -> Trained:
    """Trains `model` in place, or goes on where a killed run of the same code, settings, data and first weights stopped.

    loss_fn(model, batch) -> (mean loss, weight, scalars): weight is what the mean is over (tokens, pairs); scalars is a
        dict of further means for the history.
    collate(indices) -> batch: tensors in a dataclass, dict, list or tuple. It and `loss_fn` may use global generators.
    inputs: `key_of` whatever else the result depends on, the data above all; with another key a checkpoint is not used.
    keep(model, steps done) is called before each checkpoint is written, without gradients; it may store the model elsewhere.
    Writes loss.csv and checkpoint.pt in `folder`. Seed torch before the model is built: its first weights count.
    """
    device, saved = pick_device("auto"), folder / CHECKPOINT
    model.to(device)
    if world() > 1:
        for tensor in model.state_dict().values():
            joined().broadcast(tensor, 0)
    optimizer, key = _optimizer(model, config), _depends_on(model, batches, config, inputs)
    params = [p for group in optimizer.param_groups for p in group["params"]]
    state = start = resume(saved, key, model, optimizer, device)
    sizes, stream, begun = np.asarray(batches.sizes), batches.stream(start["place"]), time.perf_counter()
    bar: Any = range(start["step"], config.steps)
    if rank() == 0:
        tidy(folder, start["step"])
        bar = progress(bar, what, "step")
    model.train()
    pieces = 1
    for step in bar:
        torch.manual_seed(seed_of(config.seed, step, 0))
        place, indices = next(stream)
        given = (model, params, config.clip, loss_fn, collate, indices, device)
        pieces, (loss, norm, means) = _in_pieces(pieces, what, batches.budget, step, given)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise _not_finite(loss, norm, [str(batches.names[i]) for i in indices], step + 1, saved)
        for group in optimizer.param_groups:
            group["lr"] = lr_at(step, config)
        optimizer.step()
        tokens, seconds = state["tokens"] + int(sizes[indices].sum()), time.perf_counter() - begun
        done = {"step": step + 1, "loss": loss}
        state = {**done, "place": place, "tokens": tokens, "seconds": start["seconds"] + seconds}
        if rank() != 0:
            continue
        bar.set_postfix_str(f"loss {loss:.3f}, {(tokens - start['tokens']) / seconds:,.0f} tokens/s", refresh=False)
        add_row(folder / "loss.csv", {**done, "lr": lr_at(step, config), "grad_norm": norm, "tokens": tokens, **means})
        if step + 1 == config.steps or (config.save_every and (step + 1) % config.save_every == 0):
            if keep:
                with torch.no_grad():
                    keep(model, step + 1)
            save(saved, key, state, model, optimizer)
    together()  # what the first process has written can be read
    model.eval()
    epoch, position = state["place"]
    epochs = epoch + position / len(batches.epoch(epoch))
    return Trained(state["step"], epochs, state["tokens"], state["seconds"], state["loss"])
