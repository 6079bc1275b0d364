"""The text-speech LM: text in, speech tokens out; a small Qwen2 in CosyVoice2's layout, so that its weights fit as they are.

    [sos] text [task] (style prefix: the speech tokens of a reference) speech [eos]

sos and task are rows 0 and 1 of `llm_embedding`, text rows come from Qwen2's own `embed_tokens`, speech rows from
`speech_embedding`; its last three are eos, an unused one and fill. `llm_decoder` reads the post-norm state. Style is on
when the prefix is given and off when it is empty (Eq. 6-7); dropping prefixes in training is up to who makes the batches.
Other released models differ in what stands around the text and after the speech rows: the last lines of `LMConfig`.

Ours: with a `pace`, text and speech share one clock. The t-th speech token stands at the position of the character that is
due by then, so that attention to the text needs to look only around itself; a model this small then learns to read from
a third of the speech. Left out: the mix of text and speech for streaming, speaker embeddings (CosyVoice2's LM has none), dropout.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.fields import within
from sebridge_lite.stack.layers import valid
from sebridge_lite.stack.own import has_own_stack, own_about
from sebridge_lite.stack.parts import load_model, part_file

SOS, TASK = 0, 1
STOPS = 3  # eos, unused, fill: CosyVoice2's three rows after the speech vocabulary


@dataclass(frozen=True)
class LMConfig:
    text_vocab: int = within(1, 1_000_000)
    speech_vocab: int = within(1, 1_000_000)
    hidden: int = within(1, 65_536)
    layers: int = within(1, 1_000)
    heads: int = within(1, 65_536)
    kv_heads: int = within(1, 65_536)
    ffn: int = within(1, 65_536)
    max_positions: int = within(4, 10_000_000)
    rope_theta: float = within(0, open_low=True)
    pace: float = within(0)  # speech tokens a character on the common clock; 0: positions count on, as in CosyVoice2
    extra: int = STOPS  # rows after the speech vocabulary; each of them stops speech
    end: int = 0  # which of them is learnt as eos
    marks: str = "own"  # whose rows stand around the text: own (`llm_embedding`), speech or text
    before: tuple[int, ...] = (SOS,)
    after: tuple[int, ...] = (TASK,)
    bias: bool = True  # of the head
    tied: bool = False  # the head is the table of speech
    body: str = ""  # the transformer's settings as JSON, where it is not a Qwen2 of these numbers


@dataclass(frozen=True, eq=False)
class Batch:
    """Right-padded rows. Padding is never read, whatever it holds."""

    text: Tensor  # (B, X)
    text_lengths: Tensor  # (B,)
    prefix: Tensor  # (B, P), P may be 0
    prefix_lengths: Tensor  # (B,)
    speech: Tensor  # (B, S)
    speech_lengths: Tensor  # (B,)
    read: Tensor | None = None  # (B, S): what stands for the speech where the model reads it
    prompt: Tensor | None = None  # (B,): the same number for rows with the same text and prefix, which are run once

    def share(self, rows: Sequence[int]) -> "Batch":
        """These rows alone."""
        return replace(self, **{name: part[rows] for name, part in vars(self).items() if part is not None})


Example = tuple[Tensor, Tensor, Tensor]  # text, style prefix (empty: style off), speech: each (length,) long


def collate(examples: Sequence[Example], shared: bool = False) -> Batch:
    """shared: rows with the same text and prefix run them once, which saves time where at least half of them do."""
    parts, first = [], dict[tuple, int]()
    for rows in zip(*examples, strict=True):
        parts += [pad_sequence(list(rows), batch_first=True).long(), torch.tensor([len(row) for row in rows])]
    if shared:
        like = (tuple(tuple(part.tolist()) for part in example[:2]) for example in examples)
        return replace(Batch(*parts), prompt=torch.tensor([first.setdefault(key, row) for row, key in enumerate(like)]))
    return Batch(*parts)


class TextSpeechLM(nn.Module):
    """Eq. 1 (Sec. 2): pi(y | x) as a product over speech tokens."""

    def __init__(self, config: LMConfig):
        from transformers import AutoConfig, AutoModel  # two seconds, which who builds no LM need not wait

        super().__init__()
        if config.hidden % (2 * config.heads) or config.heads % config.kv_heads:
            raise UserError(
                f"LM of hidden {config.hidden}, {config.heads} heads, {config.kv_heads} KV heads: hidden must be an even "
                "multiple of heads, and heads a multiple of KV heads"
            )
        self.config = config
        body = json.loads(config.body or "{}") or {
            "model_type": "qwen2",
            "vocab_size": config.text_vocab,
            "hidden_size": config.hidden,
            "intermediate_size": config.ffn,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.kv_heads,
            "max_position_embeddings": config.max_positions,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        }
        self.llm = AutoModel.from_config(AutoConfig.for_model(**body), dtype=torch.float32)
        rows, own = config.speech_vocab + config.extra, config.marks == "own"
        self.llm_embedding = nn.Embedding(self.around, config.hidden) if own else None
        self.speech_embedding = nn.Embedding(rows, config.hidden)
        self.llm_decoder = nn.Linear(config.hidden, rows, bias=config.bias)
        for module in (self.llm_embedding, self.speech_embedding, self.llm_decoder):
            if module is not None:
                nn.init.normal_(module.weight, std=self.llm.config.initializer_range)
        if config.bias:
            nn.init.zeros_(self.llm_decoder.bias)
        if config.tied:
            self.llm_decoder.weight = self.speech_embedding.weight
        self.released = ""  # of whose weights it is made, where a policy is kept as adapters to them (`lm.lora`)

    @property
    def around(self) -> int:
        """How many tokens stand around each text."""
        return len(self.config.before) + len(self.config.after)

    @property
    def eos(self) -> int:
        return self.config.speech_vocab + self.config.end

    def mark_rows(self) -> Tensor:
        """What stands around each text, (around, D)."""
        tables = {"own": self.llm_embedding, "speech": self.speech_embedding, "text": self.llm.embed_tokens}
        ids = torch.tensor([*self.config.before, *self.config.after], device=self.speech_embedding.weight.device)
        return tables[self.config.marks](ids)

    def check(self, batch: Batch) -> None:
        parts = [
            ("text", batch.text, batch.text_lengths, self.config.text_vocab),
            ("style prefix", batch.prefix, batch.prefix_lengths, self.config.speech_vocab),
            ("speech", batch.speech, batch.speech_lengths, self.config.speech_vocab),
        ]
        for name, ids, lengths, vocab in parts:
            wrong = valid(lengths, ids.shape[1]) & ((ids < 0) | (ids >= vocab))
            if wrong.any():
                row, place = wrong.nonzero()[0].tolist()
                raise UserError(
                    f"{name} of row {row}, place {place}: token {int(ids[row, place])} is outside 0..{vocab - 1}; "
                    "use tokens of this model's own vocabulary"
                )
        if (batch.text_lengths < 1).any():
            raise UserError(f"text of row {int(batch.text_lengths.argmin())}: empty; every row needs a text")
        total = batch.text_lengths + batch.prefix_lengths + batch.speech_lengths + self.around
        if total.max() > self.config.max_positions:
            raise UserError(
                f"row {int(total.argmax())}: {int(total.max()):,} tokens with its text, prefix and speech, the model has "
                f"{self.config.max_positions:,} positions; shorten the text or the speech"
            )

    def embed(self, batch: Batch) -> Tensor:
        """All inputs of all rows, (B, L, D): everything but eos, which is only predicted."""
        self.check(batch)
        x, p, s = batch.text_lengths, batch.prefix_lengths, batch.speech_lengths
        width, start, marks = int((self.around + x + p + s).max()), len(self.config.before), self.mark_rows()
        out = marks.new_zeros(len(x), width, self.config.hidden)
        place = (
            torch.arange(width, device=marks.device) - x[:, None] - start
        )  # (B, L), 0 at the first mark after the text
        out[:, :start] = marks[:start]
        for late, row in enumerate(marks[start:]):
            out[place == late] = row
        place = place - len(self.config.after)  # 0 at the first token of the prefix
        text = place + len(self.config.after)
        # Boolean indexing reads and writes row by row, so lengths alone bring the parts to their places.
        for mask, table, ids, lengths in (
            ((text < 0) & (text >= -x[:, None]), self.llm.embed_tokens, batch.text, x),
            ((place >= 0) & (place < p[:, None]), self.speech_embedding, batch.prefix, p),
            ((place >= p[:, None]) & (place < (p + s)[:, None]), self.speech_embedding, batch.speech, s),
        ):
            out[mask] = table(ids[valid(lengths, ids.shape[1])])
        return out

    def first_position(self, batch: Batch) -> tuple[Tensor, float]:
        """Where each row's first speech token stands (B,), and how far each next one is from the one before."""
        if not self.config.pace:
            return batch.text_lengths + batch.prefix_lengths + self.around, 1.0
        # [task], or the end of the prefix, stands beside the first character; a prefix lies before it.
        return torch.full_like(batch.text_lengths, 1) + 1 / self.config.pace, 1 / self.config.pace

    def run(self, batch: Batch, use_cache: bool = False):
        """Qwen2's outputs for all inputs; states are (B, L, D)."""
        embedded = self.embed(batch)
        if not self.config.pace:
            # No mask: attention is causal and padding is on the right, so nothing valid can see it.
            return self.llm(inputs_embeds=embedded, use_cache=use_cache)
        place = torch.arange(embedded.shape[1], device=embedded.device).expand(embedded.shape[:2])
        first, step = self.first_position(batch)
        late = place - (batch.text_lengths + batch.prefix_lengths + 2)[:, None]  # (B, L), 0 at the first speech token
        position = torch.where(place <= batch.text_lengths[:, None], place, first[:, None] + late * step)
        # A mask of ones hides nothing; without one, jumps in the positions would be taken for packed sequences.
        return self.llm(
            inputs_embeds=embedded, position_ids=position, attention_mask=torch.ones_like(place), use_cache=use_cache
        )

    def continued(self, batch: Batch, prompt: Tensor) -> Tensor:
        """(B, S + 1, D): the states that predict speech, then eos; each prompt is run once, and its keys serve all its rows."""
        self.check(batch)
        names, rows = prompt.unique(return_inverse=True)
        alone = batch.share((names[:, None] == prompt).int().argmax(1).tolist())
        out = self.run(
            replace(alone, speech=alone.speech[:, :0], speech_lengths=alone.speech_lengths * 0), use_cache=True
        )
        out.past_key_values.batch_select_indices(rows)
        length, (first, step) = batch.text_lengths + batch.prefix_lengths + self.around, self.first_position(batch)
        real = valid(batch.speech_lengths, batch.speech.shape[1])
        said = self.llm(
            inputs_embeds=self.speech_embedding(batch.speech.masked_fill(~real, 0)),
            past_key_values=out.past_key_values,
            position_ids=first[:, None] + step * torch.arange(real.shape[1], device=first.device),
            attention_mask=torch.cat([valid(length, out.last_hidden_state.shape[1]), real], 1),
        ).last_hidden_state
        return torch.cat([out.last_hidden_state[rows, length - 1][:, None], said], 1)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits (N, V + extra) and targets (N,) of the scored positions only, row after row: speech, then eos."""
        forgetful = any(getattr(module, "gradient_checkpointing", False) for module in self.llm.modules())  # of keys
        if batch.prompt is not None and not forgetful:
            states = self.continued(batch, batch.prompt)
            return self.llm_decoder(states[valid(batch.speech_lengths + 1, states.shape[1])]), self.targets(batch)
        states = self.run(batch).last_hidden_state
        first = (
            self.around - 1 + batch.text_lengths + batch.prefix_lengths
        )  # the input that predicts the first speech token
        scored = valid(first + batch.speech_lengths + 1, states.shape[1]) & ~valid(first, states.shape[1])
        return self.llm_decoder(states[scored]), self.targets(batch)

    def targets(self, batch: Batch) -> Tensor:
        """(N,): what the scored positions should say."""
        said = F.pad(batch.speech, (0, 1)).scatter(1, batch.speech_lengths[:, None], self.eos)
        return said[valid(batch.speech_lengths + 1, said.shape[1])]


def load_backbone(lang: str = "") -> TextSpeechLM:
    """The backbone that all policies of a language start from, the embedded one if it has none of its own; on the CPU."""
    about = own_about(lang)
    if about and "hub" in about:
        from sebridge_lite.lm.released import load_released

        return load_released(about["hub"])
    own = about is not None or not has_own_stack()
    return load_model(TextSpeechLM, LMConfig, part_file("backbone", own=own))


def token_logprobs(model: TextSpeechLM, batch: Batch) -> Tensor:
    """(B, S + 1): log pi(y_t | y_<t, x) of each speech token, then of eos; 0 after it."""
    logits, targets = model(batch)
    scored = valid(batch.speech_lengths + 1, batch.speech.shape[1] + 1)
    out = torch.zeros(scored.shape, device=logits.device)
    out[scored] = -F.cross_entropy(logits.float(), targets, reduction="none")
    return out


def sequence_logprobs(model: TextSpeechLM, batch: Batch) -> Tensor:
    """(B,): log pi(y | x), summed over speech tokens and eos; text, prefix and padding are not scored."""
    return token_logprobs(model, batch).sum(1)


def noisy(batch: Batch, noise: float, codes: int) -> Batch:
    """The batch where this share of the speech that is *read* is swapped for random tokens (ours).

    A model which will read its own slips so learns to trust the text more.
    """
    if not noise:
        return batch
    hit = torch.rand(batch.speech.shape, device=batch.speech.device) < noise
    return replace(batch, read=torch.where(hit, torch.randint_like(batch.speech, codes), batch.speech))


def loss(model: TextSpeechLM, batch: Batch) -> tuple[Tensor, int, dict]:
    """Eq. 2 (Sec. 2): mean cross entropy over scored tokens, their number, and no further scalars (the loop's contract)."""
    heard = batch if batch.read is None else replace(batch, speech=batch.read)
    logits, targets = model(heard)[0], model.targets(batch)
    return F.cross_entropy(logits.float(), targets), len(targets), {}
