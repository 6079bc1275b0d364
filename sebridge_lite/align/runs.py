"""What all methods of study align share when they train: a constant rate, and the policy kept at each step of the grid."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

from sebridge_lite.align.dpo import fallen
from sebridge_lite.align.methods import Method
from sebridge_lite.core.files import read_table
from sebridge_lite.core.params import Params
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.lora import save_policy
from sebridge_lite.lm.train import TrainConfig


def constant(steps: int, lr: float, warmup: int, save_every: int, seed: int) -> TrainConfig:
    """Training at one learning rate after the warm-up, so that the policy at a step is what a shorter run would have given."""
    return TrainConfig(steps, lr, warmup, "constant", 0.0, save_every, seed)


def winner_change(folder: Path, latest: int, most: float, what: str) -> float | None:
    """Nats a token over the `latest` steps of a training; a line on stderr when that is a fall of over `most`."""
    history = read_table(folder / "loss.csv", "run the same command again")
    if "winner_change" not in history:
        return None
    change = float(history["winner_change"].tail(latest).mean())
    if line := fallen(change, most):
        print(f"{what}: {line}", file=sys.stderr)
    return round(change, 4)


@dataclass(frozen=True, eq=False)
class Run:
    """What the `train` of a method's file is told beside the model and the triplets."""

    method: Method
    params: Params
    alpha: float  # the share of synthetic speech behind the SFT policy
    seed: int
    work: Path  # for history, checkpoint, and the policies

    @property
    def what(self) -> str:
        return f"{self.method.name} s{self.seed}"

    def config(self, lr: float) -> TrainConfig:
        """The settings of the training loop, which stops for `keep` at every step of the grid."""
        p = self.params.align
        every = math.gcd(*p.steps)
        return constant(max(p.steps), lr, p.warmup, every, self.seed)

    def keep(self, model: TextSpeechLM, step: int) -> None:
        """Saves the policy at the steps of the grid, adapters merged."""
        if step in self.params.align.steps:
            save_policy(model, self.work / f"step-{step}" / "model")
