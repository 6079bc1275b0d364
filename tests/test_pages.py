"""The executed notebooks as pages: what they keep, what they drop, and what is refused."""

import json
import re
import shutil
from html.parser import HTMLParser

import nbformat
import pytest
from made_up import account_row
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sebridge_lite.cli import main as cli
from sebridge_lite.report import pages

HOSTILE = "<script>console.error('in')</script><img src=x onerror=\"console.error('in')\">"
PROSE = """# 01 · The world & its <speech>

| symbol | meaning |
| --- | --- |
| $\\alpha$ | the share, ไม่ and ບໍ່ |

$$H_p = -\\sum_{v<t} p(v)$$

[before](00_start_here.ipynb#top), [numbers](../params.yaml), [paper](https://example.org/a)

<details><summary>Solutions</summary>

1. One.

</details>
"""
ACCOUNT = account_row("x", profile="lite", commit="abc1234", date="2026-11-20", machine="2 cores", seed=0)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="  # one pixel


def shown(**data) -> nbformat.NotebookNode:
    return new_output("display_data", {key.replace("_", "/"): value for key, value in data.items()})


def cells() -> list:
    frame = f"<div><style scoped>.a {{}}</style><table><tr><th>{HOSTILE}</th></tr></table></div>"
    outputs = [
        new_output("stream", name="stdout", text=f"{HOSTILE}\n{'0.123 ' * 60}\n"),
        shown(text_html=frame, text_plain="a frame as text"),
        shown(text_html='<audio controls><source src="data:audio/wav;base64,AAAA"></audio>', text_plain="<Audio>"),
        shown(application_javascript="console.error('in')", text_plain="kept"),
        shown(application_javascript="console.error('in')"),
    ]
    return [
        new_markdown_cell(PROSE),
        new_code_cell('profile = "smoke"', metadata={"tags": ["parameters"]}),
        new_code_cell('said = "ไป"  # ' + "x" * 120, outputs=outputs, execution_count=1),
        new_code_cell("plt.show()", outputs=[shown(image_png=PNG, text_plain="<Figure>")], execution_count=2),
    ]


def put(project, stage: str, name: str, made: list, **origin) -> None:
    folder = project / "results" / stage
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=made), folder / f"{name}.ipynb")
    (folder / "account.json").write_text(json.dumps(ACCOUNT | origin), encoding="utf-8")


@pytest.fixture
def run(project):
    """A run of two stages of fourteen."""
    put(project, "start", "00_start_here", [new_markdown_cell("# 00 · Start\n\n[on](01_world.ipynb)")], commit=HOSTILE)
    put(project, "corpus", "01_world", cells())
    return project / "results"


def made(run, name: str = "01_world") -> str:
    pages.run_pages()
    return (run / "notebooks" / f"{name}.html").read_text(encoding="utf-8")


def elements_of(page: str) -> list[tuple[str, dict]]:
    found: list[tuple[str, dict]] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda name, attributes: found.append((name, dict(attributes)))
    reader.feed(page)
    return found


def refused(capsys, *parts: str) -> None:
    assert cli.main(["pages"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(part in said for part in parts), said


@pytest.mark.parametrize("name", ["00_start_here", "01_world", "index"])
def test_what_a_notebook_puts_out_is_text_and_nothing_is_loaded(run, name):
    found = elements_of(made(run, name))
    assert not {"script", "iframe", "object", "audio"} & {kind for kind, _ in found}
    assert not [key for _, attributes in found for key in attributes if key.startswith("on")]
    assert all(value["src"].startswith("data:image/png;base64,") for kind, value in found if kind == "img")
    assert {value["href"] for kind, value in found if kind == "link"} == {"data:,", "style.css"}


def test_a_player_is_a_line_and_html_is_its_text(run):
    page = made(run)
    assert page.count("run the notebook to hear it") == 1
    assert "kept" in page and "a frame as text" in page
    assert "javascript" not in page and "scoped" not in page
    (picture,) = [attributes for kind, attributes in elements_of(page) if kind == "img"]
    assert picture["src"].endswith(PNG) and picture["alt"]


def test_a_link_leads_to_the_page_of_a_notebook_or_to_the_place_it_meant(run):
    links = [attributes["href"] for kind, attributes in elements_of(made(run)) if kind == "a"]
    elsewhere = ["../../params.yaml", "https://example.org/a"]
    assert links == ["index.html", "../../notebooks/01_world.ipynb", "00_start_here.html#top", *elsewhere]


def test_equations_are_mathml_and_stand_as_typed_where_that_fails(run):
    page = made(run)
    assert (page.count("<math") == 2 and 'display="block"' in page and "<mo>&#x02211;</mo>" in page) or "∑" in page
    assert pages.mathml(r"\left(", "inline") == r"<code>\left(</code>"


def test_the_index_lists_title_profile_date_and_commit_and_what_has_not_run(run, capsys):
    assert cli.main(["pages"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"not run: tokens, .*scorecard\n2 pages, 0\.\d MB, see .*index\.html\n", said)
    index = (run / "notebooks" / "index.html").read_text(encoding="utf-8")
    row = "".join(f"<td>{ACCOUNT[field]}</td>" for field in ("profile", "date", "commit"))
    assert f'<a href="01_world.html">01 · The world &amp; its &lt;speech&gt;</a></th>{row}' in index
    assert "Not run: tokens, " in index and index.count("&lt;script&gt;") == 1


def test_smoke_an_error_and_too_many_bytes_are_refused_and_replace_nothing(project, run, monkeypatch, capsys):
    before = made(run)
    put(project, "tokens", "02_tokens", [new_markdown_cell("# 02")], profile="smoke")
    refused(capsys, "tokens: profile smoke: too small to publish; run lite or full")
    error = new_output("error", ename="ValueError", evalue="no\nway", traceback=["..."])
    put(project, "tokens", "02_tokens", [new_markdown_cell("# 02"), new_code_cell("1", outputs=[error])])
    refused(capsys, "02_tokens.ipynb: cell 1: ValueError: no; ", "`dvc repro tokens`; no page was written")
    shutil.rmtree(run / "tokens")
    monkeypatch.setattr(pages, "MOST", 1000)
    refused(capsys, "are allowed; make the figures smaller")
    assert (run / "notebooks" / "01_world.html").read_text(encoding="utf-8") == before
    shutil.rmtree(run)
    refused(capsys, "no notebook has run; `make reproduce` runs them all")
