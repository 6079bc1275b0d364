"""`sebridge critique VARIANT`: a policy without real speech, its own critic for K iterations; or live, in a notebook.

artifacts/tdsc/VARIANT-sSEED/ gets summary.json (which settings it follows from) and
    k0/          the start: model, and its scores on unfiltered test samples at one temperature by the scoring judge
    k1/ k2/ ...  the same after each iteration, with candidates.safetensors, verdicts.jsonl (a row a candidate, and why it was
                 kept or dropped), temperatures.csv (Table 9), sft.csv and dpo.csv (losses)
    T0.70/ ...   scores of the last policy on test at each other temperature, of the systems whose line the frontier shows
summary.json of k0, k1, ... also holds the figures of the accepted part of the same samples, as `filtered_...`: the paper's last
row; scores.csv says which these are.
A killed loop goes on where it was: finished iterations wait in artifacts/tdsc_work, and training goes on from its checkpoints.
Variants that have the same policy say the same, and those that choose the same learn the same: neither is done twice.
An iteration whose candidates are all rejected ends the loop; one without pairs goes on without DPO; a text of which none is
accepted is left out. Each says so on stderr. A full disk stops the command; what was finished stays and is gone on from.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
from torch import Tensor

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.data.codes import codes_for, read_codes
from sebridge_lite.experiments.critics import BEST, DRAWN, START, settings_of
from sebridge_lite.experiments.critique_scores import best_at_inference, curve
from sebridge_lite.experiments.iteration import Loop, iterate, keep, load_policy
from sebridge_lite.experiments.material import lm_examples
from sebridge_lite.experiments.policies import Bench, load_bench, prepared
from sebridge_lite.lm.lm import TextSpeechLM, load_backbone
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.saved import current, load_scores, save_scores
from sebridge_lite.measure.systems import first

OF_START = ("start_steps", "max_wer", "max_rep", "shortest", "longest", "temperatures", "curve_texts")  # of tdsc


def second_bench(params: Params) -> Bench:
    """The bench of the language that has synthetic speech alone; corpus and tokens are made where no stage has made them."""
    lang = params.roles.tdsc
    if lang == "none":
        raise UserError("params.yaml: corpus.second_language: none; TDSC needs a language, such as lo")
    if not paths.artifacts("speech_tokens", lang).is_dir():
        prepared(params)
    return load_bench(lang)


def system_folder(name: str, seed: int) -> Path:
    return paths.artifacts("tdsc", f"{name}-s{seed}")


def settings_key(name: str, params: Params) -> str:
    """Of what a system's scores follow from: of the start that is little, so that other variants' settings leave it alone."""
    p, tdsc = (replace(one, variants=(), seeds=()) for one in (settings_of(name, params.tdsc), params.tdsc))
    own = [getattr(p, field) for field in OF_START] if name == START else [p, tdsc]
    return key_of(*own, params.sft, params.sampling)


def shared_key(loop: Loop) -> str:
    """Of what all variants of a seed have in common: data, judges, and how a policy is fine-tuned and sampled."""
    bench, params, stack = loop.bench, loop.params, loop.bench.stack
    parts = [
        stack.select_judge.net,
        stack.score_judge.net,
        stack.decoder.flow,
        stack.decoder.vocoder,
        stack.speaker.net,
    ]
    weights = [tensor for part in parts for tensor in part.state_dict().values()]
    said = [u.id + u.text for name in ("synthetic", "test") for u in bench.sets[name]]
    codes = codes_for(bench.sets["synthetic"], bench.codes)
    accepts = [getattr(params.tdsc, name) for name in ("max_wer", "max_rep", "shortest", "longest")]
    return key_of(params.sft, params.sampling, accepts, loop.seed, *said, *codes, *weights)


def depends_on(loop: Loop, first: TextSpeechLM, shared: str) -> str:
    """Of what finished work must have been made to be used again: settings, what is shared, and the policy it begins from."""
    return key_of(settings_key(loop.name, loop.params), shared, *first.state_dict().values())


def finished(folder: Path, key: str) -> bool:
    path = folder / "summary.json"
    return path.is_file() and json.loads(path.read_text(encoding="utf-8")).get("key") == key


def make_start(loop: Loop) -> None:
    """SFT of the backbone on synthetic speech alone (alpha = 1), into `work`/k0."""
    bench, params = loop.bench, loop.params
    model, synthetic = load_backbone(), bench.sets["synthetic"]
    key = depends_on(loop, model, shared_key(loop))
    if finished(loop.work / "k0", key):
        return
    examples = lm_examples([u.text for u in synthetic], codes_for(synthetic, bench.codes))
    settings, training = replace(params.sft, steps=loop.p.start_steps), loop.work / "k0-training"
    done = fine_tune(model, examples, [u.speaker for u in synthetic], settings, loop.seed, training, "start")
    about = {"k": 0, "key": key, "sft_loss": round(done.loss, 4), "sft_epochs": round(done.epochs, 2)}
    with paths.replacing(loop.work / "k0") as temporary:
        temporary.mkdir(parents=True)
        (temporary / "sft.csv").write_bytes((training / "loss.csv").read_bytes())
        keep(loop, temporary, model, about | {"seconds_sft": round(done.seconds, 1)})


def run_loop(loop: Loop) -> int:
    """All iterations that are not there yet; how many there are in the end."""
    shared = shared_key(loop)
    whole = depends_on(loop, load_policy(loop.work / "k0", loop.bench), shared)
    for k in range(1, loop.p.iterations + 1):
        target, key = loop.work / f"k{k}", key_of(whole, k)
        if not finished(target, key) and not iterate(loop, k, loop.work / f"k{k - 1}", key, shared, target):
            return k - 1
    return loop.p.iterations


def publish(loop: Loop, last: int) -> None:
    """The whole system in its place; the work folder goes when it is there."""
    bench, params, seed = loop.bench, loop.params, loop.seed
    model = load_policy(loop.work / f"k{last}", bench)
    with paths.replacing(system_folder(loop.name, seed)) as temporary:
        temporary.mkdir(parents=True)
        for k in range(last + 1):
            shutil.copytree(loop.work / f"k{k}", temporary / f"k{k}")
        if loop.name == BEST:
            scores = best_at_inference(bench, model, params, seed)
            save_scores(temporary / "k1", scores, variant=loop.name, seed=seed, k=1)
        elif loop.name in DRAWN:
            for heat, scores in curve(bench, model, params, seed).items():
                save_scores(temporary / f"T{heat:.2f}", scores, variant=loop.name, seed=seed, k=last, temperature=heat)
        about = {"variant": loop.name, "seed": seed, "k": last, "settings": settings_key(loop.name, params)}
        (temporary / "summary.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(loop.work)


def critique(bench: Bench, name: str, seed: int, params: Params) -> dict:
    """One system from its start to its scores; returns the last summary. Others begin with the start of `sft`."""
    loop = Loop(
        bench, name, seed, params, settings_of(name, params.tdsc), paths.artifacts("tdsc_work", f"{name}-s{seed}")
    )
    start = loop.work / "k0"
    if name == START:
        make_start(loop)
    else:
        if not made(START, seed, params):
            critique(bench, START, seed, params)
        shutil.copytree(system_folder(START, seed) / "k0", start, dirs_exist_ok=True)
    publish(loop, run_loop(loop))
    return history(bench, name, seed)[-1][1]


def made(name: str, seed: int, params: Params) -> bool:
    """Whether the system is there, of these settings."""
    return current(system_folder(name, seed) / "summary.json", settings_key(name, params))


def history(bench: Bench, name: str, seed: int) -> list[tuple[Scores, dict]]:
    """Scores and summary of a system after 0, 1, ... iterations."""
    folders = sorted(system_folder(name, seed).glob("k*"), key=lambda path: int(path.name[1:]))
    if not folders:
        raise UserError(f"{system_folder(name, seed)}: not there; `sebridge critique {name} --seed {seed}` makes it")
    return [load_scores(folder, bench.stack.codes) for folder in folders]


def last_policy(name: str, seed: int) -> Path:
    """The folder of a system's policy after its last iteration; one that only chooses has its start's."""
    models = system_folder(name, seed).glob("k*/model.safetensors")
    return max((path.parent for path in models), key=lambda folder: int(folder.name[1:]))


def system(bench: Bench, name: str, seed: int, params: Params) -> list[tuple[Scores, dict]]:
    """As `history`, of a stage that has run with these settings, else made now."""
    if not made(name, seed, params):
        critique(bench, name, seed, params)
    return history(bench, name, seed)


def curve_of(bench: Bench, name: str, seed: int, params: Params) -> dict[float, Scores]:
    """A system's last policy on the first texts of the test set, by temperature."""
    folders = sorted(system_folder(name, seed).glob("T*"))
    found = {float(path.name[1:]): load_scores(path, bench.stack.codes)[0] for path in folders}
    if (heat := params.score.temperature) in params.tdsc.temperatures:
        (found[heat],) = first({name: [history(bench, name, seed)[-1][0]]}, params.tdsc.curve_texts)[name]
    return dict(sorted(found.items()))


def candidates(name: str, seed: int, k: int) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """All candidates of an iteration: a row each with the judge's decision, and their codes by name."""
    folder = system_folder(name, seed) / f"k{k}"
    rows = pd.read_json(folder / "verdicts.jsonl", lines=True, dtype={"said": str, "read": str})
    return rows, read_codes(folder / "candidates.safetensors")
