"""Which stack a study has, and which judges: the one place where that is decided."""

from collections.abc import Sequence
from dataclasses import replace

from sebridge_lite.core.device import pick_device
from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.judges import named_judge
from sebridge_lite.stack.own import own_about, own_stack
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.studio import studio_stack


def load_stack(languages: Sequence[str], score: str = "own", device: str = "auto") -> Stack:
    """The stack of the parts that are there; `languages` are those that its judges will hear, `score` the judge that scores."""
    parts, about = Parts(pick_device(device)), own_about()
    if about is None:
        stack = studio_stack(parts, languages)
    elif missing := [lang for lang in languages if lang != about["lang"]]:
        raise UserError(f"language '{missing[0]}': the parts of your own speech speak {about['lang']}")
    else:
        stack = own_stack(parts, languages, about["alphabet"])
    return stack if score == "own" else replace(stack, score_judge=named_judge(score, stack.languages, parts.device))
