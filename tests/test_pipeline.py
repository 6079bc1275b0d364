"""DVC on a project of its own: embedded data, stages that rerun when they must and only then."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PARTS = (
    "params.yaml",
    "params",
    "dvc.yaml",
    "dvc.lock",
    "data.dvc",
    "notebooks",
    "sebridge_lite",
    "embedded",
    ".dvcignore",
)
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
TINY = {"real_minutes: 2.0": "real_minutes: 0.3", "synthetic_minutes: 10.0": "synthetic_minutes: 1.8",
        "dev_texts: 24": "dev_texts: 3", "test_texts: 24": "test_texts: 3"}  # fmt: skip


def dvc(project: Path, *arguments: str, prefix: tuple = ()) -> str:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "SEBRIDGE_OUTPUTS"}
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, cwd=project, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The tracked files, as a fresh clone has them, and without a network where the system can cut it."""
    project = tmp_path_factory.mktemp("pipeline") / "project"
    project.mkdir()
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        else:
            shutil.copy(source, project / name)
    (project / ".dvc").mkdir()
    config = (ROOT / ".dvc" / "config").read_text()
    (project / ".dvc" / "config").write_text(config.replace("[core]", "[core]\n    no_scm = true"))
    smoke = (project / "params" / "smoke.yaml").read_text(encoding="utf-8")
    for old, new in TINY.items():
        assert old in smoke
        smoke = smoke.replace(old, new)
    (project / "params.yaml").write_text(smoke, encoding="utf-8")
    cut = ("unshare", "-rn")
    can_cut = shutil.which("unshare") and subprocess.run([*cut, "true"], capture_output=True).returncode == 0
    dvc(project, "pull", "data.dvc", "pretrain", "codebook", prefix=cut if can_cut else ())
    return project


def test_the_embedded_data_comes_without_a_network_and_is_small(clone):
    assert (clone / "data" / "text" / "th" / "lexicon.tsv").is_file()
    assert sum(path.stat().st_size for path in (clone / "data").rglob("*") if path.is_file()) < 3_000_000
    assert (clone / "artifacts" / "pretrained" / "tokenizer.safetensors").is_file()
    assert (clone / "results" / "pretrain" / "cards.md").is_file()


@pytest.mark.parametrize("profile", ["smoke", "lite", "full"])
def test_every_profile_shares_the_pretrained_parts(clone, profile):
    active = clone / "params.yaml"
    before = active.read_text(encoding="utf-8")
    shutil.copy(clone / "params" / f"{profile}.yaml", active)
    assert dvc(clone, "status", "pretrain").strip() == "Data and pipelines are up to date."
    active.write_text(before, encoding="utf-8")


def test_the_embedded_data_is_what_data_dvc_names():
    assert dvc(ROOT, "status", "data.dvc").strip() == "Data and pipelines are up to date."


def test_no_stage_writes_under_data_or_depends_on_a_notebook_itself():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        assert not [out for out in stage["outs"] if str(out).startswith("data")], name
        assert name == "code" or not [
            dep for dep in stage["deps"] if dep.startswith("notebooks") or dep.endswith(".ipynb")
        ]


def test_the_pipeline_reruns_what_changed_and_nothing_else(clone):
    first = dvc(clone, "repro", "corpus", "dpo")
    assert "Running stage 'corpus'" in first
    metrics = json.loads((clone / "results" / "corpus" / "metrics.json").read_text())
    assert metrics["profile"] == "smoke"
    assert (clone / "results" / "dpo" / "08_dpo_from_scratch.ipynb").is_file()
    assert "Running stage" not in dvc(clone, "repro", "corpus", "dpo")

    path = clone / "notebooks" / "01_world.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source += "\n\nOne more sentence."
    nbformat.write(nb, path)
    assert [
        line for line in dvc(clone, "status", "code", "corpus", "dpo").splitlines() if line and not line[0].isspace()
    ] == ["code:"]
    rerun = dvc(clone, "repro", "corpus", "dpo")
    assert "Running stage 'code'" in rerun
    assert "Running stage 'corpus'" not in rerun

    code = next(
        cell for cell in nb.cells if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", [])
    )
    code.source += "\n# code, not prose"
    nbformat.write(nb, path)
    dvc(clone, "repro", "code")
    assert "corpus:" in dvc(clone, "status", "corpus")


def test_the_systems_stage_runs_once_and_again_with_a_system_that_was_scored_since(tmp_path):
    """Its outs and settings, with a command that does no more than write them."""
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["systems"]
    outs = [name for out in stage["outs"] for name in ([out] if isinstance(out, str) else out)]
    made = " && ".join(f"mkdir -p {out}/th" for out in outs)  # empty, as without espeak-ng
    stub = {"cmd": made, "deps": ["corpus"], "outs": stage["outs"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"systems": stub}}), encoding="utf-8")
    (tmp_path / "corpus").write_text("speech")
    dvc(tmp_path, "init", "--no-scm")
    assert "Running stage 'systems'" in dvc(tmp_path, "repro")
    assert "Running stage" not in dvc(tmp_path, "repro")

    scored = tmp_path / "artifacts" / "systems" / "th" / "azure"
    scored.mkdir()
    (scored / "summary.json").write_text("{}")
    assert "Running stage 'systems'" in dvc(tmp_path, "repro")
    (tmp_path / "corpus").write_text("other speech")
    assert "Running stage 'systems'" in dvc(tmp_path, "repro")
    assert (scored / "summary.json").is_file()
    assert "Running stage" not in dvc(tmp_path, "repro")


def test_the_two_lanes_of_make_reproduce_share_no_stage_that_is_not_made_before_them():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    names = ("FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH")
    lanes = [re.search(rf"^{name} := (.+)$", makefile, flags=re.M)[1].split() for name in names]

    def places(name: str, kind: str) -> set[Path]:
        """Without what a matrix fills in, so that a part of a folder stands for the whole of it."""
        listed = [next(iter(one)) if isinstance(one, dict) else one for one in stages[name].get(kind, ())]
        return {Path(one.partition("${")[0]) for one in listed}

    def upstream(targets: set[str]) -> set[str]:
        needs = {dep for name in targets for dep in places(name, "deps")}
        found = {name for name in stages for out in places(name, "outs")
                 if any(out.is_relative_to(dep) or dep.is_relative_to(out) for dep in needs)}  # fmt: skip
        return targets if found <= targets else upstream(targets | found)

    before = upstream({"encode", "codebook"})
    for pair in (lanes[:2], lanes[2:4], lanes[4:]):
        for lane in pair:  # it looks at no other stage, so it names all that it needs, in their order
            for place, name in enumerate(lane):
                assert upstream({name}) - before <= set(lane[: place + 1])
        assert not set(pair[0]) & set(pair[1])
        before |= {name for lane in pair for name in lane}
    assert {"critique", "align", "sft"} <= before
