import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PERCENT, PLAIN = 100, 1


def test_the_table_of_parts_says_what_was_measured():
    metrics = json.loads((ROOT / "results" / "pretrain" / "metrics.json").read_text(encoding="utf-8"))
    rows = {
        "word error of the scoring judge": (PERCENT, "score_judge_wer_people", "score_judge_wer_engines"),
        "word error of the selecting judge": (PERCENT, "select_judge_wer_people", "select_judge_wer_engines"),
        "words lost by tokens and back": (PERCENT, "resynthesis_wer_loss"),
        "F0 correlation after tokens": (PLAIN, "resynthesis_f0_corr"),
        "F0 correlation after a change": (PLAIN, "swap_f0_corr"),
        "similarity after a change": (PLAIN, "swap_sim_new", "swap_sim_old"),
        "speaker from tokens": (PLAIN, "speaker_probe_over_chance"),
        "equal error rate": (PERCENT, "speaker_eer"),
    }
    for label, (scale, *keys) in rows.items():
        (line,) = re.findall(rf"^\| {label}[^|]*\|([^|]*)\|$", README, flags=re.M)
        printed = [(float(text), len(text.partition(".")[2])) for text in re.findall(r"\d+\.\d+", line)]
        assert printed == [
            (round(scale * metrics[key], digits), digits) for key, (_, digits) in zip(keys, printed, strict=True)
        ]
    assert f"({metrics['pretrained_bytes'] / 1e6:.1f} MB" in README


def test_every_link_and_command_of_the_readme_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets


def test_no_placeholder_is_left():
    assert not re.findall(r"@[A-Z0-9]+@", README)


def test_the_tables_of_results_are_those_of_the_committed_run():
    summary = json.loads((ROOT / "results" / "summary.json").read_text(encoding="utf-8"))
    claims = json.loads((ROOT / "results" / "claims.json").read_text(encoding="utf-8"))
    by_alpha = {row["alpha"]: row for row in summary["tables"]["table1"]}
    rows = re.findall(r"^\| (\d\.\d\d) \|(.*)\|$", README, flags=re.M)
    assert len(rows) >= 5
    for alpha, cells in rows:
        for name, cell in zip(("wer", "hp", "f0_std", "sim"), cells.split("|"), strict=True):
            printed = re.findall(r"\d+\.(\d+)", cell)
            ours = [by_alpha[float(alpha)][name + end] for end in ("", "_low", "_high")]
            assert re.findall(r"\d+\.\d+", cell) == [f"{v:.{len(p)}f}" for v, p in zip(ours, printed, strict=True)]
    for row in claims:
        assert f"| {row['id']} | {row['claim']} | {row['verdict']} |" in README


SYSTEMS = {"SFT": "sft", "best of 8 by the selecting judge": "rejection", "DPO, expressivity pairs alone": "dpo", "DGSA": "dgsa",
           "DGSA with an SFT term (ours)": "dgsa-sft", "SFT continued on `y_real` (ours)": "sft-real"}  # fmt: skip


def test_the_table_of_aligned_systems_is_that_of_the_committed_run():
    tables = json.loads((ROOT / "results" / "summary.json").read_text(encoding="utf-8"))["tables"]
    ours = {row["variant"]: row for row in tables["table3"] + tables["table7"]}
    for label, variant in SYSTEMS.items():
        (cells,) = re.findall(rf"^\| {re.escape(label)} \|(.*)\|$", README, flags=re.M)
        for name, cell in zip(("wer", "hp", "f0_std"), cells.split("|"), strict=True):
            digits = 3 if name == "wer" else 2
            assert re.findall(r"\d+\.\d+", cell) == [
                f"{ours[variant][name + end]:.{digits}f}" for end in ("", "_low", "_high")
            ]
