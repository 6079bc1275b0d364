"""The studio's trained networks: where they lie, and how they are read.

    parts/{tokenizer, speaker, flow, vocoder, backbone}, judges/select/select_judge, judges/score/score_judge

`SEBRIDGE_PARTS` names the folder that holds `parts/` and `judges/`; else it is this run's `artifacts/own/`, for parts
that your own speech has taught, then its `artifacts/`, then the project's. The backbone is a text-speech LM, which `lm/` reads.
"""

import os
from pathlib import Path

import torch

from sebridge_lite.core import paths
from sebridge_lite.stack.flow import Flow, FlowConfig
from sebridge_lite.stack.recogniser import SoundJudge, SoundJudgeConfig, TokenJudge, TokenJudgeConfig
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder
from sebridge_lite.stack.tokenizer import Tokenizer, TokenizerConfig
from sebridge_lite.stack.vocoder import Vocoder, VocoderConfig
from sebridge_lite.stack.weights import load_model

OWN = "own"  # the folder of the parts that your own speech has taught; those that are not there are the embedded ones
NETWORKS = {
    "tokenizer": (Tokenizer, TokenizerConfig),
    "speaker": (SpeakerEncoder, SpeakerConfig),
    "flow": (Flow, FlowConfig),
    "vocoder": (Vocoder, VocoderConfig),
    "select_judge": (TokenJudge, TokenJudgeConfig),
    "score_judge": (SoundJudge, SoundJudgeConfig),
}
# Of each part, within artifacts/.
FOLDERS = dict.fromkeys(NETWORKS, "parts") | {
    "select_judge": "judges/select",
    "score_judge": "judges/score",
    "backbone": "parts",
}


def part_file(name: str) -> Path:
    """The place of a part, without its ending; where nobody has made it, the place where it should be."""
    given = os.environ.get("SEBRIDGE_PARTS")
    homes = [Path(given)] if given else [paths.artifacts(OWN), paths.artifacts(), paths.root() / "artifacts"]
    files = [home / FOLDERS[name] / name for home in homes]
    return next((file for file in files if file.with_suffix(".safetensors").is_file()), files[-1])


def load_part(name: str, path: Path | None = None) -> torch.nn.Module:
    """A part of the studio stack, from `path` if from nowhere else, on the CPU and in eval mode."""
    return load_model(*NETWORKS[name], path or part_file(name))


class Parts(dict):
    """The networks by name, each read when it is first asked for, unless it is given."""

    def __init__(self, device: torch.device, **given: torch.nn.Module):
        super().__init__(given)
        self.device = device

    def __missing__(self, name: str) -> torch.nn.Module:
        self[name] = load_part(name).to(self.device)
        return self[name]
