"""Speech tokens on disk: SET.safetensors, all utterances in a row, 2 bytes a token or 4. Left out: compression."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.files import regular
from sebridge_lite.core.paths import replacing
from sebridge_lite.data.manifest import Utterance


def write_codes(path: Path, names: Iterable[str], codes: Sequence[torch.Tensor]) -> None:
    """Writes the tokens of each name."""
    flat = torch.cat([*codes, torch.zeros(0, dtype=torch.long)])
    flat = flat.to(torch.int16 if not len(flat) or int(flat.max()) < 1 << 15 else torch.int32)
    tensors = {"codes": flat, "lengths": torch.tensor([len(row) for row in codes], dtype=torch.int32)}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"names": json.dumps(list(names))})


def read_codes(path: Path) -> dict[str, torch.Tensor]:
    """Tokens (S,) by name, in the order in which they were written."""
    try:
        with safe_open(regular(path, "`dvc repro encode` makes it"), "pt") as file:
            names = json.loads(file.metadata()["names"])
            rows = file.get_tensor("codes").long().split(file.get_tensor("lengths").tolist())
        if any(len(row) and int(row.min()) < 0 for row in rows) or len(set(names)) < len(names):
            raise ValueError
        return dict(zip(names, rows, strict=True))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path}: not a whole file of tokens ({type(error).__name__}); `dvc repro encode`") from None


def codes_for(utterances: Iterable[Utterance], codes: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The tokens of each, by name."""
    names = [utterance.id for utterance in utterances]
    if missing := [name for name in names if name not in codes]:
        raise UserError(f"utterance {missing[0]}: it has no tokens; run `dvc repro encode` after the corpus changed")
    return [codes[name] for name in names]
