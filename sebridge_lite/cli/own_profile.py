"""The profile that `sebridge new` writes: lite's, with other values on some lines, each with what was chosen and why."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

from sebridge_lite.core.params import OWN, OwnParams, Params
from sebridge_lite.data.engines import FOLDER
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import seconds_of

MARGIN = 0.85  # of an engine's estimated speech: the filter drops some, and estimates err
SLACK = 1.05  # of what a mix needs: utterances have no round lengths
FEWEST_STEPS = 100  # of SFT
LITE = 180.0  # minutes of lite's largest mix, for which its 250 steps were chosen
BACKBONE_MINUTES = 180.0  # of engine speech from which the LM learns to read
DECODER_MINUTES = 20.0  # of it that teach tokenizer and decoder, too


class Source(NamedTuple):
    """What an engine is expected to give: minutes of speech, and minutes of work for them."""

    spec: str
    minutes: float
    work: float


def quoted(values: Sequence) -> str:
    """A list as YAML."""
    return json.dumps(list(values), ensure_ascii=False)


def decide(
    lang: str, params: Params, sets: dict[str, list[Utterance]], sources: Sequence[Source], texts: str, units: str
) -> dict[str, tuple[str, str]]:
    """The lines of params.yaml that change: each key with its value and why."""
    whole, engine = seconds_of(sets["train"]) / 60, sum(source.minutes for source in sources) * MARGIN
    real = min(whole, engine / SLACK)
    known = [float(arm.rpartition("-")[2]) for arm in params.cells.arms]
    alphas = [alpha for alpha in known if alpha < 1 and real * alpha / (1 - alpha) * SLACK <= engine * 1.001] or known[
        :1
    ]
    most, arms = alphas[-1], [f"additive-{alpha:.2f}" for alpha in alphas]
    wanted = real * most / (1 - most) * SLACK
    specs = [source.spec for source in sources]
    steps = max(FEWEST_STEPS, round(params.sft.steps * (real + wanted) / LITE, -1))
    dev, test = len(sets["dev"]), len(sets["test"])
    middle = min(alphas, key=lambda alpha: abs(alpha - 0.5))
    heard = dict.fromkeys([f"additive-{middle:.2f}", arms[-1], "sft-real", "dgsa"])
    part = f"of {whole:.1f} min of recordings: as much as there is from engines, so that half and half can be mixed"
    enough = f"{real:.1f} min of recordings and about {engine:.1f} min of engines reach {most:.0%}"
    further = "; --texts with more sentences reaches further" if len(alphas) + 1 < len(known) else ""

    def at_most(key: str, count: int) -> dict[str, tuple[str, str]]:
        section, name = key.split(".")
        usual = getattr(getattr(params, section), name)
        return {key: (str(count), f"all that there are; lite has {usual}")} if count < usual else {}

    return {
        "profile": (OWN, "written by `sebridge new`; `sebridge profile own` makes it the active one"),
        "stack": (OWN, "parts trained on your speech: the embedded ones know the studio's alone"),
        "text.units": (
            units,
            "espeak-ng knows the language" if units == "phones" else "espeak-ng does not know it here",
        ),
        "own": ("", "how the parts of your own speech are trained; sizes and rates as the embedded parts have them"),
        "roles.dgsa": (lang, "there is real speech to align with"),
        "roles.tdsc": (lang, "the same language, from its engines' speech alone; none leaves the study out"),
        "cells.arms": (f"[{', '.join([*arms, 'additive-1.00'])}]", enough + further),
        "corpus.real_source": ("folder", "your recordings, in data/real"),
        "corpus.synthetic_source": ("engines", "those of the next line"),
        "corpus.engine_specs": (quoted(specs), f"as asked; they say {texts}"),
        "corpus.backbone_engines": (
            quoted(backbone_engines(lang, specs)),
            "other voices than the study's, on either side",
        ),
        "corpus.backbone_minutes": (f"{BACKBONE_MINUTES:.1f}", "in a trial 5 hours taught reading in minutes"),
        "corpus.real_minutes": (
            f"{real + 0.1:.1f}",
            part if real < whole else f"all {len(sets['train'])} training recordings",
        ),
        "corpus.synthetic_minutes": (f"{wanted:.1f}", f"what {most:.0%} needs beside the real speech"),
        "corpus.second_synthetic_minutes": ("0.0", "there is no second language"),
        "corpus.alphas": (quoted([*alphas, 1.0]), "the mixes of cells.arms"),
        "sft.steps": (str(int(steps)), f"as lite's 250 for its {LITE:.0f} min, and {FEWEST_STEPS} at least"),
        "align.arm": (arms[-1], "the largest mix; the paper has 80 %"),
        "listening.systems": (f"[{', '.join(heard)}]", "neighbours meet in A/B; mixes that are here"),
        **at_most("align.dev_texts", dev),
        **at_most("align.curve_texts", test),
        **at_most("tdsc.curve_texts", test),
        **at_most("erosion.texts", test),
        **at_most("systems.texts", test),
        **at_most("listening.texts", max(2, test - params.listening.gold)),
    }


def backbone_engines(lang: str, specs: Sequence[str]) -> list[str]:
    """Other voices than the study's, from which the backbone learns to read."""
    voice = language(lang).voice
    flite = [f"flite:{name}" for name in ("kal16", "rms", "awb", "slt")] if lang.startswith("en") else []
    espeak = [f"espeak-ng:{voice}+{name}" for name in ("m3", "f2", "m7", "f4")]
    names = {"flite": flite, "espeak-ng": espeak}
    found = [spec for program, some in names.items() if shutil.which(program) for spec in some if spec not in specs]
    return found or [spec for spec in specs if not spec.startswith(FOLDER)]


def own_parts(lite: str, changes: dict[str, tuple[str, str]]) -> str:
    """The section `own`: what lite's `pretrain` says of the same parts, after the lines that have no fellow there."""
    lines = [f"  {key}: {value} # ours: {why}" for key, (value, why) in changes.items()]
    known, taken = {spec.name for spec in fields(OwnParams)} - set(changes), False
    for line in lite.partition("\npretrain:")[2].partition("\n\n")[0].splitlines()[1:]:
        taken = line.split(":")[0].strip() in known if line[:4] != "    " else taken
        lines += [line] * taken
    return "\n" + "\n".join(lines)


def edited(text: str, changes: dict[str, tuple[str, str]], more: dict[str, str]) -> str:
    """A parameter file with other values and comments on some lines, and more lines after some; the rest stays as it is."""
    lines, section, left = [], "", set(changes)
    for line in text.splitlines():
        if found := re.match(r"( *)(\w+):", line):
            section = section if found[1] else found[2]
            key = f"{section}.{found[2]}" if found[1] else section
            if key in left:
                left.remove(key)
                value, why = changes[key]
                line = f"{found[1]}{found[2]}:{value and f' {value}'} # ours: {why}{more.get(key, '')}"
        lines.append(line)
    assert not left, left
    return "\n".join(lines) + "\n"
