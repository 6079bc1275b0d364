"""The effects that the claims are judged by, and what they come to in a line.

All systems speak at the study's temperature: those of D1 to D9 after the steps that dev chose for each, those of T1 to T13 after
their last iteration. `at equal word error, ONE - OTHER` compares them along their curves over temperatures, `at its own
temperature, ...` at the points that dev chose. Left out: listening scores; the noise of the choice on dev.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sebridge_lite.core.study_params import ClaimsParams
from sebridge_lite.measure.bootstrap import Curve, mean_interval, paired_difference
from sebridge_lite.measure.cloning import gap
from sebridge_lite.measure.entropy import jackknife, token_counts
from sebridge_lite.measure.evaluate import RATES, Scores
from sebridge_lite.measure.stats import UNKNOWN, Interval, columns, columns_of, number_of, row_range
from sebridge_lite.measure.systems import Lines, Systems, systems
from sebridge_lite.measure.trends import association, interior_peak, rank, stands_out, tail
from sebridge_lite.measure.verdicts import (
    CLAIMS,
    EQUAL,
    NOT_TESTED,
    REPRODUCED,
    Conditions,
    by_claim,
    conditions_of,
    judgement,
    verdict,
)

ALPHA_STAR, SURGE = 0.5, 0.8  # Sec. 2: the peak near 50 %, the surge at 80 to 100 %
BEFORE, RISING = 0.4, 0.67  # ours: both are compared with the ratios from here on; where repetition has not surged
NEITHER = "is shown neither to beat nor to lose to"
UNJUDGED = "cannot yet be judged against"
NOWHERE = "tdsc at some T", Systems({}, {})
OWN = "at its own temperature, "  # how a strict condition at chosen points begins
NO_LINES = Lines(Systems({}, {}), {})
Rungs = Mapping[float, tuple[str, str]]  # alpha: DGSA, and the SFT policy that it starts from


def scaling_conditions(curves: Mapping[str, Curve], beyond_engines: Interval = UNKNOWN) -> Conditions:
    """The conditions of C1 to C7; curves without the pure synthetic policy cannot be asked C3 to C5.

    beyond_engines: SIM of that policy minus SIM of engines' tokens decoded in the voices of the same people.
    """
    alphas = curves["wer"].alphas
    middle = (alphas >= BEFORE) & (alphas <= ALPHA_STAR + 1e-9)

    def midway(measure: str, end: int) -> Interval:
        curve = curves[measure]
        if not middle.any():
            return UNKNOWN
        return curve.effect(*(x[..., middle].mean(-1) - x[..., end] for x in (curve.values, curve.spread)))

    of = {
        "last - first": lambda measure: curves[measure].difference(-1, 0),
        "order of wer over alpha": lambda _: rank(curves["wer"]),
        "best inside - better end": lambda measure: interior_peak(curves[measure]),
        "80 to 100 % - 40 to 67 %": lambda measure: tail(curves[measure], SURGE, BEFORE, SURGE),
        "100 % - 40 to 50 %": lambda measure: tail(curves[measure], 1.0, BEFORE, ALPHA_STAR + 1e-9),
        "40 to 50 % - first": lambda measure: midway(measure, 0),
        "40 to 50 % - last": lambda measure: midway(measure, -1),
        "lowest of the others - 100 %": lambda measure: stands_out(curves[measure], len(alphas) - 1, -1),
        "hp with f0_std": lambda _: association(curves["hp"], curves["f0_std"]),
        "hp with f0_std up to 67 %": lambda _: association(curves["hp"], curves["f0_std"], RISING),
        "100 % - engines' tokens in the right voice": lambda _: beyond_engines,
        "hp with h_cond": lambda _: association(curves["hp"], curves["h_cond"]),
    }
    asked = (
        ("C1", "C2", "C3", "C4", "C5", "C6", "C7") if alphas[-1] == 1.0 and middle.any() else ("C1", "C2", "C6", "C7")
    )
    return by_claim(asked, lambda what, measure: of[what](measure))


def proxy_conditions(tables: Mapping[str, pd.DataFrame]) -> Conditions:
    """The conditions of C8. tables: Table 2 (`proxy.proxy`) with word error matched, `wer`, and also length, `wer and length`."""

    def effect(what: str, measure: str) -> Interval:
        table = tables.get("wer and length" if what.endswith("at equal length") else "wer")
        if table is None:
            return UNKNOWN
        rows = table.set_index("metric")
        row = rows.loc[measure if measure in rows.index else RATES[measure][0]]
        gap, low, high = (float(row[key]) for key in ("difference", "low", "high"))
        return Interval(gap, low, high, int(row["texts"]), int(row["seeds"]))

    return by_claim(["C8"], effect)


def rungs_of(names: Sequence[str], alpha: float) -> dict[float, tuple[str, str]]:
    """dgsa and sft at `alpha`, dgsa-0.50 and sft-0.50 at 0.50, by rising alpha."""
    found = {float(name[5:]): (name, f"sft-{name[5:]}") for name in names if re.fullmatch(r"dgsa-[01]\.\d\d", name)}
    return dict(sorted((found | {alpha: ("dgsa", "sft")}).items()))


def by_alpha(found: Systems, rungs: Rungs) -> pd.DataFrame:
    """Fig. 5: what DGSA changes at each alpha."""
    rows = []
    for alpha, (one, other) in rungs.items():
        gains = {f"delta_{name}": found.gain(name, one, other) for name in ("hp", "wer_cal", "f0_std")}
        hp = found.at("hp", one)
        rows.append({"alpha": alpha, **columns_of(gains), "texts": hp.n, "seeds": hp.seeds})
    return pd.DataFrame(rows)


def compared(alike: Systems, lines: Lines, own: Systems, what: str, measure: str) -> Interval:
    """The effect of `ONE - OTHER`: all decoded alike, or along lines, or at points of their own."""
    if what.startswith(EQUAL):
        return lines.gain(measure, *what.removeprefix(EQUAL).split(" - "))
    return own.effect(what.removeprefix(OWN), measure) if what.startswith(OWN) else alike.effect(what, measure)


def alignment_conditions(
    alike: Systems, rungs: Rungs, star: float, lines: Lines = NO_LINES, own: Systems = NOWHERE[1]
) -> Conditions:
    """The conditions of D1 to D9. alike: all at the study's temperature; own: at the points that dev chose.

    Growth: from alpha* on, the gain of Hp at the last alpha minus that at the first, and minus that at the one before it.
    """
    steps = [pair for alpha, pair in rungs.items() if alpha >= star - 1e-9]
    growth = {}
    for less, more in dict.fromkeys((steps[0], steps[-2])) if len(steps) > 1 else ():
        one, other = steps[-1]
        effect = alike.contrast("hp", {one: 1.0, other: -1.0, less: -1.0, more: 1.0})
        growth[f"({one} - {other}) - ({less} - {more})"] = effect
    growth = growth or {"dgsa at two values of alpha from alpha* on": UNKNOWN}

    def effects(what: str, measure: str):
        return growth if what.startswith("growth") else compared(alike, lines, own, what, measure)

    return by_claim("D", effects)


def finding(found: Systems, params: ClaimsParams) -> dict:
    """Whether DGSA is shown to beat or to lose to SFT on y_real: a row. To beat is D9, to lose is the reverse."""
    text = CLAIMS["D9"].conditions
    there, back = (
        judgement(conditions_of(asked, found.effect), params, judge=verdict)
        for asked in (text, text.replace("dgsa - sft-real", "sft-real - dgsa"))
    )
    word = next((word for word, shown in (("beats", there), ("loses to", back)) if shown == REPRODUCED), NEITHER)
    gains = {measure: found.gain(measure, "dgsa", "sft-real") for measure in ("hp", "f0_std", "wer_cal")}
    counted = {"texts": gains["hp"].n, "seeds": gains["hp"].seeds}
    return {"dgsa": UNJUDGED if NOT_TESTED in (there, back) else word, **columns_of(gains), **counted}


def dgsa_sentence(row: Mapping) -> str:
    """The finding in one line."""
    if not row["seeds"]:
        return "DGSA against SFT on y_real: not both in this profile; `sebridge profile lite` has them"
    hp, f0 = (row_range(row, measure, unit, "+.2f") for measure, unit in (("hp", "bits"), ("f0_std", "semitones")))
    words = f"calibrated word error {row_range(row, 'wer_cal', 'points', '+.2f', 100)}"
    counted = f"({row['texts']} texts, {number_of(row['seeds'], 'seed')})"
    return f"DGSA {row['dgsa']} SFT on y_real: Hp {hp}, F0 std {f0}, {words} {counted}"


def relative(found: Systems, one: str, other: str) -> Interval:
    """What changes in word error, as a share of the other's."""
    names = found.names.get("wer", ())
    if not {one, other} <= set(names):
        return UNKNOWN
    curve, i, j = found.curves["wer"], names.index(one), names.index(other)
    return curve.effect(*(x[..., i] / x[..., j] - 1 for x in (curve.values, curve.spread)))


def with_relative(table: pd.DataFrame, found: Systems) -> pd.DataFrame:
    """Table 4 and what changes in word error, as a share of the start's."""
    changes = [columns("relative", relative(found, name, "sft")) for name in table["variant"]]
    return pd.concat([table, pd.DataFrame(changes)], axis=1)


def tdsc_sentence(table: pd.DataFrame) -> str:
    """The finding in one line, from Table 4."""
    rows = [row for row in table.to_dict("records") if row["variant"] == "tdsc"]
    if not rows:
        return "TDSC against its start: not in this table"
    return (
        "TDSC against its start, on unfiltered samples by the judge that never selected: word error "
        f"{row_range(rows[0], 'relative', '%', '+.0f', 100)}, Hp {row_range(rows[0], 'hp_gain', 'bits', '+.2f')}, F0 std "
        f"{row_range(rows[0], 'f0_std_gain', 'semitones', '+.2f')} "
        f"({rows[0]['texts']} texts, {number_of(rows[0]['seeds'], 'seed')})"
    )


def risen(first: Sequence[pd.Series], last: Sequence[pd.Series]) -> Interval:
    """How far a share by text, a series a seed, has risen from first to last."""
    return paired_difference(np.array(last, dtype=float), np.array(first, dtype=float)) if len(first) else UNKNOWN


def by_heat(rows: Sequence[pd.DataFrame], codes: Sequence[Mapping], size: int) -> dict[str, list[Scores]]:
    """Candidates as systems, one a temperature from cold to hot: what `judged` found of each, a table a seed."""
    found: dict[str, list[Scores]] = {}
    for table, spoken in zip(rows, codes, strict=True):
        renamed = table.rename(columns={"wrong": "words_wrong"}).assign(id=table["text"].astype(str))
        for heat, part in renamed.sort_values("temperature", kind="stable").groupby("temperature"):
            said = [spoken[name] for name in part["name"]]
            scores = Scores(part.reset_index(drop=True), token_counts(said, size), said, {})
            found.setdefault(f"T = {heat:g}", []).append(scores)
    return found


def contributions(rows: Sequence[pd.DataFrame]) -> dict[str, Interval]:
    """The share of G that each temperature gives, from cold to hot."""
    learnt = [table.pivot_table("learnt", "text", "temperature", "sum", fill_value=0) for table in rows]
    out_of = [table.sum(axis=1) for table in learnt]
    return {f"T = {heat:g}": mean_interval([table[heat] for table in learnt], weights=out_of) for heat in learnt[0]}


def lesser_gain(one: Sequence[Scores], start: Sequence[Scores], texts: slice, params: ClaimsParams) -> float:
    """The lesser of what is gained in words and in Hp, in smallest effects, on some of the texts."""

    def means(runs: Sequence[Scores]) -> np.ndarray:
        sums = [scores.table[["words_wrong", "words"]][texts].sum() for scores in runs]
        bits = [jackknife(scores.counts[texts]).mean for scores in runs]
        return np.array([np.mean([wrong / words for wrong, words in sums]), np.mean(bits)])

    words, bits = means(one) - means(start)
    return float(min(-words / params.wer, bits / params.hp))


def beyond(
    start: Sequence[Scores], curve: Mapping[float, Sequence[Scores]], floor: float, params: ClaimsParams
) -> tuple[str, Systems]:
    """TDSC at its best temperature (its name) beside its start, on the same texts. start: at the study's temperature.

    The best of several is no test of itself: each half of the texts is judged at the temperature that the other half chose.
    """
    if not curve or not start:
        return NOWHERE
    chosen = [
        max(curve, key=lambda heat: lesser_gain(curve[heat], start, slice(1 - half, None, 2), params))
        for half in (0, 1)
    ]
    joined = []
    for even, odd in zip(curve[chosen[0]], curve[chosen[1]], strict=True):
        counts = odd.counts.copy()
        counts[::2] = even.counts[::2]
        joined.append(Scores(pd.concat([even.table[::2], odd.table[1::2]]).sort_index(), counts, [], {}))
    name = "tdsc at T = " + " or ".join(f"{heat:g}" for heat in sorted(set(chosen)))
    return name, systems({"sft": start, name: joined}, floor)


def tdsc_conditions(
    found: Systems,
    rises: Mapping[str, Interval] | None = None,
    heats: Systems | None = None,
    shares: Mapping[str, Interval] | None = None,
    outside: tuple[str, Systems] = NOWHERE,
    lines: Lines = NO_LINES,
) -> Conditions:
    """The conditions of T1 to T13. rises: of T6; heats, shares: of T7, by temperature from cold to hot, of the candidates
    of one iteration; outside: `beyond`, or systems and a name there."""

    def effects(what: str, measure: str):
        if what == "rise":
            return rises or UNKNOWN
        if measure == "share" or what == "hotter - colder":
            if heats is None or shares is None or len(shares) < 3:
                return {"hot - cold": UNKNOWN}
            cold, plain, hot = shares
            if measure == "share":
                return {f"G from {name}": shares[name] for name in (cold, hot)}
            return {f"{more} - {less}": heats.gain(measure, more, less) for less, more in ((cold, plain), (plain, hot))}
        if what.startswith("tdsc at its best T"):
            name, there = outside
            return {f"{name} - sft": there.gain(measure, name, "sft")}
        return compared(found, lines, NOWHERE[1], what, measure)

    return by_claim("T", effects)


def systems_conditions(th: Systems, lo: Systems, clones: Mapping[str, Sequence[pd.DataFrame]]) -> Conditions:
    """The conditions of S1 to S3: differences are paired over texts and seeds, of cloning over speakers and seeds.

    clones: a table a seed of `th sft`, `th dgsa`, `lo start`, `lo tdsc`, `lo tdsc, Thai voice` and `lo tdsc, standard`,
    with the style prefix on, as CosyVoice2 clones.
    """

    def effects(what: str, measure: str) -> Interval:
        task, lang, names = what.split(" ", 2)
        if task == "tts":
            return {"th": th, "lo": lo}[lang].effect(names, measure)
        one, other = f"{lang} {names}".split(" - ")
        if other == "floor":
            one, column = one.split(": ")
            return gap(clones[one], column, clones[one], "floor") if one in clones else UNKNOWN
        other = other if other in clones else f"{lang} {other}"
        return gap(clones[one], measure, clones[other], measure) if {one, other} <= set(clones) else UNKNOWN

    return by_claim("S", effects)
