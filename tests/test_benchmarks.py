"""Every benchmark at a tiny size: arms that agree, and the file that other tools read. Nothing here is timed."""

import dataclasses
import importlib
import json
import logging
import math
import subprocess
from pathlib import Path

import pytest
import torch

from sebridge_lite.align import tdsc
from sebridge_lite.lm.lm import TextSpeechLM

ROOT = Path(__file__).parents[1]
KEYS = {"name", "arms", "ratio", "low", "high", "repeats"}
SIZES = "studio", "50m"


@pytest.fixture
def load(monkeypatch):
    """A benchmark, with other sizes; torch's threads and Python's logging as they were in the end."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    monkeypatch.chdir(ROOT)
    threads = torch.get_num_threads()

    def loaded(name, **sizes):
        module = importlib.import_module(name)
        for constant, value in sizes.items():
            monkeypatch.setattr(module, constant, value)
        return module

    yield loaded
    torch.set_num_threads(threads)


def sizes(load, **counts) -> dict:
    """All sizes of an LM, each as small as the studio's, with these counts."""
    return dict.fromkeys(SIZES, dataclasses.replace(load("_twin").SIZES["studio"], **counts))


def written(module, folder, *more) -> dict:
    """The contract, of two repeats."""
    file = folder / "found.json"
    assert module.main(["--repeats", "2", "--json", str(file), *more]) == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert set(found) >= KEYS
    assert found["name"] == "_".join([module.__name__, *more[1:]])
    assert len(found["arms"]) >= 2
    for rate in (*found["arms"].values(), found["low"]):
        assert math.isfinite(rate)
        assert rate > 0
    assert found["low"] <= found["ratio"] <= found["high"]
    assert found["repeats"] == 2
    return found


def test_generate_makes_the_same_greedy_tokens(load, tmp_path):
    bench = load("generate", SIZES=sizes(load, texts=2), CANDIDATES=2, LONGEST=10)
    found = written(bench, tmp_path, "--size", "50m")
    assert found["parity"] == {"texts": 2, "identical": 2}


def test_render_makes_the_same_sound(load, tmp_path):
    assert written(load("render", BATCH=4, WORDS=2), tmp_path)["parity"]["samples"] <= 1


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_sft_steps_have_the_same_loss_and_gradients(load, tmp_path):
    found = written(load("sft_step", SIZES=sizes(load, examples=30), LONGEST=14, COMPARED=6), tmp_path)
    assert set(found["parity"]) == {"Trainer default", "Trainer best"}
    for apart in found["parity"].values():
        assert apart["loss"] < 1e-5
        assert apart["gradient"] < 1e-4


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_dgsa_steps_by_adapters_have_the_same_loss_and_gradients(load, tmp_path):
    pytest.importorskip("trl")
    bench = load("dgsa_step", SIZES=sizes(load, triplets=4, micro=2, rank=4), LONGEST=14)
    found = written(bench, tmp_path, "--size", "50m")
    assert set(found["parity"]) == {"TRL default", "TRL best"}
    for apart in found["parity"].values():
        assert apart["loss"] < 1e-5
        assert apart["gradient"] < 1e-4


def test_the_larger_lm_has_about_50_million_weights(load):
    with torch.device("meta"):
        model = TextSpeechLM(load("_twin").SIZES["50m"].config)
    assert 45e6 < sum(weights.numel() for weights in model.parameters()) < 55e6


def test_growth_has_every_step_at_every_size(load, tmp_path, monkeypatch):
    steps = ("encode", "SFT epoch", "candidates", "scoring")
    bench = load("growth", SIZES=(1, 2), SENTENCES=2, TEXTS=dict.fromkeys(steps, 2))
    sampled, generate = [], tdsc.generate
    monkeypatch.setattr(tdsc, "generate", lambda *some, **more: sampled.append(1) or generate(*some, **more))
    found = written(bench, tmp_path)
    assert [(row["step"], row["size"]) for row in found["growth"]] == [
        (step, size) for step in steps for size in (1, 2)
    ]
    for row in found["growth"]:
        assert row["seconds"] > 0
        assert (row["growth"] is None) == (row["size"] == 1)
    assert len(sampled) == 1 + 2 * 2  # once to warm up, then each size in each repeat


def test_the_worst_doubling_is_the_one_that_is_told(load):
    bench = load("growth", TEXTS={"candidates": 10})
    seconds = {1: (1.0, 1.0, 1.0), 2: (1.8, 1.9, 2.0), 4: (4.0, 4.1, 3.9), 8: (7.0, 7.2, 7.4)}
    rows = bench.table({("candidates", n): [(s, 2 * s) for s in found] for n, found in seconds.items()})
    result = bench.result_of(rows, 3)
    assert result["of"] == ["4x", "2x"]
    assert result["ratio"] == pytest.approx(4.1 / 1.9)
    assert result["low"] == pytest.approx(1.95)
    assert result["high"] == pytest.approx(4.0 / 1.8)
    assert result["arms"]["8x"] == pytest.approx(80 / 7.2)


def test_ratios_are_taken_within_a_repeat(load):
    common = load("_common")
    found = common.compared("x", {"a": [10, 4, 6], "b": [5, 1, 2], "c": [1, 1, 1]}, "a", "b", {})
    assert found["arms"] == {"a": 6, "b": 2, "c": 1}
    assert (found["ratio"], found["low"], found["high"]) == (3, 2, 4)
    assert found["to"] == {"c": 6}


GOOD = """
import json, sys
file, repeats = sys.argv[sys.argv.index("--json") + 1], int(sys.argv[-1])
with open(file, "w") as out:
    json.dump({"name": "good", "ratio": 1 / 3, "repeats": repeats}, out)
"""


def scripts_in(folder, **code):
    for name, text in code.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return [folder / f"{name}.py" for name in code]


def test_a_failing_benchmark_is_named_and_loses_no_other(load, tmp_path, capfd):
    scripts, file = (
        scripts_in(tmp_path, bad="raise SystemExit(3)", silent="", good=GOOD),
        tmp_path / "results" / "bench.json",
    )
    report = load("bench").run_all(scripts, file, repeats=4)
    assert report == json.loads(file.read_text(encoding="utf-8"))
    assert list(file.parent.iterdir()) == [file]
    assert {"machine", "date", "commit", "threads"} <= set(report)
    (found,) = report["benchmarks"]
    assert (found["name"], found["ratio"], found["repeats"]) == ("good", 0.33333, 4)
    assert report["failed"] == ["bad", "silent"]
    assert "benchmark bad: failed (exit code 3)" in capfd.readouterr().err


def test_a_row_of_50_million_weights_is_the_script_at_that_size(load, tmp_path):
    (script,) = scripts_in(tmp_path, good=GOOD.replace('"good"', "sys.argv[-3]"))
    report = load("bench").run_all([script.with_stem("good_50m")], tmp_path / "bench.json", repeats=4)
    assert [found["name"] for found in report["benchmarks"]] == ["50m"]
    assert report["failed"] == []


def test_the_readme_quotes_the_committed_run(load):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    here = (ROOT / "results" / "bench.json").read_text(encoding="utf-8")
    kept = subprocess.run(["git", "show", "HEAD:results/bench.json"], cwd=ROOT, capture_output=True, text=True).stdout
    # A reader's own `make bench` changes the file and not the README, which then still holds what is in git.
    missing = [bench_lines_missing(load("bench"), json.loads(text), readme) for text in (here, kept) if text]
    assert [] in missing, "put what `make bench` prints into README.md, Speed"


def bench_lines_missing(bench, report, readme) -> list[str]:
    assert report["failed"] == []
    return [line for line in (*bench.speed_table(report), bench.about(report)) if line not in readme]
