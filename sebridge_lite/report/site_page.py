"""The listening page from what is heard and what was measured: a template, each place of which is filled once.

Text and tables are plain HTML; without scripts the browser's own players stand in. Left out: clips of systems from outside,
which may not be ours to publish.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from sebridge_lite.core.params import Params
from sebridge_lite.experiments.policies import arm_of
from sebridge_lite.extras.listening import LOUD
from sebridge_lite.paper.figures import FONTS
from sebridge_lite.report import page_figures, site_text
from sebridge_lite.report.markup import details, tag, written
from sebridge_lite.report.site_clips import ALIGNED, Heard
from sebridge_lite.report.site_players import compared, slider
from sebridge_lite.report.site_text import paragraph

BESIDE = ("dgsa", "sft-real")  # in the figure of erosion and repair
RECORDS = {"people": ("people", "recordings of people"), "engine": ("engines", "recordings of engines")}  # by kind
MEASURES = (("f0_std", "Spread of F0 in a sentence, semitones", 1), ("wer", "Word error, %", 100))


class Facts(NamedTuple):
    """What the page says: a run's summary and claims, Table 5 beside the paper's, and its parameters."""

    summary: Mapping
    claims: Sequence[Mapping]
    systems: Sequence[Mapping]
    params: Params
    committed: bool = False  # whether the claims are those of the committed runs, this one being too small

    @property
    def alpha(self) -> float:
        """Of the policy that alignment starts from."""
        return arm_of(self.params.align.arm).alpha

    def table(self, name: str) -> list[dict]:
        return self.summary["tables"].get(name, [])


def mark(alpha: float, row: Mapping, measure: str, by: float, name: str = "") -> page_figures.Mark:
    value = row[measure]
    low, high = (value if row.get(measure + end) is None else row[measure + end] for end in ("_low", "_high"))
    return page_figures.Mark(name, alpha, by * value, by * low, by * high)


def repair(facts: Facts) -> list[Element]:
    """The figure of erosion and repair: spread of F0 and word error over alpha, aligned systems beside them, and its table."""
    rows = sorted(facts.table("table1"), key=lambda row: row["alpha"])
    by_name = {row["variant"]: row for row in facts.table("table3")}
    beside = {ALIGNED[name]: by_name[name] for name in BESIDE if name in by_name}
    levels = {row["variant"]: row for row in facts.table("table5") if row["language"] == facts.params.roles.dgsa}
    records = {kind: levels[name] for kind, (name, _) in RECORDS.items() if name in levels}
    panels = []
    for measure, label, by in MEASURES:
        curve = [mark(row["alpha"], row, measure, by) for row in rows if row.get(measure) is not None]
        if len(curve) < 2:
            return [paragraph(site_text.NOTHING)]
        marks = [
            mark(facts.alpha, row, measure, by, name) for name, row in beside.items() if row.get(measure) is not None
        ]
        lines = {kind: by * row[measure] for kind, row in records.items() if row.get(measure) is not None}
        ends = (
            f"from {curve[0].value:.2f} at alpha {curve[0].alpha:.2f} to {curve[-1].value:.2f} at {curve[-1].alpha:.2f}"
        )
        alt = f"{label}: {ends}" + "".join(
            f"; {one.name}, from alpha {one.alpha:.2f}, {one.value:.2f}" for one in marks
        )
        panels.append(page_figures.panel(label, curve, marks, lines, alt))
    kinds = {kind: RECORDS[kind][1] for kind in records}
    named = [(f"SFT, alpha {row['alpha']:.2f}", row) for row in rows]
    named += [(f"{name}, from alpha {facts.alpha:.2f}", row) for name, row in beside.items()]
    printed = {f"SFT, alpha {a / 100:.2f}": words for a, words in site_text.of_paper("table1_scaling", "alpha").items()}
    named += [(words, records[kind]) for kind, words in kinds.items()]
    return [tag("div", *panels, class_="panels"), page_figures.legend(list(beside), kinds),
            details("As a table", site_text.measured(named, "Erosion and repair", printed))]  # fmt: skip


def erosion(heard: Heard, facts: Facts) -> list[Element]:
    """The slider, and under each of its clips what its policy does on all sentences."""
    rows, found = {f"{row['alpha']:.2f}": row for row in facts.table("table1")}, []
    for group in heard.erosion:
        card = compared(group, slider=True)
        for clip in card.iter("figure"):
            if (alpha := clip.get("data-alpha")) and (row := rows.get(f"{float(alpha):.2f}")):
                clip.append(paragraph(f"This policy on all sentences: word error {site_text.wer(row)}, spread of F0 "
                                      f"{site_text.spread(row)}."))  # fmt: skip
        found += [slider(group), card] if any(take.alpha is not None for take in group.takes) else [card]
    return found


def parts_of(heard: Heard, facts: Facts) -> dict[str, list[Element]]:
    """What stands in each place of the template."""
    profile = facts.summary["profile"]
    run = ", ".join(f"{name} {facts.summary[name]}" for name in ("profile", "date", "commit", "machine", "seed"))
    missing = {
        name: [paragraph(f"Not in this run (profile {profile}): {', '.join(some)}.", "absent")] if some else []
        for name, some in heard.absent.items()
    }
    committed = [paragraph(site_text.COMMITTED)] if facts.committed else []
    voices = site_text.NOBODY if facts.params.corpus.real_source == "studio" else site_text.OWN
    return {
        "NOTICE": [paragraph(site_text.SMOKE, "notice")] if profile == "smoke" else [],
        "VOICES": [paragraph(voices)],
        "TALLY": [paragraph(site_text.tally(facts.claims), "tally"), *committed],
        "FIGURE": repair(facts),
        "EROSION": [*site_text.erosion(facts.table("table1")), *missing["erosion"], *erosion(heard, facts)],
        "ALIGNED": [paragraph(f"All start from the policy of alpha {facts.alpha:.2f}."),
                    *site_text.aligned(facts.table("table3"), facts.table("finding"), ALIGNED), *missing["aligned"],
                    *map(compared, heard.aligned)],
        "TDSC": [*site_text.tdsc(facts.table("table4"), facts.table("figure6")), *missing["tdsc"], *map(compared, heard.tdsc)],
        "CLONED": [site_text.cloning(facts.table("table6"), facts.params.systems.reference), *map(compared, heard.cloned)],
        "SYSTEMS": [site_text.systems(facts.systems) if facts.systems else paragraph(site_text.NOTHING)],
        "CLAIMS": [*committed, site_text.ledger(facts.claims)],
        "RUN": [paragraph(f"The run: {run}.")],
    }  # fmt: skip


def page_of(heard: Heard, facts: Facts) -> str:
    """The whole page, text from data filling no place of the template."""
    filled = {name: written(*elements) for name, elements in parts_of(heard, facts).items()}
    filled |= {"WORDS": str(facts.params.site.least_words), "SECONDS": f"{facts.params.systems.reference:g}",
               "LEVEL": f"{20 * np.log10(LOUD):.0f}".replace("-", "−")}  # fmt: skip
    for name, file in zip(("THAI", "LAO"), FONTS, strict=True):
        font = Path(page_figures.__file__).with_name("fonts") / file
        filled[name] = base64.b64encode(font.read_bytes()).decode()
    template = Path(__file__).with_name("site_page.html").read_text(encoding="utf-8")
    return re.sub(r"__([A-Z]+)__", lambda place: filled[place[1]], template)
