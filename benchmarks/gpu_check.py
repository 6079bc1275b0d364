"""`make gpu-check`: what a GPU does here, in at most 8 minutes: parity with the CPU, speed, memory; into results/gpu.json.

    parity      loss and greedy tokens in float32 are those of the CPU; the loss in bf16 is within 1e-2
    studio      steps a second of SFT and DGSA and candidates a second, on the LM of the studio
    generation  tokens a second, against `transformers.generate` with a static cache (compiled, on a GPU)
    paper       Qwen2.5-0.5B with random weights and CosyVoice2's tables: SFT and DGSA with adapters, 12 candidates, memory
    sweep       three mixes of lively and flat made-up speech: SFT runs, and Hp of what it says is finite

Without a GPU every part runs at tiny sizes on the CPU, which shows that the script works and measures nothing: `device` says so.
It imports nothing but torch, transformers, peft, numpy, scipy and pandas. Left out: sound, judges, several GPUs.
"""

import copy
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from _common import exit_code, options, write_json
from _twin import LONGEST, PER_CHARACTER, SHORTEST, SIZES, as_causal_lm
from generate import by_transformers

from sebridge_lite.align.dgsa import dgsa_loss, pair_set
from sebridge_lite.align.pairs import Triplet
from sebridge_lite.core import paths
from sebridge_lite.core.device import autocast, move, pick_device
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM, collate, loss
from sebridge_lite.lm.lora import adapted
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.measure.entropy import jackknife, token_counts

PAPER = LMConfig(151_936, 6_561, 896, 24, 14, 2, 4_864, 32_768, 1e6, 0.0)  # Table 10
TINY = LMConfig(60, 40, 32, 2, 4, 2, 48, 400, 1e4, 0.0)
RANK, CLOSE, BF16 = 32, 1e-4, 1e-2
ALPHAS = (0.2, 0.5, 0.8)
Rows = Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


def made_up(config: LMConfig, count: int, longest: int, lively: float = 1.0, seed: int = 0) -> list:
    """Rows of (text, no prefix, speech); flat speech keeps to half of the tokens."""
    g = torch.Generator().manual_seed(seed)
    rows = []
    for size in torch.randint(min(SHORTEST, longest), longest + 1, (count,), generator=g).tolist():
        text = torch.randint(0, config.text_vocab, (size,), generator=g)
        most = config.speech_vocab if torch.rand((), generator=g) < lively else config.speech_vocab // 2
        rows.append((text, text[:0], torch.randint(0, most, (int(size * PER_CHARACTER),), generator=g)))
    return rows


def sampler(heat: float, most: float = 3.0) -> SamplerConfig:
    return SamplerConfig(heat, top_p=0.9, window=0, tau=0, min_ratio=1, max_ratio=most, seed=0)


def timed(work: Callable[[], object], repeats: int) -> float:
    """Seconds of one call, after one that does not count."""
    work()
    wait()
    begun = time.perf_counter()
    for _ in range(repeats):
        work()
    wait()
    return (time.perf_counter() - begun) / repeats


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def step(model: TextSpeechLM, device: torch.device, lr: float = 1e-4) -> Callable:
    """A training step of any loss on a batch, as the training loop takes it."""
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=lr, fused=True)

    def one(of: Callable, batch) -> None:
        optimizer.zero_grad()
        with autocast(device):
            value = of(model, move(batch, device))[0]
        value.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()

    return one


def pairs_of(model: TextSpeechLM, rows: Rows) -> object:
    """A DGSA batch of triplets made of these rows."""
    torch.manual_seed(0)

    def other(row: torch.Tensor) -> torch.Tensor:
        return torch.randint_like(row, model.config.speech_vocab)

    triplets = [
        Triplet(str(i), text, none, speech, other(speech), other(speech)) for i, (text, none, speech) in enumerate(rows)
    ]
    found = pair_set(triplets, model, 0.4, 0.6, "off")
    return found.collate(range(len(triplets)))


def parity(device: torch.device, config: LMConfig, rows: Rows) -> dict:
    """How far loss and greedy tokens lie from the CPU's."""
    torch.manual_seed(0)
    here = TextSpeechLM(config).eval()
    there, batch = copy.deepcopy(here).to(device), collate(rows)
    with torch.no_grad():
        exact, far = loss(here, batch)[0], loss(there, move(batch, device))[0].cpu()
        with torch.autocast(device.type, dtype=torch.bfloat16):
            half = loss(there, move(batch, device))[0].float().cpu()
    texts, none = [row[0] for row in rows], [row[1] for row in rows]
    ours, theirs = (generate(model, texts, none, sampler(0)) for model in (here, there))
    same = sum(torch.equal(a, b) for (a,), (b,) in zip(ours, theirs, strict=True))
    return {
        "loss": abs((far - exact).item()),
        "bf16": abs((half - exact).item() / exact.item()),
        "greedy": [same, len(rows)],
    }


def speed(model: TextSpeechLM, device: torch.device, rows: Rows, repeats: int, candidates: int = 12) -> dict:
    """Tokens a second of SFT and DGSA steps and of candidates, and the memory that training took."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    pairs, batch, one = pairs_of(model, rows), collate(rows), step(model.train(), device)
    tokens = sum(len(text) + len(speech) + 2 for text, _, speech in rows)
    sft = timed(partial(one, loss, batch), repeats)
    dgsa = timed(partial(one, partial(dgsa_loss, beta=0.1), pairs), repeats)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None
    said: list = []

    def speak() -> None:
        said[:] = generate(model.eval(), [r[0] for r in rows], [r[1] for r in rows], sampler(1.0), candidates)

    spent = timed(speak, 1)
    spoken = sum(len(codes) for group in said for codes in group)
    return {
        "sft_steps": 1 / sft, "sft_tokens": tokens / sft, "dgsa_steps": 1 / dgsa, "dgsa_tokens": 3 * tokens / dgsa,
        "candidates": len(rows) * candidates / spent, "spoken_tokens": spoken / spent, "memory_gib": memory,
    }  # fmt: skip


def against_transformers(device: torch.device, config: LMConfig, rows: Rows, candidates: int) -> dict:
    """Tokens a second of ours, and of `generate` with a static cache."""
    torch.manual_seed(0)
    model = TextSpeechLM(config).to(device).eval()
    peer, texts = as_causal_lm(model).to(device), [row[0] for row in rows]
    peer.generation_config.cache_implementation = "static"  # transformers compiles it on a GPU
    lengths = (torch.tensor([len(text) for text in texts])[:, None] * PER_CHARACTER).long().expand(-1, candidates)
    spoken = int(lengths.sum())
    none = [text[:0] for text in texts]
    how = {"candidates": candidates, "lengths": (lengths, lengths)}
    ours = timed(lambda: generate(model, texts, none, sampler(1.0), **how), 1)
    theirs = timed(lambda: by_transformers(peer, config, texts, lengths, 1.0, 192), 1)
    return {"ours": spoken / ours, "transformers": spoken / theirs, "ratio": theirs / ours}


def sweep(device: torch.device, config: LMConfig, steps: int, count: int, longest: int) -> dict:
    """Hp of what SFT says after three mixes of made-up speech."""
    found = {}
    for alpha in ALPHAS:
        torch.manual_seed(0)
        model, rows = TextSpeechLM(config).to(device), made_up(config, count, longest, 1 - alpha)
        one = step(model.train(), device, 3e-3)
        for _ in range(steps):
            one(loss, collate(rows))
        said = generate(model.eval(), [r[0] for r in rows], [r[1] for r in rows], sampler(1.0))
        found[str(alpha)] = float(jackknife(token_counts([group[0] for group in said], config.speech_vocab)).mean)
    return found


def check(device: torch.device, repeats: int) -> dict:
    """All parts; at tiny sizes where there is no GPU."""
    real = device.type == "cuda"
    torch.set_float32_matmul_precision("highest")  # float32 must be float32, or parity says nothing
    small, big = SIZES["studio"].config, PAPER if real else TINY
    longest, count, many = (LONGEST, 64, 12) if real else (9, 4, 2)
    rows, begun = made_up(small, count, longest), time.perf_counter()
    report = {"device": torch.cuda.get_device_name(device) if real else "cpu: tiny sizes, nothing measured"}
    report |= {"torch": torch.__version__, "parity": parity(device, small, rows)}
    torch.manual_seed(0)
    report["studio"] = speed(TextSpeechLM(small).to(device), device, rows, repeats, many)
    report["generation"] = against_transformers(device, small, rows, many)
    torch.manual_seed(0)
    model = TextSpeechLM(big).to(device)
    model.released = "random weights"  # so that frozen weights are kept in bf16
    report["paper"] = speed(
        adapted(model, RANK if real else 2), device, made_up(big, 32 if real else 3, longest), repeats, many
    )
    report["sweep"] = sweep(device, small, 100 if real else 2, count, longest)
    if real:  # what `sebridge plan` reads
        report["rates"] = {"train": report["paper"]["dgsa_tokens"], "speak": report["paper"]["spoken_tokens"]}
    return report | {"seconds": time.perf_counter() - begun}


def table(report: dict) -> list[str]:
    """The README's."""
    lines = [
        "| | SFT tokens/s | DGSA tokens/s | candidates/s | spoken tokens/s | memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, what in (("studio", "LM of the studio"), ("paper", "0.5 B, adapters")):
        row = report[name]
        memory = "not measured" if row["memory_gib"] is None else f"{row['memory_gib']:.1f} GiB"
        numbers = (row[key] for key in ("sft_tokens", "dgsa_tokens", "candidates", "spoken_tokens"))
        lines.append(f"| {what} | {' | '.join(f'{number:,.0f}' for number in numbers)} | {memory} |")
    return [*lines, f"{report['device']}, {report['seconds']:.0f} s"]


def main(argv: list[str] | None = None) -> int:
    args = options(__doc__, repeats=10).parse_args(argv)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    device = pick_device("auto")
    report = check(device, args.repeats)
    found, same = report["parity"], report["parity"]["greedy"]
    agree = found["loss"] < CLOSE and found["bf16"] < BF16 and same[0] == same[1]
    print("\n".join(table(report)))
    print(
        f"parity: loss differs by {found['loss']:.1e}, in bf16 by {found['bf16']:.1e} of it; greedy {same[0]} of {same[1]} alike"
    )
    file: Path | None = args.json or (paths.results("gpu.json") if device.type == "cuda" else None)
    if file:
        write_json(file, json.loads(json.dumps(report)))
    if device.type != "cuda":
        print("no GPU: speed, memory and parity across devices are not measured", file=sys.stderr)
    return 0 if agree else 1


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
