import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.lm.batching import Batches

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


@settings(max_examples=40, deadline=None)
@given(some_sizes, st.integers(0, 40), st.integers(1, 40))
def test_the_stream_goes_on_from_any_place_as_if_it_had_never_stopped(sizes, skipped, after):
    batches = batches_of(sizes)
    whole = list(itertools.islice(batches.stream(), skipped + after))
    place = whole[skipped - 1][0] if skipped else (0, 0)
    rest = list(itertools.islice(batches_of(sizes).stream(place), after))
    assert [p for p, _ in rest] == [p for p, _ in whole[skipped:]]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(rest, whole[skipped:], strict=True))


def test_order_follows_from_seed_and_epoch_alone():
    sizes = np.arange(1, 101)
    flat = {
        (seed, epoch): tuple(np.concatenate(batches_of(sizes, seed=seed).epoch(epoch)).tolist())
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(set(flat.values())) == 4
    assert flat[1, 1] == tuple(np.concatenate(batches_of(sizes, seed=1).epoch(1)).tolist())


def test_neighbours_change_from_epoch_to_epoch():
    batches = batches_of(np.random.default_rng(0).integers(20, 60, 200), budget=400)
    first, second = ({frozenset(batch.tolist()) for batch in batches.epoch(epoch)} for epoch in (0, 1))
    assert len(first & second) < len(first) / 2


def test_like_lengths_share_a_batch_so_that_little_is_padding():
    sizes = np.random.default_rng(0).integers(40, 200, 1_000)
    by_chance = 1 - sizes.mean() / np.mean([sizes[i : i + 13].max() for i in range(0, 1_000, 13)])
    cells = sum(len(batch) * sizes[batch].max() for batch in batches_of(sizes, budget=2_000).epoch(0))
    assert 1 - sizes.sum() / cells < 0.1 < by_chance


def test_sizes_of_one_give_batches_of_so_many_examples():
    assert sorted(map(len, batches_of([1] * 70, budget=32).epoch(0))) == [6, 32, 32]


@pytest.mark.parametrize(("size", "said"), [(101, "u1: size 101 is over the budget of 100"), (0, "u1: size 0")])
def test_an_example_that_fits_no_batch_is_named(size, said):
    with pytest.raises(UserError, match=said) as error:
        batches_of([5, size, 7])
    assert "\n" not in str(error.value)


def test_no_examples_is_one_clear_line():
    with pytest.raises(UserError, match="no examples"):
        batches_of([])
