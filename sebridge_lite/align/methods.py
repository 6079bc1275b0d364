"""Every method that is compared, once: what it is called, how it differs, what trains it, and where the paper has it.

The command line, errors about names, the ledger and the README read this table. A new method is a file of this room, with a
`train` (study align) or a `learn` (study critique), and a row here; docs/extend.md does it step by step.

The paper disagrees with itself on alpha* (Sec. 3): it says that DGSA "reduces to SFT" up to it, but Eq. 14 gives lambda_s = 1
there, so the stability pairs are still trained. We do what the equations say; `lambda_s` is never 0 below alpha = 1.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import Any

from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.params import AlignParams, Params, TdscParams

STUDIES = ("align", "critique")  # DGSA (Sec. 3) and its rivals, with real speech; TDSC (Sec. 4) and its, without


def lambda_e(alpha: float, alpha_star: float = 0.5) -> float:
    """Eq. 13 (Sec. 3): max(0, (alpha - alpha*) / (1 - alpha*)), the weight of the expressivity pairs."""
    if not 0 <= alpha <= 1:
        raise UserError(f"alpha: {alpha} is not in [0, 1]; it is the share of synthetic speech")
    if not 0 <= alpha_star < 1:
        raise UserError(f"alpha_star: {alpha_star} is not in [0, 1); the paper takes 0.5")
    return max(0.0, (alpha - alpha_star) / (1 - alpha_star))


def lambda_s(alpha: float, alpha_star: float = 0.5) -> float:
    """Eq. 14 (Sec. 3): 1 - lambda_e, the weight of the stability pairs."""
    return 1 - lambda_e(alpha, alpha_star)


@dataclass(frozen=True)
class Method:
    """One row. `printed`: what the paper's tables call it, by table; a method of ours is in none of them."""

    name: str
    label: str  # as readers see it
    what: str  # in one line
    printed: Mapping[str, str] = field(default_factory=dict)
    study: str = "align"  # one of STUDIES
    trains: str = "pairs"  # pairs, real (SFT on recordings), candidates (its own, judged), nothing (it is only decoded)
    by: str = ""  # the file of this room that trains it
    decoded: str = "plain"  # plain; styled: under a style prefix; best: of several samples, by the judge that selects
    arm: str = ""  # align: the SFT policy that it starts from, if not that of the parameters
    weights: Callable = lambda s, e: (s, e)  # align: lambda_s and lambda_e of the two sets, from Eq. 13-14
    pairs: str = "own"  # align: own (the style of y_expr is the speaker's), random-speaker, codec
    conditioning: str = "off"  # align: off, split; see `align.dgsa`
    sft_term: bool = False  # align: with the cross entropy of the winner
    normalised: bool = False  # align: log-probabilities a token
    lora: bool = False  # align: adapters in place of all weights
    changes: Mapping = field(default_factory=dict)  # critique: settings other than TDSC's; a function takes TDSC's
    judge: str = "select"  # critique: which judge decides on candidates; only a control lets the one that scores

    @property
    def title(self) -> str:
        """The label, which says so where the paper has no such row."""
        return f"{self.label} (ours)" if not self.printed else self.label


_dgsa = partial(Method, by="dgsa")
_tdsc = partial(Method, study="critique", trains="candidates", by="tdsc")
NOTHING: dict[str, Any] = {"trains": "nothing", "by": ""}
NO_LENGTH = {"shortest": 0.0, "longest": math.inf}

ROWS = (
    _dgsa("sft", "SFT", "the SFT policy itself", {"Table 3": "SFT Baseline"}, **NOTHING),
    _dgsa("style-prefix", "SFT under a style prefix", "the SFT policy, under a style prefix of the speaker",
          decoded="styled", **NOTHING),
    _dgsa("rejection", "best of N by the selecting judge", "the SFT policy, the best of several samples",
          {"Table 3": "Rejection Sampling"}, decoded="best", **NOTHING),
    _dgsa("dpo", "DPO, expressivity pairs alone", "standard DPO on the expressivity pairs alone",
          {"Table 3": "Standard DPO"}, weights=lambda s, e: (0.0, 1.0)),
    _dgsa("dgsa", "DGSA", "both sets of pairs, weighted by Eq. 13-14", {"Table 3": "DGSA", "Table 7": "Full DGSA"}),
    _dgsa("no-expr", "DGSA without the expressivity objective", "the stability pairs alone, weight lambda_s",
          {"Table 7": "w/o Expressivity Obj."}, weights=lambda s, e: (s, 0.0)),
    # As `dpo` but for the factor lambda_e, which AdamW takes out again: the 1.3 points of word error between these two rows of
    # the paper are what two runs of one thing differ by.
    _dgsa("no-stab", "DGSA without the stability objective", "the expressivity pairs alone, weight lambda_e",
          {"Table 7": "w/o Stability Obj."}, weights=lambda s, e: (0.0, e)),
    _dgsa("random-speaker", "DGSA, styles of other speakers", "the style of y_expr is another speaker's",
          {"Table 7": "w/o Identity Pairs"}, pairs="random-speaker"),
    _dgsa("fixed", "DGSA with fixed weights", "both sets, a half each",
          {"Table 7": "w/o Dynamic Scaling"}, weights=lambda s, e: (0.5, 0.5)),
    _dgsa("swapped", "DGSA with its weights exchanged", "lambda_e for the stability pairs, lambda_s for the others",
          weights=lambda s, e: (e, s)),
    _dgsa("dgsa-split", "DGSA, stability pairs under the style prefix",
          "the stability pairs are scored under the style that y_expr was drawn under", conditioning="split"),
    _dgsa("dgsa-sft", "DGSA with an SFT term", "beside the pairs the cross entropy of the winner", sft_term=True),
    _dgsa("dgsa-length", "DGSA by the token", "log-probabilities a token in place of a sequence", normalised=True),
    _dgsa("codec", "DGSA, losers through the codec", "losers are decoded and tokenised again", pairs="codec"),
    _dgsa("lora", "DGSA by adapters", "low-rank adapters in place of all weights", lora=True),
    _dgsa("sft-real", "SFT continued on `y_real`", "SFT continued on the recordings that win both sets",
          trains="real", by="baselines"),
    _tdsc("sft", "SFT on engines alone, the start", "SFT on synthetic speech alone, where all others start",
          {"Table 4": "SFT Baseline"}, trains="nothing", by="", changes={"iterations": 0}),
    _tdsc("self-training", "self-training", "it learns what it says at T = 1, as much as TDSC, whatever the judge thinks",
          {"Table 4": "Self-Training"},
          changes={"candidates": attrgetter("best"), "schedule": "one", "dpo_steps": 0, "max_wer": math.inf,
                   "max_rep": math.inf, **NO_LENGTH}),
    # The paper does not say what its rejection sampling is.
    _tdsc("rejection", "rejection sampling", "all candidates at T = 1, the judge's choice of them, learnt",
          {"Table 4": "Rejection Sampling"}, changes={"schedule": "one", "dpo_steps": 0}),
    _tdsc("best-of-12", "best of 12 at inference", "the start, and the best of twelve candidates when it is used",
          decoded="best", changes={"iterations": 0}, **NOTHING),
    _tdsc("tdsc", "TDSC", "temperature-diverse candidates, SFT on the accepted ones, then DPO (Sec. 4)",
          {"Table 4": "TDSC", "Table 8": "Full TDSC"}),
    _tdsc("no-dpo", "TDSC without DPO: the judge's choice, learnt (Table 8)", "the strongest rival by choice alone",
          {"Table 8": "w/o DPO Loss"}, changes={"dpo_steps": 0}),
    _tdsc("t1-only", "TDSC at T = 1 alone", "all candidates at T = 1",
          {"Table 8": "w/o Multi-Temperature"}, changes={"schedule": "one"}),
    _tdsc("no-length", "TDSC without the length filter", "candidates of any length",
          {"Table 8": "w/o Length Filter"}, changes=NO_LENGTH),
    _tdsc("fixed-tmax", "TDSC with a fixed Tmax", "the highest temperature stays",
          {"Table 8": "w/o Temp. Curriculum"}, changes={"schedule": "fixed"}),
    _tdsc("no-repetition", "TDSC without the repetition filter", "candidates with any repetition",
          {"Table 8": "w/o Repetition Filter"}, changes={"max_rep": math.inf}),
    _tdsc("literal", "TDSC to the letter", "the paper's settings where ours differ: accepted below 0.4, all of them learnt, no "
          "replay, any loser, beta 0.1, Table 12's Tmax, the reference from before the SFT",
          changes={"max_wer": 0.4, "beta": 0.1, "replay": False, "best": attrgetter("candidates"), "matched": False,
                   "schedule": "table12", "reference": "start"}),
    _tdsc("oracle", "TDSC whose selecting judge is the scoring one", "cheating: it shows what a perfect judge could bring",
          judge="score"),
    _tdsc("grpo-wer", "WER-only GRPO", "GRPO on the same candidates at T = 1, word error its only reward, as many steps",
          by="grpo", changes={"schedule": "one"}),
)  # fmt: skip
METHODS = {study: {row.name: row for row in ROWS if row.study == study} for study in STUDIES}


def method_of(study: str, name: str) -> Method:
    """The method of that name; of study align also dgsa-ALPHA, which is DGSA on the SFT policy of another alpha (Fig. 5)."""
    known = METHODS[study]
    if name in known:
        return known[name]
    alpha = name.removeprefix("dgsa-")
    if study == "align" and alpha in (f"{hundredth / 100:.2f}" for hundredth in range(101)) and alpha != name:
        arm, printed = f"additive-{alpha}", {"Fig. 5": alpha}
        return replace(known["dgsa"], name=name, label=f"DGSA at alpha {alpha}", arm=arm, printed=printed)
    also = ", or dgsa-ALPHA as in dgsa-0.50" if study == "align" else ""
    raise UserError(f"method {show(name)}: not one of {', '.join(known)}{also}")


def arm_for(method: Method, p: AlignParams) -> str:
    """The arm whose SFT policy a method of study align starts from."""
    return method.arm or p.arm


def checked(params: Params) -> Params:
    """The parameters themselves, whose cells are known here: each method, and the arm that it starts from."""
    for study, names in (("align", params.cells.aligned), ("critique", params.cells.criticised)):
        for method in (method_of(study, name) for name in names):
            if study == "align" and (arm := arm_for(method, params.align)) not in params.cells.arms:
                raise UserError(f"params.yaml: cells.arms: no {arm}, from which {method.name} starts; add it")
    return params


def settings_of(method: Method, p: TdscParams) -> TdscParams:
    """The settings of a method of study critique: TDSC's, with its changes."""
    return replace(p, **{name: value(p) if callable(value) else value for name, value in method.changes.items()})


def printed_rows(table: str) -> dict[str, str]:
    """Our names to the paper's, for its Table 3, 4, 7 or 8."""
    return {row.name: row.printed[table] for row in ROWS if table in row.printed}
