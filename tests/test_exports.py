"""A folder of audio from another system: what is read, and that each fault is one line with file and row."""

import numpy as np
import pytest
import soundfile

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.exports import read_exports


@pytest.fixture
def folder(tmp_path):
    soundfile.write(tmp_path / "a.wav", 0.1 * np.sin(np.arange(16_000) / 20), 16_000)
    return tmp_path


def read(folder, table):
    (folder / "manifest.csv").write_bytes(table.encode() if isinstance(table, str) else table)
    return read_exports(folder, "th", lambda text: tuple(text.split()))


def test_rows_become_utterances_in_order_with_a_speaker_if_there_is_one(folder):
    first, second = read(folder, '\ufefffile,text,speaker\na.wav,ผม ไป,anna\na.wav,"ไป",\n')
    assert (first.text, first.words, first.speaker) == ("ผม ไป", ("ผม", "ไป"), "anna")
    assert second.words == ("ไป",) and first.id != second.id
    assert len(read(folder, "file,text\na.wav,ไป\n")) == 1


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ("file,text\n../a.wav,ไป\n", "manifest.csv:2: path '../a.wav' leads outside"),
        ("file,text\n/a.wav,ไป\n", "manifest.csv:2: path '/a.wav' is not relative"),
        ("file,text\na.wav,ไป\nb.wav,ไป\n", "manifest.csv:3: no audio file 'b.wav'"),
        ("file,text\nmanifest.csv,ไป\n", "manifest.csv:2: 'manifest.csv' is not audio"),
        ("file,text\na.wav,hello\n", "manifest.csv:2: text 'hello' is mostly not in Thai script"),
        ("file,text\na.wav\n", "manifest.csv:2: not as many cells"),
        ("file,text\na.wav,ไป,ผม\n", "manifest.csv:2: not as many cells"),
        ("path,words\na.wav,ไป\n", "manifest.csv:1: columns path, words"),
        ("", "manifest.csv:1: columns none"),
        ("file,text\n", "manifest.csv: no rows"),
        (b"file,text\na.wav,\xff\n", "manifest.csv: not a table in UTF-8"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_row(folder, table, part):
    with pytest.raises(UserError) as caught:
        read(folder, table)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_a_link_that_leads_outside_is_not_followed(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.wav"
    soundfile.write(secret, np.ones(16_000) / 2, 16_000)
    (folder / "link.wav").symlink_to(secret)
    with pytest.raises(UserError, match="a link that leads outside"):
        read(folder, "file,text\nlink.wav,ไป\n")


def test_a_folder_without_the_list_says_what_to_write(tmp_path):
    with pytest.raises(UserError, match=r"manifest\.csv: not there; list the audio in it as file,text"):
        read_exports(tmp_path, "th", lambda text: (text,))
