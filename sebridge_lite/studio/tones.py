"""The tones of each language as pitch targets: (share of the rime, semitones around the speaker's mid level).

Stylised after descriptions of Thai (Abramson 1962) and of Vientiane Lao (Osatananda 1997, Enfield 2007), and drawn apart
so that any two differ by at least 3 semitones somewhere; "bb", the related language of the backbone, is invented. Left
out: voice quality, and the tone sandhi of connected speech beyond what smoothing gives.
"""

import numpy as np

NOMINAL_RANGE = 9.0  # semitones from the lowest target to the highest

CONTOURS: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {
    "th": {
        "M": ((0.0, 0.0), (0.5, 0.0), (1.0, -0.5)),
        "L": ((0.0, -1.5), (0.4, -3.5), (1.0, -4.5)),
        "F": ((0.0, 3.5), (0.4, 4.5), (0.7, 1.5), (1.0, -2.5)),
        "H": ((0.0, 1.0), (0.4, 2.0), (0.8, 4.0), (1.0, 4.5)),
        "R": ((0.0, -2.5), (0.45, -4.0), (0.75, -0.5), (1.0, 3.5)),
    },
    "lo": {
        "R": ((0.0, -3.5), (0.4, -3.0), (0.75, 0.5), (1.0, 3.5)),
        "H": ((0.0, 3.5), (0.5, 4.2), (1.0, 4.5)),
        "HF": ((0.0, 4.5), (0.45, 4.2), (0.75, 0.5), (1.0, -2.5)),
        "M": ((0.0, 0.5), (0.5, 0.5), (1.0, 0.5)),
        "L": ((0.0, -4.0), (0.5, -4.5), (1.0, -3.5)),
        "LF": ((0.0, 0.5), (0.4, -2.0), (0.75, -4.0), (1.0, -4.5)),
    },
    "bb": {
        "M": ((0.0, -2.0), (0.5, 2.5), (1.0, -1.5)),
        "L": ((0.0, -4.0), (0.5, -4.5), (1.0, -4.5)),
        "F": ((0.0, 4.5), (0.5, 0.0), (1.0, -4.5)),
        "H": ((0.0, 4.5), (0.5, 4.0), (1.0, 4.5)),
        "R": ((0.0, -4.0), (0.5, -0.5), (1.0, 4.5)),
    },
}


def contour(lang: str, tone: str, shares: np.ndarray) -> np.ndarray:
    """Semitones of a tone at the given shares of its rime."""
    times, levels = zip(*CONTOURS[lang][tone], strict=True)
    return np.interp(shares, times, levels)
