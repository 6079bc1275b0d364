"""`sebridge confirm`: the main systems once more, on texts that nobody has looked at.

The test set was read many times while this was built. So the policies as they are, at the points that dev chose, speak
`confirm.texts` sentences that come after the test set's, and are held to the claims' own conditions. Nothing is chosen here:
T13's temperature is the one that the test set chooses. Left out: claims that need other systems, or candidates.

artifacts/confirm/LANG/    the recordings, and of each system and seed scores.csv, codes.safetensors, summary.json
results/confirm/           confirm_systems.csv (a row a system) and confirm.csv (a row a condition, with its verdict)
A killed run goes on where it was. Your own recordings have no further texts: of them only the second language is asked.
"""

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice, product

import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.data.manifest import read_manifest
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments import alignment, critique
from sebridge_lite.experiments.critics import BEST, START
from sebridge_lite.experiments.critique_scores import best_at_inference, unfiltered
from sebridge_lite.experiments.policies import Bench, arm_of, load_policy, prepared
from sebridge_lite.experiments.variants import scored, variant_of
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.measure import dgsa_effects, tdsc_effects
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.saved import current, load_scores, save_scores
from sebridge_lite.measure.systems import Systems, as_table, first, systems
from sebridge_lite.measure.verdicts import as_conditions
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences
from sebridge_lite.studio.voices import people

ALIGNED = ("D1", "D2", "D3", "D9")
CRITICISED = ("T1", "T3", "T4", "T5", "T8", "T13")


def fresh(bench: Bench, params: Params) -> Bench:
    """With other test texts, by the same unseen people; they are recorded once."""
    corpus, lang, count = params.corpus, bench.lang, params.confirm.texts
    said = islice(sentences(load_language(lang, corpus.zipf), "test", params.seed), corpus.test_texts, None)
    lines = list(islice(lines_of("confirm", lang, said, people("unseen", corpus.unseen_people), params.seed), count))
    folder = paths.artifacts("confirm", lang, "speech")
    settings = key_of(params.seed, *[f"{line.id} {line.voice.id} {''.join(line.text)}" for line in lines])
    if not current(folder / "about.json", settings):
        with paths.replacing(folder) as temporary:
            temporary.mkdir(parents=True)
            write_set(temporary, "test", record_all(progress(lines, f"{lang} fresh texts"), params.seed))
            (temporary / "about.json").write_text(json.dumps({"settings": settings}) + "\n", encoding="utf-8")
    return bench._replace(sets=bench.sets | {"test": read_manifest(folder / "test.jsonl")}, folder=folder, loaded={})


def kept(
    bench: Bench, folder: str, model: TextSpeechLM, heat: float, params: Params, speak: Callable[[], Scores]
) -> Scores:
    """What `speak` gives, or what it gave when texts, policy and settings were these."""
    place = paths.artifacts("confirm", bench.lang, folder)
    texts = [utterance.id + utterance.text for utterance in bench.sets["test"]]
    candidates = params.align.candidates, params.tdsc.candidates
    settings = key_of(params.sampling, candidates, heat, *texts, *model.state_dict().values())
    if not current(place / "summary.json", settings):
        with paths.replacing(place) as temporary:
            save_scores(temporary, speak(), temperature=heat, settings=settings)
    return load_scores(place, bench.stack.codes)[0]


def aligned(bench: Bench, params: Params) -> dict[str, list[Scores]]:
    """Each at the point that dev chose for it."""
    found: dict[str, list[Scores]] = {}
    if styled := [name for name in params.confirm.align if variant_of(name, params.align)[0].decoded == "styled"]:
        raise UserError(
            f"params.yaml: confirm.align: {', '.join(styled)} needs tokens of the recordings, and fresh ones have none"
        )
    again = fresh(bench, params)
    for name, seed in progress(list(product(params.confirm.align, params.cells.seeds)), "aligned", "system"):
        heat = alignment.system(bench, name, seed, params)[1]["temperature"]
        model = load_policy(paths.artifacts("align", f"{name}-s{seed}"), bench)
        speak = partial(scored, again, model, name, seed, params, heat, "test")
        found.setdefault(name, []).append(kept(again, f"{name}-s{seed}", model, heat, params, speak))
    return found


def hottest(bench: Bench, params: Params) -> float:
    """T13's temperature, from the test set: where TDSC gains most against its start, by the lesser of words and Hp."""
    p = params.tdsc
    curves = [critique.curve_of(bench, "tdsc", seed, params) for seed in p.seeds]
    start = first({START: [critique.history(bench, START, seed)[-1][0] for seed in p.seeds]}, p.curve_texts)[START]
    gains = {
        heat: tdsc_effects.lesser_gain([curve[heat] for curve in curves], start, slice(None), params.claims)
        for heat in curves[0]
    }
    return max(gains, key=gains.__getitem__)


def criticised(bench: Bench, params: Params) -> tuple[dict[str, list[Scores]], str]:
    """Each at the study's temperature, unfiltered; and TDSC at T13's, with the name that it has there."""
    found: dict[str, list[Scores]] = {}
    again, jobs, hotter = fresh(bench, params), [], "tdsc at some T"
    for name, seed in product(params.confirm.tdsc, params.cells.seeds):
        critique.system(bench, name, seed, params)
        jobs.append((name, seed, params.score.temperature, name))
    if {START, "tdsc"} <= set(params.confirm.tdsc):
        heat = hottest(bench, params)
        hotter = f"tdsc at T = {heat:g}"
        jobs += [("tdsc", seed, heat, hotter) for seed in params.cells.seeds]
    for name, seed, heat, label in progress(jobs, "criticised", "system"):
        model = load_policy(critique.last_policy(name, seed), bench)
        speak = partial(best_at_inference if name == BEST else unfiltered, again, model, params, seed)
        place = f"{name}-s{seed}"
        if label == hotter:
            speak, place = partial(speak, temperature=heat), f"{name}-T{heat:.2f}-s{seed}"
        found.setdefault(label, []).append(kept(again, place, model, heat, params, speak))
    return found, hotter


def rows_of(lang: str, found: Systems, names: Sequence[str]) -> pd.DataFrame:
    return tdsc_effects.with_relative(as_table(found, names, START), found).assign(language=lang)


def confirm(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The systems, and the conditions."""
    tables, parts, corpus = [], {}, params.corpus
    if corpus.real_source == "folder":
        print(f"confirm: {corpus.language} has your own recordings and no further texts; not asked", file=sys.stderr)
    elif params.confirm.align:
        bench = prepared(params)
        scores = aligned(bench, params)
        found, alpha = systems(scores, bench.floor), arm_of(params.align.arm).alpha
        tables.append(rows_of(bench.lang, found, list(scores)))
        rungs = dgsa_effects.rungs_of(list(scores), alpha)
        own = dgsa_effects.alignment_conditions(found, rungs, params.align.alpha_star)
        parts |= {id: own[id] for id in ALIGNED}
    if corpus.second_language != "none" and params.confirm.tdsc:
        bench = critique.second_bench(params)
        scores, hotter = criticised(bench, params)
        found = systems(scores, bench.floor)
        tables.append(rows_of(bench.lang, found, list(scores)))
        own = tdsc_effects.tdsc_conditions(found, outside=(hotter, found))
        parts |= {id: own[id] for id in CRITICISED}
    if not parts:
        return pd.DataFrame(columns=["variant"]), pd.DataFrame(columns=["id", "effect"])
    table = pd.concat(tables, ignore_index=True)
    conditions = as_conditions(parts, params.claims)
    counted = [part.effect for some in parts.values() for part in some]
    conditions["texts"], conditions["seeds"] = [one.n for one in counted], [one.seeds for one in counted]
    for one in (table, conditions):
        one["n"] = one["texts"].astype(str) + " x " + one["seeds"].astype(str)
    return table, conditions


def run_confirm(params: Params) -> pd.DataFrame:
    """Writes both; gives the conditions."""
    table, conditions = confirm(params)
    for name, one in (("confirm_systems", table), ("confirm", conditions)):
        with paths.replacing(paths.results("confirm", f"{name}.csv")) as temporary:
            one.to_csv(temporary, index=False)
    return conditions
