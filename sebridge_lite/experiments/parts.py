"""The frozen stages `parts` and `codebook`: train what the paper downloads, examine it, and write a card for each part.

artifacts/parts, artifacts/judges/select, artifacts/judges/score   the parts
results/parts/metrics.json, cards.md                               what they are worth, to people who taught none
results/codebook/metrics.json                                      the same of a tokenizer with the paper's number of codes
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from sebridge_lite.core import paths
from sebridge_lite.core.device import pick_device
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.files import read_json
from sebridge_lite.core.hashes import PARTS_CODE, code_hash
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.account import today
from sebridge_lite.stack.parts import FOLDERS, Parts, load_part
from sebridge_lite.stack.studio import studio_stack
from sebridge_lite.studio.teach.examine_parts import BY_PEOPLE, examine, held_out, token_probes
from sebridge_lite.studio.teach.train_parts import LANGS, train_all, train_other_tokenizer

UNKNOWN = "unknown (trained before hashes were kept)"
CARDS = {  # role of each part, and the measures that its card names
    "tokenizer": ("speech to tokens; stands for S3Tokenizer",
                  "token_unit_error token_f0_corr speaker_probe_over_chance codes_used code_perplexity"),
    "speaker": ("whose voice it is; stands for CAM++ (e_timbre) and WavLM (SIM)", "speaker_eer"),
    "flow": ("tokens and timbre to mel; stands for CosyVoice2's flow-matching decoder",
             "resynthesis_wer_loss resynthesis_f0_corr swap_f0_corr swap_sim_new swap_sim_old"),
    "vocoder": ("mel to sound; stands for HiFi-GAN", "vocoder_wer_loss griffin_lim_wer_loss"),
    "select_judge": ("the judge that selects: reads tokens",
                     "select_judge_wer_people select_judge_wer_engines judges_agree"),
    "score_judge": ("the judge that scores: hears sound; stands for Whisper and Dolphin",
                    "score_judge_wer_people score_judge_wer_engines floor_gap"),
    "backbone": ("the text-speech LM before fine-tuning; stands for Qwen2.5-0.5B as CosyVoice2 trained it", ""),
}  # fmt: skip


def cards(folder: Path, report: dict) -> str:
    """A model card a part: what it is, what it learnt from, how big, how good, where it ends."""
    made = f"Made by `sebridge parts`, code {report.get('code', UNKNOWN)}; every number is in `metrics.json`."
    lines = ["# Cards of the parts", "", made, ""]
    for name, (role, scores) in CARDS.items():
        file = folder / FOLDERS[name] / f"{name}.safetensors"
        config = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        seconds, steps, memory = (report[f"{what}_{name}"] for what in ("seconds", "steps", "peak_memory_gib"))
        cost = f"({steps:.0f} steps, peak memory {memory:.1f} GiB), seed {report['seed']}"
        lines += [f"## {name}", "", f"{role}.", "", f"- settings: `{json.dumps(config)}`"]
        lines += [f"- size: {file.stat().st_size / 1e6:.2f} MB (fp16)", f"- trained in {seconds:.0f} s {cost}"]
        lines += [f"- {score}: {report[score]:.3f}" for score in scores.split()]
        lines += ["- limits: knows studio speech and nothing else; train it on real recordings before it hears any", ""]
    return "\n".join(lines)


def write_results(stage: str, numbers: dict, seed: int) -> dict:
    """The numbers as a stage's metrics.json now holds them, with seed, date and the hash of the code; of parts also cards."""
    report: dict[str, Any] = {name: round(float(value), 5) for name, value in numbers.items()}
    report |= {"seed": seed, "date": today(), "code": code_hash(*PARTS_CODE)}
    with paths.replacing(paths.results(stage)) as temporary:
        temporary.mkdir()
        metrics = json.dumps(report, indent=1, sort_keys=True) + "\n"
        (temporary / "metrics.json").write_text(metrics, encoding="utf-8")
        if stage == "parts":
            (temporary / "cards.md").write_text(cards(paths.artifacts(), report), encoding="utf-8")
    return report


def run_parts(params: Params) -> dict:
    """The word errors of the judges on people, after all parts are trained, examined and written."""
    start = time.perf_counter()
    with paths.working(paths.artifacts("parts")) as work:
        costs = train_all(params.pretrain, work)
        for place in sorted(set(FOLDERS.values())):
            with paths.replacing(paths.artifacts(place)) as temporary:
                shutil.copytree(work / place, temporary)
    trained = time.perf_counter()
    parts = Parts(pick_device("auto"))
    for name, place in FOLDERS.items():
        if name != "backbone":
            parts[name] = load_part(name, paths.artifacts(place, name)).to(parts.device)
    numbers = examine(studio_stack(parts, LANGS), LANGS, params.pretrain.seed)
    files = [file for place in set(FOLDERS.values()) for file in paths.artifacts(place).iterdir()]
    numbers["pretrained_bytes"] = sum(file.stat().st_size for file in files)
    numbers |= {"seconds_training": trained - start, "seconds_examining": time.perf_counter() - trained}
    numbers |= {f"{what}_{name}": value for name, cost in costs.items() for what, value in cost.items()}
    report = write_results("parts", numbers, params.pretrain.seed)
    return {name: report[name] for name in ("score_judge_wer_people", "select_judge_wer_people")}


def run_codebook(params: Params) -> dict:
    """The number of codes of a tokenizer with `compare_levels`, which is probed as ours is and not kept."""
    p, start = params.pretrain, time.perf_counter()
    with paths.working(paths.artifacts("codebook")) as work:
        other = train_other_tokenizer(p, work, load_part("speaker"))
    parts = Parts(pick_device("auto"))
    parts["tokenizer"] = other.to(parts.device)
    people, _ = held_out("th", BY_PEOPLE, 2, p.seed)
    numbers = token_probes(studio_stack(parts, LANGS), "th", people, p.seed)
    numbers |= {"codes": other.fsq.codes, "n_people": BY_PEOPLE, "seconds": time.perf_counter() - start}
    write_results("codebook", numbers, p.seed)
    return {"codes": numbers["codes"]}


def parts_metrics() -> dict:
    """The measures of the parts in use, and as `compared_...` those of the tokenizer with the paper's number of codes."""
    found: dict = {"code": UNKNOWN}
    for stage, prefix in (("parts", ""), ("codebook", "compared_")):
        places = [paths.results(stage, "metrics.json"), paths.root() / "results" / stage / "metrics.json"]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise UserError(f"{places[-1]}: not there; `dvc pull {stage}` fetches it with the parts")
        report = read_json(path, f"`dvc pull {stage}` fetches it again")
        found |= {prefix + name: value for name, value in report.items()}
    return found
