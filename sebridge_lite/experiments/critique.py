"""The stages `critique_start` and `critique`: a policy without real speech, and the K iterations in which it teaches itself.

artifacts/critique/sSEED/sft/k0/       the start, SFT on synthetic speech alone: model, sft.csv (loss), about.json
artifacts/critique/sSEED/METHOD/       about.json (how many iterations there are) and, of each iteration
    k1/ k2/ ...                        model, candidates.safetensors, verdicts.jsonl (a row a candidate: why it was kept or
                                       dropped), temperatures.csv (Table 9), sft.csv and dpo.csv (losses), about.json
An iteration whose candidates are all rejected ends the loop; one without pairs goes on without DPO; a text of which none is
accepted is left out. Each says so on stderr.
"""

import importlib
import io
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from sebridge_lite.align.critic import Length, Text, by_temperature, dropped, fit_length
from sebridge_lite.align.methods import method_of, settings_of
from sebridge_lite.align.tdsc import Candidates, Loop, Speech, decide, tdsc, temperatures
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.files import read_text
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.codes import read_codes, write_codes
from sebridge_lite.data.sets import load_set, set_folder
from sebridge_lite.experiments.bench import (
    Bench,
    again,
    cell,
    load_bench,
    made,
    read_json,
    read_table,
    write_json,
)
from sebridge_lite.lm.lm import TextSpeechLM, load_backbone
from sebridge_lite.lm.lora import save_policy
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.measure.entropy import diversity
from sebridge_lite.studio.texts import load_language, sentences

START = "sft"  # the system that all others start from
AT_ONCE = 512  # candidates that are sound at the same time


def tdsc_bench(params: Params) -> Bench:
    """The bench of the language whose policy teaches itself."""
    if params.roles.tdsc == "none":
        raise UserError("params.yaml: roles.tdsc: none; TDSC needs a language, such as lo")
    return load_bench(params, params.roles.tdsc)


def synthetic_speech(bench: Bench) -> list[Speech]:
    """All that there is to train on."""
    spoken = zip(bench.utterances("synthetic"), bench.tokens("synthetic"), strict=True)
    return [Speech(bench.stack.text.encode(u.text), row, u.speaker) for u, row in spoken]


def length_of(bench: Bench) -> Length:
    """|x|, of the synthetic speech."""
    return fit_length([u.text for u in bench.utterances("synthetic")], bench.tokens("synthetic"))


def loop_texts(bench: Bench, seed: int, count: int, k: int) -> list[Text]:
    """The sentences of iteration k: of a split for the loop, or those of your backbone. No two iterations share any.

    A released model without such sentences says those of its engines again and again, as the paper has it.
    """
    hub = bench.params.stack == "hub"
    if set_folder("backbone", bench.lang).is_dir() and ((rows := load_set("backbone", bench.lang)) or not hub):
        return [Text(row.text, row.words) for row in rows[(k - 1) * count : k * count]]
    if hub:
        said = {row.text: Text(row.text, row.words) for row in bench.utterances("synthetic")}
        return list(said.values())[:count]
    grammar = load_language(bench.lang, bench.params.corpus.zipf)
    spoken = itertools.islice(sentences(grammar, "loop", seed), (k - 1) * count, k * count)
    words = [tuple(word.text for word in sentence) for sentence in spoken]
    return [Text("".join(some), some) for some in words]


def sounds_of(bench: Bench, codes: Sequence[Tensor], seed: int, first: int = 0) -> list[Tensor]:
    """Candidates in the voice of an engine, as the policy has heard no other; `first` is the place of the first."""
    timbre = bench.stack.timbres(bench.stack.load(bench.utterances("synthetic")[:1], bench.folder("synthetic")))
    noises = [seed_of(seed, "candidate", first + i) for i in range(len(codes))]
    return bench.stack.speak(codes, timbre.expand(len(codes), -1), noises)


def scorer_listens(bench: Bench, seed: int, rows: Sequence[Tensor]) -> list[list[str]]:
    """What the judge that *scores* hears in candidates: for the oracle alone, which cheats."""
    words: list[list[str]] = []
    for first in range(0, len(rows), AT_ONCE):
        words += bench.stack.hear(sounds_of(bench, rows[first : first + AT_ONCE], seed, first), bench.lang)
    return words


def loop_of(bench: Bench, name: str, seed: int, work: Path) -> Loop:
    params, stack, method = bench.params, bench.stack, method_of("critique", name)
    listen = partial(scorer_listens, bench, seed) if method.judge == "score" else partial(stack.read, lang=bench.lang)
    settings, speech = (settings_of(method, params.tdsc), params.sft, params.sampling), synthetic_speech(bench)
    return Loop(name, seed, *settings, stack.text.encode, listen, length_of(bench), speech, work)


def watched(loop: Loop, k: int, spoken: Candidates, plain: Params) -> dict:
    """How many candidates pass and why not, whether they grow alike, whether hard texts go missing.

    By TDSC's settings in `plain`, whatever those of the method, so that methods compare.
    """
    table, why = spoken.table, decide(spoken.table, plain.tdsc)
    of_plain = table[table["temperature"] == loop.p.plain].groupby("text")
    apart = diversity([[spoken.codes[i] for i in rows.index] for _, rows in of_plain])
    about = {"texts": len(spoken.texts), "candidates": len(table), "temperatures": list(temperatures(k, loop.p))}
    about |= {"pass_rate": 1 - why.any(axis=1).mean(), **why.mean().add_prefix("rejected_")}
    about |= {"learnt": len(spoken.accepted), "pairs": len(spoken.pairs), "again": table["again"].mean()}
    about["candidates_apart"] = np.nanmean(apart) if np.isfinite(apart).any() else None
    about |= dropped(table, spoken.accepted, spoken.texts)
    return {name: round(float(value), 4) if isinstance(value, float) else value for name, value in about.items()}


def verdicts(spoken: Candidates) -> pd.DataFrame:
    """A row a candidate: its text, its temperature, what the judge read, why it was rejected, and what it was used for."""
    rows = spoken.table.round(4).assign(expected=spoken.table["expected"].round(1))
    rows["said"] = [" ".join(spoken.texts[text].words) for text in rows["text"]]
    rows["rejected_for"] = [[reason for reason, bad in row.items() if bad] for row in spoken.why.to_dict("records")]
    winners, losers = ([pair[side] for pair in spoken.pairs] for side in (0, 1))
    for use, places in (("learnt", spoken.accepted), ("winner", winners), ("loser", losers)):
        rows[use] = rows.index.isin(places)
    return rows


def keep(
    bench: Bench, loop: Loop, out: Path, k: int, policy: TextSpeechLM, spoken: Candidates, about: dict
) -> TextSpeechLM:
    """The policy as it is kept, in half precision; everything of the iteration is in `out`/kN."""
    folder = out / f"k{k}"
    save_policy(policy, folder / "model")
    write_codes(folder / "candidates.safetensors", spoken.table["name"], spoken.codes)
    verdicts(spoken).to_json(folder / "verdicts.jsonl", orient="records", lines=True, force_ascii=False)
    by_heat = by_temperature(spoken.table, spoken.why, spoken.accepted, spoken.codes, bench.stack.codes)
    by_heat.to_csv(folder / "temperatures.csv", index=False, float_format="%.6g")
    for path in (loop.work / f"k{k}").glob("*/loss.csv"):
        shutil.copy(path, folder / f"{path.parent.name}.csv")
    write_json(folder / "about.json", {"k": k, **watched(loop, k, spoken, bench.params), **about})
    return bench.policy(folder, "critique")


def train_start(params: Params, seed: int) -> dict:
    """What is known of the start, SFT of the backbone on synthetic speech alone (alpha = 1), which leaves its weights."""
    bench, out = tdsc_bench(params), cell("critique", seed, START)
    speech, settings = synthetic_speech(bench), replace(params.sft, steps=params.tdsc.start_steps)
    examples, speakers = [(row.text, row.codes) for row in speech], [row.speaker for row in speech]
    model = load_backbone(bench.lang)
    with paths.working(out) as work, paths.replacing(out) as temporary:
        done = fine_tune(model, examples, speakers, settings, seed, work, "start")
        save_policy(model, temporary / "k0" / "model")
        shutil.copy(work / "loss.csv", temporary / "k0" / "sft.csv")
        about = {"k": 0, "sft_loss": round(done.loss, 4), "sft_epochs": round(done.epochs, 2)}
        write_json(temporary / "k0" / "about.json", about)
    return about


def train_critique(params: Params, name: str, seed: int) -> int:
    """The number of a method's iterations from the start; a killed run goes on where it was."""
    bench, out, method = tdsc_bench(params), cell("critique", seed, name), method_of("critique", name)
    if not method.by:
        raise UserError(f"method '{name}': nothing is trained; `sebridge score critique` scores it")
    start = bench.policy(cell("critique", seed, START) / "k0", "critique_start")
    with paths.working(out) as work, paths.replacing(out) as temporary:
        loop = loop_of(bench, name, seed, work)
        texts = partial(loop_texts, bench, seed, loop.p.texts)
        learn = importlib.import_module(f"sebridge_lite.align.{method.by}").learn
        last = tdsc(loop, start, texts, partial(keep, bench, loop, temporary), learn)
        write_json(temporary / "about.json", {"method": name, "seed": seed, "k": last})
    return last


def iterations(name: str, seed: int) -> list[Path]:
    """The folders of a system's policies after 0, 1, ... iterations; one that only chooses has its start's alone."""
    start, out = cell("critique", seed, START), cell("critique", seed, name)
    trained = method_of("critique", name).trains != "nothing"
    last = read_json(out / "about.json", "critique", {"k": int})["k"] if trained else 0
    return [start / "k0", *(out / f"k{k}" for k in range(1, last + 1))]


def candidates_of(name: str, seed: int, k: int) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """All candidates of an iteration: a row each with the judge's decision, and their codes by name."""
    folder = made(cell("critique", seed, name) / f"k{k}", "critique")
    lines = read_text(folder / "verdicts.jsonl", again("critique"))
    try:
        rows = pd.read_json(io.StringIO(lines), lines=True, dtype={"said": str, "read": str})
    except ValueError as error:
        raise UserError(f"{folder / 'verdicts.jsonl'}: damaged ({error}); {again('critique')}") from None
    return rows, read_codes(folder / "candidates.safetensors")


def temperatures_of(name: str, seed: int, last: int) -> pd.DataFrame:
    """Table 9 of a system: what each temperature gave in iterations 1 to `last`."""
    folders = iterations(name, seed)[1 : last + 1]
    tables = (read_table(folder / "temperatures.csv", "critique", columns=("temperature",)) for folder in folders)
    return pd.concat([table.assign(k=k) for k, table in enumerate(tables, 1)])
