"""What lets a killed run go on: a checkpoint and csv histories cut back to it.

One checkpoint is kept, the last good one: it is written under a temporary name and renamed. It can be read without
running code (`weights_only`). A checkpoint names what its run depended on, and is never used by another run.
"""

import math
import sys
from pathlib import Path

import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.files import read_text
from sebridge_lite.core.paths import replacing

CHECKPOINT = "checkpoint.pt"


def tidy(folder: Path, done: int) -> None:
    """Drops what a killed run left: half-written checkpoints, and rows after step `done`, which will be written again."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f".*.{CHECKPOINT}"):
        path.unlink()
    if done == 0:  # of another run, or none
        (folder / CHECKPOINT).unlink(missing_ok=True)
    path, mend = folder / "loss.csv", f"delete {folder} to start again"
    lines = read_text(path, mend).splitlines(keepends=True) if path.exists() else []
    if not all(line.split(",")[0].isdecimal() for line in lines[1:] if line.endswith("\n")):
        raise UserError(f"{path}: damaged: a row without its step; {mend}")
    rows = [line for line in lines[1:] if line.endswith("\n") and int(line.split(",")[0]) <= done]
    if rows:
        with replacing(path) as temporary:
            temporary.write_text("".join([lines[0], *rows]), encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def add_row(path: Path, row: dict) -> None:
    """Adds a row to a CSV file, which is opened and closed each time, so that a kill loses no row."""
    with path.open("a", encoding="utf-8") as file:
        if file.tell() == 0:
            file.write(",".join(row) + "\n")
        file.write(",".join(str(v) if isinstance(v, int) else f"{v:.7g}" for v in row.values()) + "\n")


def resume(path: Path, run: dict, model, optimizer, device: torch.device) -> dict:
    """The state to start from. A checkpoint of another run is not an error: parameters have changed, so begin again."""
    start = {"step": 0, "place": (0, 0), "tokens": 0, "seconds": 0.0, "loss": math.nan}
    if not path.exists():
        return start
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        differs = [name for name in run if state["run"].get(name) != run[name]]
        if not differs:
            model.load_state_dict(state["model"], strict=False)  # frozen weights are not in it
            optimizer.load_state_dict(state["optimizer"])
            return {name: state[name] for name in start}
    except Exception as error:  # a torn file raises almost anything
        raise UserError(f"{path}: not a whole checkpoint ({type(error).__name__}); delete it to start again") from None
    print(f"{path}: of another run (other {', '.join(differs)}); starting at step 0", file=sys.stderr)
    return start


def learnt(model) -> dict:
    """The state of a model without the weights that are frozen, of which a released model has gigabytes."""
    frozen = {name for name, weights in model.named_parameters(remove_duplicate=False) if not weights.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


def save(path: Path, run: dict, state: dict, model, optimizer) -> None:
    """Writes the checkpoint, whole or not at all."""
    # Opened here, since torch, given a name, does not pass on what the system said of a failed write.
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save({**state, "run": run, "model": learnt(model), "optimizer": optimizer.state_dict()}, file)
