"""Released text-speech LMs: read strictly, the same numbers as transformers, written back byte for byte; adapters beside them."""

import dataclasses
import os
import pickle

import pytest
import torch
from fake_stack import CODES
from safetensors.torch import load_file, save_file
from tiny_hub import causal, cosyvoice, neutts
from transformers import Qwen2Config, Qwen2ForCausalLM

from sebridge_lite.core.errors import UserError
from sebridge_lite.lm import lora, released, sampling
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM, collate, loss, token_logprobs
from sebridge_lite.lm.lora import adapted, has_adapter, load_adapter, merge_lora, rank_of, save_policy
from sebridge_lite.lm.released import load_causal, load_cosyvoice, load_released, read_weights, save_causal
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.stack.neutts import Places

NEAR = {"rtol": 0, "atol": 1e-5}
PLAIN = SamplerConfig(temperature=1, top_p=0.9, window=0, tau=0.1, min_ratio=1, max_ratio=3, seed=0)
SIZES = [(5, 0, 17), (9, 4, 8), (3, 2, 30)]  # text, prefix, speech


def rows_of(codes=CODES):
    g = torch.Generator().manual_seed(0)
    return [tuple(torch.randint(0, most, (n,), generator=g) for n, most in zip(size, (25, codes, codes), strict=True))
            for size in SIZES]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Tiny models of each family, on disk, with the transformers model that each holds."""
    folder = tmp_path_factory.mktemp("released")
    found = {version: cosyvoice(folder / f"c{version}", version == 3) for version in (2, 3)}
    return found | {"neutts": (folder / "neutts", neutts(folder / "neutts"))}


@pytest.fixture(params=[2, 3, "neutts"])
def family(request):
    return request.param


def loaded(files, family):
    path, _ = files[family]
    return load_causal(str(path)) if family == "neutts" else load_cosyvoice(path)


def by_transformers(files, family, text, prefix, speech):
    """Logits of speech and its end, (S + 1, V), by transformers' whole forward of the released tables."""
    path, qwen = files[family]
    if family == "neutts":
        model, words = qwen, released.text_tokenizer(str(path))
        speak = [words.convert_tokens_to_ids(f"<|speech_{code}|>") for code in range(CODES)]
        ids = [*speak, words.convert_tokens_to_ids("<|SPEECH_GENERATION_END|>")]
        said = [speak[code] for code in (*prefix.tolist(), *speech.tolist())]
        frame = [words.encode(part) for part in (
            "user: Convert the text to speech:<|TEXT_PROMPT_START|>",
            "<|TEXT_PROMPT_END|>\nassistant:<|SPEECH_GENERATION_START|>")]  # fmt: skip
        row = torch.tensor([[*frame[0], *text.tolist(), *frame[1], *said]])
        return model(row).logits[0, -len(speech) - 1 :, ids]
    tables = read_weights(path)
    speak, mark = tables["speech_embedding.weight"], tables.get("llm_embedding.weight")
    sos, task = (mark[[0]], mark[[1]]) if family == 2 else (speak[[CODES]], speak[[CODES + 2]])
    parts = [sos, qwen.get_input_embeddings()(text), task, speak[prefix], speak[speech]]
    states = qwen.model(inputs_embeds=torch.cat(parts)[None]).last_hidden_state[0, -len(speech) - 1 :]
    return states @ tables["llm_decoder.weight"].T + tables.get("llm_decoder.bias", 0)


@torch.no_grad()
def test_logits_are_those_of_transformers_with_and_without_a_cache(files, family):
    model, rows = loaded(files, family), rows_of()
    logits, _ = model(collate(rows))
    expected = [by_transformers(files, family, *row) for row in rows]
    torch.testing.assert_close(logits, torch.cat(expected), **NEAR)
    for (text, prefix, speech), wanted in zip(rows, expected, strict=True):
        batch = collate([(text, prefix, text[:0])])
        state, memory = sampling._prefill(model, batch, 1, len(speech))
        cached = [model.llm_decoder(state)]
        cached += [model.llm_decoder(sampling.advance(model, t.view(1, 1), memory, n))[0] for n, t in enumerate(speech)]
        torch.testing.assert_close(torch.cat(cached), wanted, **NEAR)


def test_versions_are_told_by_their_shapes(files):
    second, third = loaded(files, 2), loaded(files, 3)
    assert (second.eos, second.config.extra, second.config.bias) == (CODES, 3, True)
    assert (third.eos, third.config.extra, third.config.bias) == (CODES + 1, 200, False)
    assert (third.config.before, third.config.after, third.llm_embedding) == ((CODES,), (CODES + 2,), None)


def test_every_row_after_the_codes_stops_speech(files, family):
    model, text = loaded(files, family), torch.arange(8)
    assert model.config.extra == {2: 3, 3: 200, "neutts": 1}[family]
    (row,) = generate(model, [text], [text[:0]], PLAIN, candidates=40)
    assert all(8 <= len(codes) <= 24 and int(codes.max()) < CODES for codes in row)


def test_what_is_written_back_is_the_same_byte_for_byte(files, family, tmp_path):
    path, _ = files[family]
    model, out = loaded(files, family), tmp_path / "out"
    if family == "neutts":
        save_causal(model, str(path), out)
        old, new = (load_file(folder / "model.safetensors") for folder in (path, out))
    else:
        released.save_cosyvoice(model, path, out)
        old, new = read_weights(path), read_weights(out)
    assert list(old) == list(new)
    assert all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(old.values(), new.values(), strict=True))


def test_trained_weights_come_back_from_the_released_format(files, family, tmp_path):
    path, _ = files[family]
    model, batch = loaded(files, family), collate(rows_of())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loss(model, batch)[0].backward()
    optimizer.step()
    if family == "neutts":
        save_causal(model, str(path), tmp_path / "out")
        again = load_causal(str(tmp_path / "out"))
    else:
        released.save_cosyvoice(model, path, path.with_name("trained.pt"))
        again = load_cosyvoice(path.with_name("trained.pt"))
    moved = (token_logprobs(model, batch) - token_logprobs(loaded(files, family), batch)).abs().max()
    assert moved > 1e-3
    torch.testing.assert_close(token_logprobs(again, batch), token_logprobs(model, batch))


class Harmful:
    def __reduce__(self):
        return os.system, ("false",)


def spoilt(path, **changes):
    """A copy of a released file with other tensors: None takes one away."""
    tensors = read_weights(path) | changes
    torch.save({name: tensor for name, tensor in tensors.items() if tensor is not None}, path.with_name("bad.pt"))
    return path.with_name("bad.pt")


@pytest.mark.parametrize("kept", ["llm.model.model.embed_tokens.weight", "speech_embedding.weight"])
def test_a_file_of_other_weights_is_told_by_its_first_three(tmp_path, kept):
    path = tmp_path / "llm.pt"
    torch.save({name: torch.zeros(9, 2) for name in (kept, "a", "b", "c")}, path)
    with pytest.raises(UserError, match=f"it holds {kept}, a, b ..."):
        load_cosyvoice(path)


def test_missing_extra_and_misshapen_tensors_are_all_listed(files):
    norm = "llm.model.model.layers.1.input_layernorm.weight"
    bad = spoilt(files[2][0], **{norm: None, "llm_decoder.bias": torch.zeros(5), "spk_embed.weight": torch.zeros(2)})
    with pytest.raises(UserError, match="1 missing .*layers.1.input_layernorm.*; 1 not known .spk_embed.weight.; 1 of another "
                       r"shape .llm_decoder.bias \(5,\) where \(43,\) is wanted"):  # fmt: skip
        load_cosyvoice(bad)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.pt", None, "no such file; name one that is there in hub.lm"),
        ("cut.pt", "half", "not a whole file of weights .*; fetch it again"),
        ("cut.safetensors", "half", "not a whole safetensors file .*; fetch it again"),
        ("code.pt", "code", "holds code or other objects beside weights; nothing was run"),
        ("flow.pt", "flow", "not the text-speech LM of CosyVoice2 or 3 .it holds encoder.weight"),
        ("list.pt", "list", "holds a list, not weights by name"),
        ("untied.pt", "untied", "lm_head.weight is not the table of texts"),
    ],
)
def test_a_bad_file_is_one_line(files, tmp_path, name, content, says):
    path, good = tmp_path / name, read_weights(files[2][0])
    if content == "half":
        if path.suffix == ".pt":
            torch.save(good, path)
        else:
            save_file({key: tensor.clone() for key, tensor in good.items()}, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif content == "code":
        path.write_bytes(pickle.dumps({"weight": Harmful()}))
    elif content:
        head = {**good, "llm.model.lm_head.weight": torch.zeros(320, 32)}
        torch.save({"flow": {"encoder.weight": torch.zeros(2)}, "list": [1], "untied": head}[content], path)
    (tmp_path / "CosyVoice-BlankEN").symlink_to(files[2][0].parent / "CosyVoice-BlankEN")
    with pytest.raises(UserError, match=says) as error:
        load_cosyvoice(path)
    assert "\n" not in str(error.value)


def test_a_causal_lm_that_does_not_speak_is_one_line(files, tmp_path):
    with pytest.raises(UserError, match="'nowhere' cannot be loaded"):
        load_causal("nowhere")
    words = released.text_tokenizer(str(files["neutts"][0]))
    words.save_pretrained(tmp_path / "small")
    places = released.places_of(words, "")
    last = max(places.first + places.codes - 1, places.end)
    for rows in (60, last):
        causal(rows).save_pretrained(tmp_path / "small")
        with pytest.raises(UserError, match=f"words that its {rows} rows do not; another model's"):
            load_causal(str(tmp_path / "small"))
    released.text_tokenizer(str(files[2][0].parent / "CosyVoice-BlankEN")).save_pretrained(tmp_path / "dumb")
    causal(60).save_pretrained(tmp_path / "dumb")
    with pytest.raises(UserError, match=r"no <\|speech_0\|> or <\|s_0\|>"):
        load_causal(str(tmp_path / "dumb"))


def test_the_last_row_of_a_table_may_mark_and_the_one_behind_it_may_not(files, tmp_path, monkeypatch):
    released.text_tokenizer(str(files["neutts"][0])).save_pretrained(tmp_path)
    causal(60).save_pretrained(tmp_path)
    for part, mark in ((part, mark) for part in ("before", "after") for mark in (59, 60)):
        places = Places(**{"first": 0, "codes": 5, "end": 5, "before": (6,), "after": (7,)} | {part: (mark,)})
        monkeypatch.setattr(released, "places_of", lambda *_, places=places: places)
        if mark == 59:
            assert load_causal(str(tmp_path)).config.speech_vocab == 5
        else:
            with pytest.raises(UserError, match="another model's"):
                load_causal(str(tmp_path))


def test_without_its_config_cosyvoice_is_a_qwen_of_half_a_billion_weights():
    config = Qwen2Config(**released.QWEN_05B, vocab_size=151_936, tie_word_embeddings=True)
    with torch.device("meta"):
        assert Qwen2ForCausalLM(config).num_parameters() == 494_032_768  # as its card says
    assert config.hidden_size == 64 * config.num_attention_heads


def about(files, family, **more):
    path, _ = files[family]
    named = {"family": "neutts", "model": str(path), "lm": ""}
    if family != "neutts":
        named = {"family": "cosyvoice2", "model": str(path.parent), "lm": path.name}
    return named | {"codec": "", "speaker": "", "voice": "", "checkpointing": False} | more


def shaken(model):
    """The model with adapters that say something."""
    torch.manual_seed(0)
    adapted(model, 3)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.add_(0.1 * torch.randn_like(weights) * ("lora_" in name))
    return model


@torch.no_grad()
def test_adapters_are_kept_in_pefts_format_and_plain_peft_reads_them(files, family, tmp_path):
    from peft import PeftModel

    model, rows = shaken(load_released(about(files, family))), rows_of()
    save_policy(model, tmp_path / "model")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapter"]
    again = load_adapter(load_released(about(files, family)), tmp_path / "adapter")
    assert torch.equal(token_logprobs(again, collate(rows)), token_logprobs(model, collate(rows)))
    path, qwen = files[family]
    import copy

    with_peft = PeftModel.from_pretrained(copy.deepcopy(qwen), tmp_path / "adapter").eval()
    assert with_peft.peft_config["default"].base_model_name_or_path == model.released
    expected = by_transformers(files | {family: (path, with_peft.get_base_model())}, family, *rows[1])
    torch.testing.assert_close(model(collate([rows[1]]))[0], expected, **NEAR)


def test_an_adapter_of_another_size_and_a_half_one_are_one_line(files, tmp_path):
    save_policy(shaken(load_released(about(files, 2))), tmp_path / "model")
    other = TextSpeechLM(LMConfig(60, CODES, 16, 3, 2, 1, 24, 200, 1e4, 0.0))
    with pytest.raises(UserError, match=r"an adapter for another model than this one: 14 missing .*of another shape"):
        load_adapter(other, tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="not a whole adapter"):
        load_adapter(load_released(about(files, 2)), tmp_path / "adapter")


def test_adapters_are_the_default_from_a_hundred_million_weights_on(files, monkeypatch):
    model = loaded(files, 2)
    size = sum(weights.numel() for weights in model.parameters())
    assert lora.BIG == 100_000_000 > size and rank_of(model, 0) == 0
    monkeypatch.setattr(lora, "BIG", size)
    assert (rank_of(model, 0), rank_of(model, lora.ALL), rank_of(model, 4)) == (lora.RANK, 0, 4)


def test_only_adapters_learn_and_only_they_are_kept_in_a_checkpoint(files, family):
    from sebridge_lite.core.checkpoint import learnt

    model = adapted(load_released(about(files, family)), 2)
    loss(model, collate(rows_of()))[0].backward()
    moved = {name for name, weights in model.named_parameters() if weights.grad is not None}
    assert moved and all("lora_" in name for name in moved)
    assert set(learnt(model)) == moved


def test_checkpointing_changes_no_gradient(files, family):
    def gradients(**more):
        torch.manual_seed(0)
        model = adapted(load_released(about(files, family, **more)), 2).train()
        loss(model, collate(rows_of()))[0].backward()
        return [weights.grad for weights in model.parameters() if weights.grad is not None]

    for plain, saved in zip(gradients(), gradients(checkpointing=True), strict=True):
        torch.testing.assert_close(plain, saved)


def test_weights_in_bf16_speak_and_their_loss_is_near(files, family):
    model, batch = loaded(files, family), collate(rows_of())
    exact = loss(model, batch)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert abs(loss(model, batch)[0] - exact) < 2e-2 * exact
    model.to(torch.bfloat16)
    assert abs(loss(model, batch)[0] - exact) < 2e-2 * exact
    text = torch.arange(8)
    (row,) = generate(model, [text], [text[:0]], dataclasses.replace(PLAIN, temperature=0))
    assert len(row[0]) >= 8


def test_merged_adapters_say_what_adapters_said(files, family):
    model, batch = shaken(load_released(about(files, family))), collate(rows_of())
    said = token_logprobs(model, batch)
    merge_lora(model)
    assert not has_adapter(model)
    torch.testing.assert_close(token_logprobs(model, batch), said, rtol=1e-4, atol=1e-4)
