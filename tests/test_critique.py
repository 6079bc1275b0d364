"""The stages of TDSC with tiny random parts: what they write, that a killed one goes on, and what ends a loop."""

import copy
import json
import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CODES, ROOT, recorded, tiny_config, tiny_lm, tiny_stack

from sebridge_lite.align import baselines, critic, tdsc
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import critique, critique_scores
from sebridge_lite.experiments.bench import Bench, cell
from sebridge_lite.experiments.critique import candidates_of, iterations, train_critique
from sebridge_lite.experiments.critique_scores import curve_of, history, score_critique
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.stack import Stack
from sebridge_lite.studio.texts import split_of
from sebridge_lite.studio.voices import engines, people

PARAMS = load_params(ROOT / "params" / "smoke.yaml")
# Random judges read nonsense, so errors below are made up by `set_up`: as many wrong words as the tokens' sum says.
LOOP = {"start_steps": 2, "iterations": 2, "texts": 5, "candidates": 6, "steps": 2, "dpo_steps": 2, "dpo_warmup": 0}
FILTERS = {"max_wer": 0.5, "max_rep": 1.1, "shortest": 0.0, "longest": 100.0, "apart": 0.0, "near": 50}
TDSC = replace(PARAMS.tdsc, **LOOP, **FILTERS, temperatures=(0.8, 1.0), curve_texts=2)
PARAMS = replace(
    PARAMS,
    tdsc=TDSC,
    sampling=replace(PARAMS.sampling, min_ratio=0.3, max_ratio=0.6),
    cells=replace(PARAMS.cells, critique=("tdsc",), oracle=(), critique_decoded=("best-of-12",)),
)


class TinyBench(Bench):
    def tokens(self, name):
        spoken = enumerate(self.utterances(name))
        return [torch.arange(i, i + 3 * len(u.text)) % CODES for i, u in spoken]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    said = {"synthetic": (engines("main", 1), 6), "test": (people("unseen", 1), 3)}
    sets = {name: (recorded(folder, "lo", name, *how), folder) for name, how in said.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        bench = TinyBench(PARAMS, "lo", sets)
        bench.__dict__ |= {"stack": tiny_stack(["lo"]), "silence": [], "floor": 0.1}
    return bench


def made_up(read):
    word = read[0] if read else "4"
    return (int(word) if word.isdecimal() else zlib.crc32(word.encode())) % 5


@pytest.fixture(autouse=True)
def start(monkeypatch, tmp_path, bench):
    """Outputs of their own, a tiny backbone, and a judge that finds as many wrong words as the tokens' sum says."""
    backbone = tiny_lm(tiny_config(CharVocab().size))

    def bench_of(params):
        other = TinyBench(params, "lo", bench.sets, bench.tracked)
        other.__dict__ |= {name: bench.__dict__[name] for name in ("stack", "silence", "floor")}
        return other

    def errors(_, read):
        return np.array(list(map(made_up, read))), np.full(len(read), 4)

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    monkeypatch.setattr(critique, "load_backbone", lambda lang: copy.deepcopy(backbone))
    monkeypatch.setattr(Stack, "read", lambda self, rows, lang: [[str(int(row.sum()))] for row in rows])
    for module in (critic, baselines):
        monkeypatch.setattr(module, "word_errors", errors)
    for module in (critique, critique_scores):
        monkeypatch.setattr(module, "tdsc_bench", bench_of)
    return critique.train_start(PARAMS, 0)


def with_tdsc(**changes):
    return replace(PARAMS, tdsc=replace(TDSC, **changes))


def scored(bench, name, params=PARAMS):
    """Scores and summaries of a system after 0, 1, ... iterations."""
    decoded = {"best-of-12"} & {name}
    for trained in {name} - decoded:
        train_critique(params, trained, 0)
    cells = replace(params.cells, critique=(*{name} - decoded,), critique_decoded=(*decoded,))
    score_critique(replace(params, cells=cells), 0)
    return history(bench, name, 0)


def weights_of(folder):
    return (folder / "model.safetensors").read_bytes()


def test_each_iteration_is_kept_with_candidates_verdicts_and_scores_of_unfiltered_samples(bench):
    made = scored(bench, "tdsc")
    about = made[-1][1]
    assert [summary["k"] for _, summary in made] == [0, 1, 2]
    assert len(made[-1][0].codes) == len(bench.utterances("test"))  # nothing was filtered
    figures = {f"filtered_{name}" for name in ("wer", "rep", "f0_std", "hp")}  # null where nothing passes
    assert figures | {"filtered_texts", "test_pass_rate", "pass_rate", "candidates_apart", "words_dropped"} <= set(
        about
    )
    accepted = made[-1][0].table["accepted"]
    assert accepted.sum() == about["filtered_texts"] == round(about["test_pass_rate"] * len(accepted))
    rows, codes = candidates_of("tdsc", 0, 2)
    assert len(rows) == len(codes) == TDSC.texts * TDSC.candidates
    assert rows["learnt"].sum() == about["learnt"] and rows["winner"].sum() == rows["loser"].sum() == about["pairs"] > 0
    assert (rows["learnt"] <= (rows["rejected_for"].str.len() == 0)).all()
    assert all(row["tokens"] == len(codes[row["name"]]) for row in rows.to_dict("records"))
    assert rows["said"].map(lambda text: split_of(text.replace(" ", ""))).eq("loop").all()
    assert rows["wrong"].tolist() == [int(codes[name].sum()) % 5 for name in rows["name"]]  # the judge that selects
    folders = [cell("critique", 0, "sft") / "k0", *(cell("critique", 0, "tdsc") / f"k{k}" for k in (1, 2))]
    assert len({weights_of(folder) for folder in folders}) == 3 and iterations("tdsc", 0)[-1] == folders[-1]
    for folder in folders:
        json.loads((folder / "about.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    curve, first = curve_of(bench, "tdsc", 0), bench.utterances("test")[: TDSC.curve_texts]
    assert all(scores.table["id"].tolist() == [u.id for u in first] for scores in curve.values())
    said = {heat: [row.tolist() for row in scores.codes] for heat, scores in curve.items()}
    assert said[1.0] == [row.tolist() for row in made[-1][0].codes[:2]] != said[0.8]


def killed_in_second_dpo(monkeypatch):
    real, trained = tdsc.train, []

    def dies(*arguments, **more):
        trained.append(1)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tdsc, "train", dies)
        train_critique(PARAMS, "tdsc", 0)
    assert not cell("critique", 0, "tdsc").exists()


def steps_taken(monkeypatch):
    step, taken = torch.optim.AdamW.step, []
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *some: taken.append(1) or step(*some))
    return taken


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_killed_loop_trains_what_is_left_and_ends_as_if_it_had_not_been_killed(monkeypatch, tmp_path):
    train_critique(PARAMS, "tdsc", 0)
    whole = files_of(cell("critique", 0, "tdsc"))
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path / "again"))
    critique.train_start(PARAMS, 0)
    killed_in_second_dpo(monkeypatch)
    taken = steps_taken(monkeypatch)
    train_critique(PARAMS, "tdsc", 0)
    assert len(taken) == TDSC.dpo_steps  # all else was there
    assert files_of(cell("critique", 0, "tdsc")) == whole
    assert [path.name for path in cell("critique", 0, "tdsc").parent.iterdir() if "work" in path.name] == []


def test_what_a_killed_loop_of_other_settings_has_left_changes_nothing(monkeypatch, tmp_path):
    other = with_tdsc(beta=2.0, max_wer=0.6)
    train_critique(other, "tdsc", 0)
    whole = files_of(cell("critique", 0, "tdsc"))
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path / "again"))
    critique.train_start(PARAMS, 0)
    killed_in_second_dpo(monkeypatch)
    train_critique(other, "tdsc", 0)
    assert files_of(cell("critique", 0, "tdsc")) == whole


def test_a_full_disk_is_named_and_loses_no_training(monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"s0/tdsc: the disk is full"):
        patch.setattr(critique, "verdicts", full)
        train_critique(with_tdsc(iterations=1), "tdsc", 0)
    taken = steps_taken(monkeypatch)
    assert train_critique(with_tdsc(iterations=1), "tdsc", 0) == 1
    assert not taken


def test_when_the_judge_rejects_all_the_loop_ends_with_a_line_and_the_start(bench, capsys):
    assert [summary["k"] for _, summary in scored(bench, "tdsc", with_tdsc(max_wer=0.0))] == [0]
    assert iterations("tdsc", 0)[-1] == cell("critique", 0, "sft") / "k0"
    line = capsys.readouterr().err
    assert "tdsc-s0 k1: none of 30 candidates accepted (rejected for wer 100%" in line and "tdsc.max_wer" in line


def test_without_a_loser_it_goes_on_without_dpo_and_without_texts_that_have_no_winner(monkeypatch, capsys):
    assert train_critique(with_tdsc(max_wer=9.0, iterations=1), "tdsc", 0) == 1
    assert "no text has both a winner and a loser" in capsys.readouterr().err
    assert not (cell("critique", 0, "tdsc") / "k1" / "dpo.csv").exists()

    def hard(said, read):  # every text but the first is misread, whatever is said
        return np.array([0 if words == said[0] else 4 for words in said]), np.full(len(said), 4)

    monkeypatch.setattr(critic, "word_errors", hard)
    assert train_critique(with_tdsc(iterations=1), "tdsc", 0) == 1
    assert "tdsc-s0 k1: 80% of 5 texts have no accepted candidate; it goes on with" in capsys.readouterr().err


def test_self_training_learns_whatever_it_says_and_the_judge_changes_nothing(monkeypatch):
    weights = []
    for wrong in (0, 4):
        monkeypatch.setattr(
            critic, "word_errors", lambda said, _, n=wrong: (np.full(len(said), n), np.full(len(said), 4))
        )
        train_critique(with_tdsc(iterations=1), "self-training", 0)
        folder = cell("critique", 0, "self-training") / "k1"
        about = json.loads((folder / "about.json").read_text())
        assert (about["learnt"], about["candidates"], about["temperatures"]) == (10, 10, [1.0])
        assert about["pass_rate"] == 1 - (wrong > 0)  # by TDSC's own thresholds
        weights.append(weights_of(folder))
    assert weights[0] == weights[1]


@pytest.mark.parametrize("name", ["literal", "grpo-wer"])
def test_other_methods_run_to_their_scores(bench, name):
    about = scored(bench, name, with_tdsc(iterations=1))[-1][1]
    assert (about["k"], about["variant"]) == (1, name) and math.isfinite(about["wer"])


def test_the_oracle_alone_asks_the_judge_that_scores(bench, monkeypatch):
    heard = []
    monkeypatch.setattr(Stack, "hear", lambda self, sounds, lang: heard.append(1) or [["0"]] * len(sounds))
    train_critique(with_tdsc(iterations=1), "tdsc", 0)
    assert not heard
    monkeypatch.setattr(Stack, "read", lambda *_: 1 / 0)
    train_critique(with_tdsc(iterations=1), "oracle", 0)
    assert heard


def test_best_of_n_is_chosen_by_the_selecting_judge_from_the_start(bench):
    (start, _), (best, about) = scored(bench, "best-of-12")
    assert (about["variant"], about["k"]) == ("best-of-12", 1) and not cell("critique", 0, "best-of-12").exists()
    assert iterations("best-of-12", 0)[-1] == cell("critique", 0, "sft") / "k0"
    errors = [[int(row.sum()) % 5 for row in scores.codes] for scores in (best, start)]
    assert all(a <= b for a, b in zip(*errors, strict=True)) and errors[0] != errors[1]  # its sample is among them


def test_readers_make_nothing_and_name_the_stage_that_does(bench):
    for read, stage in (
        (lambda: history(bench, "tdsc", 3), "score_critique"),
        (lambda: candidates_of("tdsc", 3, 1), "critique"),
        (lambda: iterations("tdsc", 3)[-1], "critique"),
        (lambda: train_critique(PARAMS, "tdsc", 3), "critique_start"),
    ):
        with pytest.raises(UserError, match=f"`dvc repro {stage}`"):
            read()
    assert not cell("critique", 3, "tdsc").exists()
    with pytest.raises(UserError, match="'best-of-12': nothing is trained"):
        train_critique(PARAMS, "best-of-12", 0)


def test_a_project_without_a_language_for_tdsc_is_told_so(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"roles\.tdsc: none"):
        critique.tdsc_bench(replace(PARAMS, roles=replace(PARAMS.roles, tdsc="none")))
