"""The stage `confirm` on tiny random parts: which texts it asks, at which temperatures, and that it keeps nothing from before."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
from tiny import ROOT, tiny_config, tiny_lm, tiny_stack

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.core.study_params import ConfirmParams
from sebridge_lite.experiments import confirm
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.score import score_policy
from sebridge_lite.studio.texts import load_language, sentences, text_of

SMOKE = load_params(ROOT / "params" / "smoke.yaml")
PARAMS = replace(
    SMOKE,
    sampling=replace(SMOKE.sampling, min_ratio=0.3, max_ratio=0.6),
    corpus=replace(SMOKE.corpus, test_texts=3, unseen_people=2),
    tdsc=replace(SMOKE.tdsc, candidates=2, temperatures=(0.8, 1.0), curve_texts=2),
    confirm=ConfirmParams(texts=4, align=("sft", "dgsa"), tdsc=("sft", "best-of-12", "tdsc")),
)


@pytest.fixture(scope="module")
def stack():
    return tiny_stack(["th", "lo"])


@pytest.fixture(autouse=True)
def asked(stack, monkeypatch, tmp_path):
    """Policies that lie nowhere and choices that nobody made; gives what was scored: language, temperature, texts."""
    model = tiny_lm(tiny_config(stack.text.size))
    heard = []

    def bench_of(params, lang="lo"):
        bench = Bench(params, lang)
        bench.__dict__ |= {"stack": stack, "silence": [], "floor": 0.1}
        return bench

    def scored(bench, policy, method, seed, heat):
        heard.append((bench.lang, heat, [text.text for text in bench.utterances("test")]))
        return score_policy(bench, policy, seed, temperature=heat)

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    monkeypatch.setattr(Bench, "policy", lambda *_: model)
    for name, stand_in in {
        "load_bench": bench_of,
        "tdsc_bench": bench_of,
        "policy_at": lambda *_: model,
        "iterations": lambda *_: [Path("nowhere")],
        "choice_of": lambda name: {"steps": 1, "temperature": 0.7 if name == "dgsa" else 1.0},
        "hottest": lambda bench: 1.2,
        "scored": scored,
    }.items():
        monkeypatch.setattr(confirm, name, stand_in)
    return heard


def test_all_systems_speak_the_texts_after_the_test_set_at_one_temperature(asked, tmp_path):
    rows = confirm.run_confirm(PARAMS)
    for lang in ("th", "lo"):
        said = [text_of(words) for words in islice(sentences(load_language(lang, PARAMS.corpus.zipf), "test", 0), 7)]
        assert all(texts == said[3:] for where, _, texts in asked if where == lang)
    assert [heat for lang, heat, _ in asked if lang == "th"] == [PARAMS.score.temperature] * 2
    assert [heat for lang, heat, _ in asked if lang == "lo"] == [PARAMS.score.temperature] * 3 + [1.2]
    table = pd.read_csv(tmp_path / "results" / "confirm" / "confirm_systems.csv")
    assert table["variant"].tolist() == ["sft", "dgsa", "sft", "best-of-12", "tdsc", "tdsc at T = 1.2"]
    assert table["n"].eq("4 x 1").all() and table["language"].tolist() == ["th"] * 2 + ["lo"] * 4
    assert set(rows["id"]) == {*confirm.ASKED["align"], *confirm.ASKED["critique"]}
    assert set(rows["verdict"]) == {"not tested"}  # four texts decide nothing
    hotter = rows[(rows["id"] == "T13") & rows["what"].str.startswith("tdsc at T = 1.2")]
    assert len(hotter) == 2 and hotter["effect"].notna().all()


def test_nothing_is_kept_from_a_run_before_and_the_same_is_said_again(asked, tmp_path):
    params = replace(PARAMS, confirm=ConfirmParams(texts=4, align=(), tdsc=("sft",)))
    first = confirm.run_confirm(params)
    stale = paths.artifacts("confirm", "lo", "critique", "s9", "tdsc")
    stale.mkdir(parents=True)
    pd.testing.assert_frame_equal(confirm.run_confirm(params), first)
    assert not stale.exists() and len(asked) == 2


def test_what_needs_tokens_of_fresh_recordings_is_refused():
    with pytest.raises(UserError, match="style-prefix needs tokens of recordings"):
        confirm.run_confirm(replace(PARAMS, confirm=replace(PARAMS.confirm, align=("sft", "style-prefix"))))


def test_your_recordings_have_no_further_texts_and_say_so(tmp_path, capsys):
    params = replace(PARAMS, corpus=replace(PARAMS.corpus, real_source="folder"))
    assert confirm.run_confirm(replace(params, roles=replace(PARAMS.roles, tdsc="none"))).empty
    assert "th has your recordings and no further texts" in capsys.readouterr().err
    for name in ("confirm", "confirm_systems"):
        assert pd.read_csv(tmp_path / "results" / "confirm" / f"{name}.csv").empty
