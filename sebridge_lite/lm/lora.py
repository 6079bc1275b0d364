"""Adapters (LoRA, by PEFT) and policies on disk: whole weights, or adapters to a released model, in PEFT's own format.

A released model of 100 million weights or more is trained by adapters unless all its weights are asked for. Its policies keep one
adapter from SFT to the last iteration of TDSC, so what is kept is a few MB, and the reference of DPO is never a second model:
its log-probabilities are computed once, before the adapter moves. `adapter/` holds names from `model.layers` on, as PEFT has
them for Qwen2ForCausalLM or LlamaForCausalLM of the same weights.
"""

import copy
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM, load_backbone
from sebridge_lite.stack.parts import load_model, save_model

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BIG = 100_000_000  # weights from which on adapters are the default
RANK = 32  # of the adapters of a big model; ours: 3 % of the weights of Qwen2.5-0.5B
ALL = -1  # the rank that stands for all weights, whatever the size
FOLDER, WEIGHTS, OURS, PEFTS = "adapter", "adapter_model.safetensors", "llm.", "base_model.model.model."


def rank_of(model: TextSpeechLM, asked: int) -> int:
    """The rank of the adapters that a model is trained by, 0 for all its weights. asked: 0 goes by its size."""
    return max(0, asked or (RANK if sum(w.numel() for w in model.parameters()) >= BIG else 0))


def has_adapter(model: TextSpeechLM) -> bool:
    return any(".lora_A." in name for name, _ in model.named_parameters())


def adapted(model: TextSpeechLM, rank: int, config=None) -> TextSpeechLM:
    """`model` itself: with low-rank adapters, alone trained (alpha twice the rank), or as it is when the rank is 0.

    Adapters that are there already go on. Frozen weights of a released model are kept in bf16 on a GPU. config: of PEFT.
    """
    if not rank or has_adapter(model):
        return model
    from peft import inject_adapter_in_model

    if model.released and next(model.parameters()).is_cuda:
        model.to(torch.bfloat16)
    inject_adapter_in_model(config or lora_config(model, rank), model)
    return model


def lora_config(model: TextSpeechLM, rank: int):
    from peft import LoraConfig

    about: dict[str, Any] = {"base_model_name_or_path": model.released, "task_type": "CAUSAL_LM"}
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS, **about)


def merge_lora(model: TextSpeechLM) -> TextSpeechLM:
    """`model` itself, with the adapters added to its weights and taken away; all weights are trained again."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            model.set_submodule(name, module.get_base_layer())
    return model.requires_grad_(True)


def settled(model: TextSpeechLM) -> TextSpeechLM:
    """`model` itself after its training: adapters are merged, but to a released model, where they stay."""
    return model if model.released or not has_adapter(model) else merge_lora(model)


def theirs(name: str) -> str:
    """What PEFT calls an adapter's weights."""
    return PEFTS + name.removeprefix(OURS).replace(".default", "")


def save_policy(model: TextSpeechLM, path: Path) -> None:
    """Adapters alone in the folder `adapter` beside `path`, or all weights in half precision as `path`."""
    if not (model.released and has_adapter(model)):
        save_model(merge_lora(copy.deepcopy(model)) if has_adapter(model) else model, model.config, path, half=True)
        return
    tensors = {
        theirs(name): weights.detach().float().cpu().contiguous()
        for name, weights in model.named_parameters()
        if ".lora_" in name
    }
    rank = next(weights for name, weights in tensors.items() if ".lora_A." in name).shape[0]
    with paths.replacing(path.with_name(FOLDER)) as temporary:
        temporary.mkdir()
        lora_config(model, rank).save_pretrained(temporary)
        save_file(tensors, temporary / WEIGHTS, {"format": "pt"})


def load_policy(path: Path, lang: str, device: torch.device) -> TextSpeechLM:
    """What `save_policy` left at `path`, on the device; adapters are put on the backbone of the language."""
    folder = path.with_name(FOLDER)
    if not folder.is_dir():
        return load_model(TextSpeechLM, LMConfig, path).to(device)
    return load_adapter(load_backbone(lang).to(device), folder).eval()


def load_adapter(model: TextSpeechLM, folder: Path) -> TextSpeechLM:
    """`model` itself with the adapter of a folder, which may be one that PEFT has written for the same weights."""
    from peft import LoraConfig

    try:
        config, tensors = LoraConfig.from_pretrained(str(folder)), load_file(folder / WEIGHTS)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        why = str(error).splitlines()[0][:120]
        raise UserError(f"{folder}: not a whole adapter ({why}); train it again, or copy it again") from None
    if config.base_model_name_or_path != model.released:
        print(f"{folder}: made for {config.base_model_name_or_path}, put on {model.released}", file=sys.stderr)
    adapted(model, config.r, config)
    own = {theirs(name): weights for name, weights in model.named_parameters() if ".lora_" in name}
    if faults := differences({n: w.shape for n, w in own.items()}, {n: w.shape for n, w in tensors.items()}):
        raise UserError(f"{folder}: an adapter for another model than {model.released or 'this one'}: {faults}")
    with torch.no_grad():
        for name, weights in own.items():
            weights.copy_(tensors[name])
    return model


def differences(wanted: dict, found: dict, most: int = 6) -> str:
    """What is missing, extra and of another shape, the first `most` of each by name; empty where nothing is."""
    lists = {
        "missing": sorted(wanted.keys() - found.keys()),
        "not known": sorted(found.keys() - wanted.keys()),
        "of another shape": [
            f"{name} {tuple(found[name])} where {tuple(shape)} is wanted"
            for name, shape in wanted.items()
            if name in found and tuple(found[name]) != tuple(shape)
        ],
    }
    parts = []
    for what, names in lists.items():
        more = f" and {len(names) - most} more" if len(names) > most else ""
        parts += [f"{len(names)} {what} ({', '.join(names[:most])}{more})"] if names else []
    return "; ".join(parts)
