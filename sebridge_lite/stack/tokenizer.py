"""The speech tokenizer, as S3 of CosyVoice2: mel -> encoder -> finite scalar quantisation (FSQ) at 25 Hz -> what to keep.

What the tokens keep is set by heads behind the bottleneck: phones and tones (CTC), prosody relative to the speaker, and, for
your own speech, the envelope of the mel. The last two are *given* the speaker, so timbre buys them nothing, and what goes in
is standardised per utterance. CTC is on phones, not on letters: spelling would make the tokens orthographic, and one table of
phones serves Thai, Lao and the backbone's language, whose letters sound otherwise. Tones are units of their own, a set for each
language. Only training and examination read the heads, so how is in `studio.teach`. Left out: attention, semantic
pretraining, an adversary that reads the tokens for the speaker.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sebridge_lite.core.fields import within
from sebridge_lite.stack.features import MELS
from sebridge_lite.stack.layers import STEPS, Block, Halve, check_codes, masked_mean, standardise, valid

CEPSTRA = 20  # coefficients of the envelope: fewer lines than harmonics have, so that pitch is left to its own head
PROSODY = 3  # log F0 relative to the speaker, voicing, energy


class FSQ(nn.Module):
    """Finite scalar quantisation (Mentzer et al. 2023): each channel is squashed and rounded to one of few levels.

    3^6 levels give 729 codes; the paper's tokenizer has 3^8 = 6,561. No codebook is learnt, so none can collapse.
    """

    levels: Tensor
    reach: Tensor
    basis: Tensor

    def __init__(self, levels: Sequence[int]):
        super().__init__()
        self.codes = int(torch.tensor(levels).prod())
        sizes = torch.tensor(levels, dtype=torch.float32)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("reach", (sizes - 1) / 2, persistent=False)
        basis = torch.cumprod(torch.tensor([1, *levels[:-1]]), 0)
        self.register_buffer("basis", basis, persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """Values in [-1, 1], each on its channel's grid; the gradient passes the rounding as if it were not there."""
        place = (torch.tanh(z.float()) + 1) * self.reach  # 0 ... levels - 1
        place = place + (place.round() - place).detach()
        return place / self.reach - 1

    def to_codes(self, values: Tensor) -> Tensor:
        """(..., channels) on the grid -> (...) in [0, codes)."""
        return (((values + 1) * self.reach).round().long() * self.basis).sum(-1)

    def to_values(self, codes: Tensor) -> Tensor:
        """The inverse of `to_codes`."""
        check_codes(codes, self.codes, "this tokenizer")
        return (codes[..., None] // self.basis % self.levels) / self.reach - 1


@dataclass(frozen=True)
class TokenizerConfig:
    levels: tuple[int, ...] = within(2, 64, repeats=True)
    width: int = within(1, 65_536)
    blocks: int = within(1, 65_536)  # before the bottleneck
    speaker_width: int = within(1, 65_536)
    speakers: int = within(0, 0)  # of an adversary, which is gone; the trained parts' settings still have the line
    units: int = 60  # what the first head tells apart, the blank included; the embedded parts' settings lack the line
    spectrum: bool = (
        False  # a third head reads the mel's envelope, which CTC neglects where a voice has taught it little
    )


class Tokenizer(nn.Module):
    def __init__(self, config: TokenizerConfig):
        super().__init__()
        width = config.width
        self.config = config
        self.halve = Halve(MELS, width)
        self.encoder = nn.ModuleList(Block(width, dilation=1 + i % 2) for i in range(config.blocks))
        self.context = nn.ModuleList(nn.Linear(width, width) for _ in range(config.blocks))
        self.squeeze = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(config.levels)))
        self.fsq = FSQ(config.levels)
        self.expand = nn.Linear(len(config.levels), width)
        self.decoder = nn.ModuleList(Block(width) for _ in range(2))
        self.phones = nn.Linear(width, STEPS * config.units)
        self.prosody = nn.Sequential(
            nn.Linear(width + config.speaker_width, width), nn.SiLU(), nn.Linear(width, STEPS * PROSODY)
        )
        if config.spectrum:
            self.spectrum = nn.Sequential(
                nn.Linear(width + config.speaker_width, 2 * width), nn.SiLU(), nn.Linear(2 * width, STEPS * CEPSTRA)
            )

    def quantise(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, 80) -> values on the FSQ grid (B, S, channels), and their lengths (B,)."""
        x, lengths = self.halve(standardise(mel, valid(lengths, mel.shape[1])), lengths)
        mask = valid(lengths, x.shape[1])
        for block, context in zip(self.encoder, self.context, strict=True):
            x = block(x, mask, context(masked_mean(x, mask)))  # the mean tells whose voice it is, to be discounted
        return self.fsq(self.squeeze(x)), lengths

    @torch.no_grad()
    def encode(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, 80) at 50 Hz -> codes (B, S) at 25 Hz, S = ceil(T / 2); 0 beyond an utterance's end."""
        values, lengths = self.quantise(mel, lengths)
        return self.fsq.to_codes(values) * valid(lengths, values.shape[1])
