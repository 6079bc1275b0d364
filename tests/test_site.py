import base64
import http.client
import io
import json
import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from browser import Browser, needs_chromium
from sebridge_lite.report.markup import table, tag, written
from sebridge_lite.report.page_figures import in_words, scale_of
from sebridge_lite.report.site_clips import Group, Heard, Take, chosen, people_of
from sebridge_lite.report.site_page import Facts, page_of
from sebridge_lite.report.site_players import mp3

from sebridge_lite.cli import main as cli
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import alignment
from sebridge_lite.extras import listen
from sebridge_lite.extras.listening import levelled
from sebridge_lite.report import site, site_clips, site_text

ROOT = Path(__file__).parents[1]
RATE = 16_000
HOSTILE = "</script><img src=x onerror=\"console.error('in')\"><b>__CLAIMS__ &amp;"
ROW = {"words_wrong": 1.0, "words": 5.0, "f0_std_st": 1.82, "heard": HOSTILE}
LAO, THAI = (("ໄປ", "go"), ("ບໍ່", "not")), (("ไป", "go"), ("น้ำ", "water"), ("", ""))


def voice(hertz: float, wobble: float, seconds: float = 0.8) -> np.ndarray:
    """A buzz whose pitch moves by `wobble` semitones."""
    times = np.arange(int(seconds * RATE)) / RATE
    pitch = hertz * 2 ** (wobble / 12 * np.sin(2 * np.pi * 2 * times))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return 0.2 * sum(np.sin(n * phase) / n for n in range(1, 12))


def take(label: str, kind: str = "ours", wobble: float = 2.0, row=ROW, alpha=None) -> Take:
    return Take(label, kind, voice(120, wobble), row, alpha)


def heard() -> Heard:
    scale = [take(f"alpha {alpha:.2f}", wobble=4 * (1 - alpha), alpha=alpha) for alpha in (0.03, 0.5, 0.8, 1.0)]
    own = [take("a studio person, recorded", "people", 4), take("an engine, recorded", "engine", 1)]
    text = "".join(word for word, _ in THAI)
    return Heard(
        [Group("The same sentence", "th", text, THAI, [*scale, *own])],
        [Group("Sentence 1", "th", text, THAI, [own[0], take("SFT"), take(HOSTILE)])],
        [Group("Sentence 1", "lo", HOSTILE, ((HOSTILE, HOSTILE), *LAO), [*own, take("k0, the start"), take("k1")])],
        [Group("people-unseen-003", "lo", "", LAO, [take("reference", "people", row={}), take("clone")])],
        {"erosion": [], "aligned": ["DPO"], "tdsc": []},
    )  # fmt: skip


def interval(**means) -> dict:
    return {
        name + end: value + by
        for name, value in means.items()
        for end, by in (("", 0.0), ("_low", -0.01), ("_high", 0.01))
    }


def facts(profile: str = "lite", source: str = "studio", **tables) -> Facts:
    counts = {"texts": 300, "seeds": 3}
    scale = [
        interval(wer=0.5 - alpha / 4, f0_std=2.7 - alpha, hp=8.2, sim=0.6) | {"alpha": alpha} | counts
        for alpha in (0.03, 0.5, 0.8, 1.0)
    ]
    systems = [
        interval(wer=0.28, f0_std=1.6 + n / 5, hp=8.1) | {"variant": name} | counts
        for n, name in enumerate(("sft", "sft-real", "dgsa"))
    ]
    records = [
        interval(wer=0.02, f0_std=value) | {"variant": name, "language": "th"} | counts
        for name, value in (("people", 2.8), ("engines", 1.3))
    ]
    found = {"table1": scale, "table3": systems, "table5": records} | tables
    about = {
        "profile": profile,
        "date": "2026-11-20",
        "commit": HOSTILE,
        "machine": "2 cores",
        "seed": 0,
        "tables": found,
    }
    judged = {"ours": -0.2, "interval": [-0.3, -0.1], "n": 300, "seeds": 3, "verdict": "reproduced"}
    unknown = {"ours": None, "interval": None, "n": 0, "seeds": 0, "verdict": "not tested"}
    claims = [
        {"id": "C1", "claim": HOSTILE, "paper": "75 %"} | judged,
        {"id": "C2", "claim": "a peak", "paper": "10"} | unknown,
    ]
    beside = [{"language": "th", "system": HOSTILE, "word error, ours": "28.0 [26.0, 30.0]", "paper": 38.9}]
    params = SimpleNamespace(
        align=SimpleNamespace(arm="additive-0.80"),
        corpus=SimpleNamespace(language="th", real_source=source),
        site=SimpleNamespace(least_words=4),
        systems=SimpleNamespace(reference=3.0),
    )
    return Facts(about, claims, beside, params)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(page_of(heard(), facts()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser, built):
    browser.viewport(1200)
    browser.errors.clear()
    browser.requests.clear()
    browser.open(built)
    return browser


def elements_of(page: str) -> list[str]:
    """Names of all elements, as a reader of HTML finds them."""
    found: list[str] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda name, _: found.append(name)
    reader.feed(page)
    return found


def test_text_is_text_in_elements_and_attributes():
    made = written(tag("p", "a<b", tag("i", "&"), "c>d", None, "e", title='"<', class_="x", data_at=1, lang=None))
    assert made == '<p title="&quot;<" class="x" data-at="1">a&lt;b<i>&amp;</i>c&gt;de</p>'
    assert "img" not in elements_of(written(table(["", HOSTILE], [[HOSTILE, HOSTILE]], HOSTILE)))


def test_the_page_is_one_file_with_every_place_filled_and_no_address_in_it(built):
    page = built.read_text(encoding="utf-8")
    assert len(page) < 1_000_000
    assert not [name for name in re.findall(r"__([A-Z]+)__", page) if name != "CLAIMS"]
    assert page.count("__CLAIMS__") >= 3  # text from data fills no place
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)|url\((?!data:)|@import|https?://""", page)
    assert page.count("<audio") == page.count('class="clip"') == 15


def test_figures_come_from_the_tables_and_their_absence_is_said():
    whole = page_of(heard(), facts())
    assert "word error goes from 49.2 % (48.2 to 50.2) to 25.0 % (24.0 to 26.0)" in whole
    assert "1.80 semitones (1.79 to 1.81)" in whole  # SFT on y_real
    assert "Not in this run (profile lite): DPO." in whole
    assert "Of 2 claims: 1 reproduced, 0 not reproduced, 0 contradicted, 1 not tested." in whole
    assert "committed runs" not in whole
    other = page_of(heard(), facts(table1=[], table3=[], table5=[]))
    assert other.count(site_text.NOTHING) > whole.count(site_text.NOTHING)
    assert "49.2" not in other


def test_clips_have_one_level_and_the_sound_that_was_given(built):
    page = built.read_text(encoding="utf-8")
    levels = []
    for source in re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page):
        sound, rate = soundfile.read(io.BytesIO(base64.b64decode(source)))
        assert rate == RATE and len(sound) == int(0.9 * RATE)
        levels.append(20 * np.log10(np.sqrt((sound[1600:-1600] ** 2).mean())))
    assert len(levels) == 15 and np.ptp(levels) < 1
    given = levelled(voice(120, 2), RATE)
    back, _ = soundfile.read(io.BytesIO(mp3(given)))
    assert np.sqrt(((back - given) ** 2).mean() / (given**2).mean()) < 0.1


def test_a_policy_of_other_settings_is_named_as_missing_and_never_made(tmp_path, monkeypatch):
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    monkeypatch.setattr(site_clips, "recordings", lambda *_: [take("recorded", "people")])
    monkeypatch.setattr(site_clips, "load_scores", lambda *_: (None, {}))
    monkeypatch.setattr(site_clips, "said", lambda bench, scores, places, seed, label: [take(label) for _ in places])
    params = load_params(ROOT / "params" / "smoke.yaml")
    for name, settings in (("sft", alignment.settings_key(params)), ("dgsa", "others")):
        (tmp_path / "artifacts" / "align" / f"{name}-s0").mkdir(parents=True)
        (tmp_path / "artifacts" / "align" / f"{name}-s0" / "summary.json").write_text(
            json.dumps({"settings": settings})
        )
    utterance = SimpleNamespace(words=("ไป", "ฮฮฮ"), text="ไปฮฮฮ")
    stack = SimpleNamespace(tokenizer=SimpleNamespace(fsq=SimpleNamespace(codes=729)))
    bench = SimpleNamespace(lang="th", stack=stack, sets={"test": [utterance] * 2})
    groups, absent = site_clips.aligned(bench, [0, 1], params)
    assert [[one.label for one in group.takes] for group in groups] == [["recorded", "SFT"]] * 2
    assert absent == ["DPO", "DGSA", "SFT on y_real (ours)"]
    assert groups[0].gloss == [("ไป", "to go"), ("ฮฮฮ", "")]


def test_only_the_smallest_profile_is_called_no_evidence():
    assert "Nothing on this page is evidence" in page_of(heard(), facts("smoke"))
    assert "Nothing on this page is evidence" not in page_of(heard(), facts("full"))


def test_only_the_studios_people_are_said_to_be_nobody():
    assert "Nobody on this page is a person" in page_of(heard(), facts())
    own = page_of(heard(), facts(source="folder"))
    assert "Nobody on this page is a person" not in own and "only if whoever speaks in them agreed" in own


def test_sentences_and_people_are_chosen_by_place():
    said = [("a", 3), ("b", 5), ("a", 4), ("c", 6), ("b", 4)]
    texts = [SimpleNamespace(speaker=who, words=("w",) * words) for who, words in said]
    assert chosen(texts, 2, 4) == [1, 2]
    assert chosen(texts, 9, 4) == [1, 2, 3, 4]
    assert people_of(texts, 2, 4) == {"b": 1, "a": 2}
    assert people_of(texts, ["c", "nobody", "a"], 4) == {"c": 3, "a": 2}
    with pytest.raises(UserError, match="no sentence of 7 words"):
        chosen(texts, 1, 7)


def test_a_group_shares_one_scale_that_holds_all_of_it():
    tracks = [np.array([0.0, 100.0, 120.0]), np.array([200.0, 0.0])]
    scale = scale_of([np.full(16_000, 0.5), np.full(8_000, -0.8)], tracks, RATE)
    assert (scale.seconds, scale.peak) == (1.0, 0.8)
    heights = [scale.height(hertz) for hertz in (200, 120, 100)]
    assert 0 < heights[0] < heights[1] < heights[2] < 1
    silent = scale_of([np.zeros(160)], [np.zeros(1)], RATE)
    assert silent.high - silent.low > 8
    assert in_words(np.zeros(3), 0.5) == "0.5 s, without pitch"
    assert in_words(np.full(9, 120.0), 1) == "1.0 s, pitch around 120 Hz, from 120 to 120 Hz"


def test_every_drawing_has_words_and_a_table(built):
    page = built.read_text(encoding="utf-8")
    labels = re.findall(r'role="img" aria-label="([^"]*)"', page)
    assert len(labels) == 15 + 2 and all(len(label) > 20 for label in labels)
    assert page.count("<summary>As a table</summary>") == 4 + 1  # a group, and the figure of erosion and repair


def test_publishing_a_smoke_page_is_refused_and_so_is_a_run_without_verdicts(project, capsys):
    assert cli.main(["profile", "smoke", "--force"]) == 0
    assert cli.main(["site", "--publish"]) == 1
    assert "profile smoke: too small to publish" in capsys.readouterr().err
    assert cli.main(["site"]) == 1
    assert "summary.json: not there; `sebridge verdicts` writes it" in capsys.readouterr().err


def test_a_page_is_kept_in_git_when_asked_and_one_too_large_replaces_nothing(project, monkeypatch):
    params = load_params(ROOT / "params" / "lite.yaml")
    monkeypatch.setattr(site, "collect", lambda _: heard())
    monkeypatch.setattr(site, "facts_of", lambda _: facts())
    written, kept = project / "results" / "site" / "index.html", project / "results" / "site.html"
    assert site.run_site(params) == written and not kept.exists()
    site.run_site(params, publish=True)
    assert kept.read_bytes() == written.read_bytes()
    monkeypatch.setattr(site, "facts_of", lambda _: facts("full"))
    with pytest.raises(UserError, match=r"results/verdicts is of profile full, params\.yaml of lite"):
        site.run_site(params, publish=True)
    monkeypatch.setattr(site, "facts_of", lambda _: facts(table1=[]))
    monkeypatch.setattr(site, "MOST", 1000)
    with pytest.raises(UserError, match=r"MB, .* lower site\.texts or site\.people"):
        site.run_site(params, publish=True)
    assert kept.read_bytes() == written.read_bytes() and b"49.2 %" in kept.read_bytes()


def test_listen_says_when_there_is_no_page_and_prefers_this_runs(project, capsys):
    assert cli.main(["listen"]) == 1
    shown = capsys.readouterr().err
    assert "the page is not built; `dvc repro site` builds it" in shown and shown.count("\n") == 1
    (project / "results" / "site").mkdir(parents=True)
    (project / "results" / "site.html").write_text("kept")
    assert listen.page() == (project / "results" / "site.html", "of the committed run")
    (project / "results" / "site" / "index.html").write_text("own")
    assert listen.page()[1] == "of this run"


def test_listen_answers_this_machine_alone_with_the_page_alone(tmp_path):
    (tmp_path / "index.html").write_text("<p>ไป</p>", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("no")
    with listen.server(tmp_path / "index.html", 0) as running:
        host, port = running.server_address
        assert host == "127.0.0.1"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        answers = {}
        for path in ("/", "/secret.txt", "/../secret.txt"):
            connection = http.client.HTTPConnection(host, port, timeout=30)
            connection.request("GET", path)
            answers[path] = (reply := connection.getresponse()).status, reply.read().decode()
            connection.close()
        with pytest.raises(UserError, match=f"port {port}: .*choose another --port"):
            listen.server(tmp_path / "index.html", port)
        running.shutdown()
    assert answers["/"] == (200, "<p>ไป</p>")
    assert [status for status, _ in answers.values()] == [200, 404, 404]
    with pytest.raises(UserError, match="port 99999: not from 0 to 65535"):
        listen.server(tmp_path / "index.html", 99_999)


PLAYING = "current && current.querySelector('.play').getAttribute('aria-label')"


@needs_chromium
def test_a_clip_plays_under_a_moving_head_and_the_next_one_stops_it(page):
    page.run("clips[4].querySelector('.play').focus()")
    page.press(" ")
    page.until("!sound.paused && sound.currentTime > 0")
    first = page.run(PLAYING)
    page.until("parseFloat(head(clips[4]).style.left) > 0")
    assert page.run("Math.abs(sound.duration - 0.9) < 0.06")  # 0.8 s and quiet edges: nothing is lost to the encoding
    page.run("clips[6].querySelector('.play').click()")
    page.until("!sound.paused && sound.currentTime > 0")
    assert page.run(PLAYING) != first
    assert page.run("document.querySelectorAll('.play[aria-pressed=true]').length") == 1
    assert page.run("head(clips[4]).hidden && !head(clips[6]).hidden")
    page.until("sound.ended || sound.paused")
    page.until("current === null")
    page.run("clips[6].querySelector('.play').click()")
    page.until("!sound.paused")
    page.press("Escape")
    assert page.run("sound.paused && current === null")
    assert page.errors == []


@needs_chromium
def test_all_of_a_card_play_in_turn(page):
    page.run("window.heard = []; sound.addEventListener('playing', () => heard.push(clips.indexOf(current)))")
    page.run("document.querySelectorAll('.turn')[1].click()")
    page.until("heard.length === 3 && current === null")
    assert page.run("heard") == [6, 7, 8]
    page.run("heard = []; document.querySelectorAll('.turn')[0].click()")  # the slider goes along
    page.until("heard.length === 2 && slider.value === '1' && moved[0].hidden && !moved[1].hidden")
    page.press("Escape")
    assert page.run("[queue.length, current]") == [0, None]
    assert page.errors == []


@needs_chromium
def test_the_slider_moves_by_keys_and_shows_and_plays_the_alpha_it_says(page):
    assert page.run("moved.map(clip => clip.hidden)") == [False, True, True, True]
    page.run("slider.focus()")
    page.press("ArrowRight")
    assert page.run("moved.map(clip => clip.hidden)") == [True, False, True, True]
    assert page.run("[slider.getAttribute('aria-valuetext'), document.getElementById('at').textContent]") == [
        "alpha 0.50",
        "0.50",
    ]
    page.run("play(moved[1])")
    page.until("!sound.paused && sound.currentTime > 0")
    page.press("ArrowRight")
    page.until("current === moved[2] && !sound.paused")
    lines = page.run("[...document.querySelectorAll('.panel .here')].map(line => line.getAttribute('transform'))")
    assert len(set(lines)) == 1 and "translate" in lines[0]
    assert page.errors == []


@needs_chromium
def test_text_from_data_does_nothing_in_the_page(page):
    assert page.run("document.querySelectorAll('img, main b b').length") == 0
    assert page.run("document.querySelectorAll('script').length") == 1
    assert page.run("[...document.querySelectorAll('.clip b')].some(one => one.textContent.startsWith('</script>'))")
    assert page.errors == []


@needs_chromium
def test_it_fits_a_phone_light_and_dark_loads_nothing_and_draws_thai_and_lao(page, built):
    paper = []
    for dark in (False, True):
        page.viewport(360, dark=dark)
        page.open(built)
        page.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        paper.append(page.run("getComputedStyle(document.body).backgroundColor"))
    assert paper[0] != paper[1]
    assert page.run("document.fonts.ready.then(() => [...document.fonts].map(font => font.status))") == ["loaded"] * 2
    assert {address.partition(":")[0] for address in page.requests} <= {"file", "data", "blob"}
    assert {address for address in page.requests if address.startswith("file")} == {built.as_uri()}
    assert page.errors == []


@needs_chromium
def test_without_scripts_every_clip_has_a_player_of_the_browsers_own(browser, built):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.viewport(360)
        browser.open(built)
        shown = browser.call("DOM.getDocument", depth=-1)
        assert json.dumps(shown).count('"nodeName": "AUDIO"') == 15
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_run_too_small_for_any_verdict_shows_those_of_the_committed_runs_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    (tmp_path / "results" / "verdicts").mkdir(parents=True)
    one = {"id": "C1", "verdict": "not tested"}
    monkeypatch.setattr(site, "read_table", lambda _: [])
    monkeypatch.setattr(site, "evidence_claims", lambda: [{"id": "C1", "verdict": "reproduced"}])
    for verdict, committed in (("not tested", True), ("contradicted", False)):
        for name, content in (("summary", {}), ("claims", [one | {"verdict": verdict}])):
            (tmp_path / "results" / "verdicts" / f"{name}.json").write_text(json.dumps(content))
        found = site.facts_of(None)
        assert found.committed == committed
        assert found.claims[0]["verdict"] == ("reproduced" if committed else "contradicted")
