"""Several processes of one command, on the CPU: what they share out, and that only the first leaves files behind and speaks.

`python test_processes.py OUTPUTS COMMAND ...` runs commands on a tiny bench, as one process or as one of several.
"""

import copy
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from tiny import CODES, ROOT, recorded, tiny_config, tiny_lm, tiny_stack

from sebridge_lite.cli import stages
from sebridge_lite.cli.main import main
from sebridge_lite.core import paths, processes
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import critique, critique_scores
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.studio.voices import engines, people

SMOKE = load_params(ROOT / "params" / "smoke.yaml")
LOOP = {"start_steps": 2, "iterations": 1, "texts": 5, "candidates": 6, "steps": 3, "dpo_steps": 3, "dpo_warmup": 0}
FILTERS = {"max_wer": 1.1, "max_rep": 1.1, "shortest": 0.0, "longest": 100.0, "apart": 0.0, "near": 50}
PARAMS = replace(
    SMOKE,
    tdsc=replace(SMOKE.tdsc, **LOOP, **FILTERS, temperatures=(1.0,), curve_texts=2),
    sampling=replace(SMOKE.sampling, min_ratio=0.3, max_ratio=0.6),
    cells=replace(SMOKE.cells, critique=("tdsc",), oracle=(), critique_decoded=()),
)
LAUNCHER = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --main_process_port 0"


class Counts:
    """A judge of tokens that reads as many words as their sum says, of which none was said."""

    name, hears = "counts", "tokens"

    def words(self, inputs, lang):
        return [["?"] * (int(row.sum()) % 9) for row in inputs]


class TinyBench(Bench):
    def tokens(self, name):
        return [torch.arange(i, i + 3 * len(u.text)) % CODES for i, u in enumerate(self.utterances(name))]


def run(outputs: Path, commands: list[str]) -> list[int]:
    """The exit codes of commands on a tiny bench."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.chdir(ROOT)
        patch.setenv("SEBRIDGE_OUTPUTS", str(outputs))
        patch.setenv("SEBRIDGE_WORKERS", "1")
        said = {"synthetic": (engines("main", 1), 6), "test": (people("unseen", 1), 3)}
        sets = {name: (recorded(Path(folder), "lo", name, *how), Path(folder)) for name, how in said.items()}
        stack, backbone = replace(tiny_stack(["lo"]), select_judge=Counts()), tiny_lm(tiny_config(CharVocab().size))

        def bench_of(params):
            bench = TinyBench(params, "lo", sets)
            bench.__dict__ |= {"stack": stack, "silence": [], "floor": 0.1}
            return bench

        patch.setattr(critique, "load_backbone", lambda lang: copy.deepcopy(backbone))
        patch.setattr(stages, "active_params", lambda: PARAMS)
        for module in (critique, critique_scores):
            patch.setattr(module, "tdsc_bench", bench_of)
        return [main(shlex.split(command)) for command in commands]


def launched(outputs: Path, temporary: Path, *commands: str) -> subprocess.CompletedProcess:
    """Two processes, whose temporary files lie in `temporary`."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    command = [sys.executable, *LAUNCHER.split(), __file__, str(outputs), *commands]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


def same(name: str, *folders: Path) -> bool:
    one, two = ((folder / name).read_bytes() for folder in folders)
    return one == two


def test_two_processes_choose_and_score_what_one_does_and_write_it_once(tmp_path):
    one, two, temporary = (tmp_path / name for name in ("one", "two", "temporary"))
    temporary.mkdir()
    assert run(one, ["critique sft", "critique tdsc", "score critique"]) == [0, 0, 0]
    done = launched(two, temporary, "critique sft", "critique tdsc", "score critique")
    assert done.returncode == 0, done.stderr[-3_000:]
    said = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert said == ["critique sft 0", "critique tdsc 0", "score critique 0"]  # the second process is silent
    assert not list(temporary.glob(f"{paths.DROPPED}*"))
    files = [{path.relative_to(top) for path in top.rglob("*") if path.is_file()} for top in (one, two)]
    assert files[0] == files[1]

    # The start's weights may differ in the last bits of sums over the batch; rounded to half precision they are the same here.
    start, loop, scores = (
        Path("artifacts") / place for place in ("critique/s0/sft/k0", "critique/s0/tdsc/k1", "scores")
    )
    assert same("candidates.safetensors", one / loop, two / loop)
    assert same("verdicts.jsonl", one / loop, two / loop)
    assert same("temperatures.csv", one / loop, two / loop)
    table = pd.read_json(one / loop / "verdicts.jsonl", lines=True)
    assert 0 < table["learnt"].sum() < len(table) and table["winner"].sum() > 0
    for name in (start / "sft.csv", loop / "sft.csv", loop / "dpo.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(one / name), pd.read_csv(two / name), rtol=1e-3, atol=1e-5)
    for place in ("critique/s0/sft/k0", "critique/s0/tdsc/k1"):
        assert same("codes.safetensors", one / scores / place, two / scores / place)
        tables = (pd.read_csv(top / scores / place / "scores.csv") for top in (one, two))
        pd.testing.assert_frame_equal(*tables, rtol=1e-3, atol=1e-3)


def test_each_process_works_on_its_share_and_all_get_all_results_in_order(monkeypatch):
    items, shares = list(range(7)), []

    class Others:
        @staticmethod
        def all_gather_object(found, mine):
            shares.append(mine)
            found[:] = [[10 * item for item in items[place::3]] for place in range(3)]

    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr(processes, "joined", lambda: Others)
    for place in "012":
        monkeypatch.setenv("RANK", place)
        assert processes.shared_out(lambda some: [10 * item for item in some], items) == [10 * item for item in items]
    assert shares == [[0, 30, 60], [10, 40], [20, 50]]
    monkeypatch.delenv("WORLD_SIZE")
    assert processes.shared_out(lambda some: [10 * item for item in some], items) == [10 * item for item in items]


def test_a_process_without_a_share_does_no_work(monkeypatch):
    class Others:
        @staticmethod
        def all_gather_object(found, mine):
            assert mine == []
            found[:] = [["a"], []]

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(processes, "joined", lambda: Others)
    assert processes.shared_out(lambda some: pytest.fail("there is nothing to do"), ["x"]) == ["a"]


def test_what_another_process_writes_is_there_within_the_block_and_gone_after_it(monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    (tmp_path / "out").write_text("the first process's")
    with paths.replacing(tmp_path / "out") as folder:
        folder.mkdir()
        with paths.replacing(folder / "part") as part:
            part.write_text("mine")
        assert (folder / "part").read_text() == "mine"
    assert not folder.parent.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "the first process's"


def test_what_is_not_shared_out_is_refused_in_a_line(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["import"]) == 1
    assert "import: is not shared out among processes" in capsys.readouterr().err


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(any(run(Path(sys.argv[1]), sys.argv[2:])))
