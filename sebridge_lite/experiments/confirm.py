"""The stage `confirm`: the main systems once more, on texts that nobody has looked at.

The test set was read many times while this was built. So the policies as they are, at the points that dev chose, speak
`confirm.texts` sentences that come after the test set's, and are held to the claims' conditions. Nothing is chosen here:
T13's temperature is the one that the test set chooses. Left out: claims that need other systems, or candidates; your
recordings, which have no further texts.

artifacts/confirm/LANG/    the recordings in speech/, and of each system and seed scores.csv, codes.safetensors, summary.json
results/confirm/           confirm_systems.csv (a row a system) and confirm.csv (a row a condition, with its verdict)
"""

import sys
from collections.abc import Mapping, Sequence
from itertools import islice
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
from sebridge_lite.experiments.critique import START, last_policy, tdsc_bench
from sebridge_lite.experiments.critique_scores import best_of_candidates, curve_of, history
from sebridge_lite.experiments.score import score_policy
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.measure.dgsa_effects import alignment_conditions, rungs_of
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.saved import save_scores
from sebridge_lite.measure.systems import Systems, as_table, first, systems
from sebridge_lite.measure.tdsc_effects import lesser_gain, tdsc_conditions, with_relative
from sebridge_lite.measure.verdicts import Condition, as_conditions
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences
from sebridge_lite.studio.voices import people

ASKED = {"align": ("D1", "D2", "D3", "D9"), "critique": ("T1", "T3", "T4", "T5", "T8", "T13")}


class Cell(NamedTuple):
    """A system that speaks the fresh texts."""

    study: str
    name: str
    seed: int
    heat: float
    label: str  # as it is called in the tables

    @property
    def folder(self) -> str:
        return f"{self.study}/s{self.seed}/{self.label.replace(' ', '_')}"


def record_fresh(params: Params, lang: str, folder: Path) -> None:
    """Records sentences after those of the test set, by the same people, whom nothing was trained on."""
    corpus = params.corpus
    said = islice(sentences(load_language(lang, corpus.zipf), "test", params.seed), corpus.test_texts, None)
    lines = lines_of("confirm", lang, said, people("unseen", corpus.unseen_people), params.seed)
    some = list(islice(lines, params.confirm.texts))
    write_set(folder, "test", record_all(progress(some, f"{lang} fresh texts"), params.seed))


def aligned_cells(params: Params) -> list[Cell]:
    """Systems of Table 3, each at the point that dev chose for it."""
    names = params.confirm.align
    if styled := [name for name in names if method_of("align", name).decoded == "styled"]:
        raise UserError(
            f"params.yaml: confirm.align: {', '.join(styled)} needs tokens of the recordings, and fresh ones have none"
        )
    heats = {name: choice_of(name)["temperature"] for name in names}
    return [Cell("align", name, seed, heats[name], name) for name in names for seed in params.cells.seeds]


def hottest(bench: Bench) -> float:
    """T13's temperature, from the test set: where TDSC gains most against its start, by the lesser of words and Hp."""
    params, seeds = bench.params, bench.params.cells.seeds
    curves = [curve_of(bench, "tdsc", seed) for seed in seeds]
    starts = {START: [history(bench, START, seed)[-1][0] for seed in seeds]}
    start = first(starts, params.tdsc.curve_texts)[START]
    gains = {
        heat: lesser_gain([curve[heat] for curve in curves], start, slice(None), params.claims) for heat in curves[0]
    }
    return max(gains, key=gains.__getitem__)


def critique_cells(params: Params) -> list[Cell]:
    """Systems of Table 4 at the temperature of all scoring; and TDSC at T13's, where it and its start are asked."""
    names, seeds, heat = params.confirm.tdsc, params.cells.seeds, params.score.temperature
    cells = [Cell("critique", name, seed, heat, name) for name in names for seed in seeds]
    if {START, "tdsc"} <= set(names):
        hot = hottest(tdsc_bench(params))
        cells += [Cell("critique", "tdsc", seed, hot, f"tdsc at T = {hot:g}") for seed in seeds]
    return cells


def _ask(job: tuple[Params, str, Cell, Path]) -> Scores:
    params, lang, cell, out = job
    speech = out / "speech"
    bench = load_bench(params, lang).with_set("test", read_manifest(speech / "test.jsonl"), speech)
    if cell.study == "align":
        scores = scored(bench, aligned_policy(bench, cell.name, cell.seed), cell.name, cell.seed, cell.heat)
    else:
        model = bench.policy(last_policy(cell.name, cell.seed), "critique")
        if method_of("critique", cell.name).decoded == "best":
            scores = best_of_candidates(bench, model, cell.seed)
        else:
            scores = score_policy(bench, model, cell.seed, temperature=cell.heat)
    save_scores(out / cell.folder, scores, temperature=cell.heat)
    return scores


def conditions_of(study: str, found: Systems, names: Sequence[str], params: Params) -> Mapping[str, list[Condition]]:
    """The conditions of the claims of a study that are asked."""
    if study == "align":
        rungs = rungs_of(list(names), arm_of(params.align.arm).alpha)
        conditions = alignment_conditions(found, rungs, params.align.alpha_star)
    else:
        conditions = tdsc_conditions(found, outside=(names[-1], found))
    return {id: conditions[id] for id in ASKED[study]}


def asked(params: Params) -> dict[str, tuple[str, list[Cell]]]:
    """The language and the cells of each study that can be asked."""
    roles, studies = params.roles, {}
    for study, lang, names, cells in (
        ("align", roles.dgsa, params.confirm.align, aligned_cells),
        ("critique", roles.tdsc, params.confirm.tdsc, critique_cells),
    ):
        if lang == roles.dgsa and params.corpus.real_source == "folder":
            print(f"confirm: {lang} has your recordings and no further texts; not asked", file=sys.stderr)
        elif lang != "none" and names:
            studies[study] = lang, cells(params)
    return studies


def confirm(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The systems, and the conditions; empty where nothing can be asked."""
    tables, conditions, studies = [], {}, asked(params)
    with paths.replacing(paths.artifacts("confirm")) as out:
        out.mkdir(parents=True)
        for lang in {lang for lang, _ in studies.values()}:
            record_fresh(params, lang, out / lang / "speech")
        for study, (lang, cells) in studies.items():
            scores: dict[str, list[Scores]] = {}
            for cell, one in zip(
                cells, in_pool(_ask, [(params, lang, cell, out / lang) for cell in cells], "confirm"), strict=True
            ):
                scores.setdefault(cell.label, []).append(one)
            found, names = systems(scores, load_bench(params, lang).floor), list(scores)
            tables.append(with_relative(as_table(found, names, START), found).assign(language=lang))
            conditions |= conditions_of(study, found, names, params)
    if not conditions:
        return pd.DataFrame(columns=["variant"]), pd.DataFrame(columns=["id", "effect"])
    table, judged = pd.concat(tables, ignore_index=True), as_conditions(conditions, params.claims)
    effects = [condition.effect for some in conditions.values() for condition in some]
    judged["texts"], judged["seeds"] = [effect.n for effect in effects], [effect.seeds for effect in effects]
    for rows in (table, judged):
        rows["n"] = rows["texts"].astype(str) + " x " + rows["seeds"].astype(str)
    return table, judged


def run_confirm(params: Params) -> pd.DataFrame:
    """The conditions; they and the systems are written."""
    table, conditions = confirm(params)
    for name, rows in (("confirm_systems", table), ("confirm", conditions)):
        with paths.replacing(paths.results("confirm", f"{name}.csv")) as temporary:
            rows.to_csv(temporary, index=False)
    return conditions
