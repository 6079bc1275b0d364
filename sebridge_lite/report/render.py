"""Texts and pages from the templates of `templates/`: the one place that knows jinja2.

In HTML whatever comes from data is escaped.
"""

import base64
import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from sebridge_lite.core import paths
from sebridge_lite.measure.stats import MEASURES, measure, number_of, row_range, value_range
from sebridge_lite.measure.verdicts import indicated
from sebridge_lite.paper.figures import FONT_FOLDER, FONTS

TEMPLATES = Path(__file__).with_name("templates")


def cell(row: Mapping, name: str) -> str:
    """A value of a table as people read it, with its interval where it has one."""
    value = row.get(name)
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if name == "difference":
        return value_range(value, row.get("low"), row.get("high"))
    if name.removesuffix("_gain") not in MEASURES:
        return row_range(row, name)
    _, by, digits = measure(name)
    return row_range(row, name, spec=f"{'+' if name.endswith('_gain') else ''}.{digits}f", by=by)


def fonts() -> dict[str, str]:
    """The fonts of Thai and Lao by the letters that they have, in base64."""
    files = dict(zip(("U+0E00-0E7F", "U+0E80-0EFF"), FONTS, strict=True))
    return {letters: base64.b64encode((FONT_FOLDER / name).read_bytes()).decode() for letters, name in files.items()}


@cache
def environment() -> jinja2.Environment:
    layout: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    loader, escaped = jinja2.FileSystemLoader(TEMPLATES), jinja2.select_autoescape(["html", "css"])
    made = jinja2.Environment(loader=loader, autoescape=escaped, undefined=jinja2.StrictUndefined, **layout)
    made.filters |= {
        "range": row_range,
        "cell": cell,
        "cells": lambda row, columns: [cell(row, name) for name in columns],
        "heading": lambda name: measure(name)[0],
        "base64": lambda content: base64.b64encode(content).decode(),  # as a data address holds bytes
        "json": lambda value: json.dumps(value, ensure_ascii=False, allow_nan=False),
        "indicated": indicated,
        "bars": lambda text: str(text).replace("|", "\\|"),  # one within a cell of Markdown would end it
    }
    made.globals |= {"measure": measure, "number_of": number_of}
    return made


def render(template: str, **values) -> str:
    """What a template says of `values`; a name that it does not know is an error."""
    return environment().get_template(template).render(**values)


def png(figure: Figure, **how) -> bytes:
    """A figure as a picture, which is then closed."""
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None}, **how)
    plt.close(figure)
    return out.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    """Puts a file in its place at once."""
    with paths.replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
