"""`sebridge pairs`: preferences from the frozen SFT policies that the variants of this profile start from.

artifacts/pairs/sSEED/ARM-KIND/ gets pairs.jsonl and tokens.safetensors (the triplets), modes.csv and premise.csv (what y_real,
y_expr and y_stab are). KIND: own (the speaker's own style), random-speaker, codec (losers through the codec); own also
gets dev.json, the SFT policy on dev, to which the choice of each variant is held.
"""

import json
from dataclasses import replace
from pathlib import Path

from sebridge_lite.align.dgsa import Triplet
from sebridge_lite.align.modes import mode_rows, modes, premise
from sebridge_lite.align.pairs import (
    Samplers,
    load_triplets,
    save_triplets,
    spoken_by,
    through_codec,
    triplets_of,
)
from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.data.codes import codes_for
from sebridge_lite.experiments.policies import Bench, policy_model, sampler_of
from sebridge_lite.experiments.variants import scored, variant_of
from sebridge_lite.measure.saved import plain


def pairs_folder(arm: str, kind: str, seed: int) -> Path:
    return paths.artifacts("pairs", f"s{seed}", f"{arm}-{kind}")


def make_pairs(bench: Bench, arm: str, kind: str, seed: int, params: Params) -> dict:
    """Triplets of one policy with their provenance, what their modes are, and how that policy does on dev."""
    p, stack, real = params.align, bench.stack, bench.sets.get("real", [])
    model, plainly = policy_model(bench, arm, seed), sampler_of(params.sampling, seed)
    samplers = Samplers(replace(plainly, temperature=p.expr_temperature, top_p=p.expr_top_p),
                        replace(plainly, temperature=p.stab_temperature, top_p=p.stab_top_p))  # fmt: skip
    triplets, sources = triplets_of(
        model, stack, real, codes_for(real, bench.codes), samplers, samples=p.samples, most=p.real_error,
        style_tokens=params.sft.style_tokens, seed=seed, same=kind != "random-speaker",
    )  # fmt: skip
    of = spoken_by(triplets, real)
    if kind == "codec":
        triplets = through_codec(stack, triplets, of, bench.folder, seed)
    rows, codes = mode_rows(stack, triplets, real, bench.folder, p.decoded, seed), stack.codes
    with paths.replacing(pairs_folder(arm, kind, seed)) as temporary:
        temporary.mkdir(parents=True)
        save_triplets(temporary, triplets, [utterance.text for utterance in of], rows, sources, samplers)
        modes(rows, triplets, codes).to_csv(temporary / "modes.csv", index=False)
        premise(rows, triplets, codes).to_csv(temporary / "premise.csv", index=False)
        if kind == "own":
            start = scored(bench, model, "sft", seed, params, params.score.temperature, "dev", p.dev_texts)
            (temporary / "dev.json").write_text(json.dumps(plain(start.summary), indent=1) + "\n", encoding="utf-8")
    return {"pairs": len(triplets), "real": len(real)}


def pairs(bench: Bench, arm: str, kind: str, seed: int, params: Params) -> list[Triplet]:
    """Triplets that a stage has made, else made now."""
    folder = pairs_folder(arm, kind, seed)
    if not (folder / "pairs.jsonl").is_file():
        make_pairs(bench, arm, kind, seed, params)
    return load_triplets(folder)[0]


def run_pairs(bench: Bench, seed: int, params: Params) -> dict[str, dict]:
    """All that the variants of this profile will ask for."""
    wanted = [variant_of(name, params.align) for name in params.cells.aligned]
    needed = dict.fromkeys((arm, kind) for v, arm in wanted for kind in ("own", v.pairs))
    return {f"{arm}-{kind}": make_pairs(bench, arm, kind, seed, params) for arm, kind in needed}
