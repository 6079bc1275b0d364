"""The one training loop: tokenizer, judges, decoder, LM and preference alignment are all trained here.

A step draws `accumulate` batches from an endless stream, sums weight x gradient over them, divides by the total weight,
clips, and lets AdamW move. Torch's random numbers are seeded anew for each step from (seed, step, process), so a checkpoint needs
no generator states: weights, optimizer and the place in the stream are enough to go on bit by bit.

Several processes (`accelerate launch --multi_gpu --num_processes 2`, also on CPUs, or `torchrun`) each take every n-th
example of each batch and add up their gradients in the open, by torch.distributed. accelerate's own classes would add
nothing here but the launcher: they average over processes, which is wrong when shares differ in tokens. Left out: loss
scaling (bf16 needs none), schedulers as objects, callbacks beyond `keep`, two optimizers (adversarial training).
"""

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist

from sebridge_lite.core.checkpoint import CHECKPOINT, add_row, code_hash, key_of, resume, save, tidy
from sebridge_lite.core.device import autocast, move, pick_device
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.fields import one_of, within
from sebridge_lite.core.progress import progress
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.lm.batching import Batches

SHOWN = 8  # batch ids in a message
ROOMS = ("core", "stack", "lm", "align")  # whose code what is learnt depends on


@dataclass(frozen=True)
class TrainConfig:
    steps: int = within(1, 10_000_000)
    lr: float = within(0, 1, open_low=True)
    warmup: int = within(0, 10_000_000)  # steps of linear rise
    schedule: str = one_of("cosine", "constant")
    weight_decay: float = within(0, 1)
    save_every: int = within(0, 10_000_000)  # steps; 0: at the end only
    seed: int = within(0, 2**31)
    clip: float = 1.0
    accumulate: int = 1
    device: str = "auto"
    betas: tuple[float, ...] = (0.9, 0.98)


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


class _Crew(NamedTuple):
    """This process among those that train together."""

    rank: int
    world: int
    device: torch.device


@dataclass(frozen=True)
class _Run:
    """What stays the same from step to step."""

    model: torch.nn.Module
    loss_fn: Callable
    collate: Callable
    batches: Batches
    config: TrainConfig
    folder: Path
    crew: _Crew
    optimizer: torch.optim.Optimizer


def _join(device: str) -> _Crew:
    """As the launcher has set it in the environment; a crew of one without a launcher."""
    picked = pick_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return _Crew(0, 1, picked)
    if picked.type == "cuda":
        picked = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(picked)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if picked.type == "cuda" else "gloo")
    return _Crew(dist.get_rank(), dist.get_world_size(), picked)


def _optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Weight decay on matrices only; fused, which is five times faster than the default for small models on a CPU."""
    params = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in params if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.lr, betas=config.betas, fused=True)


def _depends_on(model, batches: Batches, config: TrainConfig, inputs: str) -> dict[str, str]:
    """What a checkpoint must share with a run that goes on from it."""
    harmless = ("device", "save_every")
    settings = {name: value for name, value in dataclasses.asdict(config).items() if name not in harmless}
    return {
        "code": code_hash(*ROOMS),
        "settings": key_of(settings),
        "batches": key_of(np.asarray(batches.sizes), *batches.names, batches.budget, batches.seed),
        "first weights": key_of(*(part for item in model.state_dict().items() for part in item)),
        "inputs": inputs,
    }


def _gradients(run: _Run, taken) -> tuple[torch.Tensor, list[str]]:
    """Sums weight x gradient into `.grad`; returns per batch (weighted loss, weight, weighted scalars ...) and names."""
    rank, world, device = run.crew
    rows, names = [], []
    for indices in taken:
        mine = indices[rank::world]
        idle = len(mine) == 0  # fewer examples than processes: one of them again, with weight 0
        batch = move(run.collate(indices[:1] if idle else mine), device)
        with autocast(device):
            loss, weight, scalars = run.loss_fn(run.model, batch)
        names = list(scalars)
        weight = torch.as_tensor(0 if idle else weight, dtype=torch.float32, device=device)
        (loss * weight).backward()
        means = [torch.as_tensor(v, dtype=torch.float32, device=device) for v in (loss.detach(), *scalars.values())]
        rows.append(torch.stack([means[0] * weight, weight, *(mean.detach() * weight for mean in means[1:])]))
    return torch.stack(rows), names


def _add_up(params: list[torch.nn.Parameter], table: torch.Tensor) -> None:
    """Sums gradients and `table` over the processes, in place."""
    flat = torch.cat([p.grad.reshape(-1) for p in params])
    dist.all_reduce(flat)
    dist.all_reduce(table)
    for p, grad in zip(params, flat.split([p.numel() for p in params]), strict=True):
        p.grad.copy_(grad.view_as(p))


def _stop_unless_finite(losses: list[float], norm: float, taken, step: int, run: _Run) -> None:
    bad = [i for i, loss in enumerate(losses) if not math.isfinite(loss)]
    if not bad and math.isfinite(norm):
        return
    what = f"the loss is {losses[bad[0]]}" if bad else f"the gradient is {norm}"
    ids = [str(run.batches.names[i]) for n in bad or range(len(taken)) for i in taken[n]]
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    saved = run.folder / CHECKPOINT
    kept = f"{saved} keeps the last good state" if saved.exists() else "nothing was saved yet"
    raise UserError(
        f"step {step + 1}: {what} on batch {', '.join(ids[:SHOWN])}{more}; {kept}; lower lr or mend these examples"
    )


def _step(run: _Run, taken, step: int) -> tuple[float, float, dict[str, float]]:
    """One update; its loss, gradient norm and scalars over all batches and processes. Stops before a bad update."""
    params = [p for group in run.optimizer.param_groups for p in group["params"]]
    for p in params:  # zeros, not None: a parameter that one process's share leaves out is still added up
        p.grad = torch.zeros_like(p)
    table, names = _gradients(run, taken)
    if run.crew.world > 1:
        _add_up(params, table)
    total = table[:, 1].sum()
    for p in params:
        p.grad /= total
    norm = torch.nn.utils.clip_grad_norm_(params, run.config.clip)
    # One copy to the CPU a step, since each makes a GPU wait.
    values = torch.cat([table[:, 0] / table[:, 1], table.sum(0) / total, norm.reshape(1)]).tolist()
    losses, (loss, _, *means), norm = values[: len(taken)], values[len(taken) : -1], values[-1]
    _stop_unless_finite(losses, norm, taken, step, run)
    for group in run.optimizer.param_groups:
        group["lr"] = lr_at(step, run.config)
    run.optimizer.step()
    return loss, norm, dict(zip(names, means, strict=True))


def _steps(run: _Run, state: dict, what: str) -> Iterator[tuple[dict, dict]]:
    """(row of the history, state) after each step that is left."""
    sizes, stream, before = np.asarray(run.batches.sizes), run.batches.stream(state["place"]), state
    steps = range(state["step"], run.config.steps)
    bar = progress(steps, what, "step") if run.crew.rank == 0 else steps
    begun = time.perf_counter()
    for step in bar:
        torch.manual_seed(seed_of(run.config.seed, step, run.crew.rank))
        places, taken = zip(*(next(stream) for _ in range(run.config.accumulate)), strict=True)
        loss, norm, means = _step(run, taken, step)
        tokens = state["tokens"] + int(sum(sizes[indices].sum() for indices in taken))
        spent = time.perf_counter() - begun
        if run.crew.rank == 0:
            bar.set_postfix_str(f"loss {loss:.3f}, {(tokens - before['tokens']) / spent:,.0f} tokens/s", refresh=False)
        done = {"tokens": tokens, "seconds": before["seconds"] + spent}
        row = {"step": step + 1, "loss": loss, "lr": lr_at(step, run.config), "grad_norm": norm, **done, **means}
        state = {"step": step + 1, "place": places[-1], "loss": loss, **done}
        yield row, state


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
    crew, saved = _join(config.device), folder / CHECKPOINT
    model.to(crew.device)
    if crew.world > 1:
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)
    run = _Run(model, loss_fn, collate, batches, config, folder, crew, _optimizer(model, config))
    key = _depends_on(model, batches, config, inputs)
    state = start = resume(saved, key, model, run.optimizer, crew.device)
    if crew.rank == 0:
        tidy(folder, start["step"])
    model.train()
    for row, state in _steps(run, start, what):
        if crew.rank != 0:
            continue
        add_row(folder / "loss.csv", row)
        step = state["step"]
        if step == config.steps or (config.save_every and step % config.save_every == 0):
            if keep:
                with torch.no_grad():
                    keep(model, step)
            save(saved, key, state, model, run.optimizer)
    model.eval()
    epoch, position = state["place"]
    epochs = epoch + position / len(batches.epoch(epoch))
    return Trained(state["step"], epochs, state["tokens"], state["seconds"], state["loss"])
