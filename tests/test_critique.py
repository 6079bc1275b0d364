"""The stages of TDSC with tiny random parts: what they write, that a killed one goes on, and what ends a loop."""

import itertools
import json
import math
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import CODES, tiny_stack

from sebridge_lite.align import baselines, critic, grpo, tdsc
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.data.codes import write_codes
from sebridge_lite.experiments import critique, critique_scores
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.critique import candidates_of, iterations, loop_texts, system_folder, train_critique
from sebridge_lite.experiments.critique_scores import curve_of, history, score_critique, scores_folder
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.stack import Stack
from sebridge_lite.data.recordings import write_set
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences, split_of
from sebridge_lite.studio.voices import engines, people

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT / "params" / "smoke.yaml")
# Random judges read nonsense, so errors below are made up by `set_up`: as many wrong words as the tokens' sum says.
TDSC = replace(
    PARAMS.tdsc, start_steps=2, iterations=2, texts=5, candidates=6, max_wer=0.5, max_rep=1.1, shortest=0.0, longest=100.0,
    apart=0.0, near=50, steps=2, dpo_steps=2, dpo_warmup=0, temperatures=(0.8, 1.0), curve_texts=2,
)  # fmt: skip
PARAMS = replace(
    PARAMS,
    tdsc=TDSC,
    sampling=replace(PARAMS.sampling, min_ratio=0.3, max_ratio=0.6),
    cells=replace(PARAMS.cells, critique=("tdsc",), oracle=(), critique_decoded=("best-of-12",)),
)


def recorded(folder, name, split, voices, count):
    said = itertools.islice(sentences(load_language("lo"), split, 0), count)
    return write_set(folder, name, record_all(lines_of(name, "lo", said, voices, 0), 0)), folder


class TinyBench(Bench):
    def tokens(self, name):
        spoken = enumerate(self.utterances(name))
        return [torch.arange(i, i + 3 * len(u.text)) % CODES for i, u in spoken]


def make_bench(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        sets = {
            "synthetic": recorded(folder, "synthetic", "synthetic", engines("main", 1), 6),
            "test": recorded(folder, "test", "test", people("unseen", 1), 3),
        }
        bench = TinyBench(PARAMS, "lo", sets)
        bench.__dict__ |= {"stack": tiny_stack(["lo"]), "silence": [], "floor": 0.1}
    return bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return make_bench(tmp_path_factory.mktemp("corpus"))


def made_up(read):
    word = read[0] if read else "4"
    return (int(word) if word.isdecimal() else zlib.crc32(word.encode())) % 5


def set_up(monkeypatch, folder, bench):
    """Outputs of their own, a tiny backbone, and a judge that finds as many wrong words as the tokens' sum says."""
    torch.manual_seed(1)
    weights = TextSpeechLM(LMConfig(len(CharVocab()), CODES, 16, 1, 2, 1, 16, 400, 1e4, 2.5)).state_dict()

    def backbone(_):
        model = TextSpeechLM(LMConfig(len(CharVocab()), CODES, 16, 1, 2, 1, 16, 400, 1e4, 2.5))
        model.load_state_dict(weights)
        return model.eval()

    def of(params):
        own = TinyBench(params, "lo", bench.sets, bench.tracked)
        own.__dict__ |= {name: bench.__dict__[name] for name in ("stack", "silence", "floor")}
        return own

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(folder))
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    monkeypatch.setattr(Bench, "backbone", backbone)
    for module in (critic, baselines):
        monkeypatch.setattr(
            module, "word_errors", lambda said, read: (np.array(list(map(made_up, read))), np.full(len(said), 4))
        )
    monkeypatch.setattr(Stack, "read", lambda self, rows, lang: [[str(int(row.sum()))] for row in rows])
    for module in (critique, critique_scores):
        monkeypatch.setattr(module, "tdsc_bench", of)
