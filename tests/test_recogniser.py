"""The judges and the way from their output to words, on made-up input."""

import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.recogniser import (
    BiGRU,
    SoundJudge,
    SoundJudgeConfig,
    TokenJudge,
    TokenJudgeConfig,
)
from sebridge_lite.stack.wordgraph import WordGraph
from sebridge_lite.studio.teach.examine_parts import greedy
from sebridge_lite.studio.teach.losses import Batch, judge_loss, spoilt

TOKENS = TokenJudgeConfig(codes=30, symbols=5, embedding=16, hidden=16, dropout=0.0, noise=0.0)
SOUND = SoundJudgeConfig(symbols=5, width=16, blocks=2, hidden=8, dropout=0.0, time_mask=0, band_mask=0)


def judge(config) -> torch.nn.Module:
    torch.manual_seed(0)
    return (TokenJudge if isinstance(config, TokenJudgeConfig) else SoundJudge)(config).eval()


def inputs(config, *lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    size = (len(lengths), max(lengths))
    if config is TOKENS:
        return torch.randint(TOKENS.codes, size, generator=generator), torch.tensor(lengths)
    return torch.randn(*size, 80, generator=generator), torch.tensor(lengths)


def log_probs(*best: int, symbols: int = 3, sure: float = 0.9) -> torch.Tensor:
    """One utterance in which each frame prefers one symbol. (1, T, 1 + symbols)"""
    rest = (1 - sure) / symbols
    table = torch.full((1, len(best), 1 + symbols), rest)
    table[0, torch.arange(len(best)), torch.tensor(best)] = sure
    return table.log()


@pytest.mark.parametrize("config", [TOKENS, SOUND], ids=["tokens", "sound"])
def test_padding_never_changes_what_a_judge_hears(config):
    x, lengths = inputs(config, 40, 25, 12)
    model = judge(config)
    together, frames = model(x, lengths)
    for row, size in enumerate(lengths.tolist()):
        alone, own = model(x[row : row + 1, :size], lengths[row : row + 1])
        assert frames[row] == own[0] == alone.shape[1]
        assert torch.allclose(together[row, : own[0]], alone[0], atol=1e-5)


def test_a_recurrent_layer_learns_from_what_it_gives_when_it_only_listens():
    torch.manual_seed(0)
    layer, lengths = BiGRU(6, 5, 2, dropout=0.0), torch.tensor([9, 4, 0, 1, 7])
    x, weights = torch.randn(5, 9, 6), torch.randn(5, 9, 10)
    learnt, rows = (x.clone().requires_grad_() for _ in range(2))
    packed = pack_padded_sequence(rows, lengths.clamp(min=1), batch_first=True, enforce_sorted=False)
    whole = pad_packed_sequence(layer.gru(packed)[0], batch_first=True, total_length=9)[0]
    with torch.no_grad():
        assert torch.equal(layer(x, lengths), whole)
    torch.testing.assert_close(layer(learnt, lengths), whole, atol=1e-6, rtol=0)
    found, wanted = (
        torch.autograd.grad((said * weights).sum(), [place, *layer.parameters()])
        for said, place in ((layer(learnt, lengths), learnt), (whole, rows))
    )
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_recurrent_layers_drop_between_them_while_they_learn_alone():
    torch.manual_seed(0)
    layers, x, lengths = BiGRU(6, 5, 2, dropout=0.5), torch.randn(2, 9, 6), torch.tensor([9, 4])
    assert not torch.equal(layers(x, lengths), layers(x, lengths))
    assert torch.equal(layers.eval()(x, lengths), layers(x, lengths))


@pytest.mark.parametrize("config", [TOKENS, SOUND], ids=["tokens", "sound"])
def test_a_judge_learns_two_utterances_by_heart(config):
    x, lengths = inputs(config, 24, 16)
    batch = Batch(
        x, lengths=lengths, units=torch.tensor([[1, 2, 2, 5], [3, 4, 0, 0]]), unit_lengths=torch.tensor([4, 2])
    )
    model = judge(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(200):
        loss, weight, _ = judge_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert weight == 2
    assert greedy(*model.eval()(x, lengths)) == [[1, 2, 2, 5], [3, 4]]


def test_units_too_many_for_their_sound_are_counted_and_not_infinite():
    x, lengths = inputs(TOKENS, 2)
    units = torch.tensor([[1, 2, 3, 4, 5, 1, 2]])
    loss, _, parts = judge_loss(judge(TOKENS), Batch(x, lengths=lengths, units=units, unit_lengths=torch.tensor([7])))
    assert loss == 0
    assert parts["too_short"] == 1


def test_tokens_out_of_the_vocabulary_are_named_and_padding_may_hold_anything():
    codes, lengths = inputs(TOKENS, 20, 10)
    codes[1, 10:] = 10_000
    judge(TOKENS)(codes, lengths)
    codes[1, 3] = 30
    with pytest.raises(UserError, match="from 0 to 29"):
        judge(TOKENS)(codes, lengths)


def test_token_noise_strikes_in_training_only():
    noisy = TokenJudgeConfig(**{**TOKENS.__dict__, "noise": 0.5})
    codes, lengths = inputs(TOKENS, 30)
    plain = judge(TOKENS)(codes, lengths)[0]
    assert torch.equal(judge(noisy)(codes, lengths)[0], plain)
    assert torch.equal(spoilt(judge(TOKENS), codes, lengths)[0], plain)
    assert not torch.equal(spoilt(judge(noisy), codes, lengths)[0], plain)


def test_greedy_merges_repeats_and_a_blank_keeps_them_apart():
    table = log_probs(0, 1, 1, 0, 1, 2, 2, 3, 0)
    assert greedy(table, torch.tensor([9])) == [[1, 1, 2, 3]]
    assert greedy(table, torch.tensor([6])) == [[1, 1, 2]]
    assert greedy(table, torch.tensor([0])) == [[]]


LEXICON = {"ab": [1, 2], "a": [1], "cc": [3, 3], "b": [2], "abc": [1, 2, 3]}


def score(table: torch.Tensor, words: Sequence[str], lexicon: dict, prior: float = 0.5) -> float:
    """Of a word sequence: the Viterbi CTC score of its units, and how frequent its words are. table: (T, V)"""
    total = sum(1 / rank for rank in range(1, len(lexicon) + 1))
    ranks = {word: rank for rank, word in enumerate(lexicon, start=1)}
    units = [unit for word in words for unit in lexicon[word]]
    return viterbi(table, units) - sum(prior * math.log(ranks[word] * total) for word in words)


def viterbi(table: torch.Tensor, units: list[int]) -> float:
    labels = [0] + [label for unit in units for label in (unit, 0)]
    scores = [0.0] + [-math.inf] * (len(labels) - 1)
    for t, row in enumerate(table.tolist()):
        ways = [[scores[s], scores[s - 1] if s else -math.inf] for s in range(len(labels))]
        for s in range(3, len(labels), 2):
            if labels[s] != labels[s - 2]:
                ways[s].append(scores[s - 2])
        scores = [max(way) + row[label] for way, label in zip(ways, labels, strict=True)]
        if t == 0:
            scores[2:] = [-math.inf] * (len(labels) - 2)
    return max(scores[-2:])


@pytest.mark.parametrize("seed", range(6))
def test_the_word_graph_finds_the_best_of_all_word_sequences(seed):
    """No lexicon word here ends with the unit another begins with, as in ours, where a tone always stands between."""
    lexicon = {"at": [1, 4], "abt": [1, 2, 4], "bbt": [2, 2, 4], "ct": [3, 4], "cat": [3, 1, 4]}
    table = (2 * torch.randn(1, 9, 5, generator=torch.Generator().manual_seed(seed))).log_softmax(-1)
    words = WordGraph(lexicon, prior=0.5).decode(table, torch.tensor([9]))[0]
    every = (some for count in range(1, 5) for some in itertools.product(lexicon, repeat=count))
    best = max(score(table[0], some, lexicon) for some in every)
    assert score(table[0], words, lexicon) == pytest.approx(best, abs=0.02)


def test_the_word_graph_decodes_rows_of_different_length_as_it_does_each_alone():
    generator = torch.Generator().manual_seed(5)
    table = (3 * torch.randn(4, 40, 4, generator=generator)).log_softmax(-1)
    frames = torch.tensor([40, 25, 9, 2])
    graph = WordGraph(LEXICON, prior=0.5)
    together = graph.decode(table, frames)
    assert together == [graph.decode(table[i : i + 1, :n], frames[i : i + 1])[0] for i, n in enumerate(frames.tolist())]


def test_long_runs_of_blanks_change_nothing():
    graph, blanks = WordGraph(LEXICON, prior=0.5), [0] * 40
    table = log_probs(*blanks, 1, *blanks, 2, 3, *blanks, 3, *blanks, 3, *blanks, sure=0.999)
    assert graph.decode(table, torch.tensor([table.shape[1]])) == [["abc", "cc"]]


def test_words_that_sound_alike_are_written_as_the_more_frequent():
    graph = WordGraph({"often": [1, 2], "seldom": [1, 2]}, prior=0.5)
    assert graph.decode(log_probs(1, 2), torch.tensor([2])) == [["often"]]
