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

import numpy as np

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import OWN, OwnParams, Params, load_params
from sebridge_lite.data.adopt import adopt, read_texts
from sebridge_lite.data.data_card import format_card
from sebridge_lite.data.engines import FOLDER, engine_of, spoken
from sebridge_lite.data.filters import Filter, letter_seconds
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import seconds_of
from sebridge_lite.data.splits import SHARES, apart_from, split

SAMPLED = 20  # texts that an engine says, to see that it does and how long it takes
STEP_SECONDS = 0.3  # of SFT, as lite takes them on two cores
PARTS_MINUTES = 40.0  # of training a stack of your own, roughly
BYTES = 32_000  # a second of speech, in each of data/, DVC's cache, artifacts/ and DVC's cache of it
MODELS = 1.5e9  # bytes of parts, policies and scores


def chosen_sets(said: Sequence[Utterance], lang: str, params: Params) -> dict[str, list[Utterance]]:
    """The recordings by set, as the stage `import` will find them."""
    words = [language(lang).segment(one.text) for one in said]
    most = {"dev": params.corpus.dev_texts, "test": params.corpus.test_texts}
    places, sets = split(words, most), {"train": [], "dev": [], "test": []}
    for one, its in zip(said, words, strict=True):
        sets[places[its]].append(one)
    return sets


def sampled(spec: str, texts: Sequence[str], lang: str, rule: Filter, work: Path) -> Source:
    """What an engine will give of all texts, from some of them, short to long: a line through letters and seconds."""
    tongue, start = language(lang), time.perf_counter()
    some = sorted(texts, key=len)[:: max(1, len(texts) // SAMPLED)]
    made = list(spoken(spec, [(text, tongue.segment(text)) for text in some], lang, work))
    took, kept = time.perf_counter() - start, [one.utterance for one in made if not rule.fault(one)]
    if not kept:
        raise UserError(f"engine {spec}: all {len(made)} samples fail the filter ({rule.fault(made[0])}); listen to it")
    letters, share = [len(one.text) for one in kept], len(kept) / len(made)
    line = np.polyfit(letters, [one.seconds for one in kept], 1 if len(set(letters)) > 1 else 0)
    seconds = share * float(np.polyval(line, [len(text) for text in texts]).sum())
    return Source(spec, seconds / 60, took * len(texts) / len(some) / 60)


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
            kept, what = (
                list(dict.fromkeys(one.text for one in sets["train"])),
                "the transcripts of the training recordings",
            )
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for spec in specs:
            if spec.startswith(FOLDER):
                name = spec.removeprefix(FOLDER)
                place = stack.enter_context(paths.replacing(home / "synthetic" / name))
                sources.append(Source(spec, seconds_of(adopt(folders[name], lang, place)[0]) / 60, 0.0))
            else:
                rule = Filter(letter_seconds(sets["train"]), lite.corpus.duration_ratio, lite.corpus.max_stuck)
                sources.append(sampled(spec, kept, lang, rule, work))
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
