"""The training loop on a toy: each token foretells another. `python test_train.py FOLDER MODE` is a run to be killed."""

import dataclasses
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sebridge_lite.core.checkpoint import CHECKPOINT, save
from sebridge_lite.core.device import pick_device
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.hashes import key_of
from sebridge_lite.lm.train import Batches, TrainConfig, lr_at, train

CONFIG = TrainConfig(12, 0.02, 3, "cosine", 0.1, save_every=5, seed=3)
SYMBOLS = 9
SIZES = np.random.default_rng(0).integers(2, 9, 25)
DATA = [torch.from_numpy(np.random.default_rng(i).integers(0, SYMBOLS, size)) for i, size in enumerate(SIZES)]
BATCHES = Batches(SIZES, [f"utt{i:02d}" for i in range(len(SIZES))], 16, 5)


class Toy(torch.nn.Module):
    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.embed = torch.nn.Embedding(SYMBOLS, 16)
        self.dropout = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(16, SYMBOLS)

    def forward(self, x):
        return self.head(self.dropout(self.embed(x)))


def collate(indices):
    return {"x": torch.nn.utils.rnn.pad_sequence([DATA[i] for i in indices], batch_first=True, padding_value=-1)}


def loss_fn(model, batch):
    seen = batch["x"][batch["x"] >= 0]
    logits = model(seen)
    hits = (logits.argmax(-1) == (seen * 2 + 1) % SYMBOLS).float().mean()
    return torch.nn.functional.cross_entropy(logits, (seen * 2 + 1) % SYMBOLS), len(seen), {"hits": hits}


def run(folder, dropout=0.3, loss=loss_fn, inputs="", keep=None, batches=BATCHES, **changes):
    torch.manual_seed(0)
    model = Toy(dropout)
    config = dataclasses.replace(CONFIG, **changes)
    return model, train(model, loss, batches, collate, config, Path(folder), inputs, keep=keep)


def failing(after: int, act):
    """`loss_fn` that acts after so many calls."""
    calls = iter(range(after))

    def loss(model, batch):
        if next(calls, None) is None:
            act()
        return loss_fn(model, batch)

    return loss


def interrupt():
    raise KeyboardInterrupt


def history(folder):
    return pd.read_csv(Path(folder) / "loss.csv")


def assert_same_run(a, b):
    """Bitwise: weights, optimizer, place and history."""
    states = [torch.load(Path(folder) / CHECKPOINT, weights_only=True) for folder in (a, b)]
    for state in states:
        state.pop("seconds")
    assert states[0].pop("run") == states[1].pop("run")
    torch.testing.assert_close(*states, rtol=0, atol=0)
    pd.testing.assert_frame_equal(history(a), history(b), check_exact=True)


@pytest.fixture(autouse=True)
def one_thread():
    """The number of threads changes the order of sums, and so the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def launch(command: list[str], folder: Path, mode: str) -> subprocess.CompletedProcess:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [*command, str(Path(__file__)), str(folder), mode]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


def test_it_learns(tmp_path):
    _, trained = run(tmp_path, steps=60)
    assert history(tmp_path).loss.iloc[0] > math.log(SYMBOLS) * 0.8
    assert history(tmp_path).loss.iloc[-1] < 0.5
    assert trained.loss == pytest.approx(history(tmp_path).loss.iloc[-1], rel=1e-5)


def test_interrupted_twice_and_resumed_equals_uninterrupted_bitwise(tmp_path):
    run(tmp_path / "whole")
    for calls in (7, 4):  # within step 8; then, from the checkpoint at 5, within step 10
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", loss=failing(calls, interrupt))
    before = torch.load(tmp_path / "cut" / CHECKPOINT, weights_only=True)["seconds"]
    _, done = run(tmp_path / "cut")
    assert done.seconds > before > 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("mode", ["kill in a step", "kill while saving"])
def test_killed_and_resumed_equals_uninterrupted_bitwise(tmp_path, mode):
    run(tmp_path / "whole")
    assert launch([sys.executable], tmp_path / "cut", mode).returncode == -signal.SIGKILL
    assert torch.load(tmp_path / "cut" / CHECKPOINT, weights_only=True)["step"] == 5
    run(tmp_path / "cut")
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    assert {file.name for file in (tmp_path / "cut").iterdir()} == {CHECKPOINT, "loss.csv"}


def test_two_processes_have_the_loss_curve_of_one(tmp_path):
    run(tmp_path / "one", dropout=0.0)
    port = ["--main_process_port", "0"]  # any free one
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", *port]
    done = launch(launcher, tmp_path / "two", "plain")
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "2 processes" in done.stdout
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert any(len(batch) % 2 for epoch in range(3) for batch in BATCHES.epoch(epoch))  # unequal shares
    np.testing.assert_allclose(two.to_numpy(), one.to_numpy(), atol=1e-4)


def test_a_step_is_the_gradient_of_the_mean_over_all_its_tokens(tmp_path):
    model, _ = run(tmp_path, dropout=0.0, steps=1, clip=math.inf, warmup=0)
    taken = BATCHES.epoch(0)[0]
    torch.manual_seed(0)
    other = Toy()
    loss, tokens, means = loss_fn(other, collate(taken))
    loss.backward()
    row = history(tmp_path).iloc[0]
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in other.parameters()))
    assert (row.loss, row.hits, row.tokens) == (
        pytest.approx(loss.item(), rel=1e-5),
        pytest.approx(means["hits"].item(), rel=1e-5),
        tokens,
    )
    assert row.grad_norm == pytest.approx(norm, rel=1e-5)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_the_gradient_that_moves_the_weights_is_clipped(tmp_path):
    model, _ = run(tmp_path, steps=1, clip=0.01)
    clipped = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    assert clipped == pytest.approx(0.01, rel=1e-3)
    assert history(tmp_path).grad_norm[0] > 0.1


def test_weight_decay_leaves_biases_alone(tmp_path):
    def still(model, batch):
        return 0 * loss_fn(model, batch)[0], 1, {}

    model, _ = run(tmp_path, loss=still, steps=2, warmup=0, schedule="constant")
    torch.manual_seed(0)
    first = Toy()
    torch.testing.assert_close(model.head.bias, first.head.bias, rtol=0, atol=0)
    torch.testing.assert_close(model.head.weight, first.head.weight * (1 - 0.02 * 0.1) ** 2)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [0.5, 1, 1, 1, 1, 1]), ("cosine", [0.5, 1, 1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2])],
)
def test_learning_rate_by_hand(schedule, expected):
    config = dataclasses.replace(CONFIG, steps=6, warmup=2, lr=1.0, schedule=schedule)
    assert [lr_at(step, config) for step in range(6)] == pytest.approx(expected)


def test_keeping_comes_with_each_checkpoint_and_does_not_touch_the_training(tmp_path):
    steps = []

    def keep(model, step):
        steps.append(step)
        torch.rand(step)

    run(tmp_path / "with", keep=keep)
    run(tmp_path / "without")
    assert steps == [5, 10, 12]
    assert_same_run(tmp_path / "with", tmp_path / "without")


def bad_from(step: int, break_it):
    """`loss_fn` that breaks the batch of `step` (1, 2, ...) and all after."""
    calls = iter(range(step - 1))

    def loss(model, batch):
        value, weight, means = loss_fn(model, batch)
        return (value if next(calls, None) is not None else break_it(value, model)), weight, means

    return loss


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda value, _: value * math.nan, "the loss is nan"),
        (lambda value, _: value * math.inf, "the loss is inf"),
        (lambda value, model: value + (0 * model.head.bias).sqrt().sum(), "the gradient is nan"),
    ],
)
def test_a_loss_that_is_not_finite_stops_at_once_and_names_step_and_examples(tmp_path, break_it, said):
    with pytest.raises(UserError, match=f"step 7: {said} on batch") as error:
        run(tmp_path, loss=bad_from(7, break_it))
    stream = BATCHES.stream()
    taken = [next(stream)[1] for _ in range(7)][6]
    ids = [BATCHES.names[i] for i in taken]
    assert f"on batch {', '.join(ids[:8])}" in str(error.value)
    assert "keeps the last good state" in str(error.value)
    assert "\n" not in str(error.value)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["step"] == 5
    assert all(tensor.isfinite().all() for tensor in state["model"].values())
    assert len(history(tmp_path)) == 6


def test_a_bad_first_step_says_that_nothing_was_saved(tmp_path):
    for count, more in ((8, "utt7; nothing"), (9, "utt7 and 1 more; nothing")):  # a line names eight of a batch
        batch = Batches([1] * count, [f"utt{i}" for i in range(count)], 99, 0)
        names = re.escape(more.replace("utt7", ""))
        with pytest.raises(UserError, match=f"(utt[0-9](, )?){{8}}{names} was saved yet"):
            run(tmp_path, loss=bad_from(1, lambda value, _: value * math.nan), batches=batch)


def count(calls):
    def loss(model, batch):
        calls.append(1)
        return loss_fn(model, batch)

    return loss


def test_a_finished_run_is_not_run_again(tmp_path):
    model, first = run(tmp_path)
    before = (tmp_path / "loss.csv").read_text()
    again, second = run(tmp_path, loss=count(calls := []), save_every=0)
    assert not calls
    assert first == second
    assert (tmp_path / "loss.csv").read_text() == before
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": 0.01}, "settings"),
        ({"inputs": "other tokens"}, "inputs"),
        ({"batches": dataclasses.replace(BATCHES, seed=6)}, "batches"),
    ],
)
def test_a_checkpoint_of_another_run_is_not_used(tmp_path, capsys, change, named):
    run(tmp_path / "fresh", **change)
    run(tmp_path / "reused")
    run(tmp_path / "reused", **change)
    assert f"of another run (other {named}); starting at step 0" in capsys.readouterr().err
    assert_same_run(tmp_path / "fresh", tmp_path / "reused")


def test_other_first_weights_are_another_run(tmp_path, capsys):
    run(tmp_path)
    torch.manual_seed(1)
    train(Toy(0.3), loss_fn, BATCHES, collate, CONFIG, tmp_path, "")
    assert "of another run (other first weights)" in capsys.readouterr().err


def test_a_checkpoint_made_by_other_code_is_not_used(tmp_path, capsys, monkeypatch):
    run(tmp_path)
    monkeypatch.setattr("sebridge_lite.lm.train.code_hash", lambda *rooms: "changed")
    run(tmp_path)
    assert "of another run (other code)" in capsys.readouterr().err


def test_a_torn_checkpoint_is_one_clear_line(tmp_path):
    run(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:1_000])
    with pytest.raises(UserError, match=r"not a whole checkpoint.*delete it to start again") as error:
        run(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_named_when_a_checkpoint_is_written_and_the_last_one_stays(tmp_path, monkeypatch):
    (tmp_path / CHECKPOINT).write_text("the last good one")
    real, model = Path.open, torch.nn.Linear(300, 300)
    monkeypatch.setattr(
        Path, "open", lambda path, *how, **more: real(Path("/dev/full") if how == ("wb",) else path, *how, **more)
    )
    with pytest.raises(UserError, match=r"checkpoint\.pt: the disk is full"):
        save(tmp_path / CHECKPOINT, {}, {}, model, torch.optim.SGD(model.parameters()))
    assert (tmp_path / CHECKPOINT).read_text() == "the last good one"


def test_keys_tell_contents_apart():
    parts = [torch.zeros(3), torch.ones(3), np.zeros(3), "a", ("a", 1)]
    assert len({key_of(part) for part in parts}) == len(parts)
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of(torch.ones(3)) == key_of(torch.ones(3))


@pytest.mark.parametrize(("name", "said"), [("gpu", "not one of auto"), ("cuda:99", "is not on this machine")])
def test_a_device_that_is_not_there_is_one_clear_line(name, said):
    with pytest.raises(UserError, match=said):
        pick_device(name)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def save_half(real, at: int):
    """`torch.save` that dies in the middle of its `at`-th file."""
    calls = iter(range(at - 1))

    def save(state, file):
        if next(calls, None) is None:
            file.write(b"half a checkpoint")
            file.flush()
            die()
        real(state, file)

    return save


if __name__ == "__main__":
    target, how = sys.argv[1:]
    torch.set_num_threads(1)
    if how == "kill in a step":
        run(target, loss=failing(7, die))
    elif how == "kill while saving":
        torch.save = save_half(torch.save, 2)
        run(target)
    else:
        run(target, dropout=0.0)
        # Whole lines at once: two processes write to one pipe.
        os.write(1, f"{torch.distributed.get_world_size()} processes\n".encode())


def test_a_batch_that_does_not_fit_runs_in_pieces_and_learns_the_same(tmp_path, monkeypatch, capsys):
    def tight(model, batch):
        if len(batch["x"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss_fn(model, batch)

    whole, whole_done = run(tmp_path / "whole", dropout=0.0)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    pieces, pieces_done = run(tmp_path / "pieces", dropout=0.0, loss=tight)
    for a, b in zip(whole.parameters(), pieces.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert pieces_done.loss == pytest.approx(whole_done.loss)
    said = capsys.readouterr().err
    assert "out of GPU memory; batches in 2 pieces from here on; a budget of" in said


def test_an_example_that_does_not_fit_alone_is_one_line_and_the_run_goes_on_later(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)

    def full():
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(
        UserError, match=r"step 8: out of GPU memory with one example at a time; .* the same command goes on"
    ):
        run(tmp_path / "torn", loss=failing(7, full))
    model, _ = run(tmp_path / "torn")
    whole, _ = run(tmp_path / "whole")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), whole.parameters(), strict=True))
    assert "of another run" not in capsys.readouterr().err
