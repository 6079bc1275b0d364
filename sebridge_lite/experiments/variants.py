"""The systems that are compared at one alpha: what each is trained on, and how it is decoded.

sft             Sec. 5.3, Table 3: the policy itself
style-prefix    ours: the policy under a style prefix of the speaker
rejection       Table 3: the best of several samples by the selecting judge
dpo             Table 3: DPO on the expressivity pairs alone
dgsa            Table 3: both sets, weighted by Eq. 13-14; dgsa-0.50 is the same on the policy of alpha 0.50 (Fig. 5)
no-expr         Table 7: the stability pairs alone, weight lambda_s
no-stab         Table 7: the expressivity pairs alone, weight lambda_e. As `dpo` but for that factor, which AdamW takes out
                again: the paper's two rows differ by 1.3 points of WER, which is then what two runs of one thing differ by
random-speaker  Table 7: the style of y_expr from another speaker
fixed, swapped  Table 7: weights of a half each; ours: the two exchanged
dgsa-split      ours: the stability pairs scored under the style prefix
dgsa-sft, dgsa-length, codec, lora    ours: with an SFT term; a token in place of a sequence; losers through the codec; adapters
sft-real        ours: SFT continued on y_real alone
"""

from collections.abc import Callable
from dataclasses import dataclass

from sebridge_lite.align.baselines import rejection_scores
from sebridge_lite.align.pairs import style_sources
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import AlignParams, Params
from sebridge_lite.data.codes import codes_for
from sebridge_lite.experiments.policies import Bench, arm_of, sampler_of, score_policy
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.measure.evaluate import Scores


@dataclass(frozen=True)
class Variant:
    """How a system differs from DGSA; `weights` takes lambda_s and lambda_e."""

    trains: str = "pairs"  # pairs, real (SFT), nothing
    weights: Callable = lambda s, e: (s, e)
    pairs: str = "own"  # own, random-speaker, codec
    conditioning: str = "off"  # off, split: see `align.dgsa`
    sft_term: bool = False
    normalised: bool = False
    lora: bool = False
    decoded: str = "plain"  # plain, styled, best


VARIANTS = {
    "sft": Variant(trains="nothing"),
    "style-prefix": Variant(trains="nothing", decoded="styled"),
    "rejection": Variant(trains="nothing", decoded="best"),
    "dpo": Variant(weights=lambda s, e: (0.0, 1.0)),
    "dgsa": Variant(),
    "no-expr": Variant(weights=lambda s, e: (s, 0.0)),
    "no-stab": Variant(weights=lambda s, e: (0.0, e)),
    "random-speaker": Variant(pairs="random-speaker"),
    "fixed": Variant(weights=lambda s, e: (0.5, 0.5)),
    "swapped": Variant(weights=lambda s, e: (e, s)),
    "dgsa-split": Variant(conditioning="split"),
    "dgsa-sft": Variant(sft_term=True),
    "dgsa-length": Variant(normalised=True),
    "codec": Variant(pairs="codec"),
    "lora": Variant(lora=True),
    "sft-real": Variant(trains="real"),
}


def variant_of(name: str, p: AlignParams) -> tuple[Variant, str]:
    """The variant, and the arm whose policy it starts from."""
    if name in VARIANTS:
        return VARIANTS[name], p.arm
    alpha = name.removeprefix("dgsa-")
    try:
        arm_of(f"additive-{alpha}")
    except UserError:
        raise UserError(f"variant '{name}': not one of {', '.join(VARIANTS)}, or dgsa-ALPHA as in dgsa-0.50") from None
    return VARIANTS["dgsa"], f"additive-{alpha}"


def scored(
    bench: Bench,
    model: TextSpeechLM,
    name: str,
    seed: int,
    params: Params,
    temperature: float,
    split: str,
    texts: int | None = None,
) -> Scores:
    """A policy on (the first `texts` of) a split, as its variant decodes it."""
    (v, arm), everyone = variant_of(name, params.align), bench.sets[split]
    some = everyone[:texts]
    bench = bench._replace(sets=bench.sets | {split: some})
    if v.decoded == "best":
        return rejection_scores(
            model, bench.stack, some, bench.folder, bench.lang, sampler_of(params.sampling, seed, temperature),
            candidates=params.align.candidates, silence=bench.silence, seed=seed, floor=bench.floor,
            references=bench.references(split),
        )  # fmt: skip
    prefixes = None
    if v.decoded == "styled":
        codes, sources = codes_for(everyone, bench.codes), style_sources(everyone, seed)[: len(some)]
        prefixes = [codes[0][:0] if i is None else codes[i][: params.sft.style_tokens] for i in sources]
    return score_policy(bench, model, params, seed, arm_of(arm), split, temperature=temperature, prefixes=prefixes)
