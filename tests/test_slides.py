"""The decks: a slide a text, what is too long left out, and nothing from a network."""

import re

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sebridge_lite.report.slides import deck, groups


def made():
    said = new_output("stream", name="stdout", text="<script>said</script>")
    return new_notebook(
        cells=[
            new_markdown_cell("# 08 · DPO <live>"),
            new_markdown_cell("## Step $\\beta$"),
            new_code_cell("shown = 1", outputs=[said], execution_count=1),
            new_markdown_cell("Long and drawn:"),
            new_code_cell("hidden = 1\n" * 21, execution_count=2),
            new_code_cell("hidden = plt.show(figure)", execution_count=3),
        ]
    )


def test_each_text_begins_a_slide_with_the_code_under_it():
    assert [len(cells) for cells in groups(made())] == [1, 2, 3]


def test_a_deck_shows_short_code_and_outputs_escaped_and_loads_nothing():
    page = deck(made())
    assert len(re.findall("<section", page)) == 3
    assert "<title>08 · DPO &lt;live&gt;</title>" in page and "<math" in page
    text = re.sub(r"<[^>]+>", "", page)
    assert "shown" in text and "hidden" not in text
    assert "&lt;script&gt;said" in page and "<script>said" not in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
