"""Where numbers come from: which stages of this run have finished, and of each its profile, commit, date, machine, seed, seconds.

A stage's seconds.json is the last that `sebridge run` writes: without one it is still at work or has failed, and is not counted.
Left out: a check that the code of that commit is still the same.
"""

import datetime
import json
import os
import platform
import shutil

from sebridge_lite.core.memory import memory_gib
from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.accounts import NAME, memory_of_stages, seconds_of_stages
from sebridge_lite.experiments.notebook import commit, read_metrics
from sebridge_lite.report.tables import PART_OF, TABLES

AFTERWARDS = ("start", "scorecard", "report", "site")  # read the verdicts, so they are not among what these come from
FIELDS = ("profile", "commit", "date", "machine", "seed")


def machine() -> str:
    """In words, without names."""
    gpu = ""
    if shutil.which("nvidia-smi"):  # torch takes seconds to import, for nothing where there is no such card
        import torch

        gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {memory_gib():.0f} GiB{gpu}"


def here(params: Params) -> dict:
    """The origin of what is made now."""
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    now = (params.profile, commit(), date, machine(), params.seed)
    return dict(zip(FIELDS, now, strict=True))


def sources_of_run(now: dict) -> dict[str, dict]:
    """{stage: its origin, seconds and peak_gib} of this run; what a stage itself did not write down is taken from `now`."""
    found, peaks = {}, memory_of_stages()
    for name, seconds in seconds_of_stages().items():
        if name in AFTERWARDS:
            continue
        report = (read_metrics(name) or {}) | _account(name)
        found[name] = now | {field: report[field] for field in FIELDS if field in report} | {"seconds": seconds}
        if name in peaks:
            found[name]["peak_gib"] = peaks[name]
    for part, stage in PART_OF.items():
        if part in found and stage in found:
            found[part] |= {field: found[stage][field] for field in FIELDS}
    return found


def _account(stage: str) -> dict:
    path = paths.results(stage, NAME)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def in_words(source: dict) -> str:
    """Without its seconds."""
    return f"profile {source['profile']}, {source['date']}, commit {source['commit']}, {source['machine']}"


def sources_of(summary: dict) -> dict[str, dict]:
    """{stage: its origin} of a summary; of one without `sources`, all of its stages are of one run."""
    if "sources" in summary:
        return summary["sources"]
    tables = summary.get("tables", {})
    stages = {stage for name, (stage, _) in TABLES.items() if tables.get(name)} | set(summary.get("seconds", {}))
    one = {field: summary.get(field) for field in FIELDS}
    return {stage: one | {"seconds": summary.get("seconds", {}).get(stage)} for stage in sorted(stages)}
