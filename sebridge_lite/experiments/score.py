"""The stage `score sft`: what every policy of Table 1 says of the test set, and what the judge that scores makes of it.

artifacts/scores/sft/sSEED/ARM/ gets scores.csv, codes.safetensors and summary.json. Nothing is trained here, so another judge,
another test set or another temperature scores again and trains nothing.
"""

from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.core.workers import in_pool
from sebridge_lite.experiments.bench import Bench, load_bench, read_json
from sebridge_lite.experiments.sft import arm_of, policy_folder, sft_policy
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.measure.evaluate import Scores, evaluate
from sebridge_lite.measure.saved import save_scores


def scores_folder(arm: str, seed: int) -> Path:
    return paths.artifacts("scores", "sft", f"s{seed}", arm)


def score_policy(
    bench: Bench,
    model: TextSpeechLM,
    seed: int,
    split: str = "test",
    texts: int | None = None,
    temperature: float | None = None,
    mark: str = "",
    **how,
) -> Scores:
    """Scores of a policy on (the first `texts` of) a set, at the temperature of all scoring if at no other.

    mark: stands before each text that the policy reads. how: as in `evaluate`.
    """
    references = bench.references(split, texts)
    return evaluate(
        model,
        bench.stack,
        references,
        bench.sampler(seed, temperature),
        silence=bench.silence,
        seed=seed,
        floor=bench.floor,
        mark=mark,
        **how,
    )


def _score(job: tuple[Params, str, int]) -> None:
    params, name, seed = job
    bench, folder = load_bench(params), policy_folder(name, seed)
    scores = score_policy(bench, sft_policy(bench, name, seed), seed, mark=arm_of(name).mark)
    with paths.replacing(scores_folder(name, seed)) as temporary:
        save_scores(temporary, scores, **read_json(folder / "about.json", "sft"))


def score_sft(params: Params, seed: int) -> None:
    """Scores every policy of a seed on the test set."""
    in_pool(_score, [(params, name, seed) for name in params.cells.arms], f"sft s{seed}")


def sft_scores(bench: Bench, name: str, seed: int) -> tuple[Scores, dict]:
    """A policy's scores on the test set, and what is known of its training."""
    return bench.scores(scores_folder(name, seed), "score_sft")
