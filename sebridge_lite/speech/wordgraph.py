"""From a judge's phones and tones to words: the best path through a loop over the lexicon's words.

What Whisper knows of a language, our judges get from its lexicon and nothing more: no grammar, no word pairs. Pronunciations
form a tree; all utterances of a batch and all its nodes advance together, frame by frame (token passing, Young et al. 1989).
Words that sound alike share a node, which writes the more frequent of them. Left out: sums over paths, several answers.
"""

import math
from collections.abc import Mapping, Sequence

import torch

from sebridge_lite.speech.layers import valid

SURE = math.log(0.99)  # a frame this surely blank, after another such, tells nothing and is skipped
NEVER = -1e9


class WordGraph:
    """`lexicon`: word -> units (from 1; 0 is blank), most frequent first. `prior`: weight of log(Zipf probability)."""

    def __init__(self, lexicon: Mapping[str, Sequence[int]], prior: float = 0.5):
        nodes: dict[tuple[int, ...], int] = {(): 0}
        ends: dict[int, str] = {}
        for word, units in lexicon.items():
            for size in range(1, len(units) + 1):
                nodes.setdefault(tuple(units[:size]), len(nodes))
            ends.setdefault(nodes[tuple(units)], word)
        paths = list(nodes)[1:]
        self.parent = torch.tensor([nodes[path[:-1]] for path in paths])  # (N,), 0 is the root
        self.unit = torch.tensor([path[-1] for path in paths])
        self.doubled = torch.tensor([path[-2:] == (path[-1],) * 2 for path in paths])
        self.end = torch.tensor(list(ends))  # (W,)
        self.words = list(ends.values())
        harmonic = sum(1 / rank for rank in range(1, len(self.words) + 1))
        self.prior = torch.tensor([-prior * math.log(rank * harmonic) for rank in range(1, len(self.words) + 1)])

    @torch.no_grad()
    def decode(self, log_probs: torch.Tensor, frames: torch.Tensor) -> list[list[str]]:
        """(B, T, V), (B,) -> the words of each utterance."""
        log_probs, frames = _skip_blanks(log_probs.float().cpu(), frames.cpu())
        shape = len(log_probs), len(self.unit) + 1
        on, off = torch.full(shape, NEVER), torch.full(shape, NEVER)  # in a unit, and in the blank after it
        on_since, off_since = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        off[:, 0] = 0.0  # the root, between words, is only ever in a blank
        said, since = [], []
        for t in range(log_probs.shape[1]):
            stays, comes = (on[:, 1:], on_since[:, 1:]), (off[:, self.parent], off_since[:, self.parent])
            follows = (on[:, self.parent].masked_fill(self.doubled, NEVER), on_since[:, self.parent])
            step, step_since = _better(_better(stays, comes), follows)
            off, off_since = _better((off, off_since), (on, on_since))
            off = off + log_probs[:, t, :1]
            on = torch.cat([on[:, :1], step + log_probs[:, t, self.unit]], 1)
            on_since = torch.cat([on_since[:, :1], step_since], 1)
            word, begun = self._close(on, off, on_since, off_since)
            off_since[:, 0] = t + 1  # a word entered from here begins after t + 1 frames
            said.append(word)
            since.append(begun)
        return self._trace(torch.stack(said, 1).tolist(), torch.stack(since, 1).tolist(), frames.tolist())

    def _close(self, on, off, on_since, off_since) -> tuple[torch.Tensor, torch.Tensor]:
        """Lets the best finished word into the root where it beats waiting: its index, or -1, and when it began. (B,)"""
        score, begun = _better((on[:, self.end], on_since[:, self.end]), (off[:, self.end], off_since[:, self.end]))
        best, word = (score + self.prior).max(1)
        wins = best > off[:, 0]
        off[:, 0] = torch.where(wins, best, off[:, 0])
        return torch.where(wins, word, -1), begun.gather(1, word[:, None])[:, 0]

    def _trace(self, said: list, since: list, frames: list[int]) -> list[list[str]]:
        found = []
        for row, t in enumerate(frames):
            words = []
            while t > 0:
                word = said[row][t - 1]
                t = since[row][t - 1] if word >= 0 else t - 1
                if word >= 0:
                    words.append(self.words[word])
            found.append(words[::-1])
        return found


def _better(a: tuple, b: tuple) -> tuple[torch.Tensor, torch.Tensor]:
    """The higher of two scores, and since when it runs."""
    wins = b[0] > a[0]
    return torch.where(wins, b[0], a[0]), torch.where(wins, b[1], a[1])


def _skip_blanks(log_probs: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each run of sure blanks only the first frame; the frames kept move to the front."""
    sure = log_probs[..., 0] > SURE
    sure[:, 1:] &= sure[:, :-1].clone()
    sure[:, 0] = False
    keep = ~sure & valid(frames, log_probs.shape[1])
    count = keep.sum(1)
    order = (~keep).to(torch.uint8).argsort(dim=1, stable=True)[:, : int(count.max())]
    return log_probs.gather(1, order[..., None].expand(-1, -1, log_probs.shape[2])), count
