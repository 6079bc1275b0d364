"""The scaling study as curves over alpha, and the effects that C1 to C8 are judged by.

Left out: listening scores (the paper's NMOS and SMOS), for which nothing here stands in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.measure.bootstrap import Curve
from sebridge_lite.measure.claims import claims_of
from sebridge_lite.measure.evaluate import RATES, Scores
from sebridge_lite.measure.metrics import calibrated
from sebridge_lite.measure.stats import ENDS, Interval, columns
from sebridge_lite.measure.systems import curve_of, has
from sebridge_lite.measure.trends import association, interior_peak, stands_out, tail, trend
from sebridge_lite.measure.verdicts import Condition, by_claim

MEASURES = (
    "wer", "tone_error", "hp", "h_cond", "rep", "rep_speech", "f0_std", "f0_range", "energy_std", "sim", "length_ratio",
)  # fmt: skip
ALPHA_STAR, SURGE = 0.5, 0.8  # Sec. 2: the peak near 50 %, the surge at 80 to 100 %
BEFORE = 0.4  # ours: both are compared with the ratios from here on


@dataclass(frozen=True, eq=False)
class Study:
    """Policies of one design, by rising alpha: `scores[a][s]` of each training seed, and their curves."""

    alphas: tuple[float, ...]
    scores: list[list[Scores]]
    curves: dict[str, Curve]

    def at(self, alpha: float) -> int:
        if alpha not in self.alphas:
            raise UserError(f"alpha {alpha}: not among {', '.join(map(str, self.alphas))}")
        return self.alphas.index(alpha)


def study(found: Mapping[float, Sequence[Scores]], seed: int = 0) -> Study:
    """From the scores of each alpha, a Scores a training seed; no curve of what an alpha lacks (tones, in a foreign lexicon)."""
    alphas = tuple(sorted(found))
    scores = [list(found[alpha]) for alpha in alphas]
    known = [name for name in MEASURES if all(any(has(one, name) for one in seeds) for seeds in scores)]
    return Study(alphas, scores, {name: curve_of(name, alphas, scores, seed) for name in known})


def as_table(found: Study, floor: float) -> pd.DataFrame:
    """A row an alpha: each measure with `_low` and `_high`, and the calibrated word error."""
    table = pd.DataFrame({"alpha": found.alphas})
    for name, curve in found.curves.items():
        table = table.join(pd.DataFrame(columns(name, curve.interval(i)) for i in range(len(found.alphas))))
    for end in ENDS:
        table["wer_cal" + end] = calibrated(table["wer" + end], floor)
    return table.assign(texts=found.curves["wer"].n, seeds=found.curves["wer"].seeds)


def side_by_side(found: Mapping[str, Sequence[Scores]], base: str, floor: float, seed: int = 0) -> pd.DataFrame:
    """A row an arm, whatever its design: as `as_table`, and `NAME_gain` with its interval, this arm less `base`."""
    if base not in found:
        raise UserError(f"arm {base}: not among {', '.join(found)}")
    lined = study(dict(enumerate(found.values())), seed)
    table, start = as_table(lined, floor).drop(columns="alpha"), list(found).index(base)
    table.insert(0, "arm", list(found))
    for name, curve in lined.curves.items():
        gains = (columns(f"{name}_gain", curve.difference(i, start)) for i in range(len(found)))
        table = table.join(pd.DataFrame(gains))
    return table


def scaling_conditions(found: Study) -> dict[str, list[Condition]]:
    """The conditions of C1 to C7; a study without the pure synthetic policy cannot be asked C3 to C5."""
    c, last = found.curves, len(found.alphas) - 1
    of = {
        "last - first": lambda measure: trend(c[measure]).change,
        "order of wer over alpha": lambda _: trend(c["wer"]).rank,
        "best inside - better end": lambda measure: interior_peak(c[measure]),
        "80 to 100 % - 40 to 67 %": lambda measure: tail(c[measure], SURGE, BEFORE, SURGE),
        "100 % - 40 to 50 %": lambda measure: tail(c[measure], 1.0, BEFORE, ALPHA_STAR + 1e-9),
        "next lowest - 100 %": lambda measure: stands_out(c[measure], last, -1),
        "hp with f0_std": lambda _: association(c["hp"], c["f0_std"]),
        "hp with h_cond": lambda _: association(c["hp"], c["h_cond"]),
    }
    whole = found.alphas[-1] == 1.0 and any(BEFORE <= a <= ALPHA_STAR for a in found.alphas)
    asked = [id for id in claims_of("C") if id != "C8" and (whole or id not in ("C3", "C4", "C5"))]
    return by_claim(asked, lambda what, measure: of[what](measure))


def proxy_conditions(table: pd.DataFrame) -> dict[str, list[Condition]]:
    """The conditions of C8, from Table 2 with length matched (`proxy.proxy`)."""
    rows = table.set_index("metric")

    def effect(_: str, measure: str) -> Interval:
        row = rows.loc[measure if measure in rows.index else RATES[measure][0]]
        return Interval(
            *(float(row[key]) for key in ("difference", "low", "high")), int(row["texts"]), int(row["seeds"])
        )

    return by_claim(["C8"], effect)
