"""Trained parts on disk: NAME.safetensors for the weights, NAME.json for the settings that shape them.

Both are written under a temporary name and renamed. Weights may be stored in half precision; they load as float32. Left
out: pickled weights (they run code when loaded), shards, quantisation.
"""

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.fields import build
from sebridge_lite.core.paths import replacing

MEND = "`dvc pull` fetches trained parts, `dvc repro` rebuilds them"


def _pair(path: Path) -> tuple[Path, Path]:
    """A name may hold dots ("alpha0.8"), so endings are added, not replaced."""
    stem = str(path).removesuffix(".safetensors")
    return Path(f"{stem}.safetensors"), Path(f"{stem}.json")


def _check_finite(tensors: dict[str, torch.Tensor], where: str, mend: str) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{where}: {name} holds NaN or infinite weights; {mend}")


def save_model(model: torch.nn.Module, config, path: Path, half: bool = False) -> None:
    """`config` is the frozen dataclass that `type(model)(config)` takes; `half` stores floats as fp16."""
    weights_file, config_file = _pair(path)
    # Cloned, since safetensors refuses tensors that share memory (tied weights).
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    _check_finite(tensors, f"{weights_file}: not written", "train again with a lower learning rate")
    if half:
        tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
        _check_finite(tensors, f"{weights_file}: not written", "it is over the range of fp16: save it with half=False")
    with replacing(config_file) as temporary:
        temporary.write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n", encoding="utf-8")
    with replacing(weights_file) as temporary:
        save_file(tensors, temporary)


def load_config(config_cls: type, path: Path):
    file = _pair(path)[1]
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; {MEND}") from None
    except ValueError:
        raise UserError(f"{file}: not JSON; {MEND}") from None
    return build(config_cls, tree, str(file))


def load_model(cls: type, config_cls: type, path: Path) -> torch.nn.Module:
    """`cls(config)` on the CPU, float32, in eval mode."""
    file, config_file = _pair(path)
    model = cls(load_config(config_cls, path))
    try:
        tensors = load_file(file)
        _check_finite(tensors, str(file), MEND)
        model.load_state_dict(tensors)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; {MEND}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: not a whole safetensors file ({error}); {MEND}") from None
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise UserError(f"{file}: of another model than {config_file.name} says; {MEND} ({why})") from None
    return model.eval()
