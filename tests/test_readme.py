import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PERCENT, PLAIN = 100, 1


def test_the_table_of_parts_says_what_was_measured():
    metrics = json.loads((ROOT / "results" / "parts" / "metrics.json").read_text(encoding="utf-8"))
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
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    assert set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)", README)) <= targets
