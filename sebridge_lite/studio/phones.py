"""What each phone of the inventory sounds like, for an adult male tract; a voice scales the frequencies.

Vowels after Abramson (1962, Thai), consonants after Klatt (1980), loci after Sussman et al. (1991), voice onset times
after Lisker & Abramson (1964). Left out: allophones by position beyond what coarticulation gives, creak, lip rounding
of consonants, anything that depends on a language.
"""

from dataclasses import dataclass, replace
from typing import Any

PAUSE = "_"


@dataclass(frozen=True)
class Phone:
    """Frequencies in Hz, amplitudes against an open vowel's voicing (1.0), `ms` a nominal duration.

    A stop is silent (but for `voicing`) over the share `closure` of its duration, then bursts for 10 ms and spends what
    is left on `aspiration` and `noise`; at the end of a syllable it is not released. `pull` says how far each formant
    leans towards the vowel's.
    """

    formants: tuple[float, float, float, float]
    end: tuple[float, float, float, float] | None = None  # a diphthong ends elsewhere
    bandwidths: tuple[float, float, float, float] = (60.0, 80.0, 130.0, 220.0)
    pull: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    nasal: tuple[float, float] | None = None  # pole, zero
    voicing: float = 0.0
    aspiration: float = 0.0
    noise: float = 0.0
    noise_band: tuple[float, float] = (1000.0, 1000.0)  # centre (0: follows F2), bandwidth
    closure: float = 0.0
    burst: float = 0.0
    dull: float = 0.0  # 0 to 1: how much of the treble a closed mouth takes away
    ms: float = 80.0
    glide_ms: float = 10.0  # the share of a transition that lies inside this phone

    @property
    def sonorant(self) -> bool:
        """Carries the tone: vowels, nasals, glides, liquids."""
        return self.voicing > 0 and not self.closure


def is_vowel(name: str) -> bool:
    """Whether a phone is a vowel, long, short or a diphthong."""
    return name[0] in "aeɛiɔouɯɤ"


def _vowel(f1: float, f2: float, f3: float, end: tuple | None = None) -> Phone:
    return Phone((f1, f2, f3, 3500.0), end, voicing=1.0, ms=190.0 if end else 175.0, glide_ms=50.0)


def _short(vowel: Phone) -> Phone:
    """Short vowels are a little closer to the centre of the vowel space."""
    centre = (500.0, 1450.0, 2450.0, 3500.0)
    first, second, third, fourth = (0.93 * f + 0.07 * c for f, c in zip(vowel.formants, centre, strict=True))
    return replace(vowel, formants=(first, second, third, fourth), ms=80.0, glide_ms=35.0)


_LABIAL: dict[str, Any] = {"formants": (230.0, 850.0, 2150.0, 3300.0), "pull": (0.1, 0.65, 0.4, 0.2)}
_ALVEOLAR: dict[str, Any] = {"formants": (230.0, 1850.0, 2750.0, 3600.0), "pull": (0.1, 0.4, 0.3, 0.2)}
_PALATAL: dict[str, Any] = {"formants": (230.0, 2250.0, 2900.0, 3600.0), "pull": (0.1, 0.3, 0.3, 0.2)}
_VELAR: dict[str, Any] = {"formants": (230.0, 2300.0, 2150.0, 3400.0), "pull": (0.1, 0.7, 0.4, 0.2)}
_P: dict[str, Any] = {**_LABIAL, "noise_band": (650.0, 1300.0)}
_T: dict[str, Any] = {**_ALVEOLAR, "noise_band": (4300.0, 1600.0)}
_K: dict[str, Any] = {**_VELAR, "noise_band": (0.0, 450.0)}
_C: dict[str, Any] = {**_PALATAL, "noise_band": (3600.0, 1300.0)}
_MURMUR: dict[str, Any] = {"voicing": 0.45, "bandwidths": (70.0, 150.0, 200.0, 300.0), "dull": 0.35, "ms": 70.0}
_OFFGLIDE = (600.0, 1350.0, 2450.0, 3500.0)

_LONG: dict[str, Any] = {
    "iː": _vowel(290, 2250, 2950),
    "eː": _vowel(420, 2050, 2700),
    "ɛː": _vowel(640, 1850, 2550),
    "aː": _vowel(800, 1300, 2500),
    "ɔː": _vowel(600, 950, 2450),
    "oː": _vowel(430, 780, 2400),
    "uː": _vowel(310, 700, 2300),
    "ɯː": _vowel(330, 1350, 2300),
    "ɤː": _vowel(490, 1200, 2350),
}

PHONES: dict[str, Phone] = {
    **_LONG,
    **{name[:-1]: _short(vowel) for name, vowel in _LONG.items()},
    "ia": _vowel(300, 2200, 2900, end=_OFFGLIDE),
    "ɯa": _vowel(340, 1350, 2300, end=_OFFGLIDE),
    "ua": _vowel(330, 720, 2300, end=_OFFGLIDE),
    "p": Phone(**_P, closure=0.85, burst=0.25, ms=75.0),
    "t": Phone(**_T, closure=0.85, burst=0.35, ms=70.0),
    "k": Phone(**_K, closure=0.75, burst=0.4, ms=85.0, aspiration=0.05),
    "pʰ": Phone(**_P, closure=0.45, burst=0.3, aspiration=0.16, ms=115.0),
    "tʰ": Phone(**_T, closure=0.45, burst=0.4, aspiration=0.16, ms=115.0),
    "kʰ": Phone(**_K, closure=0.42, burst=0.45, aspiration=0.18, ms=125.0),
    "tɕ": Phone(**_C, closure=0.5, burst=0.35, noise=0.22, ms=95.0),
    "tɕʰ": Phone(**_C, closure=0.33, burst=0.4, noise=0.27, aspiration=0.08, ms=135.0),
    "b": Phone(**_P, closure=0.85, burst=0.12, voicing=0.22, dull=0.7, ms=65.0),
    "d": Phone(**_T, closure=0.85, burst=0.16, voicing=0.22, dull=0.7, ms=65.0),
    "ʔ": Phone((500.0, 1450.0, 2450.0, 3500.0), pull=(1.0, 1.0, 1.0, 1.0), closure=1.0, ms=50.0),
    "f": Phone(**_LABIAL, noise=0.09, noise_band=(1200.0, 2500.0), ms=100.0),
    "s": Phone(**_ALVEOLAR, noise=0.34, noise_band=(6000.0, 1200.0), ms=105.0),
    "h": Phone((500.0, 1450.0, 2450.0, 3500.0), pull=(1.0, 1.0, 1.0, 1.0), aspiration=0.2, ms=70.0),
    "m": Phone(**_LABIAL, nasal=(1000.0, 1300.0), **_MURMUR),
    "n": Phone(**_ALVEOLAR, nasal=(1000.0, 1750.0), **_MURMUR),
    "ɲ": Phone(**_PALATAL, nasal=(1000.0, 2300.0), **_MURMUR),
    "ŋ": Phone(**_VELAR, nasal=(1000.0, 3200.0), **_MURMUR),
    "w": Phone((300.0, 680.0, 2200.0, 3300.0), voicing=0.75, dull=0.1, ms=70.0, glide_ms=25.0),
    "j": Phone((280.0, 2250.0, 3000.0, 3600.0), voicing=0.75, dull=0.1, ms=70.0, glide_ms=25.0),
    "l": Phone((340.0, 1200.0, 2800.0, 3500.0), pull=(0.1, 0.2, 0.1, 0.1), voicing=0.55, dull=0.15, ms=60.0),
    "r": Phone((430.0, 1350.0, 1700.0, 3000.0), pull=(0.1, 0.2, 0.0, 0.0), voicing=0.3, dull=0.3, ms=45.0),
    PAUSE: Phone((500.0, 1450.0, 2450.0, 3500.0), ms=150.0),
}
