"""The mix of Sec. 2: real speech fixed, synthetic speech added until its share of the seconds is alpha."""

from collections.abc import Sequence

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.data.manifest import Utterance


def seconds_of(utterances: Sequence[Utterance]) -> float:
    """The seconds of all utterances together."""
    return float(sum(utterance.seconds for utterance in utterances))


def balanced_order(synthetic: Sequence[Utterance], seed: int) -> list[Utterance]:
    """Shuffled, and so merged that every beginning of the list holds each engine's speech in equal seconds."""
    places: list[tuple] = []
    for engine in sorted({utterance.engine for utterance in synthetic}):
        own = [utterance for utterance in synthetic if utterance.engine == engine]
        own = [own[i] for i in rng_of(seed, "mix", engine).permutation(len(own))]
        places += zip(np.cumsum([utterance.seconds for utterance in own]), own, strict=True)
    return [utterance for _, utterance in sorted(places, key=lambda place: (place[0], place[1].id))]


def _beginning(ordered: Sequence[Utterance], wanted: float, why: str) -> list[Utterance]:
    """The beginning of a list that comes nearest to so many seconds; `why` it needs them, for messages."""
    totals = np.cumsum([0.0, *(utterance.seconds for utterance in ordered)])
    if wanted > totals[-1] + 0.5 * max((utterance.seconds for utterance in ordered), default=0.0):
        raise UserError(f"{why}, but there are {totals[-1] / 60:.1f}: raise synthetic_minutes or lower alpha")
    return list(ordered[: int(np.abs(totals - wanted).argmin())])


def mix(real: Sequence[Utterance], synthetic: Sequence[Utterance], alpha: float, seed: int) -> list[Utterance]:
    """All real speech, and synthetic speech until alpha = |D_syn| / |D| in seconds (Sec. 2).

    A mix of larger alpha holds the mix of every smaller one. At alpha = 1 there is no real speech, as in the last row of
    Table 1.
    """
    ordered = balanced_order(synthetic, seed)
    if alpha == 1:
        return ordered
    total = seconds_of(real)
    wanted = total * alpha / (1 - alpha)
    why = f"alpha {alpha} needs {wanted / 60:.1f} min of synthetic speech beside {total / 60:.1f} min of real"
    return [*real, *_beginning(ordered, wanted, why)]


def alpha_of(utterances: Sequence[Utterance]) -> float:
    """The share of synthetic seconds that a mix really has."""
    return seconds_of([u for u in utterances if u.kind == "engine"]) / seconds_of(utterances)


def substitute(real: Sequence[Utterance], synthetic: Sequence[Utterance], alpha: float, seed: int) -> list[Utterance]:
    """A mix of as many seconds as `real` has: real speech gives way to synthetic speech (ours)."""
    total = seconds_of(real)
    shuffled = [real[i] for i in rng_of(seed, "substitute").permutation(len(real))]
    why = f"alpha {alpha} needs {total * alpha / 60:.1f} min of synthetic speech in place of real"
    ordered = balanced_order(synthetic, seed)
    return [*_beginning(shuffled, total * (1 - alpha), why), *_beginning(ordered, total * alpha, why)]


def upsampled(real: Sequence[Utterance], synthetic: Sequence[Utterance], alpha: float, seed: int) -> list[Utterance]:
    """The mix, with the real speech repeated until it is half of the seconds, as nearly as whole repeats allow (ours)."""
    if alpha == 1:
        raise UserError("alpha 1 has no real speech to repeat; choose one below")
    mixed = mix(real, synthetic, alpha, seed)
    repeats = max(1, round(alpha / (1 - alpha)))
    return [*list(real) * (repeats - 1), *mixed]
