"""`sebridge pages`: the executed notebooks of a run as small static pages in results/notebooks/, which git keeps.

They need no script and no network, and the same run gives the same bytes. The folder is replaced as a whole: no page outlives
the run that made it. Left out: what `notebook_html` leaves out, sound first of all.
"""

import base64
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
import nbformat
from fontTools import subset

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.experiments.accounts import NAME
from sebridge_lite.experiments.origin import FIELDS, in_words
from sebridge_lite.experiments.run import STAGES, failed_cell
from sebridge_lite.paper.figures import FONT_FOLDER, FONTS
from sebridge_lite.report.notebook_html import SOURCES, body_of

MOST = 6_000_000  # bytes of all pages
SCRIPTS = range(0x0E00, 0x0F00)  # Thai and Lao, which not every system can draw


@dataclass(frozen=True)
class Executed:
    name: str
    title: str
    origin: dict
    nb: nbformat.NotebookNode


def executed(stage: str) -> Executed | None:
    """The notebook of a stage, and whose it is; None while the stage has not finished."""
    name, folder = STAGES[stage][0], paths.results(stage)
    path, account = folder / f"{name}.ipynb", folder / NAME
    if not path.is_file() or not account.is_file():
        return None
    try:
        origin, nb = json.loads(account.read_text(encoding="utf-8")), nbformat.read(path, as_version=4)
    except ValueError as error:
        raise UserError(f"{folder}: not readable ({error}); `dvc repro -f -s {stage}` makes it again") from None
    if missing := [field for field in FIELDS if field not in origin]:
        raise UserError(f"{account}: no {', '.join(missing)}; `dvc repro -f -s {stage}` makes it again")
    if origin["profile"] == "smoke":
        raise UserError(f"{folder}: profile smoke: too small to publish; run lite or full")
    if any(output.output_type == "error" for cell in nb.cells for output in cell.get("outputs", [])):
        raise UserError(f"{path}: {failed_cell(path)}; mend it, then `dvc repro {stage}`; no page was written")
    heading = re.search(r"^# (.+)$", nb.cells[0].source if nb.cells else "", flags=re.MULTILINE)
    return Executed(name, heading[1] if heading else name, origin, nb)


def letters(font: str, text: str) -> str:
    """A font in base64, cut down to the Thai or the Lao of the text; "" where there is none."""
    options = subset.Options(flavor="woff", layout_features=["*"], recalc_timestamp=False)
    with subset.load_font(FONT_FOLDER / font, options) as whole:
        needed = set(map(ord, text)) & set(SCRIPTS) & set(whole.getBestCmap())
        if not needed:
            return ""
        cut, held = subset.Subsetter(options), io.BytesIO()
        cut.populate(unicodes=needed)
        cut.subset(whole)
        subset.save_font(whole, held, options)
    return base64.b64encode(held.getvalue()).decode()


def page_of(title: str, **parts) -> str:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = Path(__file__).with_name("notebook_page.html").read_text(encoding="utf-8")
    fonts = {name: letters(name, title + parts.get("body", "")) for name in FONTS}
    return environment.from_string(template).render(title=title, sources=SOURCES, fonts=fonts, **parts)


def run_pages() -> tuple[dict[str, int], list[str]]:
    """{page: its bytes}, and the stages that have not run."""
    found = {stage: executed(stage) for stage in STAGES}
    made = sorted((one for one in found.values() if one), key=lambda one: one.name)
    missing = [stage for stage, one in found.items() if not one]
    if not made:
        raise UserError(f"{paths.results()}: no notebook has run; `make reproduce` runs them all")
    names = [one.name for one in made]
    pages = {
        f"{one.name}.html": page_of(
            one.title, body=body_of(one.nb, names), name=one.name, origin=in_words(one.origin)
        ).encode()
        for one in made
    }
    pages["index.html"] = page_of("The notebooks, executed", notebooks=made, missing=missing).encode()
    sizes = {name: len(content) for name, content in pages.items()}
    if (total := sum(sizes.values())) > MOST:
        raise UserError(
            f"the pages have {total / 1e6:.1f} MB, {MOST / 1e6:.0f} are allowed; make the figures smaller (DPI)"
        )
    with paths.replacing(paths.results("notebooks")) as temporary:
        temporary.mkdir()
        for name, content in pages.items():
            (temporary / name).write_bytes(content)
    return sizes, missing
