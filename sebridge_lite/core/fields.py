"""Strict settings: what a field of a frozen dataclass allows, and a dataclass built from YAML or a mapping by it.

A mistake gives one line with the file, the key, the value and what is allowed.
"""

import contextlib
import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

import yaml

from sebridge_lite.core.errors import LONGEST, UserError, show
from sebridge_lite.core.files import read_text

DEEPEST = 20  # brackets within brackets
NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def within(low: float, high: float = math.inf, open_low: bool = False, repeats: bool = False, rising: bool = False):
    """A field for numbers in a range, without `low` itself when `open_low`.

    A list holds each value once, unless it may have `repeats`; a `rising` list is a range, low end first.
    """
    return field(metadata={"low": low, "high": high, "open_low": open_low, "repeats": repeats, "rising": rising})


def one_of(*choices: str, may_be_empty: bool = False):
    """A field for one of some texts, or for a list of them."""
    return field(metadata={"choices": choices, "may_be_empty": may_be_empty})


def like(pattern: str, example: str, may_be_empty: bool = False):
    """A field for a text, or a list of them, of one form, such as the `example`."""
    return field(metadata={"pattern": pattern, "example": example, "may_be_empty": may_be_empty})


@typing.dataclass_transform(frozen_default=True, field_specifiers=(field, within, one_of, like))
class Section:
    """A base of frozen dataclasses."""

    def faults(self) -> Iterator[str]:
        """What is wrong with values that are right one by one: KEY: what."""
        return iter(())

    def __init_subclass__(cls):
        dataclasses.dataclass(frozen=True)(cls)


class _Loader(yaml.SafeLoader):
    """YAML with what nobody means taken out: a key that stands twice, `yes` for true, 010 for 8, 1:00 for 60, dates."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise UserError(f"line {node.start_mark.line + 1}: {', '.join(sorted(twice))} stands twice; keep one")
        return super().construct_mapping(node, deep)


_PLAIN = {
    "bool": r"true|false",
    "int": r"[-+]?(0|[1-9][0-9]{0,30})",
    "float": r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?|[-+]?\.inf|\.nan",
    "null": r"~|null|",
    "merge": r"<<",
}
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), None)


def read_yaml(path: Path) -> dict:
    """The keys and values of a YAML file."""
    text = read_text(path, "`sebridge profile lite` writes one")
    level = 0
    for sign in re.findall(r"(?:^|\s)#.*|[][{}]", text):
        level += (sign in "[{") - (sign in "]}")
        if level > DEEPEST:  # PyYAML would take minutes
            raise UserError(f"{path}: not YAML of any sane form (brackets within brackets); restore it")
    try:
        tree = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UserError(f"{path}:{mark.line + 1 if mark else '?'}: not YAML: {why}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (RecursionError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not YAML of any sane form ({type(error).__name__}); restore it") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: holds no keys; `sebridge profile lite` writes a whole one")
    return tree


def allowed(rule: Mapping, kind) -> str:
    """The values that a field allows, in words."""
    if isinstance(kind, types.UnionType):
        return f"{allowed(rule, typing.get_args(kind)[0])}, or null"
    if dataclasses.is_dataclass(kind):
        return f"a section with {', '.join(spec.name for spec in dataclasses.fields(kind))}"
    if isinstance(kind, types.GenericAlias):
        return f"a list, each {allowed(rule, typing.get_args(kind)[0])}"
    if "choices" in rule:
        return "one of " + ", ".join(rule["choices"])
    if "pattern" in rule:
        return f"{NAMES[kind]} such as {rule['example']}"
    if "low" not in rule:
        return NAMES[kind]
    if rule["high"] == math.inf:
        return f"{NAMES[kind]} {'over' if rule['open_low'] else 'from'} {rule['low']:g}"
    return f"{NAMES[kind]} in {'(' if rule['open_low'] else '['}{rule['low']:g}, {rule['high']:g}]"


def _single(value, rule: Mapping, kind: type, where: str):
    fits = type(value) is kind or (kind is float and type(value) is int)
    if fits and "choices" in rule:
        fits = value in rule["choices"]
    elif fits and "pattern" in rule:
        fits = re.fullmatch(rule["pattern"], value, re.ASCII) is not None
    elif fits and "low" in rule:
        fits = rule["low"] <= value <= rule["high"] and not (rule["open_low"] and value == rule["low"])
    if fits and (kind is not str or value.isprintable()):
        return kind(value)
    hint = ""
    if kind in (int, float) and isinstance(value, str):
        with contextlib.suppress(ValueError):
            hint = f" (YAML reads this as text: write {float(value):.6e})"
    raise UserError(f"{where}: {show(value)} is not {allowed(rule, kind)}{hint}")


def _several(values, rule: Mapping, kind: type, where: str) -> tuple:
    if not isinstance(values, list | tuple) or not (values or rule.get("may_be_empty")):
        raise UserError(f"{where}: {show(values)} is not {allowed(rule, kind)}")
    item = typing.get_args(kind)[0]
    found = tuple(_single(value, rule, item, f"{where}[{i}]") for i, value in enumerate(values))
    if rule.get("rising") and not (len(found) == 2 and found[0] < found[1]):
        raise UserError(f"{where}: {list(found)} is not [low, high]")
    twice = [value for value in found if found.count(value) > 1]
    if twice and (item is str or "low" in rule) and not rule.get("repeats"):
        raise UserError(f"{where}: {show(twice[0])} stands twice; keep one")
    return found


def build(section: type, tree: object, file: str, prefix: str = ""):
    """A section's dataclass from a mapping; `file` and `prefix` only name the place in messages."""
    if not isinstance(tree, dict):
        raise UserError(f"{file}: {prefix.rstrip('.') or 'the file'}: {show(tree)} is not a section with keys")
    kinds = typing.get_type_hints(section)
    specs = dataclasses.fields(section)
    rules = {spec.name: spec.metadata for spec in specs}
    optional = {spec.name for spec in specs if spec.default is not dataclasses.MISSING}
    if unknown := [key for key in tree if key not in rules]:
        raise UserError(f"{file}: {prefix}{str(unknown[0])[:LONGEST]}: unknown key; known here: {', '.join(rules)}")
    values: dict[str, object] = {}
    for name, rule in rules.items():
        kind, where = kinds[name], f"{file}: {prefix}{name}"
        if name not in tree and name in optional:
            continue
        if name not in tree:
            raise UserError(f"{where}: missing; {allowed(rule, kind)}")
        if isinstance(kind, types.UnionType):  # a section, or null
            kind = typing.get_args(kind)[0] if tree[name] is not None else None
        if kind is None:
            values[name] = None
        elif isinstance(kind, type) and dataclasses.is_dataclass(kind):
            values[name] = build(kind, tree[name], file, f"{prefix}{name}.")
        else:
            check = _several if isinstance(kind, types.GenericAlias) else _single
            values[name] = check(tree[name], rule, kind, where)
    made = section(**values)
    for fault in made.faults() if isinstance(made, Section) else ():
        raise UserError(f"{file}: {prefix}{fault}")
    return made
