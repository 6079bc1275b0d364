"""Code-only copies of the notebooks, for the pipeline to depend on.

A stage that depended on the notebook itself would rerun whenever outputs are saved or prose is edited.
"""

import json
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.paths import replacing


def code_of(notebook: Path) -> str:
    """The code cells of a notebook as one text, trailing blanks dropped."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, OSError) as error:
        raise UserError(f"{notebook}: not a readable notebook ({error}); restore it with git") from None
    sources = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    lines = "\n\n# %%\n".join(sources).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def write_code_copies() -> str:
    """Where the copies are: one .py for each notebook; the folder is replaced as a whole."""
    notebooks, out = paths.root() / "notebooks", paths.artifacts("code")
    found = sorted(notebooks.glob("*.ipynb"))
    if not found:
        raise UserError(f"{notebooks}: no notebooks; run inside a clone of the project")
    with replacing(out) as temporary:
        temporary.mkdir()
        for notebook in found:
            (temporary / f"{notebook.stem}.py").write_text(code_of(notebook), encoding="utf-8")
    return f"code of {len(found)} notebooks in {out}"
