"""SFT training: `speech.sft.fine_tune` against transformers' `Trainer`, on the same weights, examples, precision and optimiser.

320 examples (48 at 50 M weights; text, speech tokens) of the studio world's lengths, once through, with the settings of
`params/lite.yaml`: AdamW, its betas and weight decay, warm-up and half a cosine, gradients clipped, float32 (bf16 on a GPU),
at most 2,000 tokens a step. Trainer counts rows, so it gets as many a step as make the same number of steps. Style prefixes
and token noise are off: they are drawn anew in each step, and both sides must see the same tokens. All weights are trained, as
the library does below 100 M; a user of 50 M would too, since they and AdamW's state take under 1 GB. Both run their whole
loop, from a batch's collation to its update; ours also writes its history and a checkpoint, Trainer neither. Arms:

    Trainer default    random batches, padded, with an attention mask, as its own collators make them
    Trainer best       examples sorted by length beforehand, since `group_by_length` sorts a small set worse than a large one; no
                       mask, which a causal model needs not beside padding on the right; no worker processes, which for
                       examples in memory only cost
    sebridge_lite      batches of like lengths under a token budget; logits at speech tokens alone

One step's loss and all its gradients are compared first, and must agree to 1e-4 of the largest of each tensor. `ratio` is to
Trainer's best arm; `padding` is the share of each arm's inputs that is padding. Left out: `torch.compile`, packed batches (no
kernel for them on CPUs).

    OMP_WAIT_POLICY=passive python benchmarks/sft_step.py --size 50m --json sft_step_50m.json
"""

import copy
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from _common import compared, exit_code, finish, in_turn, options, seconds
from _twin import LONGEST, PER_CHARACTER, SHORTEST, SIZES, Size, agree, as_causal_lm, gap, named, prompt_rows, sized
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sebridge_lite.core.device import autocast, move, pick_device
from sebridge_lite.core.params import SFTParams, load_params
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM, collate, loss
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.lm.train import Batches

COMPARED, IGNORED = 16, -100
DEFAULT, BEST, OURS = "Trainer default", "Trainer best", "sebridge_lite"
LITE = Path(__file__).parents[1] / "params" / "lite.yaml"

Example = tuple[Tensor, Tensor]  # text, speech


@dataclass(frozen=True)
class Setting:
    """What all arms share."""

    config: LMConfig
    examples: list[Example]
    sizes: list[int]  # as `fine_tune` counts
    sft: SFTParams
    rows: int  # of a Trainer batch
    device: torch.device

    def batches(self) -> list:
        """Of our first epoch."""
        return Batches(self.sizes, [""] * len(self.sizes), self.sft.budget, 0).epoch(0)


def make_setting(size: Size, device: torch.device) -> Setting:
    torch.manual_seed(0)
    config, count = size.config, size.examples
    sizes = torch.randint(SHORTEST, LONGEST + 1, (count,))
    lengths = (sizes * PER_CHARACTER * (0.9 + 0.2 * torch.rand(count))).long()
    examples = [
        (torch.randint(0, config.text_vocab, (text,)), torch.randint(0, config.speech_vocab, (speech,)))
        for text, speech in zip(sizes.tolist(), lengths.tolist(), strict=True)
    ]
    sft = replace(load_params(LITE).sft, style_share=0.0, token_noise=0.0)
    setting = Setting(config, examples, [len(text) + len(speech) + 2 for text, speech in examples], sft, 0, device)
    steps = len(setting.batches())
    return replace(setting, sft=replace(sft, steps=steps), rows=math.ceil(count / steps))


def as_rows(config: LMConfig, example: Example) -> dict[str, Tensor]:
    """Of the twin: eos is the first row after the speech tokens, and only speech and eos are learnt."""
    prompt, said = prompt_rows(config, example[0]), torch.cat([example[1], torch.tensor([config.speech_vocab])])
    ids = torch.cat([prompt, said])
    return {"input_ids": ids, "labels": torch.cat([torch.full_like(prompt, IGNORED), said])}


def padded(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    fill = {"input_ids": 0, "labels": IGNORED}
    return {name: pad_sequence([row[name] for row in rows], True, value) for name, value in fill.items()}


def masked(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    ones = [torch.ones_like(row["input_ids"]) for row in rows]
    return padded(rows) | {"attention_mask": pad_sequence(ones, True)}


def make_trainer(model: TextSpeechLM, setting: Setting, best: bool, folder: str):
    """A Trainer on a twin of `model`."""
    from transformers import PrinterCallback, Trainer, TrainingArguments

    p = setting.sft
    settings = TrainingArguments(
        folder, per_device_train_batch_size=setting.rows, num_train_epochs=1, learning_rate=p.lr, weight_decay=0.01,
        lr_scheduler_type="cosine", warmup_steps=min(p.warmup, p.steps // 4), adam_beta2=0.98, max_grad_norm=1.0,
        train_sampling_strategy="sequential" if best else "random", bf16=setting.device.type == "cuda",
        use_cpu=setting.device.type == "cpu", dataloader_num_workers=0, dataloader_pin_memory=setting.device.type == "cuda",
        save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True,
    )  # fmt: skip
    twin = copy.deepcopy(as_causal_lm(model)).requires_grad_(True)
    rows = [as_rows(setting.config, example) for example in setting.examples]
    if best:
        rows.sort(key=lambda row: len(row["input_ids"]))
    trainer = Trainer(twin, settings, padded if best else masked, rows)
    trainer.remove_callback(PrinterCallback)
    return trainer


def disagreement(model: TextSpeechLM, trainer, setting: Setting) -> dict[str, float]:
    """Of the first examples as one step, in loss and gradients."""
    some = setting.examples[:COMPARED]
    batch = move(collate([(text, text[:0], speech) for text, speech in some]), setting.device)
    ours = copy.deepcopy(model).to(setting.device).train()
    with autocast(setting.device):
        mean = loss(ours, batch)[0]
    inputs = move(trainer.data_collator([as_rows(setting.config, example) for example in some]), setting.device)
    with autocast(setting.device):
        theirs = trainer.compute_loss(
            trainer.model.train(), inputs, num_items_in_batch=torch.tensor(len(model.targets(batch)))
        )
    return gap(ours, trainer.model, mean, theirs)


def padding(setting: Setting) -> dict[str, float]:
    """Of each arm's inputs in an epoch."""
    sizes, rows = torch.tensor(setting.sizes), setting.rows
    batches = {
        DEFAULT: torch.randperm(len(sizes)).split(rows),
        BEST: sizes.argsort().split(rows),
        OURS: setting.batches(),
    }
    cells = {name: sum(len(batch) * int(sizes[batch].max()) for batch in own) for name, own in batches.items()}
    return {name: 1 - sum(setting.sizes) / count for name, count in cells.items()}


def rate(train: Callable[[], object], setting: Setting) -> float:
    """Speech tokens a second, of an epoch."""
    return sum(len(speech) for _, speech in setting.examples) / seconds(train)


def by_us(model: TextSpeechLM, setting: Setting) -> float:
    speakers = ["one"] * len(setting.examples)
    with tempfile.TemporaryDirectory() as folder:
        return rate(lambda: fine_tune(model, setting.examples, speakers, setting.sft, 0, Path(folder), "SFT"), setting)


def main(argv: list[str] | None = None) -> int:
    parser = sized(options(__doc__, repeats=3))
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(argv)
    logging.disable(logging.WARNING)  # transformers warns of its own settings
    warnings.simplefilter("ignore")
    setting = make_setting(SIZES[args.size], pick_device(args.device))
    torch.manual_seed(0)
    model = TextSpeechLM(setting.config)
    with tempfile.TemporaryDirectory() as folder:
        trainers = {name: make_trainer(model, setting, name == BEST, folder) for name in (DEFAULT, BEST)}
        parity = {name: disagreement(model, trainer, setting) for name, trainer in trainers.items()}
        if not agree(parity, setting.device):
            return 1
        arms = {name: lambda own=trainer: rate(own.train, setting) for name, trainer in trainers.items()}
        rates = in_turn(arms | {OURS: lambda: by_us(model, setting)}, args.repeats)
    steps = {name: trainer.state.global_step for name, trainer in trainers.items()} | {OURS: setting.sft.steps}
    shares = padding(setting)
    for name in rates:
        print(f"{name}: {steps[name]} updates, {shares[name]:.1%} padding")
    result = compared(named("sft_step", args.size), rates, OURS, BEST, parity)
    finish(result | {"updates": steps, "padding": shares}, "speech tokens/s", args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
