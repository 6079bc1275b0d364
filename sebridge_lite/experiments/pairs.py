"""The stage `pairs`: preferences from the frozen SFT policies that the methods of this run start from.

artifacts/pairs/sSEED/ARM-KIND/ gets pairs.jsonl and tokens.safetensors (the triplets), modes.csv and premise.csv (what y_real,
y_expr and y_stab are). KIND: own (the speaker's own style), random-speaker, codec (losers through the codec).
"""

from dataclasses import replace
from typing import Any

from sebridge_lite.align.methods import arm_for, method_of
from sebridge_lite.align.modes import mode_rows, modes, premise, through_codec
from sebridge_lite.align.pairs import save_triplets, spoken_by, triplets_of
from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.core.workers import in_pool
from sebridge_lite.experiments.bench import cell, load_bench
from sebridge_lite.experiments.sft import sft_policy


def _make(job: tuple[Params, str, str, int]) -> int:
    params, arm, kind, seed = job
    bench, p = load_bench(params), params.align
    stack, real, folder, sampler = bench.stack, bench.utterances("real"), bench.folder("real"), bench.sampler(seed)
    samplers = {
        "expr": replace(sampler, temperature=p.expr_temperature, top_p=p.expr_top_p),
        "stab": replace(sampler, temperature=p.stab_temperature, top_p=p.stab_top_p),
    }
    policy, codes, same = sft_policy(bench, arm, seed), bench.tokens("real"), kind != "random-speaker"
    how: dict[str, Any] = {
        "samples": p.samples,
        "most": p.real_error,
        "style_tokens": params.sft.style_tokens,
        "same": same,
    }
    triplets, sources = triplets_of(policy, stack, real, codes, samplers, seed=seed, **how)
    said = spoken_by(triplets, real)
    if kind == "codec":
        triplets = through_codec(stack, triplets, said, folder, seed)
    rows = mode_rows(stack, triplets, real, folder, p.decoded, seed)
    with paths.replacing(cell("pairs", seed, f"{arm}-{kind}")) as temporary:
        temporary.mkdir(parents=True)
        save_triplets(temporary, triplets, [utterance.text for utterance in said], rows, sources, samplers)
        modes(rows, triplets, stack.codes).to_csv(temporary / "modes.csv", index=False)
        premise(rows, triplets, stack.codes).to_csv(temporary / "premise.csv", index=False)
    return len(triplets)


def make_pairs(params: Params, seed: int) -> dict[str, int]:
    """How many pairs there are, by ARM-KIND: all that the methods of this run learn from."""
    methods = [method_of("align", name) for name in params.cells.align]
    needed = [(params.align.arm, "own"), *((arm_for(method, params.align), method.pairs) for method in methods)]
    needed = list(dict.fromkeys(needed))
    made = in_pool(_make, [(params, arm, kind, seed) for arm, kind in needed], f"pairs s{seed}")
    return {f"{arm}-{kind}": count for (arm, kind), count in zip(needed, made, strict=True)}
