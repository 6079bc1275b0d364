"""Make a listening test by the paper's protocol (D.4, E.3): double blind, every rater hears every system say every text.

    FOLDER/page.html     the whole test in one file, to hand out: no network, no names of systems, ratings saved as JSON Lines
    FOLDER/test.json     the same for the notebook, with FOLDER/clips/ID.wav
    FOLDER/key.json      what each clip is; stays with you
    FOLDER/ratings/      where ratings are gathered, RATER.jsonl

Three tasks: naturalness (nmos), likeness of the speaker to a reference (smos), and which of two is more natural (ab, of
neighbours in the list of systems). Each has gold trials, whose right answer leaves no doubt. Left out: instructions in Thai and
Lao; a server that gathers the ratings.
"""

import base64
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.stack.features import SAMPLE_RATE

RECORDED, BROKEN, REFERENCE = "recorded", "gold: broken", "gold: reference"
LOUD, PEAK, EDGE = 0.06, 0.9, 0.05  # level of speech, the most a sample may be, seconds of silence around
TASKS = {
    "nmos": {
        "question": "How natural does this speech sound?",
        "names": ["sample"],
        "scale": ["bad", "poor", "fair", "good", "excellent"],
    },
    "smos": {
        "question": "Is the sample spoken by the person of the reference? Judge the voice, not the words or the quality.",
        "names": ["reference", "sample"],
        "scale": ["certainly another", "probably another", "hard to say", "probably the same", "certainly the same"],
    },
    "ab": {
        "question": "Which one sounds more natural?",
        "names": ["first", "second"],
        "scale": ["the first", "the second"],
    },
}


@dataclass(frozen=True, eq=False)
class Item:
    """One text: `spoken` by each system and RECORDED, (N,) at 16 kHz, and a reference of the same speaker's other speech."""

    name: str
    text: str
    reference: np.ndarray
    spoken: Mapping[str, np.ndarray]


def levelled(sound: np.ndarray) -> np.ndarray:
    """The sound at the level of all others, by its loud frames, with silent edges; so a system's level says nothing."""
    sound = np.asarray(sound, dtype=float)
    frames = np.pad(sound, (0, -len(sound) % 320)).reshape(-1, 320)
    power = (frames**2).mean(1)
    if power.any():
        sound = sound * LOUD / np.sqrt(power[power > power.max() / 1000].mean())
        sound = sound * min(1.0, PEAK / np.abs(sound).max())
    return np.pad(sound, int(EDGE * SAMPLE_RATE))


def broken(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drowned in noise of twice its level: whoever calls this natural was not listening."""
    return sound + rng.normal(size=len(sound)) * 2 * np.sqrt((sound**2).mean())


def wav(sound: np.ndarray) -> bytes:
    """Not FLAC, half as large: Chromium sometimes fails to rewind a short one."""
    out = io.BytesIO()
    soundfile.write(out, sound, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


class _Clips:
    """Sounds under names that say nothing, drawn in an order that says nothing."""

    def __init__(self, seed: int):
        self.sounds, self.systems, self.rng = {}, {}, rng_of(seed, "listening")

    def name(self, letter: str) -> str:
        return letter + self.rng.bytes(6).hex()

    def add(self, sound: np.ndarray, system: str) -> str:
        clip = self.name("c")
        self.sounds[clip], self.systems[clip] = wav(levelled(sound)), system
        return clip


def trials_of(items: Sequence[Item], gold: int, clips: _Clips) -> tuple[list[dict], dict, dict]:
    """All trials without an order; and for the key the item of each, and the right answers of the gold ones."""
    trials, item_of, right = [], {}, {}

    def add(item: Item, task: str, *heard: str) -> str:
        trial = clips.name("t")
        trials.append({"id": trial, "task": task, "text": item.text, "clips": list(heard)})
        item_of[trial] = item.name
        return trial

    for place, item in enumerate(items):
        said = {system: clips.add(sound, system) for system, sound in item.spoken.items()}
        reference = clips.add(item.reference, REFERENCE)
        for clip in said.values():
            add(item, "nmos", clip)
            add(item, "smos", reference, clip)
        for pair in itertools.pairwise(said.values()):
            add(item, "ab", *pair)
        if place < gold:
            worse = clips.add(broken(item.spoken[RECORDED], rng_of("broken", item.name)), BROKEN)
            right[add(item, "nmos", worse)] = [1, 2]
            right[add(item, "smos", reference, clips.add(item.reference, REFERENCE))] = [4, 5]
            right[add(item, "ab", said[RECORDED], worse)] = [said[RECORDED]]
    return trials, item_of, right


def page_of(test: dict, sounds: Mapping[str, bytes]) -> str:
    """The page: a template with the test in it, as JSON in which no '<' can end the script."""
    sources = {
        clip: "data:audio/wav;base64," + base64.b64encode(sound).decode() for clip, sound in sorted(sounds.items())
    }
    data = json.dumps(test | {"sounds": sources}, ensure_ascii=False).replace("<", "\\u003c")
    template = Path(__file__).with_name("listening_page.html").read_text(encoding="utf-8")
    return template.replace("__TEST__", data)


def make_test(folder: Path, items: Sequence[Item], gold: int, lang: str, title: str, seed: int) -> dict:
    """Writes a test into `folder` and returns what raters get; the same input makes the same files."""
    if not items or gold > len(items):
        raise UserError(f"a listening test of {len(items)} texts with {gold} gold ones: give more texts, or less gold")
    clips = _Clips(seed)
    trials, item_of, right = trials_of(items, gold, clips)
    trials.sort(key=lambda trial: trial["id"])  # ids are random, so this order says nothing
    sounds = [clips.sounds[clip].hex() for clip in sorted(clips.sounds)]
    test = {"test": key_of(trials, sounds), "title": title, "lang": lang, "tasks": TASKS, "trials": trials}
    key = {"test": test["test"], "seed": seed, "clips": clips.systems, "items": item_of, "gold": right}
    refuse_other_ratings(folder, test["test"])
    files = {"test.json": test, "key.json": key}
    texts = {name: json.dumps(value, ensure_ascii=False, indent=1) + "\n" for name, value in files.items()}
    for name, text in (texts | {"page.html": page_of(test, clips.sounds)}).items():
        with paths.replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    with paths.replacing(folder / "clips") as temporary:
        temporary.mkdir()
        for clip, sound in clips.sounds.items():
            (temporary / f"{clip}.wav").write_bytes(sound)
    return test


def refuse_other_ratings(folder: Path, test: str) -> None:
    """Ratings without their key are lost, so a test with ratings is not replaced by another."""
    old = load(folder, "test.json")["test"] if (folder / "test.json").is_file() else test
    if old != test and any((folder / "ratings").glob("*.jsonl")):
        raise UserError(f"{folder}: holds ratings of test {old}; make the new test in another folder")


def load(folder: Path, name: str) -> dict:
    """`test.json` or `key.json` of a test."""
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder / name}: not there; `sebridge rate make {folder}` makes a test") from None
    except ValueError as error:
        raise UserError(f"{folder / name}: not JSON ({error}); restore it, or make the test again") from None
