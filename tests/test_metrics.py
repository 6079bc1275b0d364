import itertools

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure import metrics

TOKENS = st.lists(st.integers(0, 3), max_size=12)
WORDS = st.lists(st.sampled_from(["ไป", "มา", "กิน", "ข้าว"]), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, st.lists(st.sampled_from(["ไป", "มา", "กิน"]), max_size=9)), min_size=1, max_size=8))
def test_word_error_rate_is_jiwers(pairs):
    references, hypotheses = zip(*pairs, strict=True)
    theirs = jiwer.wer([" ".join(r) for r in references], [" ".join(h) for h in hypotheses])
    assert metrics.pooled(*metrics.word_errors(references, hypotheses)) == pytest.approx(theirs)


def test_character_error_rate_is_jiwers_without_spaces():
    references, hypotheses = ["ไป กินข้าว", "มา"], ["ไปกิน ขาว", "มาา"]
    theirs = jiwer.cer([r.replace(" ", "") for r in references], [h.replace(" ", "") for h in hypotheses])
    assert metrics.pooled(*metrics.character_errors(references, hypotheses)) == pytest.approx(theirs)


def test_calibration_by_hand_and_its_fixed_points():
    """(.4 - .2) / .8 = .25."""
    assert metrics.calibrated(0.4, 0.2) == pytest.approx(0.25)
    assert metrics.calibrated(np.array([0.2, 1.0]), 0.2) == pytest.approx([0, 1])
    assert np.isnan(metrics.calibrated(np.array([0.2, 1.0]), 1.0)).all() and np.isnan(metrics.calibrated(0.5, 1.2))
    assert metrics.above_floor(np.array([0.1, 0.2, 0.5]), 0.2) == pytest.approx([0, 0, 0.3])


@given(TOKENS, TOKENS)
@settings(max_examples=60, deadline=None)
def test_alignment_keeps_order_uses_each_item_once_and_costs_the_edit_distance(a, b):
    pairs = metrics.align(a, b)
    assert [i for i, _ in pairs if i is not None] == list(range(len(a)))
    assert [j for _, j in pairs if j is not None] == list(range(len(b)))
    cost = sum(i is None or j is None or a[i] != b[j] for i, j in pairs)
    assert cost == metrics.edit_distance([a], [b])[0]


def test_tone_errors_count_only_understood_syllables():
    """maa and khaaw are understood, one with the wrong tone; paj is misheard, and nothing is said of its tone."""
    said = [("maː", "M"), ("paj", "M"), ("kʰaːw", "F")]
    heard = [("ʔa", "L"), ("maː", "H"), ("pam", "M"), ("kʰaːw", "F")]
    wrong, out_of = metrics.tone_errors([said, said, said], [heard, said, []])
    assert wrong.tolist() == [1, 0, 0] and out_of.tolist() == [2, 3, 0]


def test_tones_do_not_steer_the_alignment():
    said = [("maː", "M"), ("maː", "H")]
    assert [x.tolist() for x in metrics.tone_errors([said], [[("maː", "H"), ("maː", "M")]])] == [[2], [2]]


def _brute_force(tokens, k):
    return sum(len(set(tokens[i : i + k + 1])) == 1 for i in range(len(tokens) - k)), max(len(tokens) - k, 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), max_size=15), min_size=1, max_size=5), st.integers(1, 5))
def test_repetition_is_the_equation_written_out(utterances, k):
    repeats, windows = metrics.repetition_rate(utterances, k)
    assert list(zip(repeats, windows, strict=True)) == [_brute_force(tokens, k) for tokens in utterances]


def test_repetition_by_hand():
    """Five 7s in eight tokens: of 8 - 4 windows of five, one repeats."""
    repeats, windows = metrics.repetition_rate([[1, 7, 7, 7, 7, 7, 2, 3]], k=4)
    assert (repeats[0], windows[0]) == (1, 4)
    assert metrics.pooled(repeats, windows) == 0.25


def test_pauses_are_loops_unless_silence_is_named():
    """Ten windows; six start with silence, two of which repeat; the four left hold one repetition of 5s."""
    tokens = [0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 1, 2, 3]
    assert [x[0] for x in metrics.repetition_rate([tokens], k=4)] == [3, 10]
    assert [x[0] for x in metrics.repetition_rate([tokens], k=4, silence=[0])] == [1, 4]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: metrics.word_errors([["ไป"], []], [["ไป"], ["มา"]]), "reference 1 is empty"),
        (lambda: metrics.calibrated(0.5, -0.1), "floor"),
    ],
)
def test_bad_input_is_one_clear_line(call, says):
    with pytest.raises(UserError, match=says):
        call()


def test_edit_distance_of_all_short_sequences_is_the_recursion():
    def slow(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    words = [list(w) for n in range(4) for w in itertools.product([0, 1], repeat=n)]
    pairs = list(itertools.product(words, words))
    ours = metrics.edit_distance([a for a, _ in pairs], [b for _, b in pairs])
    assert ours.tolist() == [slow(a, b) for a, b in pairs]
