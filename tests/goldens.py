"""What a room of the library makes of made-up inputs, kept in a JSON file beside its test, and what has moved since.

Other tests say what is right. These say what has moved: a bound, a rounding, a default, the order of columns. Their inputs
lie on coarse grids, so that equal values meet. Where you meant a change, `python tests/test_goldens_ROOM.py` writes the file
again; read its difference before you commit it.
"""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.own_tables import Fault

DIGITS = 7
Numbers = Mapping[str, Callable[[], Mapping]]


def told(ask: Callable, *given, **named):
    """What comes back, or what it is refused for."""
    try:
        return ask(*given, **named)
    except (UserError, Fault) as error:
        return f"refused: {error}"


def plain(value):
    """As JSON: tables as lists of columns in their order, numbers to so many digits."""
    if isinstance(value, pd.DataFrame):
        return [[str(name), plain(value[name].tolist())] for name in value]
    if isinstance(value, pd.Series | np.ndarray | torch.Tensor):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value):
        return plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, bool | np.bool_ | str | None | int | np.integer):
        return value.item() if isinstance(value, np.generic) else value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)


def steps_of(seed: int, *shape: int, of: int = 5, by: float = 0.25) -> np.ndarray:
    """Random multiples of `by` from 0: many are equal."""
    return by * np.random.default_rng(seed).integers(0, of, shape)


def some(of: np.ndarray) -> np.ndarray:
    """Every seventh value is unknown."""
    of = of.copy()
    of.flat[::7] = np.nan
    return of


def moved(now, then, where: str = "", near: float = 1e-5) -> list[str]:
    """Where two such trees part by more than a share of `near`, each place in words."""
    if isinstance(now, dict) and isinstance(then, dict) and list(now) == list(then):
        return [line for key in now for line in moved(now[key], then[key], f"{where} > {key}", near)]
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [
            line for i, pair in enumerate(zip(now, then, strict=True)) for line in moved(*pair, f"{where} > {i}", near)
        ]
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (now, then))
    same = math.isclose(now, then, rel_tol=near, abs_tol=near / 100) if numbers else repr(now) == repr(then)
    return [] if same else [f"{where}: {then} -> {now}"]


def check(test: Path, numbers: Numbers, name: str, near: float = 1e-5) -> None:
    """Fails where something has moved, and says how the file is written again. near: as far as machines may differ."""
    kept = json.loads(test.with_suffix(".json").read_text(encoding="utf-8"))
    lines = moved(plain(numbers[name]()), kept[name], name, near)
    again = f"\nwhere you meant it: python tests/{test.name}, and read the difference"
    assert not lines, "\n".join(lines[:20]) + again


def keep(test: Path, numbers: Numbers) -> None:
    """Writes what the functions make now, a list of numbers in a line."""
    text = json.dumps({name: plain(make()) for name, make in numbers.items()}, indent=0, ensure_ascii=False)
    lines = re.sub(r"\[[^][{}]*\]", lambda numbers: numbers[0].replace("\n", " "), text)
    test.with_suffix(".json").write_text(lines + "\n", encoding="utf-8")
