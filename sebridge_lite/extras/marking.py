"""What the mark of generated speech outlives and costs, and how well a detector tells such speech without it.

Each attack is applied to a short piece of a sentence, since a whole one is easier; sounds are (N,) floats at 16 kHz.
False alarms are counted on pieces of people and of clones without the mark. Left out: whoever knows the key and wants
the mark gone, rooms and microphones, and whether the mark is heard.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile
import torch
from scipy.signal import resample_poly

from sebridge_lite.core.seeds import rng_of
from sebridge_lite.data.manifest import resample
from sebridge_lite.extras import detector, watermark
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.measure.scoring import References
from sebridge_lite.measure.stats import LEVELS, Interval, mean_interval, paired_difference, share_interval
from sebridge_lite.measure.systems import UNKNOWN, cells
from sebridge_lite.stack.features import SAMPLE_RATE
from sebridge_lite.stack.speaker import eer
from sebridge_lite.stack.stack import Stack

Attack = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, int]]  # samples -> samples, rate
REPLICATES = 1000


class Pair(NamedTuple):
    """A clone and its reader's recording of the same words."""

    cloned: np.ndarray
    recorded: np.ndarray
    speaker: str
    words: tuple[str, ...]
    lang: str


def paired(references: References, clones: Sequence[torch.Tensor]) -> list[Pair]:
    """The clones of a language's test texts beside their recordings; texts of which nothing was said are left out."""
    return [
        Pair(clone.numpy(), recorded.numpy(), text.speaker, text.words, references.lang)
        for clone, recorded, text in zip(clones, references.sounds, references.utterances, strict=True)
        if len(clone)
    ]


def untouched(samples: np.ndarray, _rng=None) -> tuple[np.ndarray, int]:
    return samples, SAMPLE_RATE


def coded(
    samples: np.ndarray, _rng=None, *, form: str, subtype: str, compression: float | None = None
) -> tuple[np.ndarray, int]:
    """Through a codec in memory; compression from 0 to 1, by default the codec's usual one."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format=form, subtype=subtype, compression_level=compression)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


def at_rate(samples: np.ndarray, _rng=None, *, rate: int) -> tuple[np.ndarray, int]:
    divisor = np.gcd(rate, SAMPLE_RATE)
    return resample_poly(samples, rate // divisor, SAMPLE_RATE // divisor), rate


def scaled(samples: np.ndarray, _rng=None, *, by: float) -> tuple[np.ndarray, int]:
    return samples * by, SAMPLE_RATE


def noisy(samples: np.ndarray, rng: np.random.Generator, *, snr: float) -> tuple[np.ndarray, int]:
    """White noise, `snr` dB below the sound."""
    return samples + 10 ** (-snr / 20) * np.sqrt(np.mean(samples**2)) * rng.standard_normal(len(samples)), SAMPLE_RATE


def shorter(samples: np.ndarray, rng: np.random.Generator, *, by: int) -> tuple[np.ndarray, int]:
    return cut(samples, len(samples) / SAMPLE_RATE / by, rng), SAMPLE_RATE


def faster(samples: np.ndarray, _rng=None, *, percent: int) -> tuple[np.ndarray, int]:
    """Speed and pitch together, as a tape."""
    return resample_poly(samples, 100, 100 + percent), SAMPLE_RATE


def cut(samples: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """That long a piece from anywhere within; all of what is shorter."""
    size = round(seconds * SAMPLE_RATE)
    start = int(rng.integers(max(1, len(samples) - size + 1)))
    return samples[start : start + size]


MP3, OGG, OPUS = (
    {"form": form, "subtype": subtype}
    for form, subtype in (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS"))
)
ATTACKS: dict[str, Attack] = {
    "none": untouched,
    "mp3": partial(coded, **MP3),
    "mp3, smallest": partial(coded, **MP3, compression=0.99),  # it refuses 1
    "ogg": partial(coded, **OGG),
    "opus": partial(coded, **OPUS),
    "opus, smallest": partial(coded, **OPUS, compression=1.0),
    "8 kHz": partial(at_rate, rate=8_000),
    "22.05 kHz": partial(at_rate, rate=22_050),
    "44.1 kHz": partial(at_rate, rate=44_100),
    "a fiftieth as loud": partial(scaled, by=0.02),
    "noise at 20 dB": partial(noisy, snr=20.0),
    "cut to a half": partial(shorter, by=2),
    "cut to a quarter": partial(shorter, by=4),
    "1 % faster": partial(faster, percent=1),
}


def runnable(attacks: Mapping[str, Attack] = ATTACKS) -> tuple[dict[str, Attack], dict[str, str]]:
    """Those that this libsndfile can do, and why not the others."""
    able, missing = {}, {}
    for name, attack in attacks.items():
        codec = attack.keywords if isinstance(attack, partial) and attack.func is coded else None
        if codec is None or soundfile.check_format(codec["form"], codec["subtype"]):
            able[name] = attack
        else:
            missing[name] = f"libsndfile {soundfile.__libsndfile_version__} writes no {codec['subtype']}; 1.1 does"
    return able, missing


def survival(pairs: Sequence[Pair], seconds: float, seed: int, attacks: Mapping[str, Attack] = ATTACKS) -> pd.DataFrame:
    """A row an attack: pieces of marked clones in which the mark is found, and unmarked ones in which it is too."""
    plain = [sound for pair in pairs for sound in (pair.cloned, pair.recorded)]
    sides = {"marked": [watermark.embed(pair.cloned) for pair in pairs], "plain": plain}
    rows = []
    for name, attack in attacks.items():
        hits = {}
        for side, sounds in sides.items():
            # by place alone, so that all attacks get the same pieces
            rngs = [rng_of(seed, "attack", side, place) for place in range(len(sounds))]
            pieces = [attack(cut(sound, seconds, rng), rng) for sound, rng in zip(sounds, rngs, strict=True)]
            hits[side] = sum(watermark.detect(*piece).found for piece in pieces)
        rows.append({
            "attack": name, "n": len(pairs), "found": hits["marked"], **cells("rate", share_interval(hits["marked"], len(pairs))),
            "unmarked": len(plain), "alarms": hits["plain"], **cells("alarm_rate", share_interval(hits["plain"], len(plain))),
        })  # fmt: skip
    return pd.DataFrame(rows)


def word_cost(stacks: Mapping[str, Stack], pairs: Sequence[Pair], seed: int) -> pd.DataFrame:
    """The scoring judge's word error with the mark and without, paired by sentence, over speakers: of people and of clones.

    stacks: by language.
    """
    rows, speakers = [], [pair.speaker for pair in pairs]
    for kind in ("recorded", "cloned"):
        clean = [getattr(pair, kind) for pair in pairs]
        wrong = []
        for sounds in (clean, [watermark.embed(sound) for sound in clean]):
            heard = _heard(stacks, pairs, sounds)
            errors, words = word_errors([pair.words for pair in pairs], heard)
            wrong.append(errors)
        rows.append({"speech": kind, "texts": len(pairs)})
        for name, errors in zip(("wer", "wer_marked"), wrong, strict=True):
            rows[-1] |= cells(name, mean_interval(errors, speakers, words, seed))
        rows[-1] |= cells("cost", paired_difference(wrong[1], wrong[0], speakers, words, seed=seed))
    return pd.DataFrame(rows)


def _heard(stacks: Mapping[str, Stack], pairs: Sequence[Pair], sounds: Sequence[np.ndarray]) -> list[list[str]]:
    heard: list[list[str]] = [[] for _ in pairs]
    for lang in dict.fromkeys(pair.lang for pair in pairs):
        places = [place for place, pair in enumerate(pairs) if pair.lang == lang]
        words = stacks[lang].hear([torch.from_numpy(np.asarray(sounds[place], np.float32)) for place in places], lang)
        for place, said in zip(places, words, strict=True):
            heard[place] = said
    return heard


def detector_error(pairs: Sequence[Pair], seed: int, attack: Attack = untouched) -> Interval:
    """Equal error rate between clones and recordings of speakers whom the detector has not heard, over speakers.

    Each half of the speakers is heard by a detector that was fitted on the other half, before the attack. The interval
    holds the noise of who was heard and not that of the fit.
    """
    names = sorted({pair.speaker for pair in pairs})
    if len(names) < 2:
        return UNKNOWN
    odds = np.empty((len(pairs), 2))
    for half in (names[::2], names[1::2]):
        taught = [pair for pair in pairs if pair.speaker not in half]
        places = [place for place, pair in enumerate(pairs) if pair.speaker in half]
        fitted = detector.fit([pair.recorded for pair in taught], [pair.cloned for pair in taught])
        for side, kind in enumerate(("recorded", "cloned")):
            sounds = [resample(*attack(getattr(pairs[i], kind), rng_of(seed, "detector", kind, i))) for i in places]
            odds[places, side] = detector.scores(fitted, sounds)
    own = [odds[[pair.speaker == name for pair in pairs]] for name in names]
    rng = np.random.default_rng(seed)
    drawn = [_rate(np.concatenate([own[i] for i in rng.integers(len(own), size=len(own))])) for _ in range(REPLICATES)]
    return Interval(_rate(odds), *(float(value) for value in np.quantile(drawn, LEVELS)), len(names), 1)


def _rate(odds: np.ndarray) -> float:
    return eer(odds.T.ravel(), np.repeat([False, True], len(odds)))
