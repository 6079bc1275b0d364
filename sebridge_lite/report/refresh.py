"""Execute the committed notebooks again, in place, with the smoke numbers that their own parameters cells hold.

Outputs go to a temporary folder. Widgets are dropped from the saved copy, since they are dead there.
"""

import os
import tempfile
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.progress import progress

WIDGET = "application/vnd.jupyter.widget-view+json"


def refresh(notebook: Path) -> None:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    nb = nbformat.read(notebook, as_version=4)
    folder = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(nb, kernel_name="python3", resources=folder, timeout=600, record_timing=False)
    try:
        client.execute()
    except CellExecutionError as error:
        raise UserError(f"{notebook.name}: {error.ename}: {error.evalue}; nothing was saved") from None
    nb.metadata.pop("widgets", None)
    nb.metadata["language_info"] = {"name": "python"}  # the rest of it changes with each Python
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    with paths.replacing(notebook) as temporary:
        nbformat.write(nb, temporary)


def refresh_all(notebooks: list[Path]) -> int:
    with tempfile.TemporaryDirectory() as outputs:
        os.environ["SEBRIDGE_OUTPUTS"] = outputs
        os.environ |= {"OMP_NUM_THREADS": "1", "SEBRIDGE_HEADLESS": "1"}
        for notebook in progress(notebooks, "notebooks"):
            refresh(notebook)
    return len(notebooks)
