"""The data card: what a folder of recordings holds, measured from the decoded samples.

Left out: speech detection. "Silence" is what lies 40 dB under the loudest moment of its own utterance.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance, show

CLIP_LEVEL = 0.999
CLIP_LIMIT = 0.001  # a loud but whole recording touches full scale in far fewer than one sample in a thousand
SILENCE_DB = -40.0
SILENCE_WARNING = 0.4


@dataclass(frozen=True)
class Sound:
    """What one utterance's samples say."""

    seconds: float
    rate: int
    format: str
    silence: float  # share of the time
    clipped: float  # share of the samples
    digest: bytes


@dataclass(frozen=True)
class Card:
    """Counts over the good rows; `rows` and `bad_rows` count them all."""

    rows: int
    bad_rows: int
    utterances: int
    hours: float
    speakers: int
    rates: dict[int, int]
    formats: dict[str, int]
    characters: int
    foreign: dict[str, int]  # letters that the language's script has not got
    shortest: tuple[str, float] | None
    longest: tuple[str, float] | None
    duplicate_texts: int
    duplicate_audio: int
    silence: float
    clipped_utterances: int


def measure(samples: np.ndarray, rate: int, format: str) -> Sound:
    """samples: (N, channels) float32, at least 20 ms of them."""
    mono = samples.mean(axis=1)
    step = rate // 50
    framed = mono[: len(mono) // step * step].reshape(-1, step)
    power = np.square(framed, dtype=np.float64).mean(axis=1)
    silence = float(np.mean(power <= power.max() * 10 ** (SILENCE_DB / 10)))
    clipped = float(np.mean(np.abs(samples) >= CLIP_LEVEL))
    digest = hashlib.sha256(np.ascontiguousarray(samples).data).digest()
    return Sound(len(samples) / rate, rate, format, silence, clipped, digest)


def make_card(utterances: list[Utterance], sounds: list[Sound], rows: int, bad_rows: int) -> Card:
    seconds = [sound.seconds for sound in sounds]
    letters = Counter(c for u in utterances for c in language(u.lang).foreign(u.text))
    by_length = sorted(((u.id, round(u.seconds, 3)) for u in utterances), key=lambda pair: pair[1])
    return Card(
        rows=rows,
        bad_rows=bad_rows,
        utterances=len(utterances),
        hours=sum(seconds) / 3600,
        speakers=len({u.speaker for u in utterances}),
        rates=dict(sorted(Counter(sound.rate for sound in sounds).items())),
        formats=dict(sorted(Counter(sound.format for sound in sounds).items())),
        characters=len({c for u in utterances for c in u.text if not c.isspace()}),
        foreign=dict(letters.most_common()),
        shortest=by_length[0] if by_length else None,
        longest=by_length[-1] if by_length else None,
        duplicate_texts=len(utterances) - len({u.text for u in utterances}),
        duplicate_audio=len(sounds) - len({sound.digest for sound in sounds}),
        silence=sum(sound.silence * sound.seconds for sound in sounds) / sum(seconds) if seconds else 0.0,
        clipped_utterances=sum(sound.clipped > CLIP_LIMIT for sound in sounds),
    )


def warnings(card: Card) -> list[str]:
    """What is no reason to refuse a row, yet a reason to look."""
    found = []
    if card.clipped_utterances:
        found.append(f"{card.clipped_utterances} utterances clip (over {CLIP_LIMIT:.1%} of the samples at full scale)")
    if card.foreign:
        found.append(f"{sum(card.foreign.values())} letters are of another script: spell such words out")
    if card.duplicate_audio:
        found.append(f"{card.duplicate_audio} utterances repeat the audio of another: test sets may leak")
    if card.silence > SILENCE_WARNING:
        found.append(f"{card.silence:.0%} of the time is silence: trim it")
    return found


def _counts(counts: dict, unit: str = "") -> str:
    shown = [f"{key}{unit} ({count})" for key, count in list(counts.items())[:8]]
    return ", ".join(shown + ["..."] * (len(counts) > 8)) or "none"


def format_card(card: Card) -> str:
    def length(pair: tuple[str, float] | None) -> str:
        return f"{pair[1]:.2f} s ({show(pair[0])})" if pair else "none"

    lines = {
        "rows": f"{card.rows}, of which {card.bad_rows} bad",
        "utterances": f"{card.utterances}, {card.hours:.3f} hours",
        "speakers": card.speakers,
        "sampling rates": _counts(card.rates, " Hz"),
        "formats": _counts(card.formats),
        "shortest": length(card.shortest),
        "longest": length(card.longest),
        "characters": f"{card.characters} distinct; of another script: {_counts(card.foreign)}",
        "duplicates": f"{card.duplicate_texts} texts, {card.duplicate_audio} recordings",
        "silence": f"{card.silence:.1%} of the time",
        "clipping": f"{card.clipped_utterances} utterances",
    }
    return "\n".join(
        [*(f"{name:15}{value}" for name, value in lines.items()), *map("warning: {}".format, warnings(card))]
    )
