"""Released models in their very formats, tiny and of random weights, for tests of the hub stacks."""

import json
from pathlib import Path

import torch
from fake_stack import CODES, LETTERS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    NeuCodecConfig,
    NeuCodecFeatureExtractor,
    NeuCodecModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Wav2Vec2BertConfig,
    WavLMConfig,
    WavLMModel,
)

QWEN = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 200,
    "rope_theta": 1e4,
    "tie_word_embeddings": True,
}
SPOKEN = ("<|TEXT_PROMPT_START|>", "<|TEXT_PROMPT_END|>", "<|SPEECH_GENERATION_START|>", "<|SPEECH_GENERATION_END|>")


def words(folder: Path, more: list[str]) -> PreTrainedTokenizerFast:
    """A text tokenizer as Qwen2's, of bytes and Greek letters, saved."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    pairs = [tuple(level.pre_tokenize_str(letter)[0][0]) for letter in LETTERS.strip()]
    known = {word: place for place, word in enumerate([*sorted(level.alphabet()), *map("".join, pairs)])}
    byte_pairs = Tokenizer(models.BPE(known, pairs))
    byte_pairs.pre_tokenizer, byte_pairs.decoder = level, decoders.ByteLevel()
    found = PreTrainedTokenizerFast(tokenizer_object=byte_pairs, eos_token="<|endoftext|>")
    found.add_special_tokens({"additional_special_tokens": more})
    found.save_pretrained(folder)
    return found


def causal(size: int, seed: int = 0) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=size, initializer_range=0.2, **QWEN)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.05 * torch.randn_like(weights)
    return model


def cosyvoice(folder: Path, third: bool = False, codes: int = CODES) -> tuple[Path, Qwen2ForCausalLM]:
    """The file of a tiny CosyVoice2 or 3 in a folder like the published one, and the Qwen2 inside."""
    blank = folder / "CosyVoice-BlankEN"
    blank.mkdir(parents=True)
    words(blank, [])
    (blank / "config.json").write_text(json.dumps({"model_type": "qwen2", **QWEN}), encoding="utf-8")
    qwen, g = causal(320), torch.Generator().manual_seed(1)
    rows, width = codes + (200 if third else 3), QWEN["hidden_size"]
    tensors = {} if third else {"llm_embedding.weight": torch.randn(2, width, generator=g)}
    tensors |= {f"llm.model.{name}": weights for name, weights in qwen.state_dict().items()}
    tensors |= {"llm_decoder.weight": 0.2 * torch.randn(rows, width, generator=g)}
    tensors |= {} if third else {"llm_decoder.bias": torch.randn(rows, generator=g)}
    tensors |= {"speech_embedding.weight": torch.randn(rows, width, generator=g)}
    torch.save(tensors, folder / "llm.pt")
    return folder / "llm.pt", qwen


def neutts(folder: Path, codes: int = CODES) -> Qwen2ForCausalLM:
    """The causal LM of a tiny NeuTTS, saved with its text tokenizer."""
    tokenizer = words(folder, [*SPOKEN, *(f"<|speech_{code}|>" for code in range(codes))])
    model = causal(len(tokenizer) + 5)
    model.save_pretrained(folder)
    return model


def neucodec(folder: Path) -> NeuCodecModel:
    """A tiny NeuCodec of 32 codes, saved with its features."""
    torch.manual_seed(0)
    heard = Wav2Vec2BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, output_hidden_size=16
    )
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = NeuCodecConfig(
        **sizes, num_key_value_heads=2, head_dim=16, encoder_hidden_size=2, semantic_model_config=heard,
        quantization_dim=48, quantization_levels=[4, 4, 2],
    )  # fmt: skip
    model = NeuCodecModel(config).eval()
    model.save_pretrained(folder)
    NeuCodecFeatureExtractor().save_pretrained(folder)
    return model


def wavlm(folder: Path, layers: int = 12) -> WavLMModel:
    torch.manual_seed(0)
    how = {"conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (5, 4), "num_feat_extract_layers": 2}
    how |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "intermediate_size": 16}
    config = WavLMConfig(hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, **how)
    model = WavLMModel(config).eval()
    model.save_pretrained(folder)
    return model


def _field(number: int, value: int | bytes | str) -> bytes:
    """A field of a protobuf message."""

    def varint(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + varint(n // 128)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def _value(name: str, kind: int, *shape: int | str) -> bytes:
    dims = b"".join(_field(1, _field(1, dim) if isinstance(dim, int) else _field(2, dim)) for dim in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dims)))


def _node(kind: str, takes: list[str], gives: str, **given: int | list[int]) -> bytes:
    out = b"".join(_field(1, name) for name in takes) + _field(2, gives) + _field(4, kind)
    for name, value in given.items():
        many = isinstance(value, list)
        numbers = b"".join(_field(8, one) for one in value) if many else _field(3, value)
        out += _field(5, _field(1, name) + numbers + _field(20, 7 if many else 2))
    return out


def _onnx(path: Path, nodes: list[bytes], takes: list[bytes], gives: bytes) -> None:
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "tiny")
    graph += b"".join(_field(11, one) for one in takes) + _field(12, gives)
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)))


FLOAT, INT32, INT64 = 1, 6, 7


def onnx_argmax(path: Path) -> None:
    """A speech tokenizer: the loudest band of every four frames; its second input is read and not used."""
    nodes = [
        _node("AveragePool", ["feats"], "pooled", kernel_shape=[4], strides=[4]),
        _node("ArgMax", ["pooled"], "codes", axis=1, keepdims=0),
        _node("Identity", ["length"], "unused"),
    ]
    takes = [_value("feats", FLOAT, 1, 128, "T"), _value("length", INT32, 1)]
    _onnx(path, nodes, takes, _value("codes", INT64, 1, "S"))


def onnx_mean(path: Path) -> None:
    """A speaker encoder: the mean of the filter banks."""
    nodes = [_node("GlobalAveragePool", ["turned"], "mean"), _node("Transpose", ["banks"], "turned", perm=[0, 2, 1])]
    _onnx(path, nodes[::-1], [_value("banks", FLOAT, 1, "T", 80)], _value("mean", FLOAT, 1, 80, 1))
