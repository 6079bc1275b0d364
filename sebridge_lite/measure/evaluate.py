"""From a policy to numbers: generate for a fixed test set, decode, let the scoring judge listen, count.

One sampler, one temperature, nothing filtered and nothing chosen among. Each row's random numbers follow from the
utterance's name, so a part of the test set scores as it does within the whole. Left out: Hp over several training seeds
(`rate` pools everything else); sound on disk, which the codes give back in seconds.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from sebridge_lite.core.device import move
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.files import misfit, read_json, read_table
from sebridge_lite.core.paths import replacing
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.codes import read_codes, write_codes
from sebridge_lite.lm.lm import TextSpeechLM, collate, valid
from sebridge_lite.lm.sampling import SamplerConfig, generate, length_bounds
from sebridge_lite.measure.bootstrap import entropy_interval, mean_interval
from sebridge_lite.measure.entropy import diversity, jackknife, prosodic_entropy, rarefied, token_counts
from sebridge_lite.measure.metrics import calibrated
from sebridge_lite.measure.scoring import References, score
from sebridge_lite.measure.stats import ENDS, UNKNOWN, Interval, columns_of
from sebridge_lite.stack.batches import in_batches
from sebridge_lite.stack.stack import Stack

PASSED = 4_000  # tokens at once through the model
CACHED = 500  # tokens at once whose whole distributions are sorted: so many stay in a processor's cache
RATES = {  # name: the table's column and what it is counted out of (None: a plain mean over utterances)
    "wer": ("words_wrong", "words"),
    "cer": ("characters_wrong", "characters"),
    "tone_error": ("tones_wrong", "tones"),
    "rep": ("repeats", "windows"),
    "rep_speech": ("speech_repeats", "speech_windows"),
    "h_cond": ("bits", "tokens"),
    "f0_std": ("f0_std_st", None),
    "f0_range": ("f0_range_st", None),
    "f0_corr": ("f0_corr", None),
    "f0_rmse": ("f0_rmse_st", None),
    "energy_std": ("energy_std_db", None),
    "sim": ("sim", None),
    "length_ratio": ("length_ratio", None),
}


@dataclass(frozen=True, eq=False)
class Scores:
    """`table`: a row a text and sample, samples of a text together. `summary`: bits, semitones, dB; NaN where unknown."""

    table: pd.DataFrame
    counts: np.ndarray  # (rows, codes): how often each row uses each code
    codes: list[torch.Tensor]
    summary: dict[str, Interval]


def rate(tables: Sequence[pd.DataFrame], name: str, seed: int = 0) -> Interval:
    """One of RATES over all texts, from the tables of S training seeds on the same test set."""
    top, bottom = RATES[name]
    values = np.array([table[top] for table in tables], dtype=float)
    weights = np.ones_like(values) if bottom is None else np.array([table[bottom] for table in tables], dtype=float)
    clusters = tables[0]["id"]
    if not (weights * np.isfinite(values)).any():
        return replace(UNKNOWN, n=clusters.nunique(), seeds=len(tables))
    return mean_interval(values, clusters, weights, seed)


def entropies(counts: np.ndarray, equal: int, seed: int) -> dict[str, Interval]:
    """Hp plain, with its bias taken off, and of `equal` tokens. counts: (texts, codes)"""
    found = dict.fromkeys(("hp_raw", "hp", "hp_equal"), replace(UNKNOWN, n=len(counts), seeds=1))
    if counts.any():
        found["hp_raw"] = entropy_interval(counts, prosodic_entropy, seed=seed)
    if counts.any(1).sum() > 1:
        found["hp"] = jackknife(counts)
    if 1 <= equal <= counts.sum():
        found["hp_equal"] = entropy_interval(
            counts, lambda pool: np.array(rarefied(pool, equal)), prosodic_entropy, seed
        )
    return found


def scores_of(
    table: pd.DataFrame, codes: list[torch.Tensor], stack: Stack, references: References, floor: float | None, seed: int
) -> Scores:
    counts, texts = token_counts(codes, stack.codes), len(references.utterances)
    summary = {name: rate([table], name, seed) for name, (column, _) in RATES.items() if column in table}
    if floor is not None:
        wer = summary["wer"]
        mean, low, high = (float(calibrated(value, floor)) for value in (wer.mean, wer.low, wer.high))
        summary["wer_cal"] = Interval(mean, low, high, texts, 1)
    # Samples of one text share its words, so texts are the clusters. Half of what the recordings hold is a number of tokens
    # that depends on the test set alone, and that any system that speaks has.
    by_text = counts.reshape(texts, -1, counts.shape[1]).sum(1)
    return Scores(table, counts, codes, summary | entropies(by_text, int(references.tokens.sum()) // 2, seed))


def evaluate(
    model: TextSpeechLM,
    stack: Stack,
    references: References,
    sampler: SamplerConfig,
    *,
    silence: Sequence[int],
    seed: int,
    candidates: int = 1,
    prefixes: Sequence[torch.Tensor] | None = None,
    floor: float | None = None,
    mark: str = "",
) -> Scores:
    """Scores of `candidates` samples of each text of `references`, each against its recording.

    silence: codes that are pauses (`silence_codes` of training recordings). prefixes: a style prefix a text; None is style
    off. floor: the judge's own error, for `wer_cal`. seed: of tokens (beside the sampler's), decoder noise and bootstrap.
    mark: stands before each text that the model reads.
    """
    if model.config.speech_vocab != stack.codes:
        raise UserError(
            f"LM of {model.config.speech_vocab} speech tokens, tokenizer of {stack.codes}: train it on this tokenizer's tokens"
        )
    test = references.utterances
    texts = [stack.text.encode(mark + utterance.text) for utterance in test]
    prefixes = [text[:0] for text in texts] if prefixes is None else prefixes
    row_seeds = [seed_of(seed, "tokens", utterance.id) for utterance in test]
    groups = generate(model, texts, prefixes, sampler, candidates, row_seeds=row_seeds)
    codes = [row for group in groups for row in group]
    rows = np.repeat(np.arange(len(test)), candidates).tolist()
    samples = np.tile(np.arange(candidates), len(test)).tolist()
    voices = references.timbres[rows]
    noises = [seed_of(seed, "sound", test[row].id, sample) for row, sample in zip(rows, samples, strict=True)]
    table = score(stack, references, rows, codes, stack.speak(codes, voices, noises), voices, silence)
    table.insert(1, "sample", samples)
    table["bits"] = surprisal(model, [texts[row] for row in rows], [prefixes[row] for row in rows], codes, sampler)
    scores = scores_of(table, codes, stack, references, floor, seed)
    if candidates > 1:
        scores.summary["diversity"] = mean_interval(diversity(groups), seed=seed)
    return scores


def scores_of_codes(
    stack: Stack,
    references: References,
    codes: Sequence[torch.Tensor],
    *,
    silence: Sequence[int],
    seed: int,
    floor: float | None = None,
) -> Scores:
    """Scores of given tokens, one row a text of `references`, decoded and scored as `evaluate` does it."""
    noises = [seed_of(seed, "sound", utterance.id, 0) for utterance in references.utterances]
    sounds = stack.speak(codes, references.timbres, noises)
    table = score(stack, references, range(len(codes)), codes, sounds, references.timbres, silence)
    table.insert(1, "sample", 0)
    return scores_of(table, list(codes), stack, references, floor, seed)


def floors(stack: Stack, references: References, *, silence: Sequence[int], seed: int) -> dict[str, Scores]:
    """Scores of what is lost before any LM: recordings as they are, and their tokens decoded in their own voice.

    `wer` of the first is the judge's floor: of people's recordings, and of engines' apart.
    """
    rows, codes = range(len(references.utterances)), stack.tokens(references.sounds)
    noises = [seed_of(seed, "sound", utterance.id, 0) for utterance in references.utterances]
    said = {"recorded": references.sounds, "resynthesised": stack.speak(codes, references.timbres, noises)}
    scores = {}
    for name, sounds in said.items():
        table = score(stack, references, rows, codes, sounds, references.timbres, silence)
        scores[name] = scores_of(table, codes, stack, references, None, seed)
    return scores


def chances(probs: torch.Tensor, recent: torch.Tensor, sampler: SamplerConfig) -> torch.Tensor:
    """What the sampler draws each token with.

    probs: (N, V) at its temperature; recent: the tokens in its window, -1 for none (N, w) -> (N, V)
    """
    values, order = probs.sort(descending=True)
    kept = values.cumsum(1) - values < sampler.top_p
    nucleus = torch.zeros_like(probs).scatter(1, order, values * kept)
    nucleus /= nucleus.sum(1, keepdim=True)
    if not sampler.window:
        return nucleus
    width = probs.shape[1]
    seen = torch.ones_like(recent).to(probs)
    times = probs.new_zeros(len(probs), width + 1).scatter_add(1, recent % (width + 1), seen)[:, :width]
    # A token drawn too often gives way to any other: of what z gives up, y gets p(y) / (1 - p(z)).
    refused = nucleus * ((times >= sampler.window * sampler.tau) & (probs < 1))
    share = refused / (1 - probs).clamp_min(1e-30)
    return nucleus - refused + probs * (share.sum(1, keepdim=True) - share)


@torch.no_grad()
def surprisal(
    model: TextSpeechLM, texts, prefixes, codes: Sequence[torch.Tensor], sampler: SamplerConfig
) -> list[float]:
    """-log2 of the chance with which the sampler drew each row's tokens, summed over the row; eos is not counted. (R,)"""

    def one(speech, lengths, places):
        batch = move(collate([(texts[i], prefixes[i], codes[i]) for i in places]), model.llm_decoder.weight.device)
        with torch.autocast(batch.speech.device.type, enabled=False):  # as in `generate`
            logits, targets = model(batch)
        scored = valid(batch.speech_lengths + 1, batch.speech.shape[1] + 1)
        step = torch.arange(scored.shape[1], device=scored.device)
        early = (step < length_bounds(batch.text_lengths, sampler)[0])[scored]
        logits[:, model.config.speech_vocab :].masked_fill_(early[:, None], -torch.inf)
        probs = (logits.float() / max(sampler.temperature, 1e-6)).softmax(1)
        recent = F.pad(batch.speech, (sampler.window, 0), value=-1).unfold(1, sampler.window, 1)[scored]
        drawn = torch.cat(
            [
                chances(p, near, sampler).gather(1, target[:, None])[:, 0]
                for p, near, target in zip(*(x.split(CACHED) for x in (probs, recent, targets)), strict=True)
            ]
        )
        plain = probs.gather(1, targets[:, None])[:, 0]
        # Generation rounds otherwise than this pass, and may have found inside the nucleus what is just outside here.
        bits = torch.zeros(scored.shape, device=scored.device)
        bits[scored] = -torch.where(drawn > 0, drawn, plain).log2()
        return bits.masked_fill(~valid(batch.speech_lengths, bits.shape[1]), 0).sum(1).tolist()

    return in_batches(one, codes, PASSED)


def plain(summary: dict[str, Interval]) -> dict:
    """Means with `_low` and `_high`, None where unknown: numbers that JSON knows."""
    values = columns_of(summary).items()
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in values}


def save_scores(folder: Path, scores: Scores, **about) -> None:
    """`about`: what else is known of the run, beside the summary."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = scores.table["sample"] if "sample" in scores.table else [0] * len(scores.table)
    names = [f"{name}/{sample}" for name, sample in zip(scores.table["id"], samples, strict=True)]
    write_codes(folder / "codes.safetensors", names, scores.codes)
    with replacing(folder / "scores.csv") as temporary:
        scores.table.to_csv(temporary, index=False, float_format="%.6g")
    first = next(iter(scores.summary.values()))
    report = {**about, "texts": first.n, **plain(scores.summary)}
    with replacing(folder / "summary.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def load_scores(folder: Path, codes: int) -> tuple[Scores, dict]:
    """The scores, and all of `summary.json`."""
    again = "`dvc repro` makes the scores again"
    report = read_json(folder / "summary.json", again, {"texts": int})
    known = {"columns": ("id",), "texts": ("id", "heard", "speaker")}  # "007" and "NA" are names and words here
    table = read_table(folder / "scores.csv", again, **known)
    if "heard" in table:
        table["heard"] = table["heard"].fillna("")
    rows = list(read_codes(folder / "codes.safetensors").values())
    if len(rows) != len(table) or any(len(row) and int(row.max()) >= codes for row in rows):
        raise UserError(f"{folder}: scores.csv and codes.safetensors do not belong together; {again}")
    numbers = {name: math.nan if value is None else value for name, value in report.items()}
    measures = [name for name in report if f"{name}_low" in report]
    parts = {name + end: float for name in measures for end in ENDS}
    needed = {column for name in measures if name in RATES for column in RATES[name] if column}
    if fault := misfit(numbers, parts) or ", ".join(f"no column {name}" for name in sorted(needed - set(table))):
        raise UserError(f"{folder}: damaged: {fault}; {again}")
    ends = {name: [numbers[name + end] for end in ENDS] for name in measures}
    summary = {name: Interval(mean, low, high, report["texts"], 1) for name, (mean, low, high) in ends.items()}
    return Scores(table, token_counts(rows, codes), rows, summary), report
