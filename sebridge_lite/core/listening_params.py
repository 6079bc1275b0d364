"""Sections of `params.yaml` that come after the studies: what is asked again, and what is listened to."""

from dataclasses import dataclass, field

from sebridge_lite.core.fields import within


@dataclass(frozen=True)
class ConfirmParams:
    """Which systems are asked once more on fresh texts, and on how many."""

    texts: int = within(2, 100_000)
    align: tuple[str, ...] = field()
    tdsc: tuple[str, ...] = field()


@dataclass(frozen=True)
class ListeningParams:
    """What `12_listening_test` has raters hear (D.4, E.3), and what its simulated raters are like."""

    systems: tuple[str, ...] = field()
    texts: int = within(2, 1_000)
    gold: int = within(1, 1_000)
    reference: float = within(0.5, 30)
    least: float = within(0, 1)
    raters: int = within(2, 1_000)
    careless: int = within(0, 1_000)
    difference: float = within(0, 4, open_low=True)
    runs: int = within(10, 100_000)


@dataclass(frozen=True)
class SiteParams:
    """What the listening page plays: sentences and people, taken by their place in the test set."""

    texts: int = within(1, 20)
    least_words: int = within(1, 20)
    people: int = within(1, 50)
