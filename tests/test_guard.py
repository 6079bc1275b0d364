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
