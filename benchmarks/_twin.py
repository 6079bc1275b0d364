"""The rivals' model: a plain Qwen2 causal LM with the weights of a text-speech LM, and whether the two learn alike.

Its one table of inputs is speech | text | sos, task. Lengths are those of the studio world. Random weights and tokens will
do: speed does not depend on what is said.
"""

import copy

import torch
from torch import Tensor, nn

from sebridge_lite.lm.lm import SOS, STOPS, TASK, LMConfig, TextSpeechLM
from sebridge_lite.stack.characters import CharVocab

CONFIG = LMConfig(
    CharVocab().size, 729, hidden=128, layers=3, heads=4, kv_heads=2, ffn=320, max_positions=2048, rope_theta=1e4,
    pace=0,  # positions count on: transformers knows no others, and they make no difference to speed
)  # fmt: skip
SPEECH = CONFIG.speech_vocab + STOPS  # where texts begin in the table
SHORTEST, LONGEST, PER_CHARACTER = 9, 46, 2.3  # characters of a sentence, speech tokens a character
CLOSE = {"cpu": 1e-4, "cuda": 5e-2}  # losses, and gradients relative to the largest of their tensor: float32, bf16


def as_causal_lm(model: TextSpeechLM):
    """The same weights; logits over speech only."""
    from transformers import Qwen2ForCausalLM  # here, since sebridge_lite's guard must come before it

    table = torch.cat([model.speech_embedding.weight, model.llm.embed_tokens.weight, model.llm_embedding.weight])
    peer = Qwen2ForCausalLM(copy.deepcopy(model.llm.config))
    peer.model.load_state_dict(model.llm.state_dict())
    peer.model.embed_tokens = nn.Embedding.from_pretrained(table)
    peer.lm_head = model.llm_decoder
    peer.config.vocab_size = SPEECH  # what its own loss counts on
    return peer.eval()


def prompt_rows(text: Tensor) -> Tensor:
    """[sos] text [task] in the twin's table."""
    sos, task = (torch.tensor([SPEECH + CONFIG.text_vocab + mark]) for mark in (SOS, TASK))
    return torch.cat([sos, SPEECH + text, task])


def gradients_of(peer) -> dict[str, Tensor]:
    """The twin's, by name in the text-speech LM."""
    tables = peer.model.embed_tokens.weight.grad.split([SPEECH, CONFIG.text_vocab, 2])
    names = ("speech_embedding.weight", "llm.embed_tokens.weight", "llm_embedding.weight")
    found = {f"llm.{name}": weights.grad for name, weights in peer.model.named_parameters()}
    found |= {f"llm_decoder.{name}": weights.grad for name, weights in peer.lm_head.named_parameters()}
    return found | dict(zip(names, tables, strict=True))


def gap(model: TextSpeechLM, peer, loss: Tensor, theirs: Tensor) -> dict[str, float]:
    """How far two losses, and the worst of their gradients, lie apart; a gradient relative to the largest of its tensor."""
    model.zero_grad()
    peer.zero_grad()
    loss.backward()
    theirs.backward()
    found = gradients_of(peer)
    gaps = [(w.grad - found[name]).abs().max() / w.grad.abs().max() for name, w in model.named_parameters()]
    return {"loss": abs((loss - theirs).item()), "gradient": torch.stack(gaps).max().item()}  # NaN stays NaN


def agree(parity: dict[str, dict[str, float]], device: torch.device) -> bool:
    """Prints the gaps by arm; whether all are close enough for a comparison of speed."""
    for name, apart in parity.items():
        print(
            f"{name}: loss differs by {apart['loss']:.1e}, the worst gradient by {apart['gradient']:.1e} of its largest"
        )
    return all(value < CLOSE[device.type] for apart in parity.values() for value in apart.values())
