"""The units that tokenizer and judges learn to hear: phones, and after each syllable its tone.

Not letters: on 4,000 utterances a recogniser of phones and tones was at 11 % error when one of letters was at 39 %, Thai
spelling being far from its sound (letters before the sound they follow, tone by consonant class); and in a tokenizer letters
would make the tokens orthographic. One table serves all languages; each has tones of its own.
"""

from collections.abc import Sequence

from sebridge_lite.studio.lexicon import CODAS, ONSETS, TONES, VOWELS, Word

PHONES = tuple(dict.fromkeys((*ONSETS, *VOWELS, *filter(None, CODAS))))
UNITS = ("-", *PHONES, *(f"{lang}:{tone}" for lang, tones in TONES.items() for tone in tones))
INDEX = {unit: index for index, unit in enumerate(UNITS)}


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
