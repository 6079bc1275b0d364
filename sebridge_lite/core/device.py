"""Which device computes: CUDA when it is there, else the CPU. Left out: Apple's GPU, half precision on CPUs."""

import dataclasses
import os
import re

import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.processes import world


def pick_device(name: str) -> torch.device:
    """The device of a name: `auto`, `cpu`, `cuda` or `cuda:N`; of several processes each has a GPU of its own."""
    if name == "auto":
        mine = f"cuda:{os.environ['LOCAL_RANK']}" if world() > 1 else "cuda"
        return torch.device(mine if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UserError(f"device: '{name}' is not one of auto, cpu, cuda, cuda:N")
    seen = torch.cuda.device_count()
    if name != "cpu" and int(name[5:] or 0) >= seen:
        raise UserError(f"device: '{name}' is not on this machine ({seen} GPUs seen); write auto")
    return torch.device(name)


def autocast(device: torch.device) -> torch.autocast:
    """bf16 on the GPU only: CPUs without bf16 units run it slower than float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def move(batch, device: torch.device):
    """A batch with its tensors on the device; dataclasses, dicts, lists and tuples are walked, the rest is left alone."""
    if hasattr(batch, "detach"):  # a tensor
        return batch.to(device)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        return dataclasses.replace(batch, **move(vars(batch), device))
    if isinstance(batch, dict):
        return {name: move(value, device) for name, value in batch.items()}
    if type(batch) in (list, tuple):
        return type(batch)(move(value, device) for value in batch)
    return batch
