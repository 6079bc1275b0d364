"""What was said wrongly, said again, or said by somebody else.

Rates come as counts for each utterance, (wrong, out of): `pooled` makes one number of them, and `stats.mean_interval` takes
them as values and weights. One edit distance, rapidfuzz's, serves words, characters and speech tokens.
Left out: punctuation and segmentation into words, which belong to the text side.
"""

from collections.abc import Sequence

import numpy as np

from sebridge_lite.core.errors import UserError

Syllable = tuple[str, str]  # segments, tone


def pooled(wrong: np.ndarray, out_of: np.ndarray) -> float:
    """The rate over all utterances; NaN when there was nothing to get wrong."""
    total = np.sum(out_of)
    return float(np.sum(wrong) / total) if total else float("nan")


def edit_distance(references: Sequence, hypotheses: Sequence) -> np.ndarray:
    """Levenshtein distance of B pairs of sequences: of words, characters or tokens. (B,)"""
    from rapidfuzz.distance import Levenshtein  # lazily: a machine that only trains may lack it

    def plain(sequence: Sequence) -> list:
        return sequence.tolist() if hasattr(sequence, "tolist") else list(sequence)

    pairs = zip(references, hypotheses, strict=True)
    return np.array([Levenshtein.distance(plain(a), plain(b)) for a, b in pairs], dtype=int)


def word_errors(
    references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Word error rate (Sec. 5) as counts: word lists of B utterances -> wrong words (B,), reference words (B,)."""
    lengths = np.array([len(words) for words in references], dtype=int)
    if not lengths.all():
        raise UserError(f"reference {lengths.argmin()} is empty: an error rate needs at least one word in each")
    return edit_distance(references, hypotheses), lengths


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Character error rate as counts, spaces dropped: wrong characters (B,), reference characters (B,)."""
    return word_errors(*([list("".join(text.split())) for text in side] for side in (references, hypotheses)))


def calibrated(error, floor: float):
    """Share of the words that the judge could have got right and did not: 0 at its own floor, 1 when all is wrong.

    NaN by a judge that hears no word of a recording right: what it says of a policy's words means nothing.
    """
    if not floor >= 0:
        raise UserError(f"floor {floor}: a judge's own error must be at least 0 to calibrate by it")
    return (np.asarray(error) - floor) / (1 - floor) if floor < 1 else np.full_like(error, np.nan, dtype=float)


def above_floor(error, floor: float):
    """The calibration of the authors' FLEURS release: max(0, error - floor)."""
    return np.maximum(0.0, np.asarray(error) - floor)


def align(reference: Sequence, hypothesis: Sequence) -> list[tuple[int | None, int | None]]:
    """Index pairs of a least-edits alignment, None for what is missing on a side; matches before gaps where both do.

    Of several such alignments rapidfuzz takes another in a third of cases, which would change what counts as a wrong tone.
    """
    rows, columns = len(reference), len(hypothesis)
    cost = np.add.outer(np.arange(rows + 1), np.arange(columns + 1))
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            change = cost[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1])
            cost[i, j] = min(change, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    i, j = rows, columns
    pairs: list[tuple[int | None, int | None]] = []
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


def tone_errors(references: Sequence[Sequence[Syllable]], hypotheses: Sequence[Sequence[Syllable]]) -> tuple:
    """Lexical tone errors as counts: wrong tones (B,) out of the syllables whose segments were understood (B,).

    Syllables are aligned by their segments alone, so that a wrong tone cannot hide as a deletion and an insertion.
    """
    counts = []
    for ref, hyp in zip(references, hypotheses, strict=True):
        pairs = align([segments for segments, _ in ref], [segments for segments, _ in hyp])
        both = [(ref[i], hyp[j]) for i, j in pairs if i is not None and j is not None]
        tones = [(said[1], heard[1]) for said, heard in both if said[0] == heard[0]]
        counts.append((sum(said != heard for said, heard in tones), len(tones)))
    wrong, out_of = np.array(counts, dtype=int).reshape(-1, 2).T
    return wrong, out_of


def repetition_rate(utterances: Sequence, k: int, silence: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Eq. 25 (Sec. 2): 1 / (N - k) sum_i [y_i = y_i+1 = ... = y_i+k], as counts.

    utterances: B sequences of tokens -> repeating windows (B,), windows (B,) = N - k, or 0 where N <= k. Windows that start
    with a token of `silence` are left out of both: a pause is no loop.
    """
    repeats, windows = np.zeros((2, len(utterances)), dtype=int)
    for row, tokens in enumerate(np.asarray(u) for u in utterances):
        if len(tokens) <= k:
            continue
        counted = ~np.isin(tokens[: len(tokens) - k], list(silence))
        changes = np.cumsum(np.append(False, tokens[1:] != tokens[:-1]))
        repeats[row] = np.sum(counted & (changes[k:] == changes[: len(tokens) - k]))
        windows[row] = np.sum(counted)
    return repeats, windows


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Eq. 26 (Sec. 5): SIM, the cosine of two speaker embeddings, each the mean over time of one layer. (B, D) x 2 -> (B,)

    Departure from the paper: the encoder is `judge.speaker`, not the 12th layer of WavLM-Large (but in the hub stack).
    """
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.sum(a * b, axis=-1) / np.maximum(norms, 1e-12)
