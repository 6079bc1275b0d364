"""S1 to S3 on made-up systems that do as the paper says, nothing, or the opposite; and the figures and tables of 11."""

import pandas as pd
import pytest
from made_up import cloned, verdicts

from sebridge_lite.measure.cloning import cloning_row
from sebridge_lite.measure.effects import systems_conditions
from sebridge_lite.measure.systems import systems

NAMES = ("th sft", "th dgsa", "lo start", "lo tdsc", "lo tdsc, Thai voice", "lo tdsc, standard")
WORLDS = {  # liveliness, word error and similarity of each of NAMES
    "reproduced": [(0.0, 0.4, 0.6), (0.6, 0.4, 0.6), (0.0, 0.4, 0.6), *[(0.5, 0.3, 0.6)] * 3],
    "not reproduced": [(0.3, 0.4, 0.0)] * 6,
    "contradicted": [
        (0.6, 0.3, -0.3),
        (0.0, 0.4, -0.3),
        (0.5, 0.3, -0.3),
        (0.0, 0.4, -0.3),
        (0.0, 0.5, -0.3),
        (0.0, 0.4, -0.3),
    ],
}


def world(of, seeds=3, texts=240):
    systems = enumerate(zip(NAMES, of, strict=True))
    return {name: [cloned(*how, [place, s], texts) for s in range(seeds)] for place, (name, how) in systems}


def judged(found):
    th = systems({name: found[f"th {name}"] for name in ("sft", "dgsa")}, 0.05)
    lo = systems({name: found[f"lo {name}"] for name in ("start", "tdsc")}, 0.05)
    return verdicts(systems_conditions(th, lo, {name: [one.table for one in rows] for name, rows in found.items()}))


@pytest.mark.parametrize("verdict", WORLDS)
def test_claims_follow_what_the_systems_do(verdict):
    assert judged(world(WORLDS[verdict])) == dict.fromkeys(("S1", "S2", "S3"), verdict)


def test_more_word_errors_than_the_start_are_no_win_however_lively():
    found = [*WORLDS["reproduced"]]
    found[1] = (0.6, 0.5, 0.6)
    assert judged(world(found)) == {"S1": "mixed", "S2": "reproduced", "S3": "reproduced"}


def test_few_texts_or_seeds_decide_nothing():
    assert set(judged(world(WORLDS["reproduced"], seeds=1)).values()) == {"not tested"}
    assert set(judged(world(WORLDS["reproduced"], texts=60)).values()) == {"not tested"}


def test_speakers_are_the_units_of_cloning():
    found = world(WORLDS["reproduced"], seeds=1)
    tables = {name: [one.table for one in rows] for name, rows in found.items()}
    about = {name: {"language": name[:2], "condition": name, "policy": name[3:7]} for name in NAMES[:4]}
    table6 = pd.DataFrame(row | cloning_row(tables[name]) for name, row in about.items())
    assert table6["above_floor"].between(0.5, 0.7).all() and (table6["speakers"] == 12).all()
