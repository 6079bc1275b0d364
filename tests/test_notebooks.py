"""What each committed notebook must have; nbval checks that its cells still run and say the same."""

import itertools
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def nb(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(nb) -> list:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def outputs(nb) -> list:
    return [output for cell in code_cells(nb) for output in cell.outputs]


def test_it_was_executed_from_top_to_bottom_without_an_error(nb):
    assert [cell.execution_count for cell in code_cells(nb)] == list(range(1, len(code_cells(nb)) + 1))
    assert not [output for output in outputs(nb) if output.output_type == "error"]


def test_checked_cells_have_outputs_and_are_few(nb):
    checked = [cell for cell in code_cells(nb) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert 2 <= len(checked) <= 9
    assert all(cell.outputs for cell in checked)


def test_no_output_tells_of_a_machine_or_a_warning(nb):
    text = str(outputs(nb))
    assert not re.search(r"/(home|root|tmp)/|Warning", text)


def test_cells_are_short(nb):
    sources = [cell.source.splitlines() for cell in code_cells(nb)]
    assert not [lines for lines in sources if len(lines) > 20 or max(map(len, lines), default=0) > 88]


def test_a_sentence_stands_before_each_code_cell(nb):
    bare = [cell.id for before, cell in itertools.pairwise(nb.cells) if before.cell_type == cell.cell_type == "code"]
    assert not bare


def test_no_table_has_more_than_twelve_rows(nb):
    """Lists of claims aside, which are as long as the paper makes them. A heading with a number in it is taken for a row."""
    texts = [str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs(nb)]
    for text in (text for text in texts if not re.search(r"not tested|reproduced", text)):
        lines = [line for line in text.splitlines() if not re.match(r"the committed run|\d+ more rows", line)]
        rows = itertools.groupby(lines, key=lambda line: bool(re.search(r"\s-?\d+(\.\d+)?( |$)", line)))
        assert max((len(list(group)) for is_row, group in rows if is_row), default=0) <= 13, text


def test_each_figure_has_a_caption_that_says_what_to_see_and_one_is_the_headline(nb):
    after = [after for cell, after in itertools.pairwise(nb.cells) if "image/png" in str(cell.get("outputs", []))]
    assert not [cell.source for cell in after if not re.match(r"\*(Headline figure\. )?See: ", cell.source)]
    heads = [cell for cell in nb.cells if cell.source.startswith("*Headline figure. See: ")]
    assert len(heads) == 1


def test_it_says_what_a_reader_can_do_afterwards_and_asks_for_a_guess_before_any_finding(nb):
    prose = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    assert "**After this notebook you can**" in nb.cells[0].source
    assert all(f"\n{place}. " in nb.cells[0].source for place in (1, 2, 3))
    assert "| **class** |" in nb.cells[1].source and "| **you need** |" in nb.cells[1].source
    assert "## The finding" not in prose or prose.index("## Predict first") < prose.index("## The finding")


def test_answers_stand_in_the_solutions_alone(nb):
    prose = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    assert "<details>" not in prose
    for target in re.findall(r"\]\(\.\./([\w/]+\.\w+)\)", prose):
        assert (NOTEBOOKS[0].parents[1] / target).is_file()


def test_links_to_other_notebooks_lead_somewhere(nb):
    prose = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([\w.]+\.ipynb)\)", prose):
        assert (NOTEBOOKS[0].parent / target).is_file()


def test_a_widget_runs_once_and_leaves_nothing_when_nobody_reads(monkeypatch, capsys):
    import ipywidgets as widgets

    from sebridge_lite.experiments.notebook import interactive

    seen = []
    monkeypatch.setenv("SEBRIDGE_HEADLESS", "1")
    assert interactive(lambda alpha: print(seen.append(alpha)), {"alpha": widgets.FloatSlider(0.5)}) is None
    assert seen == [0.5]
    assert capsys.readouterr().out == ""
