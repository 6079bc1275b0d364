"""CosyVoice2 and 3 as they are published: one folder, whose parts are read when they are first used.

    CosyVoice-BlankEN/            Qwen2's text tokenizer (and config.json, which `lm.released` reads)
    speech_tokenizer_v2.onnx      sound to speech tokens; v3 in CosyVoice3
    campplus.onnx                 a recording to its x-vector
    flow.pt, hift.pt              tokens to sound: the installed package `cosyvoice` reads these, nothing here does
    llm.pt, thai_tts.pt ...       the text-speech LM: `lm.released`

The flow is told the x-vector alone, no prompt. Left out: the text frontends of the package, instructions, TensorRT and vLLM.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.characters import sized
from sebridge_lite.stack.hub import APART, HEARD, Released, heard, pretrained

LONGEST = 30  # seconds: longer recordings get no tokens from the ONNX file, and no word that says so
SIGNS = re.findall(  # what CosyVoice2 adds to Qwen2's tokenizer, in this order
    r"\S+",
    "<|im_start|> <|im_end|> <|endofprompt|> [breath] <strong> </strong> [noise] [laughter] [cough] [clucking] [accent] "
    "[quick_breath] <laughter> </laughter> [hissing] [sigh] [vocalized-noise] [lipsmack] [mn]",
)
PROMPT = "You are a helpful assistant.<|endofprompt|>"  # before every text of CosyVoice3, which was trained with it


@dataclass(frozen=True, eq=False)
class QwenText:
    """Text as Qwen2's ids. CosyVoice3 begins each with a prompt, whose 8 ids count in `sampling.min_ratio`, too."""

    folder: Path
    third: bool

    @cached_property
    def tokenizer(self):
        from transformers import AutoTokenizer

        found = pretrained("text tokenizer", AutoTokenizer.from_pretrained, str(self.folder / "CosyVoice-BlankEN"))
        found.add_special_tokens({"additional_special_tokens": SIGNS})
        return found

    @property
    def size(self) -> int:
        return len(self.tokenizer)

    def encode(self, text: str) -> torch.Tensor:
        """(X,) long."""
        return torch.tensor(self.tokenizer(PROMPT * self.third + sized(text)).input_ids)


def session(path: Path):
    """An ONNX file, ready to run."""
    if not path.is_file():
        raise UserError(f"{path}: not there; the folder of a released CosyVoice holds it")
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path.name}: needs onnxruntime; `pip install 'sebridge_lite[hub]'` brings it") from None
    try:
        return onnxruntime.InferenceSession(str(path), providers=onnxruntime.get_available_providers())
    except Exception as error:  # onnxruntime has no common class for its errors
        raise UserError(f"{path}: not a whole ONNX file ({str(error)[:80]}); copy it again") from None


@dataclass(frozen=True, eq=False)
class OnnxTokenizer:
    """S3's tokenizer: 25 tokens a second out of 6,561."""

    folder: Path
    rate_in: int
    codes = 6_561
    rate = 25

    @cached_property
    def net(self):
        files = sorted(self.folder.glob("speech_tokenizer_v*.onnx"))
        return session(files[-1] if files else self.folder / "speech_tokenizer_v2.onnx")

    @cached_property
    def mel(self):
        from transformers import WhisperFeatureExtractor

        return WhisperFeatureExtractor(feature_size=128)

    def encode(self, sounds: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        rows, names = [], [given.name for given in self.net.get_inputs()]
        for place, sound in enumerate(heard(sounds, self.rate_in)):
            if len(sound) > LONGEST * HEARD:
                raise UserError(f"recording {place}: {len(sound) / HEARD:.0f} s; the tokenizer takes {LONGEST}: cut it")
            mel = self.mel(sound.numpy(), sampling_rate=HEARD, return_tensors="np", padding="do_not_pad")
            mel = mel.input_features
            length = torch.tensor([mel.shape[2]], dtype=torch.int32).numpy()
            (tokens,) = self.net.run(None, dict(zip(names, (mel, length), strict=True)))
            rows.append(torch.from_numpy(tokens.flatten()).long())
        return rows


@dataclass(frozen=True, eq=False)
class Campplus:
    """The x-vector of a recording at 16 kHz, (192,), of Kaldi's filter banks."""

    folder: Path

    @cached_property
    def net(self):
        return session(self.folder / "campplus.onnx")

    def __call__(self, sound: torch.Tensor) -> torch.Tensor:
        from torchaudio.compliance.kaldi import fbank

        banks = fbank(sound[None], num_mel_bins=80, dither=0, sample_frequency=HEARD)
        banks = (banks - banks.mean(0))[None].numpy()
        return torch.from_numpy(self.net.run(None, {self.net.get_inputs()[0].name: banks})[0]).flatten()


@dataclass(frozen=True, eq=False)
class OfficialDecoder:
    """Flow and vocoder by the package that its authors publish."""

    folder: Path
    device: torch.device
    timbre: int = 192
    sample_rate: int = 24_000

    @cached_property
    def model(self):
        try:
            from cosyvoice.cli.cosyvoice import AutoModel
        except ImportError as error:
            raise UserError(
                f"hub: sound of {self.folder} needs the package cosyvoice, whose flow and vocoder are nowhere else ({error}); "
                "install it from its repository, and put its third_party/Matcha-TTS on PYTHONPATH"
            ) from None
        return AutoModel(model_dir=str(self.folder)).model

    @torch.no_grad()
    def speak(self, codes: Sequence[torch.Tensor], voices: torch.Tensor, seeds: Sequence[int]) -> list[torch.Tensor]:
        sounds, nothing = (
            [],
            {"prompt_token": torch.zeros(1, 0, dtype=torch.int32), "prompt_feat": torch.zeros(1, 0, 80)},
        )
        for row, voice, seed in zip(codes, voices[:, -self.timbre :] / APART, seeds, strict=True):
            torch.manual_seed(seed)
            self.model.hift_cache_dict["one"] = None  # as for a sentence that is not streamed
            how = {"token_offset": 0, "uuid": "one", "finalize": True}
            sound = self.model.token2wav(token=row[None].int(), embedding=voice[None], **nothing, **how)
            sounds.append(sound.flatten().float().cpu())
        return sounds


def parts(released: Released, device: torch.device) -> tuple:
    """Text and speech tokenizer, decoder, and what gives the x-vector."""
    folder = Path(released.model)
    if not folder.is_dir():
        raise UserError(f"hub.model '{released.model}': no such folder; cosyvoice2 is read from a local copy")
    decoder, third = OfficialDecoder(folder, device), bool(list(folder.glob("cosyvoice3.yaml")))
    return QwenText(folder, third), OnnxTokenizer(folder, decoder.sample_rate), decoder, Campplus(folder)
