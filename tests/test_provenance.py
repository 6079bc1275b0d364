"""A generated WAV says what made it, and stays a WAV that everybody opens."""

import wave
from datetime import date

import numpy as np
import pytest
import soundfile

from sebridge_lite.core.errors import UserError
from sebridge_lite.extras.consent import Consent, provenance_of, read_provenance, run_detect, write_wav
from sebridge_lite.extras.watermark import embed

SAID = provenance_of("tdsc", "ສະບາຍດີ", Consent("A", "b", "2026-12-31", "0" * 64, "1" * 64), date(2026, 11, 20))


def sound(seconds: float = 3.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(int(16_000 * seconds)).astype(np.float32)


def test_every_reader_of_wav_opens_it_and_finds_the_samples(tmp_path):
    samples = sound()
    write_wav(tmp_path / "a.wav", samples, 16_000, SAID)
    read, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == 16_000
    np.testing.assert_allclose(read, samples, atol=2 / 32768)
    with wave.open(str(tmp_path / "a.wav")) as plain:
        assert (plain.getnframes(), plain.getnchannels(), plain.getsampwidth()) == (len(samples), 1, 2)
    with soundfile.SoundFile(tmp_path / "a.wav") as tagged:
        assert "Synthetic speech" in tagged.comment


def said(path):
    with soundfile.SoundFile(path) as sound:
        return read_provenance(sound)


def test_what_was_written_is_read_and_names_no_text(tmp_path):
    write_wav(tmp_path / "a.wav", sound(), 16_000, SAID)
    assert said(tmp_path / "a.wav") == SAID
    assert "ສະບາຍດີ".encode() not in (tmp_path / "a.wav").read_bytes()


@pytest.mark.parametrize("damage", [(b'"model"', b'"mODel"'), (b'{"model', b'["model'), (b'"tdsc"', b"12345 ")])
def test_a_damaged_comment_is_one_clear_line(tmp_path, damage):
    write_wav(tmp_path / "a.wav", sound(), 16_000, SAID)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes().replace(*damage))
    with pytest.raises(UserError, match="its comment is damaged"):
        said(tmp_path / "a.wav")


def test_detect_tells_marked_re_encoded_and_plain_files_apart(tmp_path):
    marked = embed(sound())
    write_wav(tmp_path / "a.wav", marked, 16_000, SAID)
    soundfile.write(tmp_path / "a.mp3", marked, 16_000)
    soundfile.write(tmp_path / "plain.wav", sound(), 16_000)
    first, again, plain = (list(run_detect([tmp_path / name])) for name in ("a.wav", "a.mp3", "plain.wav"))
    assert said(tmp_path / "plain.wav") is None and said(tmp_path / "a.mp3") is None
    assert "is there" in first[0] and "model 'tdsc'" in first[1]
    assert "is there" in again[0] and "does not say where it comes from" in again[1]
    assert "not found" in plain[0] and "does not show that a person spoke" in plain[-1]
