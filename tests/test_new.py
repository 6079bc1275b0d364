"""`sebridge new`: every layout, engines by spec, bad input, and the way to the corpus."""

import json
import re
import shutil
import sys
from collections import namedtuple
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sebridge_lite.cli.main import main
from sebridge_lite.cli.new import plan, too_few_engines
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import active_params, load_params
from sebridge_lite.data import engines
from sebridge_lite.data.own_data import check_folder
from sebridge_lite.data.own_tables import find_table, read_table
from sebridge_lite.data.recordings import trimmed
from sebridge_lite.data.sets import load_set
from sebridge_lite.experiments.corpus import run_import

ROOT = Path(__file__).parents[1]
TEXTS = [
    " ".join(words)
    for words in product(("Η γάτα", "ο σκύλος", "το νερό"), ("δεν", "πάντα"), ("μιλάει", "φεύγει"), ("εδώ.", "μακριά!"))
]
TEXTS += ["Καλημέρα", "πού είναι το βιβλίο;"]


def noise(letters: int, rate: int = 16_000, channels: int = 1) -> np.ndarray:
    return 0.1 * np.random.default_rng(letters).standard_normal((round(0.08 * letters * rate), channels))


def save(folder: Path, name: str, text: str, rate: int = 16_000, channels: int = 1) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / name, noise(len(text), rate, channels), rate)


def ljspeech(folder: Path, texts: list[str] = TEXTS, **how) -> Path:
    for place, text in enumerate(texts):
        save(folder, f"wavs/u{place}.wav", text, **how)
    (folder / "metadata.csv").write_text("".join(f"u{i}|{text}\n" for i, text in enumerate(texts)), encoding="utf-8")
    return folder


# Layouts: each gives the same three utterances

SAID = {"one": TEXTS[0], "two": TEXTS[1], "three": TEXTS[2]}
MANIFEST = '{{"id":"{name}","text":"{text}","path":"{name}.ogg","words":[],"speaker":"p","kind":"recording",'
LAYOUTS = {  # where the sound lies, and the tables: a head, and a line for each utterance
    "LJSpeech": ("wavs/{}.wav", {"metadata.csv": "{name}|{text}"}),
    "audiofolder": ("{}.flac", {"metadata.csv": 'file_name,sentence\n{name}.flac,"{text}"'}),
    "Common Voice": ("clips/{}.mp3", {"dev.tsv": "client_id\tpath\tsentence\np\t{name}.mp3\t{text}"}),
    "Kaldi": ("a b/{}.wav", {"wav.scp": "{name} {at}/a b/{name}.wav", "text": "{name} {text}", "utt2spk": "{name} p"}),
    "festvox": ("wav/{}.wav", {"etc/txt.done.data": '( {name} "{text}" )'}),
    "Asterisk": ("{}.wav", {"core-sounds-el.txt": "; prompts\n\nx: <a beep>\n{name}: {text} [beep]"}),
    "manifest.jsonl": ("{}.ogg", {"manifest.jsonl": MANIFEST + '"seconds":1,"lang":"el","engine":""}}'}),
    "a text beside each recording": ("deep/{}.wav", {}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_known_by_what_is_there(tmp_path, layout):
    place, tables = LAYOUTS[layout]
    for name, text in SAID.items():
        save(tmp_path, place.format(name), text)
        if not tables:
            (tmp_path / place.format(name)).with_suffix(".txt").write_text(text, encoding="utf-8")
    head, line = "", ""
    for name, table in tables.items():
        head, line, form = table.rpartition("\n")
        lines = [form.format(at=tmp_path, name=name, text=text) for name, text in SAID.items()]
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(head + line + "\n".join(lines), encoding="utf-8")
    good, problems, card = check_folder(tmp_path, "el")
    assert card["layout"] == layout
    begins = 1 + (head + line).count("\n")
    assert [row for row, _ in read_table(tmp_path, find_table(tmp_path))][-3:] == [begins, begins + 1, begins + 2]
    assert sorted(said.text for said in good) == sorted(text.lower() for text in SAID.values())
    assert [str(problem) for problem in problems if "has no words" not in problem.what] == []
    assert card["changes"]["capitals, now small"][0] == sum(text != text.lower() for text in SAID.values())


def test_telephone_sound_needs_a_converter(tmp_path, monkeypatch):
    save(tmp_path, "a.wav", TEXTS[0])
    (tmp_path / "a.wav").rename(tmp_path / "a.g722")
    (tmp_path / "a.txt").write_text(TEXTS[0], encoding="utf-8")
    if shutil.which("ffmpeg"):  # which knows by its content what that is
        assert len(check_folder(tmp_path, "el")[0]) == 1
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="needs ffmpeg or sox"):
        check_folder(tmp_path, "el")


# Engines


def test_at_most_a_tenth_of_a_second_of_silence_stays_at_either_end():
    parts = ((16_000, -40.5), (8_000, 0), (4_800, -39.5), (16_000, -40.5))  # silence is 40 dB under the loudest
    sound = np.concatenate([30_000 * 10 ** (db / 20) * np.sin(0.2 * np.pi * np.arange(n)) for n, db in parts])
    assert np.array_equal(trimmed(sound), sound[16_000 - 1_600 : 16_000 + 12_800 + 1_600])
    assert len(trimmed(np.zeros(5_000, np.int16))) == 5_000


def test_what_an_engine_is_asked_for_follows_from_its_spec(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(engines, "_flite_voices", lambda _: ("kal", "slt"))
    found = {spec: engines.engine_of(spec, "zh") for spec in ("espeak-ng", "espeak-ng:fr", "flite:slt")}
    assert [one.name for one in found.values()] == ["espeak-ng", "espeak-ng-fr", "flite-slt"]
    assert [one.command[2] for one in found.values()] == ["cmn", "fr", "slt"]
    with pytest.raises(UserError, match="flite's voices are kal, slt"):
        engines.engine_of("flite", "zh")
    with pytest.raises(UserError, match="neither a folder nor a command"):
        engines.engine_of("x=say {text}", "zh")
    with pytest.raises(UserError, match="engine x: writes no sound for 'ไป': two"):  # the last of what it says
        engines.say(engines.Engine("x", ("sh", "-c", "echo one >&2; echo two >&2")), "ไป", tmp_path / "a.wav")


SAYS = """
import sys, wave, random
text, out = sys.argv[1:]
with wave.open(out, "wb") as file:
    file.setparams((1, 2, 22050, 0, "NONE", ""))
    file.writeframes(random.Random(text).randbytes(2 * int(22050 * .08 * len(text))))
"""


@pytest.fixture
def robot(tmp_path) -> str:
    """The spec of an engine that is a program of somebody's own."""
    (tmp_path / "says.py").write_text(SAYS)
    return f"robot={sys.executable} -I -S '{tmp_path / 'says.py'}' {{text}} {{out}}"


def test_what_was_said_is_not_said_again(tmp_path, robot):
    texts = [(text, tuple(text.split())) for text in ("ένα; 'δύο' $x", "-v", *["ένα; 'δύο' $x"] * 9)]
    first = list(engines.spoken(robot, iter(texts), "el", tmp_path / "work"))
    (tmp_path / "says.py").unlink()
    again = list(engines.spoken(robot, iter(texts), "el", tmp_path / "work"))
    assert [one.utterance.text for one in again] == [text for text, _ in texts]
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(first, again, strict=True))
    assert len(first[0].samples) == pytest.approx(16_000 * 0.08 * len(texts[0][0]), abs=2)


# The command


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "params", folder / "params", ignore=shutil.ignore_patterns("own.yaml"))
    shutil.copy(ROOT / "params" / "lite.yaml", folder / "params.yaml")
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "data" / "text").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    monkeypatch.delenv("SEBRIDGE_OUTPUTS", raising=False)
    return folder


def test_a_mix_that_gives_dgsas_expressivity_pairs_no_weight_is_told_with_what_is_missing():
    lite = load_params(ROOT / "params" / "lite.yaml")

    def told(arm: str) -> list[str]:
        return list(too_few_engines(replace(lite, align=replace(lite.align, arm=arm))))

    (line,) = told("additive-0.50")
    assert line.startswith("warning: the largest mix with real speech, 50%, is not above alpha*, 50%")
    assert lite.corpus.real_minutes == 30 and "about 126 min of engines reach 80%" in line  # 30 x 4 x 1.05
    assert told("additive-0.09") and not told("additive-0.67")


def test_the_plan_says_that_a_judge_by_name_takes_longer():
    lite = load_params(ROOT / "params" / "lite.yaml")

    def told(judge: str) -> str:
        return plan(replace(lite, judge=replace(lite.judge, score=judge)), {}, [], "lines", "1 GiB")

    assert "faster-whisper:base comes on top" in told("faster-whisper:base") and "on top" not in told("own")


def test_from_a_folder_to_a_corpus(home, tmp_path, robot, capsys):
    source, other = ljspeech(tmp_path / "mine", rate=22_050, channels=2), ljspeech(tmp_path / "exported", TEXTS[:22])
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    assert main(["new", "--real", str(source), "--lang", "el", "--engine", robot, "--engine", f"other={other}"]) == 0
    shown = capsys.readouterr().out
    assert "LJSpeech" in shown and "26 of several channels, mixed down" in shown and "dvc add data" in shown
    assert "warning: test has 6 texts" in shown and "speaker 'own' is in train and in test" in shown
    assert before == {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    assert soundfile.info(home / "data" / "real" / "u0.flac").samplerate == 16_000
    for line in (home / "params" / "own.yaml").read_text(encoding="utf-8").splitlines():
        if line.partition(" # ")[0].partition(":")[2].strip() and not line.startswith("#"):
            assert re.match("ours: |.*(Sec|Table|Eq)[. ]|.*[FD][.]", line.partition(" # ")[2]), line
    assert main(["profile", "own"]) == 0
    edited = (home / "params.yaml").read_text(encoding="utf-8")
    for key, value in {
        "backbone_engines": json.dumps([robot]),
        "backbone_minutes": "0.1",
        "units": "characters",
    }.items():
        edited = re.sub(f"{key}: .*? #", lambda _, line=f"{key}: {value} #": line, edited)
    (home / "params.yaml").write_text(edited, encoding="utf-8")
    params = active_params()
    assert params.profile == params.stack == "own" and params.corpus.engine_specs == (robot, "folder:other")
    assert run_import(params)["el"].get("text held out", 0) > 0
    sets = {name: load_set(name, "el") for name in ("real", "synthetic", "dev", "test")}
    assert [len(sets[name]) for name in ("real", "dev", "test")] == [16, 4, 6]
    held = {said.words for name in ("dev", "test") for said in sets[name]}
    assert not held & {said.words for name in ("real", "synthetic") for said in sets[name]}
    assert {said.engine for said in sets["synthetic"]} == {"robot", "other"}
    assert not list((home / "artifacts").glob(".*.work"))


TINY = namedtuple("Usage", "total used free")(1, 1, 1_000)
BAD = {  # what is given instead of what is right, and what the one line says
    "no audio": ({"texts": []}, "no audio, and no table of recordings"),
    "another script": ({"lang": "ru"}, "26 of 26 transcripts are not in the script of --lang ru"),
    "ten recordings": ({"texts": TEXTS[:10]}, "10 recordings can be used, at least 20 are needed"),
    "ten of another": (
        {"texts": [*TEXTS[:16], *["да"] * 10]},
        "16 recordings can be used, at least 20 are needed; 10 are",
    ),
    "no engine": ({"engine": []}, "no engine: name one or more"),
    "missing engine": ({"engine": ["x=no-such-program {text} {out}"]}, "no-such-program is not installed"),
    "no such folder": ({"engine": ["x=nowhere"]}, "nowhere: no such folder, and no command"),
    "unknown engine": ({"engine": ["festival"]}, "not one of NAME=DIR"),
    "silent engine": ({"engine": ["x=true {text} {out}"]}, "engine x: writes no sound for"),
    "disk": ({"disk": TINY}, "GiB are needed, 0.0 are free; make room"),
    "no judge": ({"judge": "faster-whisper:nowhere"}, "judge faster-whisper"),
    "texts": ({"lines": "hello\n"}, "no sentences in the script of --lang el"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_and_nothing_is_lost(home, tmp_path, robot, capsys, monkeypatch, what):
    given, part = BAD[what]
    source, texts = tmp_path / "mine", given.get("texts", TEXTS)
    source.mkdir()
    if texts:
        ljspeech(source, texts)
    if "disk" in given:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: given["disk"])
    asked = [f"--engine={spec}" for spec in given.get("engine", [robot])]
    if "lines" in given:
        (tmp_path / "lines.txt").write_text(given["lines"])
        asked.append(f"--texts={tmp_path / 'lines.txt'}")
    if "judge" in given:
        asked.append(f"--judge={given['judge']}")
    assert main(["new", "--real", str(source), "--lang", given.get("lang", "el"), *asked]) == 1
    shown = capsys.readouterr()
    assert part in shown.err and shown.err.count("\n") == 1
    assert [path.name for path in (home / "data").iterdir()] == ["text"]
    assert not (home / "params" / "own.yaml").exists()


def test_what_is_there_is_replaced_only_by_force(home, tmp_path, robot, capsys):
    asked = [
        "new",
        "--real",
        str(ljspeech(tmp_path / "mine", TEXTS[:20], rate=8_000)),
        "--lang",
        "el",
        "--engine",
        robot,
    ]
    assert main(asked) == 0
    assert "20 recordings have under 16000 Hz" in capsys.readouterr().out
    assert main(asked) == 1 and "holds something already" in capsys.readouterr().err
    assert main([*asked, "--force"]) == 0
