"""The executed notebooks as pages: what they keep, what they drop, and what is refused."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from browser import Browser, needs_chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from sebridge_lite.cli import main as cli
from sebridge_lite.report import pages
from sebridge_lite.report.notebook_html import CONTROLS, SOUND, smaller, where
from sebridge_lite.report.refresh import WIDGET

ROOT = Path(__file__).parents[1]
HOSTILE = "<script>console.error('in')</script><img src=x onerror=\"console.error('in')\">"
ALT = 'a line that rises to alpha* = 0.5, "quoted" & <b>'
PROSE = f"""# 01 · The world & its <speech>

| symbol | meaning |
| --- | --- |
| $\\alpha$ | the share, ไม่ and ບໍ່ |

$$H_p = -\\sum_{{v<t}} p(v)$$

[before](00_start_here.ipynb#top), [next](02_tokens.ipynb), [numbers](../params.yaml), [paper](https://example.org/a)

<details><summary>Solutions</summary>

1. One.

</details>

{HOSTILE}
"""
ORIGIN = {"seconds": 1.0, "profile": "lite", "commit": "abc1234", "date": "2026-11-20", "machine": "2 cores", "seed": 0}


def drawing() -> str:
    figure, axes = plt.subplots(figsize=(4, 2), dpi=80)
    axes.plot(np.sin(np.arange(50) / 5), color="tab:green")
    axes.imshow(np.arange(100).reshape(10, 10), extent=(0, 20, -1, 0))
    held = io.BytesIO()
    figure.savefig(held, format="png")
    plt.close(figure)
    return base64.b64encode(held.getvalue()).decode()


PNG = drawing()


def shown(**data) -> nbformat.NotebookNode:
    return new_output("display_data", {key.replace("_", "/"): value for key, value in data.items()})


def cells() -> list:
    row = f'<tr style="text-align: right"><th>{HOSTILE}</th></tr>'
    frame = f'<div><style scoped>.a {{}}</style><table class="dataframe">{row}</table></div>'
    sound = shown(text_html='<audio controls><source src="data:audio/wav;base64,AAAA"></audio>', text_plain="<Audio>")
    wide = new_output("stream", name="stdout", text=f"{HOSTILE}\n{'0.123 ' * 60}\n")
    outputs = [
        wide,
        shown(text_html=frame),
        sound,
        sound,
        shown(**{WIDGET: {"model_id": "m"}, "text_plain": "VBox()"}),
        shown(application_javascript="console.error('in')", text_plain="kept"),
        shown(application_javascript="console.error('in')"),
    ]
    code = 'said = "ไป"  # ' + "x" * 120
    return [
        new_markdown_cell(PROSE),
        new_code_cell('profile = "smoke"', metadata={"tags": ["parameters"]}),
        new_code_cell(code, outputs=outputs, execution_count=1),
        new_code_cell("plt.show()", outputs=[shown(image_png=PNG, text_plain="<Figure>")], execution_count=2),
        new_markdown_cell(f"*Alt text: {ALT.replace('*', chr(92) + '*')}.* Beneath."),
    ]


def put(project, stage: str, name: str, made: list, **origin) -> None:
    folder = project / "results" / stage
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=made), folder / f"{name}.ipynb")
    (folder / "seconds.json").write_text(json.dumps(ORIGIN | origin), encoding="utf-8")


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
def test_what_a_notebook_brings_is_text(run, name):
    page = made(run, name)
    found = elements_of(page)
    assert not {"script", "iframe", "object", "audio"} & {kind for kind, _ in found}
    assert not [key for _, attributes in found for key in attributes if key.startswith("on")]
    assert all(value["src"].startswith("data:image/png;base64,") for kind, value in found if kind == "img")
    assert page.count("&lt;script&gt;") == {"00_start_here": 1, "01_world": 3, "index": 1}[name]


def test_players_and_controls_are_a_line_and_what_has_no_still_form_is_left_out(run):
    page = made(run)
    assert page.count(SOUND) == 1  # two players, one after the other
    assert page.count(CONTROLS) == 1
    assert "kept" in page and "javascript" not in page and "VBox" not in page and "scoped" not in page


def test_a_picture_keeps_its_alt_text_and_its_look_in_fewer_bytes(run):
    (picture,) = [attributes for kind, attributes in elements_of(made(run)) if kind == "img"]
    assert picture["alt"] == f"{ALT}."
    content = picture["src"].partition(",")[2]
    assert len(content) < len(PNG)
    before, after = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), float) for png in (PNG, content)
    )
    assert before.shape == after.shape and abs(before - after).mean() < 1
    held = io.BytesIO()
    Image.new("1", (9, 9)).save(held, "PNG")
    tiny = base64.b64encode(held.getvalue()).decode()
    assert smaller(tiny) == tiny  # 256 colours would take more


def test_cells_with_several_pictures_share_the_alt_texts_beneath(run):
    two = new_code_cell("show()", outputs=[shown(image_png=PNG), shown(image_png=PNG)])
    for prose, expected in (("*Alt text: a.* *Alt text: b.*", ["a.", "b."]), ("*Alt text: `a`\nb.*", ["a b.", "a b."])):
        put(run.parent, "corpus", "01_world", [two, new_code_cell("1"), new_markdown_cell(prose)])
        alts = [attributes["alt"] for kind, attributes in elements_of(made(run)) if kind == "img"]
        assert alts == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("00_start_here.ipynb", "00_start_here.html"),
        ("./00_start_here.ipynb#top", "00_start_here.html#top"),
        ("02_tokens.ipynb", "../../notebooks/02_tokens.ipynb"),
        ("../results/00_start_here.ipynb", "../../results/00_start_here.ipynb"),
        ("../params/lite.yaml", "../../params/lite.yaml"),
        ("https://example.org/00_start_here.ipynb", "https://example.org/00_start_here.ipynb"),
        ("#here", "#here"),
    ],
)
def test_a_link_leads_to_the_page_where_there_is_one_else_to_the_place_it_meant(link, expected):
    assert where(link, ["00_start_here", "01_world"]) == expected


def test_the_links_of_a_page_are_those_of_its_notebook(run):
    links = [attributes["href"] for kind, attributes in elements_of(made(run)) if kind == "a"]
    assert links == [
        "index.html",
        "../../notebooks/01_world.ipynb",
        "00_start_here.html#top",
        "../../notebooks/02_tokens.ipynb",
        "../../params.yaml",
        "https://example.org/a",
    ]


def test_equations_are_shown_as_typed_and_the_page_says_so(run):
    page = made(run)
    assert '<code class="math">\\alpha</code>' in page
    assert '<code class="math block">H_p = -\\sum_{v&lt;t} p(v)</code>' in page
    assert "Equations stand as typed, in LaTeX." in page


def test_the_index_lists_title_profile_date_and_commit_and_what_has_not_run(run, capsys):
    assert cli.main(["pages"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"not run: tokens, .*scorecard\npages: 2 notebooks, 0\.\d MB, see .*index\.html\n", said)
    index = (run / "notebooks" / "index.html").read_text(encoding="utf-8")
    row = "".join(f"<td>{ORIGIN[field]}</td>" for field in ("profile", "date", "commit"))
    assert f'<a href="01_world.html">01 · The world &amp; its &lt;speech&gt;</a></th>{row}' in index
    assert "Not run: tokens, " in index
    assert sorted(path.name for path in (run / "notebooks").iterdir()) == [
        "00_start_here.html",
        "01_world.html",
        "index.html",
    ]


def test_the_same_run_gives_the_same_bytes(run):
    first = made(run), made(run, "index")
    stamped = run / "corpus" / "01_world.ipynb"
    nb = nbformat.read(stamped, as_version=4)
    for cell in nb.cells:  # what papermill makes up anew
        cell.id = f"x{cell.id}"[:8]
    nbformat.write(nb, stamped)
    assert (made(run), made(run, "index")) == first


def test_no_page_outlives_its_run(run):
    pages.run_pages()
    shutil.rmtree(run / "start")
    page = made(run)
    assert not (run / "notebooks" / "00_start_here.html").exists()
    assert "../../notebooks/00_start_here.ipynb#top" in page


def test_smoke_an_error_and_a_run_without_an_owner_are_refused_and_replace_nothing(run, capsys):
    before = made(run)
    put(run.parent, "tokens", "02_tokens", [new_markdown_cell("# 02")], profile="smoke")
    refused(capsys, "tokens: profile smoke: too small to publish; run lite or full")
    error = new_output("error", ename="ValueError", evalue="no\nway", traceback=["..."])
    put(run.parent, "tokens", "02_tokens", [new_markdown_cell("# 02"), new_code_cell("1", outputs=[error])])
    refused(capsys, "02_tokens.ipynb: cell 1: ValueError: no; ", "`dvc repro tokens`; no page was written")
    (run / "tokens" / "seconds.json").write_text('{"seconds": 1}')
    refused(capsys, "no profile, commit, date, machine, seed", "makes it again")
    (run / "tokens" / "02_tokens.ipynb").write_text("not json")
    refused(capsys, "tokens: not readable", "makes it again")
    assert (run / "notebooks" / "01_world.html").read_text(encoding="utf-8") == before


def test_an_unfinished_stage_counts_as_not_run(run):
    (run / "start" / "seconds.json").unlink()
    sizes, missing = pages.run_pages()
    assert list(sizes) == ["01_world.html", "index.html"] and missing[0] == "start"
    assert sizes["index.html"] == (run / "notebooks" / "index.html").stat().st_size


def test_without_a_run_and_with_too_many_bytes_nothing_is_written(project, run, monkeypatch, capsys):
    monkeypatch.setattr(pages, "MOST", 1000)
    refused(capsys, "are allowed; make the figures smaller")
    shutil.rmtree(run)
    refused(capsys, "no notebook has run; `make reproduce` runs them all")
    assert not run.exists()


def test_git_keeps_the_pages_and_no_other_folder_of_results():
    ignored = ["results/corpus/01_world.ipynb", "results/.1.notebooks/index.html"]
    asked = [*ignored, "results/notebooks/index.html", "results/notebooks/01_world.html"]
    done = subprocess.run(["git", "check-ignore", "--no-index", *asked], capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.stdout.split() == ignored


@needs_chromium
def test_pages_fit_a_phone_light_and_dark_load_nothing_and_draw_thai_and_lao(run, tmp_path):
    pages.run_pages()
    paper = []
    with Browser(tmp_path) as page:
        for dark in (False, True):
            page.viewport(360, dark=dark)
            for name in ("01_world", "index"):
                page.open(run / "notebooks" / f"{name}.html")
                page.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
                assert page.run("document.documentElement.scrollWidth <= innerWidth")
                if name == "01_world":
                    wide = (
                        "[...document.querySelectorAll('pre')].filter(one => one.scrollWidth > one.clientWidth).length"
                    )
                    assert page.run(wide) == 2  # they scroll in themselves
                    fonts = "document.fonts.ready.then(() => [...document.fonts].map(font => font.status))"
                    assert page.run(fonts) == ["loaded"] * 2
                    assert page.run("document.images[0].naturalWidth") == 320
            paper.append(page.run("getComputedStyle(document.body).backgroundColor"))
        assert paper[0] != paper[1]
        assert {address.partition(":")[0] for address in page.requests} <= {"file", "data"}
        assert {address.rpartition("/")[2] for address in page.requests if address.startswith("file")} == {
            "01_world.html",
            "index.html",
        }
        assert page.errors == []
