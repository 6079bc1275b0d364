"""Notebooks for people to read: equations and cells as HTML (docs/conf.py, slides), `sebridge notebooks` runs them in place.

Cells are nbconvert's, in a template of ours, without script, player or network. The book (`make book`) is Sphinx's.
"""

import os
from functools import cache
from html import escape
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.progress import progress
from sebridge_lite.experiments.account import NAME
from sebridge_lite.experiments.notebook import STAGES, failed_cell
from sebridge_lite.paper.evidence import in_words, read_json
from sebridge_lite.report.render import TEMPLATES

PLAIN = ("text/plain", "image/png")
WIDGET = "application/vnd.jupyter.widget-view+json"


def mathml(latex: str, display: str) -> str:
    """An equation in MathML; as typed where the converter does not know a command."""
    try:
        return convert(latex.strip(), display=display)
    except Exception:  # the converter raises errors of many kinds, and a page is better than none
        return f"<code>{escape(latex.strip())}</code>"


class Prose(IPythonRenderer):
    """Markdown cells: links lead from docs/slides/ to what they meant, and equations are MathML."""

    def link(self, text: str, url: str, title: str | None = None) -> str:
        outside = "://" in url or url.startswith("#")
        page = f"../../{url.removeprefix('../')}" if "/" in url else f"../../notebooks/{url}"
        return super().link(text, url if outside else page, title)

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")


def executed(stage: str) -> nbformat.NotebookNode | None:
    """The notebook of a stage as a `lite` or `full` run left it, with a line of where it is from; None without one."""
    path = paths.results(stage, f"{STAGES[stage][0]}.ipynb")
    account = read_json(path.with_name(NAME), None)
    if not path.is_file() or account is None or account["profile"] == "smoke":
        return None
    nb = nbformat.read(path, as_version=4)
    if any(output.output_type == "error" for cell in nb.cells for output in cell.get("outputs", [])):
        raise UserError(f"{path}: {failed_cell(path)}; mend it, then `dvc repro {stage}`")
    nb.cells.insert(1, nbformat.v4.new_markdown_cell(f"Executed: {escape(in_words(account))}."))
    return nb


def notebook_of_book(name: str) -> str:
    """A notebook as the book shows it: of the run where there is one, else the committed one.

    Of its outputs: text, pictures and players; of other HTML its text.
    """
    stage = next((stage for stage, (notebook, *_) in STAGES.items() if notebook == name), None)
    nb = executed(stage) if stage else None
    nb = nb or nbformat.read(paths.root() / "notebooks" / f"{name}.ipynb", as_version=4)
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            shown = [kind for kind in data if kind in PLAIN or "<audio" in data[kind]]
            output.update({"data": {kind: data[kind] for kind in shown}} if data else {})
    return nbformat.writes(nb)


@cache
def exporter() -> HTMLExporter:
    """nbconvert's, with our template and our prose."""
    prose = MarkdownWithMath(renderer=Prose(escape=False, exclude_anchor_links=True))
    look = {"template_name": "notebook", "exclude_input_prompt": True, "exclude_output_prompt": True}
    filters = {"markdown2html": prose.render}
    return HTMLExporter(extra_template_basedirs=[str(TEMPLATES)], filters=filters, **look)


def page_of(nb: nbformat.NotebookNode) -> str:
    """Cells as HTML."""
    for index, cell in enumerate(nb.cells):
        cell.id = str(index)  # the same run gives the same bytes
    return exporter().from_notebook_node(nb)[0]


def execute(notebook: Path) -> None:
    """Executes a notebook in place, without its widgets, which are dead in a saved copy."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    nb = nbformat.read(notebook, as_version=4)
    folder = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(nb, kernel_name="python3", resources=folder, timeout=600, record_timing=False)
    try:
        client.execute()
    except CellExecutionError as error:
        raise UserError(f"{notebook.name}: {error.ename}: {error.evalue}; nothing was saved") from None
    nb.metadata.pop("widgets", None)
    nb.metadata["language_info"] = {"name": "python"}  # the rest of it changes with each Python
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    with paths.replacing(notebook) as temporary:
        nbformat.write(nb, temporary)


def execute_all() -> str:
    """Says how many of the committed notebooks were executed, on what a run of the active profile has made."""
    notebooks = sorted((paths.root() / "notebooks").glob("*.ipynb"))
    os.environ |= {"OMP_NUM_THREADS": "1", "SEBRIDGE_HEADLESS": "1"}
    for notebook in progress(notebooks, "notebooks"):
        execute(notebook)
    return f"{len(notebooks)} notebooks executed in place"
