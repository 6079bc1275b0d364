"""The sets of a corpus on disk: `real` and `synthetic` speech to train on, `dev` to choose on, `test` to score on.

A fifth, `backbone`, is there where the stack is your own.
They lie in folders of their own (artifacts/corpus/train, dev, test, backbone), so that a larger test set trains nothing again.
"""

from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import Utterance, read_manifest

PLACES = {"real": "train", "synthetic": "train", "dev": "dev", "test": "test"}


def set_folder(name: str, lang: str) -> Path:
    """The folder of a set's manifest and sound."""
    return paths.artifacts("corpus", PLACES.get(name, name), lang)


def load_set(name: str, lang: str) -> list[Utterance]:
    """The utterances of a set; none of `real` or `backbone` where a language has none."""
    path = set_folder(name, lang) / f"{name}.jsonl"
    if name in ("real", "backbone") and path.parent.is_dir() and not path.exists():
        return []
    if not path.is_file():
        raise UserError(f"{path}: not there; `dvc repro import` makes it")
    try:
        return read_manifest(path)
    except UserError as error:
        raise UserError(f"{error}; `dvc repro import` makes it again") from None
