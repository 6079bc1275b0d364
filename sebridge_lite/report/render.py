"""Texts and pages from the templates of `templates/`: the one place that knows jinja2.

In HTML whatever comes from data is escaped.
"""

import base64
import json
from collections.abc import Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path

import jinja2

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.stats import row_range, value_range
from sebridge_lite.paper.labels import FONT_FOLDER, FONTS, measure

TEMPLATES = Path(__file__).with_name("templates")


def cell(row: Mapping, name: str) -> str:
    """A value of a table as people read it, with its interval where it has one."""
    value = row.get(name)
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if name == "difference":
        return value_range(value, row.get("low"), row.get("high"))
    return row_range(row, name)


def base64_of(content: bytes) -> str:
    """Bytes as a data address holds them."""
    return base64.b64encode(content).decode()


def fonts() -> dict[str, str]:
    """The fonts of Thai and Lao by the letters that they have, in base64."""
    letters = {"Thai": "U+0E00-0E7F", "Lao": "U+0E80-0EFF"}
    return {
        letters[script]: base64_of((FONT_FOLDER / next(name for name in FONTS if script in name)).read_bytes())
        for script in letters
    }


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=jinja2.select_autoescape(["html", "css"]),
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters |= {
        "range": row_range,
        "cell": cell,
        "base64": base64_of,
        "json": lambda value: json.dumps(value, ensure_ascii=False, allow_nan=False),
        "bars": lambda text: str(text).replace("|", "\\|"),  # one within a cell of Markdown would end it
    }
    made.globals["measure"] = measure
    return made


def render(template: str, **values) -> str:
    """What a template says of `values`; a name that it does not know is an error."""
    return environment().get_template(template).render(**values)


def write(path: Path, content: str | bytes) -> Path:
    """Puts a file in its place at once."""
    with paths.replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def check_same(path: Path, anew: str, remedy: str) -> None:
    """Fails where a file is not what would be written now, and says where they part."""
    if not path.is_file():
        raise UserError(f"{path}: not there; {remedy}")
    lines = zip_longest(path.read_text(encoding="utf-8").splitlines(), anew.splitlines(), fillvalue="")
    for number, (one, other) in enumerate(lines, 1):
        if one != other:
            parted = (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
            at = max(0, next(parted, min(len(one), len(other))) - 20)
            there, again = one[at : at + 60], other[at : at + 60]
            raise UserError(f"{path.name}: line {number}: it says {there!r}, made again it is {again!r}; {remedy}")
