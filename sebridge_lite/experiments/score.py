"""The stage `score sft`: what every policy of Table 1 says of the test set, and what the judge that scores makes of it.

artifacts/scores/sft/sSEED/ARM/ gets scores.csv, codes.safetensors and summary.json. Nothing is trained here, so another judge,
another test set or another temperature scores again and trains nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sebridge_lite.core import paths
from sebridge_lite.core.hashes import code_hash, key_of, stamp_of
from sebridge_lite.core.params import Params
from sebridge_lite.core.processes import together
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


def score_all(function: Callable, params: Params, study: str, names: Sequence[str], seed: int, *sources: str) -> None:
    """Scores of all systems of a study: `function((params, name, seed, folder))` writes those of one into `folder / name`.

    sources: folders in artifacts/ that the systems come from. What a killed run has scored of the same is not scored again.
    """
    inputs = ("corpus", "tokens", "floors", "parts", "own", "judges", *sources)
    key = key_of(code_hash("."), params, stamp_of(*map(paths.artifacts, inputs)))
    with paths.collecting(paths.artifacts(f"scores/{study}", f"s{seed}"), key) as folder:
        left = [name for name in names if not (folder / name).exists()]
        together()  # before the first of several processes makes one
        in_pool(function, [(params, name, seed, folder) for name in left], f"{study} s{seed}")


def _score(job: tuple[Params, str, int, Path]) -> None:
    params, name, seed, folder = job
    bench, about = load_bench(params), read_json(cell("sft", seed, name) / "about.json", "sft")
    scores = score_policy(bench, sft_policy(bench, name, seed), seed, mark=arm_of(name).mark)
    with paths.replacing(folder / name) as temporary:
        save_scores(temporary, scores, **about)


def score_sft(params: Params, seed: int) -> None:
    score_all(_score, params, "sft", params.cells.arms, seed, f"sft/s{seed}")


def study_of(bench: Bench, design: str = "additive") -> dict:
    """The policies of a design as a `Curve` over alpha for each measure."""
    from sebridge_lite.measure.systems import curves_over

    seeds, arms = bench.params.cells.seeds, {name: arm_of(name) for name in bench.params.cells.arms}
    names = {arm.alpha: name for name, arm in arms.items() if arm.design == design}
    return curves_over({alpha: [bench.scored("sft", name, seed)[0] for seed in seeds] for alpha, name in names.items()})
