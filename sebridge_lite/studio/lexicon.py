"""Words as written and as spoken: one tab-separated file a language, under `data/text/LANG/lexicon.tsv`.

Columns: `word`, `syllables` (script, joined by "-"), `ipa` (joined by "."), `tones` (joined by "."), `classes` (of the
grammar, joined by ","), `gloss`. Rows are sorted by frequency: the row number is the Zipf rank.

Tokenizer and judges learn to hear units: phones, and after each syllable its tone. Not letters: on 4,000 utterances a
recogniser of phones and tones was at 11 % error when one of letters was at 39 %, Thai spelling being far from its sound
(letters before the sound they follow, tone by consonant class); and in a tokenizer letters would make the tokens
orthographic. One table serves all languages; each has tones of its own.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sebridge_lite.core.errors import UserError

TONES = {"th": ("M", "L", "F", "H", "R"), "lo": ("R", "H", "HF", "M", "L", "LF"), "bb": ("M", "L", "F", "H", "R")}
ONSETS = ("pʰ", "tʰ", "kʰ", "tɕʰ", "tɕ", *"pbtdkʔfshmnɲŋwlrj")
VOWELS = ("ia", "ɯa", "ua", *(v + length for v in "aeɛiɔouɯɤ" for length in ("ː", "")))
CODAS = ("p", "t", "k", "m", "n", "ŋ", "w", "j", "ʔ", "")
PHONES = tuple(dict.fromkeys((*ONSETS, *VOWELS, *filter(None, CODAS))))
UNITS = ("-", *PHONES, *(f"{lang}:{tone}" for lang, tones in TONES.items() for tone in tones))
INDEX = {unit: index for index, unit in enumerate(UNITS)}

_ONSET = "|".join(sorted(ONSETS, key=len, reverse=True))
_SYLLABLE = re.compile(
    rf"(?P<onset>{_ONSET})(?P<glide>[rlw]?)(?P<vowel>{'|'.join(VOWELS)})(?P<coda>{'|'.join(c for c in CODAS if c)}|)"
)


@dataclass(frozen=True)
class Syllable:
    """One spoken syllable: `onset` + `glide` (second consonant of a cluster) + `vowel` + `coda`, under one `tone`."""

    text: str
    onset: str
    glide: str
    vowel: str
    coda: str
    tone: str

    @property
    def ipa(self) -> str:
        return self.onset + self.glide + self.vowel + self.coda

    @property
    def phones(self) -> tuple[str, ...]:
        return tuple(p for p in (self.onset, self.glide, self.vowel, self.coda) if p)


@dataclass(frozen=True)
class Word:
    """A word as written, with its syllables as spoken."""

    text: str
    syllables: tuple[Syllable, ...]
    classes: tuple[str, ...]
    gloss: str
    rank: int  # 1 is the most frequent


def parse_syllable(text: str, ipa: str, tone: str, lang: str) -> Syllable:
    """A syllable of the lexicon from its spelling, IPA and tone."""
    match = _SYLLABLE.fullmatch(ipa)
    if match is None:
        raise UserError(f"syllable '{ipa}' is not onset + vowel + coda of the known phones")
    if tone not in TONES[lang]:
        raise UserError(f"tone '{tone}' of '{text}' is not one of {', '.join(TONES[lang])}")
    return Syllable(text, match["onset"], match["glide"], match["vowel"], match["coda"], tone)


def parse_word(row: dict, lang: str, rank: int) -> Word:
    """A word from a row of the lexicon."""
    texts, ipas, tones = row["syllables"].split("-"), row["ipa"].split("."), row["tones"].split(".")
    if not len(texts) == len(ipas) == len(tones):
        raise UserError(f"'{row['word']}' has {len(texts)} syllables, {len(ipas)} IPA parts and {len(tones)} tones")
    if "".join(texts) != row["word"]:
        raise UserError(f"the syllables of '{row['word']}' do not join to the word")
    syllables = tuple(parse_syllable(*parts, lang) for parts in zip(texts, ipas, tones, strict=True))
    return Word(row["word"], syllables, tuple(row["classes"].split(",")), row["gloss"], rank)


def load_lexicon(path: Path, lang: str) -> dict[str, Word]:
    """Word by its written form, in order of rank; a bad row names file, line and reason."""
    if not path.is_file():
        raise UserError(f"{path}: no lexicon; fetch the embedded data with `dvc pull data.dvc`")
    words: dict[str, Word] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        for line, row in enumerate(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE), start=2):
            if None in row.values() or None in row:
                raise UserError(f"{path}:{line}: needs the columns word, syllables, ipa, tones, classes, gloss")
            if row["word"] in words:
                raise UserError(f"{path}:{line}: '{row['word']}' stands twice; give one row all its classes")
            try:
                words[row["word"]] = parse_word(row, lang, len(words) + 1)
            except UserError as error:
                raise UserError(f"{path}:{line}: {error}") from None
    return words


def tone_language(lang: str) -> str:
    """Whose tones a language has: the backbone's language is one, whatever letters it is written in."""
    return "bb" if lang.startswith("bb") else lang


def spoken_units(phones: Sequence[str], syllables: Sequence[int], tones: Sequence[str], lang: str) -> list[int]:
    """What was said (an utterance's `truth`): a pause, syllable -1, is nothing."""
    units = []
    for place, (phone, syllable) in enumerate(zip(phones, syllables, strict=True)):
        if syllable < 0:
            continue
        units.append(INDEX[phone])
        if place + 1 == len(phones) or syllables[place + 1] != syllable:
            units.append(INDEX[f"{lang}:{tones[syllable]}"])
    return units


def word_units(word: Word, lang: str) -> list[int]:
    """What the lexicon says of a word."""
    return [INDEX[unit] for s in word.syllables for unit in (*s.phones, f"{lang}:{s.tone}")]


def is_tone(unit: int) -> bool:
    return unit > len(PHONES)
