"""How much each of DGSA's two objectives weighs at a share alpha of synthetic speech.

The paper disagrees with itself here (Sec. 3): it says that DGSA "reduces to SFT" up to alpha*, but Eq. 14 gives lambda_s = 1
there, so the stability pairs are still trained. We do what the equations say; `lambda_s` is never 0 below alpha = 1.
"""

from sebridge_lite.core.errors import UserError


def lambda_e(alpha: float, alpha_star: float = 0.5) -> float:
    """Eq. 13 (Sec. 3): max(0, (alpha - alpha*) / (1 - alpha*)), the weight of the expressivity pairs."""
    if not 0 <= alpha <= 1:
        raise UserError(f"alpha: {alpha} is not in [0, 1]; it is the share of synthetic speech")
    if not 0 <= alpha_star < 1:
        raise UserError(f"alpha_star: {alpha_star} is not in [0, 1); the paper takes 0.5")
    return max(0.0, (alpha - alpha_star) / (1 - alpha_star))


def lambda_s(alpha: float, alpha_star: float = 0.5) -> float:
    """Eq. 14 (Sec. 3): 1 - lambda_e, the weight of the stability pairs."""
    return 1 - lambda_e(alpha, alpha_star)
