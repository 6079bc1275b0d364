"""The studio's trained networks: where they lie, and how they are written and read.

    parts/{tokenizer, speaker, flow, vocoder, backbone}, judges/select/select_judge, judges/score/score_judge

`SEBRIDGE_PARTS` names the folder that holds `parts/` and `judges/`; else it is this run's `artifacts/`, else the project's.
Parts that your own speech has taught lie in `artifacts/own/` in the same way. The backbone is a text-speech LM, which `lm/`
reads. A part is NAME.safetensors, its weights, and NAME.json, the settings that shape them. Weights may be stored in half
precision; they load as float32. Left out: pickled weights (they run code when loaded), shards, quantisation.
"""

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, no_memory
from sebridge_lite.core.fields import build
from sebridge_lite.core.files import read_json, regular
from sebridge_lite.core.hashes import key_of
from sebridge_lite.stack.flow import Flow, FlowConfig
from sebridge_lite.stack.recogniser import SoundJudge, SoundJudgeConfig, TokenJudge, TokenJudgeConfig
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder
from sebridge_lite.stack.tokenizer import Tokenizer, TokenizerConfig
from sebridge_lite.stack.vocoder import Vocoder, VocoderConfig

OWN = "own"  # the folder of the parts that your own speech has taught; those that are not there are the embedded ones
NETWORKS = {
    "tokenizer": (Tokenizer, TokenizerConfig),
    "speaker": (SpeakerEncoder, SpeakerConfig),
    "flow": (Flow, FlowConfig),
    "vocoder": (Vocoder, VocoderConfig),
    "select_judge": (TokenJudge, TokenJudgeConfig),
    "score_judge": (SoundJudge, SoundJudgeConfig),
}
JUDGES = {"select_judge": "judges/select", "score_judge": "judges/score"}
FOLDERS = dict.fromkeys([*NETWORKS, "backbone"], "parts") | JUDGES  # of each part, within artifacts/
MEND = "`dvc pull` fetches trained parts, `dvc repro` rebuilds them"
CHECKSUM = (
    "checksum"  # of the weights, in their file; that of an embedded part, whose file has none, stands in CHECKSUMS
)
Net = TypeVar("Net", bound=torch.nn.Module)
CHECKSUMS = json.loads(Path(__file__).with_name("checksums.json").read_text(encoding="utf-8"))


def _pair(path: Path) -> tuple[Path, Path]:
    """A name may hold dots ("alpha0.8"), so endings are added, not replaced."""
    stem = str(path).removesuffix(".safetensors")
    return Path(f"{stem}.safetensors"), Path(f"{stem}.json")


def _check_finite(tensors: dict[str, torch.Tensor], where: str, mend: str) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{where}: {name} holds NaN or infinite weights; {mend}")


def checksum(config, tensors: dict[str, torch.Tensor]) -> str:
    """A short hash of the settings, and of names, types, shapes and values of the weights.

    A setting that has its default is left out, so that one which is added later changes no hash.
    """
    settings = [(f.name, value) for f in dataclasses.fields(config) if (value := getattr(config, f.name)) != f.default]
    parts = ((f"{name} {t.dtype} {tuple(t.shape)}", t) for name, t in sorted(tensors.items()))
    return key_of(settings, *(part for pair in parts for part in pair))


def _load(model: torch.nn.Module, config, tensors: dict[str, torch.Tensor], written: str | None, file: Path) -> None:
    """Loads weights of the right types and shapes, and raises where they or the settings are not those that were written."""
    for name, known in model.state_dict().items():
        if name in tensors and known.is_floating_point() != tensors[name].is_floating_point():
            raise UserError(f"{file}: {name} is of type {tensors[name].dtype}; {MEND}")
    if not any(t.any() for t in tensors.values()):
        raise UserError(f"{file}: its weights are all 0; {MEND}")
    model.load_state_dict(tensors)
    wanted = written or CHECKSUMS.get(file.stem)  # neither: a model that somebody else has written
    if wanted and wanted != checksum(config, tensors):
        raise UserError(f"{file}: damaged: its weights or settings are not those that were written; {MEND}")


@contextmanager
def _no_larger_than(most: int, file: Path) -> Iterator[None]:
    """Within the block no network of over `most` numbers is built: a damaged setting would take all memory."""
    left = most

    def count(_module, _name, parameter) -> None:
        nonlocal left
        left -= 0 if parameter is None else parameter.numel()
        if left < 0:
            raise UserError(f"{file}: asks for a larger network than its weights are; {MEND}")

    hook = torch.nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        yield
    except (RuntimeError, ValueError, OverflowError, MemoryError) as error:  # torch's, of sizes that cannot be
        why = "there is no memory for a network of" if no_memory(error) else "no network can have"
        raise UserError(f"{file}: {why} these settings ({type(error).__name__}); free some, or {MEND}") from None
    finally:
        hook.remove()


def save_model(model: torch.nn.Module, config, path: Path, half: bool = False) -> None:
    """`config` is the frozen dataclass that `type(model)(config)` takes; `half` stores floats as fp16."""
    weights_file, config_file = _pair(path)
    # Cloned, since safetensors refuses tensors that share memory (tied weights).
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    _check_finite(tensors, f"{weights_file}: not written", "train again with a lower learning rate")
    if half:
        tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
        _check_finite(tensors, f"{weights_file}: not written", "it is over the range of fp16: save it with half=False")
    with paths.replacing(config_file) as temporary:
        temporary.write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n", encoding="utf-8")
    with paths.replacing(weights_file) as temporary:
        save_file(tensors, temporary, {CHECKSUM: checksum(config, tensors)})


def load_config(config_cls: type, path: Path):
    file = _pair(path)[1]
    return build(config_cls, read_json(file, MEND), str(file))


def load_model(cls: type[Net], config_cls: type, path: Path) -> Net:
    """`cls(config)` on the CPU, float32, in eval mode."""
    file, config_file = _pair(path)
    config = load_config(config_cls, path)
    try:
        with safe_open(regular(file, MEND), "pt") as opened:
            written = (opened.metadata() or {}).get(CHECKSUM)
        tensors = load_file(file)
        _check_finite(tensors, str(file), MEND)
        with _no_larger_than(2 * sum(t.numel() for t in tensors.values()), config_file):
            model = cls(config)
        _load(model, config, tensors, written, file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: not a whole safetensors file ({error}); {MEND}") from None
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise UserError(f"{file}: of another model than {config_file.name} says; {MEND} ({why})") from None
    return model.eval()


def part_file(name: str, own: bool = False) -> Path:
    """The place of a part, without its ending; where nobody has made it, the place where it should be."""
    given = os.environ.get("SEBRIDGE_PARTS")
    homes = [Path(given)] if given else [paths.artifacts(), paths.root() / "artifacts"]
    homes = [paths.artifacts(OWN), *homes] if own else homes
    files = [home / FOLDERS[name] / name for home in homes]
    return next((file for file in files if file.with_suffix(".safetensors").is_file()), files[-1])


def embedded(name: str) -> Path:
    """The weights of the part that travels with the project."""
    return paths.root() / "artifacts" / FOLDERS[name] / f"{name}.safetensors"


def load_part(name: str, path: Path | None = None) -> Any:
    """A part of the studio stack, from `path` if from nowhere else, on the CPU and in eval mode."""
    return load_model(*NETWORKS[name], path or part_file(name))


class Parts(dict):
    """The networks by name, each read when it is first asked for, unless it is given."""

    def __init__(self, device: torch.device, own: bool = False, **given: torch.nn.Module):
        super().__init__(given)
        self.device, self.own = device, own

    def __missing__(self, name: str) -> torch.nn.Module:
        self[name] = load_part(name, part_file(name, self.own)).to(self.device)
        return self[name]
