"""`sebridge slides`: the notebooks that are taught live, as slides in docs/slides/, one file each that needs no network.

A slide is a text and the code under it, as nbconvert renders them for the pages. Code that only draws, and code that is too
long for a slide, gives way to its output. Left out: speaker's notes, which docs/teaching.md has by the minute.
"""

import nbformat

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.report.pages import page_of
from sebridge_lite.report.render import fonts, render, write

TAUGHT = ("08_dpo_from_scratch", "09_dgsa")
LONGEST = 20  # lines of code that fit on a slide
DRAWS = "plt.show("


def groups(nb: nbformat.NotebookNode) -> list[list[nbformat.NotebookNode]]:
    """The cells of each slide: a new one begins with each text."""
    found: list[list] = []
    for cell in nb.cells:
        if cell.cell_type == "markdown" or not found:
            found.append([])
        found[-1].append(cell)
    return found


def slide_of(cells: list[nbformat.NotebookNode]) -> str:
    """A slide as HTML."""
    hidden = [cell for cell in cells if cell.cell_type == "code"]
    hidden = [cell for cell in hidden if DRAWS in cell.source or len(cell.source.splitlines()) > LONGEST]
    for cell in hidden:
        cell.source = ""
    return page_of(nbformat.v4.new_notebook(cells=cells))


def deck(nb: nbformat.NotebookNode) -> str:
    """A notebook as one page of slides."""
    title = nb.cells[0].source.partition("\n")[0].lstrip("# ")
    return render("slides.html", title=title, fonts=fonts(), slides=[slide_of(cells) for cells in groups(nb)])


def run_slides() -> list[str]:
    """Where the decks are."""
    said = []
    for name in TAUGHT:
        notebook = paths.root() / "notebooks" / f"{name}.ipynb"
        if not notebook.is_file():
            raise UserError(f"{notebook}: no such notebook; restore it with git")
        nb = nbformat.read(notebook, as_version=4)
        page = paths.root() / "docs" / "slides" / f"{name}.html"
        write(page, deck(nb))
        said.append(f"{len(groups(nb))} slides in {page}")
    return said
