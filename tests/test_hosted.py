"""Binder and Colab, as far as they can be tried here: what they name exists, and the cell for Colab does nothing elsewhere."""

import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
CELL = re.search(r"```python\n(import sys.*?)```", (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8"), re.S)[1]
POST_BUILD = ROOT / ".binder" / "postBuild"


class Shell:
    """Writes down what a cell asks of IPython."""

    def __init__(self):
        self.asked = []

    def system(self, line):
        self.asked.append(line)

    def run_line_magic(self, name, line, **_):
        self.asked.append(f"{name} {line}")


def asked(monkeypatch, modules: dict) -> list[str]:
    shell = Shell()
    monkeypatch.setattr("sys.path", [*sys.path])
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    exec(TransformerManager().transform_cell(CELL), {"get_ipython": lambda: shell})
    return shell.asked


def test_the_cell_for_colab_installs_there_and_does_nothing_elsewhere(monkeypatch):
    assert asked(monkeypatch, {}) == []
    said = asked(monkeypatch, {"google.colab": os})
    assert [line.split()[0] for line in said] == ["git", "cd", "pip", "dvc", "cd"]
    assert (ROOT / re.search(r"-c (\S+)", said[2])[1]).is_file()


@pytest.mark.parametrize("text", [CELL, POST_BUILD.read_text(encoding="utf-8")], ids=["Colab", "Binder"])
def test_what_is_pulled_is_data_or_a_frozen_stage(text):
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    data, *frozen = re.search(r"dvc pull --quiet (.*)", text)[1].split()
    assert (ROOT / data).is_file() and frozen and all(stages[name]["frozen"] for name in frozen)


def test_binder_takes_the_pins_of_the_repository_and_a_python_that_it_allows():
    pins, package = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert (ROOT / ".binder" / pins.removeprefix("-c ")).is_file() and package == "-e ."
    assert (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip() == "python-3.11"
    assert os.access(POST_BUILD, os.X_OK)
