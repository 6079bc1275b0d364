"""What describes this project to machines says what is here."""

import json
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_metadata_agree_with_each_other_and_name_files_that_are_here():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    meta = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert meta["version"] == citation["version"] == version
    assert meta["referencePublication"]["name"] == citation["references"][0]["title"]
    assert meta["license"].endswith(citation["license"])
    files = [part["url"] for part in meta["hasPart"]] + re.findall(r'": "(\w+\.(?:md|txt))"', json.dumps(meta))
    assert len(files) > 8 and all((ROOT / file).exists() for file in files)
