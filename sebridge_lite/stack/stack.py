"""The seam: all that policies, measures and notebooks know of text, speech tokens, voices and judges.

Whoever provides the six parts named here lets the same policies be trained and scored on other speech. Sounds are (N,) float32
at the stack's sampling rate, codes (S,) long, voices (E,); lists of them in, lists out.

`read` is the judge that *selects*, `hear` the one that *scores*; whoever selects with one must score with the other. Left
out: the text-speech LM, which is what a study trains. The processes of one command share out what is spoken, read, heard and
tracked; each of them gets all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from sebridge_lite.core.errors import UserError, given
from sebridge_lite.core.processes import shared_out
from sebridge_lite.data.manifest import Utterance, load_audio
from sebridge_lite.stack.batches import unless_empty
from sebridge_lite.stack.features import energy_db, f0, log_mel
from sebridge_lite.stack.tracks import Tracks, measured

Syllable = tuple[str, str]  # its segments in IPA, and its tone


class Language(Protocol):
    @property
    def code(self) -> str:
        """As in a corpus's `lang`."""

    @property
    def name(self) -> str: ...

    def segment(self, text: str) -> tuple[str, ...]:
        """Words, without punctuation."""

    def syllables(self, words: Sequence[str]) -> list[Syllable]:
        """How the words are said; nothing where a word is unknown or the language has no known tones."""

    def normalise(self, text: str) -> str:
        """The text as all texts of the language are written here."""

    def in_script(self, text: str) -> bool:
        """Whether the text is written in the letters of this language."""


class TextTokenizer(Protocol):
    size: int  # how many ids there are

    def encode(self, text: str) -> torch.Tensor:
        """(X,) long."""


class SpeechTokenizer(Protocol):
    @property
    def codes(self) -> int:
        """How many speech tokens there are."""

    @property
    def rate(self) -> float:
        """Tokens a second."""

    def encode(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Codes of each sound."""


class Decoder(Protocol):
    sample_rate: int

    def speak(self, codes: Sequence[torch.Tensor], voices: torch.Tensor, seeds: Sequence[int]) -> list[torch.Tensor]:
        """Sounds; the noise of each follows from its own seed."""


class Judge(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def hears(self) -> str:
        """ "tokens" or "sound"."""

    def words(self, inputs: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """The words of each input."""


class SpeakerEncoder(Protocol):
    def embed(self, sounds: Sequence[torch.Tensor]) -> torch.Tensor:
        """Voices (N, E) of length 1; a UserError names a sound that is too short or silent."""


@dataclass(frozen=True, eq=False)
class Stack:
    """One part of each kind. What a part reads from disk it reads when it is first used, so a stage opens what it needs."""

    text: TextTokenizer
    tokenizer: SpeechTokenizer
    decoder: Decoder
    speaker: SpeakerEncoder
    select_judge: Judge
    score_judge: Judge
    languages: Mapping[str, Language]
    device: torch.device

    @property
    def codes(self) -> int:
        """How many different speech tokens there are."""
        return self.tokenizer.codes

    @property
    def rate(self) -> float:
        """Speech tokens a second."""
        return self.tokenizer.rate

    @property
    def sample_rate(self) -> int:
        return self.decoder.sample_rate

    def load(self, utterances: Sequence[Utterance], folder: Path) -> list[torch.Tensor]:
        """The recordings of utterances, at this stack's sampling rate."""
        return [torch.from_numpy(load_audio(utterance, folder, self.sample_rate)) for utterance in utterances]

    def tokens(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Speech tokens (S,) of each sound."""
        return self.tokenizer.encode(sounds)

    def timbres(self, sounds: Sequence[torch.Tensor]) -> torch.Tensor:
        """`e_timbre` of each recording, of length 1. (N, E)"""
        return self.speaker.embed(sounds)

    def speak(self, codes: Sequence[torch.Tensor], timbres: torch.Tensor, seeds: Sequence[int]) -> list[torch.Tensor]:
        """Sounds of codes in timbres (N, E), none where there are no codes; each row's noise follows from its own seed."""

        def some(places: list[int]) -> list[torch.Tensor]:
            return self.decoder.speak([codes[i] for i in places], timbres[places], [seeds[i] for i in places])

        return unless_empty(partial(shared_out, some), codes, torch.zeros(0))

    def read(self, codes: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """The words that the *selecting* judge reads in tokens."""
        if self.select_judge.hears != "tokens":
            raise UserError(
                f"judge {self.select_judge.name}: hears {self.select_judge.hears}; one that reads tokens selects"
            )
        code = self.language(lang).code
        return shared_out(lambda some: self.select_judge.words(some, code), codes)

    def hear(self, sounds: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """The words that the *scoring* judge hears in sounds; none where there is no sound."""
        judge, code = self.score_judge, self.language(lang).code

        def some(places: list[int]) -> list[list[str]]:
            heard = [sounds[i] for i in places]
            return judge.words(heard if judge.hears == "sound" else self.tokens(heard), code)

        return unless_empty(partial(shared_out, some), sounds, [])

    def tracks(self, sounds: Sequence[torch.Tensor]) -> list[Tracks | None]:
        """Mel, pitch and energy of each sound; None where there is no sound."""

        def some(heard: Sequence[torch.Tensor]) -> list[Tracks | None]:
            rows = measured((log_mel, f0, energy_db), heard, self.sample_rate, self.device)
            return [None if row is None else Tracks(*(track.numpy() for track in row)) for row in rows]

        return shared_out(some, sounds)

    def tracks_of_each(self, sounds: Sequence[torch.Tensor]) -> list[Tracks]:
        """The tracks of sounds none of which is empty."""
        return [
            given(track, f"sound {place}", "it holds no sound; take it away")
            for place, track in enumerate(self.tracks(sounds))
        ]

    def energies(self, sounds: Sequence[torch.Tensor]) -> list[np.ndarray]:
        """Energy alone, in dB, at the frames of `tracks`, in a tenth of their time. (T,) each"""
        rows = measured((energy_db,), sounds, self.sample_rate, self.device)
        return [np.zeros(0, dtype=np.float32) if row is None else row[0].numpy() for row in rows]

    def language(self, lang: str) -> Language:
        if lang not in self.languages:
            known = ", ".join(self.languages)
            raise UserError(f"language '{lang}': this stack hears {known or 'none'}; load it with '{lang}' too")
        return self.languages[lang]
