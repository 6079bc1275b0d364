"""Sections of `params.yaml` that say what the notebooks and the studies around the method look at; `params` holds them all."""

from dataclasses import dataclass, field

from sebridge_lite.core.fields import within


@dataclass(frozen=True)
class TokensParams:
    """What `02_tokens` looks at."""

    recordings: int = within(4, 10_000)
    voices: int = within(2, 60)
    each: int = within(4, 1_000)


@dataclass(frozen=True)
class SpeechLMParams:
    """What `03_text_speech_lm` generates."""

    texts: int = within(2, 10_000)
    temperature: float = within(0, 3)
    top_p: float = within(0, 1, open_low=True)


@dataclass(frozen=True)
class DecoderParams:
    """What `04_flow_decoder` decodes."""

    recordings: int = within(4, 10_000)
    steps: tuple[int, ...] = within(1, 1_000)
    noises: tuple[float, ...] = within(0, 1)


@dataclass(frozen=True)
class JudgesParams:
    """What `05_judges_and_metrics` judges."""

    recordings: int = within(4, 10_000)
    texts: int = within(2, 10_000)


@dataclass(frozen=True)
class ScalingParams:
    """What `06_scaling` shows: policies, each from one mix of real and synthetic speech, and seeds of their training."""

    temperatures: tuple[float, ...] = within(0, 3, open_low=True)


@dataclass(frozen=True)
class SystemsParams:
    """What `11_systems_and_cloning` compares (Sec. 5.5, Tables 5 and 6)."""

    texts: int = within(2, 100_000)
    seconds: tuple[float, ...] = within(0.5, 30)
    reference: float = within(0.5, 30)
    two_voices: float = within(-1, 1)
    marks: int = within(2, 100_000)
    cut: float = within(0.1, 30)


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

    alphas: tuple[float, ...] = within(0, 1)
    seeds: tuple[int, ...] = within(0, 2**31)
    steps: int = within(1, 10_000_000)
    flat: float = within(0, 1)
    lively: float = within(0, 1)
    narrow: float = within(0, 1, open_low=True)


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
