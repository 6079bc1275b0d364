"""Strict settings: what a field of a frozen dataclass allows, and a dataclass built from YAML or a mapping by it.

A mistake gives one line with the file, the key, the value and what is allowed.
"""

import dataclasses
import math
import types
import typing
from dataclasses import field
from pathlib import Path

import yaml

from sebridge_lite.core.errors import UserError


def within(low: float, high: float = math.inf, open_low: bool = False):
    """A number's allowed range, `low` left out when `open_low`."""
    return field(metadata={"low": low, "high": high, "open_low": open_low})


def one_of(*choices: str):
    return field(metadata={"choices": choices})


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not a silent overwrite."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {str(key) for key in keys if keys.count(key) > 1}
    if twice:
        raise UserError(f"line {node.start_mark.line + 1}: {', '.join(sorted(twice))} stands twice; keep one")
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> dict:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `sebridge profile lite` writes one") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UserError(f"{path}:{mark.line + 1 if mark else '?'}: not YAML: {error.problem or error}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: holds no keys; `sebridge profile lite` writes a whole one")
    return tree


def allowed(spec: dataclasses.Field, kind: type) -> str:
    """The allowed values of a field in words, for messages and for help."""
    rule = spec.metadata
    if "choices" in rule:
        return "one of " + ", ".join(rule["choices"])
    name = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind]
    if "low" not in rule:
        return name
    if rule["high"] == math.inf:
        return f"{name} {'over' if rule['open_low'] else 'from'} {rule['low']:g}"
    return f"{name} in {'(' if rule['open_low'] else '['}{rule['low']:g}, {rule['high']:g}]"


def check_value(value, spec: dataclasses.Field, kind: type, where: str):
    """`value` as `kind` when it fits the field, else one line."""
    number = kind in (int, float)
    fits = type(value) is kind or (kind is float and type(value) is int)
    hint = ""
    if number and isinstance(value, str):
        try:
            hint = f" (YAML reads this as text: write {float(value):.6e})"
        except ValueError:
            hint = ""
    rule = spec.metadata
    if fits and "choices" in rule:
        fits = value in rule["choices"]
    if fits and number and "low" in rule:
        fits = rule["low"] <= value <= rule["high"] and not (rule["open_low"] and value == rule["low"])
    if not fits:
        raise UserError(f"{where}: {value!r} is not {allowed(spec, kind)}{hint}")
    return kind(value)


def build(section: type, tree: object, file: str, prefix: str = ""):
    """A section's dataclass from a mapping; `file` and `prefix` only name the place in messages."""
    if not isinstance(tree, dict):
        raise UserError(f"{file}: {prefix.rstrip('.') or 'the file'}: {tree!r} is not a section with keys")
    hints = typing.get_type_hints(section)
    fields = {spec.name: spec for spec in dataclasses.fields(section)}
    unknown = [key for key in tree if key not in fields]
    if unknown:
        raise UserError(f"{file}: {prefix}{unknown[0]}: unknown key; known here: {', '.join(fields)}")
    missing = [name for name in fields if name not in tree]
    if missing:
        raise UserError(f"{file}: {prefix}{missing[0]}: missing; {describe(section, missing[0])}")
    values = {}
    for name, spec in fields.items():
        kind, value, where = hints[name], tree[name], f"{file}: {prefix}{name}"
        if dataclasses.is_dataclass(kind):
            values[name] = build(kind, value, file, f"{prefix}{name}.")
        elif isinstance(kind, types.GenericAlias):
            item = typing.get_args(kind)[0]
            if not isinstance(value, list | tuple) or not (value or "may_be_empty" in spec.metadata):
                raise UserError(f"{where}: {value!r} is not a list of values, each {allowed(spec, item)}")
            values[name] = tuple(check_value(v, spec, item, f"{where}[{i}]") for i, v in enumerate(value))
        else:
            values[name] = check_value(value, spec, kind, where)
    return section(**values)


def describe(section: type, name: str) -> str:
    """What a key allows, in words."""
    spec = next(spec for spec in dataclasses.fields(section) if spec.name == name)
    kind = typing.get_type_hints(section)[name]
    if dataclasses.is_dataclass(kind):
        return f"a section with {', '.join(spec.name for spec in dataclasses.fields(kind))}"
    if isinstance(kind, types.GenericAlias):
        return f"a list, each {allowed(spec, typing.get_args(kind)[0])}"
    return allowed(spec, kind)
