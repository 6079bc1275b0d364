"""Rows of any length through a network: padded batches of like lengths, results in the order of the rows."""

from collections.abc import Callable, Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

BUDGET = 12_000  # mel frames, or tokens, at once
CACHED = 2_000  # the same where a CPU works on sound: more no longer lie in its cache, and cost a third more time


def at_once(device: torch.device) -> int:
    """Mel frames in a batch of sound."""
    return CACHED if device.type == "cpu" else BUDGET


def cut(padded: torch.Tensor, lengths: torch.Tensor) -> list[torch.Tensor]:
    """The rows of a batch (B, longest, ...) without their padding, on the CPU."""
    return [row[:size] for row, size in zip(padded.cpu(), lengths.tolist(), strict=True)]


def in_batches(
    function: Callable, rows: Sequence[torch.Tensor], budget: int = BUDGET, device: torch.device | str = "cpu"
) -> list:
    """A result a row, in the order of `rows`, by `function(padded rows (B, longest, ...), lengths (B,), places)`.

    The function is given its batch on `device`.
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    results: list = [None] * len(rows)
    while order:
        longest = max(1, len(rows[order[-1]]))
        batch = order[-max(1, budget // longest) :]
        del order[-len(batch) :]
        padded = pad_sequence([rows[i] for i in batch], batch_first=True).to(device)
        made = function(padded, torch.tensor([len(rows[i]) for i in batch], device=device), batch)
        for place, result in zip(batch, made, strict=True):
            results[place] = result
    return results


def unless_empty(function: Callable[[list[int]], Sequence], rows: Sequence, empty) -> list:
    """`function(places)` for the rows that hold anything, `empty` for the others."""
    places, results = [place for place, row in enumerate(rows) if len(row)], [empty] * len(rows)
    for place, result in zip(places, function(places) if places else (), strict=True):
        results[place] = result
    return results
