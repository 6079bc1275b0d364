"""A studio stack of tiny random networks, for tests of what stands on the seam."""

from collections.abc import Sequence

import torch

from sebridge_lite.stack.flow import DecodeConfig, Flow, FlowConfig
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.recogniser import SoundJudge, SoundJudgeConfig, TokenJudge, TokenJudgeConfig
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.studio import studio_stack
from sebridge_lite.stack.tokenizer import Tokenizer, TokenizerConfig
from sebridge_lite.stack.vocoder import Vocoder, VocoderConfig
from sebridge_lite.studio.units import UNITS

CODES, SYMBOLS = 27, len(UNITS) - 1


def tiny_parts() -> Parts:
    torch.manual_seed(0)
    return Parts(
        torch.device("cpu"),
        tokenizer=Tokenizer(TokenizerConfig(levels=(3, 3, 3), width=8, blocks=1, speaker_width=4, speakers=0)).eval(),
        speaker=SpeakerEncoder(
            SpeakerConfig(width=8, blocks=1, embedding=4, speakers=2, margin=0.2, scale=15.0)
        ).eval(),
        flow=Flow(FlowConfig(codes=CODES, timbre=4, width=8, blocks=1, noise=0.5, drop=0.1)).eval(),
        vocoder=Vocoder(VocoderConfig(width=8, blocks=1)).eval(),
        select_judge=TokenJudge(TokenJudgeConfig(CODES, SYMBOLS, embedding=4, hidden=4, dropout=0.0, noise=0.0)).eval(),
        score_judge=SoundJudge(
            SoundJudgeConfig(SYMBOLS, width=8, blocks=1, hidden=4, dropout=0.0, time_mask=0, band_mask=0)
        ).eval(),
    )


def tiny_stack(languages: Sequence[str], steps: int = 1) -> Stack:
    return studio_stack(tiny_parts(), languages, DecodeConfig(steps, solver="euler", noise=0.2, guidance=0.0))
