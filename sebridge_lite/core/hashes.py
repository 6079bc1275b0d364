"""Short hashes of what a result depends on: data, settings, and the library's code."""

import hashlib
from pathlib import Path

import numpy as np

PARTS_CODE = ("studio", "stack", "lm", "experiments/parts.py")  # what makes the embedded parts


def key_of(*parts) -> str:
    """A short hash of texts, arrays and tensors: what a run depends on, for `inputs` of `train`."""
    digest = hashlib.sha256()
    for part in parts:
        if hasattr(part, "detach"):  # a tensor
            import torch  # not above: it takes over a second, and many stages only hash code

            part = part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
        digest.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else str(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def stamp_of(*folders: Path) -> str:
    """A short hash of the name, size and time of every file in folders: another one where anything there was made anew."""
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    return key_of(*((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files))


def code_hash(*places: str) -> str:
    """A short hash of the library's code in rooms or modules, such as `stack` or `experiments/parts.py`."""
    package = Path(__file__).parents[1]
    files = [file for place in places for file in sorted((package / place).rglob("*.py")) or [package / place]]
    return key_of(*(f"{file.relative_to(package)}\n{file.read_text(encoding='utf-8')}" for file in files))
