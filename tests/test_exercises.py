"""The handouts: every answer of the solutions passes its check, no placeholder does, and a wrong answer is told what is wrong.

Cells run in this process, one namespace a notebook: a kernel for each would take a minute.
"""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from sebridge_lite.extras.exercises import EXERCISES, check, digest

ROOT = Path(__file__).parents[1]
NAMES = sorted(path.stem for path in (ROOT / "exercises").glob("*.ipynb"))
# Three typical wrong answers to each exercise of 08, and what the check must speak of.
WRONG = {
    "08.1": [(2.127, "margin"), (0.693, "start"), (-0.127, "signs")],
    "08.2": [
        (lambda q, r, beta: q * np.exp(r / beta), "three to one"),
        (lambda q, r, beta: q * np.exp(r * beta) / (q * np.exp(r * beta)).sum(), "farther"),
        (lambda q, r, beta: np.exp(r / beta) / np.exp(r / beta).sum(), "reference"),
    ],
    "08.3": [
        (lambda won, lost, ref_won, ref_lost, beta: np.log1p(np.exp(lost - won)), "ln 2"),
        (lambda won, lost, ref_won, ref_lost, beta: np.logaddexp(0, beta * (won - ref_won - lost + ref_lost)), "0.3"),
        (lambda won, lost, ref_won, ref_lost, beta: np.logaddexp(0, 0.1 * (ref_won - won + lost - ref_lost)), "beta"),
    ],
    "08.4": [
        (lambda logps, labels: (logps * (labels > 0)).sum(1), "token 0"),
        (lambda logps, labels: logps.sum(1), "only the last two"),
        (lambda logps, labels: (logps * (labels != -100)).mean(1), "only the last two"),
    ],
    "08.5": [
        (
            lambda won, lost: {"rewards/margins": (won - lost).mean(), "rewards/accuracies": (won >= lost).mean()},
            "start",
        ),
        (lambda won, lost: {"rewards/margins": (won - lost).mean(), "rewards/accuracies": (won > 0).mean()}, "less"),
        (lambda won, lost: {"margins": (won - lost).mean()}, "start"),
    ],
}


def handout(folder: str, name: str):
    return nbformat.read(ROOT / folder / f"{name}.ipynb", as_version=4)


def run(nb) -> None:
    namespace: dict = {}
    for cell in nb.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), namespace)


def verdicts(text: str) -> dict[str, bool]:
    lines = re.findall(r"^(\d\d\.\d) (right$|not yet: .+$)", text, re.M)
    return {number: said == "right" for number, said in lines}


def numbers(name: str) -> list[str]:
    return [number for number in EXERCISES if number.startswith(name[:2])]


def test_there_are_at_least_45_exercises_and_three_to_five_in_each_notebook():
    counts = {name: sum(cell.source.startswith("## ") for cell in handout("exercises", name).cells) for name in NAMES}
    assert sum(counts.values()) >= 45 and all(3 <= count <= 5 for count in counts.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_solution_passes_its_check(name, capsys):
    run(handout("solutions", name))
    assert verdicts(capsys.readouterr().out) == dict.fromkeys(numbers(name), True)


@pytest.mark.parametrize("name", NAMES)
def test_no_placeholder_passes_and_none_stops_the_handout(name, capsys):
    run(handout("exercises", name))
    assert verdicts(capsys.readouterr().out) == dict.fromkeys(numbers(name), False)


@pytest.mark.parametrize("name", NAMES)
def test_handout_and_solutions_ask_the_same(name):
    asked = [
        {cell.id: cell.source for cell in handout(folder, name).cells if cell.id[0] in "cq"}
        for folder in ("exercises", "solutions")
    ]
    assert asked[0] == asked[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_handout_has_no_answer_of_the_solutions(name):
    answers = {cell.source for cell in handout("solutions", name).cells if cell.id[0] in "aw"}
    assert not answers & {cell.source for cell in handout("exercises", name).cells}


@pytest.mark.parametrize("number", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(number, capsys):
    for answer, about in WRONG[number]:
        assert not check(number, answer)
        said = capsys.readouterr().out
        assert said.startswith(f"{number} not yet: ") and said.count("\n") == 1 and about in said


def test_answers_that_no_exercise_can_want_get_one_line(capsys):
    def broken(*arguments):
        raise ZeroDivisionError("no")

    for number, answer in (
        ("08.1", None),
        ("08.1", 1j),
        ("08.1", {1}),
        ("08.3", 3),
        ("08.3", broken),
        ("99.1", 0),
        ("08.3", len),
    ):
        assert not check(number, answer)
        assert capsys.readouterr().out.count("\n") == 1


def test_equal_answers_in_other_types_have_one_hash():
    assert len({digest("1", value, 2) for value in (0.5, 1 / 2, np.float32(0.5), np.array(0.5), "0.50 ")}) == 1
    assert len({digest("1", value, 1) for value in ((1, -0.0), [1.0, 0.01], np.array([1, 0]))}) == 1
    assert digest("1", 0.5, 2) != digest("2", 0.5, 2)
