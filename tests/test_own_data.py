import json
import os

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sebridge_lite.cli.main import main
from sebridge_lite.core.errors import UserError
from sebridge_lite.data.data_card import _counts, format_card
from sebridge_lite.data.engines import folder_recordings
from sebridge_lite.data.languages import language
from sebridge_lite.data.own_data import check_folder, good_rows

THAI, LAO = "ฉันไปตลาด", "ຂ້ອຍໄປຕະຫຼາດ"
ROW = {"words": [], "speaker": "p", "kind": "recording", "engine": ""}


def tone(seconds=1.0, rate=16_000, hertz=440, peak=0.5):
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def save(folder, name, samples=None, rate=16_000, **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(rate=rate) if samples is None else samples, rate, **options)


def ljspeech(folder, *rows):
    (folder / "metadata.csv").write_bytes(b"\n".join(row if isinstance(row, bytes) else row.encode() for row in rows))


def found(folder, lang="th"):
    return [(problem.row, problem.what) for problem in check_folder(folder, lang)[1]]


def test_ljspeech_takes_the_normalised_text_and_audio_in_wavs_or_beside(tmp_path):
    save(tmp_path, "wavs/a.wav")
    save(tmp_path, "b.flac")
    ljspeech(tmp_path, f"a|5|{THAI}\r", f"b|{THAI}\r", "")
    good, problems, card = check_folder(tmp_path, "th")
    assert problems == []
    assert [(u.id, u.text, u.path, u.seconds, u.kind) for u in good] == [
        ("a", THAI, "wavs/a.wav", 1.0, "recording"),
        ("b", THAI, "b.flac", 1.0, "recording"),
    ]
    assert card["formats"] == {"FLAC": 1, "WAV": 1}


def test_common_voice_reads_by_column_name_and_keeps_quotes_as_letters(tmp_path):
    save(tmp_path, "clips/x.mp3", rate=32_000, format="MP3")
    save(tmp_path, "clips/y.mp3", rate=48_000, format="MP3")
    text = f'\ufeffpath\tclient_id\tage\tsentence\nx.mp3\tp1\t\t"{THAI}\ny.mp3\tp2\t\t""\u200b{THAI}""\n'
    (tmp_path / "validated.tsv").write_text(text, newline="\r\n")
    (tmp_path / "train.tsv").write_text("not looked at")
    good, problems, card = check_folder(tmp_path, "th")
    assert problems == []
    assert [(u.id, u.speaker, u.text) for u in good] == [("x", "p1", f'"{THAI}'), ("y", "p2", f'""{THAI}""')]
    assert card["rates"] == {32_000: 1, 48_000: 1}
    assert card["speakers"] == 2


def test_a_manifest_is_read_with_its_ranges_and_its_own_language(tmp_path):
    save(tmp_path, "s.wav", np.concatenate([tone(hertz=300), tone(hertz=600), np.zeros(16_000)]))
    row = ROW | {"path": "s.wav", "seconds": 9, "frames": 16_000}
    rows = [
        row | {"id": "a", "lang": "th", "text": THAI},
        row | {"id": "b", "lang": "lo", "text": LAO, "start": 16_000},
        row | {"id": "c", "lang": "lo", "text": LAO, "start": 32_000},
        row | {"id": "d", "lang": "lo", "text": LAO, "start": 32_001},
        row | {"id": "e", "lang": "lo", "text": THAI},
        row | {"id": "a", "lang": "th", "text": THAI},
    ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    good, problems, card = check_folder(tmp_path)
    assert [(u.id, u.seconds, u.start) for u in good] == [("a", 1.0, 0), ("b", 1.0, 16_000)]
    assert [(p.row, p.what.split(" '")[0]) for p in problems] == [
        (3, "silence from end to end"),
        (4, "ends past the 48000 samples of the file"),
        (5, "text"),
        (6, "id"),
    ]
    assert card["duplicate_audio"] == 0
    assert (2, "language 'lo'") in found(tmp_path, "th")


@pytest.mark.parametrize(
    ("ending", "options"),
    [("wav", {}), ("flac", {}), ("mp3", {}), ("ogg", {}), ("opus", {"format": "OGG", "subtype": "OPUS"})],
)
def test_every_format_at_any_rate_becomes_16_khz_mono_at_the_same_pitch(tmp_path, ending, options):
    rate = 48_000 if ending == "opus" else 44_100
    stereo = np.stack([tone(2, rate), tone(2, rate)], axis=1)
    save(tmp_path / "in", f"wavs/a.{ending}", stereo, rate, **options)
    ljspeech(tmp_path / "in", f"a|{THAI}")
    (recording,) = folder_recordings(tmp_path / "in", "th")
    assert recording.samples.dtype == np.int16
    second = recording.samples[8_000:24_000] / 32768
    assert np.abs(np.fft.rfft(second)).argmax() == 440
    assert np.abs(second).max() == pytest.approx(0.5, abs=0.05)


def test_each_problem_is_found_at_its_row(tmp_path):
    save(tmp_path, "wavs/good.wav", tone(0.5))
    save(tmp_path, "wavs/short.wav", tone(0.4))
    save(tmp_path, "wavs/longest.wav", tone(30))
    save(tmp_path, "wavs/long.wav", tone(31))
    save(tmp_path, "wavs/none.wav", np.zeros(0))
    save(tmp_path, "wavs/nan.wav", np.where(np.arange(16_000) == 9, np.nan, 0.1), subtype="FLOAT")
    save(tmp_path, "wavs/huge.wav", tone() * 32768, subtype="FLOAT")
    save(tmp_path, "wavs/silent.wav", np.full(16_000, 0.2))  # an offset is as silent as zeros
    save(tmp_path, "wavs/slow.wav", rate=1_000)
    save(tmp_path, "wavs/wide.wav", np.tile(tone()[:, None], 9))
    save(tmp_path, "wavs/noise.wav")
    (tmp_path / "wavs/noise.wav").write_bytes(np.random.default_rng(0).bytes(5_000))
    (tmp_path / "wavs/folder.wav").mkdir()
    os.mkfifo(tmp_path / "wavs/pipe.wav")
    outside = tmp_path.parent / f"{tmp_path.name}.wav"
    save(tmp_path.parent, outside.name)
    (tmp_path / "wavs/link.wav").symlink_to(outside)
    cases = [
        (f"good|{THAI}", None),
        ("good|ใหม่", "id 'good' stands in line 1 already"),
        (f"gone|{THAI}", "no audio file 'wavs/gone'"),
        (f"folder|{THAI}", "no audio file 'wavs/folder'"),
        (f"pipe|{THAI}", "no audio file 'wavs/pipe'"),
        (f"noise|{THAI}", "'wavs/noise.wav' is not audio"),
        (f"short|{THAI}", "0.40 s long, under 0.5 s"),
        (f"none|{THAI}", "0.00 s long, under 0.5 s"),
        (f"longest|{THAI}", None),
        (f"long|{THAI}", "31.00 s long, over 30 s"),
        (f"nan|{THAI}", "NaN, infinite or absurdly large samples"),
        (f"huge|{THAI}", "NaN, infinite or absurdly large samples"),
        (f"silent|{THAI}", "silence from end to end"),
        (f"slow|{THAI}", "1000 Hz in 1 channels"),
        (f"wide|{THAI}", "16000 Hz in 9 channels"),
        (f"link|{THAI}", "'wavs/link.wav' is a link that leads outside the folder"),
        (f"../{outside.name}|{THAI}", f"path '../{outside.name}' leads outside the folder"),
        (f"{outside}|{THAI}", f"path '{outside}' is not relative to the manifest's folder, with '/'"),
        (b"bad\xff|x", "not UTF-8"),
        ("only one column", "1 columns"),
        ("a|b|c|d", "4 columns"),
    ]
    ljspeech(tmp_path, *(row for row, _ in cases))
    good, problems, card = check_folder(tmp_path, "th")
    assert [u.id for u in good] == ["good", "longest"]
    wanted = [(number, what) for number, (_, what) in enumerate(cases, start=1) if what]
    shortened = [(p.row, p.what) for p in problems]
    assert [(row, what[:40]) for row, what in shortened] == [(row, what[:40]) for row, what in wanted]
    assert (card["rows"], card["bad_rows"], card["utterances"]) == (len(cases), len(cases) - 2, 2)
    assert all(str(p).startswith(f"metadata.csv:{p.row}: ") and "\n" not in str(p) and p.how for p in problems)


TEXTS = {
    "": "empty text",
    "\u200b": "empty text",
    "...": "no letter or digit",
    "\x00ไป": "control or replacement",
    "ไป\ufffd": "control or replacement",
    "ไป" * 501: "text of 1002 characters",
    LAO: "mostly not in Thai script",
    "Hello ไป": "mostly not in Thai script",
    "ไปตลาด OK": None,
    "๑๒ 12": None,
}


@pytest.mark.parametrize(("text", "what"), TEXTS.items())
def test_a_text_that_cannot_be_thai_speech_is_found(tmp_path, text, what):
    save(tmp_path, "wavs/a.wav")
    ljspeech(tmp_path, f"a|{text}")
    problems = found(tmp_path, "th")
    assert [row for row, _ in problems] == ([1] if what else [])
    assert what is None or what in problems[0][1]


def test_a_card_shows_eight_of_many_and_says_that_there_are_more():
    many = [{f"F{i}": i + 1 for i in range(n)} for n in (0, 1, 8, 9)]
    eight = ", ".join(f"F{i} ({i + 1})" for i in range(8))
    assert [_counts(counts) for counts in many] == ["none", "F0 (1)", eight, eight + ", ..."]
    assert _counts({16_000: 2}, " Hz") == "16000 Hz (2)"


def test_the_card_counts_what_is_there(tmp_path):
    edge = [tone(s, 8_000, peak=0.5 * 10 ** (db / 20)) for s, db in ((1, -39.5), (2, -40.5))]  # 40 dB down: silence
    save(tmp_path, "wavs/a.wav")
    save(tmp_path, "wavs/b.wav")
    save(tmp_path, "wavs/c.flac", np.concatenate([tone(1, 8_000), *edge]), 8_000)
    save(tmp_path, "wavs/d.wav", np.clip(tone(1, peak=3), -1, 1))
    ljspeech(tmp_path, f"a|{THAI}", f"b|{THAI}", "c|กก ขข xx", "d|ค")
    _, problems, card = check_folder(tmp_path, "th")
    assert problems == []
    assert card["hours"] * 3600 == pytest.approx(7)
    assert (card["utterances"], card["speakers"], card["rates"]) == (4, 1, {8_000: 1, 16_000: 3})
    assert card["shortest"] == ("a", 1.0)
    assert card["longest"] == ("c", 4.0)
    assert (card["duplicate_texts"], card["duplicate_audio"], card["clipped_utterances"]) == (1, 1, 1)
    assert card["silence"] == pytest.approx(2 / 7)
    assert card["characters"] == len(set(THAI + "กขคx"))
    assert card["foreign"] == {"x": 2}
    json.dumps(card)
    warned = ["trim it" in format_card(card | {"silence": share}) for share in (2 / 7, 0.41, 0.9)]
    assert warned == [False, True, True]


def test_the_printed_report_lists_problems_then_the_card_and_says_whether_it_may_be_used(tmp_path, capsys):
    save(tmp_path, "wavs/a.wav", np.clip(tone(1, peak=3), -1, 1))
    ljspeech(tmp_path, f"a|{THAI}", "b|")
    assert main(["check-data", str(tmp_path), "--lang", "th"]) == 1
    shown = capsys.readouterr()
    assert "\nmetadata.csv:2: empty text; " in shown.out
    assert "warning: 1 utterances clip" in shown.out
    assert shown.err.count("\n") == 1
    assert main(["check-data", str(tmp_path), "--lang", "th", "--skip-bad"]) == 0


def test_no_layout_or_several_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="no table of recordings: add one of metadata"):
        check_folder(tmp_path)
    (tmp_path / "metadata.csv").mkdir()
    with pytest.raises(UserError, match="is not a file"):
        check_folder(tmp_path)
    (tmp_path / "dev.tsv").touch()
    with pytest.raises(UserError, match=r"metadata.csv and dev.tsv: keep one"):
        check_folder(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        check_folder(tmp_path / "none")


def test_a_file_that_may_not_be_read_is_one_clear_line(tmp_path, monkeypatch):
    save(tmp_path, "wavs/a.wav")
    ljspeech(tmp_path, f"a|{THAI}")
    monkeypatch.setattr(os, "access", lambda *_: False)  # chmod does not stop root, who runs many a container
    assert found(tmp_path) == [(1, "no permission to read 'wavs/a.wav'")]


def test_a_recording_that_breaks_off_is_found(tmp_path):
    save(tmp_path, "wavs/a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 48_000))
    whole = (tmp_path / "wavs/a.flac").read_bytes()
    (tmp_path / "wavs/a.flac").write_bytes(whole[: len(whole) // 2])
    ljspeech(tmp_path, f"a|{THAI}")
    ((row, what),) = found(tmp_path)
    assert row == 1
    assert "breaks off" in what


def test_16_khz_samples_are_kept_exactly(tmp_path):
    noise = np.random.default_rng(1).integers(-32768, 32767, (3, 16_000), dtype=np.int16)
    for name, samples in zip("abc", noise, strict=True):
        save(tmp_path, f"wavs/{name}.wav", samples)
    ljspeech(tmp_path, *(f"{name}|{THAI}" for name in "abc"))
    read = list(folder_recordings(tmp_path, "th"))
    assert all(np.array_equal(recording.samples, samples) for recording, samples in zip(read, noise, strict=True))
    assert read[0].utterance.words == ("ฉัน", "ไป", "ตลาด")


def test_bad_rows_are_refused_unless_told_to_leave_them_out(tmp_path, capsys):
    save(tmp_path, "wavs/a.wav")
    ljspeech(tmp_path, f"a|{THAI}", "b|x|y|z", f"c|{THAI}", f"d|{THAI}", f"e|{THAI}")
    with pytest.raises(UserError) as error:
        list(folder_recordings(tmp_path, "th"))
    assert "4 bad rows, the first: metadata.csv:2: 4 columns" in str(error.value)
    assert "skip_bad: true" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(list(folder_recordings(tmp_path, "th", skip_bad=True))) == 1
    assert capsys.readouterr().err.count("skipped metadata.csv:") == 4


def test_words_come_without_punctuation():
    assert language("th").segment('"ฉัน ไป" ตลาด.') == ("ฉัน", "ไป", "ตลาด")
    assert language("lo").segment("ຂ້ອຍ ໄປ!") == ("ຂ້ອຍ", "ໄປ")
    assert language("ru").segment("Добрый день, мир — да!") == ("Добрый", "день", "мир", "да")


def exported(folder, table):
    save(folder, "a.wav")
    (folder / "manifest.csv").write_bytes(table.encode() if isinstance(table, str) else table)
    return good_rows(folder, "th")


def test_what_another_system_exported_is_read_in_order_with_a_speaker_if_there_is_one(tmp_path):
    first, second = exported(tmp_path, '\ufefffile,text,speaker\na.wav,ผม ไป,anna\na.wav,"ไป",\n')
    assert (first.text, first.speaker, first.path) == ("ผม ไป", "anna", "a.wav")
    assert second.text == "ไป" and first.id != second.id


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ("file,text\n../a.wav,ไป\n", "manifest.csv:2: path '../a.wav' leads outside"),
        ("file,text\na.wav,ไป\nb.wav,ไป\n", "manifest.csv:3: no audio file 'b.wav'"),
        ("file,text\nmanifest.csv,ไป\n", "manifest.csv:2: 'manifest.csv' is not audio"),
        ("file,text\na.wav,hello\n", "manifest.csv:2: text 'hello' is mostly not in Thai script"),
        ("file,text\na.wav\n", "manifest.csv:2: not as many cells"),
        ("file,text\na.wav,ไป,ผม\n", "manifest.csv:2: not as many cells"),
        ("path,words\na.wav,ไป\n", "manifest.csv:1: columns 'path', 'words'"),
        ("", "manifest.csv:1: columns none"),
        (",".join("abcdefghijkl"), "columns 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'; write file,text"),
        ("file,text\n", "manifest.csv: no rows"),
        (b"file,text\na.wav,\xff\n", "manifest.csv: not a table in UTF-8"),
    ],
)
def test_what_is_wrong_in_an_exported_table_is_one_line_with_its_row(tmp_path, table, part):
    with pytest.raises(UserError) as caught:
        exported(tmp_path, table)
    assert part in str(caught.value) and "\n" not in str(caught.value)


TABLES = ("metadata.csv", "validated.tsv", "manifest.csv", "manifest.jsonl")
HEADERS = {"validated.tsv": b"client_id\tpath\tsentence\n", "manifest.csv": b"file,text\n"}
PIECES = [b"..", b"\xff", b"a|\xe0\xb8\x81", b"\xff\xfe", *(letter.encode() for letter in '|,\t\n\r\0"a/{}')]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.sampled_from(TABLES), body=st.binary() | st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_no_bytes_in_a_table_raise_anything_but_a_user_error(tmp_path_factory, table, body):
    folder = tmp_path_factory.mktemp("fuzz")
    save(folder, "a.wav")
    (folder / table).write_bytes(HEADERS.get(table, b"") + body)
    try:
        _, problems, _ = check_folder(folder, "th")
    except UserError as error:
        problems = [error]
    assert all("\n" not in str(problem) and len(str(problem)) < 400 for problem in problems)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), ending=st.sampled_from(["wav", "flac", "mp3", "ogg", "raw", "aiff", "sd2"]))
def test_no_bytes_in_an_audio_file_raise_anything(tmp_path_factory, data, ending):
    folder = tmp_path_factory.mktemp("fuzz")
    name = "a" if ending in ("wav", "flac", "mp3", "ogg") else f"a.{ending}"
    whole = b""
    if ending in ("wav", "flac", "mp3", "ogg"):
        save(folder, f"a.{ending}", tone(0.6), format=ending.upper())
        whole = (folder / f"a.{ending}").read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    (folder / f"a.{ending}").write_bytes(whole[:at] + data.draw(st.binary(max_size=64)) + whole[at + 8 :])
    ljspeech(folder, f"{name}|{THAI}")
    good, problems, _ = check_folder(folder, "th")
    assert len(good) + len(problems) == 1
