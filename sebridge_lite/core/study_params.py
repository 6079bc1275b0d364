"""Sections of `params.yaml` that say what the notebooks and the studies around the method look at; `Params` has them all."""

from dataclasses import field

from sebridge_lite.core.fields import Section, like, one_of, within

METHOD = (r"[a-z0-9][a-z0-9.-]*", "dgsa")  # a name of align/methods.py, or of an arm


class TokensParams(Section):
    recordings: int = within(4, 10_000)
    voices: int = within(2, 60)
    each: int = within(4, 1_000)


class SpeechLMParams(Section):
    texts: int = within(2, 10_000)
    temperature: float = within(0, 3)
    top_p: float = within(0, 1, open_low=True)


class DecoderParams(Section):
    recordings: int = within(4, 10_000)
    steps: tuple[int, ...] = within(1, 1_000)
    noises: tuple[float, ...] = within(0, 1)


class JudgesParams(Section):
    recordings: int = within(4, 10_000)
    texts: int = within(2, 10_000)


class ScalingParams(Section):
    temperatures: tuple[float, ...] = within(0, 3, open_low=True)


class SystemsParams(Section):
    texts: int = within(2, 100_000)
    seconds: tuple[float, ...] = within(0.5, 30)
    reference: float = within(0.5, 30)
    two_voices: float = within(-1, 1)
    marks: int = within(2, 100_000)
    cut: float = within(0.1, 30)


class ErosionParams(Section):
    samples: int = within(2, 64)
    texts: int = within(4, 10_000)
    ranges: tuple[float, ...] = within(0, 1)
    engines: tuple[int, ...] = within(1, 3)
    recordings: int = within(20, 10_000)


class WorldsParams(Section):
    kinds: tuple[str, ...] = one_of("studio", "flat", "lively", "one", "narrow", may_be_empty=True)
    alphas: tuple[float, ...] = within(0, 1)
    seeds: tuple[int, ...] = within(0, 2**31)
    steps: int = within(1, 10_000_000)
    flat: float = within(0, 1)
    lively: float = within(0, 1)
    narrow: float = within(0, 1, open_low=True)


class ClaimsParams(Section):
    min_texts: int = within(2, 1_000_000)
    min_seeds: int = within(1, 1_000)
    shared_clock: bool = field()  # what it forbids is not testable
    wer: float = within(0, 1)
    tone_error: float = within(0, 1)
    hp: float = within(0, 16)
    h_cond: float = within(0, 16)
    rep: float = within(0, 1)
    f0_std: float = within(0, 24)
    f0_range: float = within(0, 48)
    f0_corr: float = within(0, 2)
    f0_rmse: float = within(0, 24)
    energy_std: float = within(0, 40)
    sim: float = within(0, 2)
    rank: float = within(0, 1)
    correlation: float = within(0, 1)


class ConfirmParams(Section):
    texts: int = within(2, 100_000)
    align: tuple[str, ...] = like(*METHOD)
    tdsc: tuple[str, ...] = like(*METHOD)


class ListeningParams(Section):
    systems: tuple[str, ...] = like(*METHOD)
    texts: int = within(2, 1_000)
    gold: int = within(1, 1_000)
    reference: float = within(0.5, 30)
    least: float = within(0, 1)
    raters: int = within(2, 1_000)
    careless: int = within(0, 1_000)
    difference: float = within(0, 4, open_low=True)
    runs: int = within(10, 100_000)


class SiteParams(Section):
    texts: int = within(1, 20)
    least_words: int = within(1, 20)
    people: int = within(1, 50)


class HubParams(Section):
    """A released model (stack/hub.py)."""

    family: str = one_of("cosyvoice2", "neutts")
    model: str = field()
    lm: str = field()
    codec: str = field()
    speaker: str = field()
    voice: str = field()
    checkpointing: bool = field()
