"""Speech tokens of a corpus on disk, made once: SET.safetensors beside nothing else, all utterances in a row.

Whoever trains or counts reads tokens from here, never from sound. Left out: compression (2 bytes a token).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.paths import replacing
from sebridge_lite.data.manifest import Utterance


def write_codes(path: Path, names: Iterable[str], codes: Sequence[torch.Tensor]) -> None:
    flat = torch.cat([*codes, torch.zeros(0, dtype=torch.long)]).to(torch.int16)
    tensors = {"codes": flat, "lengths": torch.tensor([len(row) for row in codes], dtype=torch.int32)}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"names": json.dumps(list(names))})


def read_codes(path: Path) -> dict[str, torch.Tensor]:
    """Name to codes (S,) long, in the order in which they were written."""
    try:
        with safe_open(path, "pt") as file:
            names = json.loads(file.metadata()["names"])
            rows = file.get_tensor("codes").long().split(file.get_tensor("lengths").tolist())
        return dict(zip(names, rows, strict=True))
    except FileNotFoundError:
        raise UserError(f"{path}: no tokens; `dvc repro encode` makes them") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path}: not a whole file of tokens ({type(error).__name__}); `dvc repro -f encode`") from None


def codes_for(utterances: Iterable[Utterance], codes: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The tokens of each, by name."""
    rows = []
    for utterance in utterances:
        if utterance.id not in codes:
            raise UserError(
                f"utterance {utterance.id}: it has no tokens; run `dvc repro encode` after the corpus changed"
            )
        rows.append(codes[utterance.id])
    return rows
