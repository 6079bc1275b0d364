"""The book: what its pages load, how equations, sound and foreign HTML come out, and what the search knows."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from browser import Browser, needs_chromium
from made_up import account_row
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sebridge_lite.core.errors import UserError
from sebridge_lite.report.pages import mathml, notebook_of_book

pytest.importorskip("myst_nb", reason="the book's tools are an extra: pip install -c constraints.txt -e '.[book]'")
pytest.importorskip("furo", reason="the book's tools are an extra: pip install -c constraints.txt -e '.[book]'")
DOCS = Path(__file__).parents[1] / "docs"
HOSTILE = "<script>console.error('in')</script>"
PLAYER = '<audio controls><source src="data:audio/wav;base64,AAAA"></audio>'
README = "# Said\n\n[walk](notebooks/08_dpo_from_scratch.ipynb), [words](docs/glossary.md)\n"
GLOSSARY = "# Glossary\n\n| word | meaning |\n| --- | --- |\n| displacement | winners fall, ไม่ and ບໍ່ |\n"


def walk(line: str) -> nbformat.NotebookNode:
    shown = [
        new_output("stream", name="stdout", text=f"{HOSTILE}\n"),
        new_output("display_data", {"text/html": HOSTILE, "text/plain": "a frame as text"}),
        new_output("display_data", {"text/html": PLAYER, "text/plain": "<Audio>"}),
    ]
    wide = f"| {' | '.join(['column'] * 30)} |\n{'| --- ' * 30}|"
    prose = f"# {line}\n\n{wide}\n\nShare $\\alpha$.\n\n$$H_p = -\\sum_{{v<t}} p(v)$$\n"
    return new_notebook(cells=[new_markdown_cell(prose), new_code_cell("1", outputs=shown, execution_count=1)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project with two pages beside the first."""
    (tmp_path / "notebooks").mkdir()
    nbformat.write(walk("By hand"), tmp_path / "notebooks" / "08_dpo_from_scratch.ipynb")
    (tmp_path / "docs").mkdir()
    for name in ("conf.py", "book.css"):
        shutil.copy(DOCS / name, tmp_path / "docs")
    (tmp_path / "docs" / "glossary.md").write_text(GLOSSARY, encoding="utf-8")
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    for name in ("params.yaml", "dvc.yaml"):  # by which a project is known
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEBRIDGE_OUTPUTS", raising=False)
    return tmp_path


def built(folder: Path) -> Path:
    from sphinx.cmd.build import main

    assert main(["-q", "-d", str(folder / "trees"), "-c", "docs", ".", "book"]) == 0
    return folder / "book"


def elements_of(page: Path) -> list[tuple[str, dict]]:
    found: list[tuple[str, dict]] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda name, attributes: found.append((name, dict(attributes)))
    reader.feed(page.read_text(encoding="utf-8"))
    return found


def loaded(book: Path) -> list[str]:
    """What pages and styles ask for by themselves, without what a reader clicks."""
    asked = []
    for page in book.rglob("*.html"):
        for kind, values in elements_of(page):
            asked += [values[key] or "" for key in ("src", "srcset", "poster", "data") if key in values]
            asked += [values["href"] or ""] if kind == "link" else []
    for style in book.rglob("*.css"):
        asked += re.findall(r"url\(([^)]*)\)|@import ([^;]*)", style.read_text(encoding="utf-8"))
    return ["".join(one) for one in asked]


def test_no_page_loads_anything_from_a_network_and_each_suits_a_phone(folder):
    book = built(folder)
    fonts = [one for one in loaded(book) if "Noto" in one]
    assert len(fonts) == 2 and all((book / "_static" / one.strip('"')).is_file() for one in fonts)
    assert not [one for one in loaded(book) if re.match(r"\W*(https?:)?//", one)]
    pages = list(book.rglob("*.html"))
    assert {"README.html", "index.html", "08_dpo_from_scratch.html", "glossary.html"} <= {page.name for page in pages}
    assert all(any(values.get("name") == "viewport" for _, values in elements_of(page)) for page in pages)


def test_equations_are_mathml_sound_plays_and_other_html_is_text(folder):
    page = (built(folder) / "notebooks" / "08_dpo_from_scratch.html").read_text(encoding="utf-8")
    assert page.count("<math") == 2 and 'display="block"' in page
    assert not re.search(r"<script[^>]*mathjax", page, re.I)
    assert PLAYER in page and "a frame as text" in page
    assert HOSTILE not in page and "&lt;script&gt;" in page


def test_an_equation_that_the_converter_does_not_know_stands_as_typed():
    assert mathml(r"\left(", "inline") == r"<code>\left(</code>"


def test_the_first_page_lists_all_others_and_the_search_knows_their_words(folder):
    book = built(folder)
    links = {values.get("href") for kind, values in elements_of(book / "index.html") if kind == "a"}
    assert {"notebooks/08_dpo_from_scratch.html", "docs/glossary.html"} <= links
    index = json.loads(re.search(r"\((.*)\)", (book / "searchindex.js").read_text(encoding="utf-8"), re.S)[1])
    assert index["docnames"][index["terms"]["displac"]] == "docs/glossary"


@needs_chromium
def test_in_a_browser_no_page_complains_or_scrolls_aside_and_the_search_finds_the_word(folder, tmp_path):
    book = built(folder)
    with Browser(tmp_path) as tab:
        for page in book.rglob("*.html"):
            for dark in (False, True):
                tab.viewport(390, dark=dark)
                tab.open(page)
                assert tab.run("document.documentElement.scrollWidth") <= 390, page
        tab.open(f"{(book / 'search.html').resolve().as_uri()}?q=displacement")
        assert tab.until("document.querySelector('#search-results li a')?.textContent") == "Glossary"
        assert tab.errors == []
        assert {address.partition(":")[0] for address in tab.requests} <= {"file", "data"}


def put_run(folder: Path, profile: str, *more) -> None:
    made = folder / "results" / "dpo"
    made.mkdir(parents=True, exist_ok=True)
    nb = walk("By a run")
    nb.cells += more
    nbformat.write(nb, made / "08_dpo_from_scratch.ipynb")
    (made / "account.json").write_text(json.dumps(account_row("x", profile=profile, commit=HOSTILE)), encoding="utf-8")


def test_a_notebook_is_that_of_a_run_large_enough_and_says_so(folder):
    put_run(folder, "smoke")
    assert "By hand" in notebook_of_book("08_dpo_from_scratch")
    put_run(folder, "lite")
    shown = notebook_of_book("08_dpo_from_scratch")
    assert "By a run" in shown and "Executed: " in shown
    error = new_output("error", ename="ValueError", evalue="no way", traceback=["..."])
    put_run(folder, "lite", new_code_cell("1", outputs=[error]))
    with pytest.raises(UserError, match=r"cell 2: ValueError: no way; mend it, then `dvc repro dpo`"):
        notebook_of_book("08_dpo_from_scratch")


def test_a_book_that_is_too_large_is_refused(folder, capsys):
    from sphinx.cmd.build import main

    conf = folder / "docs" / "conf.py"
    conf.write_text(conf.read_text(encoding="utf-8").replace("25_000_000", "1_000"), encoding="utf-8")
    assert main(["-q", "-d", str(folder / "trees"), "-c", "docs", ".", "book"]) != 0
    assert "are allowed; make figures smaller" in capsys.readouterr().err
