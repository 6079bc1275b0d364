"""Languages as they are written: script, words, and which letters belong; and, by espeak-ng, how they sound.

Thai and Lao are known by name, since they are written without spaces. Any other language is a generic record: words are what
stands between spaces and punctuation, letters are lower case, and the script is known for common codes.
"""

import re
import shutil
import subprocess
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sebridge_lite.core.errors import UserError, show

INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")  # zero-width spaces and soft hyphens: nobody says them
LETTERS, SPOKEN = "LM", "LMN"  # first letters of Unicode categories: letters with their signs; and numbers
ANY_SCRIPT = ("COMBINING", "MODIFIER")  # signs that go with the letters of any script
WRITTEN_IN = {  # by the first words of the Unicode names of letters
    "LATIN": "en es fr de it pt nl cs pl tr sv da fi no nb ro hu sk sl hr et lv lt ca eu id vi sw",
    "CYRILLIC": "ru uk bg be mk",
    "ARABIC": "ar fa ur",
    "GREEK": "el",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "HEBREW": "he",
    "DEVANAGARI": "hi",
    "ETHIOPIC": "am",
    "KHMER": "km",
    "MYANMAR": "my",
    "HANGUL CJK": "ko",
    "CJK IDEOGRAPHIC": "zh",
    "HIRAGANA KATAKANA CJK IDEOGRAPHIC": "ja",
}
SCRIPTS = {code: tuple(script.split()) for script, codes in WRITTEN_IN.items() for code in codes.split()}
CODE = "[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8})*"
SPACELESS = ("ja", "zh", "km", "my")  # where a word is here a character, with its signs
AS_WRITTEN = ("th", "lo", "und")  # whose texts keep their capitals, if there are any
VOICES = {"en": "en-us", "zh": "cmn", "no": "nb"}  # of espeak-ng, where they are not called like the language
SENTINEL = "0 0 0."  # what no text says: its phones show where one text ends and the next begins
NO_PHONE = re.compile(r"\([a-z-]+\)|[\"^]")  # marks of espeak-ng: a word of another language, a stress inside a word


def is_a(kinds: str, char: str) -> bool:
    return unicodedata.category(char)[0] in kinds


def script_of(char: str) -> str:
    """The first word of a letter's Unicode name: LATIN, CYRILLIC, THAI ..."""
    return re.split("[ -]", unicodedata.name(char, ""))[0]


def main_script(texts: Iterable[str]) -> tuple[str, ...]:
    """The script of most letters of the texts, none where there are no letters."""
    counts = Counter(script_of(c) for text in texts for c in text if is_a("L", c))
    return tuple(script for script, _ in counts.most_common(1))


@dataclass(frozen=True)
class Language:
    """What a language's writing needs: `script` names whose letters belong, and is empty where any letter will do."""

    code: str
    name: str
    script: tuple[str, ...]
    cut: Callable[[str], Iterable[str]]  # a text into words, punctuation and spaces

    @property
    def voice(self) -> str:
        """What espeak-ng calls the language."""
        return VOICES.get(self.code, self.code)

    def foreign(self, text: str) -> str:
        """The letters of a text that are not of this language's script."""
        known = self.script + ANY_SCRIPT
        return "".join(c for c in text if is_a(LETTERS, c) and script_of(c) not in known) if self.script else ""

    def in_script(self, text: str) -> bool:
        """Whether at least half of a text's letters are of this language's script."""
        return 2 * len(self.foreign(text)) <= sum(is_a(LETTERS, c) for c in text)

    def normalise(self, text: str) -> str:
        """The text in composed letters (NFC), lower case where that is usual, single spaces, no invisible characters."""
        text = " ".join(unicodedata.normalize("NFC", INVISIBLE.sub("", text)).split())
        if self.code in AS_WRITTEN:
            return text
        return (text.replace("I", "ı").replace("İ", "i") if self.code in ("tr", "az") else text).lower()

    def segment(self, text: str) -> tuple[str, ...]:
        """The words of a text, without the punctuation around them."""
        tokens = list(self.cut(text))
        spoken = [[i for i, c in enumerate(token) if is_a(SPOKEN, c)] for token in tokens]
        return tuple(token[at[0] : at[-1] + 1] for token, at in zip(tokens, spoken, strict=True) if at)

    def phones(self, texts: Sequence[str]) -> list[list[str]]:
        """How espeak-ng says each text: phones in IPA, stress marks apart; " " between words, "," between clauses."""
        if not (command := shutil.which("espeak-ng")):
            raise UserError(
                "espeak-ng: not installed, but text.units is phones; install it, or set text.units: characters"
            )
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
            file.write("".join(f"{' '.join(text.split())}\n\n{SENTINEL}\n\n" for text in ["", *texts]))
            file.flush()
            done = subprocess.run(
                [command, "-q", "--ipa", "--sep=_", "-v", self.voice, "-f", file.name], capture_output=True
            )
        if done.returncode or not done.stdout:
            raise UserError(
                f"espeak-ng: no voice '{self.voice}': `espeak-ng --voices` lists them, or set text.units: characters"
            )
        lines = [NO_PHONE.sub("", line) for line in done.stdout.decode("utf-8").splitlines()]
        while lines[0] == "":
            lines.pop(0)
        said: list[list[str]] = []
        for line in lines:
            if line == lines[0]:
                said.append([])
            elif line.strip("_ "):
                said[-1] += [","] * bool(said[-1]) + _phones(line)
        if len(said) != len(texts) + 1 or said[-1]:
            raise UserError(
                f"espeak-ng: {len(said) - 1} texts came back for {len(texts)}; is {SENTINEL!r} one of them?"
            )
        return said[:-1]


def _phones(line: str) -> list[str]:
    words = [
        [part for phone in word.split("_") for part in re.findall("[ˈˌ]|[^ˈˌ]+", phone)] for word in line.split(" ")
    ]
    return [phone for word in words if word for phone in (" ", *word)][1:]


def _words(text: str) -> list[str]:
    """Words between spaces and punctuation; apostrophes and hyphens within them stay."""
    return "".join(c if is_a(SPOKEN, c) or c in "'’-" else " " for c in text).split()


def _characters(text: str) -> list[str]:
    return re.findall(r"[^\W_][\u0300-\u036f\u102b-\u103e\u17b4-\u17d3\u3099\u309a]*", text)


def _thai(text: str) -> list[str]:
    from pythainlp.tokenize import word_tokenize

    return word_tokenize(text, engine="newmm", keep_whitespace=False)


def _lao(text: str) -> list[str]:
    from laonlp.tokenize import word_tokenize

    return word_tokenize(text)


LANGUAGES = {"th": Language("th", "Thai", ("THAI",), _thai), "lo": Language("lo", "Lao", ("LAO",), _lao)}


def language(code: str | None, texts: Iterable[str] = ()) -> Language:
    """The language of a code such as `th`; `texts` tell the script of one whose script is not known."""
    if code in (None, "und"):
        return Language("und", "any language", (), _words)
    if not re.fullmatch(CODE, code):
        raise UserError(f"language {show(code)}: write its code, such as th, lo, ru or en")
    short = code.split("-")[0].lower()
    cut = _characters if short in SPACELESS else _words
    script = SCRIPTS.get(short) or main_script(texts)
    return LANGUAGES.get(code) or Language(code, code, script, cut)
