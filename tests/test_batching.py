import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.lm.train import Batches

some_sizes = st.lists(st.integers(1, 100), min_size=1, max_size=60)


def batches_of(sizes, budget=100, seed=0):
    return Batches(np.array(sizes), [f"u{i}" for i in range(len(sizes))], budget, seed)


@settings(max_examples=60, deadline=None)
@given(some_sizes, st.integers(0, 5), st.integers(0, 5))
def test_every_example_comes_exactly_once_an_epoch(sizes, seed, epoch):
    drawn = np.concatenate(batches_of(sizes, seed=seed).epoch(epoch))
    assert sorted(drawn.tolist()) == list(range(len(sizes)))


@settings(max_examples=60, deadline=None)
@given(some_sizes, st.integers(100, 300))
def test_no_batch_is_over_the_budget_padding_counted(sizes, budget):
    sizes = np.array(sizes)
    assert all(len(batch) * sizes[batch].max() <= budget for batch in batches_of(sizes, budget).epoch(0))


def test_a_batch_is_of_like_lengths_which_changes_from_epoch_to_epoch():
    sizes = np.arange(1, 101).repeat(5)
    first, second = (batches_of(sizes, 500).epoch(epoch) for epoch in (0, 1))
    assert sum(len(batch) * sizes[batch].max() for batch in first) < 1.2 * sizes.sum()  # padding counted
    assert len({frozenset(batch) for batch in first} & {frozenset(batch) for batch in second}) < len(first) / 4


@settings(max_examples=40, deadline=None)
@given(some_sizes, st.integers(0, 40), st.integers(1, 40))
def test_the_stream_goes_on_from_any_place_as_if_it_had_never_stopped(sizes, skipped, after):
    batches = batches_of(sizes)
    whole = list(itertools.islice(batches.stream(), skipped + after))
    place = whole[skipped - 1][0] if skipped else (0, 0)
    rest = list(itertools.islice(batches_of(sizes).stream(place), after))
    assert [p for p, _ in rest] == [p for p, _ in whole[skipped:]]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(rest, whole[skipped:], strict=True))


@pytest.mark.parametrize(("size", "said"), [(101, "u1: size 101 is over the budget of 100"), (0, "u1: size 0")])
def test_an_example_that_fits_no_batch_is_named(size, said):
    with pytest.raises(UserError, match=said) as error:
        batches_of([5, size, 7])
    assert "\n" not in str(error.value)
