"""Booby traps: files that would run code, unpack without end, or reach a shell. None goes off; each is one line."""

import gzip
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import folder_of, project

from sebridge_lite.core.checkpoint import resume
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.data.codes import read_codes
from sebridge_lite.data.engines import engine_of, say
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.own_data import check_folder
from sebridge_lite.data.recordings import load_f0
from sebridge_lite.lm.lora import load_policy
from sebridge_lite.stack.own import own_about
from sebridge_lite.stack.parts import load_part

CPU = torch.device("cpu")


class Trap:
    """What makes a folder `sprung` here when it is unpickled."""

    def __reduce__(self):
        return os.makedirs, ("sprung",)


@pytest.fixture(autouse=True)
def unsprung(tmp_path, monkeypatch):
    """In a folder of the test's own, in which no trap has gone off in the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEBRIDGE_OUTPUTS", raising=False)
    pickle.loads(pickle.dumps(Trap()))  # a trap is one
    Path("sprung").rmdir()
    yield
    assert not list(tmp_path.rglob("sprung*")), "a trap went off"


def refused(read, *given) -> str:
    with pytest.raises(UserError) as error:
        read(*given)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_no_file_of_weights_tokens_pitch_or_training_runs_code(tmp_path, form):
    home = project(tmp_path / "project")
    trap = home / "trap.safetensors"
    torch.save({"weight": Trap()}, trap) if form == "torch" else trap.write_bytes(pickle.dumps(Trap()))
    trap.with_suffix(".json").write_text('{"width": 8, "blocks": 1, "timbre": 8, "speakers": 2}')
    refused(load_part, "speaker", trap.with_suffix(""))
    refused(read_codes, trap)
    refused(resume, trap, {}, None, None, CPU)
    (home / "policy" / "adapter").mkdir(parents=True)
    (home / "policy" / "adapter" / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    for name in ("adapter_model.safetensors", "adapter_model.bin"):
        (home / "policy" / "adapter" / name).write_bytes(trap.read_bytes())
    refused(load_policy, home / "policy" / "model", "th", CPU)
    said = Utterance("a", "x", (), "th", "p", "people", "", "a.wav", 0.1, 0, 1_600)
    np.save(home / "a.f0.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    refused(load_f0, said, home)


def test_no_setting_of_yaml_or_json_runs_code(tmp_path):
    home = project(tmp_path / "project")
    text = (home / "params.yaml").read_text(encoding="utf-8")
    for tag in ("!!python/object/apply:os.makedirs [sprung]", "!!python/name:os.system", "!!python/module:os"):
        (home / "params.yaml").write_text(text.replace("seed: 0 #", f"seed: {tag} #", 1), encoding="utf-8")
        assert "params.yaml" in refused(load_params, home / "params.yaml")
    (home / "artifacts" / "own").mkdir(parents=True)
    (home / "artifacts" / "own" / "stack.json").write_bytes(pickle.dumps(Trap()))
    assert "stack.json" in refused(own_about, "th")


def model_folder(folder: Path, kind: str, auto: str) -> Path:
    """A folder of a hub model with its weights as a pickle, or with code of its own."""
    folder.mkdir()
    about = {"model_type": "wavlm", "hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    if kind == "code":
        names = ("AutoConfig", "AutoModel", auto)
        about = {"model_type": "trap", "auto_map": dict.fromkeys(names, "trap.Trap")}
        (folder / "trap.py").write_text("import os\nos.makedirs('sprung')\nclass Trap: pass\n")
        (folder / "processor_config.json").write_text('{"auto_map": {"AutoProcessor": "trap.Trap"}}')
        (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["trap.Trap", null]}}')
    else:
        torch.save({"encoder.weight": Trap()}, folder / "pytorch_model.bin")
        (folder / "preprocessor_config.json").write_text('{"feature_extractor_type": "Wav2Vec2FeatureExtractor"}')
    (folder / "config.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("kind", ["code", "pickle"])
def test_no_model_of_the_hub_runs_code(tmp_path, kind, monkeypatch):
    from sebridge_lite.lm.released import load_causal, read_weights
    from sebridge_lite.stack.hub import Likeness
    from sebridge_lite.stack.judges import ctc, whisper
    from sebridge_lite.stack.neutts import text_tokenizer

    monkeypatch.setattr("builtins.input", lambda *_: "y")  # whoever is asked says yes
    folder = str(model_folder(tmp_path / "model", kind, "AutoModelForCTC"))
    refused(lambda: Likeness(folder, 16_000, CPU).net)
    for judge in (ctc, whisper):
        refused(judge, folder, CPU)
    refused(text_tokenizer, folder)
    refused(load_causal, folder)
    if kind == "pickle":
        refused(read_weights, tmp_path / "model" / "pytorch_model.bin")


def test_no_archive_is_unpacked_and_a_table_that_swells_is_refused(tmp_path):
    for name in ("a.zip", "a.tar.gz"):
        (tmp_path / name).write_bytes(b"PK\x03\x04" + bytes(100))
        assert "no such folder" in refused(check_folder, tmp_path / name, "th")
    folder = folder_of(tmp_path / "in")
    (folder / "metadata.csv").unlink()
    with gzip.open(folder / "core-sounds-th.txt.gz", "wb", compresslevel=1) as file:
        for _ in range(60):
            file.write(b"\n" * 2**20)
    assert "characters" in refused(check_folder, folder, "th")


@pytest.mark.parametrize(
    "text", ["$(touch sprung)", "; touch sprung", "`touch sprung`", "| touch sprung &", "'\"\n{out}"]
)
def test_a_text_is_one_argument_of_an_engine_and_never_a_line_for_a_shell(tmp_path, text):
    program = tmp_path / "engine.py"
    program.write_text(
        "import sys, wave, pathlib\n"
        "pathlib.Path('asked').write_text(sys.argv[1], encoding='utf-8')\n"
        "with wave.open(sys.argv[2], 'wb') as file:\n"
        "    file.setparams((1, 2, 16_000, 0, 'NONE', ''))\n"
        "    file.writeframes(bytes([0, 0, 0, 64]) * 8_000)\n"
    )
    engine = engine_of(f"toy={sys.executable} {program} {{text}} {{out}}", "th")
    assert len(say(engine, text, tmp_path / "said.wav"))
    assert (tmp_path / "asked").read_text(encoding="utf-8") == text
