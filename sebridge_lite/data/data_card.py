"""The data card: what a folder of recordings holds, measured from the decoded samples.

Left out: speech detection. "Silence" is what lies 40 dB under the loudest moment of its own utterance.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from sebridge_lite.core.errors import show
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance

CLIP_LEVEL = 0.999
CLIP_LIMIT = 0.001  # a loud but whole recording touches full scale in far fewer than one sample in a thousand
SILENCE_DB = -40.0
SILENCE_WARNING = 0.4
FULL_RATE = 16_000  # Hz; below it the sounds of s, f and sh are lost
SHOWN = 3  # examples of each kind of change
CHANGES: dict[str, Callable[[str, str], bool]] = {  # by what a text was and what it is now
    "capitals, now small": lambda raw, text: text != raw and raw.lower() != raw and text.lower() == text,
    "spaces, letters composed": lambda raw, text: raw.lower() != text.lower(),
    "punctuation, not in words": lambda raw, text: any(unicodedata.category(c)[0] in "PS" for c in text),
    "digits, kept": lambda raw, text: any(c.isdecimal() for c in text),
}


class Sound(NamedTuple):
    """What one utterance's samples say."""

    seconds: float
    rate: int
    format: str
    channels: int
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
    return Sound(len(samples) / rate, rate, format, samples.shape[1], silence, clipped, digest)


def changes(raw: Sequence[str], utterances: Sequence[Utterance]) -> dict[str, list]:
    """How many transcripts normalising has changed, or left as they are, in which way; and a few of them."""
    pairs, found = list(zip(raw, (u.text for u in utterances), strict=True)), {}
    for what, is_so in CHANGES.items():
        if some := [pair for pair in pairs if is_so(*pair)]:
            found[what] = [len(some), [list(pair) for pair in some[:SHOWN]]]
    return found


def make_card(
    utterances: Sequence[Utterance], raw: Sequence[str], sounds: Sequence[Sound], rows: int, bad_rows: int
) -> dict:
    """Counts over the good rows, `raw` being their texts as written; `rows` and `bad_rows` count them all."""
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
        "stereo": sum(sound.channels > 1 for sound in sounds),
        "narrow": sum(sound.rate < FULL_RATE for sound in sounds),
        "changes": changes(raw, utterances),
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
        "layout": card["layout"],
        "rows": f"{card['rows']}, of which {card['bad_rows']} bad",
        "utterances": f"{card['utterances']}, {card['hours']:.3f} hours",
        "speakers": card["speakers"],
        "sampling rates": _counts(card["rates"], " Hz") + f"; all become {FULL_RATE} Hz" * (len(card["rates"]) > 1),
        "formats": _counts(card["formats"])
        + (f"; {card['stereo']} of several channels, mixed down" * bool(card["stereo"])),
        "length": f"{short} to {long}",
        "characters": f"{card['characters']} distinct; of another script: {_counts(card['foreign'])}",
        "duplicates": f"{card['duplicate_texts']} texts, {card['duplicate_audio']} recordings",
        "silence": f"{card['silence']:.1%} of the time",
    }
    for what, (count, pairs) in card["changes"].items():
        said = [
            show(text[:40]) if raw.lower() == text else f"{show(raw[:40])} -> {show(text[:40])}" for raw, text in pairs
        ]
        lines[what] = f"{count}, such as {', '.join(said)}"
    clipped, letters, twice = card["clipped_utterances"], sum(card["foreign"].values()), card["duplicate_audio"]
    narrow = card["narrow"]
    warnings = {
        f"{narrow} recordings have under {FULL_RATE} Hz: their s and f are lost; record or fetch wider ones": narrow,
        f"{clipped} utterances clip (over {CLIP_LIMIT:.1%} of the samples at full scale)": clipped,
        f"{letters} letters are of another script: spell such words out": letters,
        f"{twice} utterances repeat the audio of another: test sets may leak": twice,
        f"{card['silence']:.0%} of the time is silence: trim it": card["silence"] > SILENCE_WARNING,
    }
    shown = [f"{name:26}{value}" for name, value in lines.items()]
    return "\n".join([*shown, *(f"warning: {what}" for what, is_so in warnings.items() if is_so)])
