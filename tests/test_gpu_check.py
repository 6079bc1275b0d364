"""`make gpu-check` at tiny sizes on a CPU, and with nothing but what a bare GPU machine has."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ABSENT = "soundfile papermill dvc pythainlp laonlp jinja2 seaborn statsmodels nbconvert rapidfuzz onnxruntime librosa"


def test_it_runs_on_a_bare_machine_and_says_what_it_did_not_measure(tmp_path):
    file = tmp_path / "gpu.json"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({ABSENT.split()!r}))\n"
        "sys.path[:0] = ['benchmarks', '.']\n"
        f"import gpu_check; sys.exit(gpu_check.main(['--repeats', '1', '--json', {str(file)!r}]))"
    )
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "SEBRIDGE_OUTPUTS": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no GPU: speed, memory and parity across devices are not measured" in done.stderr
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["device"].startswith("cpu: tiny sizes") and "rates" not in report
    assert (
        report["parity"]["greedy"] == [4, 4] and report["parity"]["loss"] == 0 and 0 < report["parity"]["bf16"] < 1e-2
    )
    assert report["paper"]["memory_gib"] is None
    for part in ("studio", "paper"):
        assert all(value > 0 for name, value in report[part].items() if name != "memory_gib")
    assert report["generation"]["ours"] > 0 < report["generation"]["transformers"]
    assert set(report["sweep"]) == {"0.2", "0.5", "0.8"} and all(map(math.isfinite, report["sweep"].values()))
    assert not (tmp_path / "results").exists()  # a CPU's numbers are nobody's
