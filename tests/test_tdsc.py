"""TDSC's parts on cases small enough to work out by hand: temperatures, the judge's decision, G, winners and losers, GRPO."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_config, tiny_lm

from sebridge_lite.align import critic, grpo, tdsc
from sebridge_lite.align.dgsa import dgsa_loss
from sebridge_lite.align.methods import METHODS, method_of, settings_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.lm.lm import collate, sequence_logprobs
from sebridge_lite.stack.characters import CharVocab

PARAMS = load_params(Path(__file__).parents[1] / "params" / "full.yaml")
P = replace(PARAMS.tdsc, max_wer=0.4)  # Table 12


class Said(NamedTuple):
    text: str
    words: tuple[str, ...]


def said(*words):
    return Said("".join(words), words)


def table_of(*rows):
    """(text, temperature, wer, tokens), four words each, ten tokens expected; a fifth number is the repetition rate."""
    columns = ["text", "temperature", "wer", "tokens", "rep"]
    found = pd.DataFrame([(*row, 0.0)[:5] for row in rows], columns=columns)
    found = found.assign(
        wrong=(4 * found["wer"]).round().astype(int), words=4, repeats=0, windows=6, expected=10.0, again=False
    )
    return found.assign(slot=found.groupby("text").cumcount())


def chosen(rows, p=P):
    table = table_of(*rows)
    why = tdsc.decide(table, p)
    return tdsc.accepted_set(table, why, p.best), tdsc.preferences(table, why, p)


def test_the_table_of_candidates_is_what_a_judge_hears_counts_and_measures():
    once, other, short = torch.full((critic.K + 1,), 3), torch.arange(8), torch.tensor([1, 2])
    heard = {3 * len(once): ["a", "x"], 28: ["a", "b"], 3: []}
    length = critic.Length(slope=2.0, start=1.0)
    groups = [[once, other], [short, short]]
    table = critic.judged(
        groups, [said("a", "b"), said("b")], (0.7, 1.0), length, lambda rows: [heard[int(row.sum())] for row in rows]
    )
    columns = {
        "name": ["0/0", "0/1", "1/0", "1/1"],
        "text": [0, 0, 1, 1],
        "slot": [0, 1, 0, 1],
        "temperature": [0.7, 1.0, 0.7, 1.0],
        "wrong": [1, 0, 1, 1],
        "words": [2, 2, 1, 1],
        "wer": [0.5, 0.0, 1.0, 1.0],
        "repeats": [1, 0, 0, 0],
        "windows": [1, 8 - critic.K, 0, 0],
        "rep": [1.0, 0.0, 0.0, 0.0],  # a share of the windows, and none of none
        "tokens": [len(once), 8, 2, 2],
        "expected": [5.0, 5.0, 3.0, 3.0],
        "read": ["a x", "a b", "", ""],
        "again": [False, False, False, True],
    }
    assert table.to_dict("list") == columns


HOTTEST = {"paper_d2": (0.9, 1.3), "table12": (1.4, 1.8), "table12_first": (1.3, 1.7), "fixed": (1.3, 1.3)}


@pytest.mark.parametrize("schedule", HOTTEST)
def test_the_hottest_temperature_follows_the_named_schedule(schedule):
    found = [tdsc.temperatures(k, replace(P, schedule=schedule)) for k in (1, 5)]
    assert found == [(0.7, 1.0, hot) for hot in HOTTEST[schedule]]
    assert tdsc.temperatures(4, replace(P, schedule="one")) == (1.0,)


def test_candidates_divide_evenly_among_temperatures_or_are_refused():
    assert tdsc.rows_of((0.7, 1.0, 1.3), 6) == [0.7, 0.7, 1.0, 1.0, 1.3, 1.3]
    with pytest.raises(UserError, match="candidates: 8 do not divide among 3"):
        tdsc.rows_of((0.7, 1.0, 1.3), 8)


def test_each_reason_to_reject_is_found_alone_and_its_edge_is_the_papers():
    judged = [(0.25, 10), (0.4, 10), (0.0, 10, 0.1), (0.0, 4), (0.0, 21), (0.0, 5), (0.0, 20), (1.0, 3, 0.5)]
    table = table_of(*((0, 1.0, *row) for row in judged))
    why = tdsc.decide(table, P)
    found = [[reason for reason in tdsc.REASONS if why.loc[row, reason]] for row in table.index]
    assert found == [[], ["wer"], ["repetition"], ["short"], ["long"], [], [], ["wer", "repetition", "short"]]


def test_length_is_a_line_in_characters_fitted_on_the_training_set():
    length = critic.fit_length(["ab", "abcd", "abcdef"], [torch.zeros(n) for n in (9, 13, 17)])
    assert length.of("abcdefgh") == pytest.approx(21)
    assert critic.Length(0.1, 0.0).of("ab") == critic.Length(1.0, -9.0).of("ab") == 1  # a token at least
    with pytest.raises(UserError, match="two of different length"):
        critic.fit_length(["ab", "cd"], [torch.zeros(3), torch.zeros(4)])


def test_g_holds_the_fewest_errors_of_each_text_and_the_hottest_of_equals():
    rows = [(0, 0.7, 0.0, 10), (0, 1.0, 0.25, 10), (0, 1.3, 0.0, 10), (1, 0.7, 0.5, 10), (2, 0.7, 0.25, 10)]
    assert chosen(rows)[0] == [2, 0, 4]
    assert chosen(rows, replace(P, best=1))[0] == [2, 4]
    assert chosen(rows, replace(P, best=12))[0] == [2, 0, 1, 4]


def test_a_sequence_said_twice_is_learnt_once():
    same, other = torch.tensor([1, 2, 3]), torch.tensor([4, 5])
    texts = [said("ກິນ"), said("ໄປ", "ນາ")]
    length = critic.fit_length(["a", "ab"], [same, other])
    table = critic.judged(
        [[same, same, other], [same, other, other]], texts, [1.0] * 3, length, lambda rows: [["ກິນ"]] * len(rows)
    )
    assert table["again"].tolist() == [False, True, False, False, False, True]
    assert table["wer"].tolist() == [0, 0, 0, 1, 1, 1]
    assert tdsc.accepted_set(table, tdsc.decide(table, replace(P, shortest=0.0, longest=math.inf)), 12) == [0, 2]


def test_a_temperatures_line_counts_what_it_said_by_hand():
    table = pd.DataFrame({"text": [0, 0, 1, 1], "temperature": [0.7, 1.3, 0.7, 1.3], "wrong": [1, 2, 0, 2], "words": 4})
    table = table.assign(repeats=[1, 1, 0, 0], windows=[2, 1, 2, 0], again=[False, True, False, False])
    why = pd.DataFrame({"wer": [False, True, False, True], "short": [False, True, False, False]})
    rows = [torch.tensor(row) for row in ([1, 1], [1, 2], [2, 2], [2, 3])]
    cold, hot = critic.by_temperature(table, why, [0, 2], rows, 5).to_dict("records")  # codes 0 and 4 are never said
    told = ["wer", "rep", "pass_rate", "contribution", "again"]
    assert [[line[name] for name in told] for line in (cold, hot)] == [[1 / 8, 1 / 4, 1, 1, 0], [4 / 8, 1, 0, 0, 0.5]]
    assert (hot["rejected_wer"], hot["rejected_short"]) == (1.0, 0.5)
    assert cold["hp"] > 0 and math.isfinite(hot["hp"])
    line = critic.by_temperature(table, why, [], [row[:0] for row in rows], 5).iloc[0]  # nothing said, nothing accepted
    assert math.isnan(line["hp"]) and line["contribution"] == 0
    alone, _ = critic.by_temperature(table[:2], why[:2], [0], rows[:2], 5).to_dict("records")
    assert math.isnan(alone["hp"]) and alone["contribution"] == 1  # one text has no spread to correct by


def test_what_g_does_not_hold_by_hand():
    """Of two texts one is in G: a half is dropped; of three words the one that only the other has."""
    table, texts = pd.DataFrame({"text": [0, 0, 1]}), [said("ກິນ", "ໄປ"), said("ໄປ", "ນາ")]
    assert critic.dropped(table, [0, 1], texts) == {"texts_dropped": 1 / 2, "words_dropped": pytest.approx(1 / 3)}


def test_the_papers_losers_are_the_worst_whatever_their_length_and_temperature():
    rows = [(0, 0.7, 0.0, 10), (0, 1.3, 1.0, 18), (0, 0.7, 0.5, 10), (0, 1.3, 2.0, 30)]
    assert chosen(rows, replace(P, matched=False))[1] == [(0, 1)]


HEATS, WERS = st.sampled_from([0.7, 1.0, 1.3]), st.sampled_from([0.0, 0.25, 0.5, 1.0])
ROWS = st.tuples(st.integers(0, 4), HEATS, WERS, st.integers(3, 25), st.sampled_from([0.0, 0.2]))


def passes(row, wer):
    return wer and row["rep"] < 0.1 and 5 <= row["tokens"] <= 20


def may_win(row, others):
    """Whether no accepted candidate of its text has fewer errors, or as few and is hotter."""
    accepted = [(own["wer"], -own["temperature"]) for own in others if passes(own, own["wer"] < 0.4)]
    return passes(row, row["wer"] < 0.4) and (row["wer"], -row["temperature"]) == min(accepted)


def may_lose(row, winner, others):
    """Whether it fails in words alone, is as long as the winner and no hotter, and none such is colder, or as cold and worse."""

    def fits(own):
        near = abs(own["tokens"] - winner["tokens"]) <= P.near and own["temperature"] <= winner["temperature"]
        return passes(own, own["wer"] >= max(0.4, winner["wer"] + P.apart)) and near

    rivals = [(own["temperature"], -own["wer"]) for own in others if fits(own)]
    return fits(row) and (row["temperature"], -row["wer"]) == min(rivals)


@settings(deadline=None, max_examples=60)
@given(st.lists(ROWS, min_size=1, max_size=40))
def test_a_pair_is_the_best_of_a_text_and_what_fails_in_words_and_never_the_other_way_round(rows):
    table = table_of(*rows)
    pairs = tdsc.preferences(table, tdsc.decide(table, P), P)
    of_text = {text: group.to_dict("records") for text, group in table.groupby("text")}
    with_pair = set()
    for winner, loser in (table.loc[list(pair)].to_dict("records") for pair in pairs):
        others = of_text[winner["text"]]
        assert winner["text"] == loser["text"] not in with_pair
        assert may_win(winner, others) and may_lose(loser, winner, others)
        assert not may_win(loser, others) and not may_lose(winner, loser, others)
        with_pair.add(winner["text"])
    for text in set(of_text) - with_pair:  # no pair is missing
        winners = [row for row in of_text[text] if may_win(row, of_text[text])]
        assert not any(may_lose(row, winners[0], of_text[text]) for row in of_text[text] if winners)


@pytest.mark.parametrize(
    ("wer", "tokens", "paired"), [(0.5, 13, 1), (0.5, 7, 1), (0.25, 13, 0), (0.5, 14, 0), (0.5, 6, 0)]
)
def test_a_matched_loser_is_apart_in_errors_and_near_in_length_each_limit_included(wer, tokens, paired):
    rows = [(0, 1.0, 0.0, 10), (0, 1.0, wer, tokens)]
    assert len(chosen(rows, replace(P, max_wer=0.2, apart=0.5, near=3))[1]) == paired


@pytest.fixture
def model():
    return tiny_lm(tiny_config(CharVocab().size, 20, pace=0), 0)


TEXTS = [said("ກິນ", "ໄປ"), said("ໄປ")]


def listen(rows):
    """A judge that reads one wrong word for each token 9, and all else right."""
    words = {10: ("ກິນ", "ໄປ"), 11: ("ໄປ",)}  # the first token says which text it is
    return [list(words[int(row[0])])[: len(words[int(row[0])]) - int((row == 9).sum())] for row in rows]


def loop_of(work, **changes):
    filters = {"max_rep": 1.1, "shortest": 0.0, "longest": 9.0, "near": 9, "apart": 0.0}
    p = replace(P, candidates=3, dpo_warmup=0, dpo_steps=3, **filters | changes)
    encode, length = CharVocab().encode, critic.Length(0.0, 10.0)
    replayed = [tdsc.Speech(encode("ນາ"), torch.arange(4), "engine")] * 2
    return tdsc.Loop("tdsc", 0, p, PARAMS.sft, PARAMS.sampling, encode, listen, length, replayed, work)


def spoken_in(loop, first=0):
    """Right and wrong candidates of both texts, coldest first; `first` of them stands first."""
    rows = [torch.tensor(row) for row in ([10, 9, 9], [10, 1, 2, 3], [10, 4, 5])]
    others = [torch.tensor(row) for row in ([11, 9], [11, 6], [11, 7, 8])]
    return tdsc.judge(loop, 1, TEXTS, [rows[first:] + rows[:first], others])


def test_g_is_learnt_without_a_style_beside_what_is_replayed(tmp_path):
    for replay in (True, False):
        loop = loop_of(tmp_path, replay=replay, best=2)
        speech = tdsc.sft_set(loop, spoken_in(loop))
        learnt, rest = speech[:4], speech[4:]
        assert {tuple(row.codes.tolist()) for row in learnt} == {(10, 1, 2, 3), (10, 4, 5), (11, 6), (11, 7, 8)}
        assert [len(row.text) for row in learnt] == [5, 5, 2, 2]
        assert len({*(row.speaker for row in learnt), "engine"}) == 5
        assert len(rest) == 2 * replay and all(row.speaker == "engine" for row in rest)


def errors_in(batch, side):
    """Tokens 9 in the rows of one side of the pairs."""
    return [int((batch.rows.speech[row] == 9).sum()) for row in batch.pairs["critique"][side]]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_winner_that_dpo_is_shown_is_the_one_that_the_judge_reads(model, tmp_path, first):
    loop = loop_of(tmp_path, schedule="one")
    spoken = spoken_in(loop, first)
    batch = tdsc.dpo_pairs(loop, spoken, model).collate([0, 1])
    assert errors_in(batch, 0) == [0, 0] and errors_in(batch, 1) == [2, 1]
    assert not batch.rows.prefix_lengths.any()  # no style, as they were sampled under none
    swapped = spoken._replace(pairs=[pair[::-1] for pair in spoken.pairs])
    assert errors_in(tdsc.dpo_pairs(loop, swapped, model).collate([0, 1]), 0) == [2, 1]
    loss, weight, scalars = dgsa_loss(model, batch, 0.5)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-5) and weight == 2  # policy = reference
    assert scalars["winner_change"] == pytest.approx(0, abs=1e-5)


def preference(model, right, wrong):
    rows = [(CharVocab().encode(TEXTS[0].text), torch.zeros(0, dtype=torch.long), codes) for codes in (right, wrong)]
    with torch.no_grad():
        good, bad = sequence_logprobs(model, collate(rows))
    return float(good - bad)


def test_after_dpo_what_the_judge_reads_is_likelier_and_after_swapped_pairs_less_likely(model, tmp_path):
    right, wrong = torch.tensor([10, 4, 5]), torch.tensor([10, 9, 9])
    before, after = preference(model, right, wrong), []
    for swap in (1, -1):
        loop = loop_of(tmp_path / str(swap), schedule="one", dpo_lr=0.01)
        spoken = spoken_in(loop, 2)  # the right one stands first, so it is the winner of equals
        spoken = spoken._replace(pairs=[pair[::swap] for pair in spoken.pairs])
        policy = copy.deepcopy(model)
        about = tdsc.learn_pairs(loop, 1, policy, None, spoken, tmp_path / f"dpo{swap}")
        assert set(about) == {"dpo_loss", "winner_change"}
        after.append(preference(policy, right, wrong))
    assert after[0] > before > after[1]


def test_advantages_are_standard_scores_within_a_text_and_0_where_all_are_alike():
    table = table_of((0, 1.0, 0.0, 9), (0, 1.0, 0.5, 9), (1, 1.0, 1.0, 9), (1, 1.0, 1.0, 9))
    assert grpo.advantages(table).tolist() == [1, -1, 0, 0]
    assert not grpo.advantages(table_of(*[(0, 1.0, 0.1, 9)] * 12)).any()  # whatever their mean is rounded to


def test_grpo_begins_with_the_policy_gradient_and_is_clipped_far_from_it(model, tmp_path):
    table = table_of((0, 1.0, 0.0, 3), (0, 1.0, 0.5, 2), (1, 1.0, 1.0, 9), (1, 1.0, 1.0, 9))
    codes, said_ = [torch.tensor([1, 2, 3]), torch.tensor([4, 5])], [said("ກິນ"), said("ໄປ")]
    texts = [CharVocab().encode(text.text) for text in said_]
    groups = grpo.group_set(loop_of(tmp_path), tdsc.Candidates(said_, [*codes, *codes], table, table, [], []), model)
    assert len(groups.examples) == 2  # the second text's candidates are alike
    batch = groups.collate([0, 1])
    assert not batch[0].prefix_lengths.any()
    loss, weight, _ = grpo.grpo_loss(model, batch, 0.2)
    assert loss.item() == pytest.approx(0, abs=1e-5) and weight == 2
    head = model.llm_decoder.bias
    by_hand = sequence_logprobs(model, collate([(texts[0], codes[0][:0], row) for row in codes])) / torch.tensor([4, 3])
    wanted = torch.autograd.grad(-(by_hand[0] - by_hand[1]) / 2, head)[0]
    torch.testing.assert_close(torch.autograd.grad(loss, head)[0], wanted, rtol=0, atol=1e-5)
    far = batch[0], batch[1] - torch.tensor([40.0, 0.0]), batch[2]  # the winner is already far likelier than it was
    parts = torch.autograd.grad(grpo.grpo_loss(model, far, 0.2)[0], head)[0]
    alone = torch.autograd.grad(by_hand_loser(model, texts[0], codes[1]), head)[0]
    torch.testing.assert_close(parts, alone / 2, rtol=0, atol=1e-5)


def test_grpos_objective_is_clipped_only_where_it_would_go_on_gaining(monkeypatch):
    """Four candidates, half and twice as likely a token as they were, each once better and once worse than its text's mean."""
    change, advantage = torch.tensor([0.5, 0.5, 2.0, 2.0]).log(), torch.tensor([3.0, -3.0, 3.0, -3.0])
    lengths = torch.tensor([1, 2, 3, 4])
    monkeypatch.setattr(grpo, "sequence_logprobs", lambda *_: change * (lengths + 1) - 7)
    batch = SimpleNamespace(speech_lengths=lengths), torch.full((4,), -7.0), advantage
    loss, weight, scalars = grpo.grpo_loss(None, batch, 0.2)
    gains = [0.5 * 3, 0.8 * -3, 1.2 * 3, 2 * -3]
    assert loss.item() == pytest.approx(-sum(gains) / 4) and weight == 4
    assert scalars["change"].item() == pytest.approx(0, abs=1e-6)


def test_grpo_takes_as_many_steps_as_both_parts_of_tdsc_and_pays_for_every_position(model, tmp_path, monkeypatch):
    def seen(policy, loss, batches, collate, config, folder, data, what):
        rows = collate([0])[0]
        positions = rows.text_lengths + rows.prefix_lengths + rows.speech_lengths + policy.around
        assert batches.sizes[0] == positions and config.steps == loop.p.steps + loop.p.dpo_steps
        return SimpleNamespace(loss=0.12345678)

    loop = loop_of(tmp_path, steps=4)
    monkeypatch.setattr(grpo, "train", seen)
    assert grpo.learn(loop, 1, model, spoken_in(loop), tmp_path) == {"grpo_loss": 0.1235}


def test_what_a_loop_learnt_is_told_to_four_digits_with_its_epochs_to_two(model, tmp_path, monkeypatch):
    done = SimpleNamespace(loss=1.23456789, epochs=3.14159)
    loop = loop_of(tmp_path)
    for name in ("train", "fine_tune"):
        monkeypatch.setattr(tdsc, name, lambda *_: done)
    changes = [0.0, 9.0, *(0.00012345 * step for step in range(1, 6))]  # nats a token over seven steps
    (tmp_path / "loss.csv").write_text("\n".join(["step,winner_change", *(f"{i},{x}" for i, x in enumerate(changes))]))
    spoken = spoken_in(loop)
    assert tdsc.learn_accepted(loop, 1, model, spoken, tmp_path) == {"sft_loss": 1.2346, "sft_epochs": 3.14}
    about = tdsc.learn_pairs(loop, 1, model, None, spoken, tmp_path)
    assert about == {"dpo_loss": 1.2346, "winner_change": round(3 * 0.00012345, 4)}  # the mean of the last five


def test_dpo_warms_up_over_all_its_steps_at_most(tmp_path):
    loop = loop_of(tmp_path)
    loop = replace(loop, p=replace(loop.p, dpo_warmup=10))
    assert [tdsc.config_of(loop, 1, steps, 0.1).warmup for steps in (4, 10, 30)] == [4, 10, 10]


@pytest.mark.parametrize(("reference", "order"), [("start", ["pairs", "sft", "dpo"]), ("sft", ["sft", "dpo"])])
def test_the_reference_of_dpo_is_the_policy_before_or_after_it_learnt_g(monkeypatch, tmp_path, reference, order):
    done, loop = [], loop_of(tmp_path, reference=reference)
    for name, what in (("dpo_pairs", "pairs"), ("learn_accepted", "sft"), ("learn_pairs", "dpo")):
        monkeypatch.setattr(tdsc, name, lambda *_, what=what: done.append(what) or {})
    tdsc.learn(loop, 1, None, spoken_in(loop), tmp_path)
    assert done == order


def test_a_loop_ends_after_its_iterations_or_where_nothing_is_accepted(model, tmp_path, monkeypatch):
    loop = loop_of(tmp_path, schedule="one", iterations=3)
    spoken = spoken_in(loop)
    monkeypatch.setattr(tdsc, "speak", lambda *_: None)
    for good, kept in ((9, [1, 2, 3]), (2, [1, 2]), (0, [])):
        found = [spoken if k <= good else spoken._replace(accepted=[]) for k in range(4)]
        monkeypatch.setattr(tdsc, "judge", lambda _, k, *__, found=found: found[k])
        made: list[int] = []
        end = tdsc.tdsc(loop, model, lambda k: TEXTS, lambda k, *_, made=made: made.append(k), lambda *_: {})
        assert (end, made) == (len(kept), kept)


def by_hand_loser(model, text, codes):
    return sequence_logprobs(model, collate([(text, codes[:0], codes)]))[0] / (len(codes) + 1)


def test_methods_differ_from_tdsc_only_where_they_say():
    own = {name: settings_of(method_of("critique", name), P) for name in METHODS["critique"]}
    assert own["tdsc"] == own["oracle"] == P and own["no-dpo"] == replace(P, dpo_steps=0)
    to_the_letter = {"max_wer": 0.4, "beta": 0.1, "replay": False, "best": P.candidates, "matched": False}  # Sec. 4
    assert own["literal"] == replace(P, **to_the_letter, schedule="table12", reference="start")
    assert own["self-training"].candidates == P.best and own["self-training"].schedule == "one"
    assert {method.title.endswith(" (ours)") for method in METHODS["critique"].values() if method.printed} == {False}
    assert own["self-training"].max_wer == own["self-training"].max_rep == own["no-repetition"].max_rep == math.inf
    for name in ("no-length", "self-training"):
        assert own[name].longest == math.inf and own[name].shortest == 0
    assert {name for name, p in own.items() if not p.dpo_steps} == {"no-dpo", "self-training", "rejection"}
    assert {name for name, p in own.items() if not p.iterations} == {"sft", "best-of-12"}
    assert {name for name, p in own.items() if p.schedule != P.schedule} == {
        *("self-training", "rejection", "t1-only", "grpo-wer"),
        *("fixed-tmax", "literal"),
    }
    assert method_of("critique", "oracle").title.endswith(" (ours)")
    assert hasattr(grpo, "learn") and method_of("critique", "grpo-wer").by == "grpo"
