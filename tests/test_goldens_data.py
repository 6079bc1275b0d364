"""What `data` makes of made-up folders, tables, texts and sounds, as it was when somebody last looked at it (see goldens.py)."""

import dataclasses
import io
import json
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from goldens import Numbers, check, keep, plain, told

from sebridge_lite.data import (
    adopt,
    codes,
    data_card,
    engines,
    filters,
    languages,
    manifest,
    mixing,
    own_data,
    own_tables,
    recordings,
    splits,
    summary,
)
from sebridge_lite.data.manifest import RATE, Utterance
from sebridge_lite.data.recordings import Recording

SAID = Utterance("a1", "one two", ("one", "two"), "en", "s1", "people", "", "a.wav", 1.5)
ROW = {name: value for name, value in vars(SAID).items() if value is not None} | {"words": ["one", "two"]}


def apart(value, folder: Path):
    """Without the name of a folder that is another each time."""
    return json.loads(json.dumps(plain(value), ensure_ascii=False).replace(str(folder), "DIR"))


def sound(seconds: float, rate: int = RATE, seed: int = 0, level: float = 0.3) -> np.ndarray:
    """A tone that changes every 50 ms, with a little silence before it and after it."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 150 + 40 * (np.floor(time * 20) * (3 + seed) % 7)
    loud = (time > 0.2) & (time < seconds - 0.25)
    return level * np.sin(2 * np.pi * pitch * time) * loud


def speech(count: int, kind: str = "people", who: int = 3, seconds=(1.0, 1.25, 1.5, 2.0)) -> list[Utterance]:
    engine = (lambda i: f"e{i % who}") if kind == "engine" else (lambda i: "")
    return [
        dataclasses.replace(
            SAID,
            id=f"{kind[0]}{i:02d}",
            kind=kind,
            engine=engine(i),
            speaker=f"s{i % who}",
            seconds=seconds[i % len(seconds)],
        )
        for i in range(count)
    ]


def rows() -> dict:
    changed = {
        "good": {},
        "unknown": {"zeal": 1, "alpha": 2},
        "words": {"words": ["", "b"]},
        "words, text": {"words": "ab"},
        "seconds": {"seconds": "1"},
        "whole seconds": {"seconds": 3},
        "no seconds": {"seconds": 0},
        "most seconds": {"seconds": 3600.0},
        "too many seconds": {"seconds": 3600.5},
        "true seconds": {"seconds": True},
        "start": {"start": -1},
        "first": {"start": 0, "frames": 1},
        "frames": {"frames": 0},
        "no frames": {"frames": None, "truth": None},
        "truth": {"truth": [1]},
        "truths": {"truth": {"a": 1}},
        "empty": {"text": " "},
        "no lang": {"lang": ""},
        "kind": {"kind": "robot"},
        "engine": {"engine": "x"},
        "an engine": {"kind": "engine", "engine": "x"},
        "no engine": {"kind": "engine"},
        "half a letter": {"text": "a\ud800"},
        "last half": {"words": ["\udfff"]},
        "path": {"path": "/a.wav"},
        "home": {"path": "~a.wav"},
        "drive": {"path": "c:a.wav"},
        "two letters": {"path": "ab:c.wav"},
        "back": {"path": "a\\b.wav"},
        "up": {"path": "b/../a.wav"},
        "no path": {"path": ""},
        "unseen path": {"path": "a\x1b.wav"},
        "unseen": {"id": "a\u202e"},
        "long": {"speaker": "s" * 201},
        "longest": {"speaker": "s" * 200},
        "number": {"id": 3},
    }
    lines = {name: json.dumps(ROW | change).encode() for name, change in changed.items()}
    lines |= {"no id": json.dumps({k: v for k, v in ROW.items() if k not in ("id", "path")}).encode()}
    lines |= {
        "latin": b'{"id": "\xe9"}',
        "not JSON": b"{",
        "a list": b"[]",
        "twice": b'{"id": 1, "id": 2}',
        "deep": b"[" * 100_000,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / "m.jsonl"
        good = json.dumps(ROW).encode()
        table.write_bytes(b"\xef\xbb\xbf" + good + b"\n\n" + good + b"\n\xef\xbb\xbf" + good.replace(b"a1", b"a2"))
        read = list(manifest.read_rows(table))
        manifest.write_manifest(folder / "w.jsonl", speech(3))
        written, again = (
            (folder / "w.jsonl").read_text(),
            told(manifest.write_manifest, folder / "v.jsonl", speech(2) * 2),
        )
        return {
            "parsed": {name: manifest._parse(line) for name, line in lines.items()},
            "read": read,
            "whole": apart(told(manifest.read_manifest, table), folder),
            "written": [written, apart(again, folder), manifest.read_manifest(folder / "w.jsonl") == speech(3)],
        }


def riff(
    size: int, data: bytes = b"ab" * 4, promised: int | None = None, head: bytes = b"RIFF", before: bytes = b""
) -> bytes:
    order = "big" if head in (b"RIFX", b"FORM") else "little"
    kind = b"AIFF" if head == b"FORM" else b"WAVE"
    name = b"SSND" if head == b"FORM" else b"data"
    length = len(data) if promised is None else promised
    return head + size.to_bytes(4, order) + kind + before + name + length.to_bytes(4, order) + data


def ogg(last: bool, cut: int = 0, pages: int = 2) -> bytes:
    page = lambda flag: b"OggS\0" + bytes([flag]) + bytes(20) + bytes([2, 3, 4]) + b"x" * 7  # noqa: E731
    whole = b"".join(page(4 if last and i + 1 == pages else 0) for i in range(pages))
    return whole[: len(whole) - cut]


def files() -> dict:
    odd = b"LIST" + (3).to_bytes(4, "little") + b"abc\0"
    wide = b"ds64" + (16).to_bytes(4, "little") + bytes(8) + (9).to_bytes(8, "little")
    sounds = {
        "whole": riff(20),
        "cut": riff(20, promised=9),
        "longer": riff(20, promised=7),
        "no end": riff(20, promised=0x7FFFF000),
        "nearly": riff(20, promised=0x7FFFEFFF),
        "top": riff(20, promised=0xFFFFFFFF),
        "big": riff(20, head=b"RIFX", promised=10),
        "aiff": riff(20, head=b"FORM", promised=11),
        "after an odd chunk": riff(20, before=odd, promised=9),
        "wide": riff(20, head=b"RF64", before=wide, promised=0xFFFFFFFF),
        "no data": riff(20)[:12],
        "half a chunk": riff(20)[:19],
        "just a chunk": riff(20)[:20],
        "other": b"fLaC" + bytes(20),
        "not a wave": b"RIFF" + bytes(20),
    }
    oggs = {
        "whole": ogg(True),
        "no last": ogg(False),
        "other": b"RIFF" + bytes(40),
        "short": ogg(True)[:30],
        "short page": b"OggS" + bytes(22),
    }
    oggs |= {f"cut by {cut}": ogg(True, cut) for cut in (1, 7, 8, 11, 12)} | {
        "long": ogg(True, pages=1900),
        "largest page": ogg(True) + b"OggS\0\x04" + bytes(20) + b"\xff" * 256 + bytes(255 * 255),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = np.stack([sound(1.0), 0.5 * sound(1.0)], 1).astype(np.float32)
        soundfile.write(folder / "a.wav", samples, RATE, subtype="FLOAT")
        part = dataclasses.replace(SAID, start=8000, frames=1600)
        past, ends = dataclasses.replace(part, frames=8001), dataclasses.replace(part, frames=8000)
        cut = (folder / "a.wav").read_bytes()[:-4]
        (folder / "cut.wav").write_bytes(cut)
        shape = lambda found: [len(found), float(np.abs(found).sum())] if isinstance(found, np.ndarray) else found  # noqa: E731
        loaded = [
            shape(told(manifest.load_audio, said, folder))
            for said in (SAID, part, ends, past, dataclasses.replace(SAID, path="cut.wav"))
        ]
        return {
            "missing": {name: manifest.missing_bytes(io.BytesIO(content)) for name, content in sounds.items()},
            "unfinished": {name: manifest.unfinished_ogg(io.BytesIO(content)) for name, content in oggs.items()},
            "loaded": apart(loaded, folder),
            "at 8 kHz": shape(manifest.load_audio(SAID, folder, 8000)),
            "resampled": [
                shape(told(manifest.resample, sound(0.5, rate), rate, to))
                for rate, to in (
                    (16000, 16000),
                    (8000, 16000),
                    (4000, 16000),
                    (3999, 16000),
                    (192_000, 8000),
                    (192_001, 16000),
                )
            ],
        }


def written() -> dict:
    rng = np.random.default_rng(0)
    quiet = np.zeros(RATE, np.int16)
    edge = quiet.copy()
    edge[4000:8000] = 1000
    edge[:160], edge[160:320] = 10, 11  # 40 dB below, and just above
    made = [
        Recording(said, rng.integers(-9, 9, 1600 + 160 * i).astype(np.int16), np.full(10 + i, 100.0 + i))
        for i, said in enumerate(speech(4))
    ]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(recordings, "SHARD_BYTES", 44 + 2 * (1600 + 1760))
        there = recordings.write_set(folder, "real", made)
        none = recordings.write_set(folder, "none", [one._replace(f0=None) for one in made])
        short = dataclasses.replace(there[1], frames=1760 + 1600)
        recordings.write_sound(folder / "a.flac", edge, 8000, "said by a machine")
        codes.write_codes(
            folder / "c.safetensors",
            ["a", "b", "c"],
            [torch.tensor([1, 2]), torch.tensor([], dtype=torch.long), torch.tensor([32767])],
        )
        small = codes.read_codes(folder / "c.safetensors")
        codes.write_codes(folder / "d.safetensors", ["a"], [torch.tensor([32768, 5])])
        for name, bad in (("e", [torch.tensor([-1, 3]), torch.tensor([1])]), ("g", [torch.tensor([0])])):
            codes.write_codes(folder / f"{name}.safetensors", ["a", "b"][: len(bad)], bad)
        with soundfile.SoundFile(folder / "a.flac") as file:
            about = [file.samplerate, file.channels, file.subtype, file.comment]
        taken = [
            [one.utterance.seconds for one in recordings.take_seconds(made, most, "take")]
            for most in (0.5, 1.0, 2.25, 99)
        ]
        return {
            "int16": recordings.to_int16(np.array([0.0, 1.0, -1.0, -1.5, 0.5, 0.6 / 32768, 1e-6])),
            "trimmed": [len(recordings.trimmed(of)) for of in (quiet, edge, edge[:3999], edge[4000:])],
            "set": [(said.path, said.start, said.frames) for said in there],
            "without F0": [(said.path, said.start, said.frames) for said in none],
            "files": sorted(path.name for path in folder.iterdir()),
            "F0": [recordings.load_f0(said, folder)[:3] for said in there],
            "no F0": apart([told(recordings.load_f0, said, folder) for said in (short, none[0])], folder),
            "flac": about,
            "taken": taken,
            "codes": [small, codes.read_codes(folder / "d.safetensors")],
            "no codes": apart([told(codes.read_codes, folder / f"{name}.safetensors") for name in "egx"], folder),
            "types": [
                str(safetensors.torch.load_file(folder / f"{name}.safetensors")["codes"].dtype) for name in "cdg"
            ],
            "of each": told(codes.codes_for, speech(2), {"p00": torch.tensor([1])}),
        }


def filtered() -> dict:
    still = np.tile(np.sin(np.arange(640) / 5), 50)
    half = np.concatenate([still[:16000], np.random.default_rng(0).normal(size=16000)])
    lengths = [dataclasses.replace(SAID, text="x" * n, seconds=s) for n, s in ((2, 1.0), (4, 1.5), (8, 2.5), (8, 2.75))]
    rule = filters.fitted(lengths, (0.5, 2.0), 0.25)
    noise = (1000 * np.random.default_rng(1).normal(size=RATE)).astype(np.int16)
    edges = [rule.pause + rule.seconds_per_letter * 4]
    cases = [
        dataclasses.replace(SAID, text="x" * 4, seconds=factor * edges[0]) for factor in (0.49, 0.51, 1.0, 1.99, 2.01)
    ]
    plain_rule = filters.Filter(0.25, (0.5, 2.0), 0.25)
    exact = [dataclasses.replace(SAID, text="x" * 4, seconds=s) for s in (0.5, 2.0, 0.4375, 2.0625)]
    dropped: dict[str, int] = {}
    some = [Recording(said, noise, None) for said in exact]
    passed = [one.utterance.seconds for one in filters.filtered(some * 3, plain_rule, dropped)]
    bad = Recording(dataclasses.replace(exact[2], engine="e"), noise, None)
    in_a_row = {n: told(lambda n=n: len(list(filters.filtered([bad] * n, plain_rule, {})))) for n in (49, 50)}
    mended = told(lambda: len(list(filters.filtered([bad] * 49 + [some[0]] + [bad] * 49, plain_rule, {}))))
    return {
        "stuck": [
            filters.stuck_share(1000 * of)
            for of in (
                still,
                half,
                still[: 640 * 5],
                still[: 640 * 6],
                still[: 640 * 7 - 1],
                half[15000:19000],
                0 * half,
                1e-3 * half,
            )
        ],
        "fitted": [rule, filters.fitted(lengths[:1], (0.5, 2.0), 0.25), filters.fitted(lengths[2:], (1, 2), 0.5)],
        "falling": filters.fitted([lengths[0], dataclasses.replace(SAID, text="x" * 9, seconds=0.5)], (1, 2), 1.0),
        "through 0": filters.fitted(
            [dataclasses.replace(SAID, text="x" * n, seconds=n - 1.0) for n in (2, 3, 5)], (1, 2), 1.0
        ),
        "letter": filters.letter_seconds(lengths),
        "faults": [rule.fault(Recording(said, noise, None)) for said in cases],
        "exact": [plain_rule.fault(Recording(said, noise, None)) for said in exact],
        "stuck faults": [
            dataclasses.replace(plain_rule, max_stuck=most).fault(
                Recording(exact[0], (1000 * half).astype(np.int16), None)
            )
            for most in (0.0, 0.25, filters.stuck_share((1000 * half).astype(np.int16)), 0.9)
        ],
        "passed": [passed, dropped, in_a_row, mended],
    }


def mixed() -> dict:
    real, synthetic = speech(10), speech(30, "engine")
    names = lambda said: told(lambda: " ".join(one.id for one in said()))  # noqa: E731
    twelve = speech(12)
    return {
        "seconds": mixing.seconds_of(real),
        "balanced": names(lambda: mixing.balanced_order(synthetic, 0)),
        "mix": {
            alpha: names(lambda alpha=alpha: mixing.mix(real, synthetic, alpha, 1))
            for alpha in (0, 0.1, 0.5, 0.75, 0.76, 0.8, 1)
        },
        "substitute": {
            alpha: names(lambda alpha=alpha: mixing.substitute(real, synthetic, alpha, 2)) for alpha in (0, 0.3, 1)
        },
        "upsampled": {
            alpha: names(lambda alpha=alpha: mixing.upsampled(real, synthetic, alpha, 3))
            for alpha in (0.2, 0.5, 0.6, 0.7, 1)
        },
        "beginning": [
            told(lambda wanted=wanted: len(mixing._beginning(twelve, wanted, "so many")))
            for wanted in (0, 0.4, 0.5, 0.6, 1.0, 1.625, 17.25, 18.2, 18.25, 18.3)
        ],
        "nothing": told(mixing._beginning, [], 1.0, "one"),
        "alpha": mixing.alpha_of([*real, *synthetic]),
        "mixes": summary.mix_table(real, synthetic, (0.1, 0.5, 1.0), 0),
        "card": summary.data_card(
            {
                "real": [
                    dataclasses.replace(
                        said, truth={"slips": [1] * (i % 3), "tones": [1] * 4, "words": ["one", "two"[: 1 + i % 3]]}
                    )
                    for i, said in enumerate(real)
                ],
                "made": [
                    dataclasses.replace(said, truth={"slips": [], "tones": [], "words": ["one", "two"]})
                    for said in synthetic
                ],
                "none": speech(2, "recording"),
            },
            8,
        ),
    }


def divided() -> dict:
    words = [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "i",
        "j",
        "k",
        "l",
        "m",
        "n",
        "o",
        "p",
        "q",
        "r",
        "s",
        "t",
        "u",
        "v",
        "w",
        "x",
        "y",
        "z",
    ]
    texts = [tuple(words[(5 * i + j) % 26] + str(i) for j in range(1 + i % 6)) for i in range(40)]
    texts += [texts[5][:4], (*texts[5], "more"), texts[9][:2], texts[3], ("yes",), ("yes", *texts[11]), texts[16][1:3]]
    texts += [(f"w{i}", f"v{i}", *texts[17][:4]) for i in range(4)]
    order = {name: " ".join(text) for name, text in enumerate(texts)}
    groups = sorted(sorted(" ".join(words) for words in group) for group in splits.alike(texts))
    english = languages.language("en")
    said = [dataclasses.replace(SAID, id=f"u{i}", text=text, words=()) for i, text in order.items()]
    is_apart = splits.apart_from([("one", "two", "three", "four", "five"), ("six",)])
    asked = (
        "one",
        "one two",
        "one two three four",
        "x one two three four y",
        "x one two three y",
        "six",
        "six seven",
        "x six",
        "two three",
    )
    return {
        "alike": [group for group in groups if len(group) > 1],
        "alone": len(groups),
        "split": {
            str(most): Counter(splits.split(texts, {"dev": most[0], "test": most[1]}).values())
            for most in ((1, 1), (3, 5), (99, 99))
        },
        "places": [
            " ".join(words) for words, name in splits.split(texts, {"dev": 3, "test": 5}).items() if name != "real"
        ],
        "too few": [
            told(lambda n=n: splits.split([(w,) for w in words[:n]], {"dev": 9, "test": 9})) for n in (2, 3, 4, 10)
        ],
        "too alike": told(splits.split, [tuple(words[:5])] * 9 + [tuple(words[1:6])], {"dev": 2, "test": 2}),
        "large": Counter(
            splits.split([("a", "b", "c", str(i // 3)) for i in range(60)], {"dev": 6, "test": 12}).values()
        ),
        "sets": {name: [one.id for one in some] for name, some in splits.by_set(said, english, 3, 5).items()},
        "apart": [is_apart(tuple(text.split())) for text in asked],
    }


def spoken_as(*lines: str):
    """What `Language.phones` makes of three texts of which espeak-ng says this: after each the sentinel, here "z"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(languages.shutil, "which", lambda program: program)
        done = SimpleNamespace(returncode=0, stdout="\n".join(lines).encode())
        patch.setattr(languages.subprocess, "run", lambda command, **how: done)
        return told(languages.language("en").phones, ["a", "b", "c"])


def spelt() -> dict:
    texts = [
        "Hello, WORLD!",
        "don't  stop\u200b",
        "\u0130I\u0131",
        "e\u0301t\u00e9 2 3",
        "\u043f\u0440\u0438\u0432\u0435\u0442 ok",
        "\u3053\u3093\u306b\u3061\u306f",
        "-a- 'b",
        "...",
        "",
    ]
    tongues = {code: languages.language(code, texts[4:5]) for code in ("en", "tr", "ru", "ja", "xx", "pt-BR", "und")}
    return {
        "script": [languages.script_of(c) for c in "a\u0430\u3042\u00b7 \u0e01"],
        "main": [languages.main_script(some) for some in (texts, texts[4:5], ["12"], [])],
        "tongues": {code: [tongue.name, tongue.script, tongue.voice] for code, tongue in tongues.items()},
        "normalised": {code: [tongue.normalise(text) for text in texts] for code, tongue in tongues.items()},
        "cut": {code: [tongue.segment(text) for text in texts] for code, tongue in tongues.items()},
        "foreign": {code: [tongue.foreign(text) for text in texts] for code, tongue in tongues.items()},
        "in script": {
            code: [tongue.in_script(text) for text in (*texts, "a\u0430", "ab\u0430", "a\u0430\u0431")]
            for code, tongue in tongues.items()
        },
        "codes": [
            told(lambda code=code: languages.language(code).code)
            for code in ("e", "english", "en_US", "EN", "", None, "zh-Hant-TW")
        ],
        "phones": [languages._phones(line) for line in ("h_\u02c8e l_o", " a ", "\u02c8\u02ccb_c")],
        "texts": [
            spoken_as("", "z", "h_\u02c8e l_o", "z", "b", "_c", "", "z", '(en)d"', "z"),
            spoken_as("z", "a", "z", "z", "z"),
            spoken_as("z", "a", "z", "b", "z"),
            spoken_as("z", "a", "z", "b", "z", "c", "z", "d"),
            spoken_as(),
        ],
        "is a": [languages.is_a("LM", c) for c in "a1 \u0301"],
        "of": {code: languages.VOICES.get(code) for code in languages.VOICES},
    }


def tables() -> dict:
    layouts = {
        "metadata.csv": "a1|one two\na2|raw|three four|x\na3|raw|said\n\nb|\n",
        "manifest.csv": 'file,text,speaker\nx/a1.wav,"one, two",s1\na2.wav,three\na3.wav,four,s2,x\na4.wav,"five",\n',
        "validated.tsv": "client_id\tpath\tsentence\ts\nc1\ta1\tone two\tx\nc2\ta2.mp3\tthree\nc3\ta3.mp3\tfour\ty\n",
        "wav.scp": "a1 x/a1.wav\na2 sox a |\n",
        "etc/txt.done.data": '( a1 "o+ne two" )\nnot a line\n( a2 "a \\"b\\" + c" )\n',
        "core-sounds-en.txt": "; a comment\n\na1: one (softly) [beep] two\na2: <tone>\na3 no colon\n",
        "manifest.jsonl": json.dumps(ROW) + "\n{}\n",
    }
    faulty = {
        "metadata.csv": "a1|one\rtwo\na2\nb\xff|c\n",
        "manifest.csv": "file,words\na,b\n",
        "validated.tsv": "path\tpath\tsentence\n",
        "train.tsv": "client_id\tpath\n",
        "dev.tsv": "\n",
    }
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for turn, (layout, content) in enumerate([*layouts.items(), *faulty.items()]):
            folder = Path(name, str(turn))
            for part in ("wavs", "x", "clips", "wav", "etc"):
                (folder / part).mkdir(parents=True)
            for place in ("wavs/a1.wav", "x/a1.wav", "clips/a1.mp3", "wav/a1.flac", "a3.g722", "x/b.ogg"):
                (folder / place).write_bytes(b"")
            (folder / layout).write_bytes(content.encode("latin-1") if "\xff" in content else content.encode())
            if layout == "wav.scp":
                (folder / "text").write_text("a1 one two\na2 three\na3 four\n", encoding="utf-8")
                (folder / "utt2spk").write_text("a1 s9\n", encoding="utf-8")

            def read(folder=folder):
                table = own_tables.find_table(folder)
                rows = own_tables.read_table(folder, table)
                return [table.layout, [(n, str(row) if isinstance(row, own_tables.Fault) else row) for n, row in rows]]

            found[f"{turn} {layout}"] = apart(told(read), folder)
        folder = Path(name, "beside")
        (folder / "sub").mkdir(parents=True)
        nothing = told(own_tables.find_table, folder)
        for place in ("a.wav", "sub/b.flac", "c.WAV"):
            (folder / place).write_bytes(b"")
        bare = told(own_tables.find_table, folder)
        (folder / "a.txt").write_text("one", encoding="utf-8")
        (folder / "sub/b.txt").write_text("\ufefftwo", encoding="utf-8")
        rows = own_tables.read_table(folder, own_tables.find_table(folder))
        for table in ("validated.tsv", "train.tsv"):
            (folder / table).write_text("client_id\tpath\tsentence\nc\ta.wav\tx\n", encoding="utf-8")
        voice = own_tables.find_table(folder)
        (folder / "metadata.csv").write_text("a|b\n", encoding="utf-8")
        both = told(own_tables.find_table, folder)
        named = [told(own_tables.find_table, folder, folder / name) for name in ("train.tsv", "sub", "a.txt")]
        found["beside"] = apart(
            [
                nothing,
                bare,
                [(n, str(row) if isinstance(row, own_tables.Fault) else row) for n, row in rows],
                voice.layout,
                voice.path.name,
                both,
            ]
            + [one if isinstance(one, str) else one.layout for one in named],
            folder,
        )
        prompts, long = Path(name, "core-sounds-en.txt"), []
        prompts.write_text("a1: one", encoding="utf-8")
        for most in (6, 7, 8):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(own_tables, "MOST_PROMPTS", most)
                long.append(str(told(lambda: [said.text for _, said in own_tables._asterisk(prompts.parent, prompts)])))
        found["long prompts"] = [one.replace(name, "DIR") for one in long]
    return found | {"stems": [own_tables._stem(name) for name in ("a.wav", "a.b.flac", ".wav", "a", "a.txt")]}


def cards() -> dict:
    time = np.arange(RATE) / RATE
    level = np.where(time < 0.5, 1e-3, np.where(time < 0.75, 10 ** (-40 / 20), 1.0))[:, None].astype(np.float32)
    clipped = np.zeros((RATE, 2), np.float32)
    clipped[:10], clipped[20:30, 1], clipped[40] = 0.999, -1.0, 0.9989
    sounds = [
        data_card.measure(level, RATE, "WAV"),
        data_card.measure(clipped, RATE // 2, "FLAC"),
        data_card.measure(clipped[:400], 16_000, "OGG"),
    ]
    limit = [one._replace(clipped=share) for one, share in zip(sounds, (0.001, 0.0011, 0.5), strict=True)]
    said = [
        dataclasses.replace(SAID, id=f"u{i}", text=text, seconds=s, speaker=f"s{i % 2}", lang="en")
        for i, (text, s) in enumerate((("hello, world", 1.23456), ("na\u0438ve 2", 0.5), ("hello, world", 3.0)))
    ]
    raw = ["Hello,  World", "na\u0438ve 2", "hello, world"]
    card = data_card.make_card(said, raw, limit, 5, 2) | {"layout": "LJSpeech"}
    loud = data_card.make_card(said[:1], raw[:1], [sounds[0]._replace(silence=0.4)], 1, 0) | {"layout": "x"}
    many = card | {
        "rates": {8000 + i: i for i in range(9)},
        "foreign": {},
        "formats": {"WAV": 1} | {f"F{i}": i for i in range(7)},
    }
    lengthy = card | {"changes": {"longer": [2, [["A" + "b" * 45, "a" + "b" * 45], ["a" + "b" * 45] * 2]]}}
    none = data_card.make_card([], [], [], 1, 1) | {"layout": "x"}
    return {
        "measured": [one._replace(digest=one.digest.hex()) for one in sounds],
        "few": [
            one[:6]
            for one in (data_card.measure(level[:399], RATE, "WAV"), data_card.measure(level[8000:8320], RATE, "WAV"))
        ],
        "card": card,
        "shown": [
            data_card.format_card(one).splitlines()
            for one in (card, loud, loud | {"silence": 0.41}, many, none, lengthy)
        ],
        "changes": data_card.changes(
            ["AA", "a  B", "1", "q!", "E\u0301"],
            [dataclasses.replace(SAID, text=t) for t in ("aa", "a b", "1", "q!", "\u00e9")],
        ),
    }


def own() -> dict:
    english, anything = languages.language("en"), languages.language("und")
    texts = (
        "",
        "...",
        "ok",
        "o\ufffdk",
        "a\x07b",
        "a\u200cb",
        "a\ue000",
        "\u0430\u0431 c",
        "\u0430 c",
        "x" * 1000,
        "x" * 1001,
        "12",
    )
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder, outside = Path(name, "in"), Path(name, "out.wav")
        folder.mkdir()
        silent = 0.3 * np.sin(np.arange(RATE))
        wide = np.stack([sound(1.0)] * 9, 1)
        for path, samples, rate in (
            ("good.wav", sound(1.0), RATE),
            ("short.wav", sound(0.499, seed=1), RATE),
            ("shortest.wav", sound(0.5, seed=1, level=0.5) + 0.01, RATE),
            ("long.wav", sound(30.0), RATE),
            ("longest.wav", sound(30.01), RATE),
            ("quiet.wav", 0.0009 * silent, RATE),
            ("faint.wav", 0.004 * silent, RATE),
            ("slow.wav", sound(1.0, 4000), 4000),
            ("slower.wav", sound(1.0, 3999), 3999),
            ("loud.wav", 10 * np.sign(sound(1.0)), RATE),
            ("louder.wav", 10.01 * np.sign(sound(1.0)), RATE),
            ("nan.wav", sound(1.0) * np.nan, RATE),
            ("eight.wav", wide[:, :8], RATE),
            ("nine.wav", wide, RATE),
        ):
            soundfile.write(folder / path, samples, rate, subtype="FLOAT")
        soundfile.write(outside, sound(1.0), RATE)
        (folder / "link.wav").symlink_to(outside)
        (folder / "text.wav").write_text("not audio")
        (folder / "cut.wav").write_bytes((folder / "good.wav").read_bytes()[:-200])

        def looked_at(path, **about):
            return told(
                lambda: own_data.check_audio(folder, dataclasses.replace(SAID, path=path, **about))._replace(digest=b"")
            )

        found["audio"] = {path.name: str(looked_at(path.name)) for path in sorted(folder.iterdir())}
        found["parts"] = [
            str(looked_at("good.wav", start=start, frames=frames))
            for start, frames in (
                (0, 16000),
                (0, 16001),
                (8000, None),
                (8001, None),
                (8000, 8000),
                (8000, 8001),
                (20000, None),
            )
        ]
        found["elsewhere"] = [
            str(looked_at(path)).replace(name, "DIR") for path in ("../out.wav", str(outside), "none.wav")
        ]
        found["anywhere"] = str(told(own_data._locate, folder, str(outside), True)).replace(name, "DIR")
        (folder / "metadata.csv").write_text(
            "".join(f"{path.stem}|Text {path.stem}\n" for path in sorted(folder.glob("*.wav"))), encoding="utf-8"
        )
        good, faults, card = own_data.check_folder(folder, "en")
        found["folder"] = apart([good, [str(fault) for fault in faults], card], folder)
    found["texts"] = {
        tongue.code: [str(own_data._text_fault(text, tongue)) for text in texts] for tongue in (english, anything)
    }
    return found


def adopted() -> dict:
    found = {"names": [adopt.file_name(id) for id in ("a1", "a b", "x/y", "n" * 60, "n" * 61, "\u00e9-_")]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "in")
        folder.mkdir()
        for i in range(42):
            soundfile.write(folder / f"u{i:02d}.wav", 0.5 * np.sin(np.arange(8000 if i else 9600) * (1 + i) / 20), RATE)
        quiet = np.zeros(4800)  # of which 0.1 s stay at either end
        for i, size in ((40, 4640), (41, 4800)):
            sound_of = 0.5 * np.cos(np.arange(size) / 7)
            soundfile.write(folder / f"u{i}.wav", np.concatenate([quiet, sound_of, quiet]), RATE)
        for count, foreign, more in ((19, 0, ()), (20, 0, ()), (21, 0, (40, 41)), (20, 20, ()), (20, 21, ())):
            letters = [*["said"] * count, *["\u0434\u0430"] * foreign]
            lines = [f"u{i:02d}|{text} {i}\n" for i, text in [*enumerate(letters), *((i, "more") for i in more)]]
            (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
            made = told(adopt.adopt, folder, "en", Path(name, f"out{count}-{foreign}"))
            brief = (
                made
                if isinstance(made, str)
                else [len(made[0]), made[0][0], [str(fault) for fault in made[1]], made[2]["hours"]]
            )
            found[f"{count} and {foreign}"] = apart(brief, Path(name))
    return found


def asked() -> dict:
    words = [("one", ["one"]), ("two three", ["two", "three"])]
    queues = [iter([Recording(said, None, None) for said in speech(n)]) for n in (3, 1, 2)]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(engines.shutil, "which", lambda program: None if program == "nothing" else f"/bin/{program}")
        patch.setattr(engines, "_flite_voices", lambda program: ("slt", "rms"))
        specs = (
            "flite:slt",
            "flite:x",
            "espeak-ng",
            "espeak-ng:de",
            "a=say {text} {out}",
            "a=say {text}",
            "a=nothing {text} {out}",
            "b",
            "x:y",
        )
        of = {spec: told(lambda spec=spec: engines.engine_of(spec, "no")) for spec in specs}
        soundfile.write(folder / "a.wav", sound(1.0), RATE)
        patch.setattr(
            engines,
            "_sounds",
            lambda engine, texts, work: (np.zeros(1600 * (1 + i), np.int16) for i, _ in enumerate(texts)),
        )
        said = list(engines.spoken("espeak-ng:de", iter(words), "de", folder))
        taken = [
            list(engines.loaded([dataclasses.replace(SAID, words=w)], folder, "en", who))
            for w, who in (((), ""), (("x",), "flite"))
        ]
        nobody = told(engines.engine_folders, folder)
        for part in ("b", "a"):
            (folder / part).mkdir()
        return {
            "engines": of,
            "spoken": [(one.utterance, len(one.samples)) for one in said],
            "loaded": [
                [(one.utterance, len(one.samples), int(np.abs(one.samples.astype(int)).sum())) for one in some]
                for some in taken
            ],
            "in turn": [one.utterance.id for one in engines.in_turn(queues)],
            "folders": [apart(nobody, folder), engines.engine_folders(folder)],
            "texts": told(adopt.read_texts, _text(folder, "One  two\n\none two\n...\nthree\n"), "en"),
            "foreign texts": apart(told(adopt.read_texts, _text(folder, "\u0430\u0431\u0432\n"), "en"), folder),
        }


def _text(folder: Path, content: str) -> Path:
    path = folder / "texts.txt"
    path.write_text(content, encoding="utf-8")
    return path


NUMBERS: Numbers = {
    "manifest": rows,
    "sound files": files,
    "recordings": written,
    "filters": filtered,
    "mixing": mixed,
    "splits": divided,
    "languages": spelt,
    "own tables": tables,
    "data card": cards,
    "own data": own,
    "adopt": adopted,
    "engines": asked,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_nothing_of_data_has_moved_unseen(name):
    check(Path(__file__), NUMBERS, name)


if __name__ == "__main__":
    keep(Path(__file__), NUMBERS)
