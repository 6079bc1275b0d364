"""What every notebook does the same way: settings, clips, figures, tables and metrics.

Everything lands in `results/STAGE/`, written to a temporary name first.
"""

import json
import os
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, active_params, load_params
from sebridge_lite.experiments.account import commit, today


def clip(samples: np.ndarray, rate: int = 16_000, seconds: float = 2.0):
    """A player for the first seconds of int16 or float samples, embedded in the notebook, which stays small."""
    from IPython.display import Audio

    if not len(samples):
        raise UserError("nothing to play: the clip holds no samples")
    samples = np.asarray(samples[: int(seconds * rate)])
    signal = samples / 32768 if samples.dtype == np.int16 else np.clip(samples, -1, 1)
    return Audio(signal, rate=rate, normalize=False)


def interactive(show: Callable, controls: Mapping):
    """The controls, over what `show(**values)` prints and draws, anew whenever one moves.

    Without a reader (SEBRIDGE_HEADLESS) `show` runs once and its outputs are dropped: a client without a page sometimes waits
    for ever on such a widget (nbclient issue 312), and its copy would be dead anyway.
    """
    import ipywidgets as widgets
    from IPython.utils.io import capture_output

    if os.environ.get("SEBRIDGE_HEADLESS"):
        with capture_output():
            show(**{name: control.value for name, control in controls.items()})
        return None
    return widgets.VBox([*controls.values(), widgets.interactive_output(show, dict(controls))])


class Stage:
    """Where a notebook writes: `stage = Stage("corpus", profile, seed)`."""

    def __init__(self, name: str, profile: str, seed: int):
        self.name, self.profile, self.seed = name, profile, seed
        self.folder = paths.results(name)

    def figure(self, name: str, figure) -> None:
        """Saves a figure as PNG with its provenance beneath."""
        bottom = 0.18 / figure.get_figheight()  # inches of room for the line
        figure.get_layout_engine().set(rect=(0, bottom, 1, 1 - bottom))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # all has its place
        for legend in figure.legends:  # one outside of all panels would stand on the line
            legend.set_bbox_to_anchor((0, bottom, 1, 1 - bottom))
        made = f"stage {self.name} · profile {self.profile} · seed {self.seed} · commit {commit()}"
        figure.text(0.995, 0.002, made, ha="right", va="bottom", fontsize=8, color="0.45")
        with paths.replacing(self.folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=80, format="png", metadata={"Software": None})

    def table(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """Saves a table as CSV and gives it back for showing."""
        with paths.replacing(self.folder / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False)
        return table

    def metrics(self, values: Mapping) -> None:
        """Writes metrics.json: the given numbers with profile, seed and date."""
        report = {"profile": self.profile, "seed": self.seed, "date": today(), **values}
        with paths.replacing(self.folder / "metrics.json") as temporary:
            temporary.write_text(json.dumps(report, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def params_of(profile: str) -> Params:
    """All parameters of a profile: the active ones, with your edits, when they are of this profile."""
    active = active_params()
    return active if active.profile == profile else load_params(paths.root() / "params" / f"{profile}.yaml")


def read_metrics(stage: str) -> dict | None:
    """A stage's metrics of the last run, or None before it ran."""
    path = paths.results(stage, "metrics.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
