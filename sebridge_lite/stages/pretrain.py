"""`sebridge pretrain`: train all frozen parts, examine them on people who taught none, and write a card for each.

`artifacts/pretrained/` gets the parts, `results/pretrain/` the numbers and cards. Checkpoints lie in
`artifacts/pretrain_work/`, so a killed run goes on where it was; a finished one is replaced as a whole.
"""

import datetime
import json
import time
from dataclasses import replace
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.params import Params, load_params
from sebridge_lite.measure import parts
from sebridge_lite.measure.metrics import pooled
from sebridge_lite.speech.pretrain import DECODING, LANGS, OTHER_TOKENIZER, pretrain
from sebridge_lite.speech.stack import PARTS, Stack, load_stack
from sebridge_lite.speech.tokenizer import Tokenizer, TokenizerConfig
from sebridge_lite.speech.weights import load_model

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


def examine(stack: Stack, other: Tokenizer, seed: int) -> dict:
    """Every number of `results/pretrain/metrics.json` that the parts themselves decide."""
    groups = {lang: parts.held_out(lang, BY_PEOPLE, BY_ENGINES, seed) for lang in LANGS}
    numbers: dict = {}
    counts: dict[str, list] = {}
    for lang, (by_people, by_engines) in groups.items():
        for kind, group in (("people", by_people), ("engines", by_engines)):
            for name, found in parts.judge_report(stack, lang, group).items():
                counts.setdefault(f"{name}_wer_{kind}", []).append(found)
                numbers[f"{name}_wer_{kind}_{lang}"] = found[0] / found[1]
    total = rates(counts)
    numbers |= {
        f"{judge}_judge_wer_{kind}": total[f"{judge}_wer_{kind}"]
        for judge in ("score", "select")
        for kind in ("people", "engines")
    }
    people = [groups[lang][0] for lang in LANGS]
    numbers["floor_gap"] = total["score_wer_people"] - total["score_wer_engines"]
    numbers["resynthesis_wer_loss"] = total["resynthesis_wer_people"] - total["score_wer_people"]
    numbers["vocoder_wer_loss"] = total["vocoder_wer_people"] - total["score_wer_people"]
    numbers["griffin_lim_wer_loss"] = total["griffin_lim_wer_people"] - total["score_wer_people"]
    sounds = [stack.speak(stack.tokens(g.sounds), stack.timbres(g.sounds), [0] * len(g.sounds)) for g in people]
    correlations = [parts.correlation(g.f0, parts.pitch(back)) for g, back in zip(people, sounds, strict=True)]
    numbers["resynthesis_f0_corr"] = sum(correlations) / len(correlations)
    numbers["judges_agree"] = sum(parts.agreement(stack, lang, groups[lang][0]) for lang in LANGS) / len(LANGS)
    numbers["speaker_eer"] = parts.speaker_trials(stack, people[0])
    numbers |= parts.timbre_swap(stack, people[0])
    numbers |= parts.token_probes(stack, "th", people[0], seed)
    beside = parts.token_probes(replace(stack, tokenizer=other), "th", people[0], seed)
    numbers |= {f"compared_{name}": value for name, value in beside.items()}
    numbers["compared_codes"] = other.fsq.codes
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
    for name in PARTS:
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


def run_pretrain() -> dict:
    params = load_params(paths.root() / "params.yaml")
    folder, work = paths.artifacts("pretrained"), paths.artifacts("pretrain_work")
    with paths.replacing(folder) as temporary:
        temporary.mkdir()
        costs = pretrain(params.pretrain, work, temporary)
    start = time.perf_counter()
    other = load_model(Tokenizer, TokenizerConfig, work / OTHER_TOKENIZER).eval()
    numbers = examine(load_stack(folder, LANGS, DECODING), other, params.pretrain.seed)
    numbers["pretrained_bytes"] = sum(path.stat().st_size for path in folder.iterdir())
    numbers["examine_seconds"] = time.perf_counter() - start
    numbers |= {f"{what}_{name}": cost[what] for name, cost in costs.items() for what in ("seconds", "peak_memory_gib")}
    report = {name: round(float(value), 5) for name, value in numbers.items()}
    report |= {"seed": params.pretrain.seed, "date": datetime.datetime.now(datetime.UTC).date().isoformat()}
    with paths.replacing(paths.results("pretrain")) as temporary:
        temporary.mkdir()
        (temporary / "metrics.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (temporary / "cards.md").write_text(cards(folder, params, numbers, costs), encoding="utf-8")
    return report
