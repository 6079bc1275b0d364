"""`python tests/faults/kill.py [KILLS [SEED]]`: stages are killed anywhere, run again, and give the same bytes as undisturbed.

Three stages stand for all: `import` (sets and shards), `encode` (tokens) and `sft` (checkpoints). Each runs once undisturbed.
Then it is started and killed, its whole process group by SIGKILL, after a time drawn from the length of an undisturbed run,
until KILLS kills are spent. It must finish afterwards, leave nothing of the killed runs, and write the same bytes.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAGES = {
    "artifacts/corpus": ["import"],
    "artifacts/tokens": ["encode"],
    "artifacts/sft/s0/additive-0.50": ["sft", "additive-0.50", "--seed", "0"],
}
SMALL = {"real_minutes: 2.0": "real_minutes: 0.5", "synthetic_minutes: 10.0": "synthetic_minutes: 1.0"}


def project(place: Path) -> Path:
    """A project of the smoke profile with less speech."""
    place.mkdir()
    text = (ROOT / "params" / "smoke.yaml").read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    (place / "params.yaml").write_text(text, encoding="utf-8")
    for name in ("dvc.yaml", "params", "data"):
        (place / name).symlink_to(ROOT / name)
    for name in ("parts", "judges"):
        (place / "artifacts").mkdir(exist_ok=True)
        (place / "artifacts" / name).symlink_to(ROOT / "artifacts" / name)
    return place


def start(command: list[str], place: Path) -> subprocess.Popen:
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "SEBRIDGE_WORKERS": "1"}
    env.pop("SEBRIDGE_OUTPUTS", None)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    return subprocess.Popen([sys.executable, "-m", "sebridge_lite.cli.main", *command], cwd=place, env=env, **quiet)


def finished(command: list[str], place: Path) -> float:
    """Seconds that an undisturbed run takes."""
    begun, run = time.perf_counter(), start(command, place)
    said = run.communicate()[1].decode()
    assert run.returncode == 0, said
    return time.perf_counter() - begun


def digest(folder: Path) -> dict[str, str]:
    """The hash of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main(kills: int, seed: int) -> int:
    rng, wrong, spent = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory() as place:
        calm, rough = project(Path(place, "calm")), project(Path(place, "rough"))
        for number, (out, command) in enumerate(STAGES.items(), 1):
            took = finished(command, calm)
            while spent < kills * number // len(STAGES):
                run = start(command, rough)
                try:
                    run.wait(rng.uniform(0, took))
                except subprocess.TimeoutExpired:
                    os.killpg(run.pid, signal.SIGKILL)
                    spent += 1
                run.communicate()
                if run.returncode == 0:  # done before the kill came: begin it again
                    shutil.rmtree(rough / out)
            finished(command, rough)
            same = digest(calm / out) == digest(rough / out)
            left = [path.name for path in (rough / out).parent.iterdir() if path.name.startswith(".")]
            wrong += [command] if left or not same else []
            verdict = f"{'the same' if same else 'OTHER'} bytes, left over: {left or 'nothing'}"
            print(f"{' '.join(command)}: {spent} kills so far, {verdict}", flush=True)
    print(f"{spent} kills, {len(wrong)} stages with trouble")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(*map(int, [*sys.argv[1:], *(20, 0)[len(sys.argv) - 1 :]])))
