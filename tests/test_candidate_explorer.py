"""Which candidates of a text are played, and what is said of each."""

import pandas as pd
import pytest

from sebridge_lite.extras.candidate_explorer import caption, kinds_of, telling_text
from sebridge_lite.paper.pictures import candidates

COLUMNS = ["text", "slot", "temperature", "wrong", "tokens", "rejected_for", "learnt", "winner", "loser"]


@pytest.fixture
def rows():
    table = pd.DataFrame([
        (0, 0, 0.7, 1, 50, [], True, False, False), (0, 1, 0.7, 3, 49, ["wer"], False, False, True),
        (0, 2, 1.3, 0, 52, [], True, True, False), (0, 3, 1.3, 4, 130, ["wer", "long"], False, False, False),
        (1, 0, 0.7, 0, 48, [], True, False, False), (1, 1, 0.7, 0, 48, [], True, False, False),
        (1, 2, 1.3, 4, 48, ["wer"], False, False, False), (1, 3, 1.3, 4, 48, ["wer"], False, False, False),
    ], columns=COLUMNS)  # fmt: skip
    return table.assign(words=4, wer=table["wrong"] / 4, rep=0.0, expected=50.0)


def test_a_text_with_every_kind_is_told_before_one_that_fits_the_clip(rows):
    assert telling_text(rows) == 0
    assert telling_text(rows[rows["text"] == 1]) == 1


def test_each_kind_is_the_best_of_its_own_and_missing_ones_are_left_out(rows):
    found = kinds_of(rows[rows["text"] == 0])
    assert {kind: row["slot"] for kind, row in found.items()} == {
        "cold winner": 0,
        "hot winner": 2,
        "rejected": 3,
        "loser": 1,
    }
    assert list(kinds_of(rows[rows["text"] == 1])) == ["cold winner", "rejected"]


def test_a_caption_says_what_became_of_a_candidate_and_where_it_fails(rows):
    said = [caption(row) for row in rows.to_dict("records")[:4]]
    assert [line.rpartition(": ")[2] for line in said] == [
        "learnt",
        "loser (fails in wer)",
        "winner",
        "rejected (fails in wer and long)",
    ]
    assert said[3].startswith("T = 1.3: 4 of 4 words wrong")


def test_reasons_other_than_words_are_written_beside_the_point(rows):
    axis = candidates(rows[rows["text"] == 0], 0.5).axes[0]
    assert [text.get_text() for text in axis.texts] == ["50", "49", "52", "130\nlong"]
