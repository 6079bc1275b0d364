"""Which stack a study has, and which judges: the one place where that is decided."""

from collections.abc import Sequence
from dataclasses import replace

from sebridge_lite.core.device import pick_device
from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.hub import hub_stack
from sebridge_lite.stack.judges import named_judge
from sebridge_lite.stack.likeness import ENCODERS, Behind, Beside
from sebridge_lite.stack.own import own_about, own_stack
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.studio import studio_stack


def load_stack(
    languages: Sequence[str], score: str = "own", device: str = "auto", select: str = "own", speaker: str = "own"
) -> Stack:
    """The stack of these languages: a released model's, your own, or else the studio's.

    `score` and `select` name the judges; only to a released model's stack one that hears sound may select. `speaker` names
    who tells voices apart.
    """
    about = next(filter(None, map(own_about, languages)), None)
    parts = Parts(pick_device(device), own=about is not None)
    if about and len(set(languages)) > 1:
        raise UserError(f"languages {', '.join(languages)}: the parts of your own speech speak {about['lang']} alone")
    if about and "hub" in about:
        if speaker != "own":
            raise UserError(f"judge.speaker '{speaker}': a released model's stack has hub.speaker for that; write own")
        return hub_stack(about["hub"], languages, score, select, parts.device)
    if select != "own":
        raise UserError(f"judge.select '{select}': this stack's own judge selects; write own")
    stack = own_stack(parts, languages, about["alphabet"]) if about else studio_stack(parts, languages)
    if speaker != "own":
        judge = ENCODERS[speaker](stack.sample_rate, parts.device)
        stack = replace(stack, speaker=Beside(judge, stack.speaker), decoder=Behind(stack.decoder, judge.width))
    return stack if score == "own" else replace(stack, score_judge=named_judge(score, stack.languages, parts.device))
