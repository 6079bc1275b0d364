"""What a listening test is made of: test texts, their readers' recordings, and the systems' speech in those readers' voices.

Left out: systems that say other texts, and those of TDSC, whose language has a bench of its own.
"""

from pathlib import Path

import numpy as np

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.bench import Bench, load_bench
from sebridge_lite.extras.listening import RECORDED, Item, make_test, said_by


def places_of(bench: Bench, texts: int, seconds: float) -> dict[int, list[int]]:
    """Test texts whose reader has `seconds` of other speech in the test set: place of each, and places of that speech."""
    utterances = bench.utterances("test")
    places: dict[int, list[int]] = {}
    for place, utterance in enumerate(utterances):
        other = [i for i, u in enumerate(utterances) if u.speaker == utterance.speaker and i != place]
        if sum(utterances[i].seconds for i in other) >= seconds and len(places) < texts:
            places[place] = other
    if len(places) < texts:
        raise UserError(
            f"test set: {texts} texts asked for, {len(places)} have {seconds:g} s of their reader's other speech; lower "
            "listening.texts"
        )
    return places


def items_of(bench: Bench, params: Params) -> list[Item]:
    """So many test texts as `params.listening` asks for, as recorded and as each of its systems says them."""
    p, utterances = params.listening, bench.utterances("test")
    places = places_of(bench, p.texts, p.reference)
    recorded = [sound.numpy() for sound in bench.stack.load(utterances, bench.folder("test"))]
    said = {RECORDED: [recorded[place] for place in places]}
    for name in p.systems:
        # All speak at one temperature: a cooler one is clearer by itself.
        study, heat = ("sft", None) if name in params.cells.arms else ("align", params.score.temperature)
        scores = bench.scored(study, name, params.seed, heat)[0]
        said[name] = said_by(bench, scores, list(places), params.seed)
    frames = int(p.reference * bench.stack.sample_rate)
    return [
        Item(
            utterances[place].id,
            bench.written(utterances[place]),
            np.concatenate([recorded[i] for i in other])[:frames],
            {name: sounds[row] for name, sounds in said.items()},
        )
        for row, (place, other) in enumerate(places.items())
    ]


def make_from(params: Params, folder: Path, seed: int) -> dict:
    """What raters get of a test of the systems in `params.listening`, which is now in `folder`."""
    bench = load_bench(params)
    items = items_of(bench, params)
    return make_test(folder, items, params.listening.gold, bench.lang, "Listening test", seed, bench.stack.sample_rate)
