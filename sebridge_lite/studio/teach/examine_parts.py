"""What the pretrained parts are worth: the judges' floors, re-synthesis, and probes of what the tokens carry.

Everything is measured on people who taught no part, on sentences of the test split. Left out: listening.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.transforms import GriffinLim

from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.recordings import Recording
from sebridge_lite.measure.metrics import edit_distance, pooled, word_errors
from sebridge_lite.stack import features
from sebridge_lite.stack.batches import cut, in_batches
from sebridge_lite.stack.layers import STEPS, valid
from sebridge_lite.stack.speaker import eer
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.tracks import measured
from sebridge_lite.stack.trained import mels
from sebridge_lite.stack.vocoder import mel_bank
from sebridge_lite.studio.lexicon import spoken_units
from sebridge_lite.studio.teach.losses import heads
from sebridge_lite.studio.teach.material import at_50_hz, render_material
from sebridge_lite.studio.voices import engines, people

BY_PEOPLE, BY_ENGINES = 240, 150  # test sentences a language


@dataclass(frozen=True, eq=False)
class Heard:
    """Recordings as the stack takes them."""

    utterances: list[Utterance]
    sounds: list[Tensor]  # (N,) float
    f0: list[Tensor]  # (T,) true pitch at 50 Hz

    @property
    def words(self) -> list[tuple[str, ...]]:
        """What was really said."""
        return [tuple((utterance.truth or {})["words"]) for utterance in self.utterances]


def heard(recordings: Iterable[Recording]) -> Heard:
    """The recordings as float sounds with their true pitch."""
    recordings = list(recordings)
    sounds = [torch.from_numpy(recording.samples).float() / 32768 for recording in recordings]
    return Heard([r.utterance for r in recordings], sounds, [at_50_hz(r.f0) for r in recordings])


def held_out(lang: str, by_people: int, by_engines: int, seed: int) -> tuple[Heard, Heard]:
    """Test sentences read by the twelve unseen people, and by the three engines of the study."""
    first = heard(render_material("unseen", lang, "test", by_people, people("unseen", 12), seed))
    second = heard(render_material("main", lang, "test", by_engines, engines("main", 3), seed))
    return first, second


def word_error(said: Sequence, understood: Sequence) -> tuple[int, int]:
    """Wrong words, out of how many."""
    wrong, total = word_errors(said, understood)
    return int(wrong.sum()), int(total.sum())


def correlation(true: Sequence[Tensor], measured: Sequence[Tensor]) -> float:
    """Mean over utterances of the correlation of log F0, over the frames that are voiced in both."""
    found = []
    for a, b in zip(true, measured, strict=True):
        size = min(len(a), len(b))
        x, y = a[:size].double().numpy(), b[:size].double().numpy()
        both = (x > 0) & (y > 0)
        if both.sum() >= 10:
            found.append(np.corrcoef(np.log(x[both]), np.log(y[both]))[0, 1])
    return float(np.mean(found))


def pitch(sounds: Sequence[Tensor]) -> list[Tensor]:
    """F0 of each sound in Hz at 50 Hz, 0 where unvoiced."""
    return [f0 for (f0,) in measured((features.f0,), sounds, features.SAMPLE_RATE, torch.device("cpu"))]


@torch.no_grad()
def griffin_lim_sounds(stack: Stack, sounds: Sequence[Tensor]) -> list[Tensor]:
    """Sounds of true mels without any training: Griffin-Lim spreads the bands back to bins and finds phases by iteration."""
    spread = torch.linalg.pinv(mel_bank())
    phases = GriffinLim(features.N_FFT, 32, features.WINDOW, features.HOP, power=1, rand_init=False)

    def invert(mel, lengths, _):
        bins = (mel.exp() @ spread).clamp(min=0)
        return cut(F.pad(phases(bins.transpose(1, 2)), (features.HOP // 2,) * 2), features.HOP * lengths)

    return in_batches(invert, mels(sounds, stack.device), 6_000)


@torch.no_grad()
def vocoded(stack: Any, sounds: Sequence[Tensor]) -> list[Tensor]:
    """Sounds that the trained vocoder makes of true mels."""

    def invert(mel, lengths, _):
        return cut(stack.decoder.vocoder(mel, lengths), features.HOP * lengths)

    return in_batches(invert, mels(sounds, stack.device), device=stack.device)


def judge_report(stack: Stack, lang: str, group: Heard) -> tuple[dict[str, tuple[int, int]], list[Tensor]]:
    """Word errors as (wrong, out of), and the re-synthesised sounds.

    Recordings by both judges, re-synthesis by the scoring judge, and where the two judges disagree, right or wrong.
    """
    codes = stack.tokens(group.sounds)
    back = stack.speak(codes, stack.timbres(group.sounds), [0] * len(codes))
    scored, selected = stack.hear(group.sounds, lang), stack.read(codes, lang)
    counts = {
        "score": word_error(group.words, scored),
        "select": word_error(group.words, selected),
        "disagree": word_error([words or [""] for words in scored], selected),
        "resynthesis": word_error(group.words, stack.hear(back, lang)),
    }
    return counts, back


def timbre_swap(stack: Stack, group: Heard) -> dict[str, float]:
    """What the same tokens become with the timbre of the next person: is the melody kept, and whose voice is it?"""
    timbres, codes = stack.timbres(group.sounds), stack.tokens(group.sounds)
    other = torch.roll(torch.arange(len(codes)), -1)
    swapped = stack.speak(codes, timbres[other], [0] * len(codes))
    now = stack.timbres(swapped)
    return {
        "swap_f0_corr": correlation(group.f0, pitch(swapped)),
        "swap_sim_new": float(F.cosine_similarity(now, timbres[other]).mean()),
        "swap_sim_old": float(F.cosine_similarity(now, timbres).mean()),
    }


def speaker_trials(stack: Stack, group: Heard) -> float:
    """Equal error rate over all pairs of recordings of unseen people."""
    timbres = stack.timbres(group.sounds)
    names = np.array([utterance.speaker for utterance in group.utterances])
    pairs = np.triu_indices(len(names), 1)
    return eer((timbres @ timbres.T).numpy()[pairs], (names[:, None] == names)[pairs])


def code_histograms(codes: Sequence[Tensor], size: int) -> Tensor:
    """Square roots of the shares of each code. (N, size)"""
    return torch.stack([torch.bincount(row, minlength=size) / len(row) for row in codes]).sqrt()


def speaker_probe(codes: Sequence[Tensor], speakers: Sequence[str], values: Tensor, seed: int) -> tuple[float, int]:
    """Accuracy of a linear classifier that reads a speaker from an utterance's tokens, and the number of speakers.

    It sees the histogram of codes and the mean and spread of their FSQ `values` (codes, channels); half of the utterances
    train it, the other half, other sentences, test it. Chance is 1 / speakers.
    """
    names = sorted(set(speakers))
    wanted = torch.tensor([names.index(name) for name in speakers])
    moments = torch.stack([torch.cat([values[row].mean(0), values[row].std(0)]) for row in codes])
    seen = torch.cat([code_histograms(codes, len(values)), moments], 1)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(wanted), generator=generator)
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    seen = (seen - seen[train].mean(0)) / seen[train].std(0).clamp(min=1e-3)
    probe = torch.nn.Linear(seen.shape[1], len(names))
    torch.nn.init.zeros_(probe.weight)
    torch.nn.init.zeros_(probe.bias)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=0.01, weight_decay=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(probe(seen[train]), wanted[train]).backward()
        optimizer.step()
    with torch.no_grad():
        right = (probe(seen[test]).argmax(1) == wanted[test]).float().mean()
    return float(right), len(names)


def greedy(log_probs: Tensor, frames: Tensor) -> list[list[int]]:
    """The best unit of each frame, repeats merged, blanks dropped. (B, T, V), (B,)"""
    best = log_probs.argmax(-1)
    before = F.pad(best[:, :-1], (1, 0), value=0)
    keep = (best > 0) & (best != before) & valid(frames, best.shape[1])
    units = best[keep].tolist()
    ends = keep.sum(1).cumsum(0).tolist()
    return [units[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@torch.no_grad()
def read_tokens(stack: Any, group: Heard) -> tuple[list[Tensor], list[list[int]]]:
    """Pitch at 50 Hz relative to the speaker, and phones and tones, as the tokenizer's own heads read them in tokens."""
    timbres, net, device = stack.timbres(group.sounds), stack.tokenizer.net, stack.device

    def read_both(mel, lengths, places):
        values, sizes = net.quantise(mel, lengths)
        log_probs, contours, _ = heads(net, values, sizes, timbres[places].to(device))
        return list(zip(cut(contours[..., 0].exp(), lengths), greedy(log_probs, STEPS * sizes), strict=True))

    read = in_batches(read_both, mels(group.sounds, device), device=device)
    return [track for track, _ in read], [units for _, units in read]


def token_probes(stack: Any, lang: str, group: Heard, seed: int, voices: int = 60, each: int = 30) -> dict[str, float]:
    """What tokens tell of text, pitch and speaker, the last of people whom the tokenizer never heard; codes in use."""
    tracks, units = read_tokens(stack, group)
    truths = [
        spoken_units(t["phones"], t["syllables"], t["tones"], lang) for t in (u.truth or {} for u in group.utterances)
    ]
    wrong = edit_distance(truths, units)
    crowd = heard(render_material("probe", lang, "judge", voices * each, people("train", voices), seed))
    codes = stack.tokens(crowd.sounds)
    values = stack.tokenizer.net.fsq.to_values(torch.arange(stack.codes)).float()
    right, count = speaker_probe(codes, [u.speaker for u in crowd.utterances], values, seed)
    shares = torch.bincount(torch.cat(codes), minlength=len(values)).double()
    shares = shares[shares > 0] / shares.sum()
    return {
        "token_unit_error": pooled(wrong, np.array([len(truth) for truth in truths])),
        "token_f0_corr": correlation(group.f0, tracks),
        "speaker_probe_accuracy": right,
        "speaker_probe_over_chance": right * count,
        "codes_used": len(shares),
        "code_perplexity": float((-(shares * shares.log()).sum()).exp()),
    }


def examine(stack: Stack, langs: Sequence[str], seed: int) -> dict[str, float]:
    """Every number of the report that the parts themselves decide."""
    numbers: dict[str, float] = {}
    counts: dict[str, list] = {}
    correlations, firsts = [], []
    for lang in langs:
        by_people, by_engines = held_out(lang, BY_PEOPLE, BY_ENGINES, seed)
        firsts.append(by_people)
        of_people, back = judge_report(stack, lang, by_people)
        correlations.append(correlation(by_people.f0, pitch(back)))
        for name, vocoder in (("vocoder", vocoded), ("griffin_lim", griffin_lim_sounds)):
            of_people[name] = word_error(by_people.words, stack.hear(vocoder(stack, by_people.sounds), lang))
        for kind, found in (("people", of_people), ("engines", judge_report(stack, lang, by_engines)[0])):
            for name, (wrong, words) in found.items():
                counts.setdefault(f"{name}_wer_{kind}", []).append((wrong, words))
                numbers[f"{name}_wer_{kind}_{lang}"] = wrong / words
    total = {name: pooled(*np.array(found).T) for name, found in counts.items()}
    for judge in ("score", "select"):
        numbers |= {f"{judge}_judge_wer_{kind}": total[f"{judge}_wer_{kind}"] for kind in ("people", "engines")}
    numbers["floor_gap"] = total["score_wer_people"] - total["score_wer_engines"]
    numbers["judges_agree"] = 1 - total["disagree_wer_people"]
    for name in ("resynthesis", "vocoder", "griffin_lim"):
        numbers[f"{name}_wer_loss"] = total[f"{name}_wer_people"] - total["score_wer_people"]
    numbers["resynthesis_f0_corr"] = sum(correlations) / len(correlations)
    numbers["speaker_eer"] = speaker_trials(stack, firsts[0])
    numbers |= timbre_swap(stack, firsts[0]) | token_probes(stack, langs[0], firsts[0], seed)
    return numbers | {"n_people": BY_PEOPLE * len(langs), "n_engines": BY_ENGINES * len(langs)}
