"""Thai spelling to tone: consonant class x tone mark x live or dead x vowel length (the rule of every primer).

Two things need no code of their own: ห before a sonorant and อ before ย sit first in the syllable, so the class of the
first consonant is already theirs. Linked syllables do need it: in ต-ลาด the sonorant ล takes the class of the ต before it.
Left out: finding syllables and vowels in a spelling (the lexicon gives both), and words spoken against the rule.
"""

from sebridge_lite.studio.lexicon import Syllable, Word

MID, HIGH = set("กจฎฏดตบปอ"), set("ขฃฉฐถผฝศษสห")  # every other consonant is low
SONORANTS = set("งญณนมยรลวฬ")
PREPOSED = "เแโใไ"  # vowels written before the consonant they follow in speech
BY_MARK = {"่": {"low": "F"}, "้": {"low": "H"}, "๊": {}, "๋": {}}
OTHERWISE = {"่": "L", "้": "F", "๊": "H", "๋": "R"}


def consonant_class(text: str) -> str:
    first = text.lstrip(PREPOSED)[0]
    return "mid" if first in MID else "high" if first in HIGH else "low"


def tone_mark(text: str) -> str:
    return next((letter for letter in text if letter in BY_MARK), "")


def tone_rule(consonants: str, mark: str, dead: bool, long: bool) -> str:
    """Tone code of a syllable whose first consonant is of class "low", "mid" or "high"."""
    if mark:
        return BY_MARK[mark].get(consonants, OTHERWISE[mark])
    if not dead:
        return "R" if consonants == "high" else "M"
    if consonants == "low":
        return "F" if long else "H"
    return "L"


def syllable_tone(syllable: Syllable, leader: str = "") -> str:
    """The tone that the spelling asks for; `leader` is the lone consonant written before a linked syllable, if any."""
    long = syllable.vowel.endswith("ː") or len(syllable.vowel) == 2  # ia, ɯa, ua count as long
    dead = syllable.coda in ("p", "t", "k") or (not long and syllable.coda in ("ʔ", ""))
    linked = leader in MID | HIGH and syllable.text.lstrip(PREPOSED)[0] in SONORANTS
    return tone_rule(consonant_class(leader if linked else syllable.text), tone_mark(syllable.text), dead, long)


def word_tones(word: Word) -> tuple[str, ...]:
    """What the rule gives each syllable; a syllable written as one bare consonant leads the next."""
    texts = ["", *(syllable.text for syllable in word.syllables)]
    leaders = [text if len(text) == 1 else "" for text in texts[:-1]]
    return tuple(syllable_tone(*pair) for pair in zip(word.syllables, leaders, strict=True))
