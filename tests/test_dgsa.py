"""DGSA's step: what is scored and what is not, how many rows it costs, and that the reference is asked once."""

import dataclasses
import importlib
import logging
import math
from pathlib import Path

import pytest
import torch
from tiny import tiny_lm

from sebridge_lite.align import dgsa
from sebridge_lite.align.dgsa import dgsa_loss, pair_set
from sebridge_lite.align.dpo import dpo_loss
from sebridge_lite.align.methods import METHODS
from sebridge_lite.align.pairs import Triplet
from sebridge_lite.align.runs import Run
from sebridge_lite.core import paths
from sebridge_lite.core.device import move
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.lm.lm import LMConfig, collate, sequence_logprobs, token_logprobs
from sebridge_lite.lm.train import Batches, TrainConfig, train

CONFIG = LMConfig(30, 20, 16, 2, 4, 2, 24, max_positions=64, rope_theta=1e4, pace=0)
NEAR = {"rtol": 0, "atol": 1e-4}
SIZES = [(5, 3, 9, 7, 8), (3, 2, 12, 12, 6), (9, 4, 10, 11, 13), (6, 3, 8, 8, 8)]  # text, prefix, real, expr, stab


@pytest.fixture(scope="module")
def models():
    """A policy and its reference, which differ."""
    return tiny_lm(CONFIG, 1, 0.3), tiny_lm(CONFIG, 2, 0.3)


@pytest.fixture
def triplets():
    torch.manual_seed(3)
    vocabs = (CONFIG.text_vocab, *[CONFIG.speech_vocab] * 4)
    return [
        Triplet(f"u{i}", *(torch.randint(0, v, (n,)) for v, n in zip(vocabs, sizes, strict=True)))
        for i, sizes in enumerate(SIZES)
    ]


@pytest.fixture
def make(models, triplets):
    def pairs(lambda_s=0.4, lambda_e=0.6, conditioning="off", of=triplets):
        return pair_set(of, models[1], lambda_s, lambda_e, conditioning)

    return pairs


def by_hand(models, triplets, lambda_s, lambda_e, conditioning):
    """Eq. 10 pair by pair, row by row, without batches, sharing or cache."""
    total = 0.0
    for t in triplets:
        for weight, loser, styled in ((lambda_s, t.expr, conditioning == "split"), (lambda_e, t.stab, False)):
            prefix = t.prefix if styled else t.prefix[:0]
            logps = [
                sequence_logprobs(model, collate([(t.text, prefix, y)])) for model in models for y in (t.real, loser)
            ]
            total = total + weight * dpo_loss(*logps, 0.1).losses.sum() / len(triplets)
    return total


CASES = [(0.4, 0.6, "off"), (0.4, 0.6, "split"), (1, 0, "off"), (1, 0, "split"), (0, 1, "off"), (0, 1, "split")]


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_the_pairs_one_by_one(models, triplets, make, case):
    policy = models[0]
    value, weight, _ = dgsa_loss(policy, make(*case).collate(range(4)), 0.1)
    expected = by_hand(models, triplets, *case)
    assert weight == 4
    torch.testing.assert_close(value, expected, **NEAR)
    parameters = list(policy.parameters())
    grads, wanted = (torch.autograd.grad(x, parameters, allow_unused=True) for x in (value, expected))
    for grad, other in zip(grads, wanted, strict=True):
        torch.testing.assert_close(grad, other, **NEAR)


@pytest.mark.parametrize(("case", "rows"), [*zip(CASES, [3, 4, 2, 2, 2, 2], strict=True)])
def test_a_triplet_costs_as_many_rows_as_it_has_different_sequences(make, case, rows):
    batch = make(*case).collate([0, 2])
    assert len(batch.rows.speech) == len(batch.reference) == 2 * rows
    assert set(batch.pairs) == {name for name, weight in zip(("stab", "expr"), case[:2], strict=True) if weight}


@pytest.mark.parametrize("conditioning", ("off", "split"))
def test_padding_moves_nothing(models, make, conditioning):
    batch = make(conditioning=conditioning).collate(range(4))
    changed = {}
    for part in ("text", "prefix", "speech"):
        ids, lengths = getattr(batch.rows, part), getattr(batch.rows, part + "_lengths")
        changed[part] = ids.masked_fill(torch.arange(ids.shape[1]) >= lengths[:, None], -999)  # not even a token
    assert (changed["text"] == -999).any()
    assert (changed["speech"] == -999).any()
    other = dataclasses.replace(batch, rows=dataclasses.replace(batch.rows, **changed))
    one, two = (dgsa_loss(models[0], b, 0.1) for b in (batch, other))
    assert torch.equal(one[0], two[0])
    assert one[2] == two[2]


@pytest.mark.parametrize("row", range(3))
def test_every_scored_token_moves_the_loss(models, make, row):
    batch = make().collate([1])
    base = dgsa_loss(models[0], batch, 0.1)[0]
    for place in range(int(batch.rows.speech_lengths[row])):
        speech = batch.rows.speech.clone()
        speech[row, place] = (speech[row, place] + 1) % CONFIG.speech_vocab
        other = dataclasses.replace(batch, rows=dataclasses.replace(batch.rows, speech=speech))
        assert abs(dgsa_loss(models[0], other, 0.1)[0] - base) > 1e-6


def test_the_prefix_is_heard_by_the_stability_pairs_alone_and_only_when_split(models, triplets, make):
    turned = [t._replace(prefix=t.prefix.flip(0)) for t in triplets]
    for conditioning, moved in (("off", set()), ("split", {"stab"})):
        one, two = (
            dgsa_loss(models[0], make(conditioning=conditioning, of=of).collate(range(4)), 0.1)[2]
            for of in (triplets, turned)
        )
        assert {name for name in ("stab", "expr") if abs(one[f"{name}_loss"] - two[f"{name}_loss"]) > 1e-5} == moved


def test_scalars_are_as_worked_by_hand(models, triplets, make):
    _, _, scalars = dgsa_loss(models[0], make().collate([1]), 0.1)
    t = triplets[1]
    rows = collate([(t.text, t.prefix[:0], y) for y in (t.real, t.expr, t.stab)])
    policy, reference = (sequence_logprobs(model, rows).detach() for model in models)
    rewards = 0.1 * (policy - reference)
    expected = {
        "winner_logp": policy[0] / 13,
        "winner_change": (policy[0] - reference[0]) / 13,
        "winner_tokens": 13,
        "winner_eos": token_logprobs(models[0], rows).detach()[0, 12],
        "stab_margin": rewards[0] - rewards[1],
        "expr_margin": rewards[0] - rewards[2],
        "expr_accuracy": float(rewards[0] > rewards[2]),
        "expr_loser_logp": policy[2] / 7,
        "expr_loser_tokens": 7,
    }
    assert {name: float(scalars[name]) for name in expected} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, abs=1e-4
    )


def test_the_reference_is_asked_once_for_each_sequence(models, triplets, make, monkeypatch):
    asked = []
    monkeypatch.setattr(
        dgsa, "sequence_logprobs", lambda model, rows: asked.append(len(rows.speech)) or sequence_logprobs(model, rows)
    )
    twice = [*triplets, *(t._replace(name=f"{t.name}/1", stab=t.expr, expr=t.stab) for t in triplets)]
    assert make(of=twice).reference.shape == (8, 3)
    assert sum(asked) == 3 * len(triplets)


def test_no_other_sequence_shares_a_batch_with_dpos_pairs_when_the_reference_is_asked(make, monkeypatch):
    """Its numbers would change in the last bit with who else is there; the stand-in's change far more."""
    monkeypatch.setattr(
        dgsa, "sequence_logprobs", lambda _, batch: batch.speech_lengths.sum().expand(len(batch.speech))
    )
    alone, beside = (make(*weights).collate(range(4)) for weights in ((0, 1), (0.4, 0.6)))
    for mine, others in zip(alone.pairs["expr"], beside.pairs["expr"], strict=True):
        assert torch.equal(alone.reference[mine], beside.reference[others])


def test_the_training_loop_widens_the_margins_and_writes_displacement_down(triplets, tmp_path):
    policy, reference = (tiny_lm(CONFIG, 1, 0.3) for _ in range(2))
    pairs = pair_set(triplets, reference, 0.4, 0.6, "off")
    batches = Batches(pairs.sizes, pairs.names, budget=80, seed=0)
    config = TrainConfig(60, 3e-3, 0, "constant", 0.0, save_every=0, seed=0)
    trained = train(policy, lambda m, b: dgsa_loss(m, b, 0.5), batches, pairs.collate, config, tmp_path / "run", "here")
    assert trained.loss < 0.5 * math.log(2)
    header = (tmp_path / "run" / "loss.csv").read_text().splitlines()[0].split(",")
    assert {"winner_change", "winner_eos", "stab_margin", "expr_accuracy", "grad_norm"} <= set(header)
    batch = pairs.collate(range(4))
    assert dgsa_loss(policy, move(batch, torch.device("cpu")), 0.5)[2]["stab_accuracy"] == 1


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda ts: [], "preference pairs: none"),
        (lambda ts: [ts[3]._replace(real=torch.tensor([3, 20]))], "token 20 is outside 0..19"),
        (lambda ts: [ts[3]._replace(stab=torch.zeros(80, dtype=torch.long))], "88 tokens.* 64 positions"),
    ],
)
def test_bad_pairs_are_one_line(triplets, make, spoil, what):
    with pytest.raises(UserError, match=what) as error:
        make(of=spoil(triplets))
    assert "\n" not in str(error.value)


def test_a_method_without_any_weight_is_one_line(make):
    with pytest.raises(UserError, match="not both be 0"):
        make(0, 0)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers, about what TRL sets
@pytest.mark.parametrize("rank", (0, 4))
def test_loss_and_gradients_are_those_of_trls_own_trainer(tmp_path, monkeypatch, rank):
    pytest.importorskip("trl")
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(logging.root.manager, "disable", logging.WARNING)
    bench = importlib.import_module("dgsa_step")
    size = dataclasses.replace(bench.SIZES["studio"], triplets=6, micro=6, rank=rank)
    arms = bench.make_arms(size, torch.device("cpu"), str(tmp_path))
    assert {".lora_" in name for name, w in arms["sebridge_lite"].model.named_parameters() if w.requires_grad} == {
        rank > 0
    }
    for name in ("TRL default", "TRL best"):
        apart = bench.disagreement(arms["sebridge_lite"], arms[name], range(6))
        assert apart["loss"] < 1e-5, name
        assert apart["gradient"] < 1e-4, name


def test_a_checkpoint_is_used_for_the_same_tokens_reference_and_settings_alone(triplets, tmp_path, monkeypatch):
    keys = []
    monkeypatch.setattr(dgsa.loop, "train", lambda *args: keys.append(args[6]))
    params = load_params(paths.root() / "params" / "smoke.yaml")
    method = METHODS["align"]["dgsa"]

    def key(some=triplets, policy=1, alpha=0.8, beta=0.1, **changes) -> str:
        settings = dataclasses.replace(params, align=dataclasses.replace(params.align, beta=beta, sft_weight=1.0))
        run = Run(dataclasses.replace(method, **changes), settings, alpha, 0, tmp_path)
        dgsa.train(tiny_lm(CONFIG, policy, 0.3), some, run)
        return keys[-1]

    others = [key(policy=2), key(alpha=0.7), key(beta=0.2), key(conditioning="split")]
    others += [key(sft_term=True), key(normalised=True)]
    for part in ("text", "prefix", "real", "expr", "stab"):
        changed = triplets[0]._replace(**{part: 1 - getattr(triplets[0], part).clamp(max=1)})
        others.append(key(some=[changed, *triplets[1:]]))
    assert key() == key() and len({key(), *others}) == 1 + len(others)
