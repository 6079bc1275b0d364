"""What a corpus holds, as tables: its data card, its pitch, its mixes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import alpha_of, mix, seconds_of
from sebridge_lite.data.recordings import load_f0


def data_card(sets: Mapping[str, Sequence[Utterance]], lexicon_size: int) -> pd.DataFrame:
    """A row a set: how much, by how many, which share of the lexicon, how often what was said differs from the text."""
    rows = []
    for name, utterances in sets.items():
        words = {word for utterance in utterances for word in utterance.words}
        truths = [utterance.truth for utterance in utterances if utterance.truth]
        syllables = sum(len(truth["tones"]) for truth in truths)
        wrong = sum(tuple(u.truth["words"]) != u.words for u in utterances if u.truth)
        rows.append({
            "set": name, "utterances": len(utterances), "minutes": seconds_of(utterances) / 60,
            "voices": len({utterance.speaker for utterance in utterances}), "words used": len(words),
            "share of lexicon": len(words) / lexicon_size,
            "slips a syllable": sum(len(truth["slips"]) for truth in truths) / syllables if syllables else np.nan,
            "wrong transcripts": wrong / len(truths) if truths else np.nan,
        })  # fmt: skip
    return pd.DataFrame(rows)


def pitch_table(utterances: Sequence[Utterance], folder: Path) -> pd.DataFrame:
    """A row a studio utterance: how far its true F0 spreads, and how fast it is spoken."""
    rows = []
    for utterance in utterances:
        f0 = load_f0(utterance, folder)
        semitones = 12 * np.log2(f0[f0 > 0])
        rows.append({
            "id": utterance.id, "kind": utterance.kind, "speaker": utterance.speaker, "f0_std_st": semitones.std(),
            "f0_range_st": np.subtract(*np.percentile(semitones, [95, 5])),
            "syllables_per_second": len(utterance.truth["tones"]) / utterance.seconds,
        })  # fmt: skip
    return pd.DataFrame(rows)


def mix_table(
    real: Sequence[Utterance], synthetic: Sequence[Utterance], alphas: Sequence[float], seed: int
) -> pd.DataFrame:
    """A row an alpha: the minutes of each kind in the mix, and the alpha that it really has."""
    rows = []
    for alpha in alphas:
        mixed = mix(real, synthetic, alpha, seed)
        minutes = {kind: seconds_of([u for u in mixed if (u.kind == "engine") == (kind == "synthetic")]) / 60
                   for kind in ("real", "synthetic")}  # fmt: skip
        rows.append({
            "alpha": alpha, "real_min": minutes["real"], "synthetic_min": minutes["synthetic"], "alpha_got": alpha_of(mixed),
        })  # fmt: skip
    return pd.DataFrame(rows)
