"""What is measured of a policy that criticises itself: unfiltered test samples, and beside them the figures of a filtered set.

The paper's final figures equal those of its filtered set (Table 4 against Table 9): so both are given here, of the same samples,
with names that tell them apart.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from sebridge_lite.align.baselines import scores_of_codes
from sebridge_lite.align.critic import Length, decide, fit_length, judged
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.codes import codes_for
from sebridge_lite.experiments.policies import Arm, Bench, sampler_of, score_policy
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import generate
from sebridge_lite.measure.entropy import jackknife
from sebridge_lite.measure.evaluate import Scores, rate
from sebridge_lite.measure.saved import plain
from sebridge_lite.measure.scoring import load_sounds
from sebridge_lite.stack.characters import CharVocab

ARM = Arm("additive", 1.0)  # no real speech
AT_ONCE = 512  # candidates that are sound at the same time


def length_of(bench: Bench) -> Length:
    """|x|, of the synthetic speech."""
    synthetic = bench.sets["synthetic"]
    return fit_length([u.text for u in synthetic], codes_for(synthetic, bench.codes))


def reads(bench: Bench) -> Callable:
    """The judge that selects: codes to words."""
    return partial(bench.stack.read, lang=bench.lang)


def hears(bench: Bench, seed: int) -> Callable:
    """The judge that scores, on candidates in the voice of an engine: only for the oracle."""
    timbre = bench.stack.timbres(load_sounds(bench.sets["synthetic"][:1], bench.folder))

    def listen(rows: list[Tensor]) -> list[list[str]]:
        found: list[list[str]] = []
        for first in range(0, len(rows), AT_ONCE):
            some = rows[first : first + AT_ONCE]
            noises = [seed_of(seed, "candidate", first + i) for i in range(len(some))]
            sounds = bench.stack.speak(some, timbre.expand(len(some), -1), noises)
            found += bench.stack.hear(sounds, bench.lang)
        return found

    return listen


def filtered(bench: Bench, scores: Scores, params: Params) -> dict:
    """Of the same samples those that Eq. 16 accepts (`accepted`, in the table): their share, and the figures that they alone
    would give."""
    words = [utterance.words for utterance in bench.sets["test"]]
    groups = [[row] for row in scores.codes]
    table = judged(groups, words, [params.score.temperature], length_of(bench), reads(bench))
    good = ~decide(table, params.tdsc).any(axis=1).to_numpy()
    scores.table["accepted"] = good.astype(int)
    found: dict = {"test_pass_rate": round(float(good.mean()), 4), "filtered_texts": int(good.sum())}
    if good.sum() > 1:
        kept = scores.table[good].reset_index(drop=True)
        own = {name: rate([kept], name) for name in ("wer", "rep", "f0_std")} | {"hp": jackknife(scores.counts[good])}
        found |= {f"filtered_{name}": value for name, value in plain(own).items()}
    return found


def unfiltered(
    bench: Bench, model: TextSpeechLM, params: Params, seed: int, temperature: float | None = None
) -> Scores:
    """All test samples, nothing chosen among; at the study's temperature if at no other."""
    return score_policy(bench, model, params, seed, ARM, temperature=temperature)


def best_at_inference(bench: Bench, model: TextSpeechLM, params: Params, seed: int) -> Scores:
    """As `unfiltered`, of each text's candidates the one that the *selecting* judge reads with the fewest errors.

    No `h_cond`: what was chosen among is no longer drawn from the policy.
    """
    test, sampler = bench.sets["test"], sampler_of(params.sampling, seed)
    texts = [CharVocab().encode(utterance.text) for utterance in test]
    seeds = [seed_of(seed, "tokens", utterance.id) for utterance in test]
    groups = generate(model, texts, [text[:0] for text in texts], sampler, params.tdsc.candidates, row_seeds=seeds)
    heats = [sampler.temperature] * params.tdsc.candidates
    table = judged(groups, [utterance.words for utterance in test], heats, length_of(bench), reads(bench))
    best = table.sort_values(["text", "wer", "slot"]).groupby("text")["slot"].first()
    codes = [group[slot] for group, slot in zip(groups, best, strict=True)]
    return scores_of_codes(
        bench.stack, test, bench.folder, bench.lang, codes,
        silence=bench.silence, seed=seed, floor=bench.floor, references=bench.references("test"),
    )  # fmt: skip


def curve(bench: Bench, model: TextSpeechLM, params: Params, seed: int) -> dict[float, Scores]:
    """The first texts of the test set at each other temperature than the study's, at which a system is scored anyway."""
    few = bench._replace(sets=bench.sets | {"test": bench.sets["test"][: params.tdsc.curve_texts]})
    others = [heat for heat in params.tdsc.temperatures if heat != params.score.temperature]
    return {heat: unfiltered(few, model, params, seed, heat) for heat in others}
