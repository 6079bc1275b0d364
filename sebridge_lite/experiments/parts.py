"""`sebridge pretrain`: train all frozen parts, examine them on people who taught none, and write a card for each.

`artifacts/pretrained/` gets the parts, `results/pretrain/` the numbers and cards. Checkpoints lie in
`artifacts/pretrain_work/`, so a killed run goes on where it was; a finished one is replaced as a whole. `sebridge codebook`
trains the tokenizer once more with the paper's number of codes, to be compared and thrown away.
"""

import datetime
import json
import time
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.device import pick_device
from sebridge_lite.core.params import Params, active_params
from sebridge_lite.experiments import examine_parts as parts
from sebridge_lite.experiments.train_parts import LANGS, pretrain, train_other_tokenizer
from sebridge_lite.measure.metrics import pooled
from sebridge_lite.stack.parts import FOLDERS, Parts
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.studio import load_stack, studio_stack

BY_PEOPLE, BY_ENGINES = 240, 150  # test sentences a language
ROLES = {
    "tokenizer": "speech to tokens; stands for S3Tokenizer",
    "speaker": "whose voice it is; stands for CAM++ (e_timbre) and WavLM (SIM)",
    "flow": "tokens and timbre to mel; stands for CosyVoice2's flow-matching decoder",
    "vocoder": "mel to sound; stands for HiFi-GAN",
    "select_judge": "the judge that selects: reads tokens",
    "score_judge": "the judge that scores: hears sound; stands for Whisper and Dolphin",
    "backbone": "the text-speech LM before fine-tuning; stands for Qwen2.5-0.5B as CosyVoice2 trained it",
}


def rates(counts: dict[str, list[tuple[int, int]]]) -> dict[str, float]:
    return {name: pooled([w for w, _ in found], [n for _, n in found]) for name, found in counts.items()}


def examine(stack: Stack, seed: int) -> dict:
    """Every number of `results/pretrain/metrics.json` that the parts themselves decide."""
    groups = {lang: parts.held_out(lang, BY_PEOPLE, BY_ENGINES, seed) for lang in LANGS}
    numbers: dict = {}
    counts: dict[str, list] = {}
    correlations = []
    for lang, (by_people, by_engines) in groups.items():
        of_people, back = parts.judge_report(stack, lang, by_people)
        correlations.append(parts.correlation(by_people.f0, parts.pitch(back)))
        of_people |= parts.vocoder_report(stack, lang, by_people)
        for kind, found in (("people", of_people), ("engines", parts.judge_report(stack, lang, by_engines)[0])):
            for name, (wrong, words) in found.items():
                counts.setdefault(f"{name}_wer_{kind}", []).append((wrong, words))
                numbers[f"{name}_wer_{kind}_{lang}"] = wrong / words
    total = rates(counts)
    numbers |= {
        f"{judge}_judge_wer_{kind}": total[f"{judge}_wer_{kind}"]
        for judge in ("score", "select")
        for kind in ("people", "engines")
    }
    people = groups["th"][0]
    numbers["floor_gap"] = total["score_wer_people"] - total["score_wer_engines"]
    numbers["judges_agree"] = 1 - total["disagree_wer_people"]
    for name in ("resynthesis", "vocoder", "griffin_lim"):
        numbers[f"{name}_wer_loss"] = total[f"{name}_wer_people"] - total["score_wer_people"]
    numbers["resynthesis_f0_corr"] = sum(correlations) / len(correlations)
    numbers["speaker_eer"] = parts.speaker_trials(stack, people)
    numbers |= parts.timbre_swap(stack, people)
    numbers |= parts.token_probes(stack, "th", people, seed)
    numbers["n_people"], numbers["n_engines"] = BY_PEOPLE * len(LANGS), BY_ENGINES * len(LANGS)
    return numbers


def cards(folder: Path, params: Params, numbers: dict, costs: dict[str, dict]) -> str:
    """A model card a part: what it is, what it learnt from, how big, how good, where it ends."""
    scores = {
        "tokenizer": (
            "token_unit_error",
            "token_f0_corr",
            "speaker_probe_over_chance",
            "codes_used",
            "code_perplexity",
        ),
        "speaker": ("speaker_eer",),
        "flow": ("resynthesis_wer_loss", "resynthesis_f0_corr", "swap_f0_corr", "swap_sim_new", "swap_sim_old"),
        "vocoder": ("vocoder_wer_loss", "griffin_lim_wer_loss"),
        "select_judge": ("select_judge_wer_people", "select_judge_wer_engines", "judges_agree"),
        "score_judge": ("score_judge_wer_people", "score_judge_wer_engines", "floor_gap"),
        "backbone": (),
    }
    lines = [
        "# Cards of the pretrained parts",
        "",
        "Made by `sebridge pretrain`; every number is in `metrics.json`.",
        "",
    ]
    for name in FOLDERS:
        config = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        size = (folder / f"{name}.safetensors").stat().st_size
        lines += [f"## {name}", "", f"{ROLES[name]}.", ""]
        lines += [f"- settings: `{json.dumps(config)}`", f"- size: {size / 1e6:.2f} MB (fp16)"]
        lines += [
            f"- trained in {costs[name]['seconds']:.0f} s ({costs[name]['steps']} steps, peak memory "
            f"{costs[name]['peak_memory_gib']:.1f} GiB), seed {params.pretrain.seed}, on studio speech"
        ]
        lines += [f"- {score}: {numbers[score]:.3f}" for score in scores[name]]
        lines += [
            "- limits: knows studio speech and nothing else; use it on real recordings only after training it on them",
            "",
        ]
    return "\n".join(lines)


def write_report(folder: Path, numbers: dict, seed: int, cards: str = "") -> dict:
    report = {name: round(float(value), 5) for name, value in numbers.items()}
    report |= {"seed": seed, "date": datetime.datetime.now(datetime.UTC).date().isoformat()}
    with paths.replacing(folder) as temporary:
        temporary.mkdir()
        (temporary / "metrics.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        if cards:
            (temporary / "cards.md").write_text(cards, encoding="utf-8")
    return report


def run_pretrain() -> dict:
    params = active_params()
    folder, work, start = paths.artifacts("pretrained"), paths.artifacts("pretrain_work"), time.perf_counter()
    with paths.replacing(folder) as temporary:
        temporary.mkdir()
        costs = pretrain(params.pretrain, work, temporary)
    trained = time.perf_counter()
    numbers = examine(load_stack(LANGS), params.pretrain.seed)
    numbers["pretrained_bytes"] = sum(path.stat().st_size for path in folder.iterdir())
    numbers["seconds_training"], numbers["seconds_examining"] = trained - start, time.perf_counter() - trained
    numbers |= {f"{what}_{name}": cost[what] for name, cost in costs.items() for what in ("seconds", "peak_memory_gib")}
    return write_report(paths.results("pretrain"), numbers, params.pretrain.seed, cards(folder, params, numbers, costs))


def run_codebook() -> dict:
    """The tokenizer once more with `compare_levels`, probed as ours is; it is not kept."""
    params = active_params().pretrain
    work, start = paths.artifacts("codebook_work"), time.perf_counter()
    other = train_other_tokenizer(params, work)
    stack = studio_stack(Parts(pick_device("auto"), tokenizer=other), LANGS)
    people, _ = parts.held_out("th", BY_PEOPLE, 2, params.seed)
    numbers = parts.token_probes(stack, "th", people, params.seed)
    numbers |= {"codes": other.fsq.codes, "n_people": BY_PEOPLE, "seconds": time.perf_counter() - start}
    return write_report(paths.results("codebook"), numbers, params.seed)
