"""DVC on a project of its own: what changed runs again, all that depends on it, and nothing else."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sebridge_lite.cli.stages import STAGES as COMMANDS

ROOT = Path(__file__).parents[1]
TRACKED = ("params", "dvc.yaml", "dvc.lock", "data.dvc", "notebooks", "sebridge_lite", "embedded", ".dvcignore")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
ALIGNED = ("pairs", "align", "choose", "score_align")


def dvc(project: Path, *arguments: str) -> str:
    """What DVC prints; `sebridge` is the project's own library."""
    path = f"{project / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(project), "DVC_NO_ANALYTICS": "1"}
    environment.pop("SEBRIDGE_OUTPUTS", None)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, cwd=project, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(printed: str) -> set[str]:
    """The stages that DVC has run, by their names in dvc.yaml."""
    lines = [line for line in printed.splitlines() if line.startswith("Running stage '")]
    return {line.split("'")[1].partition("@")[0] for line in lines}


def changed(project: Path) -> set[str]:
    """The stages that `dvc status` calls changed, by their names in dvc.yaml."""
    return {name.partition("@")[0] for name in json.loads(dvc(project, "status", "--json"))}


@pytest.fixture(scope="module")
def project(tmp_path_factory, small_run) -> Path:
    """A clone in which the stages up to `score_align` have run under the smoke profile."""
    folder = tmp_path_factory.mktemp("pipeline") / "project"
    folder.mkdir()
    for name in TRACKED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        else:
            shutil.copy(source, folder / name)
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local"))
    config = (folder / ".dvc" / "config").read_text()
    (folder / ".dvc" / "config").write_text(config.replace("[core]", "[core]\n    no_scm = true"))
    shutil.copy(ROOT / "params" / "smoke.yaml", folder / "params.yaml")
    command = folder / "bin" / "sebridge"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sebridge_lite.cli.main "$@"\n')
    command.chmod(0o755)
    dvc(folder, "pull", "data.dvc", "parts", "codebook")
    made = "accounts code corpus own tokens floors sft scores/sft pairs align choice scores/align"
    for place in made.split():
        shutil.copytree(small_run / "artifacts" / place, folder / "artifacts" / place)
    dvc(folder, "commit", "-f", "code", "import", "own", "encode", "floors", "sft", "score_sft", *ALIGNED)
    return folder


@pytest.mark.xdist_group("dvc")
class TestRerun:
    def test_a_changed_line_of_the_loss_runs_what_depends_on_it_and_undoing_it_trains_nothing(self, project):
        before = changed(project)
        scores = project / "artifacts" / "scores" / "align" / "s0" / "dgsa" / "summary.json"
        first, loss = scores.read_bytes(), project / "sebridge_lite" / "align" / "dpo.py"
        text = loss.read_text(encoding="utf-8")
        assert "margin = won - lost" in text
        loss.write_text(text.replace("margin = won - lost", "margin = lost - won"), encoding="utf-8")
        named = changed(project) - before
        on_align = {name for name, stage in STAGES.items() if "sebridge_lite/align" in stage["deps"]}
        assert set(ALIGNED) <= named | before
        assert named <= on_align
        assert not named & {"import", "encode", "floors", "sft", "score_sft"}
        assert ran(dvc(project, "repro", "score_align")) == set(ALIGNED)
        assert scores.read_bytes() != first
        loss.write_text(text, encoding="utf-8")
        assert not ran(dvc(project, "repro", "score_align"))
        assert scores.read_bytes() == first

    def test_another_temperature_of_scoring_trains_nothing(self, project):
        params = project / "params.yaml"
        text, before = params.read_text(encoding="utf-8"), changed(project)
        params.write_text(text.replace("temperature: 1.0 # Table 12: the middle", "temperature: 0.9 # the middle"))
        named = changed(project) - before
        params.write_text(text)
        assert {"score_sft", "choose", "score_align"} <= named
        assert not named & {"sft", "pairs", "align", "critique", "critique_start"}

    def test_a_larger_test_set_leaves_the_training_speech_as_it_is(self, project):
        params = project / "params.yaml"
        text = params.read_text(encoding="utf-8")
        params.write_text(text.replace("test_texts: 24", "test_texts: 26"))
        assert ran(dvc(project, "repro", "encode")) == {"import", "encode"}
        named = changed(project)
        params.write_text(text)
        assert "score_sft" in named
        assert not named & {"sft", "pairs", "align"}


def test_the_embedded_parts_are_frozen_and_the_same_in_every_profile():
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    for name in ("parts", "codebook"):
        assert STAGES[name]["frozen"]
        for profile in ("smoke", "lite", "full"):
            params = yaml.safe_load((ROOT / "params" / f"{profile}.yaml").read_text(encoding="utf-8"))
            assert params["pretrain"] == locked[name]["params"]["params.yaml"]["pretrain"]


def test_no_stage_writes_under_data_or_depends_on_a_notebook_itself():
    for name, stage in STAGES.items():
        assert not [out for out in stage["outs"] if str(out).startswith("data")], name
        assert name == "code" or not [dep for dep in stage["deps"] if dep.startswith("notebooks")]


def test_the_code_that_a_stage_lists_is_there():
    code = {dep for stage in STAGES.values() for dep in stage["deps"] if dep.startswith("sebridge_lite")}
    assert not [dep for dep in code if not (ROOT / dep).exists()]


def imports_of(path: Path) -> set[Path]:
    """Modules of the library that a file imports when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skipped |= {id(inner) for inner in ast.walk(node)}
    names = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = [ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("sebridge_lite")]
    return {file for file in files if file.is_file()}


def closure(start: set[Path]) -> set[str]:
    """All modules of the library that loading these loads."""
    known, todo = set(), set(start)
    while todo:
        known |= todo
        todo = {file for path in todo for file in imports_of(path)} - known
    return {path.relative_to(ROOT).as_posix() for path in known}


def uncovered(modules: set[str], deps: list[str]) -> set[str]:
    code = tuple(dep if dep.endswith(".py") else f"{dep}/" for dep in deps if dep.startswith("sebridge_lite"))
    return {module for module in modules if not module.startswith((*code, "sebridge_lite/cli/"))}


def module_of(command: str) -> Path | None:
    """The module whose function a stage's command calls; None where a command has no row in `cli.stages`."""
    words = command.split()[1:]
    row = COMMANDS.get(" ".join(words[:2])) or COMMANDS.get(words[0])
    return row and ROOT / "sebridge_lite" / "experiments" / f"{row.does.split(':')[0]}.py"


@pytest.mark.parametrize("name", [name for name, stage in STAGES.items() if module_of(stage["cmd"])])
def test_a_stage_lists_all_code_that_its_command_imports(name):
    """Frozen stages list none: an edit of the reader's shall not train them again."""
    missing = uncovered(closure({module_of(STAGES[name]["cmd"])}), STAGES[name]["deps"])
    assert bool(missing) == bool(STAGES[name].get("frozen")), missing


@pytest.mark.parametrize("name", [name for name, stage in STAGES.items() if stage["cmd"].startswith("sebridge run")])
def test_a_notebook_stage_lists_all_code_that_its_notebook_imports(name):
    copy = next(Path(dep).stem for dep in STAGES[name]["deps"] if dep.startswith("artifacts/code/"))
    cells = json.loads((ROOT / "notebooks" / f"{copy}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    start = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sebridge_lite"):
            for alias in node.names:
                for module in (f"{node.module}.{alias.name}", node.module):
                    file = ROOT / f"{module.replace('.', '/')}.py"
                    start |= {file} if file.is_file() else set()
    assert start or name == "dpo"
    assert not uncovered(closure(start), STAGES[name]["deps"])
