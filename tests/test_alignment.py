"""The stages pairs, align, choose and score align on tiny random parts: what each trains on, chooses, and writes."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_bench import ARM, tiny_bench, use, with_cells

from sebridge_lite.align import baselines, dgsa
from sebridge_lite.align.baselines import best_of
from sebridge_lite.align.dgsa import pair_set
from sebridge_lite.align.methods import checked, lambda_e, method_of
from sebridge_lite.align.pairs import load_triplets
from sebridge_lite.align.runs import Run
from sebridge_lite.core.errors import UserError
from sebridge_lite.data.codes import read_codes
from sebridge_lite.experiments import align
from sebridge_lite.experiments.align import policy_at, train_method
from sebridge_lite.experiments.bench import cell
from sebridge_lite.experiments.choose import (
    choice_of,
    choose,
    choose_all,
    curve_of,
    pooled,
    score_align,
    search_of,
)
from sebridge_lite.experiments.pairs import make_pairs
from sebridge_lite.experiments.score import scored
from sebridge_lite.experiments.sft import sft_policy
from sebridge_lite.lm import train as loop
from sebridge_lite.lm.lora import has_adapter
from sebridge_lite.lm.train import lr_at

ALPHA = 0.77777  # whose weights have more digits than are kept
TRAINED = ("dgsa", "dgsa-split", "dgsa-sft", "dgsa-length", "lora", "sft-real", "dgsa-0.25")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return tiny_bench(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def here(bench, tmp_path, monkeypatch):
    return use(bench, tmp_path, monkeypatch)


def weights_of(model) -> torch.Tensor:
    return torch.cat([w.flatten() for w in model.state_dict().values()])


def test_weights_of_the_ablations_at_alpha_080():
    names = ("dgsa", "dpo", "no-expr", "no-stab", "fixed", "swapped")
    expected = [(0.4, 0.6), (0, 1), (0.4, 0), (0, 0.6), (0.5, 0.5), (0.6, 0.4)]
    assert [method_of("align", name).weights(0.4, 0.6) for name in names] == expected


@pytest.mark.parametrize("name", ["dgsa2", "dgsa-", "dgsa-1.01", "dgsa-1.50", "dgsa-0.5", "lora-0.80"])
def test_an_unknown_method_gives_one_line_with_the_known_ones(name):
    with pytest.raises(UserError, match="no-expr") as caught:
        method_of("align", name)
    assert "\n" not in str(caught.value) and "or dgsa-ALPHA" in str(caught.value)
    with pytest.raises(UserError, match="no-length") as caught:
        method_of("critique", name)
    assert "dgsa-ALPHA" not in str(caught.value)
    assert method_of("align", "dgsa-1.00").arm == "additive-1.00"


@pytest.mark.parametrize(
    ("wers", "limit", "expected"),
    [([0.3, 0.2, 0.1], 0.2, 1), ([0.3, 0.3, 0.2], 0.25, 2), ([0.2, 0.2, 0.2], 0.2, 0), ([0.4, 0.9, 0.5], 0.2, 0)],
)
def test_chosen_is_the_highest_entropy_at_no_more_error_or_else_the_lowest_error(wers, limit, expected):
    search = pd.DataFrame({"steps": [1, 2, 3], "wer": wers, "hp": [8.0, 7.0, 6.0]})
    assert choose(search, limit)["steps"] == expected + 1


def test_the_choice_is_that_of_all_seeds_together():
    rows = {"variant": "a", "steps": [1, 2], "temperature": 1.0, "hp": [7.0, 8.0]}
    both = [pd.DataFrame(rows | {"seed": seed, "wer": wer}) for seed, wer in ((0, [0.2, 0.3]), (1, [0.3, 0.1]))]
    assert choose(pooled(both[0]), 0.2)["steps"] == 1
    assert choose(pooled(pd.concat(both)), 0.2)["steps"] == 2  # .25 and .20


def test_a_method_is_trained_by_its_weights_at_one_rate_and_pays_for_every_position(here, monkeypatch):
    make_pairs(here.params, 0)
    p, policy, weights, trained, about = here.params.align, sft_policy(here, ARM, 0), set(), {}, {}
    triplets, _ = load_triplets(cell("pairs", 0, f"{ARM}-own"), here.stack.text.encode)
    monkeypatch.setattr(dgsa, "pair_set", lambda *some: weights.add(some[2:4]) or pair_set(*some))
    monkeypatch.setattr(loop, "train", lambda *some: trained.setdefault(name, some))
    for name, by in (("dgsa", dgsa), ("dgsa-length", dgsa), ("dgsa-sft", dgsa), ("sft-real", baselines)):
        run = Run(method_of("align", name), here.params, ALPHA, 0, cell("align", 0, name))
        about[name] = by.train(policy, triplets, run)[1]
    assert not has_adapter(policy)  # all weights of a small model learn
    share, told = (
        lambda_e(ALPHA, p.alpha_star),
        {name: getattr(some[1], "keywords", {}) for name, some in trained.items()},
    )
    assert weights == {(1 - share, share)}
    assert [about["dgsa"][name] for name in ("lambda_s", "lambda_e")] == [round(1 - share, 4), round(share, 4)]
    assert (told["dgsa"]["sft"], told["dgsa-sft"]["sft"], told["dgsa"]["beta"]) == (0, p.sft_weight, p.beta)
    assert told["dgsa-length"]["beta"] == pytest.approx(p.beta * np.mean([len(t.real) + 1 for t in triplets]))
    for _, _, batches, collate, config, *_ in trained.values():
        rows = getattr(collate([0]), "rows", collate([0]))
        width = rows.text_lengths + rows.prefix_lengths + rows.speech_lengths + policy.around
        assert batches.sizes[0] == len(width) * width.max() and config.weight_decay == 0
        assert len({lr_at(step, config) for step in range(p.warmup, 99)}) == 1
    real = {triplet.name.rpartition("/")[0]: triplet.real for triplet in triplets}
    name, twice = "another sample", [*triplets, *(t._replace(name=f"{t.name[:-1]}1") for t in triplets)]
    baselines.train(policy, twice, run)
    _, _, batches, collate, *_ = trained[name]
    taught = collate(range(len(real)))
    assert list(batches.names) == list(real)  # a recording once, however many its samples
    assert [taught.speech[i, :n].tolist() for i, n in enumerate(taught.speech_lengths)] == [
        y.tolist() for y in real.values()
    ]
    assert not taught.prefix_lengths.any() and taught.read is not None  # without a style, with the noise of SFT


@pytest.mark.parametrize("part", ["text", "prefix", "real", "expr", "stab"])
def test_a_run_does_not_go_on_from_what_it_learnt_of_other_data(here, monkeypatch, part):
    make_pairs(here.params, 0)
    policy, keys = sft_policy(here, ARM, 0), []
    triplets, _ = load_triplets(cell("pairs", 0, f"{ARM}-own"), here.stack.text.encode)
    changed = [triplets[0]._replace(**{part: getattr(triplets[0], part).flip(0)}), *triplets[1:]]
    monkeypatch.setattr(loop, "train", lambda *some: keys.append(some[6]))
    for some in (triplets, changed, triplets):
        dgsa.train(policy, some, Run(method_of("align", "dgsa-split"), here.params, 0.8, 0, cell("align", 0, "x")))
    assert keys[0] == keys[2] != keys[1]


def test_a_method_whose_start_is_not_among_the_arms_is_named(here):
    assert checked(here.params) is here.params
    with pytest.raises(UserError, match=r"cells.arms: no additive-0.33, from which dgsa-0.33 starts"):
        checked(with_cells(here.params, align=("dgsa-0.33",)))


def test_best_of_takes_the_fewest_wrong_words_and_the_first_of_equals(bench):
    (good, other), (known, _) = bench.utterances("real")[:2], bench.tokens("real")[:2]
    rows = [torch.tensor([1, 2]), known, torch.tensor([3, 4]), known]
    chosen = best_of(bench.stack, [rows, rows[:1] + rows[2:3]], [good.words, other.words], "th")
    assert chosen[0] is rows[1]
    assert chosen[1] is rows[0]


def test_rejection_among_equals_is_the_sample_that_is_scored_otherwise(here):
    model = sft_policy(here, ARM, 0)
    one, two = (scored(here, model, method_of("align", name), 0, 1.0) for name in ("sft", "rejection"))
    assert [row.tolist() for row in one.codes] == [row.tolist() for row in two.codes]
    assert one.summary["wer"] == two.summary["wer"]
    assert "h_cond" not in two.summary  # what was chosen among is not drawn from the policy


def test_what_a_stage_needs_and_is_not_there_is_named_with_the_stage_that_makes_it(here):
    params = here.params
    for read, stage in (
        (lambda: train_method(params, "dgsa", 0), "pairs"),
        (lambda: policy_at(here, "dgsa", 0, 1), "align"),
        (lambda: choice_of("dgsa"), "choose"),
        (lambda: search_of("dgsa"), "choose"),
        (lambda: curve_of("dgsa", 0), "score_align"),
        (lambda: here.scored("align", "dgsa", 0), "score_align"),
    ):
        with pytest.raises(UserError, match=f"`dvc repro {stage}`"):
            read()
    with pytest.raises(UserError, match="'rejection': nothing to train"):
        train_method(params, "rejection", 0)


def test_methods_train_are_chosen_and_scored_each_apart(here):
    params = with_cells(here.params, align=TRAINED, align_decoded=("sft", "style-prefix", "rejection"))
    made = make_pairs(params, 0)
    assert set(made) == {f"{ARM}-own", "additive-0.25-own"}
    modes = pd.read_csv(cell("pairs", 0, f"{ARM}-own") / "modes.csv")
    assert modes["mode"].tolist() == ["real", "expr", "stab"]
    assert modes["wer"].tolist() == [0, 1, 1]  # what the judge of `tiny_bench` reads
    p, seen = params.align, set()
    for name in TRAINED:
        about = train_method(params, name, 0)
        assert ("lambda_s" in about) == (name != "sft-real")
        folder = cell("align", 0, name)
        assert {path.name for path in folder.iterdir()} == {"step-1", "step-2", "loss.csv", "about.json"}
        policies = [weights_of(policy_at(here, name, 0, steps)) for steps in (0, *p.steps)]
        assert not torch.equal(policies[0], policies[1])
        seen.add(tuple(policies[2].tolist()))
        assert not list(folder.parent.glob(".*"))
    assert len(seen) == len(TRAINED)  # each is a method of its own
    found = choose_all(params)
    score_align(params, 0)
    assert set(found) == set(params.cells.aligned)
    for name, choice in found.items():
        assert choice == choice_of(name)
        assert choice["dev_wer_start"] == found["dgsa-0.25" if name == "dgsa-0.25" else "sft"]["dev_wer_start"]
        steps = p.steps if name in TRAINED else (0,)
        points = list(zip(search_of(name)["steps"], search_of(name)["temperature"], strict=True))
        assert points == [(s, heat) for s in steps for heat in p.temperatures]
        curve = curve_of(name, 0)
        assert set(curve.loc[curve["steps"] == choice["steps"], "temperature"]) == set(p.temperatures)
        assert set(curve["steps"]) == (set(steps) if name == "sft-real" else {choice["steps"]})
        scores, about = here.scored("align", name, 0)
        again = scored(
            here, policy_at(here, name, 0, choice["steps"]), method_of("align", name), 0, choice["temperature"]
        )
        assert [row.tolist() for row in again.codes] == [row.tolist() for row in scores.codes]
        assert about["variant"] == name
        assert choice.items() <= about.items()


def test_pairs_of_other_kinds_change_the_losers_alone(here):
    params = with_cells(here.params, align=("random-speaker", "codec"))
    assert set(make_pairs(params, 0)) == {f"{ARM}-{kind}" for kind in ("own", "random-speaker", "codec")}
    kinds = ("own", "random-speaker", "codec")
    own, other, codec = (read_codes(cell("pairs", 0, f"{ARM}-{kind}") / "tokens.safetensors") for kind in kinds)
    real = [name for name in own if name.endswith("/real")]
    assert all(torch.equal(own[name], codec[name]) for name in real)
    assert any(not torch.equal(own[name], codec[name]) for name in own if name.endswith("/stab"))
    assert any(not torch.equal(own[name], other[name]) for name in set(own) & set(other) if name.endswith("/expr"))


def test_a_killed_run_goes_on_to_the_same_policies(here, monkeypatch):
    params = with_cells(here.params, align=("lora",))
    make_pairs(params, 0)
    train_method(params, "lora", 0)
    whole = weights_of(policy_at(here, "lora", 0, 2))
    keep = align.Run.keep

    def killed(run, model, step):
        if step == 2:
            raise KeyboardInterrupt
        return keep(run, model, step)

    with monkeypatch.context() as patch:
        patch.setattr(align.Run, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            train_method(params, "lora", 0)
    torch.manual_seed(99)
    train_method(params, "lora", 0)
    assert torch.equal(whole, weights_of(policy_at(here, "lora", 0, 2)))


@pytest.mark.parametrize(("change", "said"), [(-0.2, True), (-0.01, False), (0.1, False)])
def test_a_fall_of_the_winners_is_said_in_one_line(tmp_path, capsys, change, said):
    pd.DataFrame({"step": [1, 2], "winner_change": [change, change]}).to_csv(tmp_path / "loss.csv", index=False)
    assert align.winner_change(tmp_path, 10, 0.05, "dgsa s0") == change
    assert ("dgsa s0: displacement" in capsys.readouterr().err) == said
