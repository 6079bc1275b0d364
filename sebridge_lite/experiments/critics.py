"""The systems that are compared on a language without real speech: how each differs from TDSC.

sft            Table 4: the start, SFT on synthetic speech alone
self-training  Table 4: it learns what it says at T = 1, as much as TDSC learns, whatever the judge thinks
rejection      Table 4: all candidates at T = 1, the judge's choice of them, SFT. The paper does not say what it is
best-of-12     ours: the start, and the best of twelve candidates by the selecting judge when it is used
tdsc           Sec. 4
no-dpo, t1-only, no-length, fixed-tmax, no-repetition    Table 8; no-dpo is the strongest rival by choice alone
literal        ours: the paper's settings where ours differ: accepted below 0.4, all of them learnt, no replay,
               any loser, beta 0.1, Table 12's Tmax,
               the reference from before the SFT
oracle         ours: the judge that scores also selects. This is cheating, and shows what a perfect judge could bring
grpo-wer       ours: GRPO on the same candidates at T = 1, word error its only reward, as many steps
"""

import math
from dataclasses import replace

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import TdscParams

NO_LENGTH = {"shortest": 0.0, "longest": math.inf}
START, BEST, ORACLE, GRPO = "sft", "best-of-12", "oracle", "grpo-wer"
LOOPED = ("tdsc", "self-training", "rejection", "no-dpo")  # whose iterations Fig. 6 shows
DRAWN = (START, *LOOPED)  # whose line over temperatures the frontier shows


def settings_of(name: str, p: TdscParams) -> TdscParams:
    """The settings of a variant: TDSC's, with its changes."""
    changes = {
        START: {"iterations": 0},
        "self-training": {
            "candidates": p.best, "schedule": "one", "dpo_steps": 0, "max_wer": math.inf, "max_rep": math.inf, **NO_LENGTH
        },
        "rejection": {"schedule": "one", "dpo_steps": 0},
        BEST: {"iterations": 0},
        "tdsc": {},
        "no-dpo": {"dpo_steps": 0},
        "t1-only": {"schedule": "one"},
        "no-length": NO_LENGTH,
        "fixed-tmax": {"schedule": "fixed"},
        "no-repetition": {"max_rep": math.inf},
        "literal": {
            "max_wer": 0.4, "beta": 0.1, "replay": False, "best": p.candidates, "matched": False,
            "schedule": "table12", "reference": "start",
        },
        ORACLE: {},
        GRPO: {"schedule": "one"},
    }  # fmt: skip
    if name not in changes:
        raise UserError(f"variant '{name}': not one of {', '.join(changes)}")
    return replace(p, **changes[name])
