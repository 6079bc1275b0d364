"""Direct preference optimisation: one pure function on summed log-probabilities, (B,) in and (B,) out.

It knows nothing of models, masks or batches: `lm.lm.sequence_logprobs` sums the log-probabilities of speech tokens and
eos and of nothing else, and `align.dgsa` brings the pairs. Options are off unless asked for, one line each. Left out:
every other loss of this family (hinge, KTO, ...), f-divergences, weights by pair.
"""

import math
from typing import NamedTuple

from torch import Tensor, ones_like
from torch.nn import functional as F

from sebridge_lite.core.errors import UserError


class Preference(NamedTuple):
    """What became of each pair, each (B,); rewards carry no gradient."""

    losses: Tensor
    chosen_rewards: Tensor
    rejected_rewards: Tensor

    @property
    def margins(self) -> Tensor:
        return self.chosen_rewards - self.rejected_rewards

    @property
    def accuracy(self) -> Tensor:
        """The share of pairs whose winner has the higher reward: 0 at policy = reference, where all margins are 0."""
        return (self.margins > 0).float().mean()


def rewards(logps: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Eq. 12 (Sec. 3): the implicit reward, beta log pi(y | x) / pi_ref(y | x). (B,), (B,) -> (B,)"""
    return beta * (logps - reference)


def dpo_loss(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    beta: float,
    *,
    lengths: tuple[Tensor, Tensor] | None = None,
    normalised: bool = False,
    ipo: bool = False,
    sft: float = 0.0,
) -> Preference:
    """Eq. 11 (Sec. 3): -log sigmoid of the margin, reward of the winner minus reward of the loser.

    chosen, rejected, ref_chosen, ref_rejected: (B,) log pi(y | x), summed over tokens, of policy and reference.
    lengths: scored tokens of winners and losers, each (B,), for `normalised` and `sft`.
    normalised: log-probabilities a token instead of a sequence, so that length alone earns nothing.
    ipo: (log ratio difference - 1 / 2 beta)^2 in place of the sigmoid, which bounds the margin.
    sft: weight of the winner's cross entropy a token, which holds its probability up.
    """
    if not beta > 0:
        raise UserError(f"beta: {beta} is not over 0; the paper takes 0.1")
    if lengths is None:
        if normalised or sft:
            raise UserError("lengths: missing; `normalised` and `sft` are a token and need them")
        lengths = ones_like(chosen), ones_like(rejected)
    by = lengths if normalised else (1, 1)
    won, lost = rewards(chosen / by[0], ref_chosen / by[0], beta), rewards(rejected / by[1], ref_rejected / by[1], beta)
    margin = won - lost  # (B,), what Eq. 11 takes the sigmoid of
    losses = -F.logsigmoid(margin)  # Eq. 11; ln 2 when policy = reference
    if ipo:
        losses = (margin / beta - 1 / (2 * beta)).square()
    if sft:
        losses = losses - sft * chosen / lengths[0]
    return Preference(losses, won.detach(), lost.detach())


def fallen(change: float, most: float) -> str | None:
    """One line when the winner's log-probability, in nats a token against the reference, fell by over `most`; else None."""
    if -most <= change < math.inf:
        return None
    return (
        f"displacement: the winners' log-probability changed by {change:+.3f} nats a token (at most {most} may be lost); "
        "lower lr or steps, raise beta, or add the sft term"
    )
