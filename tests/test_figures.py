"""What figures and tables beside the paper's show, on tables small enough to check by eye."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sebridge_lite.paper import figures
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


SWEEP = rows(wer=[0.5, 0.4, 0.3], hp=[8.0, 8.2, 8.1]).assign(alpha=[0.1, 0.5, 1.0])


def test_a_curve_has_the_unit_of_its_measure_and_ours_is_above_zero_wide():
    axis = figures.curves(SWEEP, "alpha", ["wer"]).axes[0]
    assert axis.get_ylabel() == "word error, %" and axis.get_xlabel() == "alpha"
    assert axis.lines[0].get_ydata().tolist() == pytest.approx([50, 40, 30])
    low, high = axis.collections[0].get_datalim(axis.transData).intervaly
    assert (low, high) == pytest.approx((28, 53))


def test_an_effect_stands_in_its_unit_over_the_band_of_what_is_too_small():
    table = rows(wer_cal_gain=[-0.05, 0.01]).assign(variant=["dgsa", "dpo"])
    axis = figures.forest(table, "variant", ["wer_cal_gain"], band={"wer_cal": 0.02}).axes[0]
    assert axis.get_xlabel() == "change of calibrated word error, points"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["dgsa", "dpo"]
    assert axis.patches[0].get_extents().transformed(axis.transData.inverted()).intervalx == pytest.approx([-2, 2])
    bars = [bar.get_segments()[0][:, 0] for bar in axis.collections]
    assert np.allclose(bars, [[-7, -2], [-1, 4]])


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


def test_every_row_of_the_paper_has_a_system_of_ours():
    tables = {"method": ("3_alignment_thai_alpha80", "4_tdsc_lao"), "variant": ("7_dgsa_ablation", "8_tdsc_ablation")}
    for key, table in ((key, f"table{table}") for key, some in tables.items() for table in some):
        assert set(published(table)[key]) == set(NAMES[table].values())


def test_a_table_to_read_has_intervals_where_there_are_some_and_skips_unknown_columns():
    table = pd.DataFrame({"arm": ["x"], "wer": [0.1234], "wer_low": [0.1], "wer_high": [0.2]})
    assert readable(table, ["arm", "wer", "sim"]).to_dict("list") == {"arm": ["x"], "wer": ["0.123 (0.1 to 0.2)"]}


def test_a_word_of_an_order_has_one_look_in_every_figure():
    looks = []
    for words in (["mixed", "reproduced"], ["reproduced"]):
        table = pd.DataFrame({"claim": words, "word": words, "effect": 1.0})
        axis = figures.forest(table, "claim", ["effect"], hue="word", order=("reproduced", "mixed")).axes[0]
        marks = {bar.get_label(): bar.lines[0] for bar in axis.containers}
        looks.append({word: (mark.get_marker(), mark.get_color()) for word, mark in marks.items()})
    assert looks[0]["reproduced"] == looks[1]["reproduced"] != looks[0]["mixed"]
