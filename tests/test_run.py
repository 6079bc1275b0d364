import json

import nbformat
import pytest

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import active_params, load_params
from sebridge_lite.experiments import notebook as run
from sebridge_lite.experiments.notebook import STAGES, code_of, run_stage, stage_parameters, write_code_copies


def notebook(path, *cells: str, parameters: str = 'profile = "smoke"\nseed = 0'):
    nb = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}
    )
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    nb.cells = [nbformat.v4.new_markdown_cell("# Title"), first, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(nb, path)


def test_a_stage_leaves_its_executed_notebook_with_the_injected_parameters(project):
    notebook(project / "notebooks" / "00_start_here.ipynb", "print(profile, seed)")
    run_stage("start", active_params())
    executed = nbformat.read(project / "results" / "start" / "00_start_here.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "lite 0\n"


def test_a_failing_notebook_names_its_cell_and_keeps_the_traceback_and_the_last_good_copy(project):
    path = project / "notebooks" / "00_start_here.ipynb"
    notebook(path, "print('good')")
    run_stage("start", active_params())
    notebook(path, "1 / 0")
    with pytest.raises(UserError, match=r"00_start_here.ipynb: cell \d: ZeroDivisionError: division by zero"):
        run_stage("start", active_params())
    folder = project / "results" / "start"
    failed = json.loads((folder / "00_start_here.failed.ipynb").read_text())
    assert "Traceback" in "".join(failed["cells"][-1]["outputs"][0]["traceback"])
    assert "good" in (folder / "00_start_here.ipynb").read_text()
    kept = {"00_start_here.failed.ipynb", "00_start_here.ipynb", "account.json"}
    assert {path.name for path in folder.iterdir()} == kept


def test_a_kernel_that_dies_is_one_line(project):
    notebook(project / "notebooks" / "00_start_here.ipynb", "import os; os._exit(1)")
    with pytest.raises(UserError, match="its kernel died"):
        run_stage("start", active_params())


def test_an_unknown_parameter_is_an_error(project):
    notebook(project / "notebooks" / "00_start_here.ipynb", parameters='profile = "smoke"\nseed = 0\nextra = 1')
    with pytest.raises(UserError, match="extra is not in"):
        run_stage("start", active_params())


def test_a_notebook_is_given_those_values_alone_that_its_cell_names(project):
    params = load_params(project / "params.yaml")
    path = project / "notebooks" / "02_tokens.ipynb"
    notebook(path, "print(seed, each)", parameters="seed = 5\neach = 0")
    assert run.given_to(path, stage_parameters("tokens", params)) == {"seed": 0, "each": params.tokens.each}


def test_bad_params_stop_a_stage_before_it_starts(project):
    (project / "params.yaml").write_text((project / "params.yaml").read_text().replace("seed: 0", "seed: -1"))
    with pytest.raises(UserError, match=r"params.yaml: seed: -1 is not a whole number in"):
        run_stage("start", active_params())
    assert not (project / "results").exists()


@pytest.mark.parametrize("stage", STAGES)
def test_notebook_defaults_are_the_active_profile_and_the_numbers_of_lite(project, stage):
    given = stage_parameters(stage, load_params(project / "params" / "lite.yaml")) | {"profile": ""}
    nb = nbformat.read(project / "notebooks" / f"{STAGES[stage][0]}.ipynb", as_version=4)
    cells = [cell.source for cell in nb.cells if "parameters" in cell.metadata.get("tags", [])]
    defaults = {}
    exec(cells[0], defaults)
    del defaults["__builtins__"]
    assert len(cells) == 1
    assert defaults.items() <= given.items() and len(defaults) <= 12


def test_a_notebook_opened_by_hand_is_of_the_active_profile_with_its_edits(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("\nseed: 0", "\nseed: 7"))
    active = active_params()
    assert run.params_of("") == run.params_of("lite") == active and active.seed == 7
    assert run.params_of("smoke") == load_params(project / "params" / "smoke.yaml")
    assert [run.Stage("start", profile, 0).profile for profile in ("", "smoke")] == ["lite", "smoke"]


def test_code_copies_change_with_code_and_not_with_prose_or_outputs(tmp_path):
    path = tmp_path / "n.ipynb"
    notebook(path, "x = 1")
    before = code_of(path)
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source = "# Another title"
    nb.cells[-1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    nb.cells[-1].execution_count = 3
    nbformat.write(nb, path)
    assert code_of(path) == before
    nb.cells[-1].source = "x = 2"
    nbformat.write(nb, path)
    assert code_of(path) != before


def test_a_notebook_that_is_gone_takes_its_code_copy_along(project):
    count = len(list((project / "notebooks").glob("*.ipynb")))
    assert write_code_copies().startswith(f"code of {count} notebooks")
    (project / "notebooks" / "01_world.ipynb").unlink()
    assert write_code_copies().startswith(f"code of {count - 1} notebooks")
    assert not (project / "artifacts" / "code" / "01_world.py").exists()
