import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("calm", deadline=None)  # a slow moment of the machine is no failure
settings.load_profile("calm")
ROOT = Path(__file__).parents[1]
TRACKED = ("params", "dvc.yaml", "data.dvc", "notebooks")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder of its own, with the real data, and the working directory inside it."""
    for name in TRACKED:
        source, target = ROOT / name, tmp_path / "project" / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        elif source.is_file():
            shutil.copy(source, target)
    # A reader may have made another profile the active one before running the tests.
    shutil.copy(ROOT / "params" / "lite.yaml", tmp_path / "project" / "params.yaml")
    (tmp_path / "project" / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("SEBRIDGE_OUTPUTS", raising=False)
    monkeypatch.delenv("SEBRIDGE_WORKERS", raising=False)
    return tmp_path / "project"


@pytest.fixture(scope="session")
def small_run() -> Path:
    """The folder of the small run of the whole pipeline that `make test` has made."""
    made = os.environ.get("SEBRIDGE_OUTPUTS")
    if not made:
        pytest.skip("needs a small run: `python -m tests.pipeline DIR`, then SEBRIDGE_OUTPUTS=DIR pytest")
    return Path(made)
