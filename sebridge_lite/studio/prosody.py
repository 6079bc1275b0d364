"""From words to a plan: which phone when, at which pitch and energy. The plan is the ground truth of an utterance.

People vary by moves that keep a tone recognisable: the level of a phrase, wider tones under stress, tempo, lengthening,
pauses, energy. Engines draw nothing. Left out: question intonation, discourse, anything that looks at meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sebridge_lite.studio.lexicon import Word
from sebridge_lite.studio.phones import PAUSE, PHONES, is_vowel
from sebridge_lite.studio.tones import CONTOURS, NOMINAL_RANGE, contour
from sebridge_lite.studio.voices import Style, Voice

FRAME_MS = 10
HOP = 160  # samples of 16 kHz in a frame
BLOCK = 4  # frames in a token of 40 ms: plans hold whole tokens
ENGINE_SYLLABLE_MS = 260.0
PAUSE_SPREAD = 0.3  # of the log duration
EDGE_CLOSURE = 2  # frames; a longer closure at either edge of an utterance would be silence
SMOOTHING = 5  # frames over which pitch targets blend: no jumps
F0_LIMITS = (50.0, 520.0)
SLIPS = ("tone", "reduced", "dropped")


@dataclass(frozen=True)
class Plan:
    """P phones, S syllables, T frames of 10 ms; T is a multiple of 4."""

    lang: str
    voice: str
    phones: tuple[str, ...]  # (P,) as spoken, pauses as "_"
    durations: tuple[int, ...]  # (P,) frames
    syllables: tuple[int, ...]  # (P,) index of the syllable, -1 for a pause
    tones: tuple[str, ...]  # (S,) as spoken
    slips: tuple[tuple[int, str], ...]  # (syllable, one of SLIPS)
    frames: np.ndarray  # (T,) index of the phone
    f0: np.ndarray  # (T,) Hz, 0 where unvoiced
    energy: np.ndarray  # (T,) dB


class _Draw:
    """Randomness that an engine has not got: without a generator every spread is 0 and no chance comes true."""

    def __init__(self, rng: np.random.Generator | None):
        self.rng = rng

    def normal(self, spread: float, n: int) -> np.ndarray:
        """Cut at two spreads, so that no draw is far out."""
        return np.zeros(n) if self.rng is None else spread * np.clip(self.rng.standard_normal(n), -2, 2)

    def chance(self, share: float, n: int) -> np.ndarray:
        return np.zeros(n, dtype=bool) if self.rng is None else self.rng.random(n) < share


def _spoken(words: Sequence[Word], lang: str, draw: _Draw, slip_rate: float) -> tuple[list, list, np.ndarray, list]:
    """Phones and tone of each syllable as spoken, the word of each, and the slips made."""
    syllables = [syllable for word in words for syllable in word.syllables]
    word_of = np.repeat(np.arange(len(words)), [len(word.syllables) for word in words])
    phones, tones, slips = [s.phones for s in syllables], [s.tone for s in syllables], []
    slipped = np.flatnonzero(draw.chance(slip_rate, len(syllables)))
    rng = draw.rng or np.random.default_rng(0)  # without a generator nothing slips
    for index in slipped:
        syllable, kind = syllables[index], SLIPS[rng.integers(len(SLIPS))]
        if kind == "dropped" and not syllable.coda:
            kind = "tone"
        if kind == "tone":
            tones[index] = str(rng.choice([tone for tone in CONTOURS[lang] if tone != syllable.tone]))
        elif kind == "reduced":
            phones[index] = tuple("ɤ" if phone == syllable.vowel else phone for phone in syllable.phones)
        else:
            phones[index] = syllable.phones[:-1]
        slips.append((int(index), kind))
    return phones, tones, word_of, slips


def _phrasing(word_of: np.ndarray, style: Style, draw: _Draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each syllable: whether a pause follows, which phrase it is of, whether its word is stressed."""
    words = int(word_of[-1]) + 1
    last_of_word = np.append(word_of[1:] != word_of[:-1], False)  # a pause after the last word would be silence
    breaks = draw.chance(style.pauses, words)[word_of] & last_of_word
    phrase = np.concatenate([[0], np.cumsum(breaks)[:-1]])
    return breaks, phrase, draw.chance(style.emphasis, words)[word_of]


def _in_order(by_syllable: list, breaks: np.ndarray) -> tuple[list, np.ndarray]:
    """The phones of the utterance with its pauses, and the syllable of each."""
    phones: list[str] = []
    syllable_of: list[int] = []
    for index, (spoken, pause) in enumerate(zip(by_syllable, breaks, strict=True)):
        phones += [*spoken, PAUSE] if pause else spoken
        syllable_of += [index] * len(spoken) + ([-1] if pause else [])
    return phones, np.array(syllable_of)


def _stretch(phrase: np.ndarray, stress: np.ndarray, style: Style, draw: _Draw) -> np.ndarray:
    """How much longer than nominal each syllable is, but for the speaker's rate."""
    ends_phrase = np.append(phrase[1:] != phrase[:-1], True)
    tempo = draw.normal(style.tempo, int(phrase[-1]) + 1)[phrase] + draw.normal(style.rhythm, len(phrase))
    return np.exp(tempo) * np.where(ends_phrase, style.lengthening, 1.0) * np.where(stress, style.stress**0.5, 1.0)


def _durations(phones: list, syllable_of: np.ndarray, scale: np.ndarray, style: Style, draw: _Draw) -> np.ndarray:
    """Frames of each phone; `scale` stretches each syllable."""
    ms = np.array([PHONES[p].ms for p in phones])
    spoken = syllable_of >= 0
    if style.metronome:
        scale = scale * ENGINE_SYLLABLE_MS / np.bincount(syllable_of[spoken], ms[spoken])
    ms[spoken] *= scale[syllable_of[spoken]]
    ms[~spoken] *= np.exp(draw.normal(PAUSE_SPREAD, int((~spoken).sum())))
    durations = np.maximum(np.rint(ms / FRAME_MS).astype(int), 3)
    closed = round(PHONES[phones[0]].closure * durations[0])
    durations[0] -= max(closed - EDGE_CLOSURE, 0)
    if PHONES[phones[-1]].closure:
        durations[-1] = EDGE_CLOSURE
    durations[-1] += -durations.sum() % BLOCK
    return durations


def _smooth(track: np.ndarray, width: int) -> np.ndarray:
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(track, width // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _rimes(phones: list, syllable_of: np.ndarray, ends: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames at which the vowel of each syllable starts and its voiced rime ends."""
    starts, stops = np.zeros(n), np.zeros(n)
    for index in np.flatnonzero([is_vowel(phone) for phone in phones]):
        syllable, voiced = syllable_of[index], index
        starts[syllable] = ends[index - 1] if index else 0
        if index + 1 < len(phones) and syllable_of[index + 1] == syllable and PHONES[phones[index + 1]].sonorant:
            voiced = index + 1
        stops[syllable] = ends[voiced]
    return starts, stops


def _pitch(tones: list, lang: str, rimes: tuple, span: np.ndarray, level: np.ndarray, hold: bool, n: int) -> np.ndarray:
    """Semitones around the speaker's mid level, frame by frame. `span` widens, `level` shifts the tone of a syllable."""
    # From the very start of the rime: leaving its first fifth to the move from the tone before blurred the tones.
    shares = np.array([0.0, 0.2, 0.42, 0.58, 0.8, 1.0]) if hold else np.linspace(0, 1, 6)
    heard = np.array([0.25, 0.25, 0.25, 0.75, 0.75, 0.75]) if hold else shares  # the first and the second half, level
    targets = np.stack([contour(lang, tone, heard) for tone in tones])
    targets = targets * span[:, None] + level[:, None]
    starts, stops = rimes
    times = starts[:, None] + shares * (stops - starts - 1)[:, None]
    return _smooth(np.interp(np.arange(n), times.ravel(), targets.ravel()), SMOOTHING)


def plan(
    words: Sequence[Word], lang: str, voice: Voice, rng: np.random.Generator | None, style=None, slip_rate=0.01
) -> Plan:
    """How `voice` says `words`. Engines ignore `rng`; a person without one speaks at their average."""
    style = style or voice.style
    draw = _Draw(rng if voice.kind == "people" else None)
    by_syllable, tones, word_of, slips = _spoken(words, lang, draw, slip_rate)
    breaks, phrase, stress = _phrasing(word_of, style, draw)
    phones, syllable_of = _in_order(by_syllable, breaks)
    scale = _stretch(phrase, stress, style, draw) / (voice.rate * style.rate)
    durations = _durations(phones, syllable_of, scale, style, draw)

    frames = np.repeat(np.arange(len(phones), dtype=np.int16), durations)
    rimes = _rimes(phones, syllable_of, np.cumsum(durations), len(tones))
    span = voice.range_st / NOMINAL_RANGE * style.range * np.where(stress, style.stress, 1.0)
    falling = style.declination * (0.5 - np.linspace(0, 1, len(phrase)))
    level = draw.normal(style.register, int(phrase[-1]) + 1)[phrase] + falling - style.final * (word_of == word_of[-1])
    pitch = _pitch(tones, lang, rimes, span, level, style.hold, len(frames))
    voiced = np.array([PHONES[phone].voicing > 0 for phone in phones])[frames]
    f0 = np.where(voiced, np.clip(voice.f0 * 2 ** (pitch / 12), *F0_LIMITS), 0).astype(np.float32)
    loudness = draw.normal(style.energy, int(phrase[-1]) + 1)[phrase]
    loudness = loudness + draw.normal(style.energy / 2, len(phrase)) + 1.5 * style.energy * stress
    energy = np.interp(np.arange(len(frames)), sum(rimes) / 2, loudness).astype(np.float32)
    said: list[Any] = [tuple(part) for part in (phones, durations.tolist(), syllable_of.tolist(), tones, slips)]
    return Plan(*[lang, voice.id, *said, frames, f0, energy])
