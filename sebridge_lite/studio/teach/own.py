"""Parts of your own speech: the training of `train_parts.py`, from recordings and engines in place of the studio's voices.

Nothing is known of a recording but its text: units are the letters or phones of the text, pitch is tracked. Tokenizer and decoder
learn from your training speech and from a share of the backbone's; the judges each learn from a half of it that the other never
hears; the backbone learns to read from other engines than the study's. Dev and test speech teach nothing.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from sebridge_lite.core.errors import UserError, given
from sebridge_lite.core.hashes import key_of
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.data.manifest import Utterance, load_audio
from sebridge_lite.data.recordings import to_int16
from sebridge_lite.data.sets import load_set, set_folder
from sebridge_lite.stack.batches import cut, in_batches
from sebridge_lite.stack.features import HOP, energy_db, f0, log_mel
from sebridge_lite.stack.own import ABOUT, Letters, spelt, units_of
from sebridge_lite.stack.parts import FOLDERS, load_part
from sebridge_lite.studio.teach import train_parts as parts
from sebridge_lite.studio.teach.material import Material

TOKEN = 2 * HOP  # samples
CHUNK = 256  # recordings whose sound is in memory
POSITIONS = 2_048  # of the backbone: half a minute of recording with its text
SHORTEST = 0.4  # seconds of a recording that can teach


def material(
    utterances: Sequence[Utterance], folder: Path, units: dict[str, int], what: str, pitch: bool = True
) -> Material:
    """Features of recordings; without pitch where only their tokens are wanted, which is ten times as fast."""
    found = Material()
    with progress(None, what, "recording", len(utterances)) as bar:
        for first in range(0, len(utterances), CHUNK):
            chunk = utterances[first : first + CHUNK]
            sounds = [torch.from_numpy(load_audio(utterance, folder)) for utterance in chunk]
            sounds = [sound[: len(sound) - len(sound) % TOKEN] for sound in sounds]  # the decoder wants whole tokens
            found = found + features(chunk, sounds, units, pitch)
            bar.update(len(chunk))
    return found


@torch.no_grad()
def features(said: Sequence[Utterance], sounds: Sequence[Tensor], units: dict[str, int], pitch: bool) -> Material:
    def measure(batch, lengths, _):
        rows = [log_mel(batch).half(), energy_db(batch)] + ([f0(batch)] if pitch else [])
        return list(zip(*(cut(row, lengths // HOP) for row in rows), strict=True))

    measured = in_batches(measure, sounds, 12_000 * HOP)
    mels, energies, tracks = zip(*(row if pitch else (*row, torch.zeros(0)) for row in measured), strict=True)
    wanted = [torch.tensor(spelt(utterance.text, units)) for utterance in said]
    kept = [torch.from_numpy(to_int16(sound.numpy())) for sound in sounds] if pitch else []
    return Material(list(said), list(mels), list(tracks), list(energies), wanted, kept)


def halves(m: Material) -> tuple[list[int], list[int]]:
    """Places of two halves, drawn by their texts, so that no text teaches both judges."""
    drawn = [int(rng_of(0, said.text, "judge").integers(2)) for said in m.utterances]
    return [i for i, side in enumerate(drawn) if not side], [i for i, side in enumerate(drawn) if side]


def selected(m: Material, places: Sequence[int]) -> Material:
    """Some of the utterances, without their sound."""
    kept: list[list] = [[rows[i] for i in places] for rows in (m.utterances, m.mels, m.f0, m.energy, m.units)]
    return Material(*kept)


def repeated(m: Material, times: int) -> Material:
    """Each utterance so many times, under ids of its own."""
    again = [
        replace(said, id=f"{said.id}~{time}" if time else said.id) for time in range(times) for said in m.utterances
    ]
    return Material(again, *(rows * times for rows in (m.mels, m.f0, m.energy, m.units, m.sounds)))


def minutes_of(utterances: Iterable[Utterance], minutes: float) -> list[Utterance]:
    """The first utterances that fill so many minutes."""
    taken, seconds = [], 0.0
    for utterance in utterances:
        if seconds >= minutes * 60:
            break
        taken.append(utterance)
        seconds += utterance.seconds
    return taken


def alphabet_of(utterances: Iterable[Utterance]) -> str:
    """The letters of the training texts, in order."""
    return "".join(sorted({letter for utterance in utterances for letter in utterance.text}))


def train_own(params: Params, lang: str, work: Path) -> dict:
    """What each part cost and what the alphabet is, after all parts lie in `work`."""
    p = given(params.own, "params.yaml: own", "`sebridge new` writes it")
    sets = {
        name: [u for u in load_set(name, lang) if u.seconds >= SHORTEST] for name in ("real", "synthetic", "backbone")
    }
    if not sets["backbone"]:
        raise UserError(
            "corpus.backbone_engines: none spoke; name an engine, such as espeak-ng, so that the LM learns to read"
        )
    alphabet = alphabet_of(utterance for utterances in sets.values() for utterance in utterances)
    units = units_of(alphabet)
    teachers = sets | {"backbone": minutes_of(sets["backbone"], p.decoder_minutes)}
    heard = {
        name: material(utterances, set_folder(name, lang), units, f"{lang} {name}")
        for name, utterances in teachers.items()
        if utterances
    }
    others = sum(sum(m.frames) for name, m in heard.items() if name != "real")
    if "real" in heard:
        times = others * p.real_share / (1 - p.real_share) / sum(heard["real"].frames)
        heard["real"] = repeated(heard["real"], max(1, round(times)))
    every = sum(heard.values(), Material())
    del heard
    plan = replace(
        parts.plan_of(p, work),
        units=len(units) + 1,
        text=Letters(alphabet),
        positions=POSITIONS,
        pace=pace_of(sets["backbone"]),
        spectrum=p.spectrum,
        grid=p.levels,
        begun=p.begun,
    )
    plan.made["material"] += key_of(alphabet, *every.names, *every.mels)
    speaker = parts.train_speaker(plan, every) if p.speaker.steps else load_part("speaker")
    plan.made.setdefault("speaker", "embedded")
    timbres = parts.timbres_of(speaker, every.mels)
    tokenizer = parts.train_tokenizer(plan, every, timbres, "tokenizer", p.levels)
    vocoder = parts.train_vocoder(plan, every) if p.vocoder.steps else load_part("vocoder")
    plan.made.setdefault("vocoder", "embedded")
    codes = parts.codes_of(tokenizer, every.mels)
    flow = parts.train_flow(plan, every, codes, timbres)
    spoken, read = halves(every)
    again = parts.resynthesised(selected(every, spoken), [codes[i] for i in spoken], timbres[spoken], flow, vocoder)
    parts.train_score_judge(plan, selected(every, spoken) + again)
    parts.train_select_judge(plan, selected(every, read), [codes[i] for i in read])
    del every, again
    rest = material(sets["backbone"], set_folder("backbone", lang), units, f"{lang} backbone, tokens", pitch=False)
    parts.train_backbone(plan, rest, parts.codes_of(tokenizer, rest.mels))
    (work / ABOUT).write_text(json.dumps({"lang": lang, "alphabet": alphabet}, ensure_ascii=False), encoding="utf-8")
    trained = [name for name in FOLDERS if (work / name / "cost.json").is_file()]
    return parts.costs(work, trained)


def pace_of(utterances: Sequence[Utterance]) -> float:
    """Speech tokens a letter."""
    return round(25 * sum(u.seconds for u in utterances) / sum(len(u.text) for u in utterances), 2)
