"""Zero-shot cloning: the words by a policy, the voice of somebody of whom there is a short reference and nothing else.

Each test text is said in the voice of whoever recorded it, taken from *other* sentences. Speakers are the units that were
sampled, so intervals are over them. SIM is by the encoder that also steers the decoder: `sim` is to the reference, which the
decoder has seen, `sim_held` to the recording of the very text, which it has not. Left out: a second, independent encoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.measure.bootstrap import mean_interval, paired_difference
from sebridge_lite.measure.evaluate import RATES, Scores, scores_of, speak
from sebridge_lite.measure.prosody import ENOUGH, describe
from sebridge_lite.measure.scoring import References, score, speaker_similarity
from sebridge_lite.measure.stats import Interval
from sebridge_lite.stack.features import SAMPLE_RATE
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.tracks import Tracks

MEASURES = RATES | {name: (name, None) for name in ("sim_held", "ceiling", "floor", "f0_mean_gap", "f0_std_recorded")}


@dataclass(frozen=True, eq=False)
class Voices:
    """The reference of each of U texts."""

    sounds: list[torch.Tensor]
    timbres: torch.Tensor  # (U, E)
    codes: list[torch.Tensor]

    @property
    def seconds(self) -> np.ndarray:
        return np.array([len(sound) / SAMPLE_RATE for sound in self.sounds])


def voices_of(
    stack: Stack, texts: Sequence[Utterance], pool: Sequence[Utterance], sounds: Sequence, seconds: float
) -> Voices:
    """For each text other sentences of its speaker from `pool` (whose sounds these are), joined and cut to `seconds`; less
    where the speaker has said no more. Each text begins with another sentence."""
    own: dict[str, list[int]] = {}
    for place, utterance in enumerate(pool):
        own.setdefault(utterance.speaker, []).append(place)
    joined, size = [], round(seconds * SAMPLE_RATE)
    for turn, text in enumerate(texts):
        others = [place for place in own.get(text.speaker, []) if pool[place].text != text.text]
        if not others:
            raise UserError(f"speaker {text.speaker}: no other sentence to take a reference from; record one more")
        ring = others[turn % len(others) :] + others[: turn % len(others)]
        needed = int(np.searchsorted(np.cumsum([len(sounds[place]) for place in ring]), size)) + 1
        joined.append(torch.cat([sounds[place] for place in ring[:needed]])[:size])
    return Voices(joined, stack.timbres(joined), stack.tokens(joined))


def bounds(references: References, voices: Voices) -> tuple[np.ndarray, np.ndarray]:
    """SIM to each reference of its speaker's recording of the text, and the mean over the recordings of all others. 2 x (U,)"""
    found = (references.timbres @ voices.timbres.T).double().numpy()
    names = np.array([utterance.speaker for utterance in references.utterances])
    others = names[:, None] != names
    rest = np.where(others, found, 0).sum(0)
    count = others.sum(0)
    return found.diagonal().copy(), np.divide(rest, count, out=np.full(len(names), np.nan), where=count > 0)


def register(tracks: Tracks | None) -> float:
    """Median pitch in semitones, NaN where too little is voiced to say."""
    voiced = tracks.f0[tracks.f0 > 0] if tracks else ()
    return float(12 * np.log2(np.median(voiced))) if len(voiced) >= ENOUGH else np.nan


def cloned(
    model: TextSpeechLM,
    stack: Stack,
    references: References,
    voices: Voices,
    sampler: SamplerConfig,
    *,
    style: int,
    silence: Sequence[int],
    seed: int,
    floor: float,
) -> Scores:
    """One sample a text; `style`: how many tokens of the reference stand in front of it, 0 for none."""
    test, rows = references.utterances, np.arange(len(references.utterances))
    seeds, noises = (
        [seed_of(seed, what, u.id, *more) for u in test] for what, more in (("tokens", ()), ("sound", (0,)))
    )
    texts, prefixes = [stack.text.encode(u.text) for u in test], [row[:style] for row in voices.codes]
    codes = [row for (row,) in generate(model, texts, prefixes, sampler, row_seeds=seeds)]
    sounds = speak(stack, codes, voices.timbres, noises)
    tracks = stack.tracks(sounds)
    table = score(stack, references, rows, codes, sounds, voices.timbres, silence, tracks)
    recorded = [describe(track.f0, track.energy, 1).f0_std_st for track in references.tracks]
    pitch = np.array([[register(track) for track in side] for side in (tracks, references.tracks)])
    ceiling, lowest = bounds(references, voices)
    more = {
        "speaker": [u.speaker for u in test], "reference_seconds": voices.seconds, "ceiling": ceiling, "floor": lowest,
        "sim_held": speaker_similarity(stack, sounds, tracks, references.timbres), "f0_mean_gap": np.abs(pitch[0] - pitch[1]),
        "f0_std_recorded": recorded,
    }  # fmt: skip
    return scores_of(table.assign(sample=0, **more), codes, stack, references, floor, seed)


def _columns(tables: Sequence[pd.DataFrame], name: str) -> tuple[np.ndarray, np.ndarray | None]:
    top, bottom = MEASURES[name]
    values = np.array([table[top] for table in tables], dtype=float)
    return values, None if bottom is None else np.array([table[bottom] for table in tables], dtype=float)


def _unknown(tables: Sequence[pd.DataFrame], values: np.ndarray) -> Interval | None:
    """Nothing was measured, or of one speaker alone, whose voice says nothing of others."""
    if np.isfinite(values).any() and tables[0]["speaker"].nunique() > 1:
        return None
    return Interval(np.nan, np.nan, np.nan, len(tables[0]), len(tables))


def over_speakers(tables: Sequence[pd.DataFrame], name: str, seed: int = 0) -> Interval:
    """A measure of S training seeds with its interval over seeds and speakers; `n` counts texts, as everywhere."""
    values, weights = _columns(tables, name)
    if unknown := _unknown(tables, values):
        return unknown
    return replace(mean_interval(values, tables[0]["speaker"], weights, seed), n=len(tables[0]))


def gap(
    tables: Sequence[pd.DataFrame], name: str, others: Sequence[pd.DataFrame], other: str, seed: int = 0
) -> Interval:
    """A measure less another, or less the same of another policy, paired by text; as `over_speakers`."""
    (one, weights), (two, others_weights) = _columns(tables, name), _columns(others, other)
    if unknown := _unknown(tables, one + two):
        return unknown
    found = paired_difference(one, two, tables[0]["speaker"], weights, others_weights, seed)
    return replace(found, n=len(tables[0]))


def own_voice(stack: Stack, sounds: Sequence[torch.Tensor]) -> np.ndarray:
    """SIM of each recording to itself after tokens, decoder and vocoder: what is lost of a voice without any policy. (N,)"""
    timbres = stack.timbres(sounds)
    again = stack.speak(stack.tokens(sounds), timbres, range(len(sounds)))
    return (stack.timbres(again) * timbres).sum(1).numpy()


def two_voices(stack: Stack, sounds: Sequence[torch.Tensor]) -> np.ndarray:
    """Likeness of the two halves of each recording: of one voice it is high. Half a second a half at least. (N,)"""
    halves = [half for sound in sounds for half in (sound[: len(sound) // 2], sound[len(sound) // 2 :])]
    found = stack.timbres(halves)
    return (found[::2] * found[1::2]).sum(1).numpy()
