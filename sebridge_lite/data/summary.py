"""What a corpus holds, as tables: its data card, its pitch, its mixes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.core.errors import given, show
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import alpha_of, mix, seconds_of
from sebridge_lite.data.recordings import AGAIN, load_f0


def data_card(sets: Mapping[str, Sequence[Utterance]], lexicon_size: int) -> pd.DataFrame:
    """A row a set: how much, by how many, which share of the lexicon, how often what was said differs from the text."""
    rows = []
    for name, utterances in sets.items():
        words = {word for utterance in utterances for word in utterance.words}
        speakers = {utterance.speaker for utterance in utterances}
        truths = [utterance.truth | {"text": utterance.words} for utterance in utterances if utterance.truth]
        slips, syllables = (sum(len(truth[what]) for truth in truths) for what in ("slips", "tones"))
        wrong = np.mean([tuple(truth["words"]) != truth["text"] for truth in truths]) if truths else np.nan
        counts = {"utterances": len(utterances), "minutes": seconds_of(utterances) / 60, "voices": len(speakers)}
        known = {"words used": len(words), "share of lexicon": len(words) / lexicon_size}
        faults = {"slips a syllable": slips / syllables if syllables else np.nan, "wrong transcripts": wrong}
        rows.append({"set": name} | counts | known | faults)
    return pd.DataFrame(rows)


def pitch_table(utterances: Sequence[Utterance], folder: Path) -> pd.DataFrame:
    """A row a studio utterance: how far its true F0 spreads, and how fast it is spoken."""
    rows = []
    for said in utterances:
        f0 = load_f0(said, folder)
        semitones = 12 * np.log2(f0[f0 > 0])
        syllables = len(given(said.truth, f"{show(said.id)}: truth", AGAIN)["tones"])
        spread, pace = np.subtract(*np.percentile(semitones, [95, 5])), syllables / said.seconds
        rows.append((said.id, said.kind, said.speaker, semitones.std(), spread, pace))
    return pd.DataFrame(rows, columns=["id", "kind", "speaker", "f0_std_st", "f0_range_st", "syllables_per_second"])


def mix_table(
    real: Sequence[Utterance], synthetic: Sequence[Utterance], alphas: Sequence[float], seed: int
) -> pd.DataFrame:
    """A row an alpha: the minutes of each kind in the mix, and the alpha that it really has."""
    rows = []
    for alpha in alphas:
        mixed = mix(real, synthetic, alpha, seed)
        kinds = ([u for u in mixed if (u.kind == "engine") == made] for made in (False, True))
        rows.append((alpha, *(seconds_of(some) / 60 for some in kinds), alpha_of(mixed)))
    return pd.DataFrame(rows, columns=["alpha", "real_min", "synthetic_min", "alpha_got"])
