"""`python tests/faults/disk.py`: stages on a disk that fills up, and on one that cannot be written to.

Each stage writes to a small file system in memory that holds links to the other outputs of a finished run (SEBRIDGE_OUTPUTS). It
is run with room for a part of what it writes: it must end in one line that names the full disk, and leave no output that could
be taken for whole. Then room is made, and it must run through and write the same bytes as ever. Only root can mount: else
nothing is tested, with a line that says so.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kill import ROOT, digest

STAGES = {  # by what each writes
    "artifacts/corpus": ["import"],
    "artifacts/tokens": ["encode"],
    "artifacts/sft/s0/additive-0.50": ["sft", "additive-0.50", "--seed", "0"],
    "artifacts/align/s0/dgsa": ["align", "dgsa", "--seed", "0"],
    "artifacts/critique/s0/tdsc": ["critique", "tdsc", "--seed", "0"],
}
SHARES = (0.0, 0.3, 0.9)  # of what the stage writes in the end, that there is room for
MB = 2**20


@contextmanager
def mounted(place: Path, size: int) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def linked(made: Path, out: str, outputs: Path) -> None:
    """Links to all artifacts of a finished run but one, and but those that every stage writes to."""
    here, there = outputs, made
    for part in Path(out).parts:
        for other in there.iterdir():
            if other.name not in (part, "accounts", "results") and not other.name.startswith("."):
                (here / other.name).symlink_to(other.resolve())
        here, there = here / part, there / part
        if there != made / out:
            here.mkdir()


def run(command: list[str], home: Path, outputs: Path) -> tuple[int, list[str]]:
    """Exit code, and lines on stderr but for warnings of what a run costs or loses."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "SEBRIDGE_WORKERS": "1"}
    env |= {"SEBRIDGE_OUTPUTS": str(outputs), "SEBRIDGE_PARTS": str(ROOT / "artifacts")}
    line = [sys.executable, "-m", "sebridge_lite.cli.main", *command]
    done = subprocess.run(line, cwd=home, env=env, capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


def bytes_of(out: Path) -> dict[str, str]:
    """The hash of every file that holds no times."""
    return {name: found for name, found in digest(out).items() if not name.endswith("about.json")}


def fill(outputs: Path, room: int) -> None:
    """A file that leaves so many bytes free."""
    free = shutil.disk_usage(outputs).free
    with (outputs / "filler").open("wb") as file:
        file.truncate(max(0, free - room))
        os.posix_fallocate(file.fileno(), 0, max(1, free - room))


def filled(out: str, command: list[str], home: Path, made: Path, place: Path) -> list[str]:
    """What went wrong of a stage on a disk that is full. It is run once with room enough, for what it should write."""
    calm, wrong = place.with_name(f"{place.name}-calm"), []
    calm.mkdir()
    linked(made, out, calm)
    code, said = run(command, home, calm)
    if code:
        return [f"{command}: {said[-3:]}"]
    size, wanted = sum(path.stat().st_size for path in (calm / out).rglob("*")), bytes_of(calm / out)
    for share in SHARES:
        with mounted(place, 2 * size + 200 * MB) as outputs:
            linked(made, out, outputs)
            fill(outputs, int(share * size))
            code, said = run(command, home, outputs)
            left = [name for name in digest(outputs / out) if not name.startswith(".")]
            told = code == 1 and len(said) and "disk is full" in said[-1] and "Traceback" not in str(said)
            refused = (told and not left) or (code == 0 and share > 0)
            (outputs / "filler").unlink()
            again, then = run(command, home, outputs)
            same = again == 0 and bytes_of(outputs / out) == wanted
            verdict = "whole afterwards" if same else f"NOT WHOLE afterwards: {then[-3:]}"
            last = said[-1][:150] if said else "nothing"
            print(f"{' '.join(command)}, room for {share:.0%}: {code}, {last}; {verdict}", flush=True)
            wrong += [f"{command} {share}: {said[-3:]}, left {left}"] * (not refused)
            wrong += [f"{command} {share}: {then[-3:]}"] * (not same)
    return wrong


def read_only(home: Path, made: Path, place: Path) -> list[str]:
    """What went wrong where nothing can be written."""
    wrong = []
    with mounted(place, 100 * MB) as outputs:
        linked(made, "artifacts/sft/s0/additive-0.50", outputs)
        subprocess.run(["mount", "-o", "remount,ro", outputs], check=True)
        for command in (["encode"], ["sft", "additive-0.50", "--seed", "0"]):
            code, said = run(command, home, outputs)
            print(f"{command[0]} on a read-only disk: {code}, {said[-1:]}", flush=True)
            wrong += [f"{command}: {said[-3:]}"] * (code != 1 or len(said) != 1 or "Traceback" in str(said))
    return wrong


def main(only: list[str]) -> int:
    made = Path(os.environ["SEBRIDGE_OUTPUTS"]).resolve()
    if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        print("not tested: only root may mount a small file system")
        return 0
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "project")
        home.mkdir()
        shutil.copy(ROOT / "params" / "smoke.yaml", home / "params.yaml")
        shutil.copy(ROOT / "dvc.yaml", home)
        (home / "params").symlink_to(ROOT / "params")
        (home / "data").symlink_to(ROOT / "data")
        for number, (out, command) in enumerate(STAGES.items()):
            if not only or command[0] in only:
                wrong += filled(out, command, home, made, Path(folder, f"disk{number}"))
        wrong += read_only(home, made, Path(folder, "read-only"))
    print("\n".join(wrong) or "every full disk ended in one line, and every stage was whole afterwards")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
