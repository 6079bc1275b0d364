"""The stage `own`: the parts of your own speech, in artifacts/own/. Where the stack is the studio's, the folder says so."""

import shutil

from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.stack.own import ABOUT
from sebridge_lite.stack.parts import FOLDERS, OWN


def run_own(params: Params) -> dict[str, float]:
    """Seconds that each part took to train."""
    place = paths.artifacts(OWN)
    if params.stack == "studio":
        with paths.replacing(place) as temporary:
            paths.leave_empty(temporary)
        return {}
    from sebridge_lite.studio.teach.own import train_own

    lang = params.roles.dgsa if params.roles.dgsa != "none" else params.roles.tdsc
    with paths.working(place) as work:
        costs = train_own(params, lang, work)
        with paths.replacing(place) as temporary:
            temporary.mkdir()
            for folder in sorted(set(FOLDERS.values())):
                shutil.copytree(work / folder, temporary / folder)
            shutil.copy(work / ABOUT, temporary / ABOUT)
    return {name: cost["seconds"] for name, cost in costs.items()}
