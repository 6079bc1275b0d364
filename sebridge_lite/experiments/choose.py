"""The stages `choose` and `score align`: each method's point on dev, then its scores on test.

A point is a number of steps and a temperature. One rule chooses it, over one grid for every method, and for all seeds together:
what one seed would choose is mostly noise of its texts.

artifacts/choice/                     METHOD.json (steps, temperature, held, dev_wer_start), search.csv (the grid on dev)
artifacts/scores/align/sSEED/METHOD/  scores.csv, codes.safetensors, summary.json (at the point); curve.csv (over temperatures)
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.align.baselines import best_of
from sebridge_lite.align.methods import arm_for, method_of
from sebridge_lite.align.pairs import style_sources
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.core.workers import in_pool
from sebridge_lite.experiments.align import align_folder, policy_at
from sebridge_lite.experiments.bench import Bench, load_bench, read_json
from sebridge_lite.experiments.score import score_policy
from sebridge_lite.experiments.sft import arm_of, sft_policy
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.sampling import generate
from sebridge_lite.measure.evaluate import Scores, scores_of_codes
from sebridge_lite.measure.saved import plain, save_scores

Grid = list[tuple[int, float]]  # steps and temperature


def scored(
    bench: Bench,
    model: TextSpeechLM,
    name: str,
    seed: int,
    temperature: float,
    split: str = "test",
    texts: int | None = None,
) -> Scores:
    """Scores of a policy on (the first `texts` of) a set, decoded as the method `name` does it."""
    method, p = method_of("align", name), bench.params.align
    if method.decoded == "best":
        return _best_of_several(bench, model, seed, temperature, split, texts)
    how = {"mark": arm_of(arm_for(method, p)).mark}
    if method.decoded == "styled":
        codes, everyone = bench.tokens(split), bench.utterances(split)
        sources = style_sources(everyone, seed)[:texts]
        how["prefixes"] = [codes[0][:0] if i is None else codes[i][: bench.params.sft.style_tokens] for i in sources]
    return score_policy(bench, model, seed, split, texts, temperature, **how)


def _best_of_several(
    bench: Bench, model: TextSpeechLM, seed: int, temperature: float, split: str, texts: int | None
) -> Scores:
    """The first of the candidates is the sample that is scored otherwise.

    There is no `h_cond`: what was chosen among is no longer drawn from the policy.
    """
    stack, references = bench.stack, bench.references(split, texts)
    said = references.utterances
    ids = [stack.text.encode(utterance.text) for utterance in said]
    row_seeds = [seed_of(seed, "tokens", utterance.id) for utterance in said]
    sampler, count = bench.sampler(seed, temperature), bench.params.align.candidates
    groups = generate(model, ids, [text[:0] for text in ids], sampler, count, row_seeds=row_seeds)
    codes = best_of(stack, groups, [utterance.words for utterance in said], bench.lang)
    return scores_of_codes(stack, references, codes, silence=bench.silence, seed=seed, floor=bench.floor)


def points(bench: Bench, name: str, seed: int, grid: Grid, split: str, texts: int) -> pd.DataFrame:
    """A row for each point of a method's grid, with everything that is measured on (the first `texts` of) a set."""
    rows = []
    for steps, heat in grid:
        summary = scored(bench, policy_at(bench, name, seed, steps), name, seed, heat, split, texts).summary
        rows.append({"steps": steps, "temperature": heat, "texts": summary["wer"].n, **plain(summary)})
    return pd.DataFrame(rows)


def steps_of(name: str, params: Params) -> tuple[int, ...]:
    """After how many steps a method is looked at: 0 where it trains nothing."""
    return params.align.steps if method_of("align", name).by else (0,)


def choose(search: pd.DataFrame, limit: float) -> pd.Series:
    """The highest Hp on dev among points whose word error is at most `limit`; if there is none, the lowest word error."""
    good = search[search["wer"] <= limit]
    return good.loc[good["hp"].idxmax()] if len(good) else search.loc[search["wer"].idxmin()]


def pooled(search: pd.DataFrame) -> pd.DataFrame:
    """Each point of a method's grid, the mean over all seeds; they have the same texts."""
    some = search.drop(columns=["variant", "seed"])
    return some.groupby(["steps", "temperature"], sort=False, as_index=False).mean()


def _on_dev(job: tuple[Params, str, int]) -> pd.DataFrame:
    params, name, seed = job
    grid = [(steps, heat) for steps in steps_of(name, params) for heat in params.align.temperatures]
    table = points(load_bench(params), name, seed, grid, "dev", params.align.dev_texts)
    return table.assign(variant=name, seed=seed)


def _start(job: tuple[Params, str, int]) -> float:
    params, arm, seed = job
    bench = load_bench(params)
    scores = score_policy(
        bench, sft_policy(bench, arm, seed), seed, "dev", params.align.dev_texts, mark=arm_of(arm).mark
    )
    return plain(scores.summary)["wer"]


def choose_all(params: Params) -> dict[str, dict]:
    """The point of every method, held to the word error of the SFT policy that it starts from."""
    p, cells = params.align, params.cells
    arms = {name: arm_for(method_of("align", name), p) for name in cells.aligned}
    jobs = [(params, arm, seed) for arm in dict.fromkeys(arms.values()) for seed in cells.seeds]
    starts = pd.DataFrame({"arm": [arm for _, arm, _ in jobs], "wer": in_pool(_start, jobs, "the start on dev")})
    jobs = [(params, name, seed) for name in cells.aligned for seed in cells.seeds]
    found = {}
    with paths.replacing(paths.artifacts("choice")) as temporary:
        temporary.mkdir(parents=True)
        pd.concat(in_pool(_on_dev, jobs, "choose")).to_csv(temporary / "search.csv", index=False)
        search = pd.read_csv(temporary / "search.csv")
        for name, arm in arms.items():
            start = float(np.mean(starts.loc[starts["arm"] == arm, "wer"]))
            best = choose(pooled(search[search["variant"] == name]), start + p.wer_slack)
            found[name] = {
                "steps": int(best["steps"]),
                "temperature": float(best["temperature"]),
                "held": bool(best["wer"] <= start + p.wer_slack),
                "dev_wer_start": start,
            }
            (temporary / f"{name}.json").write_text(json.dumps(found[name], indent=1) + "\n", encoding="utf-8")
    return found


def scores_folder(name: str, seed: int) -> Path:
    return paths.artifacts("scores", "align", f"s{seed}", name)


def curve_grid(name: str, steps: int, heat: float, params: Params) -> Grid:
    """All temperatures at the chosen steps, and of SFT on y_real all doses at the chosen temperature."""
    doses = steps_of(name, params) if method_of("align", name).trains == "real" else ()
    return list(dict.fromkeys([*((steps, t) for t in params.align.temperatures), *((dose, heat) for dose in doses)]))


def _score(job: tuple[Params, str, int]) -> None:
    params, name, seed = job
    bench, method, choice = load_bench(params), method_of("align", name), choice_of(name)
    steps, heat, arm = choice["steps"], choice["temperature"], arm_for(method, params.align)
    about = read_json(align_folder(name, seed) / "about.json", "align") if method.by else {}
    about |= {"variant": name, "arm": arm, "alpha": arm_of(arm).alpha, "seed": seed} | choice
    scores = scored(bench, policy_at(bench, name, seed, steps), name, seed, heat)
    grid = curve_grid(name, steps, heat, params)
    curve = points(bench, name, seed, grid, "test", params.align.curve_texts)
    with paths.replacing(scores_folder(name, seed)) as temporary:
        save_scores(temporary, scores, **about)
        curve.to_csv(temporary / "curve.csv", index=False)


def score_align(params: Params, seed: int) -> None:
    """Scores every method on the test set at its point, and over temperatures."""
    in_pool(_score, [(params, name, seed) for name in params.cells.aligned], f"align s{seed}")


def choice_of(name: str) -> dict:
    """What dev chose for a method."""
    return read_json(paths.artifacts("choice", f"{name}.json"), "choose")


def search_of(name: str) -> pd.DataFrame:
    """The grid of a method on dev, a row a point and seed."""
    table = _table(paths.artifacts("choice", "search.csv"), "choose")
    return table[table["variant"] == name]


def curve_of(name: str, seed: int) -> pd.DataFrame:
    """A method on test over temperatures, and over doses where it has several."""
    return _table(scores_folder(name, seed) / "curve.csv", "score_align")


def _table(path: Path, stage: str) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path}: not there; `dvc repro {stage}` makes it")
    return pd.read_csv(path)


def aligned_scores(bench: Bench, name: str, seed: int) -> tuple[Scores, dict]:
    """A method's scores on the test set at its point, and what is known of it."""
    return bench.scores(scores_folder(name, seed), "score_align")


def aligned_policy(bench: Bench, name: str, seed: int) -> TextSpeechLM:
    """The policy of a method at its point."""
    return policy_at(bench, name, seed, choice_of(name)["steps"])
