"""The scorecard: every claim's effect in smallest effects that count, so that words and melody share an axis."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from sebridge_lite.measure.verdicts import CONTRADICTED, NOT_REPRODUCED, NOT_TESTED, REPRODUCED
from sebridge_lite.paper.figures import ENGINE, OURS, PAPER
from sebridge_lite.report.ledger import Row

COLOURS = {REPRODUCED: OURS, NOT_REPRODUCED: "0.35", CONTRADICTED: ENGINE, NOT_TESTED: PAPER}
MARKERS = {REPRODUCED: "o", NOT_REPRODUCED: "s", CONTRADICTED: "X", NOT_TESTED: "."}  # not by colour alone


def forest(rows: Sequence[Row], title: str) -> Figure:
    """A line a claim that has an effect, above 0 the claimed way; linear up to one smallest effect, logarithmic beyond."""
    shown = [row for row in rows if row.scaled]
    figure, axis = plt.subplots(figsize=(9, 0.9 + 0.24 * max(len(shown), 1)))
    axis.axvspan(-1, 1, color="0.92", lw=0)
    axis.axvline(0, color="0.6", lw=0.8)
    for place, row in enumerate(shown):
        mean, low, high = row.scaled
        colour = COLOURS[row.verdict]
        axis.plot([low, high], [place, place], color=colour, lw=1.6)
        axis.plot(mean, place, MARKERS[row.verdict], color=colour, ms=6)
    axis.set_yticks(range(len(shown)), [f"{row.id}  {row.what}" for row in shown], fontsize=7.5)
    axis.set(xscale="symlog", ylim=(len(shown) - 0.4, -0.6), title=title)
    axis.set_xlabel("effect / smallest effect that counts; right: the claimed way")
    ticks = [-20, -5, -1, 0, 1, 5, 20]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xlim(
        min([-5, *(row.scaled[1] for row in shown)]) * 1.1, max([20, *(row.scaled[2] for row in shown)]) * 1.1
    )
    axis.minorticks_off()
    for verdict, colour in COLOURS.items():
        axis.plot([], [], MARKERS[verdict], color=colour, label=verdict)
    axis.legend(fontsize=7.5, loc="upper left")
    return figure
