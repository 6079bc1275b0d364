"""The loop of TDSC with tiny random parts: what it writes, that a killed one goes on, and what ends it."""

import itertools
import json
import math
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sebridge_lite.experiments.policies import Bench
from tiny import CODES, tiny_stack

from sebridge_lite.align import critic
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import ConfirmParams, load_params
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments import confirm, critique_scores, iteration
from sebridge_lite.experiments.critique import (
    candidates,
    critique,
    curve_of,
    history,
    second_bench,
    system,
    system_folder,
)
from sebridge_lite.experiments.iteration import Loop, candidates_of, loop_words
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.measure.saved import load_scores
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.weights import save_model
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences, split_of
from sebridge_lite.studio.voices import engines, people

ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT / "params" / "smoke.yaml")
# Random judges read nonsense, so all errors below are made up by `judge`: a number of wrong words that follows from the tokens.
TDSC = replace(
    PARAMS.tdsc, start_steps=2, iterations=2, texts=5, candidates=6, max_wer=0.5, max_rep=1.1, shortest=0.0, longest=100.0,
    apart=0.0, near=50, steps=2, dpo_steps=2, dpo_warmup=0, temperatures=(0.8, 1.0), curve_texts=2,
)  # fmt: skip
PARAMS = replace(PARAMS, tdsc=TDSC, sampling=replace(PARAMS.sampling, min_ratio=0.3, max_ratio=0.6))


def recorded(folder, name, split, voices, count):
    said = itertools.islice(sentences(load_language("lo"), split, 0), count)
    return write_set(folder, name, record_all(lines_of(name, "lo", said, voices, 0), 0))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        stack = tiny_stack(["lo"])
        sets = {
            "synthetic": recorded(folder, "synthetic", "synthetic", engines("main", 1), 6),
            "test": recorded(folder, "test", "test", people("unseen", 1), 3),
        }
    codes = {u.id: torch.arange(i, i + 3 * len(u.text)) % CODES for i, u in enumerate(sets["synthetic"])}
    return Bench(stack, sets, codes, [], folder, "lo", 0.1)


def made_up(read):
    word = read[0] if read else "4"
    return (int(word) if word.isdecimal() else zlib.crc32(word.encode())) % 5


@pytest.fixture(autouse=True)
def judge(monkeypatch, tmp_path, bench):
    """Outputs of their own, a tiny backbone, and a judge that finds as many wrong words as the tokens' sum says."""
    parts = tmp_path / "parts"
    torch.manual_seed(1)
    lm = TextSpeechLM(LMConfig(len(CharVocab()), CODES, 16, 1, 2, 1, 16, 400, 1e4, 2.5))
    save_model(lm, lm.config, parts / "backbone")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_PARTS", str(parts))
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    monkeypatch.setattr(
        critic, "word_errors", lambda said, read: (np.array(list(map(made_up, read))), np.full(len(said), 4))
    )
    for module in (iteration, critique_scores):
        monkeypatch.setattr(module, "reads", lambda _: lambda rows: [[str(int(row.sum()))] for row in rows])


def with_tdsc(**changes):
    return replace(PARAMS, tdsc=replace(TDSC, **changes))


def weights_of(folder):
    return (folder / "model.safetensors").read_bytes()


def test_a_loop_keeps_each_iteration_with_candidates_verdicts_and_scores(bench):
    about = critique(bench, "tdsc", 0, PARAMS)
    found = history(bench, "tdsc", 0)
    assert [summary["k"] for _, summary in found] == [0, 1, 2]
    assert found[-1][1] == about and len(found[-1][0].codes) == len(bench.sets["test"])  # nothing was filtered
    assert {"filtered_texts", "test_pass_rate", "pass_rate", "candidates_apart", "words_dropped"} <= set(about)
    rows, codes = candidates("tdsc", 0, 2)
    assert len(rows) == len(codes) == TDSC.texts * TDSC.candidates
    assert rows["learnt"].sum() == about["learnt"] and rows["winner"].sum() == rows["loser"].sum() == about["pairs"] > 0
    assert (rows["learnt"] <= (rows["rejected_for"].str.len() == 0)).all()
    for name, row in codes.items():
        assert rows.set_index("name").loc[name, "tokens"] == len(row)
    assert rows["said"].map(lambda text: split_of(text.replace(" ", ""))).eq("loop").all()
    at_one = curve_of(bench, "tdsc", 0, PARAMS)[1.0]
    assert at_one.table["id"].tolist() == found[-1][0].table["id"][: TDSC.curve_texts].tolist()
    accepted = found[-1][0].table["accepted"]
    assert (accepted.mean(), accepted.sum()) == (
        pytest.approx(about["test_pass_rate"], abs=1e-4),
        about["filtered_texts"],
    )
    folders = [system_folder("tdsc", 0) / f"k{k}" for k in range(3)]
    assert len({weights_of(folder) for folder in folders}) == 3
    assert weights_of(folders[0]) == weights_of(system_folder("sft", 0) / "k0")


def kill_in_second_dpo(bench, monkeypatch):
    real, trained = iteration.train, []

    def dies(*arguments, **more):
        trained.append(1)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(iteration, "train", dies)
        critique(bench, "tdsc", 0, PARAMS)
    assert not system_folder("tdsc", 0).exists()


def count_generations(monkeypatch):
    generate, made = iteration.generate, []
    monkeypatch.setattr(iteration, "generate", lambda *a, **more: made.append(1) or generate(*a, **more))
    return made


def test_a_killed_loop_goes_on_and_ends_as_if_it_had_not_been_killed(bench, monkeypatch, tmp_path):
    critique(bench, "tdsc", 0, PARAMS)
    whole = [weights_of(system_folder("tdsc", 0) / f"k{k}") for k in range(3)]
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path / "again"))
    kill_in_second_dpo(bench, monkeypatch)
    made = count_generations(monkeypatch)
    critique(bench, "tdsc", 0, PARAMS)
    assert not made  # the first iteration was whole, and the second had its candidates
    assert [weights_of(system_folder("tdsc", 0) / f"k{k}") for k in range(3)] == whole
    assert [path.name for path in (tmp_path / "again" / "artifacts" / "tdsc_work").iterdir()] == ["candidates"]


def test_a_variant_whose_filter_nothing_fails_is_tdsc_and_is_not_trained_again(bench, monkeypatch):
    critique(bench, "tdsc", 0, PARAMS)
    monkeypatch.setattr(iteration, "train", pytest.fail)
    monkeypatch.setattr(iteration, "fine_tune", pytest.fail)
    about = critique(bench, "no-length", 0, PARAMS)  # of `TDSC`'s lengths all pass
    assert (about["variant"], about["same_as"], about["k"]) == ("no-length", "tdsc-s0", 2)
    assert weights_of(system_folder("no-length", 0) / "k2") == weights_of(system_folder("tdsc", 0) / "k2")


def test_variants_that_have_the_same_policy_share_what_it_says(bench, monkeypatch):
    made = count_generations(monkeypatch)
    critique(bench, "tdsc", 0, PARAMS)
    critique(bench, "no-dpo", 0, PARAMS)
    assert len(made) == 3  # at k = 1 the start speaks for both


def test_finished_work_of_other_settings_is_not_used(bench, monkeypatch):
    kill_in_second_dpo(bench, monkeypatch)
    made = count_generations(monkeypatch)
    critique(bench, "tdsc", 0, with_tdsc(beta=2.0))
    assert len(made) == 1  # what the start says at k = 1 does not depend on beta


def test_a_full_disk_loses_no_finished_iteration(bench, monkeypatch, tmp_path):
    real = iteration.write_verdicts

    def full(path, found):
        real(path, found)
        if "k2" in str(path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(iteration, "write_verdicts", full)
    with pytest.raises(UserError, match=r"tdsc-s0/k2: the disk is full"):
        critique(bench, "tdsc", 0, PARAMS)
    work = tmp_path / "artifacts" / "tdsc_work" / "tdsc-s0"
    assert (work / "k1" / "summary.json").is_file() and not (work / "k2").exists()
    assert not list(work.glob(".*"))
    monkeypatch.setattr(iteration, "write_verdicts", real)
    assert critique(bench, "tdsc", 0, PARAMS)["k"] == 2


def test_when_the_judge_rejects_all_the_loop_ends_with_a_line_and_the_start(bench, capsys):
    about = critique(bench, "tdsc", 0, with_tdsc(max_wer=0.0))
    assert about["k"] == 0 and len(history(bench, "tdsc", 0)) == 1
    line = capsys.readouterr().err
    assert "tdsc-s0 k1: none of 30 candidates accepted (rejected for wer 100%" in line and "tdsc.max_wer" in line


def test_without_a_loser_it_goes_on_without_dpo(bench, capsys):
    about = critique(bench, "tdsc", 0, with_tdsc(max_wer=9.0))
    assert about["k"] == 2 and about["pairs"] == 0
    assert "no text has both a winner and a loser" in capsys.readouterr().err
    assert not (system_folder("tdsc", 0) / "k1" / "dpo.csv").exists()


def test_texts_without_an_accepted_candidate_are_counted_in_a_line_and_the_loop_goes_on(bench, monkeypatch, capsys):
    def hard(said, read):  # every text but the first is misread, whatever is said
        return np.array([0 if words == said[0] else 4 for words in said]), np.full(len(said), 4)

    monkeypatch.setattr(critic, "word_errors", hard)
    about = critique(bench, "tdsc", 0, with_tdsc(iterations=1))
    assert about["k"] == 1 and about["texts_dropped"] == 0.8
    line = "tdsc-s0 k1: 80% of 5 texts have no accepted candidate; it goes on with the others\n"
    assert line in capsys.readouterr().err


def test_candidates_that_are_all_alike_are_learnt_once_each_and_the_loop_goes_on(bench, monkeypatch, capsys):
    generate = iteration.generate
    monkeypatch.setattr(iteration, "generate", lambda *a, **more: [[row[0]] * len(row) for row in generate(*a, **more)])
    about = critique(bench, "tdsc", 0, with_tdsc(iterations=1, max_wer=9.0))
    assert about["k"] == 1 and about["learnt"] == TDSC.texts and about["candidates_apart"] == 0
    assert about["again"] == pytest.approx(1 - 1 / TDSC.candidates, abs=1e-4)
    assert "no text has both a winner and a loser" in capsys.readouterr().err


def test_an_empty_list_of_texts_is_one_line_and_never_the_loops_own_texts(bench, tmp_path):
    loop = Loop(bench, "tdsc", 0, PARAMS, TDSC, tmp_path / "work")
    with pytest.raises(UserError, match="texts: none"):
        candidates_of(loop, 1, torch.nn.Linear(1, 1), [])
    assert not (tmp_path / "candidates").exists()


def test_candidates_that_are_read_back_keep_the_time_of_their_making(bench, tmp_path):
    critique(bench, "tdsc", 0, with_tdsc(iterations=1))
    (took,) = (tmp_path / "artifacts" / "tdsc_work" / "candidates").glob("*.json")
    took.write_text('{"seconds": 1000.0}')
    assert 1000 <= critique(bench, "no-dpo", 0, with_tdsc(iterations=1))["seconds_candidates"] < 1100
    took.unlink()  # as of a cache from before the time was kept
    assert "seconds_candidates" not in critique(bench, "no-dpo", 0, with_tdsc(iterations=1, lr=1e-4))


def test_iterations_take_different_texts_of_the_loops_own_split(bench, tmp_path):
    loop = Loop(bench, "tdsc", 0, PARAMS, TDSC, tmp_path)
    texts = [{"".join(words) for words in loop_words(loop, k)} for k in (1, 2)]
    assert [len(some) for some in texts] == [5, 5] and not texts[0] & texts[1]
    assert {split_of(text) for some in texts for text in some} == {"loop"}


def test_self_training_learns_whatever_it_says_and_the_judge_changes_nothing(bench, monkeypatch):
    found = []
    for wrong in (0, 4):
        monkeypatch.setattr(
            critic, "word_errors", lambda said, _, n=wrong: (np.full(len(said), n), np.full(len(said), 4))
        )
        about = critique(bench, "self-training", 0, with_tdsc(iterations=1))
        found.append(weights_of(system_folder("self-training", 0) / "k1"))
        assert (about["learnt"], about["candidates"], about["temperatures"]) == (10, 10, [1.0])
        assert about["pass_rate"] == 1 - (wrong > 0)  # by TDSC's own thresholds
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["literal", "grpo-wer", "oracle"])
def test_other_variants_run_to_their_scores(bench, name):
    about = critique(bench, name, 0, with_tdsc(iterations=1))
    assert about["k"] == 1 and about["variant"] == name and math.isfinite(about["wer"])


def test_best_of_n_is_chosen_by_the_selecting_judge_from_the_start(bench):
    about = critique(bench, "best-of-12", 0, PARAMS)
    folder = system_folder("best-of-12", 0)
    best, start = (load_scores(folder / f"k{k}", CODES)[0] for k in (1, 0))
    assert about["variant"] == "best-of-12" and not (folder / "k1" / "model.safetensors").exists()
    errors = [[int(row.sum()) % 5 for row in scores.codes] for scores in (best, start)]
    assert (
        all(a <= b for a, b in zip(*errors, strict=True)) and errors[0] != errors[1]
    )  # the start's sample is among them


def test_a_system_that_was_made_is_read_and_not_made_again(bench, monkeypatch):
    critique(bench, "sft", 0, PARAMS)
    monkeypatch.setattr("sebridge_lite.experiments.critique.critique", lambda *_: 1 / 0)
    more = with_tdsc(variants=("tdsc", "oracle"), seeds=(0, 1), beta=2.0)  # nothing that the start follows from
    assert [summary["k"] for _, summary in system(bench, "sft", 0, more)] == [0]
    with pytest.raises(ZeroDivisionError):
        system(bench, "sft", 0, with_tdsc(start_steps=3))
    with pytest.raises(UserError, match="sebridge critique tdsc --seed 3"):
        history(bench, "tdsc", 3)


def test_a_system_of_other_settings_is_made_again_and_its_start_too_when_they_concern_it(bench):
    starts = []
    for changes, steps in (({}, 2), ({"beta": 2.0}, 2), ({"start_steps": 3}, 3)):
        params = with_tdsc(iterations=1, **changes)
        system(bench, "no-dpo", 0, params)
        starts.append(weights_of(system_folder("no-dpo", 0) / "k0"))
        assert len((system_folder("no-dpo", 0) / "k0" / "sft.csv").read_text().splitlines()) == 1 + steps
    assert starts[0] == starts[1] != starts[2]


def test_a_project_without_a_second_language_is_told_so():
    with pytest.raises(UserError, match="second_language: none"):
        second_bench(replace(PARAMS, corpus=replace(PARAMS.corpus, second_language="none")))


def test_a_summary_is_json_without_nan(bench):
    critique(bench, "sft", 0, PARAMS)
    text = (system_folder("sft", 0) / "k0" / "summary.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda name: pytest.fail(name))


ASKED = replace(
    PARAMS, corpus=replace(PARAMS.corpus, real_source="folder", test_texts=3, unseen_people=2),
    confirm=ConfirmParams(texts=4, align=("sft",), tdsc=("sft", "best-of-12", "tdsc")),
)  # fmt: skip


def refuses(*_, **__):
    raise AssertionError("made again")


def test_fresh_texts_are_none_of_the_test_set_and_are_recorded_once(bench, monkeypatch):
    again = confirm.fresh(bench, ASKED)
    texts, known = ([u.text for u in one.sets["test"]] for one in (again, bench))
    assert len(set(texts)) == 4 and not set(texts) & set(known)
    assert {split_of(text) for text in texts} == {"test"} and not {u.id for u in again.sets["test"]} & set(bench.codes)
    monkeypatch.setattr(confirm, "record_all", refuses)
    assert [u.text for u in confirm.fresh(bench, ASKED).sets["test"]] == texts
    fewer = replace(ASKED, confirm=replace(ASKED.confirm, texts=2))
    with pytest.raises(AssertionError, match="made again"):
        confirm.fresh(bench, fewer)


def test_confirming_asks_the_claims_conditions_of_policies_as_they_are(bench, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(confirm.critique, "second_bench", lambda _: bench)
    rows = confirm.run_confirm(ASKED)
    assert "your own recordings and no further texts" in capsys.readouterr().err
    assert set(rows["id"]) == {"T1", "T3", "T4", "T5", "T8", "T13"} and set(rows["verdict"]) == {"not tested"}
    table = pd.read_csv(tmp_path / "results" / "confirm" / "confirm_systems.csv")
    hot = confirm.hottest(bench, ASKED)
    assert table["variant"].tolist() == ["sft", "best-of-12", "tdsc", f"tdsc at T = {hot:g}"]
    assert set(table["language"]) == {"lo"} and set(table["n"]) == {"4 x 1"}
    head = rows[rows["id"] == "T1"].iloc[0]
    gain = table.set_index("variant").loc["tdsc", "wer_cal_gain"]
    assert (head["what"], head["n"]) == ("tdsc - sft", "4 x 1") and head["effect"] == pytest.approx(gain)
    assert rows[rows["id"] == "T4"]["effect"].isna().all()  # self-training was not asked


def test_where_nothing_can_be_asked_again_there_are_two_empty_tables(tmp_path):
    alone = replace(ASKED, corpus=replace(ASKED.corpus, second_language="none"))
    assert confirm.run_confirm(alone).empty
    for name in ("confirm", "confirm_systems"):
        assert pd.read_csv(tmp_path / "results" / "confirm" / f"{name}.csv").empty


def test_a_killed_confirmation_goes_on_and_another_policy_is_asked_again(bench, monkeypatch):
    monkeypatch.setattr(confirm.critique, "second_bench", lambda _: bench)
    said = []

    def dies(*arguments, **more):
        said.append(1)
        if len(said) == 2:
            raise KeyboardInterrupt
        return critique_scores.unfiltered(*arguments, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(confirm, "unfiltered", dies)
        confirm.confirm(ASKED)
    with monkeypatch.context() as patch:
        patch.setattr(
            confirm, "unfiltered", lambda *some, **more: said.append(1) or critique_scores.unfiltered(*some, **more)
        )
        whole = confirm.confirm(ASKED)[0]
    assert len(said) == 4  # sft once, tdsc killed, tdsc at each of two temperatures
    with monkeypatch.context() as patch:
        patch.setattr(confirm, "unfiltered", refuses)
        pd.testing.assert_frame_equal(confirm.confirm(ASKED)[0], whole)
        folder = confirm.critique.last_policy("tdsc", 0)
        shutil.copy(confirm.critique.last_policy("sft", 0) / "model.safetensors", folder)
        with pytest.raises(AssertionError, match="made again"):
            confirm.confirm(ASKED)
