"""`sebridge repro` on small pipelines of shell commands."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sebridge_lite.cli.repro import plan, stages_at_once

MEET = "touch {0}.here; for i in $(seq 300); do [ -e {1}.here ] && exec touch {0}; sleep .1; done; exit 1"
TOGETHER = f"""
stages:
  left:
    cmd: {MEET.format("left", "right")}
    outs: [left]
  right:
    cmd: {MEET.format("right", "left")}
    outs: [right]
  both:
    cmd: echo "it is done"; cat left right > both
    deps: [left, right]
    outs: [both]
"""
BROKEN = """
stages:
  bad:
    cmd: echo "no luck"; exit 3
    outs: [bad]
  after:
    cmd: touch after
    deps: [bad]
    outs: [after]
  other:
    cmd: touch other
    outs: [other]
"""


@pytest.fixture
def pipeline(project, monkeypatch):
    """A function that makes the project a pipeline of its own, and a function that runs it."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    command = [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"]
    subprocess.run(command, cwd=project, check=True)
    (project / "data.dvc").unlink(missing_ok=True)

    def made(text: str):
        (project / "dvc.yaml").write_text(text)
        run = [sys.executable, "-m", "sebridge_lite.cli.main", "repro", "--jobs", "2"]
        how = {"cwd": project, "capture_output": True, "text": True, "check": False}
        return lambda *targets: subprocess.run([*run, *targets], **how)

    return made


def test_stages_that_need_nothing_of_each_other_run_at_once_and_then_what_needs_both(pipeline, project):
    run = pipeline(TOGETHER)
    first = run()
    assert first.returncode == 0, first.stdout + first.stderr
    assert (project / "both").exists()
    assert "it is done" in first.stdout
    assert first.stdout.strip().endswith("3 of the stages ran, 2 at once")
    assert run().stdout.strip() == "everything is up to date"
    (project / "left").unlink()
    assert "stages ran" in run().stdout  # from DVC's cache: nobody meets anybody
    assert (project / "left").exists()


def test_after_a_failure_nothing_that_waits_for_it_runs_and_the_stage_is_named(pipeline, project):
    failed = pipeline(BROKEN)()
    assert failed.returncode == 1
    assert "no luck" in failed.stdout
    assert failed.stderr.strip().startswith("sebridge: stage bad failed, see above")
    assert not (project / "after").exists()


def test_the_plan_begins_with_what_the_longest_chain_waits_for(pipeline, project):
    from dvc.repo import Repo

    pipeline(TOGETHER + "  short:\n    cmd: touch short\n    outs: [short]\n")
    order, waits = plan(Repo(str(project)))
    names = [stage.addressing.split(":")[-1] for stage in order]
    assert {*names[:2]} == {"left", "right"}
    assert {name.split(":")[-1] for key in waits for name in waits[key]} == {"left", "right"}


def test_as_many_stages_run_as_there_are_cores_and_memory(monkeypatch):
    import psutil

    from sebridge_lite.cli import repro

    monkeypatch.setattr(repro, "cores", lambda: 4)
    free = type("Memory", (), {"available": 64 * 2**30})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert stages_at_once("studio") == 4
    assert stages_at_once("hub") == 1
    free.available = 7 * 2**30  # a pool of 4 processes takes 3 GiB
    assert stages_at_once("own") == 2
    free.available = 2**29
    assert stages_at_once("own") == 1


def test_a_stage_has_its_share_of_the_cores_and_own_has_all(monkeypatch):
    from sebridge_lite.cli import repro

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(repro, "cores", lambda: 5)
    threads = {
        (name, jobs): repro.environment(name, jobs)["OMP_NUM_THREADS"] for name in ("own", "sft") for jobs in (1, 2, 8)
    }
    assert threads == {
        ("own", 1): "5",
        ("own", 2): "5",
        ("own", 8): "5",
        ("sft", 1): "5",
        ("sft", 2): "2",
        ("sft", 8): "1",
    }
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert repro.environment("own", 2)["OMP_NUM_THREADS"] == "3"


def test_a_bar_is_no_part_of_what_a_stage_said(monkeypatch):
    from sebridge_lite.cli import repro

    says = r"printf '\r 10%%\r 20%%\rfound 3\n'; printf '\r 30%%\r'"
    monkeypatch.setattr(repro.sys, "executable", "sh")
    popen = subprocess.Popen
    monkeypatch.setattr(repro.subprocess, "Popen", lambda command, **how: popen(["sh", "-c", says], **how))
    doing: dict[str, str] = {}
    assert repro.run_one("stage", 2, doing) == (0, "found 3\n")
    assert doing == {"stage": "30%"}


def test_a_target_is_made_with_what_it_needs_and_nothing_else(pipeline, project):
    run = pipeline(TOGETHER + "  short:\n    cmd: touch short\n    outs: [short]\n")
    assert run("short").stdout.strip().endswith("1 of the stages ran, 2 at once")
    assert run("both").stdout.strip().endswith("3 of the stages ran, 2 at once")
    wrong = run("shrot")
    (project / "dvc.yaml").write_text("stages: [what]")
    for broken in (wrong, run()):
        assert broken.returncode == 1
        assert broken.stderr.startswith("sebridge: dvc: ") and len(broken.stderr.splitlines()) == 1, broken.stderr


def test_ctrl_c_stops_the_stages_too_in_one_line(pipeline, project):
    pipeline("stages:\n  long:\n    cmd: touch begun; sleep 100; touch long\n    outs: [long]\n")
    how = {
        "cwd": project,
        "start_new_session": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    # A shell that runs tests in the background has them ignore Ctrl-C, and so would what they start.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from sebridge_lite.cli.main import main; sys.exit(main(['repro']))"
    run = subprocess.Popen([sys.executable, "-c", code], **how)
    while not (project / "begun").exists():
        assert run.poll() is None, run.communicate()
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert said == "sebridge: stopped; run the same command again to go on\n"
    assert not (project / "long").exists()
