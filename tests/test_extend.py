"""docs/extend.md keeps its word: its file and its row are all that a new method needs."""

import re
import sys
import types

import pandas as pd
import pytest
from tiny_bench import ROOT, tiny_bench, use, with_cells

from sebridge_lite.align import methods
from sebridge_lite.core.errors import UserError
from sebridge_lite.experiments.align import train_method
from sebridge_lite.experiments.choose import choose_all, curve_of, score_align
from sebridge_lite.experiments.pairs import make_pairs


def test_one_file_and_one_row_are_trained_chosen_and_scored(tmp_path, monkeypatch):
    file, row = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extend.md").read_text(encoding="utf-8"), re.S)
    monkeypatch.setattr(methods, "METHODS", {study: dict(rows) for study, rows in methods.METHODS.items()})
    with pytest.raises(UserError, match="'lively': not one of"):
        methods.method_of("align", "lively")
    module = types.ModuleType("sebridge_lite.align.lively")
    exec(file, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(row, vars(methods) | {"METHODS": methods.METHODS})

    bench = use(tiny_bench(tmp_path / "recorded"), tmp_path, monkeypatch)
    params = with_cells(bench.params, align=("lively",), align_decoded=("sft",))
    make_pairs(params, 0)
    train_method(params, "lively", 0)
    choice = choose_all(params)["lively"]
    score_align(params, 0)
    scores, about = bench.scored("align", "lively", 0)
    assert choice["steps"] in params.align.steps
    assert about["variant"] == "lively"
    assert scores.table["id"].tolist() == [utterance.id for utterance in bench.utterances("test")]
    assert set(curve_of("lively", 0)["steps"]) == set(params.align.steps)  # its doses
    assert pd.read_csv(tmp_path / "artifacts/choice/search.csv")["variant"].unique().tolist() == ["sft", "lively"]
