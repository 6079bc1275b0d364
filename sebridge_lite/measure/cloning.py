"""Zero-shot cloning: the words by a policy, the voice of somebody of whom there is a short reference and nothing else.

Each test text is said in the voice of whoever recorded it, taken from *other* sentences. Speakers are the units that were
sampled, so intervals are over them. SIM is by the encoder that also steers the decoder, unless `judge.speaker` names one that
it has not learnt from: `sim` is to the reference, which the decoder has seen, `sim_held` to the recording of the very text, which
it has not.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.measure.bootstrap import paired_difference, ratio
from sebridge_lite.measure.evaluate import RATES, Scores, scores_of
from sebridge_lite.measure.prosody import ENOUGH, describe
from sebridge_lite.measure.scoring import References, score, speaker_similarity
from sebridge_lite.measure.stats import UNKNOWN, Interval, columns_of
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.tracks import Tracks

MEASURES = RATES | {name: (name, None) for name in ("sim_held", "ceiling", "floor", "f0_mean_gap", "f0_std_recorded")}
CLONED = ("wer", "sim", "sim_held", "ceiling", "floor", "f0_mean_gap", "f0_std", "f0_std_recorded")


class Voices(NamedTuple):
    """The reference of each of U texts."""

    sounds: list[torch.Tensor]
    timbres: torch.Tensor  # (U, E)
    codes: list[torch.Tensor]


def voices_of(
    stack: Stack, texts: Sequence[Utterance], pool: Sequence[Utterance], sounds: Sequence, seconds: float
) -> Voices:
    """For each text other sentences of its speaker from `pool` (whose sounds these are), joined and cut to `seconds`; less
    where the speaker has said no more. Each text begins with another sentence."""
    joined, size = [], round(seconds * stack.sample_rate)
    for turn, text in enumerate(texts):
        others = [i for i, other in enumerate(pool) if other.speaker == text.speaker and other.text != text.text]
        if not others:
            raise UserError(f"speaker {text.speaker}: no other sentence to take a reference from; record one more")
        ring = others[turn % len(others) :] + others[: turn % len(others)]
        needed = int(np.searchsorted(np.cumsum([len(sounds[place]) for place in ring]), size)) + 1
        joined.append(torch.cat([sounds[place] for place in ring[:needed]])[:size])
    return Voices(joined, stack.timbres(joined), stack.tokens(joined))


def bounds(references: References, voices: Voices) -> tuple[np.ndarray, np.ndarray]:
    """SIM to each reference of its speaker's recording of the text, and the mean over the recordings of all others. 2 x (U,)"""
    sim = (references.timbres @ voices.timbres.T).double().numpy()
    names = np.array([utterance.speaker for utterance in references.utterances])
    others = names[:, None] != names
    return sim.diagonal(), ratio(np.where(others, sim, 0).sum(0), others.sum(0))


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
    """Scores of one sample a text; `style`: how many tokens of the reference stand in front of it, 0 for none."""
    test, rows = references.utterances, range(len(references.utterances))
    texts, prefixes = [stack.text.encode(u.text) for u in test], [row[:style] for row in voices.codes]
    row_seeds = [seed_of(seed, "tokens", u.id) for u in test]
    codes = [row for (row,) in generate(model, texts, prefixes, sampler, row_seeds=row_seeds)]
    sounds = stack.speak(codes, voices.timbres, [seed_of(seed, "sound", u.id, 0) for u in test])
    tracks = stack.tracks(sounds)
    table = score(stack, references, rows, codes, sounds, voices.timbres, silence, tracks)
    pitch, recorded = ([register(track) for track in side] for side in (tracks, references.tracks))
    ceiling, lowest = bounds(references, voices)
    table = table.assign(
        sample=0,
        speaker=[u.speaker for u in test],
        reference_seconds=[len(sound) / stack.sample_rate for sound in voices.sounds],
        ceiling=ceiling,
        floor=lowest,
        sim_held=speaker_similarity(stack, sounds, tracks, references.timbres),
        f0_mean_gap=np.abs(np.subtract(pitch, recorded)),
        f0_std_recorded=[describe(track.f0, track.energy, np.nan).f0_std_st for track in references.tracks],
    )
    return scores_of(table, codes, stack, references, floor, seed)


def gap(tables: Sequence[pd.DataFrame], name: str, others: Sequence[pd.DataFrame] = (), other: str = "") -> Interval:
    """A measure of S training seeds with its interval over seeds and speakers; `n` counts texts, as everywhere.

    others: minus `other` of these tables, which may be the same ones or another policy's, paired by text.
    """

    def values(of: Sequence[pd.DataFrame], measure: str) -> tuple[np.ndarray, np.ndarray | None]:
        top, bottom = MEASURES[measure]
        found, out_of = (np.array([table.get(column) for table in of], dtype=float) for column in (top, bottom))
        return found, out_of if bottom else None

    one, weights = values(tables, name)
    rest, rest_weights = values(others, other) if others else (0 * one, weights)
    texts, speakers = len(tables[0]), tables[0]["speaker"]
    if not np.isfinite(one + rest).any() or speakers.nunique() < 2:  # one speaker's voice says nothing of others
        return replace(UNKNOWN, n=texts, seeds=len(tables))
    return replace(paired_difference(one, rest, speakers, weights, rest_weights), n=texts)


def two_voices(stack: Stack, sounds: Sequence[torch.Tensor]) -> np.ndarray:
    """Likeness of the two halves of each recording: of one voice it is high. Half a second a half at least. (N,)"""
    halves = [half for sound in sounds for half in (sound[: len(sound) // 2], sound[len(sound) // 2 :])]
    timbres = stack.timbres(halves)
    return (timbres[::2] * timbres[1::2]).sum(1).numpy()


def cloning_row(tables: Sequence[pd.DataFrame]) -> dict:
    """A condition of Table 6: its measures, and how far SIM lies above the floor and below the ceiling."""
    intervals = {name: gap(tables, name) for name in CLONED}
    limits = {"above_floor": "floor", "to_ceiling": "ceiling"}
    intervals |= {name: gap(tables, "sim", tables, limit) for name, limit in limits.items()}
    seconds, people = float(tables[0]["reference_seconds"].mean()), tables[0]["speaker"].nunique()
    counted = {"reference": seconds, "speakers": people, "texts": len(tables[0]), "seeds": len(tables)}
    return columns_of(intervals) | counted
