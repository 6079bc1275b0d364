"""Released text-speech LMs as ours: strict both ways, so that what is trained here goes back byte for byte.

    CosyVoice2    its `.pt`: `llm.model.model.*` is Qwen2, `llm.model.lm_head` is tied and not ours; three rows after the codes
    CosyVoice3    the same without `llm_embedding` and bias: 200 rows after the codes, sos, eos and task are the first of them
    a causal LM   of Qwen2 or Llama, whose speech tokens are words: their rows of the two tables become ours (`stack.neutts`)

Of a causal LM the softmax is over speech tokens and the end alone; every other word has no chance here. Files are read without
running code. Left out: optimizer states, and the epoch and step that the official trainer writes beside the weights.
"""

import json
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.lm.lora import differences
from sebridge_lite.stack.hub import Released, pretrained
from sebridge_lite.stack.neutts import places_of, text_tokenizer

QWEN, HEAD = "llm.model.model.", "llm.model.lm_head.weight"
TABLES = ("llm_embedding.weight", "speech_embedding.weight", "llm_decoder.weight", "llm_decoder.bias")
QWEN_05B = {  # where no config.json lies beside: Qwen2.5-0.5B, Table 10
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "max_position_embeddings": 32_768,
    "rope_theta": 1e6,
}
NOT_OF_THE_BODY = ("_name_or_path", "architectures", "dtype", "transformers_version")
KINDS: dict[int, dict[str, Any]] = {2: {"extra": 3}, 3: {"extra": 200, "end": 1, "marks": "speech", "bias": False}}


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a `.pt` or `.safetensors` file, by name, as they are stored."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; name one that is there in hub.lm") from None
    except SafetensorError as error:
        raise UserError(f"{path}: not a whole safetensors file ({error}); fetch it again") from None
    except pickle.UnpicklingError:
        raise UserError(
            f"{path}: holds code or other objects beside weights; nothing was run; ask for weights alone"
        ) from None
    except (RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        why = str(error).splitlines()[0][:100]
        raise UserError(f"{path}: not a whole file of weights ({why}); fetch it again") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds a {type(found).__name__}, not weights by name")
    return {name: tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}


def body_of(folder: Path) -> dict:
    """The numbers of the Qwen2 inside."""
    file = folder / "CosyVoice-BlankEN" / "config.json"
    given = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    theta = (given.get("rope_parameters") or {}).get("rope_theta")
    return (
        QWEN_05B | {name: given[name] for name in QWEN_05B if name in given} | ({"rope_theta": theta} if theta else {})
    )


def cosyvoice_config(shapes: dict, path: Path) -> LMConfig:
    """Version 2 or 3, by the tables that a file has, and its numbers."""
    text, speech = shapes.get(f"{QWEN}embed_tokens.weight"), shapes.get("speech_embedding.weight")
    if not (text and speech):
        first = ", ".join(list(shapes)[:3]) or "nothing"
        raise UserError(
            f"{path}: not the text-speech LM of CosyVoice2 or 3 (it holds {first} ...); name llm.pt in hub.lm"
        )
    kind = KINDS[2 if "llm_embedding.weight" in shapes or "llm_decoder.bias" in shapes else 3]
    codes, b = speech[0] - kind["extra"], body_of(path.parent)
    if codes < 1:
        raise UserError(f"{path}: {speech[0]} rows of speech; a CosyVoice has more than {kind['extra']}")
    marks: dict[str, Any] = {} if "marks" not in kind else {"before": (codes,), "after": (codes + 2,)}
    return LMConfig(
        text[0], codes, b["hidden_size"], b["num_hidden_layers"], b["num_attention_heads"], b["num_key_value_heads"],
        b["intermediate_size"], b["max_position_embeddings"], float(b["rope_theta"]), 0.0, **kind, **marks,
    )  # fmt: skip


def load_cosyvoice(path: Path) -> TextSpeechLM:
    """`llm.pt`, `thai_tts.pt`, `lao_tts.pt` ... as a text-speech LM in float32."""
    tensors = read_weights(path)
    config = cosyvoice_config({name: tensor.shape for name, tensor in tensors.items()}, path)
    with torch.device("meta"):
        wanted = {theirs(name): w.shape for name, w in TextSpeechLM(config).state_dict().items()}
    given = {name: tensor for name, tensor in tensors.items() if name != HEAD}
    if faults := differences(wanted, {name: tensor.shape for name, tensor in given.items()}):
        raise UserError(f"{path}: not the weights of this architecture: {faults}")
    head, table = tensors.get(HEAD), tensors[f"{QWEN}embed_tokens.weight"]
    if head is not None and (head.shape != table.shape or not torch.equal(head, table)):
        raise UserError(f"{path}: {HEAD} is not the table of texts, to which it is tied in every CosyVoice")
    model = TextSpeechLM(config)
    model.load_state_dict({ours(name): tensor.float() for name, tensor in given.items()})
    return model.eval()


def theirs(name: str) -> str:
    return QWEN + name.removeprefix("llm.") if name.startswith("llm.") else name


def ours(name: str) -> str:
    return "llm." + name.removeprefix(QWEN) if name.startswith(QWEN) else name


def save_cosyvoice(model: TextSpeechLM, like: Path, out: Path) -> None:
    """Writes a file as `like`, the released one, with the weights of `model`: the same names, order and number formats."""
    state = {theirs(name): tensor for name, tensor in model.state_dict().items()}
    state[HEAD] = state[f"{QWEN}embed_tokens.weight"]
    old = read_weights(like)
    tensors = {name: state[name].detach().cpu().to(tensor.dtype).contiguous() for name, tensor in old.items()}
    with paths.replacing(out) as temporary:
        if like.suffix == ".safetensors":
            save_file({name: tensor.clone() for name, tensor in tensors.items()}, temporary)
        else:
            with temporary.open("wb") as file:
                torch.save(tensors, file)


def load_causal(name: str) -> TextSpeechLM:
    """A causal LM, by folder or by name on the hub, as a text-speech LM in float32."""
    from transformers import AutoModelForCausalLM

    places, whole = places_of(text_tokenizer(name), name), _causal(AutoModelForCausalLM, name)
    settings, table, head = whole.config, whole.get_input_embeddings().weight, whole.get_output_embeddings().weight
    ids = torch.tensor([*range(places.first, places.first + places.codes), places.end])
    if int(ids.max()) >= len(table) or max(*places.before, *places.after) >= len(table):
        raise UserError(
            f"hub.model '{name}': its tokenizer has words that its {len(table):,} rows do not; another model's?"
        )
    body = {name: value for name, value in settings.to_diff_dict().items() if name not in NOT_OF_THE_BODY}
    sizes = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size")
    numbers: list[Any] = [getattr(settings, name) for name in (*sizes, "max_position_embeddings")]
    tied = table.data_ptr() == head.data_ptr()
    how: dict[str, Any] = {
        "extra": 1,
        "marks": "text",
        "before": places.before,
        "after": places.after,
        "bias": False,
        "tied": tied,
    }
    how["body"] = json.dumps(body)
    model = TextSpeechLM(LMConfig(len(table), places.codes, *[*numbers, 1e4, 0.0], **how))
    model.llm.load_state_dict(whole.base_model.state_dict())
    with torch.no_grad():
        model.speech_embedding.weight.copy_(table[ids])
        model.llm_decoder.weight.copy_(head[ids])
    return model.eval()


def _causal(cls, name: str):
    whole = pretrained("causal LM", partial(cls.from_pretrained, dtype=torch.float32), name)
    if whole.config.model_type not in ("qwen2", "llama"):
        raise UserError(f"hub.model '{name}': a {whole.config.model_type}; Qwen2 and Llama are known here")
    if (head := whole.get_output_embeddings()).bias is not None or head.weight.shape[0] != whole.config.vocab_size:
        raise UserError(f"hub.model '{name}': its head is not a plain table of {whole.config.vocab_size:,} words")
    return whole


def save_causal(model: TextSpeechLM, like: str, out: Path) -> None:
    """Writes the causal LM `like`, with its text tokenizer, with the weights of `model`."""
    from transformers import AutoModelForCausalLM

    whole, words = _causal(AutoModelForCausalLM, like), text_tokenizer(like)
    places = places_of(words, like)
    ids = torch.tensor([*range(places.first, places.first + places.codes), places.end])
    whole.base_model.load_state_dict(model.llm.state_dict())
    with torch.no_grad():
        whole.get_input_embeddings().weight[ids] = model.speech_embedding.weight
        whole.get_output_embeddings().weight[ids] = model.llm_decoder.weight
    with paths.replacing(out) as temporary:
        whole.save_pretrained(temporary)
        words.save_pretrained(temporary)


def load_released(about: dict) -> TextSpeechLM:
    """The backbone of a released model, `about` being its `Released`, on the CPU."""
    released = Released(**about)
    cosy = released.family == "cosyvoice2"
    model = load_cosyvoice(Path(released.model) / released.lm) if cosy else load_causal(released.model)
    model.released = released.name
    if released.checkpointing:
        model.llm.gradient_checkpointing_enable({"use_reentrant": False})
    return model
