"""A studio stack of tiny random networks, for tests of what stands on the seam."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.recordings import write_set
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.stack.flow import DecodeConfig, Flow, FlowConfig
from sebridge_lite.stack.parts import Parts
from sebridge_lite.stack.recogniser import SoundJudge, SoundJudgeConfig, TokenJudge, TokenJudgeConfig
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.studio import studio_stack
from sebridge_lite.stack.tokenizer import Tokenizer, TokenizerConfig
from sebridge_lite.stack.vocoder import Vocoder, VocoderConfig
from sebridge_lite.studio.lexicon import UNITS
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences

ROOT = Path(__file__).parents[1]
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
    return studio_stack(tiny_parts(), languages, DecodeConfig(steps, solver="euler", noise=0.2))


def tiny_config(text_vocab: int, codes: int = CODES, pace: float = 2.5) -> LMConfig:
    return LMConfig(text_vocab, codes, 16, 1, 2, 1, 16, max_positions=400, rope_theta=1e4, pace=pace)


def tiny_lm(config: LMConfig, seed: int = 1, spread: float = 0.0) -> TextSpeechLM:
    """A random LM; a spread takes it far from uniform, so that a wrong token or place shows."""
    torch.manual_seed(seed)
    model = TextSpeechLM(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights += spread * torch.randn_like(weights)
    return model


def recorded(folder: Path, lang: str, split: str, voices: Sequence, count: int, longest: int = 99) -> list[Utterance]:
    """The first sentences of a split, said by these voices into `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        short = (words for words in sentences(load_language(lang), split, 0) if len(words) <= longest)
        return write_set(folder, split, record_all(lines_of(split, lang, itertools.islice(short, count), voices, 0), 0))
