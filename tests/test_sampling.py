"""Sampling: the right distribution, the model's own numbers, and rows that do not notice each other."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from tiny import tiny_lm

from sebridge_lite.core.errors import UserError
from sebridge_lite.lm import sampling
from sebridge_lite.lm.lm import LMConfig
from sebridge_lite.lm.lora import adapted
from sebridge_lite.lm.sampling import SamplerConfig, draw, generate, inverse_cdf, redraw, uniform

CONFIG = LMConfig(30, 40, 16, 2, 4, 2, 24, max_positions=400, rope_theta=1e4, pace=0)
PLAIN = SamplerConfig(temperature=1, top_p=0.9, window=0, tau=0.1, min_ratio=0, max_ratio=4, seed=0)
GREEDY = dataclasses.replace(PLAIN, temperature=0)


@pytest.fixture(params=[0, 2.5], ids=["counted on", "one clock"])
def model(request):
    return tiny_lm(dataclasses.replace(CONFIG, pace=request.param), spread=0.3)


def prompts(count, seed=0, prefix=3):
    """Texts of 1 to 9 characters, every second one with a style prefix."""
    g = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 10, (count,), generator=g).tolist()
    texts = [torch.randint(0, CONFIG.text_vocab, (n,), generator=g) for n in sizes]
    return texts, [torch.randint(0, CONFIG.speech_vocab, (prefix * (i % 2),), generator=g) for i in range(count)]


def next_logits(model, text, prefix, speech):
    """Of the token after `speech`, by Qwen2Model's whole forward and no cache."""
    head, table = model.llm_embedding.weight, model.speech_embedding
    inputs = torch.cat([head[[0]], model.llm.embed_tokens(text), head[[1]], table(prefix), table(speech)])
    at = None
    if pace := model.config.pace:
        late = range(-len(prefix), len(speech) + 1)
        at = torch.tensor([[*range(len(text) + 1), *(1 + place / pace for place in late)]])
    ones = torch.ones(1, len(inputs))
    return model.llm_decoder(
        model.llm(inputs_embeds=inputs[None], position_ids=at, attention_mask=ones).last_hidden_state[0, -1]
    )


def nucleus(probs, top_p):
    """The exact distribution, by a sort: tokens with less than top_p above them."""
    values, order = torch.as_tensor(probs, dtype=torch.double).sort(descending=True)
    kept = values.cumsum(0) - values < top_p
    return torch.zeros_like(values).scatter(0, order, values * kept / values[kept].sum()).numpy()


def same(found, expected):
    return all(torch.equal(a, b) for x, y in zip(found, expected, strict=True) for a, b in zip(x, y, strict=True))


def fits(tokens, expected):
    """Chi-square against the exact distribution; nothing outside its support. Seeds are fixed, so no luck is involved."""
    counts = np.bincount(tokens.numpy(), minlength=len(expected))
    assert not counts[expected == 0].any()
    big = expected * len(tokens) >= 5
    counts, expected = [np.append(x[big], x[~big].sum()) for x in (counts, expected * len(tokens))]
    if expected[-1] < 5:  # too few for a cell of its own
        counts, expected = [np.append(x[:-2], x[-2:].sum()) for x in (counts, expected)]
    assert len(expected) == 1 or stats.chisquare(counts, expected).pvalue > 1e-3


def test_streams_are_uniform_and_independent_of_each_other():
    keys = sampling._keys(0, range(200), 12).flatten()
    numbers = torch.stack([uniform(keys, counter) for counter in range(100)]).double()
    assert numbers.min() > 0 and numbers.max() < 1  # no stream begins at the fixed point of the hash
    assert stats.kstest(numbers.flatten().numpy(), "uniform").pvalue > 1e-3
    for a, b in [(numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1]), (numbers[:, 12:], numbers[:, :-12])]:
        correlation = np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1]
        assert abs(correlation) < 4 / a.numel() ** 0.5


@pytest.mark.parametrize("spread", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("top_p", [1, 0.9, 0.5, 0.05])
def test_draws_follow_the_exact_nucleus(spread, top_p):
    probs = (spread * torch.randn(60, generator=torch.Generator().manual_seed(3))).softmax(0)
    keys = sampling._keys(1, range(20_000), 1)[:, 0]
    fits(draw(probs.expand(len(keys), -1), top_p, keys, step=5), nucleus(probs, top_p))
    assert not draw(torch.tensor([[0.5, 0.5 - 2**-9, 2**-9]] * 99), 0.5, keys[:99], 5).any()  # a half is all of 0.5


def test_generated_tokens_follow_the_model(model):
    """Two steps, end to end: 6,000 first tokens, and the second tokens after the most frequent first one."""
    (text,), (prefix,) = prompts(1)
    rows = torch.stack(generate(model, [text], [prefix], PLAIN, 6_000, lengths=(2, 2))[0])
    bar = torch.where(torch.arange(CONFIG.speech_vocab + 3) < CONFIG.speech_vocab, 0, -torch.inf)
    with torch.no_grad():
        fits(rows[:, 0], nucleus((next_logits(model, text, prefix, text[:0]) + bar).softmax(0), 0.9))
        first = rows[:, 0].mode().values
        second = next_logits(model, text, prefix, first[None]) + bar
        fits(rows[rows[:, 0] == first, 1], nucleus(second.softmax(0), 0.9))


@pytest.mark.parametrize("lora", [False, True])
def test_cached_steps_equal_the_whole_forward(model, lora):
    """Prompts of unlike lengths, and adapters not yet merged."""
    if lora:
        adapted(model, 2)
        with torch.no_grad():
            for name, weights in model.named_parameters():
                weights.add_(0.3 * ("lora_B" in name))
    (texts, prefixes), steps = prompts(5), 84
    speech = torch.randint(0, CONFIG.speech_vocab, (5, 2, steps))
    batch = sampling.collate([(t, p, t[:0]) for t, p in zip(texts, prefixes, strict=True)])
    with torch.inference_mode():
        state, memory = sampling._prefill(model, batch, 2, steps)
        logits = [model.llm_decoder(state)[:, None].expand(-1, 2, -1)]
        for step in range(steps):
            logits.append(model.llm_decoder(sampling.advance(model, speech[:, :, step], memory, step)))
        for i, j, step in [(0, 0, 0), (1, 1, 1), (2, 0, 40), (3, 1, steps - 1), (4, 0, steps)]:
            whole = next_logits(model, texts[i], prefixes[i], speech[i, j, :step])
            torch.testing.assert_close(logits[step][i, j], whole, rtol=0, atol=3e-5)


def test_greedy_is_the_likeliest_token_at_every_step(model):
    texts, prefixes = prompts(3)
    for text, prefix, (found,) in zip(
        texts, prefixes, generate(model, texts, prefixes, GREEDY, lengths=(6, 6)), strict=True
    ):
        speech = text[:0]
        with torch.no_grad():
            for _ in range(6):
                likeliest = next_logits(model, text, prefix, speech)[: CONFIG.speech_vocab].argmax()
                speech = torch.cat([speech, likeliest[None]])
        assert torch.equal(found, speech)


def test_a_row_gets_the_same_tokens_alone_and_among_64(model):
    """True up to float noise of other matrix shapes (1e-6), which moves a draw only within 1e-6 of an edge between tokens."""
    texts, prefixes = prompts(64)
    together = generate(model, texts, prefixes, PLAIN, candidates=2, row_seeds=range(100, 164))
    assert len({tuple(row.tolist()) for rows in together for row in rows}) > 100
    alone = [
        generate(model, texts[i : i + 1], prefixes[i : i + 1], PLAIN, 2, row_seeds=[100 + i])[0] for i in range(64)
    ]
    assert same(alone, together)


def test_order_candidates_and_batch_size_do_not_matter(model, monkeypatch):
    texts, prefixes = prompts(20)
    base = generate(model, texts, prefixes, PLAIN, candidates=5)
    assert same(generate(model, texts, prefixes, PLAIN, candidates=3), [rows[:3] for rows in base])
    back = generate(model, texts[::-1], prefixes[::-1], PLAIN, candidates=5, row_seeds=range(19, -1, -1))
    assert same(back[::-1], base)
    monkeypatch.setattr(sampling, "AT_ONCE", 15)
    assert same(generate(model, texts, prefixes, PLAIN, candidates=5), base)


def test_texts_shared_out_among_processes_get_the_tokens_they_get_together(model, monkeypatch):
    """A row's random numbers go by its text's place in the whole list, not by its place in a share."""

    def in_three_processes(work, items):
        results = [None] * len(items)
        for place in range(3):
            results[place::3] = work(items[place::3])
        return results

    texts, prefixes = prompts(20)
    how = {"temperature": torch.linspace(0.5, 1.5, 20)[:, None], "lengths": (torch.arange(20)[:, None], (30,))}
    whole = generate(model, texts, prefixes, PLAIN, 4, **how)
    monkeypatch.setattr(sampling, "shared_out", in_three_processes)
    assert same(generate(model, texts, prefixes, PLAIN, 4, **how), whole)


def test_packing_changes_nothing(model, monkeypatch):
    texts, prefixes = prompts(20)
    lengths = torch.randint(1, 30, (20, 6))
    packed = generate(model, texts, prefixes, PLAIN, 6, lengths=(0, lengths))
    monkeypatch.setattr(sampling, "SHRINK", -1)
    assert same(generate(model, texts, prefixes, PLAIN, 6, lengths=(0, lengths)), packed)


def test_each_candidate_has_its_own_temperature(model):
    texts, prefixes = prompts(6)
    mixed = generate(model, texts, prefixes, PLAIN, 3, temperature=torch.tensor([0, 0.7, 1.3]))
    for i, temperature in enumerate((0, 0.7, 1.3)):
        one = generate(model, texts, prefixes, dataclasses.replace(PLAIN, temperature=temperature), 3)
        assert same([rows[i : i + 1] for rows in mixed], [rows[i : i + 1] for rows in one])


def test_lengths_keep_to_their_bounds_and_speech_ends_at_eos(model):
    texts, prefixes = prompts(10)
    with torch.no_grad():
        model.llm_decoder.bias[model.eos] += 4
    least = torch.arange(10)[:, None]
    rows = generate(model, texts, prefixes, PLAIN, 20, lengths=(least, least + 5))
    sizes = torch.tensor([[len(row) for row in some] for some in rows])
    assert (sizes >= least).all() and (sizes <= least + 5).all()
    assert len({int(n) for n in (sizes - least).flatten()}) > 2
    assert all((row < CONFIG.speech_vocab).all() for some in rows for row in some)
    long = generate(model, texts[:1], [torch.zeros(396 - len(texts[0]), dtype=torch.long)], PLAIN, lengths=(9, 9))
    assert len(long[0][0]) == 2  # no more positions


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_eos_and_its_two_neighbours_all_end_a_row(model, stop):
    with torch.no_grad():
        model.llm_decoder.bias[model.eos + stop] += 1_000
    text = torch.tensor([1, 2, 3, 4])
    ratios = dataclasses.replace(PLAIN, min_ratio=1.5, max_ratio=3)
    assert [len(row) for row in generate(model, [text], [text[:0]], ratios, 4)[0]] == [6] * 4


def test_repetition_aware_sampling_redraws_from_all_other_tokens():
    probs = torch.tensor([0.0, 0.9, 0.06, 0.03, 0.01])
    keys = sampling._keys(2, range(20_000), 1)[:, 0]
    tokens, recent = torch.ones(len(keys), dtype=torch.long), torch.tensor([[3, 1, 3]]).expand(len(keys), -1)
    found = redraw(probs.expand(len(keys), -1), tokens, recent, dataclasses.replace(PLAIN, window=10), keys, 4)
    fits(found, np.array([0, 0, 0.6, 0.3, 0.1]))
    unmoved = redraw(
        probs.expand(len(keys), -1), tokens, recent, dataclasses.replace(PLAIN, window=10, tau=0.2), keys, 4
    )
    assert torch.equal(unmoved, tokens)
    only = torch.tensor([[0.0, 1.0, 0.0]])
    assert redraw(only, tokens[:1], recent[:1], dataclasses.replace(PLAIN, window=10), keys[:1], 4).tolist() == [1]


def test_inverse_cdf_never_picks_a_token_without_mass():
    weights = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]])
    edges = torch.tensor([0.0, 0.2999, 0.3001, 1 - 2**-24])
    assert [int(inverse_cdf(weights, u[None])) for u in edges] == [1, 1, 3, 3]


def test_broken_weights_name_the_text(model):
    texts = [torch.tensor([1, 2]), torch.tensor([3, 29, 4]), torch.tensor([5])]
    with torch.no_grad():
        model.llm.embed_tokens.weight[29] = torch.nan
    for sampler in (PLAIN, GREEDY):
        with pytest.raises(UserError, match="text 1, speech token 0: the LM answers NaN"):
            generate(model, texts, [texts[0][:0]] * 3, sampler, 2)


def test_bad_prompts_are_one_line(model):
    text = torch.tensor([1, 2])
    cases = [
        (text[:0], text, "text of row 1: empty"),
        (text, torch.tensor([40]), "style prefix of row 1, place 0: token 40 is outside 0..39"),
        (torch.ones(500, dtype=torch.long), text[:0], "502 tokens"),
    ]
    for bad, prefix, message in cases:
        with pytest.raises(UserError, match=message):
            generate(model, [text, bad], [text[:0], prefix], PLAIN)
