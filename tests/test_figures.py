"""What figures and tables beside the paper's show, on tables small enough to check by eye."""

import itertools

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sebridge_lite.paper import figures, pictures
from sebridge_lite.paper.beside import beside_paper, readable
from sebridge_lite.paper.published import NAMES, published

ENDS = {"": 0.0, "_low": -0.02, "_high": 0.03}


@pytest.fixture(autouse=True)
def closed():
    figures.use_style()
    yield
    plt.close("all")


def rows(**measures) -> pd.DataFrame:
    """Each measure with an interval."""
    return pd.DataFrame(
        {name + end: np.add(values, by) for name, values in measures.items() for end, by in ENDS.items()}
    )


def texts(figure) -> list:
    return [text for text in figure.findobj(matplotlib.text.Text) if text.get_text() and text.get_visible()]


def overlapping(names) -> int:
    boxes = [text.get_window_extent() for text in names]
    return sum(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


SWEEP = rows(wer=[0.5, 0.4, 0.3], hp=[8.0, 8.2, 8.1]).assign(alpha=[0.1, 0.5, 1.0])
PAPER = pd.DataFrame(
    {"alpha": [0.1, 0.5, 1.0], "wer": [75.0, 47.0, 36.0], "hp": [10.4, 10.5, 10.2], "nmos": [3.8, 4.5, 3.1]}
)
SYSTEMS = rows(wer_cal=[0.2 + 0.01 * i for i in range(9)], hp=[8.0 + 0.001 * i for i in range(9)]).assign(
    variant=[f"system {i}" for i in range(9)], line="point", at=1.0
)
FAR = pd.DataFrame([{"variant": "people", "line": "corner", "wer_cal": 0.0, "hp": 9.0}])


def test_a_curve_has_the_unit_of_its_measure_and_ours_is_above_zero_wide():
    axis = figures.curves(SWEEP, "alpha", ["wer"]).axes[0]
    assert axis.get_ylabel() == "word error, %" and axis.get_xlabel() == "alpha"
    assert axis.lines[0].get_ydata().tolist() == pytest.approx([50, 40, 30])
    low, high = axis.collections[0].get_datalim(axis.transData).intervaly
    assert (low, high) == pytest.approx((28, 53))


def test_ours_and_the_papers_stand_on_axes_of_one_span_where_they_measure_the_same():
    figure = figures.curves(SWEEP, "alpha", ["wer", "hp", ("hp", "nmos")], printed=PAPER)
    theirs, ours = figure.axes[:3], figure.axes[3:]
    spans = [[np.ptp(axis.get_ylim()) for axis in both] for both in zip(theirs, ours, strict=True)]
    assert spans[0][0] == pytest.approx(spans[0][1]) and spans[1][0] == pytest.approx(spans[1][1])
    assert theirs[0].lines[0].get_ydata().tolist() == [75, 47, 36] and theirs[2].get_ylabel() == "NMOS"
    assert all(
        low <= y <= high
        for axis in figure.axes
        for low, high in [axis.get_ylim()]
        for line in axis.lines
        for y in line.get_ydata()
    )


def test_a_measure_that_the_paper_lacks_has_no_empty_panel():
    figure = figures.curves(SWEEP.assign(sim=0.5), "alpha", ["wer", "sim"], printed=PAPER)
    assert [axis.get_visible() for axis in figure.axes] == [True, False, True, True]


def test_lines_of_groups_are_named_once_and_dots_have_no_line():
    both = pd.concat([SWEEP.assign(whose="ours"), SWEEP.assign(whose="counted")])
    figure = figures.curves(both, "alpha", ["wer", "hp"], by="whose", dots=["counted"], spans=[(0, 0.5, "early")])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["early", "ours", "counted"]
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["-", "None"]


def test_an_effect_stands_in_its_unit_over_the_band_of_what_is_too_small():
    table = rows(wer_cal_gain=[-0.05, 0.01]).assign(variant=["dgsa", "dpo"])
    axis = figures.forest(table, "variant", ["wer_cal_gain"], band={"wer_cal": 0.02}).axes[0]
    assert axis.get_xlabel() == "change of calibrated word error, %"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["dgsa", "dpo"]
    assert axis.patches[0].get_extents().transformed(axis.transData.inverted()).intervalx == pytest.approx([-2, 2])
    bars = [bar.get_segments()[0][:, 0] for bar in axis.collections]
    assert np.allclose(bars, [[-7, -2], [-1, 4]])


def test_a_forest_without_effects_is_drawn_empty():
    table = pd.DataFrame([], columns=["claim", "verdict", "effect", "effect_low", "effect_high"])
    assert figures.forest(table, "claim", ["effect"], hue="verdict").axes


def test_at_most_seven_systems_are_named_and_their_names_do_not_meet():
    axis = figures.frontier(SYSTEMS, ["hp"]).axes[0]
    assert [text.get_text() for text in axis.texts] == [f"system {i}" for i in range(7)]
    assert overlapping(axis.texts) == 0


def test_recordings_far_away_do_not_squeeze_the_systems_and_are_written_above():
    axis = figures.frontier(pd.concat([SYSTEMS, FAR]), ["hp"]).axes[0]
    assert axis.get_xlim()[1] < 8.1 and axis.get_ylim()[0] > 15
    assert "people at 9.00, 0.0 %" in axis.get_title(loc="left")


def test_a_line_over_temperatures_ends_in_an_arrow_at_the_hottest():
    heats = rows(wer_cal=[0.3, 0.2, 0.25], hp=[8.3, 8.1, 8.2]).assign(
        variant="sft", line="temperature", at=[1.2, 0.7, 1.0]
    )
    line, arrow = figures.frontier(pd.concat([heats, SYSTEMS.head(1)]), ["hp"]).axes[0].lines[:2]
    assert line.get_xdata().tolist() == [8.1, 8.2, 8.3] and arrow.get_xdata().tolist() == [8.3]


def test_unvoiced_frames_of_a_contour_stay_blank():
    axis = pictures.tracks({"one": {"the recording": np.array([100.0, 0.0, 120.0])}}).axes[0]
    assert np.isnan(axis.lines[0].get_ydata()).tolist() == [False, True, False]
    assert axis.get_ylabel() == "F0, Hz" and axis.get_xlabel() == "seconds"


def test_a_map_writes_its_numbers_and_the_first_row_is_lowest():
    table = pd.DataFrame([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], index=pd.Index(["a", "b", "c"], name="letter"))
    axis = pictures.heat({"": table}, digits=1).axes[0]
    assert {text.get_text() for text in axis.texts} == {"0.1", "0.2", "0.3", "0.4", "0.5", "0.6"}
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["a", "b", "c"] and axis.get_ylabel() == "letter"
    assert axis.get_ylim() == (0, 3)


@pytest.mark.parametrize("drawn", ["curves", "forest", "frontier"])
def test_no_letter_is_smaller_than_eight_points(drawn):
    made = {
        "curves": lambda: figures.curves(SWEEP, "alpha", ["wer", "hp"], printed=PAPER),
        "forest": lambda: figures.forest(SYSTEMS, "variant", ["hp"]),
        "frontier": lambda: figures.frontier(pd.concat([SYSTEMS, FAR]), ["hp"]),
    }
    assert min(text.get_fontsize() for text in texts(made[drawn]())) >= 8


# Beside the paper


def test_ours_stands_in_the_papers_row_with_its_interval_and_what_is_missing_is_blank():
    table = rows(wer=[0.25, 0.5]).assign(variant=["dgsa", "sft-real"])
    names = NAMES["table3_alignment_thai_alpha80"]
    found = beside_paper(table, published("table3_alignment_thai_alpha80"), ["wer", "hp"], {"variant": "method"}, names)
    found = found.set_index("variant")
    assert found.loc["DGSA (dgsa)", "word error, %: paper"] == "38.9"
    assert found.loc["DGSA (dgsa)", "word error, %: ours"] == "25.0 (23.0 to 28.0)"
    assert (
        found.loc["sft-real", "word error, %: paper"] == "" and found.loc["Standard DPO", "word error, %: ours"] == ""
    )
    assert "Hp, bits: ours" not in found  # a column that nobody of ours has


def test_numbers_are_matched_and_sorted_as_numbers():
    table = rows(wer=[0.4, 0.3]).assign(alpha=[0.33, 1.0])
    assert beside_paper(table, PAPER, ["wer"], {"alpha": "alpha"})["alpha"].tolist() == ["0.1", "0.33", "0.5", "1"]


def test_a_system_that_did_not_run_says_why():
    printed, on = published("table5_standard_tts"), {"language": "language", "variant": "system"}
    table = rows(wer=[0.25]).assign(variant="dgsa", language="th")
    why = {("th", "Gemini Pro"): "not run: a paid service", ("th", "espeak-ng"): "not run: not installed"}
    found = beside_paper(table, printed, ["wer"], on, NAMES["table5_standard_tts"], why).set_index(
        ["language", "variant"]
    )
    assert len(found) == len(printed) + 1
    assert found["word error, %: ours"]["th", "Gemini Pro"] == "not run: a paid service"
    assert found["word error, %: ours"]["th", "espeak-ng"] == "not run: not installed"


@pytest.mark.parametrize(("table", "key"), [("3_alignment_thai_alpha80", "method"), ("4_tdsc_lao", "method"),
                                            ("7_dgsa_ablation", "variant"), ("8_tdsc_ablation", "variant")])  # fmt: skip
def test_every_row_of_the_paper_has_a_system_of_ours(table, key):
    assert set(published(f"table{table}")[key]) == set(NAMES[f"table{table}"].values())


def test_a_table_to_read_has_intervals_where_there_are_some_and_skips_unknown_columns():
    table = pd.DataFrame({"arm": ["x"], "wer": [0.1234], "wer_low": [0.1], "wer_high": [0.2]})
    assert readable(table, ["arm", "wer", "sim"]).to_dict("list") == {"arm": ["x"], "wer": ["0.123 (0.1 to 0.2)"]}
