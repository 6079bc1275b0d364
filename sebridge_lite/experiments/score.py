"""The stage `score sft`: what every policy of Table 1 says of the test set, and what the judge that scores makes of it.

artifacts/scores/sft/sSEED/ARM/ gets scores.csv, codes.safetensors and summary.json. Nothing is trained here, so another judge,
another test set or another temperature scores again and trains nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.core.workers import in_pool
from sebridge_lite.experiments.bench import Bench, load_bench, read_json
from sebridge_lite.experiments.sft import arm_of, policy_folder, sft_policy
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.measure.evaluate import Scores, evaluate, save_scores, scores_of_codes

if TYPE_CHECKING:
    from sebridge_lite.measure.bootstrap import Curve


def scores_folder(arm: str, seed: int) -> Path:
    return paths.artifacts("scores", "sft", f"s{seed}", arm)


def score_policy(
    bench: Bench, model: TextSpeechLM, seed: int, split="test", texts: int | None = None, temperature=None, **how
) -> Scores:
    """Scores of a policy on (the first `texts` of) a set, at the temperature of all scoring if at no other.

    how: as in `evaluate`.
    """
    references, sampler = bench.references(split, texts), bench.sampler(seed, temperature)
    return evaluate(model, bench.stack, references, sampler, **bench.judging(seed), **how)


def score_best(
    bench: Bench, model: TextSpeechLM, seed: int, count: int, split="test", texts: int | None = None, heat=None
) -> Scores:
    """Scores of the best of each text's `count` samples, the first of which is what `score_policy` scores.

    There is no `h_cond`: what was chosen among is no longer drawn from the policy.
    """
    from sebridge_lite.align.baselines import best_of

    references = bench.references(split, texts)
    groups = bench.sampled(model, references.utterances, seed, heat, count)
    codes = best_of(bench.stack, groups, [utterance.words for utterance in references.utterances], bench.lang)
    return scores_of_codes(bench.stack, references, codes, **bench.judging(seed))


def _score(job: tuple[Params, str, int]) -> None:
    params, name, seed = job
    bench, about = load_bench(params), read_json(policy_folder(name, seed) / "about.json", "sft")
    scores = score_policy(bench, sft_policy(bench, name, seed), seed, mark=arm_of(name).mark)
    with paths.replacing(scores_folder(name, seed)) as temporary:
        save_scores(temporary, scores, **about)


def score_sft(params: Params, seed: int) -> None:
    in_pool(_score, [(params, name, seed) for name in params.cells.arms], f"sft s{seed}")


def sft_scores(bench: Bench, name: str, seed: int) -> tuple[Scores, dict]:
    """A policy's scores on the test set, and what is known of its training."""
    return bench.scores(scores_folder(name, seed), "score_sft")


def study_of(bench: Bench, design: str = "additive") -> "dict[str, Curve]":
    """The policies of a design as curves over alpha, one a measure."""
    from sebridge_lite.measure.systems import curves_over

    seeds, arms = bench.params.cells.seeds, {name: arm_of(name) for name in bench.params.cells.arms}
    names = {arm.alpha: name for name, arm in arms.items() if arm.design == design}
    return curves_over({alpha: [sft_scores(bench, name, seed)[0] for seed in seeds] for alpha, name in names.items()})
