"""Readers for the notebooks: the policies of a design as curves over alpha."""

from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.score import sft_scores
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.measure.bootstrap import Curve
from sebridge_lite.measure.systems import curves_over


def study_of(bench: Bench, design: str = "additive") -> dict[str, Curve]:
    """The policies of a design as curves over alpha, one a measure."""
    cells = bench.params.cells
    names = [name for name in cells.arms if arm_of(name).design == design]
    return curves_over(
        {arm_of(name).alpha: [sft_scores(bench, name, seed)[0] for seed in cells.seeds] for name in names}
    )
