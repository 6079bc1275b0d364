"""The stage `confirm`: the main systems once more, on texts that nobody has looked at.

The test set was read many times while this was built. So the policies as they are, at the points that dev chose, speak
`confirm.texts` sentences that come after the test set's, and are held to the claims' conditions. Nothing is chosen here:
T13's temperature is the one that the test set chooses. Left out: claims that need other systems, or candidates; your
recordings, which have no further texts.

artifacts/confirm/LANG/    the recordings in speech/, and of each system and seed scores.csv, codes.safetensors, summary.json
results/confirm/           confirm_systems.csv (a row a system) and confirm.csv (a row a condition, with its verdict)
"""

import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sebridge_lite.align.methods import method_of
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.workers import in_pool
from sebridge_lite.data.manifest import read_manifest
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments.bench import Bench, load_bench
from sebridge_lite.experiments.choose import aligned_policy, choice_of, scored
from sebridge_lite.experiments.corpus import read_aloud
from sebridge_lite.experiments.critique import START, iterations, tdsc_bench
from sebridge_lite.experiments.critique_scores import curve_of, history
from sebridge_lite.experiments.score import score_best, score_policy
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.measure.effects import alignment_conditions, lesser_gain, rungs_of, tdsc_conditions, with_relative
from sebridge_lite.measure.evaluate import Scores, save_scores
from sebridge_lite.measure.systems import as_table, first, systems
from sebridge_lite.measure.verdicts import as_conditions
from sebridge_lite.studio.studio import record_all
from sebridge_lite.studio.voices import people

ASKED = {"align": ("D1", "D2", "D3", "D9"), "critique": ("T1", "T3", "T4", "T5", "T8", "T13")}


class Cell(NamedTuple):
    """A system that speaks the fresh texts, called `label` in the tables."""

    label: str
    name: str
    seed: int
    heat: float


def record_fresh(params: Params, lang: str, folder: Path) -> None:
    """Records sentences after those of the test set, by the same people, whom nothing was trained on."""
    p, seed = params.corpus, params.seed
    part = p.test_texts, p.test_texts + params.confirm.texts
    some = list(read_aloud("confirm", "test", people("unseen", p.unseen_people), lang, p, seed, part=part))
    write_set(folder, "test", record_all(progress(some, f"{lang} fresh texts"), seed))


def hottest(bench: Bench) -> float:
    """T13's temperature, from the test set: where TDSC gains most against its start, by the lesser of words and Hp."""
    params, seeds = bench.params, bench.params.cells.seeds
    curves = [curve_of(bench, "tdsc", seed) for seed in seeds]
    starts = {START: [history(bench, START, seed)[-1][0] for seed in seeds]}
    start = first(starts, params.tdsc.curve_texts)[START]

    def gain(heat: float) -> float:
        return lesser_gain([curve[heat] for curve in curves], start, slice(None), params.claims)

    return max(curves[0], key=gain)


def cells_of(study: str, params: Params) -> list[Cell]:
    """Systems of Table 3, each at the point that dev chose for it; or of Table 4 at the temperature of all scoring, and TDSC
    at T13's too, where it and its start are asked."""
    p, seeds = params.confirm, params.cells.seeds
    if study == "align":
        if styled := [name for name in p.align if method_of("align", name).decoded == "styled"]:
            what = "needs tokens of recordings, and fresh ones have none"
            raise UserError(f"params.yaml: confirm.align: {styled[0]} {what}")
        heats = [(name, name, choice_of(name)["temperature"]) for name in p.align]
    else:
        heats = [(name, name, params.score.temperature) for name in p.tdsc]
        if {START, "tdsc"} <= set(p.tdsc):
            hot = hottest(tdsc_bench(params))
            heats.append((f"tdsc at T = {hot:g}", "tdsc", hot))
    return [Cell(label, name, seed, heat) for label, name, heat in heats for seed in seeds]


def _ask(job: tuple[Params, str, str, Cell, Path]) -> Scores:
    params, study, lang, cell, out = job
    speech, seed = out / lang / "speech", cell.seed
    bench = load_bench(params, lang).with_set("test", read_manifest(speech / "test.jsonl"), speech)
    if study == "align":
        scores = scored(bench, aligned_policy(bench, cell.name, seed), cell.name, seed, cell.heat)
    else:
        model = bench.policy(iterations(cell.name, seed)[-1], "critique")
        if method_of("critique", cell.name).decoded == "best":
            scores = score_best(bench, model, seed, params.tdsc.candidates)
        else:
            scores = score_policy(bench, model, seed, temperature=cell.heat)
    save_scores(out / lang / study / f"s{seed}" / cell.label.replace(" ", "_"), scores, temperature=cell.heat)
    return scores


def ask(params: Params, study: str, lang: str, out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The systems of a study on fresh texts, and the conditions of its claims."""
    cells, rows = cells_of(study, params), {}
    jobs = [(params, study, lang, cell, out) for cell in cells]
    for cell, scores in zip(cells, in_pool(_ask, jobs, "confirm"), strict=True):
        rows.setdefault(cell.label, []).append(scores)
    found, names = systems(rows, load_bench(params, lang).floor), list(rows)
    if study == "align":
        rungs = rungs_of(names, arm_of(params.align.arm).alpha)
        conditions = alignment_conditions(found, rungs, params.align.alpha_star)
    else:
        conditions = tdsc_conditions(found, outside=(names[-1], found))
    kept = {id: conditions[id] for id in ASKED[study]}
    judged, effects = as_conditions(kept, params.claims), [one.effect for some in kept.values() for one in some]
    judged["texts"], judged["seeds"] = [effect.n for effect in effects], [effect.seeds for effect in effects]
    return with_relative(as_table(found, names, START), found).assign(language=lang), judged


def run_confirm(params: Params) -> pd.DataFrame:
    """The conditions; they and the systems are written."""
    roles, own = params.roles, params.corpus.real_source == "folder"
    studies = {"align": (roles.dgsa, params.confirm.align), "critique": (roles.tdsc, params.confirm.tdsc)}
    asked = {study: lang for study, (lang, names) in studies.items() if lang != "none" and names}
    if own and roles.dgsa in asked.values():
        print(f"confirm: {roles.dgsa} has your recordings and no further texts; not asked", file=sys.stderr)
        asked = {study: lang for study, lang in asked.items() if lang != roles.dgsa}
    with paths.replacing(paths.artifacts("confirm")) as out:
        out.mkdir(parents=True)
        for lang in set(asked.values()):
            record_fresh(params, lang, out / lang / "speech")
        found = [ask(params, study, lang, out) for study, lang in asked.items()]
    empty = pd.DataFrame(columns=["variant", "language"]), pd.DataFrame(columns=["id", "effect"])
    for name, tables in zip(("confirm_systems", "confirm"), zip(*found or [empty], strict=True), strict=True):
        table = pd.concat(tables, ignore_index=True)
        if found:
            table["n"] = table["texts"].astype(str) + " x " + table["seeds"].astype(str)
        with paths.replacing(paths.results("confirm", f"{name}.csv")) as temporary:
            table.to_csv(temporary, index=False)
    return table
