"""DGSA's preferences: whose style, what is kept, that nothing is lost on disk, and what the modes are said to be."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import tiny_config, tiny_lm

from sebridge_lite.align import pairs
from sebridge_lite.align.modes import modes, premise
from sebridge_lite.align.pairs import (
    Triplet,
    load_triplets,
    save_triplets,
    spoken_by,
    style_sources,
    triplets_of,
)
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.stack.characters import CharVocab

CODES = 12
PLAIN = SamplerConfig(temperature=1, top_p=1, window=0, tau=0.1, min_ratio=1, max_ratio=3, seed=0)
SAMPLERS = {"expr": replace(PLAIN, temperature=1.2), "stab": PLAIN}
TEXTS = (("กา", "มา"), ("ปู", "มา"), ("กา", "นา"), ("งู",), ("มา", "นา", "กา"))
SPEAKERS = ("a", "b", "a", "b", "c")


def utterance(n: int) -> Utterance:
    words = TEXTS[n]
    return Utterance(f"u{n}", "".join(words), words, "th", SPEAKERS[n], "people", "", f"{n}.wav", 1.0)


REAL = [utterance(n) for n in range(5)]


@pytest.fixture(scope="module")
def model():
    return tiny_lm(tiny_config(CharVocab().size, CODES), 0, spread=0.3)


@pytest.fixture(scope="module")
def codes():
    torch.manual_seed(1)
    return [torch.randint(0, CODES, (8 + n,)) for n in range(5)]


class Judge:
    """Reads real speech as it was said, but for the utterances in `misheard`; and anything else as nothing."""

    text = CharVocab()

    def __init__(self, codes, misheard=()):
        self.known = {tuple(row.tolist()): REAL[n].words for n, row in enumerate(codes) if n not in misheard}

    def read(self, rows, lang):
        return [list(self.known.get(tuple(row.tolist()), ())) for row in rows]


@pytest.fixture
def make(model, codes):
    def triplets(misheard=(), **how):
        how = {"samples": 2, "most": 0.2, "style_tokens": 5, "seed": 0} | how
        return triplets_of(model, Judge(codes, misheard), REAL, codes, SAMPLERS, **how)

    return triplets


@pytest.mark.parametrize("same", [True, False])
def test_a_style_is_of_another_utterance_and_of_the_speaker_asked_for(same):
    found = style_sources(REAL, 0, same)
    for place, source in enumerate(found):
        if SPEAKERS[place] == "c" and same:
            assert source is None  # alone
        else:
            assert source != place
            assert (SPEAKERS[source] == SPEAKERS[place]) == same


def test_a_triplet_is_a_recording_and_what_the_policy_says_with_and_without_style(make, model, codes):
    triplets, sources = make()
    assert [t.name for t in triplets] == [f"u{n}/{sample}" for n in range(4) for sample in range(2)]
    for place, t in enumerate(triplets):
        n, sample = divmod(place, 2)
        style = codes[int(sources[f"u{n}"][1:])]
        assert torch.equal(t.real, codes[n])
        assert torch.equal(t.prefix, style[:5])
        text = CharVocab().encode(REAL[n].text)
        for mode, prefix, sampler in (("expr", t.prefix, SAMPLERS["expr"]), ("stab", t.prefix[:0], SAMPLERS["stab"])):
            said = generate(model, [text], [prefix], sampler, 2, row_seeds=[seed_of(0, mode, f"u{n}")])
            assert torch.equal(getattr(t, mode), said[0][sample])


def test_what_the_judge_misreads_is_left_out_and_nothing_else_changes(make):
    everyone, fewer = make()[0], make(misheard={1})[0]
    left = [t for t in everyone if not t.name.startswith("u1/")]
    assert [t.name for t in fewer] == [t.name for t in left]
    assert all(
        torch.equal(a, b) for one, two in zip(fewer, left, strict=True) for a, b in zip(one[1:], two[1:], strict=True)
    )
    assert len(make(misheard={1}, most=1.0)[0]) == len(everyone)


def test_a_style_of_a_random_speaker_moves_y_expr_alone(make):
    own, other = (make(same=same)[0] for same in (True, False))
    other = [t for t in other if not t.name.startswith("u4/")]  # who is alone has no own style
    assert all(torch.equal(a.stab, b.stab) for a, b in zip(own, other, strict=True))
    assert not all(torch.equal(a.expr, b.expr) for a, b in zip(own, other, strict=True))


def test_a_loser_equal_to_its_winner_or_empty_is_dropped(make, codes, monkeypatch):
    monkeypatch.setattr(pairs, "stable", lambda *_, **__: [[codes[0], codes[1]], *[[codes[4][:0], codes[4]]] * 3])
    assert [t.name for t in make()[0]] == ["u0/1", "u1/1", "u2/1", "u3/1"]


@pytest.mark.parametrize(
    ("how", "part"), [({"misheard": range(5)}, "none of 5"), ({"most": 0.0, "misheard": range(5)}, "0.0")]
)
def test_no_pair_left_gives_one_line(make, how, part):
    with pytest.raises(UserError, match="preference pairs") as caught:
        make(**how)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_recording_wins_both_sets_and_a_style_is_heard_in_the_stability_pairs_alone_where_asked(make):
    for t, stab, styled, expr in zip(
        triplets := make()[0],
        pairs.stability_pairs(triplets),
        pairs.stability_pairs(triplets, styled=True),
        pairs.expressivity_pairs(triplets),
        strict=True,
    ):
        assert len(t.prefix)
        for pair, prefix, loser in ((stab, [], t.expr), (styled, t.prefix.tolist(), t.expr), (expr, [], t.stab)):
            said = [[part.tolist() for part in example] for example in pair]
            assert said == [[t.text.tolist(), prefix, y.tolist()] for y in (t.real, loser)]


def table(triplets) -> pd.DataFrame:
    """As `mode_rows`, with made-up figures: wrong words and F0 std that follow from the place."""
    rows = []
    for mode, lively in (("real", 3.0), ("expr", 2.0), ("stab", 1.0)):
        for place, t in enumerate(triplets):
            wrong, energy = place % 2 + (mode == "expr"), np.nan if place else 5.0
            row = {"id": t.name[:2], "mode": mode, "words_wrong": wrong, "words": 2, "repeats": 0, "windows": 4}
            rows.append(row | {"tokens": len(getattr(t, mode)), "f0_std_st": lively + place, "energy_std_db": energy})
    return pd.DataFrame(rows)


def test_nothing_is_lost_on_disk(make, tmp_path):
    triplets, sources = make()
    texts = [one.text for one in spoken_by(triplets, REAL)]
    save_triplets(tmp_path, triplets, texts, table(triplets), sources, SAMPLERS)
    found, rows = load_triplets(tmp_path, CharVocab().encode)
    for one, two in zip(triplets, found, strict=True):
        assert one.name == two.name
        assert all(torch.equal(a, b) for a, b in zip(one[1:], two[1:], strict=True))
    first = rows[1]
    assert (first["utterance"], first["style"], first["text"]) == ("u0", sources["u0"], "กามา")
    assert first["temperature_and_top_p"] == {"expr": [1.2, 1], "stab": [1, 1]}
    assert first["wrong"] == {"real": 1, "expr": 2, "stab": 1}
    assert first["tokens"] == {mode: len(getattr(triplets[1], mode)) for mode in ("real", "expr", "stab")}


def made_up(rng, name) -> Triplet:
    """y_real uses 8 codes, y_expr 4, y_stab 2, all equally often."""
    parts = [torch.as_tensor(rng.permutation(np.arange(16) % used)) for used in (8, 4, 2)]
    return Triplet(name, torch.zeros(3).long(), parts[0][:0], *parts)


def test_modes_and_premise_are_as_worked_by_hand():
    rng = np.random.default_rng(0)
    triplets = [made_up(rng, f"u{n}/{sample}") for n in range(6) for sample in range(2)]
    found, gaps = (f(table(triplets), triplets, CODES) for f in (modes, premise))
    np.testing.assert_allclose(found["hp"], [3, 2, 1], atol=1e-9)
    np.testing.assert_allclose(found["wer"], [0.25, 0.75, 0.25])
    np.testing.assert_allclose(found["f0_std"], [8.5, 7.5, 6.5])
    assert list(found["pairs"]) == [12] * 3
    assert list(found["texts"]) == [6] * 3
    gap = gaps[gaps["modes"] == "expr - stab"].set_index("measure")["difference"]
    expected = SimpleNamespace(hp=1, wer=0.5, f0_std=1, tokens=0, rep=0)
    assert all(math.isclose(gap[name], value, abs_tol=1e-9) for name, value in vars(expected).items())
