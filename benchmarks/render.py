"""How fast the studio speaks, on one thread: a batch of 64 against the same utterances one by one.

    python benchmarks/render.py --json render.json

Planning is timed apart; a rate is seconds of audio in a second of work.
"""

import numpy as np
import torch
from _common import compared, exit_code, finish, in_turn, options, seconds

from sebridge_lite.studio.lexicon import CODAS, ONSETS, TONES, VOWELS, Syllable, Word
from sebridge_lite.studio.prosody import plan
from sebridge_lite.studio.render import SR, render
from sebridge_lite.studio.voices import engines, people

BATCH, WORDS = 64, 6
CLOSE = 1  # of int16: rounding


def words(rng: np.random.Generator) -> list[Word]:
    def syllable() -> Syllable:
        onset, vowel, coda, tone = (str(rng.choice(choices)) for choices in (ONSETS, VOWELS, CODAS, TONES["th"]))
        return Syllable("x", onset, "", vowel, coda, tone)

    return [Word("x", (syllable(),), (), "", 1) for _ in range(WORDS)]


def one_by_one(plans, voices, seeds) -> list[np.ndarray]:
    return [render([p], [v], [s])[0] for p, v, s in zip(plans, voices, seeds, strict=True)]


def main(argv: list[str] | None = None) -> int:
    args = options(__doc__, repeats=15).parse_args(argv)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    voices = (people("train", BATCH // 2) + engines() * BATCH)[:BATCH]
    texts = [words(rng) for _ in voices]
    plans, seeds = [plan(text, "th", voice, rng) for text, voice in zip(texts, voices, strict=True)], range(BATCH)
    batch, single = render(plans, voices, seeds), one_by_one(plans, voices, seeds)
    apart = max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(batch, single, strict=True))
    print(f"the same sound to within {apart} of 32,768")
    if apart > CLOSE:
        return 1
    spoken = sum(len(samples) for samples in batch) / SR
    arms = {
        f"batch of {BATCH}": lambda: spoken / seconds(lambda: render(plans, voices, seeds)),
        "one by one": lambda: spoken / seconds(lambda: one_by_one(plans, voices, seeds)),
    }
    result = compared("render", in_turn(arms, args.repeats), *arms, {"samples": apart})
    planning = min(
        seconds(lambda: [plan(t, "th", v, rng) for t, v in zip(texts, voices, strict=True)]) for _ in range(5)
    )
    overall = spoken / (planning + spoken / result["arms"][f"batch of {BATCH}"])
    print(f"with plans: {overall:.1f} x real time (batch of {BATCH}, one thread)")
    finish(result, "s of audio/s", args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
