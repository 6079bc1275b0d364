"""The stage `own`: the parts of your own speech, in artifacts/own/. Where the stack is the studio's, the folder says so, or holds
another backbone.

Of a released model artifacts/own/stack.json says which one; it is looked at here, so that a wrong file stops the run early.
"""

import dataclasses
import json
import shutil

from sebridge_lite.core import paths
from sebridge_lite.core.device import pick_device
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.bench import languages
from sebridge_lite.stack.own import ABOUT
from sebridge_lite.stack.parts import FOLDERS, OWN, load_part


def examined(params: Params) -> dict:
    """The released model of a run, after its text-speech LM was read and its judges were looked for."""
    from sebridge_lite.lm.released import load_released
    from sebridge_lite.stack.hub import hub_stack

    if params.hub is None:
        raise UserError(
            "params.yaml: stack is hub, but there is no section hub; params/paper.yaml has one to start from"
        )
    if params.hub.family == "neutts" and params.text.units != "phones":
        raise UserError("params.yaml: text.units: neutts reads phones; write phones")
    about = dataclasses.asdict(params.hub)
    stack = hub_stack(about, [], params.judge.score, params.judge.select, pick_device("cpu"))
    model = load_released(about)
    if stack.text.size > model.config.text_vocab or stack.codes != model.config.speech_vocab:
        raise UserError(
            f"hub: {stack.text.size:,} words and {stack.codes:,} speech tokens, but the LM has rows for "
            f"{model.config.text_vocab:,} and {model.config.speech_vocab:,}; tokenizer, codec and LM are not of one model"
        )
    return about


def run_own(params: Params) -> dict[str, float]:
    """Seconds that each part took to train."""
    place = paths.artifacts(OWN)
    if params.stack == "studio" and params.backbone:
        from sebridge_lite.studio.teach.train_parts import train_other_backbone

        with paths.working(place) as work, paths.replacing(place) as temporary:
            costs = train_other_backbone(params.pretrain, params.backbone, load_part("tokenizer"), work)
            shutil.copytree(work / FOLDERS["backbone"], temporary / FOLDERS["backbone"])
        return {name: cost["seconds"] for name, cost in costs.items()}
    if params.stack == "studio":
        with paths.replacing(place) as temporary:
            paths.leave_empty(temporary)
        return {}
    if params.stack == "hub":
        about = {"lang": " ".join(languages(params)), "alphabet": "", "hub": examined(params)}
        with paths.replacing(place) as temporary:
            temporary.mkdir()
            (temporary / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return {}
    from sebridge_lite.studio.teach.own import train_own

    with paths.working(place) as work:
        costs = train_own(params, languages(params)[0], work)
        with paths.replacing(place) as temporary:
            temporary.mkdir()
            for folder in sorted(set(FOLDERS.values())):
                shutil.copytree(work / folder, temporary / folder)
            shutil.copy(work / ABOUT, temporary / ABOUT)
    return {name: cost["seconds"] for name, cost in costs.items()}
