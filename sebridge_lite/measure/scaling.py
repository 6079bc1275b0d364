"""The scaling study as curves over alpha, and the claims C1 to C7 that are read off them by rule.

Left out: listening scores (the paper's NMOS and SMOS), for which nothing here stands in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import ClaimsParams
from sebridge_lite.measure.bootstrap import Curve
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.metrics import calibrated
from sebridge_lite.measure.stats import ENDS, Interval, columns
from sebridge_lite.measure.systems import curve_of, has
from sebridge_lite.measure.trends import association, interior_peak, stands_out, tail, trend
from sebridge_lite.measure.verdicts import Claim, Condition, claim

MEASURES = (
    "wer", "tone_error", "hp", "h_cond", "rep", "rep_speech", "f0_std", "f0_range", "energy_std", "sim", "length_ratio",
)  # fmt: skip
ALPHA_STAR, SURGE = 0.5, 0.8  # Sec. 2: the peak near 50 %, the surge at 80 to 100 %
BEFORE = 0.4  # ours: both are compared with the ratios from here on
# id: claim, and what the paper prints
CLAIMS = {
    "C1": ("WER falls monotonically as synthetic speech is added (Sec. 2)", "75.0 % at alpha = 3 %, 36.2 % at 100 % (Table 1)"),
    "C2": ("Hp has a maximum inside, near alpha = 50 % (Sec. 2, Eq. 5)",
           "10.42 bits at 3 %, 10.51 at 50 %, 10.21 at 100 % (Table 1)"),
    "C3": ("Repetition surges at alpha of 80 to 100 % (Sec. 2)", "2.0 % at 67 %, 6.5 % at 80 %, 9.8 % at 100 % (Table 1)"),
    "C4": ("Expressivity falls beyond alpha* (Sec. 2)", "Hp 10.51 bits at 50 %, 10.21 at 100 % (Table 1)"),
    "C5": ("Pure synthetic speech is worst in expressivity and best in WER (Sec. 5.2)",
           "lowest Hp and lowest WER of Table 1 at 100 %"),
    "C6": ("Hp tracks expressivity over alpha (Sec. 5.2)", "Hp and NMOS turn together (Fig. 1)"),
    "C7": ("Speaker similarity falls with alpha (SMOS, Sec. 2)", "SMOS 4.63 at its best to 3.01 (Table 1)"),
    "C8": ("At equal WER and equal length, samples of high Hp have richer F0 and energy (Sec. 5.2)",
           "F0 std 42.6 against 35.8 Hz, at equal WER (Table 2)"),
}  # fmt: skip


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


def _first_and_last(found: Study) -> bool:
    return found.alphas[-1] == 1.0 and any(BEFORE <= a <= ALPHA_STAR for a in found.alphas)


def scaling_claims(found: Study, params: ClaimsParams, source: str) -> list[Claim]:
    """C1 to C7, by the rule of `params`; a study without the pure synthetic policy cannot answer C3 to C5."""
    c = found.curves
    rank, change = trend(c["wer"])
    claims = [
        claim("C1", *CLAIMS["C1"], source, [Condition(change, -1, "wer"), Condition(rank, -1, "rank")], params),
        claim("C2", *CLAIMS["C2"], source, [Condition(interior_peak(c["hp"]), 1, "hp")], params),
    ]  # fmt: skip
    if _first_and_last(found):
        late = {name: tail(c[name], 1.0, BEFORE, ALPHA_STAR + 1e-9) for name in ("f0_std", "f0_range", "h_cond")}
        last = len(found.alphas) - 1
        claims += [
            claim("C3", *CLAIMS["C3"], source, [Condition(tail(c["rep"], SURGE, BEFORE, SURGE), 1, "rep")], params),
            claim("C4", *CLAIMS["C4"], source, [Condition(late[name], -1, name) for name in late], params),
            claim("C5", *CLAIMS["C5"], source,
                  [Condition(stands_out(c["f0_std"], last, -1), 1, "f0_std"),
                   Condition(stands_out(c["h_cond"], last, -1), 1, "h_cond"),
                   Condition(stands_out(c["wer"], last, -1), 1, "wer")], params),
        ]  # fmt: skip
    claims += [
        claim("C6", *CLAIMS["C6"], source,
              [Condition(association(c["hp"], c[name]), 1, "correlation") for name in ("f0_std", "h_cond")], params),
        claim("C7", *CLAIMS["C7"], source, [Condition(trend(c["sim"]).change, -1, "sim")], params),
    ]  # fmt: skip
    return claims


def proxy_claim(table: pd.DataFrame, params: ClaimsParams, source: str) -> Claim:
    """C8, from Table 2 with length matched (`proxy.proxy`)."""
    rows = table.set_index("metric")
    wanted = (("f0_std", "f0_std_st", 1), ("f0_range", "f0_range_st", 1), ("f0_corr", "f0_corr", 1),
              ("f0_rmse", "f0_rmse_st", -1), ("energy_std", "energy_std_db", 1))  # fmt: skip
    conditions = []
    for measure, column, direction in wanted:
        row = rows.loc[column]
        effect = Interval(
            *(float(row[key]) for key in ("difference", "low", "high")), int(row["texts"]), int(row["seeds"])
        )
        conditions.append(Condition(effect, direction, measure))
    return claim("C8", *CLAIMS["C8"], source, conditions, params)
