"""What the mark of generated speech outlives and costs, and how well a detector tells such speech without it.

Each attack is applied to a short piece of a sentence, since a whole one is easier; sounds are (N,) floats at the mark's rate.
False alarms are counted on pieces of people and of clones without the mark. Left out: whoever knows the key and wants
the mark gone, rooms and microphones, and whether the mark is heard.

The detector is a logistic regression on the mean, spread and change of each mel band. It knows this vocoder and flow decoder
only, on studio recordings without noise: it learns their traces and nothing general about synthetic speech. A new vocoder, a
codec or a room in between, and its error rate says nothing any more. Left out: networks, features of phase, calibration.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import soundfile
import torch
from scipy.signal import resample_poly

from sebridge_lite.core.seeds import rng_of
from sebridge_lite.data.manifest import RATE, resample
from sebridge_lite.extras import watermark
from sebridge_lite.measure.bootstrap import LEVELS, mean_interval, paired_difference
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.measure.scoring import References
from sebridge_lite.measure.stats import UNKNOWN, Interval, columns, share_interval
from sebridge_lite.stack.features import log_mel
from sebridge_lite.stack.speaker import eer
from sebridge_lite.stack.stack import Stack

Attack = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, int]]  # samples -> samples, rate
REPLICATES = 1000
PENALTY = 1e-2  # on squared weights: there are more features than a small training set can pin down
QUIET = 4.0  # nepers below the loudest frame: pauses are digital silence on one side only, which would be too easy


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
    return samples, RATE


def coded(form: str, subtype: str, compression: float | None, samples: np.ndarray, _rng=None) -> tuple[np.ndarray, int]:
    """Through a codec in memory; compression from 0 to 1, by default the codec's usual value."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=form, subtype=subtype, compression_level=compression)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


def at_rate(rate: int, samples: np.ndarray, _rng=None) -> tuple[np.ndarray, int]:
    divisor = np.gcd(rate, RATE)
    return resample_poly(samples, rate // divisor, RATE // divisor), rate


def noisy(snr: float, samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """White noise, `snr` dB below the sound."""
    return samples + 10 ** (-snr / 20) * np.sqrt(np.mean(samples**2)) * rng.standard_normal(len(samples)), RATE


def shorter(by: int, samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    return cut(samples, len(samples) / RATE / by, rng), RATE


def cut(samples: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """That long a piece from anywhere within; all of what is shorter."""
    size = round(seconds * RATE)
    start = int(rng.integers(max(1, len(samples) - size + 1)))
    return samples[start : start + size]


CODECS = {
    "mp3": ("MP3", "MPEG_LAYER_III", None),
    "mp3, smallest": ("MP3", "MPEG_LAYER_III", 0.99),  # it refuses 1
    "ogg": ("OGG", "VORBIS", None),
    "opus": ("OGG", "OPUS", None),
    "opus, smallest": ("OGG", "OPUS", 1.0),
}
ATTACKS: dict[str, Attack] = {
    "none": untouched,
    **{name: partial(coded, *codec) for name, codec in CODECS.items()},
    "8 kHz": partial(at_rate, 8_000),
    "22.05 kHz": partial(at_rate, 22_050),
    "44.1 kHz": partial(at_rate, 44_100),
    "a fiftieth as loud": lambda samples, _: (samples * 0.02, RATE),
    "noise at 20 dB": partial(noisy, 20.0),
    "cut to a half": partial(shorter, 2),
    "cut to a quarter": partial(shorter, 4),
    "1 % faster": lambda samples, _: (resample_poly(samples, 100, 101), RATE),  # speed and pitch together, as a tape
}


def runnable() -> tuple[dict[str, Attack], dict[str, str]]:
    """The attacks that this libsndfile can do, and why not the others."""
    missing = {
        name: f"libsndfile {soundfile.__libsndfile_version__} writes no {subtype}; 1.1 does"
        for name, (form, subtype, _) in CODECS.items()
        if not soundfile.check_format(form, subtype)
    }
    return {name: attack for name, attack in ATTACKS.items() if name not in missing}, missing


def survival(pairs: Sequence[Pair], seconds: float, seed: int, attacks: Mapping[str, Attack] = ATTACKS) -> pd.DataFrame:
    """A row an attack: pieces of marked clones in which the mark is found, and unmarked pieces in which it is too."""
    sides = {
        "marked": [watermark.embed(pair.cloned) for pair in pairs],
        "plain": [sound for pair in pairs for sound in (pair.cloned, pair.recorded)],
    }
    rows, names = [], (("n", "found", "rate"), ("unmarked", "alarms", "alarm_rate"))
    for name, attack in attacks.items():
        row: dict[str, Any] = {"attack": name}
        for side, (total, hits, rate) in zip(sides, names, strict=True):
            # by place alone, so that all attacks get the same pieces
            rngs = [rng_of(seed, "attack", side, place) for place in range(len(sides[side]))]
            pieces = [attack(cut(sound, seconds, rng), rng) for sound, rng in zip(sides[side], rngs, strict=True)]
            count = sum(watermark.detect(*piece).found for piece in pieces)
            row |= {total: len(pieces), hits: count, **columns(rate, share_interval(count, len(pieces)))}
        rows.append(row)
    return pd.DataFrame(rows)


def word_cost(stacks: Mapping[str, Stack], pairs: Sequence[Pair], seed: int) -> pd.DataFrame:
    """The scoring judge's word error with the mark and without, paired by sentence, over speakers: of people and of clones.

    stacks: by language.
    """
    rows, speakers = [], [pair.speaker for pair in pairs]
    for kind in ("recorded", "cloned"):
        clean, wrong = [getattr(pair, kind) for pair in pairs], {}
        row: dict[str, Any] = {"speech": kind, "texts": len(pairs)}
        words = np.array([len(pair.words) for pair in pairs])
        for name, sounds in {"wer": clean, "wer_marked": [watermark.embed(sound) for sound in clean]}.items():
            heard = _heard(stacks, pairs, sounds)
            wrong[name], _ = word_errors([pair.words for pair in pairs], heard)
            row |= columns(name, mean_interval(wrong[name], speakers, words, seed))
        cost = paired_difference(wrong["wer_marked"], wrong["wer"], speakers, words, seed=seed)
        rows.append(row | columns("cost", cost))
    return pd.DataFrame(rows)


def _heard(stacks: Mapping[str, Stack], pairs: Sequence[Pair], sounds: Sequence[np.ndarray]) -> list[list[str]]:
    words, langs = {}, [pair.lang for pair in pairs]
    for lang in set(langs):
        spoken = [sound for sound, other in zip(sounds, langs, strict=True) if other == lang]
        words[lang] = iter(stacks[lang].hear([torch.from_numpy(np.asarray(x, np.float32)) for x in spoken], lang))
    return [next(words[lang]) for lang in langs]


class Detector(NamedTuple):
    mean: torch.Tensor  # (D,)
    scale: torch.Tensor  # (D,)
    weight: torch.Tensor  # (D,)
    bias: torch.Tensor  # ()


def pooled(samples: np.ndarray) -> torch.Tensor:
    """(N,) -> (240,): of each mel band over frames of speech, level-free: mean, spread, spread of the change."""
    mel = log_mel(torch.as_tensor(samples, dtype=torch.float32)[None])[0]
    level = mel.mean(1)
    kept = mel[level > level.max() - QUIET]
    change = kept.diff(dim=0) if len(kept) > 1 else torch.zeros(1, mel.shape[1])
    return torch.cat([kept.mean(0) - kept.mean(), kept.std(0, correction=0), change.std(0, correction=0)])


def fit(people: Sequence[np.ndarray], generated: Sequence[np.ndarray]) -> Detector:
    """The detector that tells these recordings from these sounds best."""
    features = torch.stack([pooled(sound) for sound in (*people, *generated)])
    labels = torch.tensor([0.0] * len(people) + [1.0] * len(generated))
    mean, scale = features.mean(0), features.std(0).clamp(min=1e-6)
    features = (features - mean) / scale
    weight, bias = torch.zeros(features.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(features @ weight + bias, labels)
        value = value + PENALTY * weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return Detector(mean, scale, weight.detach(), bias.detach())


def log_odds(detector: Detector, sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Log odds of having been generated. (N,)"""
    features = torch.stack([pooled(sound) for sound in sounds])
    return ((features - detector.mean) / detector.scale @ detector.weight + detector.bias).numpy()


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
        fitted = fit([pair.recorded for pair in taught], [pair.cloned for pair in taught])
        for side, kind in enumerate(("recorded", "cloned")):
            sounds = [resample(*attack(getattr(pairs[i], kind), rng_of(seed, "detector", kind, i))) for i in places]
            odds[places, side] = log_odds(fitted, sounds)
    by_name = [odds[[pair.speaker == name for pair in pairs]] for name in names]
    rng, count = np.random.default_rng(seed), len(names)
    drawn = [_rate(np.concatenate([by_name[i] for i in rng.integers(count, size=count)])) for _ in range(REPLICATES)]
    low, high = map(float, np.quantile(drawn, LEVELS))
    return Interval(_rate(odds), low, high, count, 1)


def _rate(odds: np.ndarray) -> float:
    return eer(odds.T.ravel(), np.repeat([False, True], len(odds)))
