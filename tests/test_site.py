"""The listening page: figures from the tables, clips at one level, hostile text as text, and one player for all."""

import base64
import dataclasses
import http.client
import io
import json
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from browser import Browser, needs_chromium

from sebridge_lite.cli import main as cli
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.extras import listen
from sebridge_lite.extras.listening import levelled
from sebridge_lite.report import site, site_clips
from sebridge_lite.report.site import in_words, mp3, page_of, pitch_range
from sebridge_lite.report.site_clips import Group, Take, chosen

PARAMS = load_params(Path(__file__).parents[1] / "params" / "lite.yaml")
RATE = 16_000
HOSTILE = "</script><img src=x onerror=\"console.error('in')\"><b>{{ claims }} &amp;"
ROW = {"words_wrong": 1.0, "words": 5.0, "f0_std_st": 1.82, "heard": HOSTILE}
LAO, THAI = (("ໄປ", "go"), ("ບໍ່", "not")), (("ไป", "go"), ("น้ำ", "water"), ("", ""))


class Ears:
    """A stack that only tracks pitch, the same for every sound."""

    sample_rate = RATE

    def tracks(self, sounds):
        return [SimpleNamespace(f0=np.concatenate([np.zeros(5), np.linspace(100, 140, 40)])) for _ in sounds]


def voice(hertz: float, wobble: float, seconds: float = 0.8) -> np.ndarray:
    """A buzz whose pitch moves by `wobble` semitones."""
    times = np.arange(int(seconds * RATE)) / RATE
    pitch = hertz * 2 ** (wobble / 12 * np.sin(2 * np.pi * 2 * times))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return 0.2 * sum(np.sin(n * phase) / n for n in range(1, 12))


def take(label: str, kind: str = "ours", wobble: float = 2.0, row=ROW, alpha=None) -> Take:
    return Take(label, kind, voice(120, wobble), row, alpha)


def heard() -> dict:
    scale = [take(f"alpha {alpha:.2f}", wobble=4 * (1 - alpha), alpha=alpha) for alpha in (0.03, 0.5, 0.8, 1.0)]
    own = [take("a studio person, recorded", "people", 4), take("an engine, recorded", "engine", 1)]
    return {
        "erosion": [Group("The same sentence", "th", THAI, [*scale, *own])],
        "aligned": [Group("Sentence 1", "th", THAI, [own[0], take("SFT"), take(HOSTILE)])],
        "tdsc": [Group("Sentence 1", "lo", ((HOSTILE, HOSTILE), *LAO), [*own, take("k0, the start"), take("k1")])],
        "cloned": [Group("people-unseen-003", "lo", LAO, [take("reference", "people", row={}), take("clone")])],
        "absent": {"erosion": [], "aligned": ["DPO"], "tdsc": []},
    }


def interval(**means) -> dict:
    return {
        name + end: value + by
        for name, value in means.items()
        for end, by in (("", 0.0), ("_low", -0.01), ("_high", 0.01))
    }


def findings(profile: str = "lite", **tables) -> tuple[dict, list[dict]]:
    """A summary and claims."""
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
        interval(wer=0.02, f0_std=value, hp=8.3) | {"variant": name, "language": "th"} | counts
        for name, value in (("people", 2.8), ("engines", 1.3))
    ]
    about = {"profile": profile, "date": "2026-11-20", "commit": HOSTILE, "machine": "2 cores", "seed": 0}
    judged = {"ours": -0.2, "interval": [-0.3, -0.1], "n": 300, "seeds": 3, "verdict": "reproduced"}
    unknown = {"ours": None, "interval": None, "n": 0, "seeds": 0, "verdict": "not tested"}
    claims = [
        {"id": "C1", "claim": HOSTILE, "paper": "75 %"} | judged,
        {"id": "C2", "claim": "a peak", "paper": "10"} | unknown,
    ]
    return about | {"tables": {"table1": scale, "table3": systems, "table5": records} | tables}, claims


def page(profile: str = "lite", params=PARAMS, committed: bool = False, **tables) -> str:
    return page_of(heard(), Ears(), *findings(profile, **tables), params, committed)


@pytest.fixture(scope="module")
def whole():
    return page()


@pytest.fixture(scope="module")
def built(tmp_path_factory, whole):
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(whole, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def tab(browser, built):
    browser.viewport(1200)
    browser.errors.clear()
    browser.requests.clear()
    browser.open(built)
    return browser


def test_the_page_is_one_file_and_has_no_address_in_it(whole):
    assert len(whole) < 1_500_000
    assert "{{" not in whole.replace(HOSTILE[HOSTILE.index("{{") : HOSTILE.index("}}")], "")
    assert "<b>{{ claims" not in whole and whole.count("&lt;b&gt;{{ claims }} &amp;amp;") >= 3  # text from data is text
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)|url\((?!data:)|@import|https?://""", whole)
    assert whole.count("<audio") == whole.count('class="clip"') == 15


def test_figures_come_from_the_tables_and_their_absence_is_said(whole):
    assert "word error goes from 49.2 % (48.2 to 50.2) to 25.0 % (24.0 to 26.0)" in whole
    assert "1.80 semitones (1.79 to 1.81)" in whole  # SFT on y_real
    assert "Not in this run (profile lite): DPO." in whole
    assert "Of 2 claims: 1 reproduced, 0 not reproduced, 0 contradicted, 1 not tested." in whole
    assert "committed runs" not in whole and "committed runs" in page(committed=True)
    other = page(table1=[], table3=[], table5=[])
    assert other.count("no figures for it") > whole.count("no figures for it")
    assert "49.2" not in other


def test_clips_have_one_level_and_the_sound_that_was_given(whole):
    levels = []
    for source in re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', whole):
        sound, rate = soundfile.read(io.BytesIO(base64.b64decode(source)))
        assert rate == RATE and len(sound) == int(0.9 * RATE)
        levels.append(20 * np.log10(np.sqrt((sound[1600:-1600] ** 2).mean())))
    assert len(levels) == 15 and np.ptp(levels) < 1
    given = levelled(voice(120, 2), RATE)
    back, _ = soundfile.read(io.BytesIO(mp3(given, RATE)))
    assert np.sqrt(((back - given) ** 2).mean() / (given**2).mean()) < 0.1


def test_what_is_said_of_the_voices_and_of_the_profile_holds(whole):
    assert "Nobody on this page is a person" in whole and "Nothing on this page is evidence" not in whole
    assert "Nothing on this page is evidence" in page("smoke")
    corpus = dataclasses.replace(PARAMS.corpus, real_source="folder")
    own = page(params=dataclasses.replace(PARAMS, corpus=corpus))
    assert "Nobody on this page is a person" not in own and "only if whoever speaks in them agreed" in own


def test_sentences_are_chosen_by_place():
    texts = [SimpleNamespace(words=("w",) * words) for words in (3, 5, 4, 6, 4)]
    assert chosen(texts, 2, 4) == [1, 2]
    assert chosen(texts, 9, 4) == [1, 2, 3, 4]
    with pytest.raises(UserError, match="no sentence of 7 words"):
        chosen(texts, 1, 7)


def test_a_system_that_the_run_does_not_train_is_named_as_absent(monkeypatch):
    monkeypatch.setattr(site_clips, "recordings", lambda *_: [take("recorded", "people")])
    monkeypatch.setattr(site_clips.choose, "aligned_scores", lambda *_: (None, {}))
    monkeypatch.setattr(site_clips, "said", lambda bench, scores, places, label: [take(label) for _ in places])
    cells = SimpleNamespace(aligned=("sft",), seeds=(0,))
    text = SimpleNamespace(words=("ไป", "ฮฮฮ"))
    bench = SimpleNamespace(lang="th", params=SimpleNamespace(cells=cells), utterances=lambda _: [text] * 2)
    groups, absent = site_clips.aligned(bench, [0, 1])
    assert [[one.label for one in group.takes] for group in groups] == [["recorded", "SFT"]] * 2
    assert "DGSA" in absent and len(absent) == 3
    assert groups[0].gloss == [("ไป", "to go"), ("ฮฮฮ", "")]


def test_every_drawing_has_words_a_table_and_the_pitch_of_its_group(whole):
    labels = re.findall(r'alt="Waveform and pitch: ([^"]*)"', whole)
    assert len(labels) == 15 and set(labels) == {"0.9 s, pitch around 120 Hz, from 102 to 138 Hz"}
    assert whole.count("<summary>As a table</summary>") == 4 + 1  # a group, and the figure of erosion and repair
    assert in_words(np.zeros(3), 0.5) == "0.5 s, without pitch"
    low, high = pitch_range([np.array([0.0, 100.0, 120.0]), np.array([200.0, 0.0])])
    assert low < 12 * np.log2(100) < 12 * np.log2(200) < high
    low, high = pitch_range([np.zeros(1)])
    assert high - low > 8


def ready(project, profile: str = "lite", verdict: str = "reproduced", **tables) -> None:
    summary, claims = findings(profile, **tables)
    folder = project / "results" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    claims = [claim | {"verdict": verdict} for claim in claims]
    for name, content in (("summary", summary), ("claims", claims)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def test_publishing_a_smoke_page_is_refused_and_so_is_a_run_without_verdicts(project, capsys):
    assert cli.main(["profile", "smoke", "--force"]) == 0
    assert cli.main(["site", "--publish"]) == 1
    assert "profile smoke: too small to publish" in capsys.readouterr().err
    assert cli.main(["site"]) == 1
    assert "no verdicts yet; `sebridge claims` writes them" in capsys.readouterr().err


def test_a_page_is_kept_in_git_when_asked_and_one_too_large_replaces_nothing(project, monkeypatch):
    monkeypatch.setattr(site, "collect", lambda _: (heard(), Ears()))
    written, kept = project / "results" / "site" / "index.html", project / "results" / "site.html"
    ready(project)
    assert str(written) in site.run_site(PARAMS) and not kept.exists()
    site.run_site(PARAMS, publish=True)
    assert kept.read_bytes() == written.read_bytes() and (written.parent / "account.json").is_file()
    ready(project, "full")
    with pytest.raises(UserError, match=r"results/claims is of profile full, params\.yaml of lite"):
        site.run_site(PARAMS, publish=True)
    ready(project, table1=[])
    monkeypatch.setattr(site, "MOST", 1000)
    with pytest.raises(UserError, match=r"bytes, .* lower site\.texts or site\.people"):
        site.run_site(PARAMS, publish=True)
    assert kept.read_bytes() == written.read_bytes() and b"49.2 %" in kept.read_bytes()


def test_a_run_too_small_for_any_verdict_shows_those_of_the_committed_runs(project, monkeypatch):
    monkeypatch.setattr(site, "collect", lambda _: (heard(), Ears()))
    (project / "results").mkdir()
    (project / "results" / "claims.json").write_text(json.dumps(findings()[1]))
    for verdict, committed in (("not tested", True), ("contradicted", False)):
        ready(project, verdict=verdict)
        site.run_site(PARAMS)
        shown = (project / "results" / "site" / "index.html").read_text(encoding="utf-8")
        assert ("Verdicts of the committed runs" in shown) == committed


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
def test_a_clip_plays_under_a_moving_head_and_the_next_one_stops_it(tab):
    tab.run("clips[4].querySelector('.play').focus()")
    tab.press(" ")
    tab.until("!sound.paused && sound.currentTime > 0")
    first = tab.run(PLAYING)
    tab.until("parseFloat(head(clips[4]).style.left) > 0")
    assert tab.run("Math.abs(sound.duration - 0.9) < 0.06")  # 0.8 s and quiet edges: nothing is lost to the encoding
    tab.run("clips[6].querySelector('.play').click()")
    tab.until("!sound.paused && sound.currentTime > 0")
    assert tab.run(PLAYING) != first
    assert tab.run("document.querySelectorAll('.play[aria-pressed=true]').length") == 1
    assert tab.run("head(clips[4]).hidden && !head(clips[6]).hidden")
    tab.until("sound.ended || sound.paused")
    tab.until("current === null")
    tab.run("clips[6].querySelector('.play').click()")
    tab.until("!sound.paused")
    tab.press("Escape")
    assert tab.run("sound.paused && current === null")
    assert tab.errors == []


@needs_chromium
def test_all_of_a_card_play_in_turn(tab):
    tab.run("window.heard = []; sound.addEventListener('playing', () => heard.push(clips.indexOf(current)))")
    tab.run("document.querySelectorAll('.turn')[1].click()")
    tab.until("heard.length === 3 && current === null")
    assert tab.run("heard") == [6, 7, 8]
    tab.run("heard = []; document.querySelectorAll('.turn')[0].click()")  # the slider goes along
    tab.until("heard.length === 2 && slider.value === '1' && moved[0].hidden && !moved[1].hidden")
    tab.press("Escape")
    assert tab.run("[queue.length, current]") == [0, None]
    assert tab.errors == []


@needs_chromium
def test_the_slider_moves_by_keys_and_shows_and_plays_the_alpha_it_says(tab):
    assert tab.run("moved.map(clip => clip.hidden)") == [False, True, True, True]
    tab.run("slider.focus()")
    tab.press("ArrowRight")
    assert tab.run("moved.map(clip => clip.hidden)") == [True, False, True, True]
    assert tab.run("[slider.getAttribute('aria-valuetext'), document.getElementById('at').textContent]") == [
        "alpha 0.50",
        "0.50",
    ]
    tab.run("play(moved[1])")
    tab.until("!sound.paused && sound.currentTime > 0")
    tab.press("ArrowRight")
    tab.until("current === moved[2] && !sound.paused")
    assert tab.errors == []


@needs_chromium
def test_text_from_data_does_nothing_in_the_page(tab):
    assert tab.run("document.querySelectorAll('img[onerror], main b b').length") == 0
    assert tab.run("document.querySelectorAll('script').length") == 1
    assert tab.run("[...document.querySelectorAll('.clip b')].some(one => one.textContent.startsWith('</script>'))")
    assert tab.errors == []


@needs_chromium
def test_it_fits_a_phone_light_and_dark_loads_nothing_and_draws_thai_and_lao(tab, built):
    paper = []
    for dark in (False, True):
        tab.viewport(360, dark=dark)
        tab.open(built)
        tab.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
        paper.append(tab.run("getComputedStyle(document.body).backgroundColor"))
    assert paper[0] != paper[1]
    assert tab.run("document.fonts.ready.then(() => [...document.fonts].map(font => font.status))") == ["loaded"] * 2
    assert {address.partition(":")[0] for address in tab.requests} <= {"file", "data", "blob"}
    assert {address for address in tab.requests if address.startswith("file")} == {built.as_uri()}
    assert tab.errors == []


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
