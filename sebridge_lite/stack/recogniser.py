"""The judges: two CTC recognisers that differ in input and architecture (and, by whoever trains them, in seed and speakers).

`TokenJudge` reads speech tokens and *selects* among candidates: thousands a minute. `SoundJudge` hears audio, as the paper's
Whisper does, and *scores*. Both hear phones and tones (units.py says why not letters); a `WordGraph` makes words of them, and
words are what WER counts. So a judge knows the words of its lexicon and no others, and pulls a slip to the nearest word: the
error of the bare units, `greedy`, is the stricter figure. Left out: a language model, beam search.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sebridge_lite.core.fields import within
from sebridge_lite.stack.layers import Block, Halve, check_codes, ctc, masked_mean, standardise, valid

STEPS = 2  # CTC outputs a token of 40 ms: a fast syllable has more units than tokens


class BiGRU(nn.Module):
    """Both directions, padding never read. (B, S, inputs) -> (B, S, 2 hidden)"""

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]


@dataclass(frozen=True)
class TokenJudgeConfig:
    codes: int = within(2)
    symbols: int = within(1)  # units, without the blank
    embedding: int = within(1)
    hidden: int = within(1)
    dropout: float = within(0, 1)
    noise: float = within(0, 1)  # share of tokens replaced in training, so that it bears what a language model writes


class TokenJudge(nn.Module):
    def __init__(self, config: TokenJudgeConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.codes, config.embedding)
        self.gru = BiGRU(config.embedding, config.hidden, 2, config.dropout)
        self.head = nn.Linear(2 * config.hidden, STEPS * (config.symbols + 1))

    def forward(self, codes: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes (B, S) -> log-probabilities (B, 2 S, 1 + symbols), and how many are valid (B,)."""
        check_codes(codes[valid(lengths, codes.shape[1])], self.config.codes, "this judge")
        codes = codes.clamp(0, self.config.codes - 1)
        if self.training and self.config.noise:
            wrong = torch.rand(codes.shape, device=codes.device) < self.config.noise
            codes = torch.where(wrong, torch.randint_like(codes, self.config.codes), codes)
        x = self.head(self.gru(self.embed(codes), lengths))
        return x.view(len(x), -1, self.config.symbols + 1).float().log_softmax(-1), STEPS * lengths


@dataclass(frozen=True)
class SoundJudgeConfig:
    symbols: int = within(1)
    width: int = within(1)
    blocks: int = within(0)
    hidden: int = within(1)
    dropout: float = within(0, 1)
    time_mask: int = within(0)  # longest stretch of frames hidden in training
    band_mask: int = within(0)  # widest stretch of mel bands hidden in training


class SoundJudge(nn.Module):
    def __init__(self, config: SoundJudgeConfig):
        super().__init__()
        self.config = config
        self.halve = Halve(80, config.width)
        self.blocks = nn.ModuleList(Block(config.width) for _ in range(config.blocks))
        self.context = nn.ModuleList(nn.Linear(config.width, config.width) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.drop = nn.Dropout(config.dropout)
        self.gru = BiGRU(config.width, config.hidden, 1, 0.0)
        self.head = nn.Linear(2 * config.hidden, STEPS * (config.symbols + 1))

    def forward(self, mel: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mel (B, T, 80) at 50 Hz -> log-probabilities (B, ~T, 1 + symbols), and how many are valid (B,)."""
        mel = standardise(mel, valid(lengths, mel.shape[1]))
        if self.training:
            mel = hide(mel, lengths, self.config.time_mask, self.config.band_mask)
        x, lengths = self.halve(mel, lengths)
        mask = valid(lengths, x.shape[1])
        for block, context in zip(self.blocks, self.context, strict=True):
            x = block(x, mask, context(masked_mean(x, mask)))
        x = self.head(self.drop(self.gru(self.drop(self.norm(x)), lengths)))
        return x.view(len(x), -1, self.config.symbols + 1).float().log_softmax(-1), STEPS * lengths


def hide(mel: torch.Tensor, lengths: torch.Tensor, time: int, bands: int) -> torch.Tensor:
    """SpecAugment: one stretch of time and one of bands set to 0 (the mean) in each utterance. (B, T, 80)"""

    def stretch(size: int, longest: int, within: torch.Tensor) -> torch.Tensor:
        length = (torch.rand(len(mel), device=mel.device) * (longest + 1)).long()
        start = (torch.rand(len(mel), device=mel.device) * (within - length).clamp(min=1)).long()
        place = torch.arange(size, device=mel.device)
        return (place >= start[:, None]) & (place < (start + length)[:, None])

    in_time = stretch(mel.shape[1], time, lengths)
    in_bands = stretch(mel.shape[2], bands, torch.full_like(lengths, mel.shape[2]))
    return mel.masked_fill(in_time[..., None] | in_bands[:, None], 0.0)


@dataclass(frozen=True, eq=False)
class JudgeBatch:
    """`inputs` are codes (B, S) or mel (B, T, 80); units count from 1."""

    inputs: torch.Tensor
    lengths: torch.Tensor  # (B,)
    units: torch.Tensor  # (B, U), padded with 0
    unit_lengths: torch.Tensor  # (B,)


def judge_loss(judge: nn.Module, batch: JudgeBatch) -> tuple[torch.Tensor, float, dict]:
    """CTC loss a unit; `weight` is the number of utterances. Also the share of utterances too short for their units."""
    log_probs, frames = judge(batch.inputs, batch.lengths)
    loss = ctc(log_probs, frames, batch.units, batch.unit_lengths)
    return loss.mean(), len(loss), {"too_short": (loss == 0).float().mean()}


def greedy(log_probs: torch.Tensor, frames: torch.Tensor) -> list[list[int]]:
    """The best unit of each frame, repeats merged, blanks dropped. (B, T, V), (B,)"""
    best = log_probs.argmax(-1)
    before = F.pad(best[:, :-1], (1, 0), value=0)
    keep = (best > 0) & (best != before) & valid(frames, best.shape[1])
    units = best[keep].tolist()
    ends = keep.sum(1).cumsum(0).tolist()
    return [units[start:end] for start, end in zip([0, *ends], ends, strict=False)]
