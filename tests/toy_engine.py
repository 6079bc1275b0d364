"""An engine of a toy language: `python toy_engine.py TEXT OUT [HERTZ]`. A letter is a chord of its own, 80 ms long."""

import sys

import numpy as np
import soundfile

RATE, LETTER = 16_000, 1_280


def say(text: str, hertz: float, lively: float = 0.0) -> np.ndarray:
    """(N,) float32; `lively` bends the pitch."""
    time, rng, parts = np.arange(LETTER) / RATE, np.random.default_rng(len(text)), []
    for letter in text:
        pitch = hertz * (1 + lively * rng.uniform(-0.5, 0.5))
        phase = 2 * np.pi * pitch * time
        colour = 1 + ord(letter) % 12
        chord = sum(np.exp(-abs(k - colour)) * np.sin(k * phase) for k in range(1, 16))
        parts.append(0.2 * chord * np.hanning(LETTER) * (letter != " "))
    return np.concatenate(parts).astype(np.float32)


if __name__ == "__main__":
    soundfile.write(sys.argv[2], say(sys.argv[1], float(sys.argv[3]) if sys.argv[3:] else 120.0), RATE)
