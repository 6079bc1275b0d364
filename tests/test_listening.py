"""A listening test as it is made, answered by made-up raters and in a browser, read and analysed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from browser import Browser, needs_chromium, soon

from sebridge_lite.core.errors import UserError
from sebridge_lite.extras.listening import RECORDED, TASKS, Item, levelled, make_test
from sebridge_lite.extras.listening_items import places_of
from sebridge_lite.extras.rating import analyse, read_ratings, simulate, write_ratings
from sebridge_lite.extras.ratings import by_people

RATE = 16_000
SYSTEMS = (RECORDED, "additive-0.80", "dgsa")
QUALITY = dict(zip(SYSTEMS, (4.5, 2.5, 3.5), strict=True))
TEXT = "<b>ภาษา</b></script><script>alert(1)</script>"


def make(folder, texts: int, gold: int, seed: int = 0) -> dict:
    rng, items = np.random.default_rng(0), []
    for number in range(texts):
        sounds = 0.1 * rng.normal(size=(4, int(RATE * 0.15)))
        items.append(Item(f"th-test-{number}", TEXT, sounds[3], dict(zip(SYSTEMS, sounds, strict=False))))
    return make_test(folder, items, gold, "th", "A <i>test</i>", seed, RATE)


@pytest.fixture
def folder(tmp_path):
    make(tmp_path / "test", 8, 2)
    return tmp_path / "test"


def read(folder, name: str) -> dict:
    return json.loads((folder / name).read_text())


def test_every_rater_hears_every_system_say_every_text(folder):
    test, key = read(folder, "test.json"), read(folder, "key.json")
    plain = [trial for trial in test["trials"] if trial["id"] not in key["gold"]]
    heard = [(t["task"], key["items"][t["id"]], *(key["clips"][clip] for clip in t["clips"])) for t in plain]
    assert len(set(heard)) == len(heard) == 8 * (3 + 3 + 2)
    assert len(key["gold"]) == 2 * 3
    assert {task for task, *_ in heard} == set(TASKS)


def test_nothing_that_raters_get_names_a_system(folder):
    handed_out = [(folder / name).read_text() for name in ("test.json", "page.html")]
    handed_out += [path.name for path in (folder / "clips").iterdir()]
    for word in (*SYSTEMS, "gold", "th-test", "engine", "people", "key.json"):
        assert not [text for text in handed_out if word in text.replace("I recorded", "")], word
    bare = [path.read_bytes() for path in (folder / "clips").iterdir()]
    assert not [sound for sound in bare if b"dgsa" in sound or b"additive" in sound]


def test_all_clips_have_one_level(folder):
    levels = []
    for path in (folder / "clips").iterdir():
        sound, rate = soundfile.read(path)
        levels.append(20 * np.log10(np.sqrt((sound[1600:-1600] ** 2).mean())))
        assert rate == RATE
    assert np.ptp(levels) < 1
    assert np.abs(levelled(np.zeros(0), RATE)).max() == 0  # a system that said nothing


def test_a_reference_is_other_speech_of_the_same_reader():
    said = [("a", 2.0), ("b", 1.0), ("a", 3.5), ("b", 4.0), ("c", 9.0)]
    texts = [SimpleNamespace(speaker=who, seconds=long) for who, long in said]
    bench = SimpleNamespace(utterances=lambda name: texts)
    assert places_of(bench, 2, 3.0) == {0: [2], 1: [3]}
    with pytest.raises(UserError, match="3 texts asked for, 2 have 3 s of their reader's other speech"):
        places_of(bench, 3, 3.0)


def test_analysis_finds_what_simulated_raters_were_given_and_drops_the_careless(tmp_path):
    make(tmp_path / "test", 8, 8)
    write_ratings(tmp_path / "all.jsonl", simulate(tmp_path / "test", QUALITY, 20, 0, careless=3))
    found = analyse(tmp_path / "test", [tmp_path / "all.jsonl"])
    left_out = found["raters"].loc[~found["raters"]["kept"], "rater"].tolist()
    assert left_out == [f"simulated-{n:03d}" for n in (17, 18, 19)]
    for task in ("nmos", "smos"):
        assert found[task]["system"].tolist() == [RECORDED, "dgsa", "additive-0.80"]
        assert (found[f"{task}_differences"]["t_p"] < 0.05).all()
    best = found["preferences"].set_index(["one", "other"])["over_half"]
    assert best["additive-0.80", "dgsa"] < -0.2 < 0.2 < best["additive-0.80", RECORDED] * -1
    assert (found["agreement"]["alpha"] > 0.3).all()


def test_simulated_ratings_say_so_in_every_row_and_table_and_enter_no_claim(folder, tmp_path):
    rows = simulate(folder, QUALITY, 4, 0)
    assert all(row["simulated"] is True for row in rows)
    write_ratings(tmp_path / "all.jsonl", rows)
    ratings, _ = read_ratings(folder, [tmp_path / "all.jsonl"])
    with pytest.raises(UserError, match="simulated"):
        by_people(ratings)
    tables = analyse(folder, [tmp_path / "all.jsonl"])
    assert all(table["simulated"].all() for table in tables.values())
    write_ratings(tmp_path / "mine.jsonl", [row | {"rater": "me", "simulated": False} for row in rows[:1]])
    with pytest.raises(UserError, match="simulated raters beside people"):
        read_ratings(folder, [tmp_path / "all.jsonl", tmp_path / "mine.jsonl"])
    with pytest.raises(UserError, match="how good is additive"):
        simulate(folder, {RECORDED: 4.0, "dgsa": 4.0}, 2, 0)


def answered(folder, task="nmos", score=3) -> dict:
    test = read(folder, "test.json")
    trial = next(trial for trial in test["trials"] if trial["task"] == task)
    row = {"test": test["test"], "rater": "me", "trial": trial["id"], "clips": trial["clips"], "score": score}
    return row | {"simulated": False}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"test": "feedfeed"}, "rated in test 'feedfeed', and this is"),
        ({"score": 6}, "score 6 is not from 1 to 5"),
        ({"score": "4"}, "not an answer as raters' files have it"),
        ({"simulated": None}, "not an answer as raters' files have it"),
        ({"trial": "t0"}, "trial 't0' with these clips is not in this test"),
        ({"clips": ["c0"]}, "with these clips is not in this test"),
        ({"clips": []}, "with these clips is not in this test"),
    ],
)
def test_a_bad_rating_gives_one_line_with_file_and_row(folder, tmp_path, change, part):
    write_ratings(tmp_path / "bad.jsonl", [answered(folder), answered(folder) | change])
    with pytest.raises(UserError) as caught:
        read_ratings(folder, [tmp_path / "bad.jsonl"])
    assert part in str(caught.value) and "bad.jsonl:2: " in str(caught.value) and "\n" not in str(caught.value)


def test_a_rater_without_gold_answers_is_named_and_left_out_and_a_file_given_twice_counts_once(folder, tmp_path):
    gold, path = read(folder, "key.json")["gold"], tmp_path / "some.jsonl"
    rows = simulate(folder, QUALITY, 3, 0)
    rows = [row for row in rows if row["rater"] != "simulated-002" or row["trial"] not in gold]
    write_ratings(path, rows)
    found = analyse(folder, [path])["raters"].set_index("rater")
    assert found.loc["simulated-002", "why"] == "no gold clip answered"
    once, twice = (read_ratings(folder, [path] * times)[0] for times in (1, 2))
    assert once.equals(twice)
    write_ratings(path, [row for row in rows if row["rater"] == "simulated-002"])
    with pytest.raises(UserError, match=r"no rater is kept \(simulated-002: no gold clip answered\)"):
        analyse(folder, [path])


def test_a_test_that_has_ratings_is_not_replaced_by_another(folder):
    (folder / "ratings").mkdir()
    write_ratings(folder / "ratings" / "me.jsonl", [answered(folder)])
    make(folder, 8, 2)
    with pytest.raises(UserError, match="holds ratings of test"):
        make(folder, 8, 2, seed=1)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A small test, opened in a browser and begun by the rater 'me'."""
    folder = tmp_path_factory.mktemp("page")
    make(folder / "test", 1, 1)
    with Browser(folder) as page:
        page.viewport(360)
        page.open(folder / "test" / "page.html")
        yield page


def begin(page, rater="me") -> None:
    page.run("document.getElementById('rater').focus()")
    page.type(rater)
    page.press("Enter")
    page.until("trial !== null || !document.getElementById('end').hidden")


def listen(page) -> None:
    """Plays every clip of the trial to its end by the keyboard."""
    for number in range(page.run("document.querySelectorAll('audio').length")):
        page.until(f"document.querySelectorAll('audio')[{number}].readyState > 3")
        page.run(f"document.querySelectorAll('audio')[{number}].focus()")
        page.press(" ")
        page.until(f"document.querySelectorAll('audio')[{number}].ended")
    page.until("!document.getElementById('answers').disabled")


@needs_chromium
def test_the_page_is_taken_by_keyboard_and_resumed_and_its_ratings_are_read(page):
    folder = page.folder / "test"
    count = len(read(folder, "test.json")["trials"])
    begin(page)
    page.press("4")
    page.run("document.getElementById('trial').requestSubmit()")  # before listening: nothing happens
    assert page.run("rows.length") == 0
    for done in range(1, count + 1):
        listen(page)
        page.press("2", "Enter")
        assert page.run("rows.length") == done
        if done == 4:
            page.open(folder / "page.html")
            begin(page)
    assert page.run("!document.getElementById('end').hidden")
    page.press("Enter")  # the button for the download has the focus
    (saved,) = soon(lambda: list(page.folder.glob("ratings-*-me.jsonl")), "the download")
    ratings, gold = read_ratings(folder, [saved])
    assert len(ratings) + len(gold) == count
    assert set(ratings.loc[ratings["task"] != "ab", "score"]) == {2}
    assert not ratings["simulated"].any()


@needs_chromium
def test_text_in_the_page_is_text_and_playing_one_clip_stops_the_other(page):
    page.open(page.folder / "test" / "page.html")
    begin(page, "reader")
    assert page.run("document.getElementById('title').textContent") == "A <i>test</i>"
    assert page.run("document.getElementById('said').textContent") == TEXT
    assert page.run("document.querySelectorAll('#said *, #title *').length") == 0
    page.run("todo = todo.filter(one => one.task === 'ab'); show()")
    page.run("document.querySelectorAll('audio')[0].loop = true; document.querySelectorAll('audio')[0].play()")
    page.run("document.querySelectorAll('audio')[1].play()")
    page.until("document.querySelectorAll('audio')[0].paused")
