"""`python tests/faults/load.py [ROWS]`: peak memory of what streams, under load; and stages under a limit of memory.

What streams must not grow: a manifest that is read row by row holds its ids alone, and a recording of ten minutes whose rows are
a second each takes what one of ten seconds does. Each piece of work runs in a process of its own, whose peak is measured.
A stage that is allowed 1.5 GB of addresses, or less, ends well or in one line.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from kill import ROOT, project

RATE, ALLOWED = 16_000, 40  # MB that a peak may differ by
A_ROW = 400  # bytes of an id and its place
WHOLE = 300  # MB of `detect`, which hears ten minutes in one piece
ROWS = """
import sys; from pathlib import Path; from sebridge_lite.data.manifest import read_rows
print(sum(not isinstance(found, str) for _, found in read_rows(Path(sys.argv[1]))))
"""
ENCODE = """
import sys; from pathlib import Path; from types import SimpleNamespace; import torch
from sebridge_lite.data.manifest import read_manifest
from sebridge_lite.experiments.encode import encode_set
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.studio import studio_stack
folder, out = map(Path, sys.argv[1:3])
stack = studio_stack(Parts(torch.device("cpu")), ["th"])
rows = read_manifest(folder / "real.jsonl")
encode_set(SimpleNamespace(utterances=lambda _: rows, folder=lambda _: folder, lang="th", stack=stack), "real", out)
print(len(rows))
"""
COMMAND = "import sys; from sebridge_lite.cli.main import main; sys.exit(main(sys.argv[1:]))"


def run(code: str, *arguments, place: Path, allowed: int | None = None) -> tuple[int, float, str]:
    """Exit code, peak memory in MB, and the last lines. allowed: bytes of addresses"""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "SEBRIDGE_WORKERS": "1"}
    env.pop("SEBRIDGE_OUTPUTS", None)
    limit = ["prlimit", f"--as={allowed}"] if allowed else []
    with tempfile.TemporaryFile() as said:
        command = [*limit, sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(command, cwd=place, env=env, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return process.returncode, used.ru_maxrss / 1024, said.read().decode(errors="replace").strip()


def manifest(path: Path, rows: int, seconds: int) -> Path:
    """A manifest of rows of one second, of a recording of so many."""
    with path.open("w", encoding="utf-8") as handle:
        for number in range(rows):
            row = {"id": f"row-{number}", "text": "ไปตลาด", "words": [], "lang": "th", "speaker": f"p{number % 50}"}
            row |= {"kind": "recording", "engine": "", "path": "a.wav", "seconds": 1.0, "frames": RATE}
            handle.write(json.dumps(row | {"start": number % seconds * RATE}, ensure_ascii=False) + "\n")
    return path


def recording(folder: Path, seconds: int) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, RATE * seconds)
    soundfile.write(folder / "a.wav", noise * np.sin(np.arange(len(noise)) / 2_000), RATE)
    return folder


def streams(place: Path, rows: int) -> list[str]:
    """What grew."""
    grown, home = [], project(place / "project")
    peaks = [run(ROWS, manifest(place / "m.jsonl", count, 10), place=home)[1] for count in (1_000, rows)]
    print(f"manifest row by row: {peaks[0]:.0f} MB for 1,000 rows, {peaks[1]:.0f} MB for {rows:,}", flush=True)
    grown += ["read_rows"] * (peaks[1] > peaks[0] + ALLOWED + rows * A_ROW / 2**20)
    asked = ["consent", "--who", "A", "--purpose", "b", "--until", "2099-01-01", "--reference"]
    works = {"encode": ENCODE, "check-data": COMMAND, "detect": COMMAND, "consent": COMMAND}
    for name, code in works.items():
        peaks = []
        for seconds in (10, 600):
            folder = recording(place / f"{name}{seconds}", seconds)
            given = {
                "encode": [folder, folder / "out"],
                "check-data": ["check-data", folder, "--lang", "th", "--skip-bad"],
                "detect": ["detect", folder / "a.wav"],
                "consent": [*asked, folder / "a.wav", "--out", folder / "consent.json"],
            }[name]
            manifest(folder / ("real.jsonl" if name == "encode" else "manifest.jsonl"), 600, seconds)
            code_, peak, said = run(code, *given, place=home)
            if code_:
                grown.append(f"{name}: {said[-300:]}")
            peaks.append(peak)
        print(f"{name}: {peaks[0]:.0f} MB with 10 s of recording, {peaks[1]:.0f} MB with 600 s", flush=True)
        grown += [name] * (peaks[1] > peaks[0] + (WHOLE if name == "detect" else ALLOWED))
    return grown


def limits(place: Path) -> list[str]:
    """Stages that ended in anything but success or one line."""
    wrong, home = [], project(place / "limited")
    for command in (["import"], ["encode"], ["sft", "additive-0.50", "--seed", "0"]):
        for allowed in (700, 900, 1_300, 1_500, 0):
            code, peak, said = run(COMMAND, *command, place=home, allowed=allowed * 10**6)
            ours = [line for line in said.splitlines() if line.startswith("sebridge: ")]
            fine = code == 0 or (code == 1 and len(ours) == 1 and "Traceback" not in said and "memory" in ours[0])
            print(f"{' '.join(command)} with {allowed or 'all'} MB: {code}, {peak:.0f} MB, {said[-140:]!r}", flush=True)
            wrong += [f"{command} with {allowed} MB"] * (not fine or (not allowed and code != 0))
            if code == 0:
                break
    return wrong


def main(rows: int) -> int:
    with tempfile.TemporaryDirectory() as place:
        wrong = streams(Path(place), rows) + limits(Path(place))
    print("\n".join(wrong) or "nothing grew, and every limit ended in one line")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
