"""Bad input, made at random from a seed: params, tables, audio, weights, consent, ratings, names, and files under artifacts/.

A case has a folder of its own, an action, and whether it must be refused. The verdict on it is `trouble`: a traceback, more than
SLOW seconds, a refusal that is not one line, a lost or changed input, or an acceptance of what must be refused.
"""

import contextlib
import importlib
import io
import json
import os
import random
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import yaml

from sebridge_lite.cli.main import main
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params

ROOT = Path(__file__).parents[2]
SLOW = 10.0  # seconds
THAI = "ฉันไปตลาด"
ODD = [
    "\x1b[31mred",
    "a\nb",
    "a\rb",
    "\u202eabc",
    "../up",
    "..",
    "/etc",
    "a/b",
    "",
    " ",
    "\0",
    "x" * 5_000,
    "\ud800",
    ".hidden",
]
JUNK: list = [
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    float("nan"),
    "",
    "x",
    "\x1b[2J",
    [],
    {},
    [[]],
    {"a": 1},
    "\u202e",
    "9" * 5_000,
]


@dataclass
class Case:
    """`refuse`: None where either answer is right. `kept`: files that must be there, unchanged, afterwards."""

    kind: str
    what: str
    act: Callable[[], int]
    refuse: bool | None = None
    kept: list[Path] = field(default_factory=list)


def command(*arguments) -> Callable[[], int]:
    return lambda: main([str(argument) for argument in arguments])


def reading(read: Callable) -> Callable[[], int]:
    """An action of a reader, which raises a UserError or gives something back."""

    def act() -> int:
        import sys

        try:
            read()
        except UserError as error:
            print(f"sebridge: {error}", file=sys.stderr)
            return 1
        return 0

    return act


def trouble(case: Case) -> str:
    """What is wrong with how a case ended, or ''."""
    before = {path: path.read_bytes() for path in case.kept}
    out, err, begun = io.StringIO(), io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = case.act()
        except SystemExit as stopped:
            code = 2 if stopped.code else 0
        except BaseException:
            code = traceback.format_exc()
    took, lines = time.perf_counter() - begun, err.getvalue().splitlines()
    if isinstance(code, str):
        return f"a traceback: {code[-600:]}"
    if took > SLOW:
        return f"{took:.0f} s"
    if any(not path.is_file() or path.read_bytes() != kept for path, kept in before.items()):
        return "an input is lost or changed"
    if code == 1 and not (
        lines and lines[-1].startswith("sebridge: ") and ("; " in lines[-1] or ": " in lines[-1][10:])
    ):
        return f"no line that names place and mend: {lines[-3:]}"
    if code == 1 and sum(line.startswith("sebridge: ") for line in lines) != 1:
        return f"more than one line: {lines}"
    if any(not (c.isprintable() or c in "\n\t") for c in out.getvalue() + err.getvalue().replace("\r", "")):
        return "raw control characters on the terminal"
    if any(len(line) > 2_000 for line in lines):
        return "a line of over 2,000 characters"
    return "accepted in silence" if case.refuse and code == 0 else ""


def tone(seconds: float = 1.0, rate: int = 16_000) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return 0.4 * np.sin(2 * np.pi * 180 * t + 3 * np.sin(8 * t)) * (0.6 + 0.4 * np.sin(25 * t))


def folder_of(place: Path, count: int = 3) -> Path:
    """A whole LJSpeech folder."""
    (place / "wavs").mkdir(parents=True)
    for number in range(count):
        soundfile.write(place / "wavs" / f"a{number}.wav", tone(), 16_000)
    rows = "".join(f"a{number}|{THAI}\n" for number in range(count))
    (place / "metadata.csv").write_text(rows, encoding="utf-8")
    return place


def project(place: Path, profile: str = "smoke") -> Path:
    """A project without data, and from now on the working directory."""
    shutil.copytree(ROOT / "params", place / "params")
    shutil.copy(ROOT / "dvc.yaml", place / "dvc.yaml")
    shutil.copy(place / "params" / f"{profile}.yaml", place / "params.yaml")
    (place / "data").symlink_to(ROOT / "data")
    os.chdir(place)
    return place


# --- parameters

MUST_REFUSE = {
    "cells.seeds": [[0, 0, 0], [-1], [2**40], [0.5], [True], "0"],
    "corpus.duration_ratio": [[2.0, 0.5], [0.5, 0.5], [1.0], [0.1, 1.0, 2.0]],
    "sampling.min_ratio": [99.0, -1.0, None, "1:00"],
    "cells.arms": [["additive-9.00"], ["nonsense-0.50"], ["additive-0.03", "additive-0.03"], ["../additive-0.80"], []],
    "cells.align": [["nonsense"], ["dgsa", "dgsa"], ["../dgsa"], ["dgsa-7.00"], ["\x1b[2J"]],
    "cells.critique": [["nonsense"], [None], ["tdsc\n"]],
    "roles.dgsa": ["../..", "", "th/..", "\u202eth", "t" * 99, 7],
    "align.arm": ["additive-0.33", "sft", "../x"],
    "confirm.align": [["nonsense"], ["lora"]],
    "listening.systems": [["nobody"]],
    "judge.score": ["", "nonsense", "own\n"],
    "pretrain.levels": [[64] * 9, [], [1]],
    "sft.steps": [0, "1:00", 1e9, "60", None, [60]],
    "seed": [-1, 2**70, "0", 0.0, None],
    "stack": ["hub", "", None, 3],
}
BROKEN_YAML = [
    b"\0",
    b"\xff\xfe",
    b"",
    b"[",
    b"a: b: c",
    b"- 1\n- 2",
    b"[" * 20_000,
    b"{a: " * 5_000,
    b"a: &a [*a]",
    b"seed: !!python/object/apply:os.system [id]",
    b"seed: 2001-99-99",
    b"seed: 1" + b"0" * 5_000,
    b"? [1]\n: 2",
    b"%YAML 9.9\n---\n",
    b'a: "\\ud800"',
    b"\xef\xbb\xbf[]",
    b"a: &x [1]\nb: &y [*x,*x,*x,*x,*x,*x,*x,*x]\nseed: [*y,*y,*y,*y,*y]\n",
]


def changed(key: str, value, place: Path) -> None:
    """params.yaml with another value of a key such as sft.steps; a text is written as it is, without quotes."""
    tree = yaml.safe_load((place / "params.yaml").read_text(encoding="utf-8"))
    section, _, name = key.rpartition(".")
    (tree[section] if section else tree)[name] = value
    text = yaml.safe_dump(tree, allow_unicode=False)
    if value == "1:00":
        text = text.replace(f"{name}: '1:00'", f"{name}: 1:00").replace(f'{name}: "1:00"', f"{name}: 1:00")
    (place / "params.yaml").write_text(text, encoding="utf-8")


def params_case(rng: random.Random, place: Path) -> Case:
    project(place)
    act, refuse = command("profile", "own"), True
    if rng.random() < 0.3:
        broken = rng.choice(BROKEN_YAML)
        (place / "params.yaml").write_bytes(broken)
        what = f"params.yaml: {broken[:40]!r}"
    elif rng.random() < 0.6:
        key = rng.choice(list(MUST_REFUSE))
        value = rng.choice(MUST_REFUSE[key])
        changed(key, value, place)
        what = f"{key}: {value!r:.60}"
    else:
        tree = yaml.safe_load((place / "params.yaml").read_text(encoding="utf-8"))
        section = rng.choice([name for name, value in tree.items() if isinstance(value, dict)])
        name, value = rng.choice(list(tree[section])), rng.choice(JUNK)
        changed(f"{section}.{name}", value, place)
        what, refuse = f"{section}.{name}: {value!r:.60}", None
    (place / "params.yaml").replace(place / "params" / "own.yaml")
    shutil.copy(ROOT / "params" / "smoke.yaml", place / "params.yaml")
    if rng.random() < 0.3 and refuse and "cells." not in what:
        act = reading(lambda: load_params(place / "params" / "own.yaml"))
    return Case("params", what, act, refuse, [place / "params.yaml"])


# --- tables and audio

HEADERS = {
    "validated.tsv": "client_id\tpath\tsentence\n",
    "manifest.csv": "file,text,speaker\n",
    "manifest.jsonl": "",
    "metadata.csv": "",
}
ROW = {
    "id": "a",
    "text": THAI,
    "words": [],
    "lang": "th",
    "speaker": "p",
    "kind": "recording",
    "engine": "",
    "path": "wavs/a0.wav",
    "seconds": 1.0,
}


def bad_table(rng: random.Random, folder: Path) -> tuple[str, bool | None]:
    """Writes a table that is wrong; says what, and whether it must be refused."""
    good = f"wavs/a0.wav,{THAI},p"
    whole = {
        "manifest.csv": [
            (f"file,text,text\nwavs/a0.wav,{THAI},{THAI}\n", "a column twice"),
            (f'file,text\nwavs/a0.wav,"{THAI}\nwavs/a1.wav,{THAI}\n', "an unclosed quote"),
            (f"file,text,speaker\n{good[:-1]}\x1b[2J\n", "a speaker with ESC"),
            (f"file,text,speaker\n../a0.wav,{THAI},p\n", "a path that leads out"),
            (f"file,text,speaker\nwavs/a0.wav,{THAI}\u202e,p\n", "a bidi control in a text"),
            (f"file,text,speaker\nwavs/a0.wav,{THAI}\ue000,p\n", "a private letter in a text"),
            ("file,text\n", "no rows"),
        ],
        "metadata.csv": [
            (f"a0|{THAI}\ra1|{THAI}\ra2|{THAI}\r", "line ends of old Macs"),
            (f"a0|{THAI}\na0|{THAI}ๆ\n", "an id twice"),
            (f"a0|{THAI}\n|{THAI}\n", "an empty id"),
            (f"a0|{THAI}\n\x1b|{THAI}\n", "an id with ESC"),
            (f"a0|{THAI}|x|y\n", "too many columns"),
            ("a0|hello there\n", "a text in another script"),
            (f"a0|{THAI}\x07\n", "a control character"),
            ("\0\0\0", "NUL"),
        ],
        "validated.tsv": [
            (f"client_id\tpath\tsentence\tsentence\np\ta0.wav\t{THAI}\t{THAI}\n", "a column twice"),
            (f"client_id\tpath\nsentence\np\ta0.wav\t{THAI}\n", "a column missing"),
            (f"client_id\tpath\tsentence\n\u202ep\t../wavs/a0.wav\t{THAI}\n", "a speaker with a bidi control"),
        ],
        "manifest.jsonl": [
            (json.dumps(ROW)[:-1] + ', "id": "b"}\n', "a key twice"),
            (json.dumps(ROW | {"lang": "../.."}) + "\n", "a language that leads out"),
            (json.dumps(ROW | {"seconds": 1e400}) + "\n", "infinite seconds"),
            (json.dumps(ROW | {"speaker": "a\nb"}) + "\n", "a speaker of two lines"),
            (json.dumps(ROW | {"frames": 2**70}) + "\n", "absurd frames"),
            ("[" * 100_000 + "\n", "nested brackets"),
            ('{"id": ' + "1" * 5_000 + "}\n", "a number of 5,000 digits"),
        ],
    }
    name = rng.choice(list(whole))
    for other in HEADERS:
        (folder / other).unlink(missing_ok=True)
    if rng.random() < 0.75:
        text, what = rng.choice(whole[name])
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        return f"{name}: {what}", True
    pieces = ["|", ",", "\t", "\n", "\r", '"', "a0", "wavs/a0.wav", THAI, "\0", "..", "{", "}", "\u2028", "\x85"]
    body = HEADERS[name] + "".join(rng.choice(pieces) for _ in range(rng.randrange(40)))
    (folder / name).write_text(body, encoding="utf-8", newline="")
    return f"{name}: pieces", None


def table_case(rng: random.Random, place: Path) -> Case:
    folder = folder_of(place / "in")
    what, refuse = bad_table(rng, folder)
    return Case("tables", what, command("check-data", folder, "--lang", "th"), refuse, sorted(folder.glob("wavs/*")))


def broken_sound(rng: random.Random, path: Path) -> tuple[str, bool | None]:
    """Writes a recording of a broken kind; says which, and whether it must be refused."""
    kind = rng.choice(
        [
            "cut wav",
            "cut flac",
            "cut ogg",
            "cut aiff",
            "nan",
            "infinite",
            "silent",
            "short",
            "long",
            "noise bytes",
            "empty",
            "flipped bytes",
            "fifo",
            "folder",
            "mute header",
            "cut rf64",
            "wide",
            "slow",
        ]
    )
    form = {"cut flac": "flac", "cut ogg": "ogg", "cut aiff": "aiff", "cut rf64": "rf64"}.get(kind, "wav")
    sound, subtype, rate = tone(2.0), None, 16_000
    if kind in ("nan", "infinite"):
        sound, subtype = sound.copy(), "FLOAT"
        sound[rng.randrange(len(sound))] = np.nan if kind == "nan" else np.inf
    sound = {
        "silent": np.zeros(16_000),
        "short": tone(0.2),
        "long": tone(31.0),
        "wide": np.tile(tone()[:, None], (1, 9)),
    }.get(kind, sound)
    rate = 1_000 if kind == "slow" else rate
    soundfile.write(path, sound, rate, format=form.upper(), subtype=subtype)
    whole = path.read_bytes()
    if kind.startswith("cut"):
        path.write_bytes(whole[: int(len(whole) * rng.choice([0.3, 0.5, 0.9]))])
    elif kind in ("noise bytes", "empty"):
        path.write_bytes(rng.randbytes(4_000) if kind == "noise bytes" else b"")
    elif kind == "flipped bytes":
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[rng.randrange(60)] = rng.randrange(256)
        path.write_bytes(damaged)
        return kind, None
    elif kind == "mute header":
        path.write_bytes(whole[:36])
    elif kind in ("fifo", "folder"):
        path.unlink()
        os.mkfifo(path) if kind == "fifo" else path.mkdir()
    return kind, True


def audio_case(rng: random.Random, place: Path) -> Case:
    folder = folder_of(place / "in")
    path = folder / "wavs" / "a0.wav"
    what, refuse = broken_sound(rng, path)
    how = rng.choice(["check-data", "detect", "consent"])
    if how == "check-data":
        return Case("audio", f"{what}, check-data", command("check-data", folder, "--lang", "th"), refuse)
    if how == "detect":
        harmless = what in ("silent", "short", "long", "wide", "slow")
        return Case("audio", f"{what}, detect", command("detect", path), None if harmless else refuse)
    out = place / "consent.json"
    asked = ("consent", "--who", "A", "--purpose", "b", "--until", "2099-01-01", "--reference", path, "--out", out)
    harmless = what in ("silent", "short", "long", "wide", "slow", "nan", "infinite", "cut flac")
    return Case("audio", f"{what}, consent", command(*asked), None if harmless else refuse)


# --- outputs that would destroy something


def harm_case(rng: random.Random, place: Path) -> Case:
    folder = folder_of(place / "in")
    kept = [*sorted(folder.glob("wavs/*")), folder / "metadata.csv"]
    (place / "link.json").symlink_to(kept[0])
    os.mkfifo(place / "pipe.json")
    (place / "null.json").symlink_to("/dev/null")  # a link, lest a fault here take the machine's own
    (place / "notes.txt").write_text("mine")
    kept.append(place / "notes.txt")
    targets = [
        *kept,
        folder / "new.json",
        place / "pipe.json",
        place / "null.json",
        folder,
        place / "link.json",
        folder / "wavs" / ".." / "x.json",
    ]
    target = rng.choice(targets)
    if rng.random() < 0.7:
        refuse = target != place / "link.json"
        return Case(
            "harm",
            f"--json {target.name}",
            command("check-data", folder, "--lang", "th", "--json", target),
            refuse,
            kept,
        )
    asked = (
        "consent",
        "--who",
        "A",
        "--purpose",
        "b",
        "--until",
        "2099-01-01",
        "--reference",
        kept[0],
        "--out",
        target,
    )
    refuse = target not in (folder / "new.json", folder / "wavs" / ".." / "x.json")
    return Case("harm", f"consent --out {target.name}", command(*asked), refuse, kept)


# --- consent records


def consent_case(rng: random.Random, place: Path) -> Case:
    from sebridge_lite.extras.consent import read_consent, write_consent

    soundfile.write(place / "me.wav", tone(), 16_000)
    write_consent(place / "me.json", "A", "b", "2099-01-01", place / "me.wav")
    record = json.loads((place / "me.json").read_text())
    how = rng.choice(["field", "missing", "more", "raw", "odd"])
    name = rng.choice(list(record))
    if how == "field":
        record[name] = rng.choice(JUNK)
    elif how == "missing":
        del record[name]
    elif how == "more":
        record["more"] = 1
    elif how == "odd":
        record[name] = rng.choice(ODD)
    text = (
        json.dumps(record)
        if how != "raw"
        else rng.choice(["", "[]", "{", "null", "[" * 50_000, '{"who": "a", "who": "b"}', "\x00"])
    )
    (place / "me.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    return Case("consent", f"{how} {name}", reading(lambda: read_consent(place / "me.json")), True, [place / "me.wav"])


# --- rating tests


def small_test(place: Path) -> Path:
    from sebridge_lite.extras.listening import RECORDED, Item, make_test

    sounds = {RECORDED: tone(0.1), "sft": tone(0.12)}
    make_test(place, [Item(f"i{n}", THAI, tone(0.1), sounds) for n in range(2)], 1, "th", "t", 0, 16_000)
    return place


def somewhere(rng: random.Random, value, junk):
    """The value with one place in it, anywhere, replaced."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        return value | {key: somewhere(rng, value[key], junk)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return [*value[:place], somewhere(rng, value[place], junk), *value[place + 1 :]]
    return junk


def rating_case(rng: random.Random, place: Path) -> Case:
    from sebridge_lite.extras.rating import simulate, write_ratings

    folder = small_test(place / "test")
    answers = simulate(folder, {"recorded": 4.5, "sft": 3.0}, 2, 0)
    write_ratings(folder / "ratings" / "all.jsonl", answers)
    what, refuse = rng.choice(["answer", "test.json", "key.json", "raw", "name", "fifo"]), None
    if what in ("answer", "name"):
        place_of, junk = rng.randrange(len(answers)), rng.choice(JUNK)
        if what == "name":
            junk, refuse = rng.choice(ODD), True
            answers[place_of] = answers[place_of] | {rng.choice(["rater", "trial", "test"]): junk}
        else:
            answers[place_of] = somewhere(rng, answers[place_of], junk)
        text = "".join(json.dumps(row) + "\n" for row in answers)
        (folder / "ratings" / "all.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
    elif what == "raw":
        name = rng.choice(["test.json", "key.json", "ratings/all.jsonl"])
        (folder / name).write_bytes(
            rng.choice([b"", b"[]", b"null", b"{", b"[" * 50_000, b"\xff", b'{"test": 1, "test": 2}', b"7"])
        )
        refuse = True
    elif what == "fifo":
        name = rng.choice(["test.json", "key.json", "ratings/all.jsonl"])
        (folder / name).unlink()
        os.mkfifo(folder / name)
        refuse = True
    else:
        tree = json.loads((folder / what).read_text())
        (folder / what).write_text(json.dumps(somewhere(rng, tree, rng.choice(JUNK))))
    project(place / "project")
    return Case("ratings", what, command("rate", "analyse", folder), refuse)


# --- names on the command line


def name_case(rng: random.Random, place: Path) -> Case:
    project(place / "project")
    folder, odd = folder_of(place / "in"), rng.choice([name for name in ODD if "\0" not in name])
    asked = rng.choice(
        [
            ("check-data", folder, "--lang", odd or "-"),
            ("score-folder", folder, "--lang", odd or "-"),
            (
                "score-folder",
                folder,
                "--lang",
                "th",
                "--name",
                rng.choice([odd, "people", "engines", "dgsa", "sft-0.80", "people, resynthesised"]),
            ),
            ("sft", odd, "--seed", "0"),
            ("sft", "additive-0.80", "--seed", rng.choice(["-1", str(2**70), "9" * 5_000, "1.5", "x", ""])),
            ("align", odd),
            ("critique", odd),
            ("run", odd),
            ("profile", odd),
            ("listen", "--port", rng.choice(["-1", str(2**70), "x"])),
            ("new", "--real", folder, "--lang", odd or "-", "--engine", "espeak-ng"),
            ("new", "--real", folder, "--lang", "en", "--engine", f"../../up={folder}"),
            ("rate", "make", folder),
        ]
    )
    asked = [part if not isinstance(part, str) or part else "''" for part in asked]
    kept = [*sorted(folder.glob("wavs/*")), folder / "metadata.csv"]
    return Case("names", " ".join(map(str, asked))[:90], command(*asked), True, kept)


# --- weights


def weights_case(rng: random.Random, place: Path) -> Case:
    import torch
    from safetensors.torch import load_file, save_file

    from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
    from sebridge_lite.stack.parts import NETWORKS, load_model

    name = rng.choice(["vocoder", "backbone", "speaker", "select_judge"])
    home = ROOT / "artifacts" / {"select_judge": "judges/select"}.get(name, "parts")
    for ending in (".json", ".safetensors"):
        shutil.copy(home / f"{name}{ending}", place)
    config, weights = place / f"{name}.json", place / f"{name}.safetensors"
    what, settings = (
        rng.choice(["bit", "zero", "integers", "nan", "cut", "size", "depth", "junk", "missing", "pickle", "raw"]),
        json.loads(config.read_text()),
    )
    tensors = load_file(weights)
    numbers = [key for key, value in settings.items() if type(value) is int]
    if what == "bit":
        raw = bytearray(weights.read_bytes())
        at = rng.randrange(len(raw) // 2, len(raw))
        raw[at] ^= 1 << rng.randrange(8)
        weights.write_bytes(raw)
    elif what in ("zero", "integers", "nan"):
        change = {"zero": torch.zeros_like, "integers": lambda t: t.to(torch.int32), "nan": lambda t: t * float("nan")}[
            what
        ]
        save_file(
            {key: change(value) for key, value in tensors.items()}, weights, rng.choice([None, {"checksum": "0" * 16}])
        )
    elif what == "cut":
        weights.write_bytes(weights.read_bytes()[: rng.randrange(weights.stat().st_size)])
    elif what in ("size", "depth", "junk"):
        key = rng.choice(numbers)
        settings[key] = rng.choice([10**5, 10**9, 10**18, 65_536]) if what != "junk" else rng.choice(JUNK)
        config.write_text(json.dumps(settings))
    elif what == "missing":
        rng.choice([config, weights]).unlink()
    elif what == "pickle":
        torch.save({"a": torch.zeros(1)}, weights)
    else:
        config.write_bytes(rng.choice([b"", b"[]", b"{", b"\xff", b"[" * 50_000, b'{"width": 4, "width": 5}']))
    network = (TextSpeechLM, LMConfig) if name == "backbone" else NETWORKS[name]
    return Case("weights", f"{what} of {name}", reading(lambda: load_model(*network, place / name)), True)


# --- files under artifacts/


def artifact_case(rng: random.Random, place: Path) -> Case:
    from sebridge_lite.align.pairs import load_triplets
    from sebridge_lite.data.sets import load_set
    from sebridge_lite.experiments.account import accounts
    from sebridge_lite.experiments.bench import Bench
    from sebridge_lite.experiments.choose import choice_of, curve_of, search_of
    from sebridge_lite.experiments.critique import candidates_of, iterations, temperatures_of
    from sebridge_lite.report.claims import run_claims
    from sebridge_lite.stack.characters import CharVocab

    run = Path(os.environ["SEBRIDGE_SMALL_RUN"])
    project(place / "project")
    params = load_params(place / "project" / "params.yaml")
    bench, arm = Bench(params, "th"), params.cells.arms[0]
    pairs = f"artifacts/pairs/s0/{params.align.arm}-own"
    readers = {
        "artifacts/floors/th/silence.json": lambda: bench.silence,
        "artifacts/floors/th/people-recorded/summary.json": lambda: bench.floor,
        f"artifacts/scores/sft/s0/{arm}/summary.json": lambda: bench.scored("sft", arm, 0),
        f"artifacts/scores/sft/s0/{arm}/scores.csv": lambda: bench.scored("sft", arm, 0),
        f"artifacts/scores/sft/s0/{arm}/codes.safetensors": lambda: bench.scored("sft", arm, 0),
        "artifacts/corpus/test/th/test.jsonl": lambda: load_set("test", "th"),
        "artifacts/corpus/train/th/real.jsonl": lambda: load_set("real", "th"),
        "artifacts/tokens/train/th/real.safetensors": lambda: bench.tokens("real"),
        "artifacts/choice/dgsa.json": lambda: choice_of("dgsa"),
        "artifacts/choice/search.csv": lambda: search_of("dgsa"),
        "artifacts/scores/align/s0/dgsa/curve.csv": lambda: curve_of("dgsa", 0),
        "artifacts/critique/s0/tdsc/about.json": lambda: iterations("tdsc", 0),
        "artifacts/critique/s0/tdsc/k1/verdicts.jsonl": lambda: candidates_of("tdsc", 0, 1),
        "artifacts/critique/s0/tdsc/k1/temperatures.csv": lambda: temperatures_of("tdsc", 0, 1),
        "artifacts/accounts/encode.json": lambda: accounts(["encode"]),
        f"{pairs}/pairs.jsonl": lambda: load_triplets(
            paths.artifacts("pairs", "s0", pairs.rpartition("/")[2]), CharVocab().encode
        ),
        "results/scaling/claims.json": lambda: run_claims(params),
    }
    name = rng.choice(list(readers))
    damaged, outputs = run / name, place / "outputs"
    written = "claims"  # by `run_claims`, which would write into the run through a link
    for number, part in enumerate(Path(name).parts):  # a tree of links, but for the one file
        here = outputs.joinpath(*Path(name).parts[:number])
        here.mkdir()
        for other in (run.joinpath(*Path(name).parts[:number])).iterdir():
            if other.name not in (part, written) and not other.name.startswith("."):
                (here / other.name).symlink_to(other.resolve())
    os.environ["SEBRIDGE_OUTPUTS"] = str(outputs)
    raw, what = damaged.read_bytes(), rng.choice(["empty", "half", "missing", "junk", "fifo", "shape", "text"])
    target, refuse = outputs / name, None
    if what == "empty":
        target.write_bytes(b"")
        refuse = not name.endswith(".jsonl")
    elif what == "half":
        target.write_bytes(raw[: len(raw) // 2])
        refuse = name.endswith((".json", ".safetensors"))
    elif what == "junk":
        target.write_bytes(rng.randbytes(500))
        refuse = True
    elif what == "fifo":
        os.mkfifo(target)
        refuse = "accounts" not in name
    elif what == "shape" and name.endswith((".json", ".jsonl")):
        first = json.loads(raw.split(b"\n")[0]) if name.endswith(".jsonl") else json.loads(raw)
        target.write_text(json.dumps(somewhere(rng, first, rng.choice(JUNK))) + "\n")
    elif what == "text" and name.endswith(".csv"):
        lines = raw.decode().split("\n")
        cells = lines[1].split(",")
        cells[rng.randrange(len(cells))] = rng.choice(["abc", "", '"', "1,2"])
        target.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]))
    elif what != "missing":
        target.write_bytes(raw[:-10])
    return Case("artifacts", f"{what} {name}", reading(readers[name]), refuse)


SLOW_TO_IMPORT = (
    "sebridge_lite.extras.clone",
    "sebridge_lite.extras.rating",
    "sebridge_lite.report.claims",
    "transformers.models.qwen2.modeling_qwen2",
)
CLASSES = {
    "params": params_case,
    "tables": table_case,
    "audio": audio_case,
    "harm": harm_case,
    "consent": consent_case,
    "ratings": rating_case,
    "names": name_case,
    "weights": weights_case,
    "artifacts": artifact_case,
}


def run_cases(count: int, seed: int, place: Path) -> list[tuple[str, str, str]]:
    """(class, what, trouble) of every case, the classes in turn."""
    found, home, outputs = [], Path.cwd(), os.environ.get("SEBRIDGE_OUTPUTS")
    if outputs:
        os.environ["SEBRIDGE_SMALL_RUN"] = outputs
    for module in SLOW_TO_IMPORT:  # so that no case waits for them
        importlib.import_module(module)
    names = [name for name in CLASSES if name != "artifacts" or os.environ.get("SEBRIDGE_SMALL_RUN")]
    try:
        for number in range(count):
            name, folder = names[number % len(names)], place / str(number)
            folder.mkdir()
            os.environ.pop("SEBRIDGE_OUTPUTS", None)
            case = CLASSES[name](random.Random(f"{seed}/{number}"), folder)
            found.append((name, case.what, trouble(case)))
            os.chdir(home)
            shutil.rmtree(folder)
    finally:
        os.chdir(home)
        if outputs:
            os.environ["SEBRIDGE_OUTPUTS"] = outputs
    return found
