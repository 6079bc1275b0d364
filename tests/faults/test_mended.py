"""Faults that were found once: each is mended, and stays so."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from cases import THAI, folder_of, project, tone

from sebridge_lite.cli.main import main
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, in_line
from sebridge_lite.core.fields import read_yaml
from sebridge_lite.core.files import misfit, read_json, read_table
from sebridge_lite.core.params import load_params
from sebridge_lite.data.manifest import Utterance, load_audio
from sebridge_lite.data.recordings import write_sound
from sebridge_lite.extras.clone import speech_fault
from sebridge_lite.stack.features import energy_db, f0
from sebridge_lite.stack.tracks import Tracks

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(*arguments, capsys) -> str:
    assert main([str(argument) for argument in arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("sebridge: ")
    return lines[-1]


@pytest.mark.parametrize("target", ["in/wavs/a0.wav", "in/metadata.csv", "in/new.json", "pipe.json", "notes.txt"])
def test_a_report_takes_the_place_of_no_input_no_pipe_and_no_other_file(tmp_path, capsys, target):
    folder = folder_of(tmp_path / "in")
    (tmp_path / "notes.txt").write_text("mine")
    os.mkfifo(tmp_path / "pipe.json")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    refused("check-data", folder, "--json", tmp_path / target, capsys=capsys)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert main(["check-data", str(folder), "--json", str(tmp_path / "report.json")]) == 0


def test_a_device_is_never_replaced(tmp_path):
    (tmp_path / "null").symlink_to("/dev/null")  # a link, lest a fault here take the machine's own
    with pytest.raises(UserError, match="a device or a pipe"), paths.replacing(tmp_path / "null"):
        pass
    assert (tmp_path / "null").is_char_device()


def test_a_listening_test_is_made_in_no_folder_that_holds_something_else(tmp_path):
    from sebridge_lite.extras.listening import RECORDED, Item, make_test

    item = Item("i", THAI, tone(0.1), {RECORDED: tone(0.1), "sft": tone(0.1)})
    (tmp_path / "voice" / "clips").mkdir(parents=True)
    (tmp_path / "voice" / "clips" / "a.mp3").write_bytes(b"a recording of mine")
    with pytest.raises(UserError, match="holds something else"):
        make_test(tmp_path / "voice", [item], 0, "th", "t", 0, 16_000)
    assert (tmp_path / "voice" / "clips" / "a.mp3").is_file()


def test_a_cell_belongs_to_one_run_and_is_free_again_when_that_ends(tmp_path):
    with paths.working(tmp_path / "cell") as work:
        with pytest.raises(UserError, match="another run is making this"), paths.working(tmp_path / "cell"):
            pass
        assert work.is_dir()
    with paths.working(tmp_path / "cell"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_run_ends_with_it_and_its_leftovers_go(tmp_path):
    code = """
import sys, time
from pathlib import Path
from sebridge_lite.core import paths
with paths.working(Path("cell")), paths.replacing(Path("cell")) as temporary:
    temporary.mkdir()
    print("ready", flush=True)
    time.sleep(60)
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path, env=env)
    assert killed.stdout.readline() == b"ready\n"
    with pytest.raises(UserError, match="another run"), paths.working(tmp_path / "cell"):
        pass
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert (tmp_path / f".{killed.pid}.cell").is_dir()
    with paths.working(tmp_path / "cell"), paths.replacing(tmp_path / "cell") as temporary:
        temporary.mkdir()
        assert not (tmp_path / f".{killed.pid}.cell").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["cell"]


def test_a_folder_whose_replacement_fails_at_the_last_moment_is_still_there(tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "old").touch()
    with pytest.raises(OSError, match="no"), paths.replacing(tmp_path / "kept") as temporary:
        temporary.mkdir()
        real = Path.replace
        monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no")))
    monkeypatch.setattr(Path, "replace", real)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and (tmp_path / "kept" / "old").is_file()


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("form", ["wav", "aiff", "ogg", "flac"])
def test_a_recording_that_was_cut_off_is_no_shorter_recording(tmp_path, capsys, form, share):
    folder = folder_of(tmp_path / "in")
    path = folder / "wavs" / "a0.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 48_000), 16_000, format=form.upper())
    whole = path.read_bytes()
    assert main(["check-data", str(folder), "--lang", "th"]) == 0
    path.write_bytes(whole[: int(len(whole) * share)])
    assert main(["check-data", str(folder), "--lang", "th"]) == 1
    assert "breaks off" in capsys.readouterr().out
    with pytest.raises(UserError, match="breaks off"):
        load_audio(Utterance("a", "x", (), "th", "", "recording", "", "a0.wav", 3.0), folder / "wavs")
    assert "breaks off" in (said := refused("detect", path, capsys=capsys)) or "broken" in said


def test_a_wav_that_was_streamed_without_its_size_is_whole(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    raw = bytearray((tmp_path / "a.wav").read_bytes())
    at = raw.index(b"data") + 4
    raw[4:8] = raw[at : at + 4] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(raw)
    assert len(load_audio(Utterance("a", "x", (), "th", "", "recording", "", "a.wav", 1.0), tmp_path)) == 16_000


def test_a_sound_with_nan_is_neither_marked_nor_unmarked(tmp_path, capsys):
    sound = tone()
    sound[99] = np.nan
    soundfile.write(tmp_path / "a.wav", sound, 16_000, subtype="FLOAT")
    assert "broken" in refused("detect", tmp_path / "a.wav", capsys=capsys)


def track_of(sound: np.ndarray) -> Tracks:
    heard = torch.as_tensor(sound, dtype=torch.float32)[None]
    return Tracks(np.zeros((0, 80)), f0(heard)[0].numpy(), energy_db(heard)[0].numpy())


def test_noise_and_tones_are_no_voice_and_speech_is(tmp_path):
    rng, t = np.random.default_rng(0), np.arange(32_000) / 16_000
    swell = 1 + np.sin(2 * np.pi * 4 * t)
    said = speech_fault(track_of(0.2 * rng.normal(size=32_000)))
    assert said == "hardly any pitch" == speech_fault(track_of(0.1 * swell * rng.normal(size=32_000)))
    for hertz in (100, 440, 1_000):
        assert speech_fault(track_of(0.3 * np.sin(2 * np.pi * hertz * t))) == "one pitch throughout"
        assert speech_fault(track_of(0.2 * swell * np.sin(2 * np.pi * hertz * t))) == "one pitch throughout"
    assert speech_fault(track_of(0.3 * np.sin(2 * np.pi * (100 * t + 60 * t * t)))) == "one level throughout"
    assert speech_fault(track_of(tone(2.0))) == ""


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("seed: 1:00", "'1:00' is not a whole number"),
        ("seed: 010", "'010' is not a whole number"),
        ("seed: yes", "'yes' is not a whole number"),
    ],
)
def test_yaml_means_what_it_looks_like(tmp_path, text, part):
    lines = (ROOT / "params" / "smoke.yaml").read_text(encoding="utf-8").splitlines()
    (tmp_path / "p.yaml").write_text("\n".join(text if line.startswith("seed:") else line for line in lines))
    with pytest.raises(UserError) as caught:
        load_params(tmp_path / "p.yaml")
    assert part in str(caught.value)


def test_a_value_of_a_megabyte_is_shortened(tmp_path):
    (tmp_path / "p.yaml").write_text("a: " + "x" * 2_000_000)
    assert len(read_yaml(tmp_path / "p.yaml")["a"]) == 2_000_000
    with pytest.raises(UserError) as caught:
        load_params(tmp_path / "p.yaml")
    assert len(str(caught.value)) < 1_000
    assert len(in_line("x" * 2_000_000)) <= 1_500


@pytest.mark.parametrize(
    "nest", ["[" * 20_000, "[ " * 20_000, "a:\n" + "".join(" " * n + "a:\n" for n in range(1, 500))]
)
def test_a_deep_file_is_refused_at_once(tmp_path, nest):
    begun = time.perf_counter()
    (tmp_path / "p.yaml").write_text(nest)
    with pytest.raises(UserError):
        load_params(tmp_path / "p.yaml")
    assert time.perf_counter() - begun < 5


def test_names_from_data_cannot_move_the_cursor(tmp_path, capsys):
    folder = folder_of(tmp_path / "in")
    (folder / "metadata.csv").write_text(f"\x1b[2Ja0|{THAI}\na1|\x1b]0;title\x07{THAI}\n", encoding="utf-8")
    assert main(["check-data", str(folder), "--lang", "th"]) == 1
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err and "\\x1b" in shown.out


def test_a_row_of_the_recordings_is_overwritten_by_no_system(tmp_path, capsys):
    project(tmp_path / "project")
    for name in ("people", "engines", "dgsa", "sft-0.80", "../x", "a\x1bb"):
        said = refused("score-folder", tmp_path, "--lang", "th", "--name", name, capsys=capsys)
        assert "another row" in said or "not a plain name" in said


def test_an_engine_cannot_lead_out_of_its_folder(tmp_path, capsys):
    project(tmp_path / "project")
    (tmp_path / "project" / "mine").mkdir()
    folder = folder_of(tmp_path / "in")
    asked = ("new", "--real", folder, "--lang", "en", "--engine", f"../../mine={folder}", "--force")
    assert "not a plain name" in refused(*asked, capsys=capsys)
    assert (tmp_path / "project" / "mine").is_dir()


@pytest.mark.parametrize("part", ["..", "../x", "a/../b", "/etc", "a\0", "a\nb"])
def test_no_path_of_ours_leaves_its_folder(part, monkeypatch, tmp_path):
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    with pytest.raises(UserError, match="not a plain name"):
        paths.artifacts("sft", part)


def test_a_full_disk_is_told_when_sound_is_written(tmp_path):
    (tmp_path / "full.wav").symlink_to("/dev/full")
    with pytest.raises(OSError) as caught:
        write_sound(tmp_path / "full.wav", np.zeros(16_000, np.int16))
    assert paths.disk_full(caught.value)


def test_an_emptied_lock_file_of_dvc_gets_a_hint(tmp_path, capsys):
    (project(tmp_path / "project") / "dvc.lock").write_text("")
    assert main(["doctor"]) == 1
    assert "git checkout dvc.lock" in capsys.readouterr().out


def test_json_has_a_shape_and_each_key_once(tmp_path):
    assert misfit({"a": [1, 2], "b": {"x": "y"}}, {"a": [int], "b": {str: str}}) == ""
    assert misfit({"a": [1, True]}, {"a": [int]}) == "a[1] is not a whole number"
    assert misfit({"b": {"x": 1}}, {"b": {str: str}}) == "b['x'] is not a text"
    assert misfit({}, {"a": int}) == "it has no a" and misfit(1, float) == ""
    (tmp_path / "a.json").write_text('{"a": 1, "a": 2}')
    with pytest.raises(UserError, match="key 'a' stands twice"):
        read_json(tmp_path / "a.json", "mend it")


def test_a_table_has_its_columns_and_holds_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("id,wer\n007,0.5\nNA,\n")
    assert read_table(tmp_path / "a.csv", "mend it", texts=("id",))["id"].tolist() == ["007", "NA"]
    with pytest.raises(UserError, match="no column hp"):
        read_table(tmp_path / "a.csv", "mend it", columns=("hp",), texts=("id",))
    (tmp_path / "a.csv").write_text("id,wer\na,half\n")
    with pytest.raises(UserError, match="'wer' does not hold numbers"):
        read_table(tmp_path / "a.csv", "mend it", texts=("id",))


def test_t13_is_asked_at_the_temperature_that_gains_most(monkeypatch):
    from sebridge_lite.experiments import confirm

    gains = {0.85: 0.1, 1.0: 0.7, 1.2: -0.4}
    params = SimpleNamespace(cells=SimpleNamespace(seeds=(0, 1)), tdsc=SimpleNamespace(curve_texts=4), claims=None)
    monkeypatch.setattr(confirm, "curve_of", lambda bench, name, seed: gains)
    monkeypatch.setattr(confirm, "history", lambda bench, name, seed: [("start", {})])
    monkeypatch.setattr(confirm, "first", lambda found, texts: found)
    monkeypatch.setattr(confirm, "lesser_gain", lambda curve, start, texts, claims: curve[0])
    assert confirm.hottest(SimpleNamespace(params=params)) == 1.0


def test_every_step_of_a_training_has_random_numbers_of_its_own_and_a_run_has_them_again(tmp_path):
    from sebridge_lite.lm.train import Batches, TrainConfig, train

    def drawn(folder: Path, seed: int) -> list[float]:
        seen = []

        def loss(model, batch):
            seen.append(float(torch.rand(())))
            return model(batch).square().mean(), 1, {}

        config = TrainConfig(6, 0.01, 0, "constant", 0.0, save_every=0, seed=seed)
        batches = Batches([1] * 4, list("abcd"), 2, 0)
        train(torch.nn.Linear(1, 1), loss, batches, lambda some: torch.ones(len(some), 1), config, folder, "")
        return seen

    first = drawn(tmp_path / "a", 0)
    assert len(set(first)) == 6 and drawn(tmp_path / "b", 0) == first and not set(drawn(tmp_path / "c", 1)) & set(first)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_a_full_memory_is_one_line_whoever_tells_and_a_fault_of_ours_is_not_hidden(monkeypatch, capsys, error):
    def fail(what: Exception) -> None:
        raise what

    monkeypatch.setattr("sebridge_lite.cli.doctor.doctor", lambda: fail(error))
    assert "the memory is full" in refused("doctor", capsys=capsys)
    monkeypatch.setattr("sebridge_lite.cli.doctor.doctor", lambda: fail(RuntimeError("a fault of ours")))
    with pytest.raises(RuntimeError, match="of ours"):
        main(["doctor"])


def test_a_killed_helper_is_one_line():
    from sebridge_lite.core.workers import crew

    with pytest.raises(UserError, match="a process was killed, for memory"), crew(2) as pool:
        list(pool.map(signal.raise_signal, [signal.SIGKILL] * 4))


def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # no right stops root, who runs many a container
    with pytest.raises(UserError, match="cannot be written to"), paths.replacing(tmp_path / "out"):
        pytest.fail("the work began")


def test_edits_that_were_put_aside_are_never_overwritten(tmp_path):
    home = project(tmp_path / "project")
    lite = (home / "params" / "lite.yaml").read_text(encoding="utf-8")
    for seed in (7, 8):
        (home / "params.yaml").write_text(lite.replace("seed: 0 #", f"seed: {seed} #", 1), encoding="utf-8")
        assert main(["profile", "smoke", "--force"]) == 0
    kept = [(home / f"params.yaml.old{number}").read_text(encoding="utf-8") for number in ("", 1)]
    assert ["seed: 7 #" in kept[0], "seed: 8 #" in kept[1]] == [True, True]


def test_a_damaged_track_of_pitch_and_a_damaged_history_are_named_with_what_mends_them(tmp_path):
    from sebridge_lite.core.checkpoint import tidy
    from sebridge_lite.data.recordings import load_f0

    said = Utterance("a", "x", (), "th", "p", "people", "", "a.wav", 0.1, 0, 1_600)
    np.save(tmp_path / "a.f0.npy", np.full(10, 100.0))
    assert len(load_f0(said, tmp_path)) == 10
    np.save(tmp_path / "a.f0.npy", np.full(4, 100.0))
    with pytest.raises(UserError, match="ends before 'a' does; `dvc repro import`"):
        load_f0(said, tmp_path)
    (tmp_path / "a.f0.npy").write_bytes(b"\x93NUMPY junk")
    with pytest.raises(UserError, match="damaged"):
        load_f0(said, tmp_path)
    with pytest.raises(UserError, match="frames of 'a': missing; `dvc repro import`"):
        load_f0(replace(said, frames=None), tmp_path)
    (tmp_path / "loss.csv").write_text("step,loss\n1,0.5\nxx,0.4\n2,0.3")
    with pytest.raises(UserError, match="a row without its step"):
        tidy(tmp_path, 1)


@pytest.mark.parametrize("until", ["20990101", "2099-W01-1", "2099-1-1", "2099-01-01T00"])
def test_a_day_is_written_in_one_way(tmp_path, until):
    from sebridge_lite.extras.consent import write_consent

    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    with pytest.raises(UserError, match="not a day"):
        write_consent(tmp_path / "a.json", "A", "b", until, tmp_path / "a.wav")


def test_what_is_missing_is_named_where_it_is_needed(tmp_path, monkeypatch):
    from sebridge_lite.cli.export import export
    from sebridge_lite.data.summary import pitch_table
    from sebridge_lite.experiments.floors import recorded_by
    from sebridge_lite.stack.parts import Parts
    from sebridge_lite.stack.studio import studio_stack

    said = Utterance("a", "x", (), "th", "p", "people", "", "a.wav", 0.1, 0, 1_600)
    np.save(tmp_path / "a.f0.npy", np.linspace(90, 110, 10))
    with pytest.raises(UserError, match="'a': truth: missing; `dvc repro import`"):
        pitch_table([said], tmp_path)
    with pytest.raises(UserError, match="sound 1: missing; it holds no sound"):
        studio_stack(Parts(torch.device("cpu")), ["th"]).tracks_of_each([torch.zeros(16_000), torch.zeros(0)])
    with pytest.raises(UserError, match=r"params\.yaml: hub: missing"):
        export(SimpleNamespace(stack="hub", hub=None), Path("sft"), tmp_path / "llm.pt")
    project(tmp_path / "project")
    monkeypatch.delenv("SEBRIDGE_OUTPUTS", raising=False)
    with pytest.raises(UserError, match="scores of people: missing; `dvc repro`"):
        recorded_by(SimpleNamespace(lang="th"), "people")


def test_a_limit_of_memory_ends_in_one_line(tmp_path):
    command = ["prlimit", "--as=700000000", sys.executable, "-m", "sebridge_lite.cli.main", "plan"]
    done = subprocess.run(command, cwd=project(tmp_path / "project"), capture_output=True, text=True)
    said = "sebridge: memory: this shell allows 0.7 GB, and 1 GB are needed; raise the limit (ulimit -v)"
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", said)


@pytest.mark.parametrize("key", ["hub", "own"])
def test_a_section_that_may_be_null_and_is_not_there_is_named(tmp_path, key):
    text = (ROOT / "params" / "smoke.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(f"{key}: null")]
    assert len(lines) == len(text.splitlines()) - 1
    (tmp_path / "params.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UserError, match=f"{key}: missing; a section with .*, or null"):
        load_params(tmp_path / "params.yaml")
