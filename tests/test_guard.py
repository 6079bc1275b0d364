import subprocess
import sys


def run_fresh(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_transformers_and_peft_import_after_the_guard_in_a_fresh_interpreter():
    done = run_fresh(
        "import sebridge_lite, transformers, peft, torchaudio, torch\n"
        "from transformers import Qwen2Config, Qwen2Model\n"
        "Qwen2Model(Qwen2Config(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1,"
        " num_attention_heads=1, num_key_value_heads=1))\n"
        "mel = torchaudio.transforms.MelSpectrogram(16000, n_mels=40)(torch.randn(1, 1600))\n"
        "resampled = torchaudio.functional.resample(torch.randn(1, 441), 44100, 16000)\n"
        "print(tuple(mel.shape), tuple(resampled.shape))"
    )
    assert done.stdout.strip() == "(1, 40, 9) (1, 160)", done.stderr


def test_the_guard_costs_nothing_before_torchaudio_is_imported():
    done = run_fresh("import sys, sebridge_lite; print([m for m in ('torch', 'torchaudio') if m in sys.modules])")
    assert done.stdout.strip() == "[]"


def test_an_extension_that_loads_is_left_alone(tmp_path):
    package = tmp_path / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text("from torchaudio import _extension")
    (package / "_extension.py").write_text("_IS_TORCHAUDIO_EXT_AVAILABLE = 'real'")
    done = run_fresh(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport sebridge_lite, torchaudio\n"
        "print(torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE)"
    )
    assert done.stdout.strip() == "real", done.stderr
