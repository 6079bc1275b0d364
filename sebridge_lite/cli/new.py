"""`sebridge new`: from a folder of recordings to a profile of your own, with all that was chosen and why.

It writes data/real/, data/synthetic/ENGINE/ for speech that an engine has made elsewhere, data/texts.txt where sentences are
given, and params/own.yaml. The engines' own speech is made by the stage `import`.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import OWN, OwnParams, Params, load_params
from sebridge_lite.data.adopt import adopt, read_texts
from sebridge_lite.data.data_card import format_card
from sebridge_lite.data.engines import FOLDER, engine_of, spoken
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import seconds_of
from sebridge_lite.data.splits import SHARES, apart_from, split

SAMPLED = 4  # sentences that an engine says, to see that it does and how long it takes
MARGIN = 0.85  # of an engine's estimated speech: the filter drops some, and estimates err
SLACK = 1.05  # of what a mix needs: utterances have no round lengths
FEWEST_STEPS = 100  # of SFT
LITE = 180.0  # minutes of lite's largest mix, for which its 250 steps were chosen
STEP_SECONDS = 0.3  # of SFT, as lite takes them on two cores
PARTS_MINUTES = 40.0  # of training a stack of your own, roughly
BACKBONE_MINUTES = 180.0  # of engine speech from which the LM learns to read
DECODER_MINUTES = 20.0  # of it that teach tokenizer and decoder, too
BYTES = 32_000  # a second of speech, in each of data/, DVC's cache, artifacts/ and DVC's cache of it
MODELS = 1.5e9  # bytes of parts, policies and scores


class Source(NamedTuple):
    """What an engine is expected to give: minutes of speech, and minutes of work for them."""

    spec: str
    minutes: float
    work: float


def chosen_sets(said: Sequence[Utterance], lang: str, params: Params) -> dict[str, list[Utterance]]:
    """The recordings by set, as the stage `import` will find them."""
    words = [language(lang).segment(one.text) for one in said]
    most = {"dev": params.corpus.dev_texts, "test": params.corpus.test_texts}
    places, sets = split(words, most), {"train": [], "dev": [], "test": []}
    for one, its in zip(said, words, strict=True):
        sets[places[its]].append(one)
    return sets


def sampled(spec: str, texts: Sequence[str], lang: str, work: Path) -> Source:
    """What an engine will give, from a few sentences of middle length."""
    tongue, start = language(lang), time.perf_counter()
    middle = sorted(texts, key=len)[len(texts) // 2 :][:SAMPLED]
    made = list(spoken(spec, [(text, tongue.segment(text)) for text in middle], lang, work))
    seconds, took = seconds_of([one.utterance for one in made]), time.perf_counter() - start
    scale = sum(map(len, texts)) / sum(map(len, middle)) / 60
    return Source(spec, seconds * scale, took * scale)


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


def warnings(sets: dict[str, list[Utterance]], params: Params) -> Iterator[str]:
    """What makes the results weaker than they look."""
    dev, test, usual, need = len(sets["dev"]), len(sets["test"]), params.align.dev_texts, params.claims.min_texts
    if test < need:
        yield f"test has {test} texts, a verdict needs {need} (claims.min_texts): read tables with their intervals"
    if dev < usual:
        yield f"dev has {dev} texts, {usual} are usual: steps and temperatures are chosen on little"
    people = {name: {one.speaker for one in some} for name, some in sets.items()}
    if both := people["train"] & people["test"]:
        who = f"speaker {min(both)!r} is" if len(both) == 1 else f"{len(both)} speakers are"
        yield f"{who} in train and in test: results hold for these voices, not for others"


def new(
    real: Path,
    lang: str,
    engines: Sequence[str],
    texts: Path | None,
    transcripts: Path | None,
    out: Path | None,
    force: bool,
) -> Iterator[str]:
    """The card, the plan and the next commands, after all is written."""
    root, start = paths.root(), time.perf_counter()
    lite, home, cores = load_params(root / "params" / "lite.yaml"), paths.data(), os.cpu_count()
    usual = root / "params" / f"{OWN}.yaml"
    out = out or usual
    if not (home / "text").is_dir():
        raise UserError(
            f"{home / 'text'}: not there; fetch the embedded data first: `dvc pull data.dvc parts codebook`"
        )
    if not re.fullmatch("[a-z]{2,3}(-[A-Za-z]+)?", lang):
        raise UserError(f"--lang {lang}: a code such as ru, el or en, please")
    folders = {
        name: Path(given) for name, _, given in (spec.partition("=") for spec in engines) if given and "{" not in given
    }
    if bad := [str(folder) for folder in folders.values() if not folder.is_dir()]:
        raise UserError(f"--engine {bad[0]}: no such folder, and no command with {{text}} and {{out}}")
    specs = [FOLDER + spec.partition("=")[0] if spec.partition("=")[0] in folders else spec for spec in engines]
    for spec in specs:
        if not spec.startswith((FOLDER, "mms")):
            engine_of(spec, lang)
    if not specs:
        here = [name for name in ("flite", "espeak-ng") if shutil.which(name)]
        raise UserError(f"no engine: name one or more with --engine; installed here: {', '.join(here) or 'none'}")
    there = [home / "real", *(home / "synthetic" / name for name in folders)]
    full = [path for path in there if path.is_dir() and any(file.name != "README.txt" for file in path.iterdir())]
    full += [out] if out.is_file() else []
    if full and not force:
        raise UserError(f"{full[0]}: holds something already; move it away, or --force replaces it")
    extra = read_texts(texts, lang) if texts else []

    with ExitStack() as stack:
        place = stack.enter_context(paths.replacing(home / "real"))
        good, problems, card = adopt(real, lang, place, transcripts)
        if (readme := home / "real" / "README.txt").is_file():
            shutil.copy(readme, place)
        yield format_card(card)
        for how, count in Counter(problem.how for problem in problems).most_common():
            yield f"left out: {count}, such as {next(problem for problem in problems if problem.how == how)}"
        sets, sources = chosen_sets(good, lang, lite), []
        if extra:
            is_apart = apart_from(language(lang).segment(one.text) for name in SHARES for one in sets[name])
            kept = [text for text in extra if is_apart(language(lang).segment(text))]
            what = f"{len(kept)} sentences of {texts}, {len(extra) - len(kept)} left out, being alike a text of dev or test"
        else:
            kept, what = list({one.text for one in sets["train"]}), "the transcripts of the training recordings"
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for spec in specs:
            if spec.startswith(FOLDER):
                name = spec.removeprefix(FOLDER)
                place = stack.enter_context(paths.replacing(home / "synthetic" / name))
                sources.append(Source(spec, seconds_of(adopt(folders[name], lang, place)[0]) / 60, 0.0))
            else:
                sources.append(sampled(spec, kept, lang, work))
        try:
            language(lang).phones([good[0].text])
            units = "phones"
        except UserError:
            units = "characters"
        changes = decide(lang, lite, sets, sources, what, units)
        seconds = seconds_of(good) + 60 * float(changes["corpus.synthetic_minutes"][0])
        seconds += 60 * BACKBONE_MINUTES
        need, free = 4 * BYTES * seconds + MODELS, shutil.disk_usage(home).free
        if free < need:
            raise UserError(f"{home}: {need / 2**30:.1f} GiB are needed, {free / 2**30:.1f} are free; make room first")
        text = (root / "params" / "lite.yaml").read_text(encoding="utf-8")
        parts = {
            "begun": ("true", "from the embedded weights, wherever shapes agree"),
            "decoder_minutes": (
                f"{DECODER_MINUTES:.1f}",
                "of the backbone's speech, to teach tokenizer and decoder other voices",
            ),
        }
        text = edited(text, changes, {"own": own_parts(text, parts)})
        profile = stack.enter_context(paths.replacing(out))
        profile.write_text(text, encoding="utf-8")
        own = load_params(profile)
        listed = home / "texts.txt"
        if extra:
            stack.enter_context(paths.replacing(listed)).write_text("\n".join(kept) + "\n", encoding="utf-8")
        else:
            listed.unlink(missing_ok=True)

    for warning in warnings(sets, lite):
        yield f"warning: {warning}"
    minutes = {name: f"{name} {seconds_of(some) / 60:.1f} min ({len(some)})" for name, some in sets.items()}
    made = [f"{source.spec} about {source.minutes:.1f} min" for source in sources]
    cells, study = own.cells, len(own.cells.arms) + len(own.cells.align) + len(own.cells.critique)
    training = (len(cells.arms) + len(cells.critique)) * own.sft.steps * STEP_SECONDS / 60 * len(cells.seeds)
    hours = (PARTS_MINUTES + 2 * training + sum(source.work for source in sources)) / 60
    yield "plan"
    yield f"  recordings    {', '.join(minutes.values())}"
    yield f"  engines       {', '.join(made)}; they say {what}"
    yield f"  text          as {units}; every line of {out} says what was chosen and why"
    yield f"  policies      {study}: mixes {' '.join(cells.arms)}, aligned {len(cells.align)}, criticised {len(cells.critique)}"
    yield f"  time          roughly {hours:.1f} h on {cores} cores; a tenth on a GPU, which nobody has measured"
    yield f"  disk          {need / 2**30:.1f} GiB of {free / 2**30:.0f} free"
    yield f"took {time.perf_counter() - start:.0f} s; next:"
    activate = f"sebridge profile {OWN}" if out == usual else f"cp {out} {root / 'params.yaml'}"
    yield f"  dvc add data\n  {activate}\n  dvc repro"
