"""Files that others may have damaged, read whole and checked; or one line that says how to mend them.

Only regular files are opened: a pipe would block for ever. `mend` is what to do about a file that is missing or damaged.
"""

import json
from collections.abc import Collection
from pathlib import Path

from sebridge_lite.core.errors import UserError, in_line, show

KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def regular(path: Path, mend: str) -> Path:
    """The path itself, where a regular file is."""
    if path.is_file():
        return path
    raise UserError(f"{path}: {'no regular file' if path.exists() else 'not there'}; {mend}")


def read_text(path: Path, mend: str) -> str:
    """The text of a file in UTF-8."""
    try:
        return regular(path, mend).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; {mend}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {mend}") from None


def once(pairs: list[tuple[str, object]]) -> dict:
    """An object of JSON whose keys all differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {show(next(key for key in keys if keys.count(key) > 1))} stands twice")
    return found


def misfit(value, shape, where: str = "it") -> str:
    """What keeps a value from having a shape, or "". A shape is a type, [shape of each], {"key": shape} or {str: shape}."""
    kind = shape if isinstance(shape, type) else type(shape)
    if kind is object:
        return ""
    found = type(value)
    if found is not kind and not (kind is float and found is int):
        return f"{where} is not {KINDS[kind]}"
    if isinstance(shape, list):
        each = shape[0] if shape else object
        parts = [(part, each, f"{where}[{place}]") for place, part in enumerate(value)]
    elif not isinstance(shape, dict):
        return ""
    elif str in shape:
        parts = [(part, shape[str], f"{where}[{show(key)}]") for key, part in value.items()]
    elif missing := shape.keys() - value.keys():
        return f"{where} has no {min(missing)}"
    else:
        parts = [(value[key], wanted, key if where == "it" else f"{where}.{key}") for key, wanted in shape.items()]
    return next(filter(None, (misfit(*part) for part in parts)), "")


def read_json(path: Path, mend: str, shape=dict):
    """The value of a JSON file, which has the shape."""
    text = read_text(path, mend)
    try:
        value = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:80]
        raise UserError(f"{path}: not JSON ({why}); {mend}") from None
    if fault := misfit(value, shape):
        raise UserError(f"{path}: damaged: {fault}; {mend}")
    return value


def read_table(path: Path, mend: str, columns: Collection[str] = (), texts: Collection[str] = ()):
    """A CSV file as a DataFrame with these `columns` at least; only `texts` may hold texts."""
    import pandas as pd  # a second, which whoever reads no table need not wait

    how = {"dtype": dict.fromkeys(texts, str), "keep_default_na": False, "na_values": [""]}
    try:
        table = pd.read_csv(regular(path, mend), **how)
    except (ValueError, OSError, RecursionError) as error:  # pandas' own errors are ValueErrors
        raise UserError(f"{path}: damaged: {in_line(str(error))[:120]}; {mend}") from None
    if missing := set(columns) - set(table):
        raise UserError(f"{path}: damaged: no column {min(missing)}; {mend}")
    if wrong := [name for name in table if name not in texts and not pd.api.types.is_numeric_dtype(table[name])]:
        raise UserError(f"{path}: damaged: column {show(wrong[0])} does not hold numbers; {mend}")
    return table
