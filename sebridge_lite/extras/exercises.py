"""`check("08.3", answer)`: whether an answer to an exercise is right, or what is wrong with it.

No answer stands here: exercises.json holds hashes of the right ones, and of what is often answered instead, each with a hint. A
function is called on stored arguments; each call goes with a sentence on the property that it tests. `digest` makes the hash
of a new answer. Left out: secrecy. Who wants to break a hash of two digits can; who wants to learn need not see the answer.
"""

import hashlib
import json
import numbers
from collections.abc import Mapping
from pathlib import Path

import numpy as np

EXERCISES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def plain(answer, digits: int) -> str:
    """An answer as text: numbers rounded, so that 0.5, 1 / 2 and an array of it are the same."""
    if isinstance(answer, str):
        return answer.strip().lower()
    if isinstance(answer, Mapping):
        return "; ".join(f"{key}: {plain(answer[key], digits)}" for key in sorted(answer))
    if isinstance(answer, bool | np.bool_):
        return str(bool(answer))
    if isinstance(answer, numbers.Real):
        return f"{round(float(answer), digits) + 0.0:.{digits}f}"  # + 0.0: no minus zero
    if hasattr(answer, "tolist"):  # an array or a tensor
        return plain(answer.tolist(), digits)
    if isinstance(answer, list | tuple):
        return "[" + ", ".join(plain(part, digits) for part in answer) + "]"
    raise TypeError(f"a {type(answer).__name__} is no answer")


def digest(number: str, answer, digits: int) -> str:
    """The hash that exercises.json keeps of an answer."""
    return hashlib.sha256(f"{number} {plain(answer, digits)}".encode()).hexdigest()[:16]


def unanswered(answer) -> bool:
    """Whether a `...` is still there."""
    parts = (
        answer.values() if isinstance(answer, Mapping) else answer if isinstance(answer, list | tuple) else (answer,)
    )
    return any(part is ... or part is None for part in parts)


def value_problem(number: str, answer, exercise: Mapping) -> str:
    """What is wrong with a value, "" if nothing."""
    if unanswered(answer):
        return "put your answer in the place of the `...`"
    try:
        found = digest(number, answer, exercise["digits"])
    except TypeError as error:
        return f"{error}; a number or a text is wanted"
    if found == exercise["right"]:
        return ""
    return exercise["hints"].get(found, "this is not it; read the question again, and mind units and signs")


def given(argument):
    """A stored argument: rows of numbers become arrays."""
    numeric = isinstance(argument, list) and not any(isinstance(part, str) for part in argument)
    return np.array(argument) if numeric else argument


def function_problem(number: str, answer: object, exercise: Mapping) -> str:
    """The first property that a function lacks, "" if none."""
    if not callable(answer):
        return "hand in the function itself, without brackets"
    for call in exercise["calls"]:
        shown = ", ".join(map(str, call["arguments"]))
        try:
            with np.errstate(all="ignore"):
                found = answer(*map(given, call["arguments"]))
            if unanswered(found):
                return "the function returns nothing yet: put your code in the place of the `...`"
            right = digest(number, found, exercise["digits"]) == call["right"]
        except Exception as error:  # a student's code may raise anything, and a traceback would not teach
            return f"for ({shown}) your function stops with {type(error).__name__}: {error}"
        if not right:
            return f"{call['property']}. Try it with ({shown}); you return {str(found)[:80]}"
    return ""


def check(number: str, answer) -> bool:
    """Whether the answer is right; prints it with what is wrong, in a line."""
    exercise = EXERCISES.get(number)
    if exercise is None:
        print(f"{number}: there is no such exercise; numbers are like 08.3")
        return False
    find = function_problem if "calls" in exercise else value_problem
    problem = find(number, answer, exercise)
    print(f"{number} not yet: {problem}" if problem else f"{number} right")
    return not problem
