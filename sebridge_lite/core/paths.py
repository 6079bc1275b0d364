"""Where things are: the root is found from the working directory, so that notebooks, stages and tests all agree.

`SEBRIDGE_OUTPUTS` moves `artifacts/` and `results/` elsewhere: tests and nbval use it and leave the tree clean.
"""

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape as glob_escape
from pathlib import Path

from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.processes import rank, together

with contextlib.suppress(ImportError):  # Windows has no such locks; there nobody keeps two runs apart
    import fcntl

NAME = re.compile(
    r"\w[\w.-]{0,79}"
)  # of a cell, a system, an engine: no separator, no space, nothing that cannot be printed
DROPPED = "sebridge-process-"  # a folder of the system's, for what other processes than the first would leave behind


def root() -> Path:
    """The nearest folder, from the working directory upwards, that holds `params.yaml` and `dvc.yaml`."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(f"{here}: not inside a SE-Bridge Lite project (no params.yaml with dvc.yaml); change to its folder")


def plain(name: str, what: str) -> str:
    """The name itself, if it is one that can name a file and be printed; `what` it names, for the message."""
    if NAME.fullmatch(name):
        return name
    raise UserError(f"{what} {show(name)}: not a plain name; take up to 80 letters, digits, '-', '_' and '.'")


def _inside(base: Path, parts: tuple[str, ...]) -> Path:
    """The place of `parts` within a folder, which none of them leaves."""
    for name in (name for part in parts if part for name in part.split("/")):
        plain(name, "the part of a path")
    return base.joinpath(*parts)


def data(*parts: str) -> Path:
    """The place of a raw input."""
    return _inside(root() / "data", parts)


def outputs() -> Path:
    """The folder that holds `artifacts/` and `results/`."""
    return Path(os.environ.get("SEBRIDGE_OUTPUTS") or root())


def artifacts(*parts: str) -> Path:
    """What machines read: corpora, checkpoints, caches."""
    return _inside(outputs() / "artifacts", parts)


def results(*parts: str) -> Path:
    """What people read: metrics, tables, figures, executed notebooks."""
    return _inside(outputs() / "results", parts)


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


def check_output(target: Path, *inputs: Path, ending: str = "") -> None:
    """Raises where what is written to `target` would destroy something: an input, a file within one, a device, a pipe.

    ending: that the name must have, so that a slip of the hand replaces no file of another kind.
    """
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise UserError(f"{target}: a device or a pipe, which cannot be replaced; give another name")
    if ending and (target.suffix.lower() != ending or target.is_dir()):
        raise UserError(f"{target}: what is written here is a {ending} file; give a name that ends in {ending}")
    for path in inputs:
        same = target.exists() and path.exists() and target.samefile(path)
        if same or target.resolve().is_relative_to(path.resolve()):
            raise UserError(f"{target}: this would replace {path}, or a part of it, which is read; give another name")


def _is_over(process: int) -> bool:
    """Whether no process of that number runs, or it is this one."""
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False


def remove(path: Path) -> None:
    """Removes a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(target: Path) -> None:
    """Removes what killed runs have left of `target` under temporary names."""
    for left in target.parent.glob(f".*.{glob_escape(target.name)}"):
        owner = left.name.removesuffix(f".{target.name}").lstrip(".").removesuffix(".old")
        if os.name == "posix" and owner.isdecimal() and _is_over(int(owner)):
            remove(left)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its place, file or folder, only when the block succeeds.

    Of several processes of one command the first does this. What another writes is gone after the block.
    """
    if rank() and not any(part.startswith(DROPPED) for part in target.parts):
        with tempfile.TemporaryDirectory(prefix=DROPPED) as folder:
            yield Path(folder) / target.name
        return
    check_output(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"{target.parent}: cannot be written to; give yourself the right, or free a read-only disk")
    sweep(target)
    temporary, aside = (target.with_name(f".{os.getpid()}.{old}{target.name}") for old in ("", "old."))
    try:
        yield temporary
        if target.is_dir() and temporary.is_dir():
            target.rename(aside)  # quicker than removing it, so that a kill finds one of the two in its place
        temporary.replace(target)
    except BaseException as error:
        if aside.exists() and not target.exists():
            aside.rename(target)
        if disk_full(error):
            raise UserError(f"{target}: the disk is full; nothing was replaced; make room and run it again") from None
        raise
    finally:
        remove(temporary)
        remove(aside)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Within the block no other run has this folder. The lock ends with its process, however that ends."""
    file = folder / ".lock"
    folder.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another run is making this; wait for it, or stop it") from None
        except (OSError, NameError):
            pass  # a file system or a system without locks
        if not file.exists():
            raise UserError(f"{folder}: another run has just made this; nothing is left to do")
        yield


@contextmanager
def working(out: Path) -> Iterator[Path]:
    """The folder `.NAME.work` beside an output, where a killed stage goes on: it is removed when the block succeeds.

    It belongs to one run at a time. The processes of one command share it; the first has the lock.
    """
    work = out.with_name(f".{out.name}.work")
    with contextlib.nullcontext() if rank() else _locked(work):
        yield work
        together()
        if not rank():
            shutil.rmtree(work)


@contextmanager
def collecting(out: Path, key: str) -> Iterator[Path]:
    """A folder for the parts of an output, which it becomes when the block succeeds.

    The parts that a killed run has finished are in it, where that run had the same key.
    """
    with working(out) as work:
        parts, known = work / "parts", work / "key"
        if not rank():
            if not known.is_file() or known.read_text() != key:
                remove(parts)
                known.write_text(key)
            parts.mkdir(exist_ok=True)
        together()
        yield parts
        with replacing(out) as temporary:
            if not rank():
                parts.rename(temporary)
