"""The claims S1 to S3: aligned policies against what they start from, on both tasks; identity; Lao without real Lao speech.

Of standard speech differences are paired over texts and seeds, of cloning over speakers and seeds. Cloning is judged with the
style prefix on, as CosyVoice2 clones. Left out: listening scores, and rivals: none of those that run here can clone.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.alignment_claims import Part, claims_of
from sebridge_lite.measure.cloning import gap, over_speakers
from sebridge_lite.measure.stats import columns
from sebridge_lite.measure.systems import UNKNOWN, Systems
from sebridge_lite.measure.verdicts import Claim

Clones = Mapping[
    str, Sequence[pd.DataFrame]
]  # "th sft", "th dgsa", "lo start", "lo tdsc", "lo tdsc, Thai voice": a table a seed
CLONED = ("wer", "sim", "sim_held", "ceiling", "floor", "f0_mean_gap", "f0_std", "f0_std_recorded")

# id: claim, what the paper prints, and our table
CLAIMS = {
    "S1": ("Aligned policies beat their SFT on both tasks (Sec. 5.5)", "WER lo 38.5 to 29.8 % (Table 4)", "table5"),
    "S2": ("Cloning keeps the speaker's identity (Sec. 5.5)", "SIM th 0.84, lo 0.81 (Table 6); no floor, no ceiling", "table6"),
    "S3": ("Lao cloning works without any real Lao speech (Sec. 5.5)", "WER 29.8 %, SIM 0.81 (Table 6)", "table6"),
}  # fmt: skip


def _gap(clones: Clones, one: str, name: str, other: str, other_name: str | None = None):
    if one not in clones or other not in clones:
        return UNKNOWN
    return gap(clones[one], name, clones[other], other_name or name)


def _identity(clones: Clones, name: str) -> list[Part]:
    """Above other speakers, both to the reference and to a recording that the decoder has not seen."""
    return [Part(f"cloning {name}: {sim} - floor", "sim", 1, _gap(clones, name, sim, name, "floor"))
            for sim in ("sim", "sim_held")]  # fmt: skip


def parts_of(th: Systems, lo: Systems, clones: Clones) -> dict[str, list[Part]]:
    """Every claim's conditions; the first is its headline. What a method may not cost has a limit."""
    first, second, foreign = ("th sft", "th dgsa"), ("lo start", "lo tdsc"), "lo tdsc, Thai voice"
    wishes = [
        Part("tts th dgsa - sft", "f0_std", 1, th.gain("f0_std", "dgsa", "sft")),
        Part("tts th dgsa - sft", "hp", 1, th.gain("hp", "dgsa", "sft")),
        Part("tts th dgsa - sft", "wer_cal", 1, th.gain("wer_cal", "dgsa", "sft"), limit=True),
        Part("tts lo tdsc - start", "wer_cal", -1, lo.gain("wer_cal", "tdsc", "start")),
        Part("tts lo tdsc - start", "hp", 1, lo.gain("hp", "tdsc", "start")),
        Part("cloning th dgsa - sft", "f0_std", 1, _gap(clones, first[1], "f0_std", first[0])),
        Part("cloning th dgsa - sft", "wer", 1, _gap(clones, first[1], "wer", first[0]), limit=True),
        Part("cloning lo tdsc - start", "wer", -1, _gap(clones, second[1], "wer", second[0])),
    ]
    wishes += [
        Part(f"cloning {b} - {a[3:]}", "sim", -1, _gap(clones, b, "sim", a), limit=True) for a, b in (first, second)
    ]
    standard = "lo tdsc, standard"
    worse = Part(f"cloning {foreign} - {standard}", "wer", 1, _gap(clones, foreign, "wer", standard), limit=True)
    return {
        "S1": wishes,
        "S2": _identity(clones, first[1]) + _identity(clones, second[1]),
        "S3": [*_identity(clones, foreign), worse],
    }


def systems_claims(parts: Mapping[str, Sequence[Part]], params: ClaimsParams, folder: str) -> list[Claim]:
    """S1 to S3 from `parts_of`."""
    return claims_of(CLAIMS, parts, params, folder)


def cloning_row(tables: Sequence[pd.DataFrame]) -> dict:
    """A condition of Table 6: its measures, and how far SIM lies above the floor and below the ceiling."""
    row: dict = {}
    for name in CLONED:
        row |= columns(name, over_speakers(tables, name))
    row |= columns("above_floor", gap(tables, "sim", tables, "floor")) | columns(
        "to_ceiling", gap(tables, "sim", tables, "ceiling")
    )
    seconds = float(tables[0]["reference_seconds"].mean())
    people = tables[0]["speaker"].nunique()
    return row | {"reference": seconds, "speakers": people, "texts": len(tables[0]), "seeds": len(tables)}


def by_speaker(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A row a speaker: pooled over texts and seeds."""
    everything = pd.concat(tables)
    names = ["sim", "sim_held", "ceiling", "floor", "f0_mean_gap", "f0_std_st", "f0_std_recorded"]
    groups = everything.groupby("speaker")
    found = groups[names].mean()
    found.insert(0, "wer", groups["words_wrong"].sum() / groups["words"].sum())
    return found.assign(texts=groups["id"].nunique()).reset_index()
