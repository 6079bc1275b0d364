"""The tone that Lao spelling asks for: consonant class x tone mark x live or dead x vowel length, six tones of Vientiane.

Checked (dead) syllables follow the Vientiane tone chart of SEAsite Laos (Northern Illinois University, 2002). That chart
merges the plain live tones of the high and the middle class, and has high rising and high mid where we write H and M; we
keep the two live tones apart, R and L, as descriptions with six tones do.

Left out: mai ti and mai catawa, which only write emphasis and a few loans; sandhi and unstressed tone, so a fore-syllable
such as the first one of ຕະຫຼາດ keeps its citation tone.
"""

from sebridge_lite.core.errors import UserError
from sebridge_lite.studio.lexicon import Syllable

HIGH, MID, LOW = "ຂສຖຜຝຫໜໝ", "ກຈດຕບປຢອ", "ຄຊທພຟຮງຍນມລຣວ"
MAI_EK, MAI_THO = "\u0ec8", "\u0ec9"
LEADING_VOWELS = "ເແໂໃໄ"


def syllable_tone(letter_class: str, mark: str, dead: bool, long: bool) -> str:
    """Tone code from the class ("high", "mid", "low") of the first consonant and the mark ("" for none)."""
    if mark == MAI_EK:
        return "M"
    if mark == MAI_THO:
        return "LF" if letter_class == "high" else "HF"
    if not dead:
        return {"high": "R", "mid": "L", "low": "H"}[letter_class]
    if long:
        return "HF" if letter_class == "low" else "LF"
    return "M" if letter_class == "low" else "H"


def letter_class(text: str) -> str:
    """Class of a written syllable. A leading ຫ (ຫຼ, ຫຍ, ຫວ ...) is itself high, so the first consonant always decides."""
    consonants = text.lstrip(LEADING_VOWELS)
    for name, letters in (("high", HIGH), ("mid", MID), ("low", LOW)):
        if consonants and consonants[0] in letters:
            return name
    raise UserError(f"'{text}' does not start like a Lao syllable: a consonant must follow any leading vowel")


def written_tone(syllable: Syllable) -> str:
    """The tone of a lexicon syllable by its spelling; vowel length and coda are read from its sounds."""
    mark = next((m for m in (MAI_EK, MAI_THO) if m in syllable.text), "")
    long = syllable.vowel.endswith("ː") or syllable.vowel in ("ia", "ɯa", "ua")
    dead = syllable.coda in ("p", "t", "k", "ʔ") or (not long and not syllable.coda)
    return syllable_tone(letter_class(syllable.text), mark, dead, long)
