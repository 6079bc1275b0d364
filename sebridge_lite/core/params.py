"""Parameters: the sections of `params.yaml`, each a frozen dataclass that says what it allows.

No defaults live here: `params.yaml` is the only place for a number.
"""

import math
import typing
from collections.abc import Iterator
from dataclasses import field, fields
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core import study_params as study
from sebridge_lite.core.errors import show
from sebridge_lite.core.fields import Section, build, like, one_of, read_yaml, within
from sebridge_lite.core.study_params import METHOD

PROFILES = ("smoke", "lite", "full", "no-clock", "paper")
OWN = "own"  # the profile that `sebridge new` writes
DESIGNS = ("additive", "kept", "substitution", "upsampled", "tagged")  # of a mix; see experiments/sft.py
ARM = (rf"({'|'.join(DESIGNS)})-(0\.\d\d|1\.00)", "additive-0.80")
MOST_CODES = 2**15  # a token is written in 16 bits
LANGUAGE = (r"none|[a-z]{2,3}(-[A-Za-z0-9]+)*", "th")


class CorpusParams(Section):
    real_source: str = one_of("studio", "folder")
    synthetic_source: str = one_of("studio", "folder", "engines")
    engine_specs: tuple[str, ...] = field(metadata={"may_be_empty": True})
    backbone_engines: tuple[str, ...] = field(metadata={"may_be_empty": True})
    backbone_minutes: float = within(0, 60_000)
    skip_bad: bool = field()
    real_minutes: float = within(0, 60_000, open_low=True)
    synthetic_minutes: float = within(0, 600_000)
    second_synthetic_minutes: float = within(0, 600_000)
    dev_texts: int = within(1, 100_000)
    test_sentences: int = within(1, 20)
    test_texts: int = within(1, 100_000)
    people: int = within(1, 10_000)
    unseen_people: int = within(1, 1_000)
    engines: int = within(1, 3)
    slip_rate: float = within(0, 1)
    transcript_noise: float = within(0, 1)
    zipf: float = within(0, 3)
    real_vocabulary: float = within(0, 1, open_low=True)
    shared_domain: bool = field()
    duration_ratio: tuple[float, ...] = within(0, 100, open_low=True, rising=True)
    max_stuck: float = within(0, 1)
    alphas: tuple[float, ...] = within(0, 1)


class PartParams(Section):
    width: int = within(4, 4_096)
    blocks: int = within(1, 64)
    steps: int = within(0, 10_000_000)  # 0 in `own`: the embedded part as it is
    lr: float = within(0, 1, open_low=True)
    budget: int = within(1, 1_000_000)


class PartsParams(Section):
    """How the parts of a stack are trained."""

    seed: int = within(0, 2**31)
    levels: tuple[int, ...] = within(2, 64, repeats=True)
    token_noise: float = within(0, 1)
    prosody: float = within(0, 100)
    style_share: float = within(0, 1)
    style_tokens: int = within(1, 1_000)
    speaker: PartParams = field()
    tokenizer: PartParams = field()
    vocoder: PartParams = field()
    flow: PartParams = field()
    score_judge: PartParams = field()
    select_judge: PartParams = field()
    lm: PartParams = field()

    def faults(self) -> Iterator[str]:
        for key in ("levels", "compare_levels"):
            if (codes := math.prod(getattr(self, key, ()))) > MOST_CODES:
                yield f"{key}: {codes:,} codes, at most {MOST_CODES:,} fit into a file of tokens"


class PretrainParams(PartsParams):
    people: int = within(2, 10_000)
    engines: int = within(1, 1_000)
    utterances: int = within(8, 1_000_000)
    backbone_utterances: int = within(8, 10_000_000)
    backbone_words: int = within(3, 9)
    compare_levels: tuple[int, ...] = within(2, 64, repeats=True)
    pace: float = within(0, 100)


class BackboneParams(Section):
    """A backbone that is trained on from the embedded one; what is not said here is as in `pretrain`."""

    pace: float = within(0, 100)
    utterances: int = within(8, 10_000_000)
    steps: int = within(1, 10_000_000)
    lr: float = within(0, 1, open_low=True)
    budget: int = within(1, 1_000_000)


class OwnParams(PartsParams):
    begun: bool = field()  # from the embedded weights, wherever shapes agree
    decoder_minutes: float = within(0, 60_000)
    real_share: float = within(0, 0.9)
    spectrum: float = within(0, 1_000)


class JudgeParams(Section):
    score: str = like("own|[a-z-]+:.+", "own")
    select: str = field(default="own", metadata=like("own|[a-z-]+:.+", "own").metadata)
    speaker: str = field(default="own", metadata=like("own|resemblyzer", "own").metadata)


class SFTParams(Section):
    steps: int = within(1, 10_000_000)
    lr: float = within(0, 1, open_low=True)
    warmup: int = within(0, 1_000_000)
    budget: int = within(100, 1_000_000)
    style_share: float = within(0, 1)
    style_tokens: int = within(1, 1_000)
    token_noise: float = within(0, 1)
    lora_rank: int = within(-1, 1_024)  # 0: by the size of the model; -1: all weights


class SamplingParams(Section):
    window: int = within(0, 1_000)
    tau: float = within(0, 1)
    min_ratio: float = within(0, 100)
    max_ratio: float = within(0, 100, open_low=True)

    def faults(self) -> Iterator[str]:
        if self.min_ratio > self.max_ratio:
            yield f"min_ratio: {self.min_ratio:g} is over max_ratio, {self.max_ratio:g}"


class ScoreParams(Section):
    temperature: float = within(0, 3)
    top_p: float = within(0, 1, open_low=True)


class RolesParams(Section):
    dgsa: str = like(*LANGUAGE)
    tdsc: str = like(*LANGUAGE)

    def faults(self) -> Iterator[str]:
        if self.dgsa == self.tdsc == "none":
            yield "dgsa: none, and so is tdsc: nothing is left to study; name a language"


class TextParams(Section):
    units: str = one_of("characters", "phones")


class CellsParams(Section):
    seeds: tuple[int, ...] = within(0, 2**31)
    arms: tuple[str, ...] = like(*ARM)
    align: tuple[str, ...] = like(*METHOD)
    align_decoded: tuple[str, ...] = like(*METHOD, may_be_empty=True)
    critique: tuple[str, ...] = like(*METHOD)
    oracle: tuple[str, ...] = like(*METHOD, may_be_empty=True)
    critique_decoded: tuple[str, ...] = like(*METHOD, may_be_empty=True)

    @property
    def aligned(self) -> tuple[str, ...]:
        """All systems of Tables 3 and 7."""
        return (*self.align_decoded, *self.align)

    @property
    def criticised(self) -> tuple[str, ...]:
        """All systems of Tables 4 and 8, their start first."""
        return tuple(dict.fromkeys(("sft", *self.critique, *self.oracle, *self.critique_decoded)))


class AlignParams(Section):
    arm: str = like(*ARM)
    alpha_star: float = within(0, 0.99)
    real_error: float = within(0, 1)
    samples: int = within(1, 64)
    expr_temperature: float = within(0, 3, open_low=True)
    expr_top_p: float = within(0, 1, open_low=True)
    stab_temperature: float = within(0, 3, open_low=True)
    stab_top_p: float = within(0, 1, open_low=True)
    decoded: int = within(2, 100_000)
    beta: float = within(0, 100, open_low=True)
    lr: float = within(0, 1, open_low=True)
    warmup: int = within(0, 10_000)
    budget: int = within(100, 1_000_000)
    steps: tuple[int, ...] = within(1, 1_000_000)
    temperatures: tuple[float, ...] = within(0, 3, open_low=True)
    wer_slack: float = within(0, 1)
    dev_texts: int = within(2, 100_000)
    curve_texts: int = within(2, 100_000)
    candidates: int = within(2, 64)
    sft_lr: float = within(0, 1, open_low=True)
    sft_weight: float = within(0, 100, open_low=True)
    lora_rank: int = within(1, 1_024)
    lora_lr: float = within(0, 1, open_low=True)
    most_fall: float = within(0, 100)


class TdscParams(Section):
    start_steps: int = within(1, 10_000_000)
    iterations: int = within(0, 100)
    texts: int = within(1, 1_000_000)
    candidates: int = within(1, 1_000)
    cold: float = within(0, 3, open_low=True)
    plain: float = within(0, 3, open_low=True)
    schedule: str = one_of("paper_d2", "table12", "table12_first", "fixed", "one")
    fixed_tmax: float = within(0, 3, open_low=True)
    top_p: float = within(0, 1, open_low=True)
    max_wer: float = within(0, 100)
    max_rep: float = within(0, 100)
    shortest: float = within(0, 1)
    longest: float = within(1, 100)
    best: int = within(1, 1_000)
    replay: bool = field()
    steps: int = within(1, 10_000_000)
    lr: float = within(0, 1, open_low=True)
    matched: bool = field()
    apart: float = within(0, 1)
    near: int = within(0, 10_000)
    reference: str = one_of("sft", "start")
    beta: float = within(0, 100, open_low=True)
    dpo_steps: int = within(0, 1_000_000)
    dpo_lr: float = within(0, 1, open_low=True)
    dpo_warmup: int = within(0, 10_000)
    dpo_budget: int = within(100, 1_000_000)
    most_fall: float = within(0, 100)
    grpo_lr: float = within(0, 1, open_low=True)
    grpo_clip: float = within(0, 1, open_low=True)
    temperatures: tuple[float, ...] = within(0, 3, open_low=True)
    curve_texts: int = within(2, 100_000)


class Params(Section):
    profile: str = one_of(*PROFILES, OWN)
    seed: int = within(0, 2**31)
    roles: RolesParams = field()  # which language plays which part; it may be the same one
    stack: str = one_of("studio", "own", "hub")  # who provides tokenizer, decoder, judges and backbone
    text: TextParams = field()  # what the text-speech LM reads
    cells: CellsParams = field()  # what is trained, and what is only decoded: the names in the matrices of dvc.yaml
    corpus: CorpusParams = field()  # 01_world (Sec. 2: a fixed amount of real speech, and synthetic speech added to it)
    pretrain: PretrainParams = field()  # what stands for the paper's downloads: tokenizer, judges, backbone ...
    backbone: BackboneParams | None = field()  # another backbone for the studio's policies; null: the embedded one
    own: OwnParams | None = field()  # how the parts of your own speech are trained; null: the studio's are taken
    judge: JudgeParams = field()  # who scores: own, or a recogniser by name (stack/judges.py)
    tokens: study.TokensParams = field()  # 02_tokens
    speech_lm: study.SpeechLMParams = field()  # 03_text_speech_lm
    decoder: study.DecoderParams = field()  # 04_flow_decoder
    judges: study.JudgesParams = field()  # 05_judges_and_metrics
    sft: SFTParams = field()  # how a policy is fine-tuned (Sec. 2, Table 11)
    sampling: SamplingParams = field()  # whenever a policy speaks: how repeats are redrawn, how long speech may be
    score: ScoreParams = field()  # how a policy speaks when it is scored; nothing that is trained depends on it
    scaling: study.ScalingParams = field()  # 06_scaling
    erosion: study.ErosionParams = field()  # 07_erosion
    worlds: study.WorldsParams = field()  # the other worlds of 07_erosion, and how policies are trained and heard there
    claims: study.ClaimsParams = field()  # how much evidence a verdict needs, and each measure's smallest effect
    align: AlignParams = field()  # DGSA, what it is compared with, and its ablations (Sec. 3, Tables 3 and 7)
    tdsc: TdscParams = field()  # TDSC, likewise (Sec. 4, Tables 4, 8, 9 and 12)
    systems: study.SystemsParams = field()  # 11_systems_and_cloning (Sec. 5.5, Tables 5 and 6)
    confirm: study.ConfirmParams = field()  # which systems are asked once more on fresh texts, and on how many
    listening: study.ListeningParams = field()  # 12_listening_test (D.4, E.3), and what its simulated raters are like
    site: study.SiteParams = field()  # the listening page: sentences and people, by their place in the test set
    hub: study.HubParams | None = field()  # which released model, where the stack is hub; null: none

    def faults(self) -> Iterator[str]:
        cells, heard = self.cells, self.listening.systems
        for key, names, there in (
            ("align.arm", (self.align.arm,), cells.arms),
            ("confirm.align", self.confirm.align, cells.aligned),
            ("confirm.tdsc", self.confirm.tdsc, cells.criticised),
            ("listening.systems", heard, (*cells.arms, *cells.aligned)),
        ):
            if absent := [name for name in names if name not in there]:
                yield f"{key}: {show(absent[0])} is not among the cells of this run: {', '.join(there)}"
        if self.backbone and self.stack != "studio":
            yield f"backbone: the stack {self.stack} has its own; write null"


def load_params(path: Path) -> Params:
    return build(Params, read_yaml(path), path.name)


def active_params() -> Params:
    return load_params(paths.root() / "params.yaml")


def section_from(name: str, names: dict):
    """A section of the parameters from a notebook's global names."""
    section = typing.get_type_hints(Params)[name]
    given = {spec.name: names[spec.name] for spec in fields(section) if spec.name in names}
    return build(section, given, "the parameters cell")
