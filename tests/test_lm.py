"""The text-speech LM: what is scored, what is never read, and CosyVoice2's layout."""

import dataclasses

import pytest
import torch
from tiny import tiny_lm

from sebridge_lite.core.errors import UserError
from sebridge_lite.lm.lm import (
    LMConfig,
    TextSpeechLM,
    collate,
    loss,
    noisy,
    sequence_logprobs,
    token_logprobs,
)
from sebridge_lite.lm.lora import adapted, lora_config, merge_lora
from sebridge_lite.stack.characters import MAX_TEXT, CharVocab

CONFIG = LMConfig(30, 20, 16, 2, 4, 2, 24, max_positions=64, rope_theta=1e4, pace=0)
PACE = 2.5
SIZES = [(5, 0, 7), (3, 4, 2), (9, 2, 11), (1, 1, 1)]  # text, prefix, speech
NEAR = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(params=[0, PACE], ids=["counted on", "one clock"])
def model(request):
    return tiny_lm(dataclasses.replace(CONFIG, pace=request.param), spread=0.3)


@pytest.fixture
def examples():
    torch.manual_seed(2)
    vocabs = (CONFIG.text_vocab, CONFIG.speech_vocab, CONFIG.speech_vocab)
    return [tuple(torch.randint(0, v, (n,)) for v, n in zip(vocabs, sizes, strict=True)) for sizes in SIZES]


def by_hand(model, text, prefix, speech):
    """Eq. 1 for one row without batch, padding or masks."""
    head, table = model.llm_embedding.weight, model.speech_embedding
    inputs = torch.cat([head[[0]], model.llm.embed_tokens(text), head[[1]], table(prefix), table(speech)])
    at = None
    if pace := model.config.pace:  # [task] or the last of the prefix stands beside the first character, at 1
        late = range(-len(prefix), len(speech) + 1)
        at = torch.tensor([[*range(len(text) + 1), *(1 + step / pace for step in late)]])
    ones = torch.ones(1, len(inputs))
    states = model.llm(inputs_embeds=inputs[None], position_ids=at, attention_mask=ones).last_hidden_state[0]
    logits = model.llm_decoder(states[-len(speech) - 1 :])
    return logits.log_softmax(1)[range(len(speech) + 1), [*speech.tolist(), model.eos]]


def test_scores_are_those_of_each_row_by_itself(model, examples):
    found = token_logprobs(model, collate(examples))
    for row, example in zip(found, examples, strict=True):
        expected = by_hand(model, *example)
        torch.testing.assert_close(row[: len(expected)], expected, **NEAR)
        assert not row[len(expected) :].any()
    torch.testing.assert_close(sequence_logprobs(model, collate(examples)), found.sum(1), **NEAR)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers, about the name of checkpointing
@pytest.mark.parametrize("checkpointing", (False, True))
def test_rows_that_share_a_prompt_score_and_learn_as_by_themselves(model, examples, checkpointing):
    if checkpointing:
        model.llm.gradient_checkpointing_enable({"use_reentrant": False})
    rows = [
        *examples,
        *((text, prefix, speech.flip(0)[:5]) for text, prefix, speech in reversed(examples)),
        examples[1],
    ]
    shared = collate(rows, shared=True)
    assert shared.prompt.tolist() == [0, 1, 2, 3, 3, 2, 1, 0, 1]
    for ids, lengths in ((shared.text, shared.text_lengths), (shared.speech, shared.speech_lengths)):
        ids.masked_fill_(torch.arange(ids.shape[1]) >= lengths[:, None], -999)  # padding is never read
    found, wanted = (token_logprobs(model.train(), batch) for batch in (shared, collate(rows)))
    torch.testing.assert_close(found, wanted, **NEAR)
    some = [6, 3, 4, 1]
    torch.testing.assert_close(token_logprobs(model, shared.share(some)), wanted[some], **NEAR)
    parameters = list(model.parameters())
    grads, others = (torch.autograd.grad(scores.square().sum(), parameters) for scores in (found, wanted))
    for grad, other in zip(grads, others, strict=True):
        torch.testing.assert_close(grad, other, rtol=1e-4, atol=1e-4)


def test_a_prompt_is_run_once_for_all_its_rows(model, examples, monkeypatch):
    seen = []
    table = model.llm.embed_tokens.forward
    monkeypatch.setattr(model.llm.embed_tokens, "forward", lambda ids: seen.append(len(ids)) or table(ids))
    model(collate([examples[0]] * 3 + [examples[1]], shared=True))
    assert seen == [len(examples[0][0]) + len(examples[1][0])]


def test_padding_is_never_read(model, examples):
    batch = collate(examples)
    changed = {}
    for part in ("text", "prefix", "speech"):
        ids, lengths = getattr(batch, part), getattr(batch, part + "_lengths")
        wide = torch.full((len(ids), ids.shape[1] + 3), -999)  # not even a token
        for row, length in enumerate(lengths.tolist()):
            wide[row, :length] = ids[row, :length]
        changed[part] = wide
    other = token_logprobs(model, dataclasses.replace(batch, **changed))
    assert torch.equal(other[:, : batch.speech.shape[1] + 1], token_logprobs(model, batch))


def test_every_speech_token_moves_its_own_score_and_none_before_it(model, examples):
    text, prefix, speech = examples[2]
    base = token_logprobs(model, collate([examples[2]]))[0]
    for place in range(len(speech)):
        other = speech.clone()
        other[place] = (other[place] + 1) % CONFIG.speech_vocab
        moved = (token_logprobs(model, collate([(text, prefix, other)]))[0] - base).abs() > 1e-4
        assert moved[place]
        assert not moved[:place].any()


def test_loss_is_the_mean_over_scored_tokens_of_all_rows(model, examples):
    batch = collate(examples)
    value, weight, _ = loss(model, batch)
    assert weight == len(model.targets(batch)) == sum(size[2] + 1 for size in SIZES)
    torch.testing.assert_close(value, -token_logprobs(model, batch).sum() / weight)


def test_weights_have_the_names_and_shapes_of_cosyvoice2(model):
    shapes = {name: tuple(weights.shape) for name, weights in model.state_dict().items()}
    rest = {name: shape for name, shape in shapes.items() if not name.startswith("llm.")}
    assert rest == {
        "llm_embedding.weight": (2, 16),
        "speech_embedding.weight": (23, 16),
        "llm_decoder.weight": (23, 16),
        "llm_decoder.bias": (23,),
    }
    # 290 tensors in its 24 layers: 12 a layer, the text embedding and the last norm.
    assert len(shapes) - len(rest) == 12 * CONFIG.layers + 2


def test_a_new_adapter_changes_nothing_and_trains_alone(model, examples):
    before = token_logprobs(model, collate(examples))
    adapted(model, 2)
    torch.testing.assert_close(token_logprobs(model, collate(examples)), before)
    assert all("lora_" in name for name, weights in model.named_parameters() if weights.requires_grad)
    assert lora_config(model, 3).lora_alpha == 6  # twice the rank


def test_a_merged_adapter_says_the_same_with_the_old_weight_names(model, examples):
    names = set(model.state_dict())
    before = token_logprobs(model, collate(examples))
    adapted(model, 2)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.3)
    changed = token_logprobs(model, collate(examples))
    assert (changed - before).abs().max() > 1e-2
    merge_lora(model)
    torch.testing.assert_close(token_logprobs(model, collate(examples)), changed, **NEAR)
    assert set(model.state_dict()) == names
    assert all(weights.requires_grad for weights in model.parameters())


def test_ids_of_letters_do_not_move():
    vocab = CharVocab()
    # Pinned: trained weights depend on them.
    assert (vocab.size, vocab.encode(" 0ก๛ກ").tolist()) == (197, [0, 1, 11, 101, 102])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("กขx", "character 3 is 'x' (U+0078)"),
        ("ก" * 10_000, f"10,000 characters, at most {MAX_TEXT:,}"),
    ],
)
def test_bad_text_is_one_line(text, message):
    with pytest.raises(UserError) as error:
        CharVocab().encode(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "tokens", "message"),
    [
        (0, [], "text of row 1: empty"),
        (0, [30], "text of row 1, place 0: token 30 is outside 0..29"),
        (1, [3, 20], "style prefix of row 1, place 1: token 20 is outside 0..19"),
        (2, [-1], "speech of row 1, place 0: token -1"),
        (2, [0] * 70, "row 1: 77 tokens"),
    ],
)
def test_bad_rows_are_one_line(model, examples, part, tokens, message):
    bad = list(examples[1])
    bad[part] = torch.tensor(tokens, dtype=torch.long)
    if part == 2:
        bad[1] = bad[1][:2]
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        loss(model, collate([examples[0], tuple(bad)]))


def test_a_row_may_fill_all_positions_and_noise_swaps_its_share_of_what_is_read(model, examples, monkeypatch):
    text, prefix, speech = *examples[1][:2], torch.zeros(64 - 2 - 3 - 4, dtype=torch.long)
    batch, heard = collate([(text, prefix, speech)]), []
    assert loss(model, batch)[1] == 56
    with pytest.raises(UserError, match="65 tokens"):
        loss(model, collate([(text, prefix, torch.cat([speech, speech[:1]]))]))
    monkeypatch.setattr(
        TextSpeechLM, "forward", lambda self, read: heard.append(read.speech) or (torch.zeros(56, 23), None)
    )
    for noise in (0.0, 0.5, 1.0):
        loss(model, noisy(batch, noise, 20))
    assert [0.2 < (read != 0).float().mean() < 0.8 for read in heard] == [False, True, False]
    assert not heard[0].any() and heard[2].float().mean() > 5


def test_sizes_that_do_not_divide_are_one_line(model):
    with pytest.raises(UserError, match="even multiple of heads"):
        TextSpeechLM(dataclasses.replace(CONFIG, heads=3, kv_heads=3))
