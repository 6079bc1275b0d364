"""What `lm` makes of tiny models and made-up batches, as it was when somebody last looked at it (see goldens.py)."""

import dataclasses
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from goldens import Numbers, check, keep, told
from tiny import tiny_lm

from sebridge_lite.core.params import load_params
from sebridge_lite.lm import lm, lora, released, sampling, sft, train
from sebridge_lite.lm.lm import LMConfig
from sebridge_lite.lm.sampling import SamplerConfig

CONFIG = LMConfig(30, 40, 16, 2, 4, 2, 24, max_positions=60, rope_theta=1e4, pace=0)
PLAIN = SamplerConfig(temperature=1, top_p=0.9, window=0, tau=0.1, min_ratio=1, max_ratio=4, seed=0)
SMOKE = load_params(Path(__file__).parents[1] / "params" / "smoke.yaml")


def models() -> dict:
    changes = {
        "counted on": {},
        "one clock": {"pace": 2.5},
        "speech marks": {"marks": "speech", "before": (40,), "after": (42, 41), "bias": False},
    }
    changes |= {
        "text marks": {
            "marks": "text",
            "before": (1, 2),
            "after": (3,),
            "tied": True,
            "extra": 1,
            "end": 0,
            "bias": False,
        }
    }
    return {name: tiny_lm(dataclasses.replace(CONFIG, **change), spread=0.3) for name, change in changes.items()}


def examples(count: int = 5, seed: int = 0):
    """(text, style prefix, speech) of different lengths, every second with a prefix, one without speech."""
    g = torch.Generator().manual_seed(seed)

    def some(size, of):
        return torch.randint(0, of, (size,), generator=g)

    return [(some(1 + i % 4, 30), some(2 * (i % 2), 40), some((3 * i) % 7, 40)) for i in range(count)]


def batch_of(model, rows):
    """With the tokens cut to what the model knows."""
    return lm.collate([(t % model.config.text_vocab, p, s) for t, p, s in rows])


def read() -> dict:
    found = {}
    for name, model in models().items():
        batch = batch_of(model, examples())
        twice = lm.collate([examples()[1]] * 2 + [examples()[2]], shared=True)
        with torch.no_grad():
            torch.manual_seed(3)
            loss, count, more = lm.loss(model, lm.noisy(batch, 0.5, 40))
            logits, targets = model(batch)
            found[name] = {
                "around": [model.around, model.eos, model.mark_rows().shape],
                "first": model.first_position(batch),
                "embedded": model.embed(batch).abs().sum(2),
                "logits": [logits.shape, logits.sum(1), logits[:, ::9], targets],
                "by token": lm.token_logprobs(model, batch),
                "by row": lm.sequence_logprobs(model, batch),
                "shared": [twice.prompt, lm.sequence_logprobs(model, twice)],
                "loss": [loss, count, more],
            }
    model = models()["one clock"]
    t, p, s = examples()[3]
    edge = torch.zeros(60 - len(t) - len(p) - 2, dtype=torch.long)
    asked = {
        "longest": (t, p, edge),
        "too long": (t, p, torch.zeros(len(edge) + 1, dtype=torch.long)),
        "no text": (t[:0], p, s),
        "text": (t * 0 + 30, p, s),
        "last text": (t * 0 + 29, p, s),
        "prefix": (t, p * 0 - 1, s),
        "speech": (t, p, torch.tensor([1, 39, 40])),
        "last speech": (t, p, torch.tensor([1, 39, 0])),
    }
    sizes = [{"hidden": 15}, {"heads": 3}, {"kv_heads": 3}, {"heads": 8, "kv_heads": 8}, {"heads": 16}]
    batch = lm.collate(examples())
    torch.manual_seed(0)
    return found | {
        "checked": {name: told(model.check, lm.collate([examples()[0], row])) for name, row in asked.items()},
        "sizes": [
            str(told(lambda change=change: lm.TextSpeechLM(dataclasses.replace(CONFIG, **change)).around))
            for change in sizes
        ],
        "some rows": [part for part in vars(batch.share([0, 2])).values() if part is not None],
        "shared": lm.collate([*examples(3), *examples(2)], shared=True).prompt,
        "noisy": [lm.noisy(batch, share, 40).read for share in (0.5, 1.0)],
        "not noisy": lm.noisy(batch, 0, 40).read,
        "defaults": [dataclasses.asdict(CONFIG), lm.SOS, lm.TASK],
    }


def drawn() -> dict:
    keys = sampling._keys(7, [3, 4, 5], 2).flatten()
    probs = torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.25, 0.25, 0.25, 0.25], [0.9, 0.1, 0.0, 0.0]]).repeat(2, 1)
    recent = torch.tensor([[0, 0, 1], [1, 2, 3], [0, 0, 0]]).repeat(2, 1)
    tokens = torch.tensor([0, 1, 0, 1, 3, 1])
    sampler = {name: dataclasses.replace(PLAIN, **change) for name, change in {
        "plain": {}, "cold": {"temperature": 0}, "warm": {"temperature": 1.3, "seed": 2}, "narrow": {"top_p": 0.5},
        "window": {"window": 3, "tau": 0.34}, "window, exact": {"window": 4, "tau": 0.25}, "short": {"min_ratio": 0, "max_ratio": 0.5},
        "long": {"min_ratio": 3.5, "max_ratio": 4},
    }.items()}  # fmt: skip
    text, prefix, _ = zip(*examples(5), strict=True)
    said = {}
    for name, model in models().items():
        texts = [part % model.config.text_vocab for part in text]
        said[name] = {how: sampling.generate(model, texts, prefix, one, 2) for how, one in sampler.items()}
    model = models()["one clock"]
    heats = torch.tensor([0.0, 1.0, 1.5])
    lengths = torch.tensor([[2], [0], [1], [2], [5]]), torch.tensor([[3], [0], [1], [9], [5]])
    many = torch.linspace(0, 1, 40).repeat(3, 1)
    broken = tiny_lm(CONFIG)
    broken.llm_decoder.weight.data[:] = torch.nan
    return {
        "mixed": sampling.mix(torch.tensor([0, 1, -1, 1 << 40])),
        "uniform": [sampling.uniform(keys, counter) for counter in (0, 1, 1 << 20)],
        "keys": sampling._keys(1, [0, 5], 3),
        "inverse": sampling.inverse_cdf(many, torch.tensor([0.0, 0.5, 0.999])),
        "inverse, exact": sampling.inverse_cdf(torch.tensor([[1.0, 1, 2], [0, 1, 1]]), torch.tensor([0.25, 0.0])),
        "drawn": {
            top_p: [sampling.draw(probs, top_p, keys, step) for step in range(9)] for top_p in (0.3, 0.5, 0.75, 1.0)
        },
        "redrawn": [
            sampling.redraw(probs, tokens, recent, dataclasses.replace(PLAIN, window=3, tau=tau), keys, 1)
            for tau in (1 / 3, 0.34, 2 / 3, 1)
        ],
        "bounds": sampling.length_bounds(
            torch.tensor([1, 2, 7]), dataclasses.replace(PLAIN, min_ratio=0.4, max_ratio=0.5)
        ),
        "turned": sampling.rotate_half(torch.arange(8.0).view(2, 4)),
        "said": said,
        "at temperatures": sampling.generate(model, text, prefix, PLAIN, 3, temperature=heats, row_seeds=range(9, 14)),
        "of lengths": sampling.generate(model, text, prefix, PLAIN, 2, lengths=lengths),
        "one": sampling.generate(model, text[1:2], prefix[1:2], PLAIN),
        "to the last place": [
            len(row)
            for (row,) in sampling.generate(
                model, [text[0]], [prefix[0]], dataclasses.replace(PLAIN, min_ratio=99, max_ratio=99)
            )
        ],
        "broken": told(sampling.generate, broken, text, prefix, PLAIN, 2),
    }


class Toy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head, self.drop = torch.nn.Linear(3, 3), torch.nn.Dropout(0.25)

    def forward(self, x):
        return self.head(self.drop(x))


def trained() -> dict:
    sizes, config = (
        np.array([1, 2, 2, 3, 5, 5, 4, 8]),
        train.TrainConfig(8, 0.1, 3, "cosine", 0.5, save_every=3, seed=1),
    )
    batches = train.Batches(sizes, [f"e{i}" for i in range(8)], 10, 4)
    stream = batches.stream((0, 1))
    rows = torch.arange(24.0).view(8, 3) / 10

    def toy_loss(model, batch):
        loss = (model(batch) - batch.flip(1)).square().mean()
        return loss, len(batch), {"half": loss / 2}

    found = {}
    with tempfile.TemporaryDirectory() as name:
        for what, change in {
            "cosine": {},
            "constant": {"schedule": "constant"},
            "never kept": {"save_every": 0, "clip": 0.1},
        }.items():
            model, at = Toy(), []
            folder = Path(name, what)
            folder.mkdir()
            done = train.train(
                model, toy_loss, batches, lambda places: rows[places], dataclasses.replace(config, **change), folder, "x",
                keep=lambda _, step, at=at: at.append(step),
            )  # fmt: skip
            table = pd.read_csv(folder / "loss.csv")
            found[what] = [
                table,
                at,
                done.steps,
                done.epochs,
                done.tokens,
                done.loss,
                [w.detach() for w in model.parameters()],
            ]
    bad = {"empty": [], "zero": [1, 0], "over": [11, 1], "exact": [10, 1]}
    groups = train._optimizer(Toy(), config).param_groups
    pieces = [
        train._gradient(
            (toy := Toy().eval()),
            [*toy.parameters()],
            1.0,
            toy_loss,
            lambda places: rows[places],
            np.arange(5),
            torch.device("cpu"),
            n,
        )
        for n in (1, 2, 9)
    ]
    short = [f"e{i}" for i in range(9)]
    return found | {
        "epochs": [batches.epoch(epoch) for epoch in (0, 1)],
        "stream": [next(stream) for _ in range(9)],
        "refused": {how: str(told(train.Batches, sizes, ["a", "b"], 10, 0))[:120] for how, sizes in bad.items()},
        "learning rates": [
            [train.lr_at(step, dataclasses.replace(config, **change)) for step in range(8)]
            for change in ({}, {"schedule": "constant"}, {"warmup": 0})
        ],
        "groups": [[len(group["params"]), group["weight_decay"], group["betas"]] for group in groups],
        "in pieces": pieces,
        "not finite": [
            str(train._not_finite(loss, 1.0, names, 3, Path("/nowhere")))
            for loss in (1.0, float("nan"))
            for names in (short[:8], short)
        ],
    }


def tuned() -> dict:
    said = [(t, s) for t, _, s in examples(9)]
    same = sft.same_speaker("abacabaaa")
    batches = []
    for share in (0.0, 0.5, 1.0):
        torch.manual_seed(5)
        batches.append([sft.styled_batch(said, same, share, longest, range(9)).prefix for longest in (2, 50)])
    p = dataclasses.replace(SMOKE.sft, steps=6, warmup=2, budget=60, style_tokens=3)
    found = {}
    for name, change in {"whole": {}, "adapters": {"lora_rank": 2}, "long warmup": {"warmup": 5}}.items():
        with tempfile.TemporaryDirectory() as folder:
            model = tiny_lm(CONFIG)
            done = sft.fine_tune(model, said, "abacabaaa", dataclasses.replace(p, **change), 0, Path(folder), "tune")
            found[name] = [
                done.loss,
                done.epochs,
                lm.sequence_logprobs(model, lm.collate(examples())).detach(),
                pd.read_csv(Path(folder, "loss.csv")),
            ]
    longest = [
        (torch.zeros(n, dtype=torch.long), torch.zeros(51 - n + extra, dtype=torch.long))
        for n, extra in ((9, 4), (9, 5))
    ]
    with tempfile.TemporaryDirectory() as folder:
        fits = [
            str(
                told(
                    sft.fine_tune,
                    tiny_lm(CONFIG),
                    [one],
                    "a",
                    dataclasses.replace(p, steps=1, budget=99),
                    0,
                    Path(folder),
                    "tune",
                )
            )[:48]
            for one in longest
        ]
    return found | {"same": same, "prefixes": batches, "fits": fits}


def adapted() -> dict:
    big = SimpleNamespace(
        parameters=lambda: iter([SimpleNamespace(numel=lambda: 99_999_999), SimpleNamespace(numel=lambda: 1)])
    )
    small = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(numel=lambda: 99_999_999)]))
    wanted, there = {"a": (1, 2), "b": (3,), "c": (4,)}, {"a": (1, 2), "b": (4,), "d": (5,)}
    model = tiny_lm(CONFIG)
    torch.manual_seed(0)
    lora.adapted(model, 2)
    learnt = [(name, list(part.shape)) for name, part in model.named_parameters() if part.requires_grad]
    with torch.no_grad():
        for name, part in model.named_parameters():
            if "lora_B" in name:
                part += 0.1
        before = lm.sequence_logprobs(model, lm.collate(examples()))
        merged = lm.sequence_logprobs(lora.merge_lora(model), lm.collate(examples()))
    shapes = {f"{released.QWEN}embed_tokens.weight": (10, 4), "speech_embedding.weight": (43, 4)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = released.body_of(folder)
        (folder / "CosyVoice-BlankEN").mkdir()
        numbers = {"hidden_size": 8, "rope_theta": 5.0, "num_hidden_layers": 3}
        (folder / "CosyVoice-BlankEN" / "config.json").write_text(
            json.dumps(numbers | {"rope_parameters": {"rope_theta": 7.0}})
        )
        given = released.body_of(folder)
        configs = [
            str(told(released.cosyvoice_config, {**shapes, **more}, Path("llm.pt")))
            for more in (
                {},
                {"llm_embedding.weight": (2, 4)},
                {"llm_decoder.bias": (43,)},
                {"speech_embedding.weight": (201, 4)},
                {"speech_embedding.weight": (200, 4)},
            )
        ]
    return {
        "ranks": [lora.rank_of(one, asked) for one in (big, small) for asked in (0, 4, -1)],
        "learnt": learnt,
        "adapted": [before, merged],
        "differences": [
            lora.differences(wanted, there),
            lora.differences(wanted, wanted),
            lora.differences({str(i): 1 for i in range(6)}, {}),
            lora.differences({str(i): 1 for i in range(7)}, {}),
            lora.differences({str(i): 1 for i in range(6)}, {}, 5),
        ],
        "names": [
            lora.theirs("llm.layers.0.q.lora_A.default.weight"),
            released.theirs("llm.x"),
            released.theirs("y"),
            released.ours(released.QWEN + "x"),
            released.ours("y"),
        ],
        "bodies": [bare, given],
        "configs": configs,
        "not one": [
            str(told(released.cosyvoice_config, some, Path("llm.pt"))) for some in ({}, dict.fromkeys("abcd", (1,)))
        ],
    }


def saved() -> dict:
    """What a policy leaves on disk: adapters alone where they are put on a released model."""
    found = {}
    for name in ("", "x/y"):
        for rank in (0, 2):
            with tempfile.TemporaryDirectory() as folder:
                model = tiny_lm(CONFIG)
                model.released = name
                lora.save_policy(lora.adapted(model, rank), Path(folder, "policy.safetensors"))
                found[f"{name}, {rank}"] = sorted(
                    path.relative_to(folder).as_posix() for path in Path(folder).rglob("*.*")
                )
    return found


def begun() -> dict:
    """Which backbone a policy begins with: of a language's own stack, or the embedded one."""
    found = {}
    for about in (None, {}, {"hub": "x"}):
        for has in (False, True):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(lm, "own_about", lambda lang, about=about: about)
                patch.setattr(lm, "has_own_stack", lambda has=has: has)
                patch.setattr(lm, "part_file", lambda name, own: f"{name}, own: {own}")
                patch.setattr(lm, "load_model", lambda cls, config, file: file)
                patch.setattr(released, "load_released", lambda name: f"released: {name}")
                found[f"{about}, {has}"] = lm.load_backbone("th")
    return found


NUMBERS: Numbers = {
    "lm": read,
    "sampling": drawn,
    "train": trained,
    "sft": tuned,
    "lora": adapted,
    "backbone": begun,
    "saved": saved,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_nothing_of_lm_has_moved_unseen(name):
    check(Path(__file__), NUMBERS, name, near=1e-3)  # networks add up in float32


if __name__ == "__main__":
    keep(Path(__file__), NUMBERS)
