"""The stage `confirm`: the main systems once more, on texts that nobody has looked at.

The test set was read many times while this was built. So the policies as they are, after the steps that dev chose, speak
`confirm.texts` sentences that come after the test set's, and are held to the claims' conditions by the paper's protocol: all at
the study's temperature. Nothing is chosen here: T13's temperature is the one that the test set chooses.
Left out: claims that need other systems, or candidates; your recordings, which have no further texts.

artifacts/confirm/LANG/    the recordings in speech/, and of each system and seed scores.csv, codes.safetensors, summary.json
results/confirm/           confirm_systems.csv (a row a system) and confirm.csv (a row a condition, with its verdict)
"""

import sys
from pathlib import Path

import pandas as pd

from sebridge_lite.align.methods import method_of
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.workers import in_pool
from sebridge_lite.data.manifest import read_manifest
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments.align import policy_at
from sebridge_lite.experiments.bench import Bench, load_bench
from sebridge_lite.experiments.choose import choice_of
from sebridge_lite.experiments.corpus import read_aloud
from sebridge_lite.experiments.critique import START, iterations, tdsc_bench
from sebridge_lite.experiments.critique_scores import curve_of, history
from sebridge_lite.experiments.score import scored
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.measure.effects import alignment_conditions, lesser_gain, rungs_of, tdsc_conditions, with_relative
from sebridge_lite.measure.evaluate import Scores, save_scores
from sebridge_lite.measure.systems import as_table, first, systems
from sebridge_lite.measure.verdicts import as_conditions
from sebridge_lite.studio.studio import record_all
from sebridge_lite.studio.voices import people

ASKED = {"align": ("D1", "D2", "D3", "D9"), "critique": ("T1", "T3", "T4", "T5", "T8", "T13")}


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
    after = {heat: [curve[heat] for curve in curves] for heat in curves[0]}
    return max(after, key=lambda heat: lesser_gain(after[heat], start, slice(None), params.claims))


def heats_of(study: str, params: Params) -> list[tuple[str, str, float]]:
    """(label in the tables, name, temperature) of systems of Table 3 or 4 at the temperature of all scoring, and of TDSC at T13's
    too, where it and its start are asked."""
    p = params.confirm
    if study == "align":
        if styled := [name for name in p.align if method_of("align", name).decoded == "styled"]:
            what = "needs tokens of recordings, and fresh ones have none"
            raise UserError(f"params.yaml: confirm.align: {styled[0]} {what}")
        return [(name, name, params.score.temperature) for name in p.align]
    heats = [(name, name, params.score.temperature) for name in p.tdsc]
    if {START, "tdsc"} <= set(p.tdsc):
        hot = hottest(tdsc_bench(params))
        heats.append((f"tdsc at T = {hot:g}", "tdsc", hot))
    return heats


def _ask(job: tuple[Params, str, str, Path, str, str, float, int]) -> Scores:
    params, study, lang, out, label, name, heat, seed = job
    speech = out / lang / "speech"
    bench = load_bench(params, lang).with_set("test", read_manifest(speech / "test.jsonl"), speech)
    if study == "align":
        model = policy_at(bench, name, seed, choice_of(name)["steps"])
    else:
        model = bench.policy(iterations(name, seed)[-1], "critique")
    scores = scored(bench, model, method_of(study, name), seed, heat)
    save_scores(out / lang / study / f"s{seed}" / label.replace(" ", "_"), scores, temperature=heat)
    return scores


def ask(params: Params, study: str, lang: str, out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The systems of a study on fresh texts, and the conditions of its claims."""
    heats, seeds = heats_of(study, params), params.cells.seeds
    jobs = [(params, study, lang, out, *heat, seed) for heat in heats for seed in seeds]
    said, names = iter(in_pool(_ask, jobs, "confirm")), [label for label, *_ in heats]
    found = systems({label: [next(said) for _ in seeds] for label in names}, load_bench(params, lang).floor)
    if study == "align":
        rungs = rungs_of(names, arm_of(params.align.arm).alpha)
        conditions = alignment_conditions(found, rungs, params.align.alpha_star)
    else:
        conditions = tdsc_conditions(found, outside=(names[-1], found))
    printed = {id: conditions[id][0] for id in ASKED[study]}
    judged = as_conditions({id: (some, []) for id, some in printed.items()}, params.claims).drop(columns="rule")
    effects = [one.effect for some in printed.values() for one in some]
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
    table, *_ = empty = pd.DataFrame(columns=["variant", "language"]), pd.DataFrame(columns=["id", "effect"])
    for name, tables in zip(("confirm_systems", "confirm"), zip(*found or [empty], strict=True), strict=True):
        table = pd.concat(tables, ignore_index=True)
        if found:
            table["n"] = table["texts"].astype(str) + " x " + table["seeds"].astype(str)
        with paths.replacing(paths.results("confirm", f"{name}.csv")) as temporary:
            table.to_csv(temporary, index=False)
    return table
