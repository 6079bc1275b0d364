"""Figures and tables of `11_systems_and_cloning`: Table 5 with what did not run, Table 6 between floor and ceiling, FLEURS."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from sebridge_lite.paper.figures import ENGINE, OURS, PAPER, PEOPLE

RECORDED = {"people": PEOPLE, "people, resynthesised": PEOPLE, "engines": ENGINE}
PRINTED = {"dgsa": "DGSA", "tdsc": "TDSC", "mms-tts": "MMS-TTS"}  # ours to the paper's
LANGUAGES = {"th": "Thai", "lo": "Lao"}


def beside_paper(tables: Mapping[str, pd.DataFrame], why: Mapping[str, Mapping[str, str]], printed: pd.DataFrame,
                 not_run: Mapping[str, str]) -> pd.DataFrame:  # fmt: skip
    """Table 5, a row a system that ran here or that the paper has; `why` others of ours did not run, `not_run` by kind."""
    rows = []
    for lang, table in tables.items():
        theirs = printed[printed["language"] == lang].set_index("system")
        ran = {PRINTED.get(name, name) for name in table["variant"]}
        for row in table.to_dict("records"):
            name = PRINTED.get(row["variant"], row["variant"])
            ours = f"{100 * row['wer']:.1f} [{100 * row['wer_low']:.1f}, {100 * row['wer_high']:.1f}]"
            rows.append((lang, row["variant"], ours, f"{theirs['wer'][name]:g}" if name in theirs.index else ""))
        reasons = {name: not_run.get(kind, "") for name, kind in theirs["kind"].items()}
        reasons |= {PRINTED.get(name, name): reason for name, reason in why[lang].items()}
        for name, reason in reasons.items():
            if name not in ran:
                paper = f"{theirs['wer'][name]:g}" if name in theirs.index else ""
                rows.append((lang, name, f"not run: {reason}", paper))
    return pd.DataFrame(rows, columns=["", "system", "word error, ours", "paper"])


def _colour(name: str) -> str:
    return RECORDED.get(name, OURS if name.startswith(("sft", "dgsa", "start", "tdsc")) else "#E69F00")


def _point(axis, row: Mapping, name: str, y, by: float, colour: str) -> None:
    value, low, high = (by * row[name + end] for end in ("", "_low", "_high"))
    axis.errorbar(value, y, xerr=[[max(0, value - low)], [max(0, high - value)]], fmt="o", color=colour, capsize=3)


def table5(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Word error and F0 std of every system of each language, with intervals."""
    count = max(len(table) for table in tables.values())
    figure, axes = plt.subplots(len(tables), 2, figsize=(9, 1 + 0.5 * count), squeeze=False)
    for (lang, table), pair in zip(tables.items(), axes, strict=True):
        for axis, (name, label, by) in zip(
            pair, (("wer", "word error, %", 100), ("f0_std", "F0 std, semitones", 1)), strict=True
        ):
            for row in reversed(table.to_dict("records")):
                _point(axis, row, name, row["variant"], by, _colour(row["variant"]))
            axis.set(xlabel=label, title=LANGUAGES.get(lang, lang))
        pair[1].tick_params(labelleft=False)
    return figure


def speakers(found: Mapping[str, pd.DataFrame]) -> Figure:
    """SIM of each speaker between the floor, other people, and the ceiling, the same person in another sentence."""
    figure, axes = plt.subplots(1, len(found), figsize=(4.6 * len(found), 3.2), sharex=True, squeeze=False)
    for axis, (title, table) in zip(axes[0], found.items(), strict=True):
        names = [name.rpartition("-")[2] for name in table["speaker"]]
        axis.hlines(names, table["floor"], table["ceiling"], color=PAPER, lw=1)
        axis.plot(table["floor"], names, "|", color=ENGINE, ms=9, label="floor: others")
        axis.plot(table["ceiling"], names, "|", color=PEOPLE, ms=9, label="ceiling: the same, recorded")
        axis.plot(table["sim"], names, "o", color=OURS, label="clone")
        axis.plot(table["sim_held"], names, "o", mfc="white", color=OURS, label="clone, to an unseen recording")
        axis.set(xlabel="SIM", title=title)
    axes[0][0].set(ylabel="speaker")
    axes[0][-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def lengths(table: pd.DataFrame) -> Figure:
    """SIM and word error over seconds of reference, a line a language, with intervals over speakers."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.6))
    for axis, (name, label, by) in zip(axes, (("sim", "SIM", 1), ("wer", "word error, %", 100)), strict=True):
        for (lang, rows), colour in zip(table.groupby("language", sort=False), (PEOPLE, ENGINE), strict=False):
            rows = rows.sort_values("reference")
            spread = [by * (rows[name] - rows[f"{name}_low"]).clip(0), by * (rows[f"{name}_high"] - rows[name]).clip(0)]
            axis.errorbar(rows["reference"], by * rows[name], yerr=spread, fmt="o-", color=colour, capsize=3,
                          label=LANGUAGES.get(lang, lang))  # fmt: skip
        axis.set(xlabel="reference, seconds", ylabel=label, xscale="log")
        axis.set_xticks(ticks := sorted(table["reference"].round(1).unique()), [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
    axes[1].legend(fontsize=8)
    return figure


def fleurs(table: pd.DataFrame) -> Figure:
    """The authors' release: calibrated character error against SIM, a mark a target language and prompt."""
    figure, axis = plt.subplots(figsize=(6, 3))
    for system, colour in zip(table["system"].unique(), (OURS, PEOPLE, ENGINE), strict=False):
        for lang, mark in (("lo", "o"), ("th", "s")):
            rows = table[(table["system"] == system) & (table["target"] == lang)]
            axis.plot(
                rows["sim"], 100 * rows["calibrated_cer"], mark, color=colour, label=f"{system}, {LANGUAGES[lang]}"
            )
            for row in rows.to_dict("records"):
                axis.annotate(row["prompt"], (row["sim"], 100 * row["calibrated_cer"]), xytext=(4, 3), fontsize=7,
                              textcoords="offset points")  # fmt: skip
    axis.set(xlabel="SIM to the prompt", ylabel="calibrated character error, %")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def cloning_beside(table: pd.DataFrame, printed: pd.DataFrame, shown: Sequence[str]) -> pd.DataFrame:
    """Table 6: conditions `shown` of ours beside the paper's rows; both WER in per cent."""
    theirs = printed.set_index(["language", "system"])
    rows = []
    for row in table[table["condition"].isin(shown)].to_dict("records"):
        key = (row["language"], PRINTED.get(row["policy"], ""))
        line = {"": row["language"], "system": row["condition"]}
        for name, by in (("wer", 100), ("sim", 1)):
            value, low, high = (by * row[name + end] for end in ("", "_low", "_high"))
            line[f"{name}, ours"] = f"{value:.3g} [{low:.3g}, {high:.3g}]"
            line[f"{name}, paper"] = f"{theirs.loc[key, name]:g}" if key in theirs.index else ""
        rows.append(line | {"floor": f"{row['floor']:.2f}", "ceiling": f"{row['ceiling']:.2f}"})
    for lang, name in theirs.index.difference([("th", "DGSA"), ("lo", "TDSC")]):
        printed_row = theirs.loc[(lang, name)]
        rows.append({"": lang, "system": name, "wer, ours": "not run: a paid service", "wer, paper": f"{printed_row['wer']:g}",
                     "sim, paper": f"{printed_row['sim']:g}"})  # fmt: skip
    return pd.DataFrame(rows).fillna("")
