"""The study on recordings of a person: what it needs, and what its engines say."""

import pytest

from sebridge_lite.cli import real
from sebridge_lite.core.errors import UserError


def test_only_plain_sentences_of_a_fit_length_are_said():
    text = "He left early today.  Too short.\n%\nIn 1984 nobody knew what to say.\n%\nQ: Why did the hen cross it?\n%\n"
    assert list(real.sentences(text + "A line that is\nbroken, goes on here.")) == [
        "He left early today.",
        "A line that is broken, goes on here.",
    ]


def test_what_is_missing_is_named_with_the_commands_that_bring_it(monkeypatch, tmp_path):
    monkeypatch.setattr(real, "FILES", {"some-sounds": tmp_path / "a.g722"})
    monkeypatch.setattr(real, "MODULES", ("no_such_module_here",))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert real.missing() == ("apt-get install some-sounds flite espeak-ng ffmpeg && pip install 'sebridge_lite[real]'")
    with pytest.raises(UserError, match="apt-get install some-sounds"):
        list(real.real())
