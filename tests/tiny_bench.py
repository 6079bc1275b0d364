"""A bench of tiny random parts with ten utterances of two people, for tests of the stages on the language with real speech."""

import dataclasses
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import CODES, ROOT, recorded, tiny_config, tiny_lm, tiny_stack

from sebridge_lite.core.params import Params, load_params
from sebridge_lite.experiments import align, choose, pairs
from sebridge_lite.experiments.bench import Bench, cell
from sebridge_lite.stack.parts import save_model
from sebridge_lite.stack.stack import Stack
from sebridge_lite.studio.voices import people

SMOKE = load_params(ROOT / "params" / "smoke.yaml")
ARM = SMOKE.align.arm


def tiny_params() -> Params:
    small = {"steps": (1, 2), "warmup": 0, "temperatures": (0.7, 1.0), "budget": 400, "candidates": 2}
    texts, rates = {"dev_texts": 2, "curve_texts": 2, "decoded": 2}, {"lr": 1e-2, "sft_lr": 1e-2, "lora_lr": 1e-2}
    return replace(
        SMOKE,
        align=replace(SMOKE.align, **small, **texts, **rates),
        sampling=replace(SMOKE.sampling, max_ratio=1.5),
        sft=replace(SMOKE.sft, style_tokens=9),
    )


def with_cells(params: Params, **lists) -> Params:
    cells = {"seeds": (0,), "align": (), "align_decoded": ()} | lists
    return replace(params, cells=replace(params.cells, **cells))


@dataclasses.dataclass(frozen=True, eq=False)
class Told(Stack):
    """Its selecting judge reads real speech as it was said, and all else as nothing."""

    known: dict = dataclasses.field(default_factory=dict)

    def read(self, codes, lang):
        return [list(self.known.get(tuple(row.tolist()), ())) for row in codes]


class TinyBench(Bench):
    codes: dict

    def tokens(self, name):
        return [self.codes[utterance.id] for utterance in self.utterances(name)]


def tiny_bench(folder: Path) -> TinyBench:
    """Six utterances to learn from, two of dev and two of test."""
    voices, counts, codes = people("unseen", 2), {"real": 6, "dev": 2, "test": 2}, {}
    sets = {name: (recorded(folder, "th", name, voices, count, 4), folder) for name, count in counts.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        stack = tiny_stack(["th"])
    for utterance in itertools.chain(*(utterances for utterances, _ in sets.values())):
        torch.manual_seed(len(codes))
        codes[utterance.id] = torch.randint(0, CODES, (10 + len(codes),))
    known = {tuple(codes[u.id].tolist()): u.words for u in sets["real"][0]}
    bench = TinyBench(tiny_params(), "th", sets)
    bench.codes = codes
    bench.stack = Told(**{spec.name: getattr(stack, spec.name) for spec in dataclasses.fields(stack)}, known=known)
    bench.silence, bench.floor = [], 0.1
    return bench


def use(bench: TinyBench, outputs: Path, monkeypatch) -> TinyBench:
    """The bench, from now on that of every stage, in one process; SFT policies of two arms lie in `outputs`."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(outputs))
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")

    def load(params):
        other = bench.with_set("real", *bench.sets["real"])
        other.codes, other.params = bench.codes, params
        return other

    for module in (pairs, align, choose):
        monkeypatch.setattr(module, "load_bench", load)
    config = tiny_config(bench.stack.text.size)
    model = tiny_lm(config, spread=0.2)
    for arm in (ARM, "additive-0.25"):
        save_model(model, config, cell("sft", 0, arm) / "model", half=True)
    return load(bench.params)
