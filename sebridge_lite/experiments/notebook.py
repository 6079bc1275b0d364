"""Stages whose command is a notebook: how they are run, and what every notebook does the same way.

A notebook runs under Papermill with the values of `params.yaml` that its parameters cell names. Papermill itself only warns
about unknown parameters and leaves half a notebook in the place of a whole one; here both are errors. The executed notebook, its
figures, tables and metrics land in `results/STAGE/`, a failed one beside it as `NOTEBOOK.failed.ipynb`. The stage `code` copies
the code of all: a stage that depended on a notebook itself would rerun whenever outputs are saved or prose is edited.
"""

import dataclasses
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.files import read_json
from sebridge_lite.core.params import Params, active_params, load_params
from sebridge_lite.experiments.account import NAME, accounted, commit, today

# stage: (notebook, section of params.yaml or None, what it shows)
STAGES = {
    "start": ("00_start_here", None, "the map"),
    "corpus": ("01_world", None, "people, engines,\nalpha"),
    "tokens": ("02_tokens", "tokens", "speech as\ntokens"),
    "speech_lm": ("03_text_speech_lm", "speech_lm", "the text-speech\nLM"),
    "decoder": ("04_flow_decoder", "decoder", "tokens to\nsound"),
    "judges": ("05_judges_and_metrics", "judges", "judges and\nmetrics"),
    "scaling": ("06_scaling", "scaling", "more synthetic\nspeech"),
    "erosion": ("07_erosion", "erosion", "Synthetic\nErosion"),
    "dpo": ("08_dpo_from_scratch", None, "DPO from\nscratch"),
    "dgsa": ("09_dgsa", "align", "DGSA: with\nreal speech"),
    "tdsc": ("10_tdsc", "tdsc", "TDSC: without\nreal speech"),
    "systems": ("11_systems_and_cloning", "systems", "systems and\ncloning"),
    "listening": ("12_listening_test", "listening", "listening\ntest"),
    "your_data": ("13_your_data", None, "your own\nspeech"),
    "scorecard": ("14_scorecard", None, "the verdict"),
}


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
    """Where a notebook writes: `stage = Stage("corpus", profile, seed)`. profile: as in `params_of`"""

    def __init__(self, name: str, profile: str, seed: int):
        self.name, self.profile, self.seed = name, profile or active_params().profile, seed
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
        """Writes metrics.json: the given numbers with profile, seed and date; a measure that nobody could take is not there."""
        values = {name: value for name, value in values.items() if value == value}
        report = {"profile": self.profile, "seed": self.seed, "date": today(), **values}
        with paths.replacing(self.folder / "metrics.json") as temporary:
            temporary.write_text(json.dumps(report, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def params_of(profile: str) -> Params:
    """All parameters of a profile: the active ones, with your edits, when they are of this profile or it is ""."""
    active = active_params()
    return active if profile in ("", active.profile) else load_params(paths.root() / "params" / f"{profile}.yaml")


def read_metrics(stage: str) -> dict | None:
    """A stage's metrics of the last run, or None before it ran."""
    path = paths.results(stage, "metrics.json")
    return read_json(path, f"`dvc repro {stage}` makes it again") if path.exists() else None


def stage_parameters(stage: str, params: Params) -> dict:
    """What a stage's notebook may name: the profile, the seed, and the keys of its section."""
    section = STAGES[stage][1]
    values = {"profile": params.profile, "seed": params.seed}
    if section:
        values |= dataclasses.asdict(getattr(params, section))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def given_to(notebook: Path, known: dict) -> dict:
    """The values of those parameters that the `parameters` cell of a notebook names."""
    named = load_papermill().inspect_notebook(str(notebook))
    if unknown := sorted(set(named) - set(known)):
        raise UserError(f"{notebook.name}: its parameter {', '.join(unknown)} is not in params.yaml; add or drop it")
    return {name: known[name] for name in named}


def failed_cell(notebook: Path) -> str:
    """Where an executed notebook stopped, in one line."""
    import nbformat

    for index, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                why = output["evalue"].splitlines() or [""]
                return f"cell {index}: {output['ename']}: {why[0]}"
    return "before its first cell"


def run_stage(stage: str, params: Params) -> str:
    """Where the results of a stage are, after its notebook has run."""
    if stage not in STAGES:
        raise UserError(f"no stage {show(stage)}; stages: {', '.join(STAGES)}")
    name = STAGES[stage][0]
    notebook, folder = paths.root() / "notebooks" / f"{name}.ipynb", paths.results(stage)
    if not notebook.is_file():
        raise UserError(f"{notebook}: no such notebook; restore it with git")
    given = given_to(notebook, stage_parameters(stage, params))
    folder.mkdir(parents=True, exist_ok=True)
    with accounted(stage, folder / NAME, params) as account:
        execute(notebook, folder / notebook.name, given)
    return f"{stage}: done in {account['seconds']:.0f} s, {account['peak_gib']:.1f} GiB at most, see {folder}"


def load_papermill():
    """Without the grammar of international addresses, in which jsonschema would check none here: it takes a second to build."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # so that its import fails at once
    import papermill

    return papermill


def execute(notebook: Path, out: Path, given: dict) -> None:
    papermill = load_papermill()
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ["SEBRIDGE_HEADLESS"] = "1"  # the kernel inherits it
    failed, quiet = out.with_suffix(".failed.ipynb"), ["--IPKernelApp.log_level=40"]
    how = {"kernel_name": "python3", "progress_bar": sys.stderr.isatty(), "extra_arguments": quiet}
    with paths.replacing(out) as temporary:
        try:
            papermill.execute_notebook(str(notebook), str(temporary), given, **how, cwd=str(Path.cwd()))
        except (PapermillExecutionError, DeadKernelError) as error:
            temporary.replace(failed)
            dead = isinstance(error, DeadKernelError)
            why = "its kernel died, often for want of memory (outputs" if dead else f"{failed_cell(failed)} (traceback"
            raise UserError(f"{notebook.name}: {why} in {failed})") from None
    failed.unlink(missing_ok=True)


def code_of(notebook: Path) -> str:
    """The code cells of a notebook as one text, trailing blanks dropped."""
    try:
        cells = read_json(notebook, "restore it with git", {"cells": [{"cell_type": str}]})["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (TypeError, KeyError) as error:
        raise UserError(f"{notebook}: not a readable notebook ({error}); restore it with git") from None
    lines = "\n\n# %%\n".join(sources).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def write_code_copies() -> str:
    """Where the copies are: one .py for each notebook; the folder is replaced as a whole."""
    notebooks, out = paths.root() / "notebooks", paths.artifacts("code")
    found = sorted(notebooks.glob("*.ipynb"))
    if not found:
        raise UserError(f"{notebooks}: no notebooks; run inside a clone of the project")
    with paths.replacing(out) as temporary:
        temporary.mkdir()
        for notebook in found:
            (temporary / f"{notebook.stem}.py").write_text(code_of(notebook), encoding="utf-8")
    return f"code of {len(found)} notebooks in {out}"
