"""Speech scored against a recording of the same words: one row an utterance, sums before rates.

Only the scoring judge listens here. Everything is worked out in batches but the alignment in time, which takes two
utterances (a few milliseconds each). Left out: keeping decoded sound on disk, since 300 texts are decoded in seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import Utterance, load_audio
from sebridge_lite.measure.metrics import (
    Syllable,
    character_errors,
    length_ratio,
    repetition_rate,
    similarity,
    tone_errors,
    word_errors,
)
from sebridge_lite.measure.prosody import SPEECH_DB, Match, Prosody, describe, f0_match, time_alignment
from sebridge_lite.stack.features import HOP, SAMPLE_RATE, energy_db, f0, log_mel
from sebridge_lite.stack.speaker import SHORTEST, SILENT
from sebridge_lite.stack.stack import Stack, in_batches
from sebridge_lite.studio.lexicon import Word
from sebridge_lite.studio.texts import load_language

TRACKED = 2_000  # frames at once: pitch takes 20 kB a frame
K = 4  # Eq. 25: five equal tokens are a repetition
UNKNOWN = {
    **{field.name: np.nan for field in fields(Prosody)},
    **{f"f0_{field.name}": np.nan for field in fields(Match)},
}


class Tracks(NamedTuple):
    mel: np.ndarray  # (T, 80)
    f0: np.ndarray  # (T,) Hz
    energy: np.ndarray  # (T,) dB


@dataclass(frozen=True, eq=False)
class References:
    """The recordings of a test set and what is known about them; lists of equal length."""

    utterances: Sequence[Utterance]
    sounds: list[torch.Tensor]
    tracks: list[Tracks]
    timbres: torch.Tensor  # (U, E)
    syllables: list[list[Syllable]]  # empty where a word is not in the lexicon
    lexicon: Mapping[str, Word]
    lang: str

    @property
    def tokens(self) -> np.ndarray:
        """How long each is, in tokens. (U,)"""
        return np.array([(len(tracks.f0) + 1) // 2 for tracks in self.tracks])


def load_sounds(utterances: Sequence[Utterance], folder: Path) -> list[torch.Tensor]:
    return [torch.from_numpy(load_audio(utterance, folder)) for utterance in utterances]


def load_references(stack: Stack, utterances: Sequence[Utterance], folder: Path, lang: str) -> References:
    if not utterances:
        raise UserError("test set: no utterances; give at least one")
    if lang not in stack.graphs:
        raise UserError(f"language '{lang}': this stack hears {', '.join(stack.graphs)}; load it with '{lang}' too")
    for utterance in utterances:
        if not utterance.words:
            raise UserError(f"utterance {utterance.id}: its text is not segmented; errors are counted in words")
    lexicon, sounds = load_language(lang).lexicon, load_sounds(utterances, folder)
    syllables = [spoken_syllables(utterance.words, lexicon) for utterance in utterances]
    tracks = tracks_of(sounds, stack.device)
    return References(utterances, sounds, tracks, stack.timbres_in(mels_of(tracks)), syllables, lexicon, lang)


def spoken_syllables(words: Sequence[str], lexicon: Mapping[str, Word]) -> list[Syllable]:
    """Segments and tone of each syllable; none when a word is unknown."""
    if not all(word in lexicon for word in words):
        return []
    return [(syllable.ipa, syllable.tone) for word in words for syllable in lexicon[word].syllables]


def tracks_of(sounds: Sequence[torch.Tensor], device: torch.device) -> list[Tracks]:
    def one(batch, lengths, _):
        batch = batch.to(device)
        made = [track.cpu().numpy() for track in (log_mel(batch), f0(batch), energy_db(batch))]
        return [Tracks(*(track[row, : size // HOP] for track in made)) for row, size in enumerate(lengths.tolist())]

    return in_batches(one, sounds, TRACKED * HOP)


def tracks_unless_empty(sounds: Sequence[torch.Tensor], device: torch.device) -> list[Tracks | None]:
    return unless_empty(lambda some: tracks_of([sounds[i] for i in some], device), sounds, None)


def mels_of(tracks: Sequence[Tracks]) -> list[torch.Tensor]:
    return [torch.from_numpy(track.mel) for track in tracks]


def silence_codes(stack: Stack, sounds: Sequence[torch.Tensor]) -> list[int]:
    """Codes that the tokenizer gives to pauses: most of their uses in recordings are silent throughout."""

    def one(batch, lengths, _):
        energy = energy_db(batch.to(stack.device)).cpu().numpy()
        return [row[: size // HOP] for row, size in zip(energy, lengths.tolist(), strict=True)]

    used, silent = np.zeros((2, stack.codes))
    for codes, energy in zip(stack.tokens(sounds), in_batches(one, sounds, TRACKED * HOP), strict=True):
        loudest = np.pad(energy, (0, len(energy) % 2), mode="edge").reshape(-1, 2).max(1)
        used += np.bincount(codes, minlength=len(used))
        silent += np.bincount(codes, loudest <= np.percentile(energy, 95) - SPEECH_DB, minlength=len(used))
    return np.flatnonzero(2 * silent > used).tolist()


def unless_empty(function: Callable[[list[int]], Sequence], rows: Sequence, empty) -> list:
    """`function(places)` for the rows that hold anything, `empty` for the others."""
    places, results = [place for place, row in enumerate(rows) if len(row)], [empty] * len(rows)
    for place, result in zip(places, function(places) if places else (), strict=True):
        results[place] = result
    return results


def melody(reference: Tracks, other: Tracks | None, syllables: int) -> dict:
    """Prosody of one utterance, by itself and against the recording; NaN where there is no sound."""
    if other is None:
        return UNKNOWN
    match = f0_match(reference.f0, other.f0, time_alignment(reference.mel, other.mel))
    prosody = asdict(describe(other.f0, other.energy, syllables or np.nan))
    return prosody | {f"f0_{name}": value for name, value in asdict(match).items()}


def speaker_similarity(stack: Stack, tracks: Sequence[Tracks | None], timbres: torch.Tensor) -> np.ndarray:
    """Cosine to the timbre that was asked for, NaN where there is too little sound to tell. (R,)"""
    out = np.full(len(tracks), np.nan)
    enough = [i for i, t in enumerate(tracks) if t is not None and len(t.mel) >= SHORTEST and t.mel.max() >= SILENT]
    if enough:
        found = stack.timbres_in(mels_of([tracks[i] for i in enough]))
        out[enough] = similarity(found.numpy(), timbres[enough].numpy())
    return out


def errors(references: References, rows: Sequence[int], heard: Sequence[list[str]]) -> dict[str, np.ndarray]:
    said = [references.utterances[row].words for row in rows]
    syllables = [references.syllables[row] for row in rows]
    words = word_errors(said, heard)
    characters = character_errors(*(["".join(words) for words in side] for side in (said, heard)))
    tones = tone_errors(syllables, [spoken_syllables(words, references.lexicon) for words in heard])
    names = ("words_wrong", "words", "characters_wrong", "characters", "tones_wrong", "tones")
    return dict(zip(names, (*words, *characters, *tones), strict=True))


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
    tracks = tracks_unless_empty(sounds, stack.device) if tracks is None else tracks
    heard = unless_empty(lambda some: stack.hear_in(mels_of([tracks[i] for i in some]), references.lang), sounds, [])
    tokens = np.array([len(row) for row in codes])
    repeats, windows = repetition_rate(codes, K)
    speech_repeats, speech_windows = repetition_rate(codes, K, silence)
    columns = {
        "id": [references.utterances[row].id for row in rows],
        "seconds": [len(sound) / SAMPLE_RATE for sound in sounds],
        "tokens": tokens,
        "length_ratio": length_ratio(tokens, references.tokens[rows]),
        **errors(references, rows, heard),
        "repeats": repeats,
        "windows": windows,
        "speech_repeats": speech_repeats,
        "speech_windows": speech_windows,
        "sim": speaker_similarity(stack, tracks, timbres),
        "heard": [" ".join(words) for words in heard],
    }
    against = zip(rows, tracks, strict=True)
    melodies = [melody(references.tracks[row], track, len(references.syllables[row])) for row, track in against]
    return pd.concat([pd.DataFrame(columns), pd.DataFrame(melodies)], axis=1)
