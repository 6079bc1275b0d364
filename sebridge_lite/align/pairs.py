"""DGSA's preferences (Sec. 3): a real utterance, and two things that the frozen SFT policy says to the same text.

    y_expr   under a style prefix, another utterance of the same speaker: said to be lively and unsure of its words
    y_stab   without one: said to be flat and sure

Whether they are so is what `align.modes` shows before anything is trained on it. Left out: losers chosen among
several, pairs of equal length.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.align.dgsa import Triplet
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.paths import replacing
from sebridge_lite.core.seeds import rng_of, seed_of
from sebridge_lite.data.codes import read_codes, write_codes
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.measure.evaluate import speak
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.measure.scoring import load_sounds
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.stack import Stack

MODES = ("real", "expr", "stab")


class Samplers(NamedTuple):
    expr: SamplerConfig
    stab: SamplerConfig


def expressive(
    model: TextSpeechLM,
    texts: Sequence[Tensor],
    prefixes: Sequence[Tensor],
    sampler: SamplerConfig,
    samples: int,
    seeds,
) -> list[list[Tensor]]:
    """Eq. 6 (Sec. 3): y_expr ~ pi_SFT(y | x, z_style), the style being a recording's first tokens. `samples` a text."""
    return generate(model, texts, prefixes, sampler, samples, row_seeds=seeds)


def stable(model: TextSpeechLM, texts: Sequence[Tensor], sampler: SamplerConfig, samples: int, seeds):
    """Eq. 7 (Sec. 3): y_stab ~ pi_SFT(y | x), with no style. `samples` a text."""
    return generate(model, texts, [text[:0] for text in texts], sampler, samples, row_seeds=seeds)


def stability_pair(triplet: Triplet) -> tuple[Tensor, Tensor]:
    """Eq. 8 (Sec. 3): T_stab, y_real > y_expr: (winner, loser)."""
    return triplet.real, triplet.expr


def expressivity_pair(triplet: Triplet) -> tuple[Tensor, Tensor]:
    """Eq. 9 (Sec. 3): T_expr, y_real > y_stab: (winner, loser)."""
    return triplet.real, triplet.stab


def style_sources(utterances: Sequence[Utterance], seed: int, same: bool = True) -> list[int | None]:
    """For each the place of another utterance of its speaker, or of any other speaker; None where there is none."""
    speakers = np.array([utterance.speaker for utterance in utterances])
    found: list[int | None] = []
    for place, utterance in enumerate(utterances):
        others = np.flatnonzero((speakers == utterance.speaker) == same)
        others = others[others != place]
        pick = rng_of(seed, "style", same, utterance.id)
        found.append(int(others[pick.integers(len(others))]) if len(others) else None)
    return found


def readable(stack: Stack, utterances: Sequence[Utterance], codes: Sequence[Tensor], most: float) -> np.ndarray:
    """Whether the *selecting* judge reads each with a word error of at most `most`. (U,)"""
    said = [utterance.words for utterance in utterances]
    wrong, words = word_errors(said, stack.read(codes, utterances[0].lang))
    return wrong <= most * words


def _checked(utterances, kept: list[int], most: float, sources: Sequence[int | None]) -> list[int]:
    if not kept:
        alone = sum(source is None for source in sources)
        raise UserError(
            f"preference pairs: none of {len(utterances)} real utterances is left ({alone} have no other of a fitting speaker "
            f"to take a style from, the rest are over a word error of {most}); give fewer speakers or raise real_error"
        )
    return kept


def triplets_of(
    model: TextSpeechLM,
    stack: Stack,
    utterances: Sequence[Utterance],
    codes: Sequence[Tensor],
    samplers: Samplers,
    *,
    samples: int,
    most: float,
    style_tokens: int,
    seed: int,
    same: bool = True,
) -> tuple[list[Triplet], dict[str, str]]:
    """Triplets named ID/SAMPLE, and for each utterance whose style its y_expr has (an id). `same`: of the same speaker."""
    if not utterances:
        raise UserError("preference pairs: no real speech in this corpus; DGSA needs some (real_minutes)")
    sources, vocab = style_sources(utterances, seed, same), CharVocab()
    good = readable(stack, utterances, codes, most)
    kept = [i for i, source in enumerate(sources) if good[i] and source is not None]
    _checked(utterances, kept, most, sources)
    texts = [vocab.encode(utterances[i].text) for i in kept]
    prefixes = [codes[sources[i]][:style_tokens] for i in kept]
    seeds = [[seed_of(seed, mode, utterances[i].id) for i in kept] for mode in ("expr", "stab")]
    expr = expressive(model, texts, prefixes, samplers.expr, samples, seeds[0])
    stab = stable(model, texts, samplers.stab, samples, seeds[1])
    found = [
        Triplet(f"{utterances[i].id}/{sample}", texts[n], prefixes[n], codes[i], expr[n][sample], stab[n][sample])
        for n, i in enumerate(kept)
        for sample in range(samples)
    ]
    teach = [t for t in found if all(_differ(*pair(t)) for pair in (stability_pair, expressivity_pair))]
    return teach, {utterances[i].id: utterances[sources[i]].id for i in kept}


def _differ(winner: Tensor, loser: Tensor) -> bool:
    return len(loser) > 0 and not torch.equal(winner, loser)


def spoken_by(triplets: Sequence[Triplet], utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterance of each triplet."""
    by_id = {utterance.id: utterance for utterance in utterances}
    return [by_id[triplet.name.rpartition("/")[0]] for triplet in triplets]


def said_in(
    stack: Stack, triplets: Sequence[Triplet], of: Sequence[Utterance], folder: Path, mode: str, seed: int
) -> list[Tensor]:
    """One mode as sound, each in the voice of its real recording."""
    timbres = stack.timbres(load_sounds(of, folder))
    noises = [seed_of(seed, "sound", triplet.name) for triplet in triplets]
    return speak(stack, [getattr(triplet, mode) for triplet in triplets], timbres, noises)


def through_codec(
    stack: Stack, triplets: Sequence[Triplet], of: Sequence[Utterance], folder: Path, seed: int
) -> list[Triplet]:
    """The losers decoded and tokenised again: as y_real they are then tokens of a sound, whatever the LM's own look like."""
    expr, stab = (stack.tokens(said_in(stack, triplets, of, folder, mode, seed)) for mode in ("expr", "stab"))
    return [t._replace(expr=e, stab=s) for t, e, s in zip(triplets, expr, stab, strict=True)]


def save_triplets(
    folder: Path,
    triplets: Sequence[Triplet],
    texts: Sequence[str],
    rows: pd.DataFrame,
    sources: dict,
    samplers: Samplers,
) -> None:
    """pairs.jsonl, a row a triplet: where it comes from and how it was judged; tokens.safetensors: its sequences."""
    judged = {mode: rows[rows["mode"] == mode].reset_index(drop=True) for mode in MODES}
    drawn = {mode: [own.temperature, own.top_p] for mode, own in samplers._asdict().items()}
    with replacing(folder / "pairs.jsonl") as temporary, temporary.open("w", encoding="utf-8") as file:
        for n, (triplet, text) in enumerate(zip(triplets, texts, strict=True)):
            of = {mode: judged[mode].loc[n] for mode in MODES}
            row = {"name": triplet.name, "utterance": of["real"]["id"], "style": sources[of["real"]["id"]], "text": text,
                   "temperature_and_top_p": drawn, "words": int(of["real"]["words"]),
                   "wrong": {mode: int(of[mode]["words_wrong"]) for mode in MODES},
                   "tokens": {mode: int(of[mode]["tokens"]) for mode in MODES}}  # fmt: skip
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    named = {f"{t.name}/{part}": getattr(t, part) for t in triplets for part in ("prefix", *MODES)}
    write_codes(folder / "tokens.safetensors", named, list(named.values()))


def load_triplets(folder: Path) -> tuple[list[Triplet], list[dict]]:
    """Triplets, and a row of provenance each."""
    path, vocab = folder / "pairs.jsonl", CharVocab()
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise UserError(f"{path}: no preference pairs; `sebridge pairs` makes them") from None
    except ValueError:
        raise UserError(f"{path}: not whole; delete its folder and run `sebridge pairs` again") from None
    tokens = read_codes(folder / "tokens.safetensors")
    try:
        return [
            Triplet(row["name"], vocab.encode(row["text"]), *(tokens[f"{row['name']}/{part}"] for part in ("prefix", *MODES)))
            for row in rows
        ], rows  # fmt: skip
    except KeyError as error:
        raise UserError(
            f"{path}: {error} has no tokens beside it; delete the folder and run `sebridge pairs`"
        ) from None
