"""The listening page: figures from the tables, clips at one level, hostile text as text, and one player for all."""

import http.client
import json
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from browser import Browser, needs_chromium

from sebridge_lite.cli import main as cli
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.extras import listen
from sebridge_lite.report import site
from sebridge_lite.report.site import Group, Take, page_of

PARAMS = load_params(Path(__file__).parents[1] / "params" / "lite.yaml")
RATE = 16_000
HOSTILE = "</script><img src=x onerror=\"console.error('in')\"><b>{{ claims }} &amp;"
ROW = {"words_wrong": 1.0, "words": 5.0, "f0_std_st": 1.82, "heard": HOSTILE}
LAO, THAI = (("ໄປ", "go"), ("ບໍ່", "not")), (("ไป", "go"), ("น้ำ", "water"), ("", ""))


class Ears:
    """A stack that only tracks pitch, the same for every sound."""

    sample_rate = RATE

    def tracks_of_each(self, sounds):
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
    judged = {
        "source": "results/scaling/table1.csv",
        "ours": -0.2,
        "interval": [-0.3, -0.1],
        "n": 300,
        "seeds": 3,
        "verdict": "reproduced",
    }
    unknown = {
        "source": "results/scaling/table1.csv",
        "ours": None,
        "interval": None,
        "n": 0,
        "seeds": 0,
        "verdict": "not tested",
    }
    claims = [
        {"id": "C1", "claim": HOSTILE, "paper": "75 %"} | judged,
        {"id": "C2", "claim": "a peak", "paper": "10"} | unknown,
    ]
    return about | {"sources": {}, "tables": {"table1": scale, "table3": systems, "table5": records} | tables}, claims


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
    assert (
        "Of 2 claims: 1 reproduced, 0 mixed, 0 not reproduced, 0 contradicted, 0 not testable here, 1 not tested."
        in whole
    )
    kept = page(committed=True)  # then the evidence's figures stand beside this run's sounds
    assert "committed runs" not in whole and "committed runs" in kept and "49.2 % (48.2" not in kept
    other = page(table1=[], table3=[], table5=[])
    assert other.count("no figures for it") > whole.count("no figures for it")
    assert "49.2" not in other


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


@pytest.mark.parametrize(("verdict", "shown"), [("reproduced", False), ("not testable here", True)])
def test_a_run_that_judges_nothing_shows_the_committed_verdicts(project, monkeypatch, verdict, shown):
    monkeypatch.setattr(site, "collect", lambda params: (heard(), Ears()))
    monkeypatch.setattr(site, "evidence_claims", lambda: findings()[1])
    monkeypatch.setattr(site, "evidence", lambda: findings()[0])
    ready(project, verdict=verdict)
    site.run_site(PARAMS)
    page = (project / "results" / "site" / "index.html").read_text(encoding="utf-8")
    assert ("Figures and verdicts are of the committed runs" in page) is shown


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
