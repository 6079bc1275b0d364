"""The rivals' model: a plain Qwen2 causal LM with the weights of a text-speech LM, and whether the two learn alike.

Its one table of inputs is speech | text | sos, task. Lengths are those of the studio world. Random weights and tokens will
do: speed does not depend on what is said.
"""

import argparse
import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sebridge_lite.lm.lm import SOS, STOPS, TASK, LMConfig, TextSpeechLM
from sebridge_lite.lm.lora import RANK
from sebridge_lite.stack.characters import CharVocab


@dataclass(frozen=True)
class Size:
    config: LMConfig  # of pace 0: transformers knows no other positions, and they make no difference to speed
    texts: int  # to generate for
    triplets: int  # to align with
    micro: int  # of them in a step
    examples: int  # to fine-tune on
    rank: int  # of alignment's adapters; 0: all weights


SIZES = {
    "studio": Size(LMConfig(CharVocab().size, 729, 128, 3, 4, 2, 320, 2048, 1e4, 0.0), 64, 64, 16, 320, 0),
    "50m": Size(LMConfig(CharVocab().size, 6561, 512, 12, 8, 2, 2048, 2048, 1e6, 0.0), 16, 8, 4, 48, RANK),
}
SHORTEST, LONGEST, PER_CHARACTER = 9, 46, 2.3  # characters of a sentence, speech tokens a character
CLOSE = {"cpu": 1e-4, "cuda": 5e-2}  # losses, and gradients relative to the largest of their tensor: float32, bf16


def as_causal_lm(model: TextSpeechLM):
    """The same weights; logits over speech only."""
    from transformers import Qwen2ForCausalLM  # here, since sebridge_lite's guard must come before it

    table = torch.cat([model.speech_embedding.weight, model.llm.embed_tokens.weight, model.llm_embedding.weight])
    peer = Qwen2ForCausalLM(copy.deepcopy(model.llm.config))
    peer.model = copy.deepcopy(model.llm)  # with its adapters, if it has any
    peer.model.embed_tokens = nn.Embedding.from_pretrained(table)
    peer.lm_head = model.llm_decoder
    peer.config.vocab_size = model.config.speech_vocab + STOPS  # what its own loss counts on
    return peer.eval()


def prompt_rows(config: LMConfig, text: Tensor) -> Tensor:
    """[sos] text [task] in the twin's table."""
    first = config.speech_vocab + STOPS  # row of a text
    sos, task = (torch.tensor([first + config.text_vocab + mark]) for mark in (SOS, TASK))
    return torch.cat([sos, first + text, task])


def gradients_of(peer, config: LMConfig) -> dict[str, Tensor]:
    """The twin's, by name in the text-speech LM; None where weights are frozen."""
    found = {f"llm.{name}": weights.grad for name, weights in peer.model.named_parameters()}
    found |= {f"llm_decoder.{name}": weights.grad for name, weights in peer.lm_head.named_parameters()}
    if (table := found["llm.embed_tokens.weight"]) is None:
        return found
    names = ("speech_embedding.weight", "llm.embed_tokens.weight", "llm_embedding.weight")
    return found | dict(zip(names, table.split([config.speech_vocab + STOPS, config.text_vocab, 2]), strict=True))


def gap(model: TextSpeechLM, peer, loss: Tensor, theirs: Tensor) -> dict[str, float]:
    """How far two losses, and the worst of their gradients, lie apart; a gradient relative to the largest of its tensor."""
    model.zero_grad()
    peer.zero_grad()
    loss.backward()
    theirs.backward()
    found, learnt = gradients_of(peer, model.config), {n: w for n, w in model.named_parameters() if w.requires_grad}
    gaps = [(w.grad - found[name]).abs().max() / w.grad.abs().max() for name, w in learnt.items()]
    return {"loss": abs((loss - theirs).item()), "gradient": torch.stack(gaps).max().item()}  # NaN stays NaN


def sized(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--size", choices=SIZES, default="studio", help="of the LM: of the studio, or 50 million weights"
    )
    return parser


def named(benchmark: str, size: str) -> str:
    """A benchmark's name in `results/bench.json`."""
    return benchmark if size == "studio" else f"{benchmark}_{size}"


def agree(parity: dict[str, dict[str, float]], device: torch.device) -> bool:
    """Prints the gaps by arm; whether all are close enough for a comparison of speed."""
    for name, apart in parity.items():
        print(
            f"{name}: loss differs by {apart['loss']:.1e}, the worst gradient by {apart['gradient']:.1e} of its largest"
        )
    return all(value < CLOSE[device.type] for apart in parity.values() for value in apart.values())
