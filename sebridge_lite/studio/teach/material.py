"""Studio speech as training material: features, true pitch, phones and tones, ready to be batched.

What the parts learn from is rendered when it is needed and never stored: rendering is faster than reading it back.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sebridge_lite.core.errors import given
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.recordings import Recording
from sebridge_lite.stack.features import energy_db, log_mel
from sebridge_lite.studio.grammar import LONGEST
from sebridge_lite.studio.lexicon import spoken_units, tone_language
from sebridge_lite.studio.studio import CHUNK, lines_of, record_all
from sebridge_lite.studio.teach.losses import ABSENT, Batch
from sebridge_lite.studio.texts import load_language, sentences
from sebridge_lite.studio.voices import Voice

PITCH_UNIT = math.log(2) / 4  # of log F0: 3 semitones


@dataclass(eq=False)
class Material:
    """N utterances. `mels` (T, 80) are half precision, `f0` (T,) Hz at 50 Hz, `sounds` int16 and only where kept."""

    utterances: list[Utterance] = field(default_factory=list)
    mels: list[Tensor] = field(default_factory=list)
    f0: list[Tensor] = field(default_factory=list)
    energy: list[Tensor] = field(default_factory=list)
    units: list[Tensor] = field(default_factory=list)
    sounds: list[Tensor] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.utterances)

    def __add__(self, other: "Material") -> "Material":
        return Material(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))

    @property
    def names(self) -> list[str]:
        return [utterance.id for utterance in self.utterances]

    @property
    def frames(self) -> list[int]:
        return [len(mel) for mel in self.mels]

    @cached_property
    def speakers(self) -> list[str]:
        return [utterance.speaker for utterance in self.utterances]


def render_material(
    name: str, lang: str, split: str, count: int, voices: list[Voice], seed: int, slips=0.0, pool=None, longest=LONGEST
) -> Iterable[Recording]:
    """`count` sentences of a split, of at most `longest` words, said by `voices` in turn."""
    short = (words for words in sentences(load_language(lang), split, seed) if len(words) <= longest)
    said = itertools.islice(short, count)
    return record_all(lines_of(name, lang, said, voices, seed, slips), seed, pool)


def at_50_hz(f0: np.ndarray | None) -> Tensor:
    """True pitch from every 10 ms to every 20 ms: the voiced one of two frames, 0 if neither is. (2 T,) -> (T,)"""
    f0 = given(f0, "true pitch", "only the studio's speech has it")
    return torch.from_numpy(f0[: len(f0) // 2 * 2].reshape(-1, 2).max(1).astype(np.float32))


def features(recordings: Iterable[Recording], keep_sounds: bool = False) -> Material:
    """The material of recordings: features, true pitch, phones and tones."""
    material = Material()
    stream = iter(recordings)
    while chunk := list(itertools.islice(stream, CHUNK)):
        sounds = [torch.from_numpy(recording.samples) for recording in chunk]
        padded = pad_sequence(sounds, batch_first=True).float() / 32768
        mels, energies = log_mel(padded), energy_db(padded)
        for recording, sound, mel, energy in zip(chunk, sounds, mels, energies, strict=True):
            truth, size = recording.utterance.truth or {}, len(sound) // 320
            lang = tone_language(recording.utterance.lang)
            units = spoken_units(truth["phones"], truth["syllables"], truth["tones"], lang)
            material.utterances.append(recording.utterance)
            material.mels.append(mel[:size].half())
            material.f0.append(at_50_hz(recording.f0)[:size])
            material.energy.append(energy[:size].clone())
            material.units.append(torch.tensor(units))
            if keep_sounds:
                material.sounds.append(sound)
    return material


def padded(rows: Sequence[Tensor]) -> Tensor:
    return pad_sequence(list(rows), batch_first=True)


def together(units: Sequence[Tensor] = (), timbre: Tensor = ABSENT, **rows: Sequence[Tensor]) -> Batch:
    """The rows of a batch, padded; `lengths` are those of the first kind."""
    lengths, *_ = ([len(row) for row in some] for some in rows.values())
    batch = {name: padded(some) for name, some in rows.items()}
    if units:
        batch |= {"units": padded(units), "unit_lengths": torch.tensor([len(row) for row in units])}
    return Batch(lengths=torch.tensor(lengths), timbre=timbre, **batch)


def speaker_medians(material: Material) -> dict[str, float]:
    """Median log F0 of each speaker."""
    heard: dict[str, list[Tensor]] = {}
    for speaker, f0 in zip(material.speakers, material.f0, strict=True):
        heard.setdefault(speaker, []).append(f0[f0 > 0].log())
    return {speaker: torch.cat(parts).median().item() for speaker, parts in heard.items()}


def crops(rows: Sequence[Tensor], size: int) -> tuple[list[Tensor], list[int]]:
    """A random stretch of at most `size` of each, and where it begins (global generator, seeded by the loop)."""
    starts = [int(torch.randint(max(1, len(row) - size + 1), ())) for row in rows]
    return [row[start : start + size] for row, start in zip(rows, starts, strict=True)], starts


def tokenizer_batch(m: Material, medians: dict[str, float], timbres: Tensor, places) -> Batch:
    """A batch for the tokenizer; pitch is relative to the speaker, energy to the utterance."""
    pitch = [(m.f0[i].clamp(min=1).log() - medians[m.speakers[i]]) / PITCH_UNIT for i in places]
    energy = [(m.energy[i] - m.energy[i].mean()) / 10 for i in places]
    mel, voiced = [m.mels[i].float() for i in places], [m.f0[i] > 0 for i in places]
    return together([m.units[i] for i in places], timbres[places], mel=mel, pitch=pitch, voiced=voiced, energy=energy)


def judge_batch(inputs: Sequence[Tensor], units: Sequence[Tensor], places) -> Batch:
    """A batch for a judge of mels or of tokens."""
    rows = [inputs[i] if inputs[i].ndim == 1 else inputs[i].float() for i in places]
    return together([units[i] for i in places], inputs=rows)


def speaker_batch(m: Material, ids: Sequence[int], size: int, places) -> Batch:
    """A batch of random crops for the speaker encoder."""
    mels, _ = crops([m.mels[i] for i in places], size)
    return replace(together(mel=[mel.float() for mel in mels]), speaker=torch.tensor([ids[i] for i in places]))


def flow_batch(m: Material, codes: Sequence[Tensor], timbres: Tensor, same: Sequence[Sequence[int]], places) -> Batch:
    """Each with the timbre of another recording of its speaker: `same[i]` are the speaker's utterances."""
    other = [same[i][int(torch.randint(len(same[i]), ()))] for i in places]
    rows = {"mel": [m.mels[i].float() for i in places], "codes": [codes[i] for i in places]}
    return together(**rows, f0=[m.f0[i] for i in places], timbre=timbres[other])


def vocoder_batch(m: Material, size: int, places) -> Batch:
    """Crops of `size` frames, with a mel of their own."""
    pitch, starts = crops([m.f0[i] for i in places], size)
    sounds = [m.sounds[i][320 * start : 320 * (start + size)] for i, start in zip(places, starts, strict=True)]
    audio = padded(sounds).float() / 32768
    return Batch(audio=audio, mel=log_mel(audio), f0=padded(pitch))
