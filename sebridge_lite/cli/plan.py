"""`sebridge plan`: what a run costs before anything starts: hours of audio, steps, memory, GPU hours and disk.

Speed is what `make gpu-check` has measured (results/gpu.json); without it a share of a card's peak is taken, and said so.
Left out: the time of recognisers and of engines, and what several GPUs lose by waiting for each other.
"""

import json
from typing import NamedTuple

from sebridge_lite.align.methods import METHODS, method_of, settings_of
from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.lm.lora import ALL, BIG, RANK

GIB = 2**30
PEAK, SHARE = 400e12, 0.3  # of an H100-class card in bf16, and how much of it training reaches: assumed until measured
SOUND = 2 * 24_000  # bytes a second
RATES = {"cosyvoice2": 25, "neutts": 50}


class Size(NamedTuple):
    """An LM by its numbers."""

    weights: float
    layers: int
    hidden: int
    rows: int  # of the head


SIZES = {  # Table 10: Qwen2.5-0.5B, and the heads of the two families
    "cosyvoice2": Size(506e6, 24, 896, 6_564),
    "neutts": Size(552e6, 24, 896, 65_537),
    None: Size(0.8e6, 3, 128, 732),  # the embedded backbone
}


class Work(NamedTuple):
    """What a part of the run trains and says."""

    name: str
    policies: int
    steps: int  # of each
    tokens: float  # trained, of all
    spoken: float  # speech tokens that are sampled, of all


def adapters(size: Size) -> float:
    """Weights of adapters of the usual rank on the seven matrices of each layer, whose sides add up to 26 hidden sizes."""
    return RANK * 26 * size.hidden * size.layers


def memory_gib(size: Size, tokens: int, lora: bool, checkpointing: bool) -> float:
    """GPU memory of a training step over so many tokens.

    Bytes a weight: 16 in all when it is trained (weight, gradient, two moments, float32), 2 when it is frozen (bf16). A layer
    keeps about 34 bytes a token and hidden unit in bf16, 2 where it is checkpointed; logits are 4 bytes, twice.
    """
    weights = 2 * size.weights + 16 * adapters(size) if lora else 16 * size.weights
    kept = (2 * size.layers + 34 if checkpointing else 34 * size.layers) * size.hidden
    return (weights + tokens * (kept + 8 * size.rows)) / GIB


def gpu_hours(size: Size, trained: float, spoken: float, rates: dict) -> float:
    """Hours of one card: measured rates where there are some, else 6 operations a weight and token trained."""
    train = rates.get("train", PEAK * SHARE / (6 * size.weights))
    speak = rates.get("speak", 20_000 * SIZES["cosyvoice2"].weights / size.weights)
    return (trained / train + spoken / speak) / 3_600


def works(params: Params, seconds: float = 5.0) -> list[Work]:
    """The parts of a run. seconds: of a spoken text, as in TSynC-2."""
    p, a, t, seeds = params.cells, params.align, params.tdsc, len(params.cells.seeds)
    rate = RATES.get(params.hub.family if params.hub else "", 25)
    one = seconds * rate  # tokens of a text
    scored = params.corpus.test_texts * one
    sft = Work("SFT", len(p.arms) * seeds, params.sft.steps, len(p.arms) * seeds * params.sft.steps * params.sft.budget,
               len(p.arms) * seeds * scored)  # fmt: skip
    trained = [name for name in p.align if method_of("align", name).by]
    steps, pairs = max(a.steps), params.corpus.real_minutes * 60 * rate * a.samples  # tokens of each mode
    align = Work("alignment", len(trained) * seeds, steps, len(trained) * seeds * steps * a.budget * 3,
                 2 * pairs * seeds + len(trained) * seeds * scored)  # fmt: skip
    loops = [settings_of(METHODS["critique"][name], t) for name in p.critique if METHODS["critique"][name].by]
    each = [s.iterations * (s.steps * params.sft.budget + s.dpo_steps * s.dpo_budget) for s in loops]
    said = [s.iterations * s.texts * s.candidates * one for s in loops]
    start = t.start_steps * params.sft.budget * seeds * bool(loops)
    critique = Work("TDSC", len(loops) * seeds, t.iterations * (t.steps + t.dpo_steps), sum(each) * seeds + start,
                    sum(said) * seeds)  # fmt: skip
    return [sft, align, critique]


def plan(params: Params) -> list[str]:
    """Lines for a person."""
    c, hub = params.corpus, params.hub
    size, file = SIZES[hub.family if hub else None], paths.results("gpu.json")
    measured = json.loads(file.read_text(encoding="utf-8")) if hub and file.is_file() else {}
    lora = params.sft.lora_rank > 0 or (size.weights >= BIG and params.sft.lora_rank != ALL)
    hours = (c.real_minutes + c.synthetic_minutes + c.second_synthetic_minutes) / 60
    parts = works(params)
    trained, spoken = sum(work.tokens for work in parts), sum(work.spoken for work in parts)
    tokens = max(params.sft.budget, 3 * params.align.budget)
    policy = 4 * adapters(size) if lora else 2 * size.weights
    kept = sum(w.policies * (len(params.align.steps) if w.name == "alignment" else 1) for w in parts)
    disk = hours * 3_600 * (SOUND + 4 * 25) + policy * (kept + params.tdsc.iterations * parts[-1].policies)
    gpu = gpu_hours(size, trained, spoken, measured.get("rates", {}))
    by = f"measured on {measured['device']}" if measured.get("rates") else (
        f"assumed: {SHARE:.0%} of {PEAK / 1e12:.0f} TFLOPS, 20,000 tokens/s sampled; `make gpu-check` measures"
    )  # fmt: skip
    lines = [
        f"model: {size.weights / 1e6:,.1f} M weights, {'adapters' if lora else 'all weights'} trained",
        f"audio: {c.real_minutes / 60:,.1f} h real, {c.synthetic_minutes / 60:,.1f} h synthetic, "
        f"{c.second_synthetic_minutes / 60:,.1f} h of the second language",
    ]
    lines += [
        f"{work.name}: {work.policies} policies of {work.steps:,} steps; {work.tokens / 1e6:,.1f} M tokens trained, "
        f"{work.spoken / 1e6:,.1f} M sampled"
        for work in parts
    ]
    saving = bool(hub and hub.checkpointing)
    return [
        *lines,
        f"memory: {memory_gib(size, tokens, lora, saving):,.1f} GiB a step of {tokens:,} tokens on one device "
        f"(a batch that does not fit runs in pieces)",
        f"GPU: {gpu:,.1f} hours of one card for training and sampling ({by}); judges and engines come on top",
        f"disk: {disk / GIB:,.1f} GiB of sound, tokens and policies",
    ]
