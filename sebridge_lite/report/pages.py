"""`sebridge pages`: a run's executed notebooks as static pages in results/notebooks/; `sebridge notebooks`: run them in place.

The pages are nbconvert's, in a template of ours; they need no script and no network. Left out: players, for which a line
stands; HTML of outputs, for which their text stands.
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
from sebridge_lite.report.render import TEMPLATES, fonts, render

MOST = 6_000_000  # bytes of all pages
WIDGET = "application/vnd.jupyter.widget-view+json"


def mathml(latex: str, display: str) -> str:
    """An equation in MathML; as typed where the converter does not know a command."""
    try:
        return convert(latex.strip(), display=display)
    except Exception:  # the converter raises errors of many kinds, and a page is better than none
        return f"<code>{escape(latex.strip())}</code>"


class Prose(IPythonRenderer):
    """Markdown cells: links to notebooks lead to their pages, and equations are MathML."""

    def link(self, text: str, url: str, title: str | None = None) -> str:
        outside = "://" in url or url.startswith("#")
        page = url.replace(".ipynb", ".html") if "/" not in url else f"../../{url.removeprefix('../')}"
        return super().link(text, url if outside else page, title)

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")


def executed(stage: str) -> tuple[nbformat.NotebookNode, dict] | None:
    """The notebook of a stage and its account; None while the stage has not finished."""
    path = paths.results(stage, f"{STAGES[stage][0]}.ipynb")
    account = read_json(path.with_name(NAME), None)
    if not path.is_file() or account is None:
        return None
    if account["profile"] == "smoke":
        raise UserError(f"{path.parent}: profile smoke: too small to publish; run lite or full")
    nb = nbformat.read(path, as_version=4)
    if any(output.output_type == "error" for cell in nb.cells for output in cell.get("outputs", [])):
        raise UserError(f"{path}: {failed_cell(path)}; mend it, then `dvc repro {stage}`; no page was written")
    return nb, account


@cache
def exporter() -> HTMLExporter:
    """nbconvert's, with our template and our prose."""
    prose = MarkdownWithMath(renderer=Prose(escape=False, exclude_anchor_links=True))
    look = {"template_name": "notebook", "exclude_input_prompt": True, "exclude_output_prompt": True}
    filters = {"markdown2html": prose.render}
    return HTMLExporter(extra_template_basedirs=[str(TEMPLATES)], filters=filters, **look)


def page_of(nb: nbformat.NotebookNode, name: str, title: str, origin: str) -> str:
    """A notebook as a page."""
    for index, cell in enumerate(nb.cells):
        cell.id = str(index)  # the same run gives the same bytes
    about = {"metadata": {"name": name}, "title": title, "origin": origin}
    return exporter().from_notebook_node(nb, resources=about)[0]


def run_pages() -> list[str]:
    """What was made. The folder is replaced as a whole: no page outlives the run that made it."""
    found = {stage: made for stage in STAGES if (made := executed(stage))}
    if not found:
        raise UserError(f"{paths.results()}: no notebook has run; `make reproduce` runs them all")
    pages, listed = {"style.css": render("notebook/style.css", fonts=fonts())}, []
    for stage, (nb, account) in sorted(found.items(), key=lambda item: STAGES[item[0]][0]):
        name, first = STAGES[stage][0], nb.cells[0].source if nb.cells else ""
        title = first.partition("\n")[0].lstrip("# ") or name
        pages[f"{name}.html"] = page_of(nb, name, title, in_words(account))
        listed.append({"name": name, "title": title, **account})
    missing = [stage for stage in STAGES if stage not in found]
    pages["index.html"] = render("notebooks.html", notebooks=listed, missing=missing)
    size = sum(len(page.encode()) for page in pages.values())
    said = f"{len(found)} pages, {size / 1e6:.1f} MB"
    if size > MOST:
        raise UserError(f"{said}, {MOST / 1e6:.0f} are allowed; make the figures smaller (DPI)")
    with paths.replacing(paths.results("notebooks")) as temporary:
        temporary.mkdir()
        for name, page in pages.items():
            (temporary / name).write_text(page, encoding="utf-8")
    said = f"{said}, see {paths.results('notebooks', 'index.html')}"
    return [f"not run: {', '.join(missing)}", said] if missing else [said]


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
    """Says how many of the committed notebooks were executed, on what a run of the smoke profile has made."""
    notebooks = sorted((paths.root() / "notebooks").glob("*.ipynb"))
    os.environ |= {"OMP_NUM_THREADS": "1", "SEBRIDGE_HEADLESS": "1"}
    for notebook in progress(notebooks, "notebooks"):
        execute(notebook)
    return f"{len(notebooks)} notebooks executed in place"
