"""Sections of `params.yaml` for `07_erosion`; `params` holds them all."""

from dataclasses import dataclass

from sebridge_lite.core.fields import one_of, within


@dataclass(frozen=True)
class ErosionParams:
    """What `07_erosion` looks at."""

    samples: int = within(2, 64)
    texts: int = within(4, 10_000)
    ranges: tuple[float, ...] = within(0, 1)
    engines: tuple[int, ...] = within(1, 3)
    recordings: int = within(20, 10_000)


@dataclass(frozen=True)
class WorldsParams:
    """Which other worlds `07_erosion` has policies of, and how each is trained and heard."""

    kinds: tuple[str, ...] = one_of("studio", "flat", "lively", "one", "narrow", "none")
    alphas: tuple[float, ...] = within(0, 1)
    seeds: tuple[int, ...] = within(0, 2**31)
    steps: int = within(1, 10_000_000)
    flat: float = within(0, 1)
    lively: float = within(0, 1)
    narrow: float = within(0, 1, open_low=True)
