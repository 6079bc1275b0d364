"""Systems whose speech was made elsewhere, scored as ours are: the same judge, the same tokens, the same texts.

What would compare a recording with itself (similarity, F0 match, length) is not in their tables. Left out: CosyVoice2 and the
others of Table 5, whose code or service is not a package: their audio comes as a folder (`world.exports`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import RATE, Utterance, resample
from sebridge_lite.data.recordings import Recording, to_int16
from sebridge_lite.measure.evaluate import Scores, scores_of
from sebridge_lite.measure.scoring import load_references, score
from sebridge_lite.stack.stack import Stack

AGAINST_ITSELF = ("sim", "length_ratio", "f0_corr", "f0_rmse_st", "f0_rmse_hz")
MMS = {"th": "facebook/mms-tts-tha", "lo": "facebook/mms-tts-lao"}


def scores_of_recordings(
    stack: Stack, recordings: Sequence[Utterance], folder: Path, lang: str, *, silence, seed: int, floor: float
) -> Scores:
    """Any recordings, by what the judge hears and the tokenizer sees in them."""
    references = load_references(stack, recordings, folder, lang)
    rows, codes = np.arange(len(recordings)), stack.tokens(references.sounds)
    table = score(stack, references, rows, codes, references.sounds, references.timbres, silence)
    return scores_of(table.drop(columns=list(AGAINST_ITSELF)), codes, stack, references, floor, seed)


def named(scores: Scores, ids: Sequence[str]) -> Scores:
    """The same rows under other names, without what compares them with themselves: to be paired with other systems."""
    kept = scores.table.drop(columns=[name for name in AGAINST_ITSELF if name in scores.table])
    return replace(scores, table=kept.assign(id=list(ids)))


def unknown_words(utterances: Sequence[Utterance], lexicon) -> tuple[int, int]:
    """Words that the judge can never hear, out of all."""
    words = [word for utterance in utterances for word in utterance.words]
    return sum(word not in lexicon for word in words), len(words)


def load_mms(lang: str) -> tuple:
    """MMS-TTS (VITS) and its tokenizer from this machine's cache of weights; nothing is ever fetched."""
    from transformers import VitsModel, VitsTokenizer

    name = MMS.get(lang)
    try:
        parts = [part.from_pretrained(name, local_files_only=True) for part in (VitsModel, VitsTokenizer)]
    except (OSError, ValueError):
        raise UserError(f"no weights of {name or 'MMS-TTS'} here; `hf download` fetches them (CC-BY-NC)") from None
    if parts[1].is_uroman:
        raise UserError(f"{name} reads Latin letters alone; `sebridge score` takes its audio")
    return parts[0].eval(), parts[1]


@torch.no_grad()
def mms_recordings(test: Sequence[Utterance], lang: str, seed: int) -> Iterator[Recording]:
    """The test texts as MMS-TTS says them; its sampling is seeded."""
    model, tokenizer = load_mms(lang)
    torch.manual_seed(seed)
    for index, utterance in enumerate(test):
        sound = model(**tokenizer(utterance.text, return_tensors="pt")).waveform[0].numpy()
        samples = to_int16(resample(sound, model.config.sampling_rate))
        said = Utterance(
            f"{lang}-mms-tts-{index:06d}", utterance.text, utterance.words, lang, "mms-tts", "engine", "mms-tts",
            path="", seconds=len(samples) / RATE, frames=len(samples),
        )  # fmt: skip
        yield Recording(said, samples, None)
