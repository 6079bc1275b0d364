"""A consent record covers one recording, for one purpose, until a day; anything else is refused in one line."""

import json
from datetime import date

import numpy as np
import pytest
import soundfile

from sebridge_lite.core.errors import UserError
from sebridge_lite.extras.consent import check_consent, read_consent, write_consent

TODAY = date(2026, 11, 20)


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "reference.wav"
    soundfile.write(path, 0.1 * np.sin(np.arange(16_000) / 10), 16_000)
    return path


@pytest.fixture
def record(tmp_path, reference):
    path = tmp_path / "consent.json"
    write_consent(path, "นภา", "a lesson", "2026-12-31", reference, TODAY)
    return path


def test_a_record_covers_its_recording_on_its_last_day_and_not_on_the_next(record, reference):
    consent = read_consent(record)
    check_consent(consent, reference, date(2026, 12, 31))
    with pytest.raises(UserError, match="ended on 2026-12-31"):
        check_consent(consent, reference, date(2027, 1, 1))


def test_another_recording_and_no_recording_are_refused(record, reference, tmp_path):
    consent, other = read_consent(record), tmp_path / "other.wav"
    soundfile.write(other, 0.1 * np.sin(np.arange(16_000) / 11), 16_000)
    with pytest.raises(UserError, match="another recording"):
        check_consent(consent, other, TODAY)
    with pytest.raises(UserError, match="no such audio file"):
        check_consent(consent, tmp_path / "none.wav", TODAY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"until": "2036-12-31"}, "edited or damaged"),
        ({"reference": "0" * 64}, "edited or damaged"),
        ({"until": "next year"}, "not a day"),
        ({"who": "  "}, "who is not one line"),
        ({"purpose": "a\nb"}, "purpose is not one line"),
        ({"who": 7}, "who is not one line"),
        ({"extra": "x"}, "no consent record"),
        ({"digest": None}, "digest is not one line"),
    ],
)
def test_an_edited_record_is_refused(record, change, message):
    record.write_text(json.dumps(json.loads(record.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(UserError, match=message):
        read_consent(record)


@pytest.mark.parametrize("raw", [None, b"", b"[]", b"\xff\xfe", b"{", b"[" * 100_000])
def test_what_is_no_record_is_refused_in_one_line(tmp_path, raw):
    if raw is not None:
        (tmp_path / "consent.json").write_bytes(raw)
    with pytest.raises(UserError, match="consent record") as refusal:
        read_consent(tmp_path / "consent.json")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("until", "part"), [("31.12.2026", "not a day"), ("2026-11-19", "until 2026-11-19 has passed")]
)
def test_a_day_that_is_none_or_has_passed_writes_nothing(tmp_path, reference, until, part):
    with pytest.raises(UserError, match=part) as refusal:
        write_consent(tmp_path / "consent.json", "A", "b", until, reference, TODAY)
    assert "\n" not in str(refusal.value) and not (tmp_path / "consent.json").exists()
    assert write_consent(tmp_path / "consent.json", "A", "b", "2026-11-20", reference, TODAY).until == "2026-11-20"


def test_a_record_never_takes_the_place_of_the_recording(tmp_path, reference):
    before = reference.read_bytes()
    (tmp_path / "link.wav").symlink_to(reference)
    for out in (reference, tmp_path / "link.wav"):
        with pytest.raises(UserError, match="give a name that ends in"):
            write_consent(out, "A", "b", "2026-12-31", reference, TODAY)
    assert reference.read_bytes() == before
