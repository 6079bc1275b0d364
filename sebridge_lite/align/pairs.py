"""DGSA's preferences (Sec. 3): a real utterance, and two things that the frozen SFT policy says to the same text.

    y_expr   under a style prefix, another utterance of the same speaker: said to be lively and unsure of its words
    y_stab   without one: said to be flat and sure

Whether they are so is what `align.modes` shows before anything is trained on it. Left out: losers chosen among
several, pairs of equal length.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.files import read_text
from sebridge_lite.core.seeds import rng_of, seed_of
from sebridge_lite.data.codes import read_codes, write_codes
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.lm.lm import Example, TextSpeechLM
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.stack.stack import Stack

MODES = ("real", "expr", "stab")
AGAIN = "`dvc repro pairs` makes it again"


Pair = tuple[Example, Example]  # winner and loser, each (text, style prefix, speech tokens)


class Triplet(NamedTuple):
    """One text in three versions; all but the name are (length,) long."""

    name: str
    text: Tensor
    prefix: Tensor  # the style under which y_expr was sampled
    real: Tensor  # the winner of both sets
    expr: Tensor  # Eq. 6
    stab: Tensor  # Eq. 7


def expressive(model: TextSpeechLM, texts: Sequence[Tensor], prefixes: Sequence[Tensor], **how) -> list[list[Tensor]]:
    """Eq. 6 (Sec. 3): y_expr ~ pi_SFT(y | x, z_style), the style being a recording's first tokens. how: see `generate`"""
    return generate(model, texts, prefixes, **how)


def stable(model: TextSpeechLM, texts: Sequence[Tensor], **how) -> list[list[Tensor]]:
    """Eq. 7 (Sec. 3): y_stab ~ pi_SFT(y | x), with no style. how: see `generate`"""
    return generate(model, texts, [text[:0] for text in texts], **how)


def stability_pairs(triplets: Sequence[Triplet], styled: bool = False) -> list[Pair]:
    """Eq. 8 (Sec. 3): T_stab, y_real > y_expr: keep the words. The loser is the expressive but unstable output.

    styled: whether both are scored under the style that y_expr was drawn under, which the paper leaves open.
    """
    prefixes = [t.prefix if styled else t.prefix[:0] for t in triplets]
    return [((t.text, p, t.real), (t.text, p, t.expr)) for t, p in zip(triplets, prefixes, strict=True)]


def expressivity_pairs(triplets: Sequence[Triplet]) -> list[Pair]:
    """Eq. 9 (Sec. 3): T_expr, y_real > y_stab: win back the melody. The loser is the stable but flat output."""
    return [((t.text, t.prefix[:0], t.real), (t.text, t.prefix[:0], t.stab)) for t in triplets]


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


def triplets_of(
    model: TextSpeechLM,
    stack: Stack,
    utterances: Sequence[Utterance],
    codes: Sequence[Tensor],
    samplers: Mapping[str, SamplerConfig],
    *,
    samples: int,
    most: float,
    style_tokens: int,
    seed: int,
    same: bool = True,
) -> tuple[list[Triplet], dict[str, str]]:
    """Triplets named ID/SAMPLE, and by utterance the one whose style its y_expr has.

    samplers: of expr and of stab. most: the word error up to which the *selecting* judge must read y_real. same: the style is
    of the same speaker. A loser that is empty, or the same tokens as its winner, teaches nothing: its triplet is left out.
    """
    if not utterances:
        raise UserError("preference pairs: no real speech in this corpus; DGSA needs some (real_minutes)")
    sources = style_sources(utterances, seed, same)
    wrong, words = word_errors([utterance.words for utterance in utterances], stack.read(codes, utterances[0].lang))
    readable = wrong <= most * words
    kept = [i for i, source in enumerate(sources) if readable[i] and source is not None]
    styles = [source for i, source in enumerate(sources) if readable[i] and source is not None]
    if not kept:
        alone = sum(source is None for source in sources)
        raise UserError(
            f"preference pairs: none of {len(utterances)} real utterances is left ({alone} have no other of a fitting speaker "
            f"to take a style from, the rest are over a word error of {most}); give fewer speakers or raise real_error"
        )
    texts = [stack.text.encode(utterances[i].text) for i in kept]
    prefixes = [codes[i][:style_tokens] for i in styles]
    how = {mode: {"sampler": sampler, "candidates": samples} for mode, sampler in samplers.items()}
    for mode, settings in how.items():
        settings["row_seeds"] = [seed_of(seed, mode, utterances[i].id) for i in kept]
    expr, stab = expressive(model, texts, prefixes, **how["expr"]), stable(model, texts, **how["stab"])
    made = [
        Triplet(f"{utterances[i].id}/{sample}", texts[n], prefixes[n], codes[i], expr[n][sample], stab[n][sample])
        for n, i in enumerate(kept)
        for sample in range(samples)
    ]
    teach = [t for t in made if all(len(y) and not torch.equal(y, t.real) for y in (t.expr, t.stab))]
    return teach, {utterances[i].id: utterances[j].id for i, j in zip(kept, styles, strict=True)}


def spoken_by(triplets: Sequence[Triplet], utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterance of each triplet."""
    by_id = {utterance.id: utterance for utterance in utterances}
    return [by_id[triplet.name.rpartition("/")[0]] for triplet in triplets]


def save_triplets(
    folder: Path,
    triplets: Sequence[Triplet],
    texts: Sequence[str],
    rows: pd.DataFrame,
    sources: dict,
    samplers: Mapping[str, SamplerConfig],
) -> None:
    """pairs.jsonl, a row a triplet: where it comes from and how it was judged; tokens.safetensors: its sequences."""
    judged = {mode: rows[rows["mode"] == mode].reset_index(drop=True) for mode in MODES}
    drawn, real = {mode: [sampler.temperature, sampler.top_p] for mode, sampler in samplers.items()}, judged["real"]
    table = pd.DataFrame({"name": [triplet.name for triplet in triplets], "utterance": real["id"]})
    table["style"], table["text"], table["temperature_and_top_p"] = real["id"].map(sources), texts, [drawn] * len(table)
    table["words"] = real["words"]
    for name, column in (("wrong", "words_wrong"), ("tokens", "tokens")):
        table[name] = pd.DataFrame({mode: judged[mode][column] for mode in MODES}).to_dict("records")
    table.to_json(folder / "pairs.jsonl", orient="records", lines=True, force_ascii=False)
    named = {f"{t.name}/{part}": getattr(t, part) for t in triplets for part in ("prefix", *MODES)}
    write_codes(folder / "tokens.safetensors", named, list(named.values()))


def load_triplets(folder: Path, encode: Callable[[str], Tensor]) -> tuple[list[Triplet], list[dict]]:
    """Triplets, and a row of provenance each. encode: text to ids, as the policy reads them."""
    path, tokens = folder / "pairs.jsonl", read_codes(folder / "tokens.safetensors")
    try:
        rows = [json.loads(line) for line in read_text(path, AGAIN).splitlines()]
        parts = [[tokens[f"{row['name']}/{part}"] for part in ("prefix", *MODES)] for row in rows]
        texts = [str(row["text"]) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({type(error).__name__}: {error}); {AGAIN}") from None
    return [Triplet(row["name"], encode(text), *some) for row, text, some in zip(rows, texts, parts, strict=True)], rows
