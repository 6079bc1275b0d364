"""An invented sister language of Thai and Lao for the backbone, which the paper downloads already trained.

It is written in Thai or in Lao letters, with the same vowels and finals, but some letters sound otherwise (as r and ch do
between Thai and Lao) and its tone table is its own. So a backbone learns what letters, phones and speech tokens are, and
fine-tuning still has the language to learn. Left out: grammar; its sentences are words in a row.
"""

from sebridge_lite.core.seeds import rng_of
from sebridge_lite.studio.grammar import LONGEST, SHORTEST, Grammar, members_of
from sebridge_lite.studio.lexicon import Syllable, Word

# (Thai letter, Lao letter, class, sound here); the last six sound otherwise in Thai or Lao.
ONSETS = (
    ("ป", "ປ", "mid", "p"), ("ต", "ຕ", "mid", "t"), ("ก", "ກ", "mid", "k"), ("อ", "ອ", "mid", "ʔ"), ("จ", "ຈ", "mid", "tɕ"),
    ("ผ", "ຜ", "high", "pʰ"), ("ถ", "ຖ", "high", "tʰ"), ("ข", "ຂ", "high", "kʰ"), ("ส", "ສ", "high", "s"),
    ("พ", "ພ", "low", "pʰ"), ("ท", "ທ", "low", "tʰ"), ("ค", "ຄ", "low", "kʰ"), ("ม", "ມ", "low", "m"), ("น", "ນ", "low", "n"),
    ("ง", "ງ", "low", "ŋ"), ("ว", "ວ", "low", "w"), ("ล", "ລ", "low", "l"),
    ("บ", "ບ", "mid", "d"), ("ด", "ດ", "mid", "b"), ("ร", "ຣ", "low", "h"), ("ย", "ຢ", "low", "ɲ"), ("ซ", "ຊ", "low", "tɕʰ"),
    ("ห", "ຫ", "high", "f"),
)  # fmt: skip
CODAS = {"": ("", ""), "p": ("บ", "ບ"), "t": ("ด", "ດ"), "k": ("ก", "ກ"), "m": ("ม", "ມ"), "n": ("น", "ນ"),
         "ŋ": ("ง", "ງ"), "w": ("ว", "ວ"), "j": ("ย", "ຍ")}  # fmt: skip
# o: onset letter, m: tone mark, f: final; open and closed forms differ where the orthographies do.
VOWELS = {
    "th": {
        "a": ("{o}{m}ะ", "{o}ั{m}{f}"), "aː": ("{o}{m}า", "{o}{m}า{f}"), "i": ("{o}ิ{m}", "{o}ิ{m}{f}"),
        "iː": ("{o}ี{m}", "{o}ี{m}{f}"), "ɯː": ("{o}ื{m}อ", "{o}ื{m}{f}"), "u": ("{o}ุ{m}", "{o}ุ{m}{f}"),
        "uː": ("{o}ู{m}", "{o}ู{m}{f}"), "eː": ("เ{o}{m}", "เ{o}{m}{f}"), "ɛː": ("แ{o}{m}", "แ{o}{m}{f}"),
        "oː": ("โ{o}{m}", "โ{o}{m}{f}"), "ɔː": ("{o}{m}อ", "{o}{m}อ{f}"), "ɤː": ("เ{o}{m}อ", "เ{o}ิ{m}{f}"),
        "ia": ("เ{o}ี{m}ย", "เ{o}ี{m}ย{f}"), "ɯa": ("เ{o}ื{m}อ", "เ{o}ื{m}อ{f}"), "ua": ("{o}ั{m}ว", "{o}{m}ว{f}"),
    },
    "lo": {
        "a": ("{o}{m}ະ", "{o}ັ{m}{f}"), "aː": ("{o}{m}າ", "{o}{m}າ{f}"), "i": ("{o}ິ{m}", "{o}ິ{m}{f}"),
        "iː": ("{o}ີ{m}", "{o}ີ{m}{f}"), "ɯː": ("{o}ື{m}", "{o}ື{m}{f}"), "u": ("{o}ຸ{m}", "{o}ຸ{m}{f}"),
        "uː": ("{o}ູ{m}", "{o}ູ{m}{f}"), "eː": ("ເ{o}{m}", "ເ{o}{m}{f}"), "ɛː": ("ແ{o}{m}", "ແ{o}{m}{f}"),
        "oː": ("ໂ{o}{m}", "ໂ{o}{m}{f}"), "ɔː": ("{o}ໍ{m}", "{o}{m}ອ{f}"), "ɤː": ("ເ{o}ີ{m}", "ເ{o}ີ{m}{f}"),
        "ia": ("ເ{o}ັ{m}ຍ", "{o}{m}ຽ{f}"), "ɯa": ("ເ{o}ຶ{m}ອ", "ເ{o}ຶ{m}ອ{f}"), "ua": ("{o}ົ{m}ວ", "{o}{m}ວ{f}"),
    },
}  # fmt: skip
MARKS = {"th": ("", "่", "้"), "lo": ("", "່", "້")}
# Class -> tone of live syllables under no mark, mark 1, mark 2; dead syllables bear the tone of `DEAD`.
LIVE = {"high": "MFL", "mid": "LHR", "low": "RMF"}
DEAD = {"high": "H", "mid": "F", "low": "L"}


def invent_syllable(script: str, rng) -> Syllable:
    """A syllable of the invented language, drawn at random."""
    letters = ONSETS[rng.integers(len(ONSETS))]
    side = ("th", "lo").index(script)
    vowel = list(VOWELS[script])[rng.integers(len(VOWELS[script]))]
    coda = list(CODAS)[rng.integers(len(CODAS))]
    if coda in ("w", "j") and vowel not in ("a", "aː"):
        coda = ""
    dead = coda in ("p", "t", "k") or (not coda and len(vowel) == 1)
    mark = 0 if dead else int(rng.choice(3, p=(0.6, 0.2, 0.2)))
    tone = DEAD[letters[2]] if dead else LIVE[letters[2]][mark]
    text = VOWELS[script][vowel][bool(coda)].format(o=letters[side], m=MARKS[script][mark], f=CODAS[coda][side])
    return Syllable(text, letters[3], "", vowel, coda or ("ʔ" if len(vowel) == 1 else ""), tone)


def backbone_grammar(script: str, zipf: float = 1.0, size: int = 600, syllables: int = 250) -> Grammar:
    """The language in one script: `size` words of one or two syllables; the same words in both scripts."""
    rng = rng_of("backbone language")
    pool = [invent_syllable(script, rng) for _ in range(syllables)]
    lexicon: dict[str, Word] = {}
    while len(lexicon) < size:
        parts = tuple(pool[i] for i in rng.integers(len(pool), size=rng.choice((1, 2), p=(0.4, 0.6))))
        text = "".join(part.text for part in parts)
        lexicon.setdefault(text, Word(text, parts, ("word",), "", len(lexicon) + 1))
    rules = {"S": [(1.0, ("word",) * length) for length in range(SHORTEST, LONGEST + 1)]}
    return Grammar(rules, members_of(lexicon, zipf), lexicon)
