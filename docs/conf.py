"""The book's settings for Sphinx: `make book`. Pages load nothing from a network; equations are MathML.

Built from the folder above with `-c docs`, so that links between notebooks, docs and exercises hold as they stand.
"""

import shutil
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from sebridge_lite.paper.figures import FONT_FOLDER, FONTS
from sebridge_lite.report.pages import mathml, notebook_of_book

MOST = 25_000_000  # bytes of the whole book
PARTS = {
    "Notebooks": "notebooks/*",
    "Exercises": "exercises/*",
    "Solutions": "solutions/*",
    "Results": "results/**",
    "To teach, to look up, to extend": "docs/*",
}

project = "SE-Bridge Lite"
copyright = "the SE-Bridge Lite maintainers, Apache-2.0"
extensions = ["myst_nb"]
root_doc = "README"
include_patterns = [
    "README.md",
    "docs/*.md",
    "notebooks/*.ipynb",
    "exercises/*.ipynb",
    "solutions/*.ipynb",
    "results/*.md",
    "results/real/summary.md",
]
exclude_patterns = [
    ".*",
    "artifacts",
    "benchmarks",
    "data",
    "embedded",
    "real",
    "sebridge_lite",
    "tests",
]
suppress_warnings = ["misc.highlighting_failure"]  # Mermaid, which stays text
nb_execution_mode = "off"  # the notebooks come executed
nb_ipywidgets_js = {}  # its default is a script from a network
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "SE-Bridge Lite: the paper you can run"
html_math_renderer = "mathml"
html_copy_source = False
html_show_search_summary = False  # a page opened from disk may not fetch the texts for it
html_static_path = ["book.css", *(str(FONT_FOLDER / name) for name in FONTS)]  # Thai and Lao, which a system may lack
html_theme_options = {
    "light_css_variables": {
        "font-stack": "Letters, system-ui, sans-serif",
        "font-stack--monospace": "Letters, ui-monospace, monospace",
    }
}
html_css_files = ["book.css"]


def inline(writer, node: nodes.math) -> None:
    writer.body.append(f'<span class="formula">{mathml(node.astext(), "inline")}</span>')
    raise nodes.SkipNode


def block(writer, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def read(app: Sphinx, name: str, source: list[str]) -> None:
    """The first page gets the table of contents, a notebook what a run of it has put out."""
    if name == root_doc:
        trees = [
            f"```{{toctree}}\n:caption: {title}\n:hidden:\n:glob:\n\n{files}\n```" for title, files in PARTS.items()
        ]
        source[0] = "\n\n".join((source[0], *trees))
    if name.startswith("notebooks/"):
        source[0] = notebook_of_book(name.removeprefix("notebooks/"))


def finish(app: Sphinx, error: Exception | None) -> None:
    """The first page under the name that a server looks for, and a look at the size."""
    if error:
        return
    shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")
    size = sum(file.stat().st_size for file in Path(app.outdir).rglob("*") if file.is_file())
    if size > MOST:
        raise ExtensionError(
            f"the book has {size / 1e6:.1f} MB, {MOST / 1e6:.0f} are allowed; make figures smaller (DPI)"
        )


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.connect("source-read", read)
    app.connect("build-finished", finish)
