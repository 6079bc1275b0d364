"""`python tests/faults/two.py`: two `dvc repro` at once. One waits or refuses in a line, and the results are whole."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill import ROOT, digest, finished, project


def started(place: Path) -> subprocess.Popen:
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "SEBRIDGE_WORKERS": "1",
        "DVC_NO_ANALYTICS": "1",
    }
    env |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env.pop("SEBRIDGE_OUTPUTS", None)
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "import"]
    return subprocess.Popen(command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        calm, rough = project(Path(folder, "calm")), project(Path(folder, "rough"))
        finished(["import"], calm)
        (rough / "dvc.yaml").unlink()
        for name in ("dvc.yaml", "data.dvc"):
            shutil.copy(ROOT / name, rough)
        (rough / "sebridge_lite").symlink_to(ROOT / "sebridge_lite")
        (rough / ".dvc").mkdir()
        (rough / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
        runs = [started(rough)]
        time.sleep(5)
        runs.append(started(rough))
        said = [run.communicate()[0] for run in runs]
        codes = [run.returncode for run in runs]
        last = [text.strip().splitlines()[-1] if text.strip() else "" for text in said]
        same = digest(calm / "artifacts" / "corpus") == digest(rough / "artifacts" / "corpus")
        refused = [text for code, text in zip(codes, said, strict=True) if code]
        fine = 0 in codes and all("lock" in text and "Traceback" not in text for text in refused)
        print(f"exit codes {codes}, {last}, results {'whole' if same else 'NOT WHOLE'}")
        return int(not (fine and same))


if __name__ == "__main__":
    sys.exit(main())
