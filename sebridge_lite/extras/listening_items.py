"""What a listening test is made of: test texts, their readers' recordings, and the systems' speech in those readers' voices.

Left out: systems that say other texts, and Lao, whose TDSC policies have a bench of their own.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.experiments import alignment
from sebridge_lite.experiments.policies import DESIGNS, Bench, policy, prepared
from sebridge_lite.extras.listening import RECORDED, Item, make_test
from sebridge_lite.measure.evaluate import Scores, speak
from sebridge_lite.measure.scoring import load_sounds
from sebridge_lite.stack.features import SAMPLE_RATE


def places_of(bench: Bench, texts: int, seconds: float) -> dict[int, list[int]]:
    """Test texts whose reader has `seconds` of other speech in the test set: place of each, and places of that speech."""
    utterances, found = bench.sets["test"], {}
    for place, own in enumerate(utterances):
        other = [i for i, u in enumerate(utterances) if u.speaker == own.speaker and i != place]
        if sum(utterances[i].seconds for i in other) >= seconds and len(found) < texts:
            found[place] = other
    if len(found) < texts:
        raise UserError(
            f"test set: {texts} texts asked for, {len(found)} have {seconds:g} s of their reader's other speech; lower "
            "listening.texts"
        )
    return found


def scores_of(bench: Bench, name: str, seed: int, params: Params) -> Scores:
    """A system's scores on test: a policy of the scaling study by its arm, else a system of Tables 3 and 7."""
    find = policy if name.partition("-")[0] in DESIGNS else alignment.system
    return find(bench, name, seed, params)[0]


def said_by(bench: Bench, scores: Scores, places: Sequence[int], seed: int) -> list[np.ndarray]:
    """A system's first sample of each text, in its reader's voice, as the judges heard it."""
    utterances = [bench.sets["test"][place] for place in places]
    rows = [int((scores.table["id"] == utterance.id).to_numpy().argmax()) for utterance in utterances]
    timbres = bench.stack.timbres(load_sounds(utterances, bench.folder))
    noises = [seed_of(seed, "sound", utterance.id, 0) for utterance in utterances]
    return [sound.numpy() for sound in speak(bench.stack, [scores.codes[row] for row in rows], timbres, noises)]


def items_of(
    bench: Bench, systems: Sequence[str], texts: int, reference_seconds: float, seed: int, params: Params
) -> list[Item]:
    """So many test texts, as recorded and as said by each of `systems`; a system that is not there is made."""
    found = places_of(bench, texts, reference_seconds)
    recorded = [sound.numpy() for sound in load_sounds(bench.sets["test"], bench.folder)]
    said = {RECORDED: [recorded[place] for place in found]}
    for name in systems:
        said[name] = said_by(bench, scores_of(bench, name, seed, params), list(found), seed)
    frames = int(reference_seconds * SAMPLE_RATE)
    return [
        Item(
            bench.sets["test"][place].id,
            bench.sets["test"][place].text,
            np.concatenate([recorded[i] for i in other])[:frames],
            {name: sounds[row] for name, sounds in said.items()},
        )
        for row, (place, other) in enumerate(found.items())
    ]


def make_from(params: Params, folder: Path, seed: int) -> str:
    """`sebridge rate make`: a test of the systems in `params.listening`; says what to do with it."""
    p, bench = params.listening, prepared(params)
    items = items_of(bench, p.systems, p.texts, p.reference, params.seed, params)
    test = make_test(folder, items, p.gold, bench.lang, "Listening test", seed)
    return f"{len(test['trials'])} trials; hand out {folder / 'page.html'}, keep {folder / 'key.json'}"
