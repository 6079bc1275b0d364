"""Speech scored against a recording of the same words: one row an utterance, sums before rates.

Only the scoring judge listens here. Everything is worked out in batches but the alignment in time, which takes two
utterances (a few milliseconds each). Left out: keeping decoded sound on disk, since 300 texts are decoded in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.measure.metrics import character_errors, repetition_rate, similarity, tone_errors, word_errors
from sebridge_lite.measure.prosody import SPEECH_DB, Match, Prosody, describe, f0_match, time_alignment
from sebridge_lite.stack.stack import Language, Stack, Syllable
from sebridge_lite.stack.tracks import Tracks

K = 4  # Eq. 25: five equal tokens are a repetition


@dataclass(frozen=True, eq=False)
class References:
    """The recordings of a test set and what is known about them; lists of equal length."""

    utterances: Sequence[Utterance]
    sounds: list[torch.Tensor]
    tracks: list[Tracks]
    timbres: torch.Tensor  # (U, E)
    syllables: list[list[Syllable]]  # empty where nobody knows how a word sounds
    tokens: np.ndarray  # how long each is, in speech tokens (U,)
    language: Language
    lang: str


def load_references(stack: Stack, utterances: Sequence[Utterance], folder: Path, lang: str) -> References:
    if not utterances:
        raise UserError("test set: no utterances; give at least one")
    for utterance in utterances:
        if not utterance.words:
            raise UserError(f"utterance {utterance.id}: its text is not segmented; errors are counted in words")
    language, sounds = stack.language(lang), stack.load(utterances, folder)
    syllables = [language.syllables(utterance.words) for utterance in utterances]
    tokens = np.array([len(codes) for codes in stack.tokens(sounds)])
    return References(
        utterances, sounds, stack.tracks_of_each(sounds), stack.timbres(sounds), syllables, tokens, language, lang
    )


def silence_codes(stack: Stack, sounds: Sequence[torch.Tensor]) -> list[int]:
    """Codes that the tokenizer gives to pauses: most of their uses in recordings are silent throughout."""
    used, silent = np.zeros((2, stack.codes))
    for codes, energy in zip(stack.tokens(sounds), stack.energies(sounds), strict=True):
        frames = (np.arange(len(energy)) * stack.rate / Tracks.rate).astype(int)  # the token that each frame lies in
        loudest = np.full(len(codes), -np.inf)
        np.maximum.at(loudest, frames.clip(max=len(codes) - 1), energy)
        used += np.bincount(codes, minlength=len(used))
        silent += np.bincount(codes, loudest <= np.percentile(energy, 95) - SPEECH_DB, minlength=len(used))
    return np.flatnonzero(2 * silent > used).tolist()


def melody(reference: Tracks, other: Tracks | None, syllables: int) -> dict:
    """Prosody of one utterance, by itself and against the recording; NaN where there is no sound."""
    prosody, match = Prosody(*[np.nan] * 6), Match(*[np.nan] * 3)
    if other is not None:
        prosody = describe(other.f0, other.energy, syllables or np.nan)
        match = f0_match(reference.f0, other.f0, time_alignment(reference.mel, other.mel))
    return prosody._asdict() | {f"f0_{name}": value for name, value in match._asdict().items()}


def speaker_similarity(
    stack: Stack, sounds: Sequence[torch.Tensor], tracks: Sequence[Tracks | None], timbres: torch.Tensor
) -> np.ndarray:
    """Cosine to the timbre that was asked for, NaN where there is too little sound to tell. (R,)"""
    out = np.full(len(tracks), np.nan)
    enough = [i for i, track in enumerate(tracks) if track is not None and track.tells_a_voice]
    if enough:
        found = stack.timbres([sounds[i] for i in enough])
        out[enough] = similarity(found.numpy(), timbres[enough].numpy())
    return out


def errors(references: References, rows: Sequence[int], heard: Sequence[list[str]]) -> dict[str, np.ndarray]:
    said = [references.utterances[row].words for row in rows]
    syllables = [references.syllables[row] for row in rows]
    words = word_errors(said, heard)
    characters = character_errors(*(["".join(words) for words in side] for side in (said, heard)))
    counts = dict(zip(("words_wrong", "words", "characters_wrong", "characters"), (*words, *characters), strict=True))
    if any(syllables):  # else the language has no tones that anybody knows
        tones = tone_errors(syllables, [references.language.syllables(words) for words in heard])
        counts |= dict(zip(("tones_wrong", "tones"), tones, strict=True))
    return counts


def score(
    stack: Stack,
    references: References,
    rows: Sequence[int],
    codes: Sequence[torch.Tensor],
    sounds: Sequence[torch.Tensor],
    timbres: torch.Tensor,
    silence: Sequence[int],
    tracks: Sequence[Tracks | None] | None = None,
) -> pd.DataFrame:
    """A table of R utterances: `rows` (R,) says which reference each is to be held to, `timbres` (R, E) whose voice it has.

    tracks: of the sounds, where they are known already.
    """
    tracks = stack.tracks(sounds) if tracks is None else tracks
    heard = stack.hear(sounds, references.lang)
    tokens = np.array([len(row) for row in codes])
    columns = {
        "id": [references.utterances[row].id for row in rows],
        "seconds": [len(sound) / stack.sample_rate for sound in sounds],
        "tokens": tokens,
        "length_ratio": tokens / references.tokens[rows],
        **errors(references, rows, heard),
        **dict(zip(("repeats", "windows"), repetition_rate(codes, K), strict=True)),
        **dict(zip(("speech_repeats", "speech_windows"), repetition_rate(codes, K, silence), strict=True)),
        "sim": speaker_similarity(stack, sounds, tracks, timbres),
        "heard": [" ".join(words) for words in heard],
    }
    against = zip(rows, tracks, strict=True)
    melodies = [melody(references.tracks[row], track, len(references.syllables[row])) for row, track in against]
    return pd.concat([pd.DataFrame(columns), pd.DataFrame(melodies)], axis=1)
