"""What DGSA has to beat: the best of several samples, and SFT continued on the very recordings that its pairs prefer.

The second is the control that the paper lacks: y_real wins both sets of pairs, so DGSA raises its likelihood too. Left out:
choosing among samples by anything but words (the paper says no more than "best of N").
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from sebridge_lite.align.pairs import Triplet
from sebridge_lite.align.runs import Run
from sebridge_lite.core.hashes import key_of
from sebridge_lite.lm import train as loop
from sebridge_lite.lm.lm import Batch, TextSpeechLM, collate, loss, noisy
from sebridge_lite.measure.metrics import word_errors
from sebridge_lite.stack.stack import Stack


def best_of(stack: Stack, groups: Sequence[Sequence[Tensor]], said: Sequence[Sequence[str]], lang: str) -> list[Tensor]:
    """Of each text's samples the one that the *selecting* judge reads with the fewest wrong words, the first of equals."""
    words = [text for text, group in zip(said, groups, strict=True) for _ in group]
    wrong, _ = word_errors(words, stack.read([row for group in groups for row in group], lang))
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return [group[int(some.argmin())] for group, some in zip(groups, np.split(wrong, ends), strict=True)]


def train(model: TextSpeechLM, triplets: Sequence[Triplet], run: Run) -> tuple[loop.Trained, dict]:
    """Trains `model` in place on y_real alone, without style prefix, as the pairs are scored."""
    p, noise = run.params.align, run.params.sft.token_noise
    examples = {t.name.rpartition("/")[0]: (t.text, t.prefix[:0], t.real) for t in triplets}
    names, rows = list(examples), list(examples.values())
    batches = loop.Batches([sum(map(len, row)) + 2 for row in rows], names, p.budget, run.seed)
    data = key_of("sft on y_real", noise, *(part for text, _, speech in rows for part in (text, speech)))

    def read(places) -> Batch:
        return noisy(collate([rows[i] for i in places]), noise, model.config.speech_vocab)

    done = loop.train(model, loss, batches, read, run.config(p.sft_lr), run.work, data, run.what, run.keep)
    return done, {"utterances": len(rows)}
