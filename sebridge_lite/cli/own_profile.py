"""The profile that `sebridge new` writes: lite's, with other values on some lines, each with what was chosen and why."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import NamedTuple

from sebridge_lite.core.params import OwnParams, Params
from sebridge_lite.data.engines import FOLDER
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import seconds_of

ALL_OF = (
    "align.dev_texts",
    "align.curve_texts",
    "tdsc.curve_texts",
    "erosion.texts",
    "systems.texts",
    "listening.texts",
)
MARGIN = 0.85  # of an engine's estimated speech: the filter drops some, and estimates err
SLACK = 1.05  # of what a mix needs: utterances have no round lengths
FEWEST_STEPS = 400  # of SFT
STEPS_TRIED = "in a trial on an hour of speech 100 left .66 of the words wrong, 400 .55, 800 .54 (40 dev texts)"
RATE_TRIED = "as the backbone's; in the same trial lite's 4.0e-3 left .60 of the words wrong, this .55"
TOKENS = 25  # of speech, a second
LITE = 180.0  # minutes of lite's largest mix, for which its 250 steps were chosen
BACKBONE_MINUTES = 300.0  # of engine speech from which the LM learns to read
VOCODER_STEPS = "200 # ours: the embedded one, used to your voices: as it is it adds 8 points of word error"


class Source(NamedTuple):
    """What an engine is expected to give: minutes of speech, and minutes of work for them."""

    spec: str
    minutes: float
    work: float


def backbone_engines(lang: str, specs: Sequence[str]) -> list[str]:
    """Other voices than the study's, from which the backbone learns to read."""
    voices = ["flite:kal16", "flite:rms", "flite:awb", "flite:slt"] if lang.startswith("en") else []
    voices += [f"espeak-ng:{language(lang).voice}+{name}" for name in ("m3", "f2", "m7", "f4")]
    found = [spec for spec in voices if shutil.which(spec.partition(":")[0]) and spec not in specs]
    return found or [spec for spec in specs if not spec.startswith(FOLDER)]


def own_parts(lite: str) -> str:
    """The lines of the section `own` that say of the same parts what lite's `pretrain` says."""
    lines, known, taken = [], {spec.name for spec in fields(OwnParams)}, False
    for line in lite.partition("\npretrain:")[2].partition("\n\n")[0].splitlines()[1:]:
        taken = line.split(":")[0].strip() in known if line[:4] != "    " else taken
        lines += [line] * taken
    text = "\n".join(lines)
    for part, steps in (
        ("speaker", "0 # ours: the embedded one; few voices cannot teach it"),
        ("vocoder", VOCODER_STEPS),
    ):
        text = re.sub(rf"(  {part}:.*(?:\n    .*)*?\n    steps:).*", rf"\1 {steps}", text)
    return text


def chosen(
    lite: str,
    params: Params,
    lang: str,
    sets: dict[str, list[Utterance]],
    sources: Sequence[Source],
    texts: str,
    units: str,
    read: list[Utterance],
    judge: str,
) -> str:
    """The lines of lite's profile that change, by section and key; `read` are the training recordings as the LM reads them."""
    pace = TOKENS * seconds_of(read) / sum(len(said.text) for said in read)
    whole, engine = seconds_of(sets["real"]) / 60, sum(source.minutes for source in sources) * MARGIN
    real = min(whole, engine / SLACK)
    known = [float(arm.rpartition("-")[2]) for arm in params.cells.arms]
    alphas = [alpha for alpha in known if alpha < 1 and real * alpha / (1 - alpha) * SLACK < engine + 0.01] or known[:1]
    most, arms, middle = (
        alphas[-1],
        [f"additive-{alpha:.2f}" for alpha in alphas],
        min(alphas, key=lambda a: abs(a - 0.5)),
    )
    wanted = real * most / (1 - most) * SLACK
    steps = max(FEWEST_STEPS, round(params.sft.steps * (real + wanted) / LITE, -1))
    heard = dict.fromkeys([f"additive-{middle:.2f}", arms[-1], "sft-real", "dgsa"])
    specs, further = [source.spec for source in sources], "; more --texts or engines reach further"
    further *= most < known[-2]
    used = f"all {len(sets['real'])} training recordings"
    if real < whole:
        used = f"of {whole:.1f} min, as much as there is from engines, so that half and half can be mixed"
    lines = f"""\
profile: own # ours: written by `sebridge new`; `sebridge profile own` makes it the active one
stack: own # ours: parts trained on your speech; the embedded ones know the studio's alone
text.units: {units} # ours: phones where espeak-ng knows the language
roles.dgsa: "{lang}" # ours: there is real speech to align with
roles.tdsc: "{lang}" # ours: the same language, from its engines' speech alone; none leaves the study out
cells.arms: [{", ".join(arms)}, additive-1.00] # ours: {real:.1f} min real, about {engine:.1f} of engines{further}
corpus.real_source: folder # ours: your recordings, in data/real
corpus.synthetic_source: engines # ours: those of the next line
corpus.engine_specs: {json.dumps(specs, ensure_ascii=False)} # ours: as asked; they say {texts}
corpus.backbone_engines: {json.dumps(backbone_engines(lang, specs))} # ours: other voices than the study's
corpus.backbone_minutes: {BACKBONE_MINUTES} # ours: in a trial 5 hours taught reading in minutes
corpus.real_minutes: {real + 0.1:.1f} # ours: {used}
corpus.synthetic_minutes: {wanted:.1f} # ours: what {most:.0%} needs beside the real speech
corpus.second_synthetic_minutes: 0.0 # ours: there is no second language
corpus.alphas: {[*alphas, 1.0]} # ours: the mixes of cells.arms
sft.steps: {steps:.0f} # ours: as lite's {params.sft.steps} for its {LITE:.0f} min, and {FEWEST_STEPS} at least: {STEPS_TRIED}
sft.lr: 2.0e-3 # Table 11: 1e-5 for half a billion weights; ours: {RATE_TRIED}
tdsc.start_steps: {steps:.0f} # ours: as sft.steps
tdsc.lr: 2.0e-3 # Table 11: 1e-5 for half a billion weights; ours: as sft.lr
judge.score: {json.dumps(judge)} # ours: as asked; own is the stack's own recogniser, another one is independent of it
sampling.min_ratio: {0.4 * pace:.2f} # ours: 0.4 of the {pace:.2f} speech tokens a letter of your recordings
sampling.max_ratio: {2 * pace:.2f} # ours: twice these
align.arm: {arms[-1]} # ours: the largest mix with real speech; the paper has 80 %
listening.systems: [{", ".join(heard)}] # ours: mixes that are here; neighbours meet in A/B
own: # ours: how the parts of your own speech are trained; sizes and rates are those of the embedded parts
  begun: true # ours: from the embedded weights, wherever shapes agree
  decoder_minutes: {BACKBONE_MINUTES} # ours: of the backbone's speech, to teach tokenizer and decoder too: all of it
  real_share: 0.25 # ours: of what these parts learn from, by repeating it; at 3 % they learnt the engines alone
  spectrum: 10.0 # ours: weight of the envelope in the tokenizer's loss; without it human speech loses more words
{own_parts(lite)}
"""
    for key in ALL_OF:
        usual = attrgetter(key)(params)
        count = max(2, len(sets["dev" if "dev" in key else "test"]) - params.listening.gold * ("listening" in key))
        lines += f"{key}: {count} # ours: all that there are; lite has {usual}\n" * (count < usual)
    return lines


def edited(text: str, lines: str) -> str:
    """A parameter file with other lines in place of those of the same section and key."""
    changes = dict(re.findall(r"^([\w.]+): (.*(?:\n .*)*)", lines, re.MULTILINE))
    kept, section = [], ""
    for line in text.splitlines():
        if found := re.match(r"( *)(\w+):", line):
            section = section if found[1] else found[2]
            if change := changes.pop(f"{section}.{found[2]}" if found[1] else section, None):
                line = f"{found[0]} {change}"
        kept.append(line)
    assert not changes, changes
    return "\n".join(kept) + "\n"
