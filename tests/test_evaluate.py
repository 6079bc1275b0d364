"""A policy to numbers, on a stack of tiny random parts and four studio recordings: each number means what it says."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from tiny import CODES, ROOT, tiny_config, tiny_lm, tiny_stack
from tiny import recorded as said

from sebridge_lite.core.errors import UserError
from sebridge_lite.lm import sampling
from sebridge_lite.lm.lm import TextSpeechLM, collate, token_logprobs
from sebridge_lite.lm.sampling import SamplerConfig
from sebridge_lite.measure.entropy import prosodic_entropy, rarefied
from sebridge_lite.measure.evaluate import RATES, chances, evaluate, floors, rate, surprisal
from sebridge_lite.measure.scoring import load_references, silence_codes
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.stack import Stack
from sebridge_lite.studio.voices import people

SAMPLER = SamplerConfig(temperature=1, top_p=0.9, window=0, tau=0.1, min_ratio=1, max_ratio=2, seed=0)
LM = tiny_config(CharVocab().size)


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def stack():
    return tiny_stack(["th"], steps=2)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Four utterances of two people, and the folder they lie in."""
    folder = tmp_path_factory.mktemp("recorded")
    return said(folder, "th", "test", people("unseen", 2), 4), folder


@pytest.fixture
def model():
    return tiny_lm(LM, spread=0.2)


@pytest.fixture
def blank():
    """A policy that finds all tokens equally likely, whatever came before."""
    model = TextSpeechLM(LM).eval()
    torch.nn.init.zeros_(model.llm_decoder.weight)
    return model


def always(model, token):
    with torch.no_grad():
        model.llm_decoder.bias[token] = 100
    return model


def run(model, stack, recorded, sampler=SAMPLER, silence=(), seed=0, **kwargs):
    return evaluate(
        model, stack, load_references(stack, *recorded, "th"), sampler, silence=silence, seed=seed, **kwargs
    )


def hearing(stack, function):
    """The stack with another ear: `function(number of sounds)` -> words."""

    class Told(Stack):
        def hear(self, sounds, lang):
            heard = iter(function(sum(len(sound) > 0 for sound in sounds)))
            return [next(heard) if len(sound) else [] for sound in sounds]

    return Told(**vars(stack))


def same(a, b):
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), rtol=1e-3, atol=1e-3)


# What goes in


def test_the_selecting_judge_never_scores(model, stack, recorded):
    class Deaf(Stack):
        def read(self, codes, lang):
            raise AssertionError("the selecting judge was asked")

    def asked(*_):
        raise AssertionError("the selecting judge was asked")

    deaf = Deaf(**vars(stack))
    handle = stack.select_judge.net.register_forward_pre_hook(asked)
    try:
        with pytest.raises(AssertionError):  # the trap works
            stack.select_judge.net(torch.zeros(1, 4, dtype=torch.long), torch.tensor([4]))
        run(model, deaf, recorded, candidates=2)
        floors(deaf, load_references(deaf, *recorded, "th"), silence=(), seed=0)
    finally:
        handle.remove()


def test_a_seed_gives_the_same_scores_and_another_seed_others(model, stack, recorded):
    first, again, other = run(model, stack, recorded), run(model, stack, recorded), run(model, stack, recorded, seed=1)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.summary["wer"] == again.summary["wer"] and "diversity" not in first.summary
    assert not all(map(torch.equal, first.codes, other.codes))


def test_a_part_of_the_test_set_scores_as_it_does_within_the_whole(model, stack, recorded):
    test, folder = recorded
    whole = run(model, stack, recorded, candidates=2)
    part = run(model, stack, (test[2:0:-1], folder), candidates=2)
    rows = [4, 5, 2, 3]
    assert "diversity" in whole.summary
    assert all(torch.equal(part.codes[i], whole.codes[row]) for i, row in enumerate(rows))
    same(part.table, whole.table.iloc[rows])


def test_the_voice_is_the_recordings_own(model, stack, recorded):
    used = []

    class Noted(Stack):
        def speak(self, codes, timbres, seeds):
            used.append(timbres)
            return super().speak(codes, timbres, seeds)

    run(model, Noted(**vars(stack)), recorded, candidates=2)
    assert torch.allclose(used[0], stack.timbres(stack.load(*recorded)).repeat_interleave(2, 0))


def test_bad_input_is_one_clear_line(model, stack, recorded):
    test, folder = recorded
    with pytest.raises(UserError, match="language 'lo'"):
        evaluate(model, stack, load_references(stack, test, folder, "lo"), SAMPLER, silence=(), seed=0)
    with pytest.raises(UserError, match=rf"{test[1].id}.*not segmented"):
        run(model, stack, ([test[0], replace(test[1], words=())], folder))
    with pytest.raises(UserError, match="no utterances"):
        run(model, stack, ([], folder))
    with pytest.raises(UserError, match="27"):
        run(TextSpeechLM(replace(LM, speech_vocab=9)), stack, recorded)


# What was heard


def test_word_and_character_errors_by_hand(model, stack, recorded):
    """All right; the last word lost; a word put before; nothing heard."""
    words = [list(utterance.words) for utterance in recorded[0]]
    heard = [words[0], words[1][:-1], ["ไป", *words[2]], []]
    found = run(model, hearing(stack, lambda n: heard), recorded, floor=0.1)
    table, total = found.table, sum(map(len, words))
    assert table["words_wrong"].tolist() == [0, 1, 1, len(words[3])]
    assert table["words"].tolist() == [len(row) for row in words]
    assert table["characters_wrong"].tolist() == [0, len(words[1][-1]), 2, len("".join(words[3]))]
    wrong = 2 + len(words[3])
    assert found.summary["wer"].mean == pytest.approx(wrong / total)
    assert found.summary["wer_cal"].mean == pytest.approx((wrong / total - 0.1) / 0.9)
    assert found.summary["wer_cal"].low == pytest.approx((found.summary["wer"].low - 0.1) / 0.9)
    assert found.summary["wer"].low <= found.summary["wer"].mean <= found.summary["wer"].high
    assert table["heard"][2] == " ".join(heard[2])


def test_a_word_with_another_tone_is_a_tone_error_and_one_with_other_segments_is_not(model, stack, recorded):
    lexicon = stack.languages["th"].lexicon
    single = [word for word in lexicon.values() if len(word.syllables) == 1]
    pairs = itertools.permutations(single, 2)
    a, b = next(
        (a, b)
        for a, b in pairs
        if a.syllables[0].ipa == b.syllables[0].ipa and a.syllables[0].tone != b.syllables[0].tone
    )
    c = next(word for word in single if word.syllables[0].ipa != a.syllables[0].ipa)
    test, folder = recorded
    said = [replace(utterance, words=(a.text, c.text)) for utterance in test[:3]]
    heard = [[a.text, c.text], [b.text, c.text], [c.text, c.text]]
    found = run(model, hearing(stack, lambda n: heard), (said, folder))
    assert found.table["tones_wrong"].tolist() == [0, 1, 0]
    assert found.table["tones"].tolist() == [2, 2, 1]
    assert found.summary["tone_error"].mean == pytest.approx(1 / 5)


def test_recordings_agree_with_themselves(stack, recorded):
    found = floors(stack, load_references(stack, *recorded, "th"), silence=(), seed=0)
    own, again = found["recorded"], found["resynthesised"]
    for name, value in (("f0_corr", 1), ("f0_rmse", 0), ("sim", 1), ("length_ratio", 1)):
        assert own.summary[name].mean == pytest.approx(value, abs=1e-5)
    assert np.allclose(own.table["seconds"], [utterance.seconds for utterance in recorded[0]])
    assert (own.table["rate"] > 2).all()
    assert (own.counts == again.counts).all() and own.summary["hp"] == again.summary["hp"]
    assert again.summary["f0_corr"].mean < 1 and "h_cond" not in own.summary


# What was generated


@pytest.mark.parametrize(("bounds", "choices"), [((2, 2), CODES), ((0, 2), CODES + 3)])
def test_conditional_entropy_of_a_uniform_policy_is_the_log_of_its_choices(blank, stack, recorded, bounds, choices):
    """Before the least length the three stops are barred; after it they are three choices more."""
    sampler = replace(SAMPLER, top_p=1, min_ratio=bounds[0], max_ratio=bounds[1])
    found = run(blank, stack, recorded, sampler)
    assert found.summary["h_cond"].mean == pytest.approx(np.log2(choices), abs=1e-4)


def test_a_greedy_policy_has_no_entropy_and_no_diversity(model, stack, recorded):
    found = run(model, stack, recorded, replace(SAMPLER, temperature=0), candidates=3)
    assert found.summary["h_cond"].mean == pytest.approx(0, abs=1e-4)
    assert found.summary["diversity"].mean == 0


def test_one_token_for_ever_is_all_repetition_unless_it_is_silence(blank, stack, recorded):
    stuck = always(blank, 5)
    speech, silence = (run(stuck, stack, recorded, replace(SAMPLER, min_ratio=2), silence=s) for s in ((), (5,)))
    assert speech.summary["rep"].mean == speech.summary["rep_speech"].mean == silence.summary["rep"].mean == 1
    assert np.isnan(silence.summary["rep_speech"].mean)
    assert speech.summary["hp_raw"].mean == pytest.approx(0)
    assert set(np.concatenate(speech.codes)) == {5}


def test_a_policy_that_says_nothing_has_every_word_wrong_and_no_prosody(blank, stack, recorded):
    found = run(always(blank, CODES), stack, recorded, replace(SAMPLER, min_ratio=0), candidates=2)
    assert found.table["seconds"].tolist() == [0] * 8
    assert found.summary["wer"].mean == found.summary["cer"].mean == 1
    assert found.summary["length_ratio"].mean == 0
    for name in ("f0_std", "f0_corr", "energy_std", "sim", "hp", "hp_raw", "hp_equal", "h_cond", "rep", "tone_error"):
        assert np.isnan(found.summary[name].mean), name


def test_counts_and_entropies_are_of_the_tokens_generated(model, stack, recorded):
    found = run(model, stack, recorded, candidates=2)
    assert (found.counts == [np.bincount(row, minlength=CODES) for row in found.codes]).all()
    pool, size = found.counts.sum(0), sum(len(row) for row in stack.tokens(stack.load(*recorded))) // 2
    assert found.summary["hp_raw"].mean == pytest.approx(prosodic_entropy(pool))
    assert found.summary["hp_equal"].mean == pytest.approx(rarefied(pool, size))
    assert found.summary["hp"].mean > found.summary["hp_raw"].mean
    recordings = [(int(utterance.seconds * 50 + 1e-6) + 1) // 2 for utterance in recorded[0] for _ in range(2)]
    assert found.table["length_ratio"].tolist() == [len(c) / n for c, n in zip(found.codes, recordings, strict=True)]


def test_rates_of_several_training_seeds_are_pooled(model, stack, recorded):
    words = [list(utterance.words) for utterance in recorded[0]]
    ears = [lambda n: words, lambda n: [row[1:] for row in words]]
    tables = [run(model, hearing(stack, ear), recorded, seed=seed).table for seed, ear in enumerate(ears)]
    for name, (top, bottom) in RATES.items():
        both = rate(tables, name)
        wrong, out_of = (sum(table[column].sum() for table in tables) for column in (top, bottom or top))
        if bottom:
            assert both.mean == pytest.approx(wrong / out_of)
        assert (both.n, both.seeds) == (4, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.6, "top_p": 0.7},
        {"top_p": 1.0},
        {"window": 6, "tau": 0.3},
        {"window": 4, "tau": 0.25, "top_p": 1.0, "temperature": 1.5},
        {"window": 4, "tau": 0.0},
    ],
    ids=str,
)
def test_chances_are_those_the_sampler_draws_with(change):
    """Against 40,000 of its draws; the window before holds one token twice and one once."""
    sampler, width, draws = replace(SAMPLER, **change), 8, 40_000
    logits = torch.tensor([1.5, 1.0, 0.4, 0.0, -0.3, -1.0, 0.2, 0.1])
    recent = torch.tensor([0, 1, 0, 4, 3, 2])[: sampler.window]
    found = chances((logits[None] / sampler.temperature).softmax(1), recent[None], sampler)[0]
    cells = torch.zeros(1, draws)
    keys = sampling._keys(3, [0], draws)
    rows = sampling._Rows(cells.long(), cells + sampler.temperature, cells.long(), cells.long(), keys, cells > -1)
    drawn = sampling.choose(logits.expand(1, draws, -1), rows, sampler, recent.expand(1, draws, -1), 0, width)
    counts, expected = torch.bincount(drawn[0], minlength=width).numpy(), found.double().numpy() * draws
    assert expected.sum() == pytest.approx(draws, rel=1e-5)
    half = chances(torch.tensor([[0.5, 0.25, 0.25]]), recent[None], replace(SAMPLER, top_p=0.5))
    assert half.tolist() == [[1, 0, 0]]  # a half is all of 0.5
    possible = expected > 0.5
    assert not counts[~possible].any()
    expected = expected[possible] * draws / expected[possible].sum()
    assert stats.chisquare(counts[possible], expected).pvalue > 1e-3


def test_surprisal_is_the_models_own_log_probability_when_nothing_is_cut_off(model):
    texts = [CharVocab().encode(text) for text in ("ไปไหน", "มา")]
    prefixes = [torch.tensor([1, 2]), torch.tensor([], dtype=torch.long)]
    codes = [torch.tensor([3, 4, 4, 9]), torch.tensor([26])]
    free = replace(SAMPLER, top_p=1, min_ratio=0)
    batch = collate(list(zip(texts, prefixes, codes, strict=True)))
    expected = [
        -row[: len(code)].sum().item() / np.log(2)
        for row, code in zip(token_logprobs(model, batch), codes, strict=True)
    ]
    assert surprisal(model, texts, prefixes, codes, free) == pytest.approx(expected, rel=1e-4)


def test_surprisal_looks_back_over_the_right_tokens(blank):
    """A uniform policy that must not say again what stands among the last two: a repeat can only be a second draw.

    V = 27 equal choices, 0 after 0: drawn first with 1/27 and then given up, so it never comes: taken as plain 1/27. Any
    other after 0: 1/27, and 1/26 of the 1/27 that 0 gives up: together 1/26.
    """
    sampler = replace(SAMPLER, top_p=1, min_ratio=9, window=1, tau=1.0)
    text, prefix = CharVocab().encode("มา"), torch.tensor([0, 0])
    found = surprisal(blank, [text] * 2, [prefix] * 2, [torch.tensor([0, 1]), torch.tensor([1, 0, 0])], sampler)
    first, other = np.log2(27), np.log2(26)
    assert found == pytest.approx([first + other, first + other + first], abs=1e-4)


# Helpers


def test_silence_codes_are_those_used_mostly_where_it_is_silent(stack):
    """Noise, half a second of it 60 dB down, noise. Code 2 stands as often in sound as in silence, code 4 half in each."""
    generator = torch.Generator().manual_seed(0)
    sound = torch.randn(40_000, generator=generator) * 0.1
    sound[16_000:24_320] *= 1e-3
    codes = torch.tensor([1] * 20 + [2] * 5 + [2] * 5 + [3] * 8 + [1] * 25)
    codes[26:30], codes[37] = torch.tensor([2, 2, 2, 3]), 4

    class Told(Stack):
        def tokens(self, sounds):
            return [codes for _ in sounds]

    assert silence_codes(Told(**vars(stack)), [sound] * 2) == [3]
