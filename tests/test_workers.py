"""The pool: the same results in any number of processes, and an error says whose it is."""

import os

import pytest
import torch

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.hashes import stamp_of
from sebridge_lite.core.params import load_params
from sebridge_lite.core.paths import collecting, remove, working
from sebridge_lite.core.workers import in_pool
from sebridge_lite.experiments.score import score_all


def _work(job):
    name, number = job
    if number < 0:
        raise UserError("under 0")
    if number == 0:
        raise ZeroDivisionError
    return f"{name}{number}", torch.get_num_threads(), os.getpid()


@pytest.mark.parametrize("count", ["1", "2"])
def test_jobs_come_back_in_their_order_and_each_has_one_thread(monkeypatch, count):
    monkeypatch.setenv("SEBRIDGE_WORKERS", count)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = in_pool(_work, [("a", 1), ("b", 2), ("c", 3)], "stage")
    assert [name for name, *_ in found] == ["a1", "b2", "c3"]
    assert {threads for _, threads, _ in found} == {1}
    assert (os.getpid() in {process for *_, process in found}) == (count == "1")


@pytest.mark.parametrize("count", ["1", "2"])
def test_an_error_names_its_cell(monkeypatch, count):
    monkeypatch.setenv("SEBRIDGE_WORKERS", count)
    with pytest.raises(UserError, match="stage: b -1: under 0"):
        in_pool(_work, [("a", 1), ("b", -1)], "stage")
    with pytest.raises(ZeroDivisionError) as caught:
        in_pool(_work, [("a", 1), ("c", 0)], "stage")
    assert caught.value.__notes__ == ["stage: c 0"]


def test_a_work_folder_stays_when_its_stage_fails_and_goes_when_it_succeeds(tmp_path):
    with pytest.raises(ZeroDivisionError), working(tmp_path / "out") as work:
        (work / "checkpoint").write_text("kept")
        raise ZeroDivisionError
    with working(tmp_path / "out") as work:
        assert (work / "checkpoint").read_text() == "kept"
    assert not any(tmp_path.iterdir())


def test_what_a_killed_run_has_finished_is_kept_for_the_same_key_alone(tmp_path):
    def make(key: str, names: str) -> list[str]:
        """The parts that are made, until one is `!`."""
        made = []
        with collecting(tmp_path / "out", key) as parts:
            for name in names:
                if not (parts / name).exists():
                    made.append(name if name != "!" else 1 / 0)
                    (parts / name).write_text(key)
        return made

    for key, names, made in (("first", "abc", "c"), ("second", "abc", "abc")):
        with pytest.raises(ZeroDivisionError):
            make("first", "ab!")
        assert not (tmp_path / "out").exists()
        assert make(key, names) == list(made)
        assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == dict.fromkeys(names, key)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        remove(tmp_path / "out")


def test_a_stamp_is_another_one_when_a_file_is_made_anew_and_the_same_when_nothing_is(tmp_path):
    (tmp_path / "b").mkdir()
    for name, text in (("a", "1"), ("b/c", "2")):
        (tmp_path / name).write_text(text)
    stamps = [stamp_of(tmp_path), stamp_of(tmp_path)]
    os.utime(tmp_path / "b" / "c", ns=(0, 1))  # as large as before
    stamps.append(stamp_of(tmp_path))
    (tmp_path / "b" / "c").rename(tmp_path / "b" / "d")
    stamps.append(stamp_of(tmp_path))
    (tmp_path / "a").unlink()
    stamps.append(stamp_of(tmp_path))
    assert stamps[0] == stamps[1] and len(set(stamps)) == 4
    assert stamp_of(tmp_path / "nothing") == stamp_of()


def test_a_killed_scoring_goes_on_and_begins_anew_when_a_policy_is_another(tmp_path, monkeypatch):
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    policy = tmp_path / "artifacts" / "sft" / "s0" / "model"
    policy.parent.mkdir(parents=True)
    policy.write_text("weights")
    params, scored = load_params(paths.root() / "params" / "smoke.yaml"), []

    def score(job):
        _, name, _, folder = job
        scored.append(name)
        if scored.count("b") == 1 and name == "b":
            raise ZeroDivisionError
        (folder / name).mkdir()

    def again() -> str:
        score_all(score, params, "sft", ["a", "b"], 0, "sft/s0")
        return "".join(scored)

    with pytest.raises(ZeroDivisionError):
        again()
    assert again() == "abb"
    assert sorted(path.name for path in (tmp_path / "artifacts/scores/sft").rglob("*")) == ["a", "b", "s0"]
    scored.clear()
    with pytest.raises(ZeroDivisionError):
        again()
    os.utime(policy, ns=(0, 1))
    assert again() == "abab"
