"""From a judge's phones and tones to words: the best path through a loop over the lexicon's words.

What Whisper knows of a language, our judges get from its lexicon and nothing more: no grammar, no word pairs. Pronunciations
form a tree; all utterances of a batch and all its nodes advance together, frame by frame (token passing, Young et al. 1989).
Words that sound alike share a node, which writes the more frequent of them. Left out: sums over paths, several answers.
"""

import math
from collections.abc import Mapping, Sequence

import torch

from sebridge_lite.stack.layers import valid

SURE = math.log(0.99)  # a frame this surely blank, after another such, tells nothing and is skipped
# A path is one whole number, so that the better of two is one `maximum`: its score above, the frame it began at below.
FINE, BITS = 4096, 16  # steps of a nat; bits of the frame
BEGIN = (1 << BITS) - 1
NEVER = -(1 << 60)


class WordGraph:
    """`lexicon`: word -> units (from 1; 0 is blank), most frequent first. `prior`: weight of log(Zipf probability)."""

    def __init__(self, lexicon: Mapping[str, Sequence[int]], prior: float):
        nodes: dict[tuple[int, ...], int] = {(): 0}
        ends: dict[int, str] = {}
        for word, units in lexicon.items():
            for size in range(1, len(units) + 1):
                nodes.setdefault(tuple(units[:size]), len(nodes))
            ends.setdefault(nodes[tuple(units)], word)
        paths = list(nodes)[1:]
        parent = torch.tensor([nodes[path[:-1]] for path in paths])  # (N,), 0 is the root
        doubled = torch.tensor([path[-2:] == path[-1:] * 2 for path in paths])
        self.source = torch.where(doubled, parent + len(nodes), parent)  # a unit said twice needs a blank between
        self.unit = torch.tensor([path[-1] for path in paths])
        self.end = torch.tensor(list(ends))  # (W,)
        self.words = list(ends.values())
        harmonic = sum(1 / rank for rank in range(1, len(self.words) + 1))
        self.prior = _packed(torch.tensor([-prior * math.log(r * harmonic) for r in range(1, len(self.words) + 1)]))

    @torch.no_grad()
    def decode(self, log_probs: torch.Tensor, frames: torch.Tensor) -> list[list[str]]:
        """(B, T, V), (B,) -> the words of each utterance."""
        log_probs, frames = _skip_blanks(log_probs.float().cpu(), frames.cpu())
        gains = _packed(log_probs)
        shape = len(gains), len(self.unit) + 1
        on, off = torch.full(shape, NEVER), torch.full(shape, NEVER)  # in a unit, and in the blank after it
        off[:, 0] = 0  # the root, between words, is only ever in a blank
        said, begun = [], []
        for t in range(gains.shape[1]):
            best = torch.maximum(on, off)
            comes = torch.cat([best, off], 1)[:, self.source]
            on[:, 1:] = torch.maximum(on[:, 1:], comes) + gains[:, t, self.unit]
            off = best + gains[:, t, :1]
            finished, word = (torch.maximum(on[:, self.end], off[:, self.end]) + self.prior).max(1)
            wins = finished >> BITS > off[:, 0] >> BITS
            said.append(torch.where(wins, word, -1))
            begun.append(finished & BEGIN)
            root = torch.where(wins, finished, off[:, 0])
            off[:, 0] = (root & ~BEGIN) + t + 1  # a word entered from here begins after t + 1 frames
        texts, rows = [], (torch.stack(said, 1).tolist(), torch.stack(begun, 1).tolist(), frames.tolist())
        for words, starts, t in zip(*rows, strict=True):
            text = []
            while t > 0:
                word = words[t - 1]
                t = starts[t - 1] if word >= 0 else t - 1
                text += [self.words[word]] if word >= 0 else []
            texts.append(text[::-1])
        return texts


def _packed(scores: torch.Tensor) -> torch.Tensor:
    return (scores * FINE).round().long() << BITS


def _skip_blanks(log_probs: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each run of sure blanks only the first frame; the frames kept move to the front."""
    sure = log_probs[..., 0] > SURE
    sure[:, 1:] &= sure[:, :-1].clone()
    sure[:, 0] = False
    keep = ~sure & valid(frames, log_probs.shape[1])
    count = keep.sum(1)
    order = (~keep).to(torch.uint8).argsort(dim=1, stable=True)[:, : int(count.max())]
    return log_probs.gather(1, order[..., None].expand(-1, -1, log_probs.shape[2])), count
