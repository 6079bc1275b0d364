"""Made-up scores of systems, for tests of what is claimed of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.core.params import load_params
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.verdicts import judged

RULE = load_params(Path(__file__).parents[1] / "params" / "smoke.yaml").claims
CODES, TEXTS = 40, 240
NAMES = (  # of Tables 3 and 7 and of Fig. 5
    *("sft", "dpo", "rejection", "dgsa", "no-expr", "no-stab", "random-speaker", "fixed", "sft-real"),
    *("dgsa-0.50", "sft-0.50", "dgsa-0.67", "sft-0.67"),
)


def spread_over(lively: float) -> np.ndarray:
    p = np.full(CODES, lively / CODES)
    p[: CODES // 2] += (1 - lively) / (CODES // 2)
    return p


def made(lively: float, wrong: float, key, texts: int = TEXTS, rep: float = 0.05) -> Scores:
    """A system's: liveliness spreads its tokens, widens its pitch and makes it less sure; 100 words and 50 tokens a text."""
    rng = np.random.default_rng(key)
    table = pd.DataFrame({"id": [f"t{i:03d}" for i in range(texts)], "words_wrong": rng.binomial(100, wrong, texts)})
    table["repeats"], noise = rng.binomial(46, rep, texts), rng.normal(size=(4, texts))
    table = table.assign(words=100, windows=46, tokens=50, bits=50 * (3 + lively + 0.1 * noise[0]))
    table = table.assign(
        f0_std_st=1.8 + 2 * lively + 0.2 * noise[1], f0_range_st=6 + noise[2], sim=0.6 + 0.05 * noise[3]
    )
    return Scores(table, rng.multinomial(50, spread_over(lively), texts), [], {})


def named(lively, wrong) -> dict[str, tuple]:
    """How lively and how wrong each of NAMES is."""
    return dict(zip(NAMES, zip(lively, wrong, strict=True), strict=True))


def world(of, seeds: int = 3, texts: int = TEXTS) -> dict[str, list[Scores]]:
    """Their scores, one a training seed."""
    return {name: [made(*how, [place, s], texts) for s in range(seeds)] for place, (name, how) in enumerate(of.items())}


def cloned(lively: float, wrong: float, sim: float, key: list[int], texts: int = TEXTS) -> Scores:
    """The same in the voices of twelve people."""
    scores, noise = made(lively, wrong, key, texts), 0.05 * np.random.default_rng([*key, 1]).normal(size=(3, texts))
    heard = {"sim": sim + noise[0], "sim_held": sim + noise[1], "floor": noise[2], "ceiling": 0.9}
    about = {"reference_seconds": 3.0, "f0_mean_gap": 1.0, "f0_std_recorded": 2.9}
    speakers = [f"s-{i % 12:02d}" for i in range(texts)]
    return replace(scores, table=scores.table.assign(speaker=speakers, **heard, **about))


def without(scores: Scores, *columns: str) -> Scores:
    return replace(scores, table=scores.table.drop(columns=[*columns]))


def verdicts(conditions: dict, params=RULE) -> dict[str, str]:
    return {claim["id"]: claim["verdict"] for claim in judged(conditions, params)}


def claim_row(id: str, claim: str, paper: str, ours: float, interval: list[float], source: str) -> dict:
    """A judged claim, as claims.json has it."""
    judged = {"n": 300, "seeds": 3, "source": source, "why": "It rises.", "headline": ours}
    judged |= dict.fromkeys(("verdict", "strict", "indicative"), "reproduced")
    return {"id": id, "claim": claim, "paper": paper, "ours": ours, "interval": interval} | judged


def account_row(stage: str, **about) -> dict:
    """What a stage of a full run took, and where."""
    made = {"profile": "full", "seed": 7, "commit": "def+", "date": "2027-01-02", "machine": "a toaster"}
    return {"stage": stage, "seconds": 12.5, "peak_gib": 2.5} | made | about
