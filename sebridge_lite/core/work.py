"""Where a stage keeps what lets it go on after it was killed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def working(out: Path) -> Iterator[Path]:
    """The folder `.NAME.work` beside the output `out`: kept when the block raises, removed when it succeeds."""
    work = out.with_name(f".{out.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    yield work
    shutil.rmtree(work)
