import errno
import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from safetensors import SafetensorError

from sebridge_lite.cli import main as cli
from sebridge_lite.cli.profile import switch_profile
from sebridge_lite.cli.stages import STAGES as STAGES_OF_CLI
from sebridge_lite.core import paths
from sebridge_lite.core.params import PROFILES
from sebridge_lite.experiments.notebook import STAGES

ROOT = Path(__file__).parents[1]


def call(*arguments: str, cwd, **environment) -> subprocess.CompletedProcess:
    import os

    command, how = [sys.executable, "-m", "sebridge_lite.cli.main", *arguments], {"capture_output": True, "text": True}
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, **how)


def test_every_command_leads_to_a_function_that_is_there():
    for action in cli.parser()._subparsers._group_actions[0].choices.values():
        if does := action.get_default("does"):
            module, function = does.split(":")
            assert callable(getattr(import_module(f"sebridge_lite.{module}"), function))
    for stage in STAGES_OF_CLI.values():
        module, function = stage.does.split(":")
        assert callable(getattr(import_module(f"sebridge_lite.experiments.{module}"), function))


def test_the_command_of_every_stage_of_the_pipeline_is_known():
    dvc = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    commands = [re.sub(r"\$\{item\.seed\}", "0", stage["cmd"]).split()[1:] for stage in dvc.values()]
    assert all(cli.parser().parse_args(command).command for command in commands)


@pytest.mark.parametrize("seed", ["-1", "1.5", str(2**31 + 1)])
def test_a_wrong_seed_is_wrong_usage(seed, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["sft", "additive-0.80", "--seed", seed])
    assert stopped.value.code == 2 and "0 to 2147483648" in capsys.readouterr().err


def test_a_wrong_method_is_one_line_that_lists_all(project, capsys):
    assert cli.main(["align", "nonsense"]) == 1
    assert "not one of sft, " in (shown := capsys.readouterr().err) and shown.count("\n") == 1


def test_a_stage_leaves_an_account_and_a_line(project, monkeypatch, capsys):
    monkeypatch.setattr("sebridge_lite.experiments.score.score_sft", lambda params, seed: {"wer": 0.25})
    assert cli.main(["score", "sft", "--seed", "3"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("score sft 3: 0 s, ") and ", wer 0.25; see " in shown and shown.count("\n") == 1
    account = json.loads((project / "artifacts" / "accounts" / "score_sft-3.json").read_text())
    assert account["stage"] == "score_sft" and account["profile"] == "lite" and account["seconds"] >= 0


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["profile"], ["profile", "huge"], ["run"], ["run", "a", "b"]])
def test_wrong_usage_exits_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2


def test_a_users_error_is_one_line_on_stderr_and_exit_1(project):
    done = call("run", "nonsense", cwd=project)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"sebridge: no stage 'nonsense'; stages: {', '.join(STAGES)}\n"


def test_outside_a_project_the_error_says_where_one_stands(tmp_path):
    done = call("run", "corpus", cwd=tmp_path)
    assert done.returncode == 1
    assert "not inside a SE-Bridge Lite project" in done.stderr
    assert done.stderr.count("\n") == 1


def test_doctor_names_each_problem_and_how_to_mend_it(project, capsys):
    (project / "data").unlink()
    (project / "params.yaml").write_text("profile: lite\n")
    assert cli.main(["doctor"]) == 1
    shown = capsys.readouterr()
    assert "problem: params.yaml: seed: missing" in shown.out
    assert "dvc pull" in shown.out
    assert shown.err == "sebridge: 2 problems to mend, listed above\n"


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_becomes_the_active_one(project, name):
    assert cli.main(["profile", name]) == 0
    assert (project / "params.yaml").read_bytes() == (project / "params" / f"{name}.yaml").read_bytes()


def test_own_edits_are_refused_and_kept(project, capsys):
    edited = (project / "params.yaml").read_text().replace("seed: 0", "seed: 7")
    (project / "params.yaml").write_text(edited)
    assert cli.main(["profile", "smoke"]) == 1
    assert "holds edits of yours" in capsys.readouterr().err
    assert (project / "params.yaml").read_text() == edited
    assert "your edits are in" in switch_profile("smoke", force=True)
    assert (project / "params.yaml.old").read_text() == edited


def test_consent_and_detect_as_a_user_calls_them(tmp_path, capsys):
    soundfile.write(tmp_path / "me.wav", 0.3 * np.sin(np.arange(16000) / 10), 16000)
    asked = ["consent", "--who", "N. N.", "--purpose", "a lesson", "--until"]
    files = ["--reference", str(tmp_path / "me.wav"), "--out", str(tmp_path / "me.json")]
    assert cli.main([*asked, "2099-01-31", *files]) == 0
    assert "N. N. agreed, until 2099-01-31" in capsys.readouterr().out
    assert cli.main(["detect", str(tmp_path / "me.wav")]) == 0
    assert "not found" in capsys.readouterr().out
    bad = {"is not a day": [*asked, "31.1.2030", *files], "no such audio file": ["detect", str(tmp_path / "none.wav")]}
    for part, arguments in bad.items():
        assert cli.main(arguments) == 1
        shown = capsys.readouterr()
        assert part in shown.err and shown.err.count("\n") == 1 and shown.out == ""


def test_a_manifest_that_points_outside_its_folder_is_one_line_and_keeps_nothing(project, monkeypatch, capsys):
    from types import SimpleNamespace

    from sebridge_lite.experiments import systems

    bench = SimpleNamespace(utterances=lambda name: [])
    monkeypatch.setattr(systems, "load_bench", lambda params, lang: bench)
    (project / "azure").mkdir()
    (project / "azure" / "manifest.csv").write_text("file,text\n../me.wav,ไป\n", encoding="utf-8")
    assert cli.main(["score-folder", "azure", "--lang", "th"]) == 1
    assert "leads outside the folder" in (shown := capsys.readouterr().err) and shown.count("\n") == 1
    assert not (project / "artifacts").exists()


FULL = OSError(errno.ENOSPC, "No space left on device")


def full_in_torch():
    try:
        raise FULL
    except OSError:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")  # noqa: B904


def full_in_safetensors():
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def full_in_shutil():
    raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")])


def full_in_python():
    raise FULL


@pytest.mark.parametrize("write", [full_in_torch, full_in_safetensors, full_in_shutil, full_in_python])
def test_a_full_disk_is_one_line_whoever_writes_and_the_old_file_stays(tmp_path, monkeypatch, capsys, write):
    (tmp_path / "kept").write_text("old")

    def command():
        with paths.replacing(tmp_path / "kept") as temporary:
            temporary.write_text("ne")
            write()

    monkeypatch.setattr("sebridge_lite.cli.doctor.doctor", command)
    assert cli.main(["doctor"]) == 1
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and f"{tmp_path / 'kept'}: the disk is full; nothing was replaced" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and (tmp_path / "kept").read_text() == "old"
