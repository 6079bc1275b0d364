"""Run a stage: its notebook under Papermill, with its section of `params.yaml` injected.

Papermill itself only warns about unknown parameters and leaves half a notebook in the place of a whole one; here both are
errors. The executed notebook lands in `results/STAGE/`, a failed one beside it as `NOTEBOOK.failed.ipynb`. What the run took, and
whose it was, goes into seconds.json at the end.
"""

import dataclasses
import logging
import os
import sys
import time
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, active_params
from sebridge_lite.experiments.accounts import write_account
from sebridge_lite.experiments.origin import here

# stage: (notebook, section of params.yaml or None)
STAGES = {
    "start": ("00_start_here", None),
    "corpus": ("01_world", "corpus"),
    "tokens": ("02_tokens", "tokens"),
    "speech_lm": ("03_text_speech_lm", "speech_lm"),
    "decoder": ("04_flow_decoder", "decoder"),
    "judges": ("05_judges_and_metrics", "judges"),
    "scaling": ("06_scaling", "scaling"),
    "erosion": ("07_erosion", "erosion"),
    "dpo": ("08_dpo_from_scratch", None),
    "dgsa": ("09_dgsa", "align"),
    "tdsc": ("10_tdsc", "tdsc"),
    "systems": ("11_systems_and_cloning", "systems"),
    "listening": ("12_listening_test", "listening"),
    "scorecard": ("14_scorecard", None),
}


def stage_parameters(stage: str, params: Params) -> dict:
    """What a stage's notebook is given: the profile, the seed, and its section."""
    section = STAGES[stage][1]
    values = {"profile": params.profile, "seed": params.seed}
    if section:
        values |= dataclasses.asdict(getattr(params, section))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def check_parameters(notebook: Path, given: dict) -> None:
    """The `parameters` cell must hold exactly the given names."""
    papermill = load_papermill()
    known = papermill.inspect_notebook(str(notebook))
    unknown, missing = sorted(set(given) - set(known)), sorted(set(known) - set(given))
    if unknown:
        raise UserError(f"{notebook.name}: its parameters cell does not know {', '.join(unknown)}; add it there")
    if missing:
        raise UserError(f"{notebook.name}: its parameter {', '.join(missing)} is not in params.yaml; add or drop it")


def failed_cell(notebook: Path) -> str:
    """Where an executed notebook stopped, in one line."""
    import nbformat

    for index, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return (
                    f"cell {index}: {output['ename']}: {output['evalue'].splitlines()[0] if output['evalue'] else ''}"
                )
    return "before its first cell"


def run_stage(stage: str) -> float:
    """Executes the notebook of a stage; returns the seconds it took."""
    if stage not in STAGES:
        raise UserError(f"no stage '{stage}'; stages: {', '.join(STAGES)}")
    name = STAGES[stage][0]
    notebook = paths.root() / "notebooks" / f"{name}.ipynb"
    if not notebook.is_file():
        raise UserError(f"{notebook}: no such notebook; restore it with git")
    params = active_params()
    given = stage_parameters(stage, params)
    check_parameters(notebook, given)
    folder = paths.results(stage)
    folder.mkdir(parents=True, exist_ok=True)
    origin, start = here(params), time.perf_counter()
    execute(notebook, folder / notebook.name, given)
    seconds = time.perf_counter() - start
    write_account(folder, seconds, children=True, origin=origin)
    return seconds


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
    failed = out.with_suffix(".failed.ipynb")
    with paths.replacing(out) as temporary:
        try:
            papermill.execute_notebook(
                str(notebook),
                str(temporary),
                given,
                kernel_name="python3",
                progress_bar=sys.stderr.isatty(),
                cwd=str(Path.cwd()),
                extra_arguments=["--IPKernelApp.log_level=40"],
            )
        except PapermillExecutionError:
            temporary.replace(failed)
            raise UserError(f"{notebook.name}: {failed_cell(failed)} (traceback in {failed})") from None
        except DeadKernelError:
            temporary.replace(failed)
            raise UserError(
                f"{notebook.name}: its kernel died, often for want of memory (outputs in {failed})"
            ) from None
    failed.unlink(missing_ok=True)
