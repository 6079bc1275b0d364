"""Synthetic speech from elsewhere, by the spec of an engine. The studio's own engines are in `studio.voices`.

    folder:NAME              the speech in data/synthetic/NAME, in any layout of `own_tables`
    flite:VOICE, espeak-ng, espeak-ng:VOICE
    NAME=command with {text} and {out}    any program; {text} is one argument, {out} the path of a WAV that it writes
    mms                      MMS-TTS from this machine's cache of weights (Thai and Lao)

What is said is kept by spec and text until a stage is done, so a stopped run goes on. Left out: a shell.
"""

import functools
import hashlib
import itertools
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import AUDIO_ERRORS, RATE, Utterance, load_audio, resample
from sebridge_lite.data.own_data import good_rows
from sebridge_lite.data.recordings import Recording, to_int16, trimmed, write_sound

TIMEOUT = 60  # seconds for one sentence
AT_ONCE = 64  # texts that an engine is asked for ahead of need
FOLDER = "folder:"
MMS, MMS_NAME = {"th": "facebook/mms-tts-tha", "lo": "facebook/mms-tts-lao"}, "mms-tts"
Text = tuple[str, Sequence[str]]  # and its words


class Engine(NamedTuple):
    """Who speaks, and the command that makes them, with {text} and {out}."""

    name: str
    command: tuple[str, ...]


@functools.cache
def _flite_voices(flite: str) -> tuple[str, ...]:
    """flite takes another voice, without a word, where it does not have the one that is asked for."""
    told = subprocess.run([flite, "-lv"], capture_output=True, text=True, timeout=TIMEOUT).stdout
    return tuple(told.partition(":")[2].split())


def engine_of(spec: str, lang: str) -> Engine:
    """The engine of a spec such as `flite:slt`, once its program is found."""
    name, given, command = spec.partition("=")
    kind, _, voice = spec.partition(":")
    if given:
        words = tuple(shlex.split(command))
        if not all(any(hole in word for word in words) for hole in ("{text}", "{out}")):
            raise UserError(f"engine '{spec}': neither a folder nor a command with {{text}} and {{out}}")
    elif kind == "flite":
        name, words = f"flite-{voice}", ("flite", "-voice", voice, "-t", "{text}", "-o", "{out}")
    elif kind == "espeak-ng":
        name = f"espeak-ng-{voice}" if voice else "espeak-ng"
        words = ("espeak-ng", "-v", voice or language(lang).voice, "-w", "{out}", "--", "{text}")
    else:
        raise UserError(f"engine '{spec}': not one of NAME=DIR, flite:VOICE, espeak-ng[:VOICE], NAME=command, mms")
    program = shutil.which(words[0])
    if program is None:
        raise UserError(f"engine '{spec}': {words[0]} is not installed; install it, or name another engine")
    if kind == "flite" and voice not in (voices := _flite_voices(program)):
        raise UserError(f"engine '{spec}': flite's voices are {', '.join(voices)}")
    return Engine(name, (program, *words[1:]))


def say(engine: Engine, text: str, wav: Path) -> np.ndarray:
    """Samples (N,) int16 at 16 kHz of a text, with little silence at the ends; `wav` is kept for the next time."""
    if not wav.is_file():
        wav.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wav.parent) as folder:  # of its own: another thread may say the same
            out, done = Path(folder, "said.wav"), None
            holes = {"{text}": text, "{out}": str(out)}  # at once: a text may hold the other
            command = [re.sub(r"\{(text|out)\}", lambda hole: holes[hole[0]], word) for word in engine.command]
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
                samples, rate = soundfile.read(out, dtype="float32", always_2d=True)
            except subprocess.TimeoutExpired:
                raise UserError(f"engine {engine.name}: no answer after {TIMEOUT} s to '{text[:60]}'") from None
            except AUDIO_ERRORS as error:
                why = done.stderr.decode(errors="replace").strip() if done else str(error)
                last = (why.splitlines() or ["without a word why"])[-1]
                raise UserError(f"engine {engine.name}: writes no sound for '{text[:60]}': {last[:120]}") from None
            if not samples.any():
                raise UserError(f"engine {engine.name}: writes silence for '{text[:60]}'; try it by hand")
            sound = trimmed(to_int16(resample(samples.mean(axis=1), rate)))
            write_sound(out, sound)
            out.replace(wav)
    return soundfile.read(wav, dtype="int16")[0]


def load_mms(lang: str) -> tuple:
    """MMS-TTS (VITS) and its tokenizer from this machine's cache of weights; nothing is ever fetched."""
    from transformers import VitsModel, VitsTokenizer

    name = MMS.get(lang, "")
    try:
        parts = [part.from_pretrained(name, local_files_only=True) for part in (VitsModel, VitsTokenizer)]
    except (OSError, ValueError):
        raise UserError(f"no weights of {name or 'MMS-TTS'} here; `hf download` fetches them (CC-BY-NC)") from None
    if parts[1].is_uroman:
        raise UserError(f"{name} reads Latin letters alone; `sebridge score-folder` takes its audio")
    return parts[0].eval(), parts[1]


def mms_sounds(texts: Iterable[Text], lang: str, seed: int) -> Iterator[np.ndarray]:
    """Each text as MMS-TTS says it; its sampling is seeded."""
    import torch

    model, tokenizer = load_mms(lang)
    torch.manual_seed(seed)
    for text, _ in texts:
        with torch.no_grad():
            sound = model(**tokenizer(text, return_tensors="pt")).waveform[0].numpy()
        yield to_int16(resample(sound, model.config.sampling_rate))


def _sounds(engine: Engine, texts: Iterable[Text], work: Path) -> Iterator[np.ndarray]:
    def of(text: Text) -> np.ndarray:
        key = hashlib.sha256("\n".join([*engine.command, text[0]]).encode()).hexdigest()[:24]
        return say(engine, text[0], work / f"{key}.wav")

    texts = iter(texts)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while chunk := list(itertools.islice(texts, AT_ONCE)):
            yield from pool.map(of, chunk)


def spoken(spec: str, texts: Iterable[Text], lang: str, work: Path, seed: int = 0) -> Iterator[Recording]:
    """Each text as an engine says it, in their order; what `work` holds is not said again."""
    name = MMS_NAME if spec == "mms" else engine_of(spec, lang).name
    texts, again = itertools.tee(texts)
    sounds = mms_sounds(texts, lang, seed) if spec == "mms" else _sounds(engine_of(spec, lang), texts, work)
    for index, ((text, words), samples) in enumerate(zip(again, sounds, strict=False)):
        seconds = len(samples) / RATE
        said = Utterance(f"{lang}-{name}-{index:06d}", text, tuple(words), lang, name, "engine", name, "", seconds)
        yield Recording(said, samples, None)


def loaded(utterances: Iterable[Utterance], folder: Path, lang: str, engine: str = "") -> Iterator[Recording]:
    """Recordings of a folder, as one engine's or as people's."""
    kind, prefix = "engine" if engine else "recording", f"{lang}-{engine or 'real'}"
    for utterance in utterances:
        samples = to_int16(load_audio(utterance, folder))
        words = utterance.words or language(lang).segment(utterance.text)
        made = replace(utterance, id=f"{prefix}-{utterance.id}", lang=lang, words=words, kind=kind, engine=engine)
        yield Recording(replace(made, seconds=len(samples) / RATE, truth=None), samples, None)


def folder_recordings(folder: Path, lang: str, engine: str = "", skip_bad: bool = False) -> Iterator[Recording]:
    """The recordings of a folder that `sebridge check-data` accepts."""
    yield from loaded(good_rows(folder, lang, skip_bad), folder, lang, engine)


def in_turn(queues: Sequence[Iterator[Recording]]) -> Iterator[Recording]:
    """The recordings of all engines, one of each at a time."""
    for turn in itertools.zip_longest(*queues):
        yield from (recording for recording in turn if recording is not None)


def engine_folders(folder: Path) -> list[str]:
    """The specs of all engines of `data/synthetic/ENGINE/`."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not names:
        raise UserError(f"{folder}: no engine folders; put each engine's audio and table into a folder named after it")
    return [FOLDER + name for name in names]
