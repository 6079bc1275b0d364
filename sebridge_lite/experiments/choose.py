"""The stages `choose` and `score align`: each method's point on dev, then its scores on test.

A point is a number of steps and a temperature. One rule chooses it, over one grid for every method, and for all seeds together:
what one seed would choose is mostly noise of its texts.

artifacts/choice/                     METHOD.json (steps, temperature, held, dev_wer_start), search.csv (the grid on dev)
artifacts/scores/align/sSEED/METHOD/  scores.csv, codes.safetensors, summary.json (at the point); the same in T0.80/ ... at each
                                      temperature, at the study's on all texts; curve.csv (over temperatures on the first texts,
                                      and of SFT on y_real over all doses)
"""

from pathlib import Path

import pandas as pd

from sebridge_lite.align.methods import arm_for, method_of
from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.core.workers import in_pool
from sebridge_lite.experiments.align import policy_at
from sebridge_lite.experiments.bench import Bench, cell, line_at, load_bench, read_json, read_table, write_json
from sebridge_lite.experiments.score import score_all, score_policy, scored
from sebridge_lite.experiments.sft import arm_of, sft_policy
from sebridge_lite.measure.evaluate import Scores, plain, save_scores, scores_of


def points(bench: Bench, name: str, seed: int, grid: list, split: str, texts: int) -> pd.DataFrame:
    """A row for each point (steps, temperature) with everything that is measured on (the first `texts` of) a set."""
    method, rows = method_of("align", name), []
    for steps, heat in grid:
        summary = scored(bench, policy_at(bench, name, seed, steps), method, seed, heat, split, texts).summary
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
    policy, mark = sft_policy(bench, arm, seed), arm_of(arm).mark
    return plain(score_policy(bench, policy, seed, "dev", params.align.dev_texts, mark=mark).summary)["wer"]


def choose_all(params: Params) -> dict[str, dict]:
    """The point of every method, held to the word error of the SFT policy that it starts from."""
    p, cells = params.align, params.cells
    arms = {name: arm_for(method_of("align", name), p) for name in cells.aligned}
    jobs = [(params, arm, seed) for arm in dict.fromkeys(arms.values()) for seed in cells.seeds]
    starts = pd.Series(in_pool(_start, jobs, "the start on dev"), [arm for _, arm, _ in jobs])
    jobs = [(params, name, seed) for name in cells.aligned for seed in cells.seeds]
    found = {}
    with paths.replacing(paths.artifacts("choice")) as temporary:
        temporary.mkdir()
        pd.concat(in_pool(_on_dev, jobs, "choose")).to_csv(temporary / "search.csv", index=False)
        search = pd.read_csv(temporary / "search.csv")
        for name, arm in arms.items():
            start = float(starts[starts.index == arm].mean())
            best = choose(pooled(search[search["variant"] == name]), limit := start + p.wer_slack)
            found[name] = {"steps": int(best["steps"]), "temperature": float(best["temperature"])}
            found[name] |= {"held": bool(best["wer"] <= limit), "dev_wer_start": start}
            write_json(temporary / f"{name}.json", found[name])
    return found


def _score(job: tuple[Params, str, int, Path]) -> None:
    params, name, seed, folder = job
    p, bench, method, choice = params.align, load_bench(params), method_of("align", name), choice_of(name)
    steps, heat, arm = choice["steps"], choice["temperature"], arm_for(method, p)
    about = read_json(cell("align", seed, name) / "about.json", "align") if method.by else {}
    about |= {"variant": name, "arm": arm, "alpha": arm_of(arm).alpha, "seed": seed} | choice
    policy, rows, few = policy_at(bench, name, seed, steps), [], bench.references("test", p.curve_texts)
    whole = {at: scored(bench, policy, method, seed, at) for at in {heat, params.score.temperature}}
    with paths.replacing(folder / name) as temporary:
        save_scores(temporary, whole[heat], **about)
        for at in sorted({*p.temperatures, *whole}):
            line = whole[at] if at in whole else scored(bench, policy, method, seed, at, texts=p.curve_texts)
            save_scores(line_at(temporary, at), line, **about | {"temperature": at})
            summary = line.summary
            if at in whole:  # of the first texts alone, as the others are
                table, codes = (some[: p.curve_texts] for some in (line.table, line.codes))
                summary = scores_of(table, codes, bench.stack, few, bench.floor, seed).summary
            rows.append({"steps": steps, "temperature": at, "texts": summary["wer"].n, **plain(summary)})
        doses = [(dose, heat) for dose in steps_of(name, params) if dose != steps] if method.trains == "real" else []
        others = points(bench, name, seed, doses, "test", p.curve_texts)
        pd.concat([pd.DataFrame(rows), others]).to_csv(temporary / "curve.csv", index=False)


def score_align(params: Params, seed: int) -> None:
    """Scores every method on the test set at its point, and over temperatures."""
    score_all(_score, params, "align", params.cells.aligned, seed, f"sft/s{seed}", f"align/s{seed}", "choice")


def choice_of(name: str) -> dict:
    shape = {"steps": int, "temperature": float, "held": bool, "dev_wer_start": float}
    return read_json(paths.artifacts("choice", f"{name}.json"), "choose", shape)


def search_of(name: str) -> pd.DataFrame:
    """The grid of a method on dev, a row a point and seed."""
    table = read_table(
        paths.artifacts("choice", "search.csv"), "choose", columns=("variant", "seed", "wer"), texts=("variant",)
    )
    return table[table["variant"] == name]


def by_heat(bench: Bench, name: str, seed: int) -> dict[float, Scores]:
    """Scores of a method on test by temperature; all texts at the study's, the first ones at the others."""
    heats = sorted({*bench.params.align.temperatures, bench.params.score.temperature})
    return {heat: bench.scored("align", name, seed, heat)[0] for heat in heats}


def curve_of(name: str, seed: int) -> pd.DataFrame:
    """A method on test over temperatures, and over doses where it has several."""
    return read_table(cell("scores/align", seed, name) / "curve.csv", "score_align", columns=("steps", "temperature"))
