"""The latest verdicts, and the map of the notebooks."""

import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.paper.evidence import evidence, evidence_claims, provenance
from sebridge_lite.report.publishing import read_json

# notebook, what it shows; those that are not written yet have no file
JOURNEY = (
    ("00_start_here", "the map"),
    ("01_world", "people, engines,\nalpha"),
    ("02_tokens", "speech as\ntokens"),
    ("03_text_speech_lm", "the text-speech\nLM"),
    ("04_flow_decoder", "tokens to\nsound"),
    ("05_judges_and_metrics", "judges and\nmetrics"),
    ("06_scaling", "more synthetic\nspeech"),
    ("07_erosion", "Synthetic\nErosion"),
    ("08_dpo_from_scratch", "DPO from\nscratch"),
    ("09_dgsa", "DGSA: with\nreal speech"),
    ("10_tdsc", "TDSC: without\nreal speech"),
    ("11_systems_and_cloning", "systems and\ncloning"),
    ("12_listening_test", "listening\ntest"),
    ("14_scorecard", "the verdict"),
)


def journey_steps() -> list[tuple[str, str, str]]:
    """(number, what, "done" or "to come") for each notebook, by whether it is in `notebooks/`."""
    folder = paths.root() / "notebooks"
    there = {path.stem for path in folder.glob("*.ipynb")}
    return [(name[:2], what, "done" if name in there else "to come") for name, what in JOURNEY]


def judged() -> dict[str, tuple[list[dict], dict]]:
    """{whose: claims and tables} of this run, where it has verdicts, and of the evidence that the repository holds."""
    found = {}
    own = {name: read_json(paths.results("verdicts", f"{name}.json"), None) for name in ("claims", "summary")}
    if own["claims"] is not None and own["summary"] is not None:
        found["this run"] = (own["claims"], own["summary"]["tables"])
    if claims := evidence_claims():
        found[provenance(evidence())] = (claims, evidence()["tables"])
    return found


def scorecard() -> tuple[str, pd.DataFrame] | None:
    """Whose verdicts they are, and a row a claim: of this run, else of the runs that the repository holds; None before any."""
    found = judged()
    if not found:
        return None
    where, (claims, _) = next(iter(found.items()))
    return where, pd.DataFrame(claims)[["id", "claim", "paper", "ours", "verdict"]]
