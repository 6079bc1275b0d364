"""How time grows with data: the main steps of the pipeline at 1, 2, 4 and 8 times the data, on one thread.

Twice the data are the same sentences twice; each copy has a name and random numbers of its own, and so other candidates. The
pretrained parts, and the settings of `params/lite.yaml`. Steps:

    encode        recordings to tokens, read from disk and written there
    SFT epoch     `fine_tune`, once through all examples
    candidates    TDSC's step: twelve candidates of each text, generated and judged
    scoring       `evaluate`: generated, decoded, heard, measured

`arms` are texts a second of the candidate step at each size. `ratio` is how many times as long that step takes for twice
the texts: of the three doublings the worst, its median over repeats, its smallest and its largest. `growth` has every step.

    OMP_WAIT_POLICY=passive python benchmarks/growth.py --repeats 3 --json growth.json
"""

import copy
import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from _common import clock, exit_code, in_turn, options, ratios, seconds, write_json
from torch import Tensor

from sebridge_lite.align.critic import fit_length
from sebridge_lite.align.tdsc import Loop, judge, speak
from sebridge_lite.core.params import load_params
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.encode import encode_set
from sebridge_lite.lm.lm import TextSpeechLM, load_backbone
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.lm.train import Batches
from sebridge_lite.measure.evaluate import evaluate
from sebridge_lite.measure.scoring import load_references
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences
from sebridge_lite.studio.voices import people

SIZES, LANG = (1, 2, 4, 8), "th"
SENTENCES = 12
TEXTS = {"encode": 48, "SFT epoch": 24, "candidates": 12, "scoring": 4}  # at size 1: what takes about a second or less
LITE = Path(__file__).parents[1] / "params" / "lite.yaml"


@dataclass(frozen=True)
class World:
    bench: Bench
    model: TextSpeechLM
    codes: dict[str, Tensor]  # of each text
    work: Path


def make_world(folder: Path) -> World:
    """People's recordings on disk, and a bench that holds nothing else."""
    said = itertools.islice(sentences(load_language(LANG), "loop", 0), SENTENCES)
    recordings = write_set(folder, "said", record_all(lines_of("said", LANG, said, people("train", SENTENCES), 0), 0))
    bench = Bench(load_params(LITE), LANG, {"synthetic": (recordings, folder)})
    codes = bench.stack.tokens(bench.stack.load(recordings, folder))
    by_text = {utterance.text: row for utterance, row in zip(recordings, codes, strict=True)}
    return World(bench, load_backbone().to(bench.stack.device), by_text, folder)


def said_by(world: World, step: str, size: int) -> list[Utterance]:
    """The recordings of a step, over and over, each under a name of its own."""
    own = itertools.cycle(world.bench.utterances("synthetic")[: TEXTS[step]])
    return [replace(u, id=f"{u.id}-{place}") for place, u in enumerate(itertools.islice(own, size * TEXTS[step]))]


def new_folder(world: World) -> Path:
    return Path(tempfile.mkdtemp(dir=world.work))


def encode(world: World, said: list[Utterance]) -> Callable:
    bench = world.bench.with_set("synthetic", said, world.work)
    return partial(encode_set, bench, "synthetic", new_folder(world))


def sft_epoch(world: World, said: list[Utterance]) -> Callable:
    examples = [(world.bench.stack.text.encode(u.text), world.codes[u.text]) for u in said]
    sizes, p = [len(text) + len(speech) + 2 for text, speech in examples], world.bench.params.sft
    steps = len(Batches(sizes, [u.id for u in said], p.budget, 0).epoch(0))
    model, speakers = copy.deepcopy(world.model), [u.speaker for u in said]
    return partial(fine_tune, model, examples, speakers, replace(p, steps=steps), 0, new_folder(world), "SFT")


def candidates(world: World, said: list[Utterance]) -> Callable:
    params, stack, length = (
        world.bench.params,
        world.bench.stack,
        fit_length(list(world.codes), list(world.codes.values())),
    )
    listen = partial(stack.read, lang=LANG)
    loop = Loop("tdsc", 0, params.tdsc, params.sft, params.sampling, stack.text.encode, listen, length, [], world.work)
    return lambda: judge(loop, 1, said, speak(loop, 1, world.model, said))


def scoring(world: World, said: list[Utterance]) -> Callable:
    stack, sampler = world.bench.stack, world.bench.sampler(0)

    def score():
        references = load_references(stack, said, world.work, LANG)
        return evaluate(world.model, stack, references, sampler, silence=[], seed=0)

    return score


STEPS = {"encode": encode, "SFT epoch": sft_epoch, "candidates": candidates, "scoring": scoring}


def spent(world: World, step: str, size: int) -> tuple[float, float]:
    """Seconds by the benchmarks' clock, and by the wall's; what is prepared before does not count."""
    work, begun = STEPS[step](world, said_by(world, step, size)), time.perf_counter()
    return seconds(work), time.perf_counter() - begun


def measure(world: World, repeats: int) -> dict[tuple[str, int], list[tuple[float, float]]]:
    for step in STEPS:  # the first call of anything is slower
        spent(world, step, 1)
    return in_turn({(step, n): partial(spent, world, step, n) for step in STEPS for n in SIZES}, repeats)


def table(times: dict[tuple[str, int], list[tuple[float, float]]]) -> list[dict]:
    """A row a step and size; `growth` is against the size before, None for the first."""
    rows = []
    for (step, size), found in times.items():
        own, wall = zip(*found, strict=True)
        row = {"step": step, "size": size, "texts": size * TEXTS[step], "seconds": median(own), "wall": median(wall)}
        before = times.get((step, size // 2))
        grown = ratios(own, [by_clock for by_clock, _ in before]) if before else {}
        rows.append(row | {"growth": grown.get("ratio"), "low": grown.get("low"), "high": grown.get("high")})
    return rows


def result_of(rows: list[dict], repeats: int) -> dict:
    own = [row for row in rows if row["step"] == "candidates"]
    worst = max(own[1:], key=lambda row: row["growth"])
    return {
        "name": "growth", "arms": {f"{row['size']}x": row["texts"] / row["seconds"] for row in own},
        "ratio": worst["growth"], "low": worst["low"], "high": worst["high"], "repeats": repeats,
        "of": [f"{worst['size']}x", f"{worst['size'] // 2}x"], "clock": clock(), "unit": "texts/s", "growth": rows,
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    args = options(__doc__, repeats=3).parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = table(measure(make_world(Path(folder)), args.repeats))
    for row in rows:
        print("{step}, {texts} texts: {seconds:.2f} s, {wall:.2f} s by the wall".format(**row))
        if row["growth"]:
            print("    {growth:.2f} ({low:.2f} to {high:.2f}) times as long as half of them".format(**row))
    result = result_of(rows, args.repeats)
    print(
        "twice the texts: {ratio:.2f} ({low:.2f} to {high:.2f}) times the time of the candidate step".format(**result)
    )
    if args.json:
        write_json(args.json, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
