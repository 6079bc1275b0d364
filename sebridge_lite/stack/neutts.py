"""NeuTTS with NeuCodec, and models of its kind: speech tokens are words of the text tokenizer, `<|speech_0|>` and on.

    user: Convert the text to speech:<|TEXT_PROMPT_START|> phones <|TEXT_PROMPT_END|>
    assistant:<|SPEECH_GENERATION_START|> speech tokens <|SPEECH_GENERATION_END|>

Texts are espeak-ng's phones: the corpus has them where `text.units` is phones. `FRAMES` has the words of each kind of model, so
Llasa with XCodec2 is a line of it. A style prefix is the reference's codes without its text. Left out: the watermark of the
package, models in GGUF, and the marks of pauses that espeak-ng's phones do not have.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.characters import sized
from sebridge_lite.stack.hub import HEARD, Released, heard, pretrained


class Frame(NamedTuple):
    """The words around a text, and those of speech."""

    before: str
    after: str
    token: str
    end: str


FRAMES = (
    Frame(
        "user: Convert the text to speech:<|TEXT_PROMPT_START|>",
        "<|TEXT_PROMPT_END|>\nassistant:<|SPEECH_GENERATION_START|>",
        "<|speech_{}|>",
        "<|SPEECH_GENERATION_END|>",
    ),
    Frame(
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nConvert the text to speech:<|TEXT_UNDERSTANDING_START|>",
        "<|TEXT_UNDERSTANDING_END|><|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n<|SPEECH_GENERATION_START|>",
        "<|s_{}|>",
        "<|SPEECH_GENERATION_END|>",
    ),
)


class Places(NamedTuple):
    """Where the frame and the speech tokens lie in the vocabulary."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    first: int  # of the speech tokens, which follow each other
    codes: int
    end: int


def text_tokenizer(model: str):
    from transformers import AutoTokenizer

    return pretrained("text tokenizer", AutoTokenizer.from_pretrained, model)


def places_of(tokenizer, model: str) -> Places:
    """What the text tokenizer of a model calls speech."""
    words = tokenizer.get_vocab()
    for frame in FRAMES:
        if (first := words.get(frame.token.format(0))) is None or frame.end not in words:
            continue
        codes = 0
        while words.get(frame.token.format(codes)) == first + codes:
            codes += 1
        before = tokenizer.encode(frame.before, add_special_tokens="<|begin" not in frame.before)
        after = tokenizer.encode(frame.after, add_special_tokens=False)
        return Places(tuple(before), tuple(after), first, codes, words[frame.end])
    known = " or ".join(frame.token.format(0) for frame in FRAMES)
    raise UserError(
        f"hub.model '{model}': its tokenizer has no {known} with an end; it speaks in no way that is known here"
    )


@dataclass(frozen=True, eq=False)
class CodecText:
    """Phones as the ids of a model's own text tokenizer."""

    model: str

    @cached_property
    def tokenizer(self):
        return text_tokenizer(self.model)

    @property
    def size(self) -> int:
        return len(self.tokenizer)

    def encode(self, text: str) -> torch.Tensor:
        """(X,) long."""
        return torch.tensor(self.tokenizer.encode(sized(text), add_special_tokens=False))


@dataclass(frozen=True, eq=False)
class Codec:
    """NeuCodec, or another codec of one codebook that transformers knows: tokenizer and decoder in one."""

    name: str
    device: torch.device

    @cached_property
    def net(self):
        from transformers import AutoModel

        return pretrained("codec", AutoModel.from_pretrained, self.name).to(self.device).eval()

    @cached_property
    def features(self):
        from transformers import AutoFeatureExtractor

        return pretrained("codec", AutoFeatureExtractor.from_pretrained, self.name)

    @cached_property
    def config(self):
        from transformers import AutoConfig

        return pretrained("codec", AutoConfig.from_pretrained, self.name)

    @property
    def codes(self) -> int:
        return math.prod(self.config.quantization_levels)

    @property
    def rate(self) -> float:
        return HEARD / self.config.encoder_hop_length

    @property
    def sample_rate(self) -> int:
        return getattr(self.config, "output_sampling_rate", HEARD)

    @torch.no_grad()
    def encode(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Codes of each sound, one at a time: padding would reach into what a sound is compared with."""
        rows = []
        for sound in heard(sounds, self.sample_rate):
            inputs = self.features(audio=sound.numpy(), sampling_rate=HEARD, return_tensors="pt").to(self.device)
            row = self.net.encode(**inputs).audio_codes.flatten().long().cpu()
            rows.append(row[: max(1, round(len(sound) * self.rate / HEARD))])
        return rows

    @torch.no_grad()
    def speak(self, codes: Sequence[torch.Tensor], voices: torch.Tensor, seeds: Sequence[int]) -> list[torch.Tensor]:
        """Sounds; the voice is in the codes, and nothing is drawn."""
        return [
            self.net.decode(row.view(1, 1, -1).to(self.device)).audio_values.flatten().float().cpu() for row in codes
        ]


def parts(released: Released, device: torch.device) -> tuple:
    """Text and speech tokenizer, decoder; there is no x-vector."""
    codec = Codec(released.codec, device)
    return CodecText(released.model), codec, codec, None
