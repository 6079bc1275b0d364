"""`pytest notebooks --nbval-lax`: each notebook runs on the smoke profile, of which `make test` has made a run."""

import ast
from pathlib import Path

from sebridge_lite.core.params import load_params
from sebridge_lite.experiments.notebook import STAGES, stage_parameters

SMOKE = load_params(Path(__file__).parents[1] / "params" / "smoke.yaml")
STAGE_OF = {notebook: stage for stage, (notebook, *_) in STAGES.items()}


def pytest_collection_modifyitems(items):
    """As Papermill does: behind what the parameters cell says stands what it is told."""
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and "parameters" in cell.metadata.get("tags", ()):
            told = stage_parameters(STAGE_OF[item.path.stem], SMOKE)
            named = {line.targets[0].id for line in ast.parse(cell.source).body}
            cell.source += "".join(f"\n{name} = {told[name]!r}" for name in sorted(named))
