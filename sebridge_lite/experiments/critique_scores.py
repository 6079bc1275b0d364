"""The stage `score critique`: what the policies of `critique` say of the test set, and what the judge that scores makes of it.

artifacts/scores/critique/sSEED/METHOD/ gets about.json (how many iterations there are) and scores.csv, codes.safetensors and
summary.json in
    k0/ k1/ ...   unfiltered samples after each iteration; the start's are those of METHOD `sft`
    T0.70/ ...    the last policy on the first texts at each other temperature, of the systems whose line is drawn
The paper's final figures equal those of its filtered set (Table 4 against Table 9). So summary.json also holds, as
`filtered_...`, the figures of those of the same samples that Eq. 16 accepts; scores.csv says which these are.
"""

from functools import partial
from pathlib import Path

from sebridge_lite.align.critic import judged
from sebridge_lite.align.methods import METHODS, method_of
from sebridge_lite.align.tdsc import decide
from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.bench import Bench, cell, line_at, read_json, write_json
from sebridge_lite.experiments.critique import START, iterations, length_of, tdsc_bench
from sebridge_lite.experiments.score import score_all, score_policy, scored
from sebridge_lite.measure.entropy import jackknife
from sebridge_lite.measure.evaluate import Scores, plain, rate, save_scores
from sebridge_lite.measure.stats import UNKNOWN
from sebridge_lite.measure.systems import first

LOOPED = ("tdsc", "self-training", "rejection", "no-dpo")  # whose iterations Fig. 6 shows
DRAWN = (START, *LOOPED)  # whose line over temperatures the frontier shows


def systems_of(params: Params) -> list[str]:
    """All systems of Tables 4 and 8 that this profile has, the start first."""
    cells = params.cells
    asked = {START, *cells.critique, *cells.oracle, *cells.critique_decoded}
    return [name for name in METHODS["critique"] if name in asked]


def filtered(bench: Bench, scores: Scores) -> dict:
    """The share of the samples that Eq. 16 accepts (`accepted`, in the table), and the figures that they alone would give."""
    listen, heats = partial(bench.stack.read, lang=bench.lang), [bench.params.score.temperature]
    table = judged([[row] for row in scores.codes], bench.utterances("test"), heats, length_of(bench), listen)
    good = ~decide(table, bench.params.tdsc).any(axis=1).to_numpy()
    scores.table["accepted"] = good.astype(int)
    about: dict = {"test_pass_rate": round(float(good.mean()), 4), "filtered_texts": int(good.sum())}
    figures = dict.fromkeys(("wer", "rep", "f0_std", "hp"), UNKNOWN)
    if good.sum() > 1:
        kept = scores.table[good].reset_index(drop=True)
        figures |= {name: rate([kept], name) for name in ("wer", "rep", "f0_std")}
        figures["hp"] = jackknife(scores.counts[good])
    return about | {f"filtered_{name}": value for name, value in plain(figures).items()}


def _score(job: tuple[Params, str, int, Path]) -> None:
    params, name, seed, folder = job
    bench, about = tdsc_bench(params), {"variant": name, "seed": seed}
    method, folders = method_of("critique", name), iterations(name, seed)
    policies, last = [bench.policy(folder, "critique") for folder in folders], len(folders) - 1
    with paths.replacing(folder / name) as out:
        for k in range(0 if name == START else 1, len(folders)):
            scores = score_policy(bench, policies[k], seed)
            known = read_json(folders[k] / "about.json", "critique") | filtered(bench, scores)
            save_scores(out / f"k{k}", scores, **about, **known)
        if method.decoded == "best":
            last = 1
            save_scores(out / "k1", scored(bench, policies[0], method, seed), **about, k=1)
        for heat in params.tdsc.temperatures if name in DRAWN else ():
            if heat != params.score.temperature:  # at which it is scored anyway
                scores = score_policy(bench, policies[-1], seed, texts=params.tdsc.curve_texts, temperature=heat)
                save_scores(line_at(out, heat), scores, **about, k=last, temperature=heat)
        write_json(out / "about.json", about | {"k": last})


def score_critique(params: Params, seed: int) -> None:
    score_all(_score, params, "critique", systems_of(params), seed, f"critique/s{seed}")


def history(bench: Bench, name: str, seed: int) -> list[tuple[Scores, dict]]:
    """Scores of a system after 0, 1, ... iterations, and what is known of each."""
    out = cell("scores/critique", seed, name)
    last = read_json(out / "about.json", "score_critique", {"k": int})["k"]
    folders = [cell("scores/critique", seed, START) / "k0", *(out / f"k{k}" for k in range(1, last + 1))]
    return [bench.scores(folder, "score_critique") for folder in folders]


def curve_of(bench: Bench, name: str, seed: int) -> dict[float, Scores]:
    """Scores of a system's last policy on the first texts of the test set, by temperature."""
    p, curve = bench.params.tdsc, {}
    for heat in sorted(p.temperatures):
        if heat == bench.params.score.temperature:
            (curve[heat],) = first({name: [history(bench, name, seed)[-1][0]]}, p.curve_texts)[name]
        else:
            curve[heat] = bench.scored("critique", name, seed, heat)[0]
    return curve
