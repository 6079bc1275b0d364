"""`sebridge new`: from a folder of recordings to a profile of your own, with all that was chosen and why.

It writes data/real/, data/synthetic/ENGINE/ for speech that an engine has made elsewhere, data/texts.txt where sentences are
given, and params/own.yaml. The engines' own speech is made by the stage `import`.
"""

import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import torch

from sebridge_lite.align.methods import lambda_e
from sebridge_lite.cli.own_profile import SLACK, Source, chosen, edited
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import OWN, Params, load_params
from sebridge_lite.data.adopt import adopt, read_texts
from sebridge_lite.data.data_card import format_card
from sebridge_lite.data.engines import FOLDER, engine_of, spoken
from sebridge_lite.data.filters import Filter, fitted
from sebridge_lite.data.languages import LANGUAGES, language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import seconds_of
from sebridge_lite.data.recordings import Recording
from sebridge_lite.data.splits import SHARES, apart_from, by_set
from sebridge_lite.experiments.own_corpus import as_units
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.stack.judges import named_judge

SAMPLED = 40  # texts that an engine says, to see that it does and how long it takes
STEP_SECONDS = 0.3  # of SFT, as lite takes them on two cores
PARTS_MINUTES = 75.0  # of training a stack of your own: so long on two cores in two runs, Russian and English
ABOVE = 0.8  # the paper's mix for DGSA (Sec. 5.3), above its alpha* of 0.5
BYTES = 32_000  # a second of speech, in each of data/, DVC's cache, artifacts/ and DVC's cache of it
SIDES = {"real": "train"}  # what the sets are called here, where not as in the corpus
MODELS = 1.5e9  # bytes of parts, policies and scores


def sampled(spec: str, texts: Sequence[str], lang: str, units: str, rule: Filter, work: Path) -> Source:
    """What an engine will give of all texts, from some of them, short to long."""
    tongue, start = language(lang), time.perf_counter()
    some = sorted(texts, key=len)[:: max(1, len(texts) // SAMPLED)]
    made = list(spoken(spec, [(text, tongue.segment(text)) for text in some], lang, work))
    took = time.perf_counter() - start
    passed = {one.utterance.id for one in as_units(made, lang, units) if not rule.fault(one)}
    if not passed:
        raise UserError(
            f"engine {spec}: all {len(made)} samples fail the filter: too long, too short or stuck; listen to it"
        )
    seconds = sum(one.utterance.seconds for one in made if one.utterance.id in passed)
    scale = len(texts) / len(some) / 60
    return Source(spec, seconds * scale, took * scale)


def warnings(sets: dict[str, list[Utterance]], params: Params) -> Iterator[str]:
    """What makes the results weaker than they look."""
    dev, test, usual, need = len(sets["dev"]), len(sets["test"]), params.align.dev_texts, params.claims.min_texts
    if test < need:
        yield f"warning: test has {test} texts, a verdict needs {need} (claims.min_texts): read tables with their intervals"
    if dev < usual:
        yield f"warning: dev has {dev} texts, {usual} are usual: steps and temperatures are chosen on little"
    if both := {said.speaker for said in sets["real"]} & {said.speaker for said in sets["test"]}:
        who = f"speaker {min(both)!r} is" if len(both) == 1 else f"{len(both)} speakers are"
        yield f"warning: {who} in train and in test: results hold for these voices, not for others"


def too_few_engines(own: Params) -> Iterator[str]:
    """That DGSA lacks a half of its pairs, where engines say too little for a mix above alpha*."""
    alpha, star = arm_of(own.align.arm).alpha, own.align.alpha_star
    if not lambda_e(alpha, star):
        enough = own.corpus.real_minutes * ABOVE / (1 - ABOVE) * SLACK
        yield (
            f"warning: the largest mix with real speech, {alpha:.0%}, is not above alpha*, {star:.0%}: there DGSA gives its "
            f"expressivity pairs no weight (Eq. 13); about {enough:.0f} min of engines reach {ABOVE:.0%}: more lines in "
            "--texts FILE, another --engine"
        )


def engines_of(asked: Sequence[str], lang: str) -> tuple[list[str], dict[str, Path]]:
    """The specs of the engines, as params.yaml has them, and the folders of those that have spoken already."""
    if not asked:
        here = [name for name in ("flite", "espeak-ng") if shutil.which(name)]
        raise UserError(f"no engine: name one or more with --engine; installed here: {', '.join(here) or 'none'}")
    pairs = [spec.partition("=")[::2] for spec in asked]
    folders = {name: Path(given) for name, given in pairs if given and "{" not in given}
    if bad := [folder for folder in folders.values() if not folder.is_dir()]:
        raise UserError(f"--engine {bad[0]}: no such folder, and no command with {{text}} and {{out}}")
    specs = [FOLDER + name if name in folders else spec for spec, (name, _) in zip(asked, pairs, strict=True)]
    for spec in specs:
        if not spec.startswith((FOLDER, "mms")):
            engine_of(spec, lang)
    return specs, folders


def plan(own: Params, sets: dict[str, list[Utterance]], sources: Sequence[Source], said: str, disk: str) -> str:
    """What will be trained on what, and roughly how long that takes."""
    cells, policies = own.cells, len(own.cells.arms) + len(own.cells.align) + len(own.cells.critique)
    training = 2 * policies * len(cells.seeds) * own.sft.steps * STEP_SECONDS / 60
    hours = (PARTS_MINUTES + training + sum(source.work for source in sources)) / 60
    judge = (
        "" if own.judge.score == "own" else f"; {own.judge.score} comes on top, on a CPU a second or more a sentence"
    )
    minutes = [f"{SIDES.get(name, name)} {seconds_of(some) / 60:.1f} min ({len(some)})" for name, some in sets.items()]
    speech = [f"{source.spec.partition('=')[0]} about {source.minutes:.1f} min" for source in sources]
    return f"""plan
  recordings    {", ".join(minutes)}
  engines       {", ".join(speech)}; they say {said}
  text          as {own.text.units}
  policies      {policies}: mixes {" ".join(cells.arms)}, aligned {len(cells.align)}, criticised {len(cells.critique)}
  time          roughly {hours:.1f} h on {os.cpu_count()} cores{judge}; a tenth on a GPU, which nobody has measured
  disk          {disk}"""


def new(
    real: Path,
    lang: str,
    engines: Sequence[str],
    texts: Path | None,
    transcripts: Path | None,
    judge: str,
    out: Path | None,
    force: bool,
) -> Iterator[str]:
    """The card, the plan and the next commands, after all is written."""
    root, start = paths.root(), time.perf_counter()
    lite, home, usual = root / "params" / "lite.yaml", paths.data(), root / "params" / f"{OWN}.yaml"
    params, out, tongue = load_params(lite), out or usual, language(lang)
    if not (home / "text").is_dir():
        raise UserError(f"{home / 'text'}: not there; `dvc pull data.dvc parts codebook` fetches the embedded data")
    if not re.fullmatch("[a-z]{2,3}(-[A-Za-z]+)?", lang):
        raise UserError(f"--lang {lang}: a code such as ru, el or en, please")
    specs, given = engines_of(engines, lang)
    there = [home / "real", *(paths.data("synthetic", name) for name in given)]
    full = [path for path in there if path.is_dir() and any(file.name != "README.txt" for file in path.iterdir())]
    if (full := [*full, *[out] * out.is_file()]) and not force:
        raise UserError(f"{full[0]}: holds something already; move it away, or --force replaces it")
    extra = read_texts(texts, lang) if texts else []
    if judge != OWN:
        named_judge(judge, {}, torch.device("cpu")).listen  # noqa: B018  it is there, or says what is missing

    with ExitStack() as stack:  # all that is written takes its place together, or not at all
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = stack.enter_context(paths.replacing(home / "real"))
        good, problems, card = adopt(real, lang, place, transcripts)
        if (readme := home / "real" / "README.txt").is_file():
            shutil.copy(readme, place)
        yield format_card(card)
        for how, count in Counter(problem.how for problem in problems).most_common():
            yield f"left out: {count}, such as {next(problem for problem in problems if problem.how == how)}"
        sets, sources = by_set(good, tongue, params.corpus.dev_texts, params.corpus.test_texts), []
        yield from warnings(sets, params)
        kept = list(dict.fromkeys(said.text for said in sets["real"]))
        what = "the transcripts of the training recordings"
        if extra:
            is_apart = apart_from(said.words for name in SHARES for said in sets[name])
            kept = [text for text in extra if is_apart(tongue.segment(text))]
            if not kept:
                raise UserError(f"{texts}: every sentence is alike a text of dev or test; write others")
            what = f"{len(kept)} sentences of {texts}; {len(extra) - len(kept)} others are alike a text of dev or test"
        units = "characters"
        if lang not in LANGUAGES:  # espeak-ng's Thai and Lao are stubs
            with suppress(UserError):
                units = "phones" if tongue.phones([good[0].text])[0] else units
        silent = (Recording(said, np.zeros(0, np.int16), None) for said in sets["real"])
        read = [one.utterance for one in as_units(silent, lang, units)]
        rule = fitted(read, params.corpus.duration_ratio, params.corpus.max_stuck)
        for spec in specs:
            if spec.startswith(FOLDER):
                name = spec.removeprefix(FOLDER)
                made = adopt(given[name], lang, stack.enter_context(paths.replacing(paths.data("synthetic", name))))[0]
                sources.append(Source(spec, seconds_of(made) / 60, 0.0))
            else:
                sources.append(sampled(spec, kept, lang, units, rule, work))
        text, profile = lite.read_text(encoding="utf-8"), stack.enter_context(paths.replacing(out))
        profile.write_text(
            edited(text, chosen(text, params, lang, sets, sources, what, units, read, judge)), encoding="utf-8"
        )
        own = load_params(profile)
        minutes = seconds_of(good) / 60 + own.corpus.synthetic_minutes + own.corpus.backbone_minutes
        need, free = 4 * BYTES * 60 * minutes + MODELS, shutil.disk_usage(home).free
        if free < need:
            raise UserError(f"{home}: {need / 2**30:.1f} GiB are needed, {free / 2**30:.1f} are free; make room first")
        if extra:
            listed = stack.enter_context(paths.replacing(home / "texts.txt"))
            listed.write_text("\n".join(kept) + "\n", encoding="utf-8")
        else:
            (home / "texts.txt").unlink(missing_ok=True)

    yield plan(own, sets, sources, what, f"{need / 2**30:.1f} GiB of {free / 2**30:.0f} free")
    yield from too_few_engines(own)
    yield f"{out} says line by line what was chosen and why; took {time.perf_counter() - start:.0f} s; next:"
    activate = f"sebridge profile {OWN}" if out == usual else f"cp {out} {root / 'params.yaml'}"
    yield f"  dvc add data\n  {activate}\n  sebridge repro"
