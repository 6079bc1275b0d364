"""Readers of Table 5: our systems and recordings of the test sentences, as other stages have scored them."""

from sebridge_lite.core.params import Params
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.critique_scores import history
from sebridge_lite.experiments.floors import floor_scores
from sebridge_lite.experiments.sft import arm_of
from sebridge_lite.experiments.systems import RECORDED, named, pairs_of
from sebridge_lite.measure.evaluate import Scores


def wanted_arms(params: Params) -> list[str]:
    """SFT nearest to alpha*, at the alpha of Table 3, and at 1: those that this profile has."""
    additive = [name for name in params.cells.arms if arm_of(name).design == "additive"]
    nearest = min(additive, key=lambda name: abs(arm_of(name).alpha - params.align.alpha_star))
    return [name for name in dict.fromkeys((nearest, params.align.arm, "additive-1.00")) if name in additive]


def policies(bench: Bench) -> dict[str, list[Scores]]:
    """Our systems on the test set at the study's temperature, a Scores a seed."""
    rows: dict[str, list[Scores]] = {}
    seeds = bench.params.cells.seeds
    for start, aligned in pairs_of(bench.lang, bench.params):
        if aligned == "tdsc":
            loops = [history(bench, aligned, seed) for seed in seeds]
            rows |= {start: [loop[0][0] for loop in loops], aligned: [loop[-1][0] for loop in loops]}
        else:
            for arm in wanted_arms(bench.params):
                rows[f"sft-{arm_of(arm).alpha:.2f}"] = [bench.scored("sft", arm, seed)[0] for seed in seeds]
            heat = bench.params.score.temperature
            rows |= {name: [bench.scored("align", name, seed, heat)[0] for seed in seeds] for name in (start, aligned)}
    return rows


def recorded(bench: Bench) -> dict[str, Scores]:
    """The test sentences as people and engines say them, and people's after tokens, decoder and vocoder."""
    spoken = {name: floor_scores(bench, kind) for name, kind in RECORDED.items()}
    ids = [utterance.id for utterance in bench.utterances("test")]
    return {name: named(scores[0], ids) for name, scores in spoken.items() if scores}
