"""An executed notebook as HTML for a page of `sebridge pages`: nbconvert's, less what a page cannot or should not hold.

Left out: players and widgets (a line stands where they were), pictures that prose links to, and typeset equations: nothing
that is installed turns LaTeX into MathML, so they stand as typed.
"""

import base64
import io
import posixpath
import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit, urlunsplit

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML
from PIL import Image

from sebridge_lite.report.refresh import WIDGET

SOURCES = "../../notebooks"  # as seen from a page
SOUND, CONTROLS = "sound: run the notebook to hear it", "controls: run the notebook to move them"
SHOWN = ("image/png", "text/html", "text/plain")  # of what an output offers, the first
ALT = re.compile(r"\*Alt text:\s*(.+?[.!?])\*", re.DOTALL)
STYLE = re.compile(r"<style.*?</style>", re.DOTALL | re.IGNORECASE)  # which pandas puts above a table
UNCOLOURED = re.compile(r'<span class="(?:n|o|p|w)">([^<]*)</span>')  # a third of a page
TAGS = (
    "a b blockquote br code del details div em h1 h2 h3 h4 h5 h6 hr i li ol p pre span strong sub summary sup table tbody td th "
    "thead tr ul"
)
LEFT = {"*": ["class"], "a": ["href", "title"], "ol": ["start"], "th": ["style", "colspan", "rowspan", "scope"],
        "tr": ["style"], "td": ["style", "colspan", "rowspan"]}  # fmt: skip
CLEANER = SanitizeHTML(tags=TAGS.split(), attributes=LEFT, styles=["text-align"])


def where(link: str, pages: Collection[str]) -> str:
    """A link of a notebook as its page has it: to the other page where there is one, else to the place it meant."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or not parts.path:
        return link
    target = posixpath.normpath(posixpath.join(SOURCES, parts.path))
    folder, _, file = target.rpartition("/")
    name = file.removesuffix(".ipynb")
    return urlunsplit(parts._replace(path=f"{name}.html" if folder == SOURCES and name in pages else target))


class Prose(IPythonRenderer):
    """Markdown cells with our links, and equations as typed."""

    def __init__(self, pages: Collection[str]):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.pages = pages

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, where(url, self.pages), title)

    def inline_math(self, body: str) -> str:
        return f'<code class="math">{self.escape_html(body.strip())}</code>'

    def block_math(self, body: str) -> str:
        return f'<code class="math block">{self.escape_html(body.strip())}</code>'


def smaller(png: str) -> str:
    """A picture in base64, on white and with at most 256 colours where that takes fewer bytes."""
    content, reduced = base64.b64decode(png), io.BytesIO()
    picture = Image.open(io.BytesIO(content)).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    paper.convert("RGB").quantize(256).save(reduced, "PNG", optimize=True)
    return base64.b64encode(min(content, reduced.getvalue(), key=len)).decode()


def still(outputs: Sequence[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Outputs as a page can show them; those that it cannot show at all are dropped."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        data = output.get("data", {})
        if WIDGET in data or "<audio" in data.get("text/html", ""):
            said = f'<p class="note">{CONTROLS if WIDGET in data else SOUND}</p>'
            output = nbformat.v4.new_output("display_data", {"text/html": said})
            if kept[-1:] == [output]:
                continue
        elif data:
            kind = next((kind for kind in SHOWN if kind in data), None)
            if kind is None:
                continue
            output.data = {kind: smaller(data[kind]) if kind == "image/png" else STYLE.sub("", data[kind])}
        kept.append(output)
    return kept


def describe(cells: Sequence[nbformat.NotebookNode]) -> None:
    """Gives a cell's pictures the alt texts of the prose beneath it, the last one to all that are left."""
    pictures: list[nbformat.NotebookNode] = []
    for cell in cells:
        if cell.cell_type == "code":
            pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})] or pictures
        elif alts := [re.sub(r"\\(?=\W)|`", "", " ".join(alt.split())) for alt in ALT.findall(cell.source)]:
            for n, picture in enumerate(pictures):
                picture.metadata["alt"] = alts[min(n, len(alts) - 1)]
            pictures = []


def body_of(nb: nbformat.NotebookNode, pages: Collection[str]) -> str:
    """The cells in HTML; whatever markup they bring is text unless it is in TAGS."""
    prose = MarkdownWithMath(renderer=Prose(pages))
    for index, cell in enumerate(nb.cells):
        cell.id = str(index)
        if cell.cell_type == "code":
            cell.outputs = still(cell.outputs)
    describe(nb.cells)
    exporter = HTMLExporter(
        template_name="basic", sanitize_html=True, exclude_input_prompt=True, exclude_output_prompt=True,
        filters={"markdown2html": prose.render, "clean_html": CLEANER.sanitize_html_tags},
    )  # fmt: skip
    return UNCOLOURED.sub(r"\1", exporter.from_notebook_node(nb)[0])
