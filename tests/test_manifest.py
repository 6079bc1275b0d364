import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.manifest import (
    Utterance,
    load_audio,
    missing_bytes,
    read_manifest,
    unfinished_ogg,
    write_manifest,
)

ONE = Utterance("a", "ไป บ้าน", ("ไป", "บ้าน"), "th", "p1", "people", "", "shard.wav", 1.5, 3, 8, {"tones": ["M", "F"]})
ROW = {name: value for name, value in vars(ONE).items() if name not in ("start", "frames", "truth")}

letters = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
spoken = letters.filter(str.strip)
names = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)
places = st.lists(st.text("abกข .-_", min_size=1).filter(lambda part: part not in ("..",)), min_size=1).map("/".join)


@st.composite
def utterances(draw):
    kind = draw(st.sampled_from(["people", "engine", "recording"]))
    return Utterance(
        id=draw(names),
        text=draw(spoken),
        words=tuple(draw(st.lists(letters))),
        lang=draw(names),
        speaker=draw(names),
        kind=kind,
        engine=draw(names) if kind == "engine" else "",
        path=draw(places),
        seconds=draw(st.floats(0.001, 3600)),
        start=draw(st.integers(0, 10**9)),
        frames=draw(st.none() | st.integers(1, 10**9)),
        truth=draw(st.none() | st.dictionaries(letters, st.lists(st.integers() | letters))),
    )


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(utterances(), unique_by=lambda u: u.id, max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("m") / "manifest.jsonl"
    write_manifest(path, rows)
    assert read_manifest(path) == rows


def test_a_failed_write_leaves_the_old_manifest(tmp_path):
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, [ONE])
    with pytest.raises(UserError, match="'a' stands twice"):
        write_manifest(path, [ONE, ONE])
    with pytest.raises(ValueError, match="JSON"):
        write_manifest(path, [replace(ONE, seconds=float("nan"))])
    assert read_manifest(path) == [ONE]
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.jsonl"]


BAD = {
    "not JSON": b"{",
    "not JSON of any sane size": b"[" * 100_000,
    "not UTF-8": b'{"id": "\xff"}',
    "not a JSON object": b"[1]",
    "no key 'text'": {"text": ...},
    "unknown key 'colour'": {"colour": "red"},
    "speaker is not a string": {"speaker": 7},
    "words is not a list": {"words": "ไป"},
    "seconds is not a number": {"seconds": True},
    "start is not a whole number": {"start": -1},
    "frames is not a whole number": {"frames": 0},
    "truth is not an object": {"truth": []},
    "text is empty": {"text": " \n"},
    "seconds is not above 0": {"seconds": 0},
    "seconds is not above 0 and": {"seconds": float("nan")},
    "at most 3600": {"seconds": 10**400},
    "or is too long": {"speaker": "x" * 201},
    "kind 'robot' is not one of": {"kind": "robot"},
    "engine is named 'x'": {"engine": "x"},
    "half of a surrogate pair": {"text": "\ud800"},
    "is not relative": {"path": "/etc/passwd"},
    "leads outside the folder": {"path": "a/../../b.wav"},
    "names no file": {"path": "a\0b"},
}


@pytest.mark.parametrize(("reason", "change"), BAD.items(), ids=BAD.keys())
def test_a_bad_row_is_named_by_file_line_and_reason(tmp_path, reason, change):
    path = tmp_path / "manifest.jsonl"
    if isinstance(change, dict):
        row = {name: value for name, value in (ROW | {"id": "b"} | change).items() if value is not ...}
        change = json.dumps(row).encode()
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\n" + change + b"\n")
    with pytest.raises(UserError) as error:
        read_manifest(path)
    message = str(error.value)
    assert f"{path}:3: " in message
    assert reason in message
    assert "\n" not in message
    assert len(message) < 400


def test_an_id_that_stands_twice_names_both_lines(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join([json.dumps(ROW)] * 2))
    with pytest.raises(UserError, match=r":2: id 'a' stands in line 1 already"):
        read_manifest(path)


def test_audio_is_exactly_the_range_of_the_shard(tmp_path):
    samples = (np.arange(100) * 300 - 15_000).astype(np.int16)
    soundfile.write(tmp_path / "shard.wav", samples, 16_000)
    found = load_audio(ONE, tmp_path)
    assert found.dtype == np.float32
    assert np.array_equal(found, samples[3:11] / np.float32(32768))
    assert len(load_audio(replace(ONE, frames=None), tmp_path)) == 97


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no such audio"), (b"RIFF", "not audio"), ("short", "ends at 11")]
)
def test_audio_that_is_not_as_promised_is_one_line(tmp_path, content, reason):
    if content == "short":
        soundfile.write(tmp_path / "shard.wav", np.zeros(10), 16_000)
    elif content:
        (tmp_path / "shard.wav").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        load_audio(ONE, tmp_path)


def riff(kind, *chunks, order="little"):
    """A file of chunks: each a name, the size that it promises and what is there."""
    return kind[:4] + bytes(4) + kind[4:] + b"".join(n + size.to_bytes(4, order) + body for n, size, body in chunks)


SOUND, WIDE = b"0123456789", (b"ds64", 28, bytes(8) + (10).to_bytes(8, "little") + bytes(12))
HEADS = {
    "whole, after an odd chunk": (riff(b"RIFFWAVE", (b"fmt ", 3, b"abc\0"), (b"data", 10, SOUND)), 0),
    "cut": (riff(b"RIFFWAVE", (b"fmt ", 4, b"abcd"), (b"data", 10, SOUND[:7])), 3),
    "more behind": (riff(b"RIFFWAVE", (b"data", 4, SOUND)), 0),
    "over 4 GB": (riff(b"RF64WAVE", WIDE, (b"data", 2**32 - 1, SOUND)), 0),
    "over 4 GB, cut": (riff(b"RF64WAVE", WIDE, (b"data", 2**32 - 1, SOUND[:6])), 4),
    "within 4 GB, by both": (riff(b"RF64WAVE", WIDE, (b"data", 4, SOUND[:4])), 0),
    "streamed": (riff(b"RIFFWAVE", (b"data", 2**32 - 1, b"")), 0),
    "streamed by sox": (riff(b"RIFFWAVE", (b"data", 0x7FFFF000, SOUND)), 0),
    "nearly as long": (riff(b"RIFFWAVE", (b"data", 0x7FFFEFFF, SOUND)), 0x7FFFEFFF - 10),
    "AIFF, cut": (riff(b"FORMAIFF", (b"SSND", 10, SOUND[:8]), order="big"), 2),
    "no sound": (riff(b"RIFFWAVE", (b"fmt ", 4, b"abcd")), 1),
    "another": (riff(b"RIFFAVI ", (b"data", 10, b"")), 0),
}


@pytest.mark.parametrize("name", HEADS)
def test_bytes_that_a_header_promises_and_that_are_missing_are_counted(name):
    assert missing_bytes(io.BytesIO(HEADS[name][0])) == HEADS[name][1]


@pytest.mark.parametrize(
    ("flags", "sizes", "body", "unfinished"),
    [(4, [3, 2], SOUND[:5], False), (5, [], b"", False), (4, [3, 2], SOUND[:4], True), (1, [5], SOUND[:5], True)],
)
def test_an_ogg_ends_with_a_whole_page_that_says_so(flags, sizes, body, unfinished):
    page = b"OggS\0" + bytes([flags]) + bytes(20) + bytes([len(sizes), *sizes]) + body
    assert unfinished_ogg(io.BytesIO(b"OggS" + bytes(70_000) + page)) == unfinished
    assert unfinished_ogg(io.BytesIO(page[:26])) and not unfinished_ogg(io.BytesIO(b"RIFF"))
