"""Make a listening test by the paper's protocol (D.4, E.3): double blind, every rater hears every system say every text.

    FOLDER/page.html     the whole test in one file, to hand out: no network, no names of systems, ratings saved as JSON Lines
    FOLDER/test.json     the same for the notebook, with FOLDER/clips/ID.wav
    FOLDER/key.json      what each clip is; stays with you
    FOLDER/ratings/      where ratings are gathered, RATER.jsonl

Three tasks: naturalness (nmos), likeness of the speaker to a reference (smos), and which of two is more natural (ab, of
neighbours in the list of systems). Each has gold trials, whose right answer leaves no doubt. Left out: instructions in the
raters' language; a server that gathers the ratings.
"""

import base64
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from jinja2 import Template
from jinja2.utils import htmlsafe_json_dumps

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.files import read_json
from sebridge_lite.core.hashes import key_of
from sebridge_lite.core.seeds import rng_of, seed_of
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.measure.evaluate import Scores

RECORDED, BROKEN, REFERENCE = "recorded", "gold: broken", "gold: reference"
LOUD, PEAK, EDGE = 0.06, 0.9, 0.05  # level of speech, the most a sample may be, seconds of silence around
LIKENESS = "Is the sample spoken by the person of the reference? Judge the voice, not the words or the quality."
SURE = ["certainly another", "probably another", "hard to say", "probably the same", "certainly the same"]
TASKS = {
    task: {"question": question, "names": names, "scale": scale}
    for task, question, names, scale in (
        ("nmos", "How natural does this speech sound?", ["sample"], ["bad", "poor", "fair", "good", "excellent"]),
        ("smos", LIKENESS, ["reference", "sample"], SURE),
        ("ab", "Which one sounds more natural?", ["first", "second"], ["the first", "the second"]),
    )
}
TRIAL = {"id": str, "task": str, "text": str, "clips": [str]}
TASK = {"question": str, "names": [str], "scale": [str]}
SHAPES = {
    "test.json": {"test": str, "title": str, "lang": str, "tasks": {str: TASK}, "trials": [TRIAL]},
    "key.json": {"test": str, "seed": int, "clips": {str: str}, "items": {str: str}, "gold": {str: []}},
}


@dataclass(frozen=True, eq=False)
class Item:
    """One text: `spoken` by each system and RECORDED, (N,), and a reference of the same speaker's other speech."""

    name: str
    text: str
    reference: np.ndarray
    spoken: Mapping[str, np.ndarray]


def levelled(sound: np.ndarray, rate: int) -> np.ndarray:
    """The sound at the level of all others, by its loud frames, with silent edges; so a system's level says nothing."""
    sound, frame = np.asarray(sound, dtype=float), rate // 50
    power = (np.pad(sound, (0, -len(sound) % frame)).reshape(-1, frame) ** 2).mean(1)
    if power.any():
        sound = sound * LOUD / np.sqrt(power[power > power.max() / 1000].mean())
        sound = sound * min(1.0, PEAK / np.abs(sound).max())
    return np.pad(sound, int(EDGE * rate))


def broken(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound in noise of twice its level: whoever calls this natural was not listening."""
    return sound + rng.normal(size=len(sound)) * 2 * np.sqrt((sound**2).mean())


@dataclass
class Draft:
    """A test in the making: clips under names that say nothing, trials, and what only the key may tell."""

    rate: int
    rng: np.random.Generator
    sounds: dict[str, bytes] = field(default_factory=dict)
    systems: dict[str, str] = field(default_factory=dict)  # clip: who speaks
    trials: list[dict] = field(default_factory=list)
    items: dict[str, str] = field(default_factory=dict)  # trial: its item
    gold: dict[str, list] = field(default_factory=dict)  # trial: its right answers

    def clip(self, sound: np.ndarray, system: str) -> str:
        """The name of a new clip. WAV, since Chromium sometimes fails to rewind a short FLAC."""
        name, out = "c" + self.rng.bytes(6).hex(), io.BytesIO()
        soundfile.write(out, levelled(sound, self.rate), self.rate, format="WAV", subtype="PCM_16")
        self.sounds[name], self.systems[name] = out.getvalue(), system
        return name

    def trial(self, item: Item, task: str, *clips: str, right: list | None = None) -> None:
        name = "t" + self.rng.bytes(6).hex()
        self.trials.append({"id": name, "task": task, "text": item.text, "clips": list(clips)})
        self.items[name] = item.name
        if right:
            self.gold[name] = right

    def add(self, item: Item, gold: bool) -> None:
        """All trials of one text, and the gold ones if it has them."""
        said = {system: self.clip(sound, system) for system, sound in item.spoken.items()}
        reference = self.clip(item.reference, REFERENCE)
        for clip in said.values():
            self.trial(item, "nmos", clip)
            self.trial(item, "smos", reference, clip)
        for pair in itertools.pairwise(said.values()):
            self.trial(item, "ab", *pair)
        if gold:
            worse = self.clip(broken(item.spoken[RECORDED], rng_of("broken", item.name)), BROKEN)
            self.trial(item, "nmos", worse, right=[1, 2])
            again = self.clip(item.reference, REFERENCE)
            self.trial(item, "smos", reference, again, right=[4, 5])
            self.trial(item, "ab", said[RECORDED], worse, right=[said[RECORDED]])


def said_by(bench: Bench, scores: Scores, places: Sequence[int], seed: int) -> list[np.ndarray]:
    """A system's first sample of each text, in its reader's voice, as the judges heard it."""
    utterances = [bench.utterances("test")[place] for place in places]
    rows = [int((scores.table["id"] == utterance.id).to_numpy().argmax()) for utterance in utterances]
    timbres = bench.stack.timbres(bench.stack.load(utterances, bench.folder("test")))
    noises = [seed_of(seed, "sound", utterance.id, 0) for utterance in utterances]
    return [sound.numpy() for sound in bench.stack.speak([scores.codes[row] for row in rows], timbres, noises)]


def page_of(test: dict, sounds: Mapping[str, bytes]) -> str:
    """The page to hand out: the template with the test in it, as JSON that cannot end its script."""
    data = {clip: "data:audio/wav;base64," + base64.b64encode(sound).decode() for clip, sound in sorted(sounds.items())}
    source = Path(__file__).with_name("listening_page.html").read_text(encoding="utf-8")
    whole = htmlsafe_json_dumps(test | {"sounds": data}, ensure_ascii=False)
    return Template(source, autoescape=True).render(test=whole)


def make_test(folder: Path, items: Sequence[Item], gold: int, lang: str, title: str, seed: int, rate: int) -> dict:
    """What raters get of a test that is now in `folder`; the same input makes the same files."""
    if folder.exists() and not (folder / "test.json").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: holds something else; make the test in a new folder")
    if not items or gold > len(items):
        raise UserError(f"a listening test of {len(items)} texts with {gold} gold ones: give more texts, or less gold")
    draft = Draft(rate, rng_of(seed, "listening"))
    for place, item in enumerate(items):
        draft.add(item, place < gold)
    trials = sorted(draft.trials, key=lambda trial: trial["id"])  # ids are random, so this order says nothing
    known = key_of(trials, [draft.sounds[clip].hex() for clip in sorted(draft.sounds)])
    test = {"test": known, "title": title, "lang": lang, "tasks": TASKS, "trials": trials}
    key = {"test": known, "seed": seed, "clips": draft.systems, "items": draft.items, "gold": draft.gold}
    old = load(folder, "test.json")["test"] if (folder / "test.json").is_file() else known
    if old != known and any((folder / "ratings").glob("*.jsonl")):  # ratings without their key are lost
        raise UserError(f"{folder}: holds ratings of test {old}; make the new test in another folder")
    files = {"test.json": test, "key.json": key}
    texts = {name: json.dumps(kept, ensure_ascii=False, indent=1) + "\n" for name, kept in files.items()}
    for name, text in (texts | {"page.html": page_of(test, draft.sounds)}).items():
        with paths.replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    with paths.replacing(folder / "clips") as temporary:
        temporary.mkdir()
        for clip, sound in draft.sounds.items():
            (temporary / f"{clip}.wav").write_bytes(sound)
    return test


def load(folder: Path, name: str) -> dict:
    """`test.json` or `key.json` of a test, whose parts belong together."""
    path, mend = folder / name, f"restore it; `sebridge rate make {folder}` makes a new test"
    found = read_json(path, mend, SHAPES[name])
    for trial in found.get("trials", ()):
        if trial["task"] not in found["tasks"] or len(trial["clips"]) != len(found["tasks"][trial["task"]]["names"]):
            raise UserError(f"{path}: damaged: trial {show(trial['id'])} is of no task that it has; {mend}")
    return found


def load_both(folder: Path) -> tuple[dict, dict]:
    """The test in `folder`, and its key, which has every clip and trial."""
    test, key = load(folder, "test.json"), load(folder, "key.json")
    if key["test"] != test["test"]:
        what = f"of test {show(key['test'])}, and test.json is {show(test['test'])}"
        raise UserError(f"{folder / 'key.json'}: {what}; restore one")
    lacking = {clip for trial in test["trials"] for clip in trial["clips"]} - key["clips"].keys()
    lacking |= {trial["id"] for trial in test["trials"]} - key["items"].keys()
    if lacking:
        raise UserError(f"{folder / 'key.json'}: does not know {show(min(lacking))} of test.json; restore it")
    return test, key
