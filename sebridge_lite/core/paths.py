"""Where things are: the root is found from the working directory, so that notebooks, stages and tests all agree.

`SEBRIDGE_OUTPUTS` moves `artifacts/` and `results/` elsewhere: tests and nbval use it and leave the tree clean.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sebridge_lite.core.errors import UserError


def root() -> Path:
    """The nearest folder, from the working directory upwards, that holds `params.yaml` and `dvc.yaml`."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(f"{here}: not inside a SE-Bridge Lite project (no params.yaml with dvc.yaml); change to its folder")


def data(*parts: str) -> Path:
    """The place of a raw input."""
    return root().joinpath("data", *parts)


def outputs() -> Path:
    """The folder that holds `artifacts/` and `results/`."""
    return Path(os.environ.get("SEBRIDGE_OUTPUTS") or root())


def artifacts(*parts: str) -> Path:
    """What machines read: corpora, checkpoints, caches."""
    return outputs().joinpath("artifacts", *parts)


def results(*parts: str) -> Path:
    """What people read: metrics, tables, figures, executed notebooks."""
    return outputs().joinpath("results", *parts)


def leave_empty(folder: Path) -> None:
    """Makes a folder that this run puts nothing into, with a line that says so: DVC warns of an empty one."""
    folder.mkdir(parents=True)
    (folder / "README.txt").write_text("Nothing was asked for here in this run.\n", encoding="utf-8")


def disk_full(error: BaseException | None) -> bool:
    """Whether that is behind an error: torch chains the system's own, safetensors and shutil keep no more than its words."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error):
            return True
        error = error.__context__
    return False


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its place, file or folder, only when the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        yield temporary
        if target.is_dir() and temporary.is_dir():
            shutil.rmtree(target)
        temporary.replace(target)
    except Exception as error:
        if disk_full(error):
            raise UserError(f"{target}: the disk is full; nothing was replaced; make room and run it again") from None
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


@contextmanager
def working(out: Path) -> Iterator[Path]:
    """The folder `.NAME.work` beside an output, where a killed stage goes on: it is removed when the block succeeds."""
    work = out.with_name(f".{out.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    yield work
    shutil.rmtree(work)
