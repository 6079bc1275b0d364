"""The pool: the same results in any number of processes, and an error says whose it is."""

import os

import pytest
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.paths import working
from sebridge_lite.core.workers import in_pool


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
