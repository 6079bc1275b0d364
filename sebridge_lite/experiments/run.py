"""Run a stage: its notebook under Papermill, with the values of `params.yaml` that its parameters cell names.

Papermill itself only warns about unknown parameters and leaves half a notebook in the place of a whole one; here both are
errors. The executed notebook lands in `results/STAGE/`, a failed one beside it as `NOTEBOOK.failed.ipynb`.
"""

import dataclasses
import logging
import os
import sys
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, active_params
from sebridge_lite.experiments.account import NAME, accounted

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
    "scorecard": ("14_scorecard", None, "the verdict"),
}


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


def run_stage(stage: str) -> str:
    """Where the results of a stage are, after its notebook has run."""
    if stage not in STAGES:
        raise UserError(f"no stage '{stage}'; stages: {', '.join(STAGES)}")
    name = STAGES[stage][0]
    notebook, folder = paths.root() / "notebooks" / f"{name}.ipynb", paths.results(stage)
    if not notebook.is_file():
        raise UserError(f"{notebook}: no such notebook; restore it with git")
    params = active_params()
    given = given_to(notebook, stage_parameters(stage, params))
    folder.mkdir(parents=True, exist_ok=True)
    with accounted(stage, folder / NAME, params) as account:
        execute(notebook, folder / notebook.name, given)
    return f"{stage}: done in {account['seconds']:.0f} s, {account['peak_gib']:.1f} GiB at most, see {folder}"


def load_papermill():
    """Without the grammar of international addresses, in which jsonschema would check none here: it takes a second to build."""
    sys.modules.setdefault("rfc3987_syntax", None)
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
        except PapermillExecutionError:
            temporary.replace(failed)
            raise UserError(f"{notebook.name}: {failed_cell(failed)} (traceback in {failed})") from None
        except DeadKernelError:
            temporary.replace(failed)
            why = f"its kernel died, often for want of memory (outputs in {failed})"
            raise UserError(f"{notebook.name}: {why}") from None
    failed.unlink(missing_ok=True)
