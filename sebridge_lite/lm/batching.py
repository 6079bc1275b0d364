"""Batches of like lengths under a token budget: the dynamic batches of at most 2,000 frames that the paper trains on.

The whole order follows from (seed, epoch), so a place in the endless stream is two numbers, (epoch, position). `sizes`
may count anything: frames, tokens, or 1 an example, which gives batches of at most `budget` examples. Left out: worker
processes and prefetching, since the examples lie in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import rng_of

JITTER = 0.1  # lengths are blurred by this before sorting, so that neighbours change from epoch to epoch

Place = tuple[int, int]  # (epoch, position): the batch that comes next


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches of indices into `sizes`; in each, examples x longest size <= budget, so padding is paid for."""

    sizes: Sequence[int] | np.ndarray  # (N,)
    names: Sequence[str]  # (N,), for messages
    budget: int
    seed: int

    def __post_init__(self):
        if len(self.sizes) != len(self.names):
            raise ValueError(f"{len(self.sizes)} sizes for {len(self.names)} names")
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
