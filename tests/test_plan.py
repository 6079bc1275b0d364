"""What a run costs, by hand arithmetic."""

from dataclasses import replace
from pathlib import Path

import pytest

from sebridge_lite.cli.plan import Size, gpu_hours, memory_gib, plan, works
from sebridge_lite.core.params import load_params

ROOT = Path(__file__).parents[1]
PAPER = load_params(ROOT / "params" / "paper.yaml")
SIZE = Size(weights=1e9, layers=2, hidden=10, rows=100)
GIB = 2**30


def test_memory_counts_weights_what_a_layer_keeps_and_logits():
    assert memory_gib(SIZE, 1_000, lora=False, checkpointing=False) * GIB == pytest.approx(
        16e9 + 1_000 * (34 * 2 * 10 + 8 * 100)
    )
    adapters = 32 * 26 * 10 * 2
    assert memory_gib(SIZE, 1_000, lora=True, checkpointing=True) * GIB == pytest.approx(
        2e9 + 16 * adapters + 1_000 * ((2 * 2 + 34) * 10 + 8 * 100)
    )


def test_hours_are_tokens_over_measured_rates_or_a_share_of_the_peak():
    assert gpu_hours(SIZE, 3_600, 7_200, {"train": 1, "speak": 2}) == pytest.approx(2)
    assert gpu_hours(SIZE, 3_600, 0, {}) == pytest.approx(6e9 / (0.3 * 400e12))


def test_the_paper_s_run_is_counted_as_it_is_written():
    sft, align, critique = works(PAPER)
    assert (sft.policies, sft.steps, sft.tokens) == (10, 38_000, 10 * 38_000 * 8_000)
    assert (align.policies, align.steps, align.tokens) == (10, 10_000, 10 * 10_000 * 8_000 * 3)
    whole, no_dpo = 5 * (2_000 + 1_000) * 8_000, 5 * 2_000 * 8_000
    # tdsc, t1-only, no-length, fixed-tmax and no-repetition have DPO; self-training, rejection and no-dpo have none
    assert critique.tokens == 5 * whole + 3 * no_dpo + 38_000 * 8_000
    assert critique.spoken == 5 * 10_000 * 125 * (7 * 12 + 12)


def test_the_plan_names_hours_steps_memory_gpu_hours_and_disk_and_what_is_assumed():
    said = "\n".join(plan(PAPER))
    for part in ("506.0 M weights, adapters trained", "300.0 h real, 1,500.0 h synthetic", "38,000 steps", "GiB a step of",
                 "assumed: 30% of 400 TFLOPS", "GiB of sound"):  # fmt: skip
        assert part in said
    assert "all weights trained" in plan(replace(PAPER, sft=replace(PAPER.sft, lora_rank=-1)))[0]
