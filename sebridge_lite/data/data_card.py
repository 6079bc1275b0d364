"""The data card: what a folder of recordings holds, measured from the decoded samples.

Left out: speech detection. "Silence" is what lies 40 dB under the loudest moment of its own utterance.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance, show

CLIP_LEVEL = 0.999
CLIP_LIMIT = 0.001  # a loud but whole recording touches full scale in far fewer than one sample in a thousand
SILENCE_DB = -40.0
SILENCE_WARNING = 0.4


class Sound(NamedTuple):
    """What one utterance's samples say."""

    seconds: float
    rate: int
    format: str
    silence: float  # share of the time
    clipped: float  # share of the samples
    digest: bytes


def measure(samples: np.ndarray, rate: int, format: str) -> Sound:
    """The measures of samples (N, channels) float32, at least 20 ms of them."""
    step = rate // 50
    framed = samples.mean(axis=1)[: len(samples) // step * step].reshape(-1, step)
    power = np.square(framed, dtype=np.float64).mean(axis=1)
    silence = float(np.mean(power <= power.max() * 10 ** (SILENCE_DB / 10)))
    clipped = float(np.mean(np.abs(samples) >= CLIP_LEVEL))
    digest = hashlib.sha256(np.ascontiguousarray(samples).data).digest()
    return Sound(len(samples) / rate, rate, format, silence, clipped, digest)


def make_card(utterances: Sequence[Utterance], sounds: Sequence[Sound], rows: int, bad_rows: int) -> dict:
    """Counts over the good rows; `rows` and `bad_rows` count them all."""
    seconds = sum(sound.seconds for sound in sounds)
    by_length = sorted(((u.id, round(u.seconds, 3)) for u in utterances), key=lambda pair: pair[1])
    return {
        "rows": rows,
        "bad_rows": bad_rows,
        "utterances": len(utterances),
        "hours": seconds / 3600,
        "speakers": len({u.speaker for u in utterances}),
        "rates": dict(sorted(Counter(sound.rate for sound in sounds).items())),
        "formats": dict(sorted(Counter(sound.format for sound in sounds).items())),
        "characters": len({c for u in utterances for c in u.text if not c.isspace()}),
        "foreign": dict(Counter(c for u in utterances for c in language(u.lang).foreign(u.text)).most_common()),
        "shortest": by_length[0] if by_length else None,
        "longest": by_length[-1] if by_length else None,
        "duplicate_texts": len(utterances) - len({u.text for u in utterances}),
        "duplicate_audio": len(sounds) - len({sound.digest for sound in sounds}),
        "silence": sum(sound.silence * sound.seconds for sound in sounds) / seconds if seconds else 0.0,
        "clipped_utterances": sum(sound.clipped > CLIP_LIMIT for sound in sounds),
    }


def _counts(counts: dict, unit: str = "") -> str:
    shown = [f"{key}{unit} ({count})" for key, count in list(counts.items())[:8]]
    return ", ".join(shown + ["..."] * (len(counts) > 8)) or "none"


def format_card(card: dict) -> str:
    """The card and its warnings, a line each."""
    short, long = (
        (f"{pair[1]:.2f} s ({show(pair[0])})" if pair else "none") for pair in (card["shortest"], card["longest"])
    )
    lines = {
        "rows": f"{card['rows']}, of which {card['bad_rows']} bad",
        "utterances": f"{card['utterances']}, {card['hours']:.3f} hours",
        "speakers": card["speakers"],
        "sampling rates": _counts(card["rates"], " Hz"),
        "formats": _counts(card["formats"]),
        "length": f"{short} to {long}",
        "characters": f"{card['characters']} distinct; of another script: {_counts(card['foreign'])}",
        "duplicates": f"{card['duplicate_texts']} texts, {card['duplicate_audio']} recordings",
        "silence": f"{card['silence']:.1%} of the time",
    }
    clipped, letters, twice = card["clipped_utterances"], sum(card["foreign"].values()), card["duplicate_audio"]
    warnings = {
        f"{clipped} utterances clip (over {CLIP_LIMIT:.1%} of the samples at full scale)": clipped,
        f"{letters} letters are of another script: spell such words out": letters,
        f"{twice} utterances repeat the audio of another: test sets may leak": twice,
        f"{card['silence']:.0%} of the time is silence: trim it": card["silence"] > SILENCE_WARNING,
    }
    shown = [f"{name:15}{value}" for name, value in lines.items()]
    return "\n".join([*shown, *(f"warning: {what}" for what, is_so in warnings.items() if is_so)])
