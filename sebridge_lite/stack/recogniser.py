"""The judges: two CTC recognisers that differ in input and architecture (and, by whoever trains them, in seed and speakers).

`TokenJudge` reads speech tokens and *selects* among candidates: thousands a minute. `SoundJudge` hears audio, as the paper's
Whisper does, and *scores*. Both hear phones and tones (lexicon.py says why not letters); a `WordGraph` makes words of them, and
words are what WER counts. So a judge knows the words of its lexicon and no others, and pulls a slip to the nearest word: the
error of the bare units is the stricter figure. Left out: a language model, beam search.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sebridge_lite.core.fields import within
from sebridge_lite.stack.layers import STEPS, Block, Halve, check_codes, masked_mean, standardise, valid


class BiGRU(nn.Module):
    """Both directions, padding never read. (B, S, inputs) -> (B, S, 2 hidden)"""

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        lengths = lengths.clamp(min=1)
        if torch.is_grad_enabled() and x.device.type == "cpu":
            return self.each_way(x, lengths)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]

    def each_way(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The same, to learn from: on a CPU the backward pass of packed rows takes the square of their length in time."""
        inside, step = valid(lengths, x.shape[1]), torch.arange(x.shape[1])
        turned = torch.where(inside, lengths[:, None] - 1 - step, step)[..., None]  # (B, S, 1)
        start = x.new_zeros(1, len(x), self.gru.hidden_size)

        def turn(rows: Tensor) -> Tensor:
            return rows.gather(1, turned.expand_as(rows))

        def run(rows: Tensor, weights: list[nn.Parameter]) -> Tensor:
            return torch.gru(rows, start, tuple(weights), True, 1, 0.0, self.training, False, True)[0]

        for layer in range(self.gru.num_layers):
            x = F.dropout(x, self.gru.dropout, self.training and layer > 0)
            ahead, back = self.gru.all_weights[2 * layer : 2 * layer + 2]
            x = torch.cat([run(x, ahead), turn(run(turn(x), back))], -1)
        return x * inside[..., None]


@dataclass(frozen=True)
class TokenJudgeConfig:
    codes: int = within(2, 65_536)
    symbols: int = within(1, 65_536)  # units, without the blank
    embedding: int = within(1, 65_536)
    hidden: int = within(1, 65_536)
    dropout: float = within(0, 1)
    noise: float = within(0, 1)  # share of tokens replaced in training, so that it bears what a language model writes


class TokenJudge(nn.Module):
    def __init__(self, config: TokenJudgeConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.codes, config.embedding)
        self.gru = BiGRU(config.embedding, config.hidden, 2, config.dropout)
        self.head = nn.Linear(2 * config.hidden, STEPS * (config.symbols + 1))

    def forward(self, codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B, S) -> log-probabilities (B, 2 S, 1 + symbols), and how many are valid (B,)."""
        check_codes(codes[valid(lengths, codes.shape[1])], self.config.codes, "this judge")
        x = self.head(self.gru(self.embed(codes.clamp(0, self.config.codes - 1)), lengths))
        return x.view(len(x), -1, self.config.symbols + 1).float().log_softmax(-1), STEPS * lengths


@dataclass(frozen=True)
class SoundJudgeConfig:
    symbols: int = within(1, 65_536)
    width: int = within(1, 65_536)
    blocks: int = within(0, 65_536)
    hidden: int = within(1, 65_536)
    dropout: float = within(0, 1)
    time_mask: int = within(0, 65_536)  # longest stretch of frames hidden in training
    band_mask: int = within(0, 65_536)  # widest stretch of mel bands hidden in training


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

    def forward(self, mel: Tensor, lengths: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mel (B, T, 80) at 50 Hz -> log-probabilities (B, ~T, 1 + symbols), and how many are valid (B,).

        `hidden` (B, T, 80) is heard as the mean of its band.
        """
        mel = standardise(mel, valid(lengths, mel.shape[1]))
        x, lengths = self.halve(mel if hidden is None else mel.masked_fill(hidden, 0.0), lengths)
        mask = valid(lengths, x.shape[1])
        for block, context in zip(self.blocks, self.context, strict=True):
            x = block(x, mask, context(masked_mean(x, mask)))
        x = self.head(self.drop(self.gru(self.drop(self.norm(x)), lengths)))
        return x.view(len(x), -1, self.config.symbols + 1).float().log_softmax(-1), STEPS * lengths
