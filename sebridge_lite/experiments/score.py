"""The stage `score sft`: what every policy of Table 1 says of the test set, and what the judge that scores makes of it.

artifacts/scores/sft/sSEED/ARM/ gets scores.csv, codes.safetensors and summary.json. Nothing is trained here, so another judge,
another test set or another temperature scores again and trains nothing.
"""

from typing import Any

from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.core.workers import in_pool
from sebridge_lite.experiments.bench import Bench, cell, load_bench, read_json
from sebridge_lite.experiments.sft import arm_of, sft_policy
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.measure.evaluate import Scores, evaluate, save_scores, scores_of_codes


def score_policy(
    bench: Bench, model: TextSpeechLM, seed: int, split="test", texts: int | None = None, temperature=None, **how
) -> Scores:
    """Scores of a policy on (the first `texts` of) a set, at the temperature of all scoring if at no other.

    how: as in `evaluate`.
    """
    references, sampler = bench.references(split, texts), bench.sampler(seed, temperature)
    return evaluate(model, bench.stack, references, sampler, **bench.judging(seed), **how)


def scored(
    bench: Bench, model: TextSpeechLM, method, seed: int, heat=None, split="test", texts: int | None = None
) -> Scores:
    """Scores of a policy on (the first `texts` of) a set, decoded as its `Method` does it.

    The best of several samples, the first of which is that of `score_policy`, has no `h_cond`: it is not drawn from the policy.
    """
    from sebridge_lite.align.baselines import best_of
    from sebridge_lite.align.methods import arm_for
    from sebridge_lite.align.pairs import style_sources

    p, align = bench.params, method.study == "align"
    how: dict[str, Any] = {}
    if method.decoded == "best":
        references = bench.references(split, texts)
        groups = bench.sampled(model, references.utterances, seed, heat, (p.align if align else p.tdsc).candidates)
        codes = best_of(bench.stack, groups, [utterance.words for utterance in references.utterances], bench.lang)
        return scores_of_codes(bench.stack, references, codes, **bench.judging(seed))
    if align:
        how["mark"] = arm_of(arm_for(method, p.align)).mark
    if method.decoded == "styled":
        codes, sources = bench.tokens(split), style_sources(bench.utterances(split), seed)[:texts]
        how["prefixes"] = [codes[0][:0] if i is None else codes[i][: p.sft.style_tokens] for i in sources]
    return score_policy(bench, model, seed, split, texts, heat, **how)


def _score(job: tuple[Params, str, int]) -> None:
    params, name, seed = job
    bench, about = load_bench(params), read_json(cell("sft", seed, name) / "about.json", "sft")
    scores = score_policy(bench, sft_policy(bench, name, seed), seed, mark=arm_of(name).mark)
    with paths.replacing(cell("scores/sft", seed, name)) as temporary:
        save_scores(temporary, scores, **about)


def score_sft(params: Params, seed: int) -> None:
    in_pool(_score, [(params, name, seed) for name in params.cells.arms], f"sft s{seed}")


def study_of(bench: Bench, design: str = "additive") -> dict:
    """The policies of a design as a `Curve` over alpha for each measure."""
    from sebridge_lite.measure.systems import curves_over

    seeds, arms = bench.params.cells.seeds, {name: arm_of(name) for name in bench.params.cells.arms}
    names = {arm.alpha: name for name, arm in arms.items() if arm.design == design}
    return curves_over({alpha: [bench.scored("sft", name, seed)[0] for seed in seeds] for alpha, name in names.items()})
