"""How fast the studio speaks, on one thread: a batch of 64 against the same utterances one by one.

    python benchmarks/render.py --json render.json

Planning is timed apart; a rate is seconds of audio in a second of work.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from sebridge_lite.world.lexicon import CODAS, ONSETS, TONES, VOWELS, Syllable, Word
from sebridge_lite.world.prosody import plan
from sebridge_lite.world.render import SR, render
from sebridge_lite.world.voices import engines, people

BATCH, WORDS = 64, 6


def words(rng: np.random.Generator) -> list[Word]:
    def syllable() -> Syllable:
        onset, vowel, coda, tone = (str(rng.choice(choices)) for choices in (ONSETS, VOWELS, CODAS, TONES["th"]))
        return Syllable("x", onset, "", vowel, coda, tone)

    return [Word("x", (syllable(),), (), "", 1) for _ in range(WORDS)]


def timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(repeats: int) -> tuple[dict, float]:
    """Audio seconds a second for each arm, repeat by repeat, and for planning and rendering together."""
    rng = np.random.default_rng(0)
    voices = (people("train", BATCH // 2) + engines() * BATCH)[:BATCH]
    texts = [words(rng) for _ in voices]
    plans, seeds = [plan(text, "th", voice, rng) for text, voice in zip(texts, voices, strict=True)], range(BATCH)
    seconds = sum(len(samples) for samples in render(plans, voices, seeds)) / SR
    arms = {
        "batch 64": lambda: render(plans, voices, seeds),
        "one by one": lambda: [render([p], [v], [s]) for p, v, s in zip(plans, voices, seeds, strict=True)],
    }
    rates = {arm: [] for arm in arms}
    for _ in range(repeats):  # in turn, so that a busy moment hits both
        for arm, work in arms.items():
            rates[arm].append(seconds / timed(work))
    planning = min(timed(lambda: [plan(t, "th", v, rng) for t, v in zip(texts, voices, strict=True)]) for _ in range(5))
    return rates, seconds / (planning + seconds / float(np.median(rates["batch 64"])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rates, overall = measure(max(options.repeats, 5))
    ratios = np.divide(*rates.values())
    result = {
        "name": "render",
        "arms": {arm: round(float(np.median(values)), 1) for arm, values in rates.items()},
        "ratio": round(float(np.median(ratios)), 3),
        "low": round(float(ratios.min()), 3),
        "high": round(float(ratios.max()), 3),
        "repeats": len(ratios),
    }
    for arm, rate in result["arms"].items():
        print(f"{arm:>12}: {rate:7.1f} x real time")
    print(f"{'with plans':>12}: {overall:7.1f} x real time (batch {BATCH}, one thread)")
    print(f"       ratio: {result['ratio']} ({result['low']} to {result['high']}, {result['repeats']} repeats)")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
