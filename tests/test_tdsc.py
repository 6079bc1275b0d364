"""TDSC's parts on cases small enough to work out by hand: temperatures, the judge's decision, G, winners and losers, GRPO."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.align.critic import (
    REASONS,
    by_temperature,
    decide,
    dropped,
    fit_length,
    judged,
    rows_of,
    temperatures,
)
from sebridge_lite.align.dgsa import dgsa_loss
from sebridge_lite.align.grpo import advantages, group_set, grpo_loss
from sebridge_lite.align.tdsc import accepted_set, critique_set, preferences, sft_set
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments.critics import settings_of
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM, collate, sequence_logprobs
from sebridge_lite.stack.characters import CharVocab

P = replace(load_params(Path(__file__).parents[1] / "params" / "full.yaml").tdsc, max_wer=0.4)  # Table 12
LM = LMConfig(
    text_vocab=len(CharVocab()), speech_vocab=20, hidden=16, layers=1, heads=2, kv_heads=1, ffn=16, max_positions=64,
    rope_theta=1e4, pace=0,
)  # fmt: skip


def table_of(*rows):
    """(text, temperature, wer, tokens), four words each, ten tokens expected; a fifth number is the repetition rate."""
    found = pd.DataFrame(
        [
            {"text": text, "temperature": heat, "wer": wer, "wrong": round(4 * wer), "words": 4, "tokens": tokens,
             "rep": more[0] if more else 0.0, "repeats": 0, "windows": 6, "expected": 10.0, "again": False}
            for text, heat, wer, tokens, *more in rows
        ]
    )  # fmt: skip
    return found.assign(slot=found.groupby("text").cumcount())


def chosen(rows, p=P):
    table = table_of(*rows)
    why = decide(table, p)
    return accepted_set(table, why, p.best), preferences(table, why, p)


@pytest.mark.parametrize(
    ("schedule", "k", "expected"),
    [
        ("paper_d2", 1, (0.7, 1.0, 0.9)),
        ("paper_d2", 5, (0.7, 1.0, 1.3)),
        ("table12", 1, (0.7, 1.0, 1.4)),
        ("table12", 5, (0.7, 1.0, 1.8)),
        ("table12_first", 1, (0.7, 1.0, 1.3)),
        ("fixed", 4, (0.7, 1.0, 1.3)),
        ("one", 4, (1.0,)),
    ],
)
def test_the_hottest_temperature_follows_the_named_schedule(schedule, k, expected):
    assert temperatures(k, replace(P, schedule=schedule)) == expected


def test_candidates_divide_evenly_among_temperatures_or_are_refused():
    assert rows_of((0.7, 1.0, 1.3), 6) == [0.7, 0.7, 1.0, 1.0, 1.3, 1.3]
    with pytest.raises(UserError, match="candidates: 8 do not divide among 3"):
        rows_of((0.7, 1.0, 1.3), 8)


def test_each_reason_to_reject_is_found_alone_and_its_edge_is_the_papers():
    table = table_of(
        (0, 1.0, 0.25, 10), (0, 1.0, 0.4, 10), (0, 1.0, 0.0, 10, 0.1), (0, 1.0, 0.0, 4), (0, 1.0, 0.0, 21),
        (0, 1.0, 0.0, 5), (0, 1.0, 0.0, 20), (0, 1.0, 1.0, 3, 0.5),
    )  # fmt: skip
    why = decide(table, P)
    found = [[reason for reason in REASONS if why.loc[row, reason]] for row in table.index]
    assert found == [[], ["wer"], ["repetition"], ["short"], ["long"], [], [], ["wer", "repetition", "short"]]


def test_without_filters_everything_is_accepted():
    table = table_of((0, 1.0, 3.0, 0, 1.0), (0, 1.0, 0.0, 999))
    assert not decide(table, settings_of("self-training", P)).any(axis=None)


def test_length_is_a_line_in_characters_fitted_on_the_training_set():
    length = fit_length(["ab", "abcd", "abcdef"], [torch.zeros(n) for n in (9, 13, 17)])
    assert length.of("abcdefgh") == pytest.approx(21)
    with pytest.raises(UserError, match="two of different length"):
        fit_length(["ab", "cd"], [torch.zeros(3), torch.zeros(4)])


def test_g_holds_the_fewest_errors_of_each_text_and_the_hottest_of_equals():
    rows = [(0, 0.7, 0.0, 10), (0, 1.0, 0.25, 10), (0, 1.3, 0.0, 10), (1, 0.7, 0.5, 10), (2, 0.7, 0.25, 10)]
    assert chosen(rows)[0] == [2, 0, 4]
    assert chosen(rows, replace(P, best=1))[0] == [2, 4]
    assert chosen(rows, replace(P, best=12))[0] == [2, 0, 1, 4]


def test_a_sequence_said_twice_is_learnt_once():
    same, other = torch.tensor([1, 2, 3]), torch.tensor([4, 5])
    words = [("ກິນ",), ("ໄປ",)]
    length = fit_length(["a", "ab"], [same, other])
    table = judged(
        [[same, same, other], [same, other, other]], words, [1.0] * 3, length, lambda rows: [["ກິນ"]] * len(rows)
    )
    assert table["again"].tolist() == [False, True, False, False, False, True]
    assert table["wer"].tolist() == [0, 0, 0, 1, 1, 1]
    assert accepted_set(table, decide(table, replace(P, shortest=0.0, longest=math.inf)), 12) == [0, 2]


def test_a_candidate_without_tokens_is_read_as_nothing():
    length = fit_length(["a", "ab"], [torch.zeros(3), torch.zeros(4)])
    table = judged([[torch.zeros(0, dtype=torch.long)]], [("ກິນ", "ໄປ")], [1.0], length, lambda rows: 1 / 0)
    assert (table["wer"].item(), decide(table, P)["short"].item()) == (1.0, True)


def test_no_text_gives_a_line():
    with pytest.raises(UserError, match="texts: none"):
        judged([], [], [1.0], fit_length(["a", "ab"], [torch.zeros(3), torch.zeros(4)]), list)


def test_a_loser_is_wrong_in_words_alone_and_matched_to_its_winner():
    winner, good = (0, 1.0, 0.0, 10), (0, 0.7, 1.0, 11)
    for bad in (
        (0, 1.3, 1.0, 10),  # hotter
        (0, 0.7, 1.0, 13),  # three tokens longer
        (0, 0.7, 1.0, 10, 0.2),  # loops
        (0, 0.7, 1.0, 4),  # too short
        (0, 0.7, 0.25, 10),  # accepted
    ):
        assert chosen([winner, bad])[1] == []
        assert chosen([bad, winner, good])[1] == [(1, 2)]
    assert chosen([(0, 1.0, 0.25, 10), (0, 0.7, 0.5, 10)])[1] == []  # not enough worse


def test_of_several_losers_the_coldest_and_of_these_the_worst():
    rows = [(0, 1.0, 0.0, 10), (0, 1.0, 1.0, 10), (0, 0.7, 0.5, 10), (0, 0.7, 0.75, 10)]
    assert chosen(rows)[1] == [(0, 3)]


def test_the_papers_losers_are_the_worst_whatever_their_length_and_temperature():
    rows = [(0, 0.7, 0.0, 10), (0, 1.3, 1.0, 18), (0, 0.7, 0.5, 10), (0, 1.3, 2.0, 30)]
    assert chosen(rows, replace(P, matched=False))[1] == [(0, 1)]


def test_a_text_without_winner_or_loser_gives_no_pair():
    assert chosen([(0, 1.0, 0.0, 10), (0, 1.0, 0.25, 10), (1, 1.0, 1.0, 10)])[1] == []


ROWS = st.tuples(
    st.integers(0, 4), st.sampled_from([0.7, 1.0, 1.3]), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(3, 25)
)


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=40))
def test_winners_are_in_g_and_losers_never(rows):
    table = table_of(*rows)
    why = decide(table, P)
    used, pairs = accepted_set(table, why, P.best), preferences(table, why, P)
    assert not why.loc[used].any(axis=None)
    assert table.loc[used, "text"].value_counts().max() <= P.best if used else not pairs
    for winner, loser in pairs:
        assert winner in used and loser not in used
        assert table["text"][winner] == table["text"][loser]
        assert table["wer"][loser] >= table["wer"][winner] + P.apart
    assert len({table["text"][winner] for winner, _ in pairs}) == len(pairs)


def test_contributions_add_up_and_hard_texts_are_seen_to_be_dropped():
    table = table_of((0, 0.7, 0.0, 10), (0, 1.3, 0.0, 10), (0, 1.3, 1.0, 10), (1, 0.7, 1.0, 10))
    why = decide(table, P)
    used = accepted_set(table, why, 2)
    rows = [torch.tensor([i, i + 1]) for i in range(4)]
    found = by_temperature(table, why, used, rows, 20)
    assert found["contribution"].tolist() == [0.5, 0.5]
    assert found["pass_rate"].tolist() == [0.5, 0.5]
    assert found["hp"].notna().tolist() == [True, False]  # one text alone has no jackknife
    assert dropped(table, used, [("a", "b"), ("b", "c", "d")]) == {"texts_dropped": 0.5, "words_dropped": 0.5}


def test_own_sequences_are_learnt_without_a_style():
    own, replay = [("ກິນ", torch.arange(3)), ("ໄປ", torch.arange(2))], [("ນາ", torch.arange(4))] * 2
    examples, speakers = sft_set(own, replay, ["e", "e"])
    assert len(examples) == len(speakers) == 4
    assert len({*speakers[:2], "e"}) == 3 and speakers[2:] == ["e", "e"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TextSpeechLM(LM).eval()


def test_one_set_of_pairs_is_plain_dpo(model, tmp_path):
    pairs = [
        ("a", "ກິນ", torch.tensor([1, 2, 3]), torch.tensor([4, 5])),
        ("b", "ໄປ", torch.tensor([6]), torch.tensor([7, 8])),
    ]
    batch = critique_set(pairs, model, model, tmp_path).collate([0, 1])
    loss, weight, scalars = dgsa_loss(model, batch, 0.5)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-5) and weight == 2
    assert scalars["winner_change"] == pytest.approx(0, abs=1e-5)
    loss.backward()
    with torch.no_grad():
        for weights in model.parameters():
            weights -= 0.1 * weights.grad if weights.grad is not None else 0
    assert dgsa_loss(model, batch, 0.5)[2]["critique_margin"] > 0


@pytest.mark.parametrize(
    ("winner", "said"),
    [
        (torch.zeros(70, dtype=torch.long), "pair x: 7. tokens with its text and prefix, the model has 64 positions"),
        (torch.tensor([LM.speech_vocab]), "pair x: token 20 is outside 0..19"),
    ],
)
def test_a_pair_that_does_not_fit_is_named(model, tmp_path, winner, said):
    with pytest.raises(UserError, match=said):
        critique_set([("x", "ກິນ", winner, torch.tensor([1]))], model, model, tmp_path)


def test_no_pairs_a_winner_like_its_loser_and_a_reference_of_other_tokens_are_one_line_each(model, tmp_path):
    one, other = torch.tensor([1, 2]), torch.tensor([3])
    stranger = TextSpeechLM(replace(LM, speech_vocab=30))
    cases = (
        ([], model, "preference pairs: none"),
        ([("x", "ກິນ", one, one.clone())], model, "pair x: winner and loser are the same tokens"),
        ([("x", "ກິນ", one, other)], stranger, "reference of .* 30 speech tokens, policy of .* 20"),
    )
    for pairs, reference, said in cases:
        with pytest.raises(UserError, match=said) as caught:
            critique_set(pairs, model, reference, tmp_path)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_advantages_are_standard_scores_within_a_text_and_0_where_all_are_alike():
    table = table_of((0, 1.0, 0.0, 9), (0, 1.0, 0.5, 9), (1, 1.0, 1.0, 9), (1, 1.0, 1.0, 9))
    np.testing.assert_allclose(advantages(table), [1, -1, 0, 0])


def test_grpo_begins_with_the_policy_gradient_and_is_clipped_far_from_it(model, tmp_path):
    table = table_of((0, 1.0, 0.0, 3), (0, 1.0, 0.5, 2), (1, 1.0, 1.0, 9), (1, 1.0, 1.0, 9))
    texts, codes = [CharVocab().encode(text) for text in ("ກິນ", "ໄປ")], [torch.tensor([1, 2, 3]), torch.tensor([4, 5])]
    groups = group_set(table, texts, [*codes, *codes], model, tmp_path)
    assert len(groups.examples) == 2  # the second text's candidates are alike
    batch = groups.collate([0, 1])
    loss, weight, _ = grpo_loss(model, batch, 0.2)
    assert loss.item() == pytest.approx(0, abs=1e-5) and weight == 2
    head = model.llm_decoder.bias
    by_hand = sequence_logprobs(model, collate([(texts[0], codes[0][:0], row) for row in codes])) / torch.tensor([4, 3])
    wanted = torch.autograd.grad(-(by_hand[0] - by_hand[1]) / 2, head)[0]
    torch.testing.assert_close(torch.autograd.grad(loss, head)[0], wanted, rtol=0, atol=1e-5)
    far = replace(batch, old=batch.old - torch.tensor([40.0, 0.0]))  # the winner is already far likelier than it was
    parts = torch.autograd.grad(grpo_loss(model, far, 0.2)[0], head)[0]
    alone = torch.autograd.grad(by_hand_loser(model, texts[0], codes[1]), head)[0]
    torch.testing.assert_close(parts, alone / 2, rtol=0, atol=1e-5)


def by_hand_loser(model, text, codes):
    return sequence_logprobs(model, collate([(text, codes[:0], codes)]))[0] / (len(codes) + 1)


def test_an_unknown_variant_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="'tdcs': not one of sft, self-training, rejection"):
        settings_of("tdcs", P)


def test_every_variant_of_every_profile_is_known_and_differs_from_tdsc_only_where_it_says():
    for profile in ("smoke", "lite", "full"):
        own = load_params(Path(__file__).parents[1] / "params" / f"{profile}.yaml").tdsc
        for name in own.variants:
            settings_of(name, own)
    assert settings_of("tdsc", P) == P
    assert settings_of("no-dpo", P) == replace(P, dpo_steps=0)
    assert settings_of("literal", P).beta == 0.1 and settings_of("literal", P).best == P.candidates
