"""Speech tokens a second: `speech.sampling.generate` against `transformers`' own `generate`, on the same weights.

64 texts x 12 candidates, T = 1, top-p 0.9. Lengths are those of the studio world (2.3 tokens a character, +-10 % between
candidates) and the same, row by row, in both arms, so both make the same number of tokens. Random weights will do: speed
does not depend on what is said. transformers gets left-padded batches of 192 rows and its dynamic cache, the fastest of what
was tried (768, 192, 96 rows; the static cache, not compiled, was no faster).

    OMP_WAIT_POLICY=passive python benchmarks/generate.py --repeats 5 --json generate.json
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from sebridge_lite.core.progress import progress
from sebridge_lite.speech.lm import SOS, STOPS, TASK, CharVocab, LMConfig, TextSpeechLM
from sebridge_lite.speech.sampling import SamplerConfig, generate

TEXTS, CANDIDATES, PER_CHARACTER, PAD = 64, 12, 2.3, -1
CONFIG = LMConfig(
    len(CharVocab()), 729, hidden=128, layers=3, heads=4, kv_heads=2, ffn=320, max_positions=2048, rope_theta=1e4,
    pace=0,  # transformers.generate counts positions on
)  # fmt: skip


def as_causal_lm(model: TextSpeechLM):
    """The same weights with one table of inputs, speech | text | sos, task, and logits over speech only."""
    from transformers import Qwen2ForCausalLM  # here, since sebridge_lite's guard must come before it

    table = torch.cat([model.speech_embedding.weight, model.llm.embed_tokens.weight, model.llm_embedding.weight])
    peer = Qwen2ForCausalLM(model.llm.config)
    peer.model.load_state_dict(model.llm.state_dict())
    peer.model.embed_tokens = nn.Embedding.from_pretrained(table)
    peer.lm_head = model.llm_decoder
    return peer.eval()


class StopAt:
    """Ends each row at its own length."""

    def __init__(self, prompt: int, lengths: Tensor):
        self.prompt, self.lengths = prompt, lengths

    def __call__(self, ids: Tensor, scores, **_) -> Tensor:
        return ids.shape[1] - self.prompt >= self.lengths


class NoStops:
    """Keeps eos and its two neighbours from ending a row early."""

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        scores[:, -STOPS:] = -torch.inf
        return scores


@torch.inference_mode()
def by_transformers(peer, texts: list[Tensor], lengths: Tensor, temperature: float, rows: int) -> list[list[Tensor]]:
    """What `generate` returns, from batches of about `rows` rows."""
    speech, width = peer.lm_head.out_features, lengths.shape[1]
    sos, task = (torch.tensor([peer.model.embed_tokens.num_embeddings - 2 + i]) for i in (SOS, TASK))
    how = (
        {"do_sample": True, "temperature": temperature, "top_p": 0.9, "top_k": 0}
        if temperature
        else {"do_sample": False}
    )
    found: list[list[Tensor]] = []
    for some in torch.arange(len(texts)).split(max(1, rows // width)):
        prompts, ends = [torch.cat([sos, texts[i] + speech, task]) for i in some], lengths[some].flatten()
        ids = pad_sequence(prompts, batch_first=True, padding_side="left", padding_value=PAD)
        out = peer.generate(
            ids.clamp_min(0),
            attention_mask=(ids != PAD).long(),
            num_return_sequences=width,
            max_new_tokens=int(ends.max()),
            pad_token_id=speech - 1,
            logits_processor=[NoStops()],
            stopping_criteria=[StopAt(ids.shape[1], ends)],
            **how,
        )
        new = [row[ids.shape[1] :][:end] for row, end in zip(out, ends.tolist(), strict=True)]
        found += [new[i : i + width] for i in range(0, len(new), width)]
    return found


def rate(arm) -> float:
    """Tokens a second."""
    begun = time.perf_counter()
    found = arm()
    return sum(len(tokens) for rows in found for tokens in rows) / (time.perf_counter() - begun)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=192, help="rows in a batch of transformers' arm")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.manual_seed(0)
    model = TextSpeechLM(CONFIG).eval()
    peer = as_causal_lm(model)
    sizes = torch.randint(9, 47, (TEXTS,))  # characters of the shortest and the longest sentence of the studio world
    texts = [torch.randint(0, CONFIG.text_vocab, (size,)) for size in sizes.tolist()]
    style_off = [texts[0][:0]] * TEXTS
    lengths = (sizes[:, None] * PER_CHARACTER * (0.9 + 0.2 * torch.rand(TEXTS, CANDIDATES))).long()

    def ours(temperature: float, lengths: Tensor) -> list[list[Tensor]]:
        sampler = SamplerConfig(temperature, top_p=0.9, top_k=0, window=0, tau=0, min_ratio=0, max_ratio=1, seed=0)
        return generate(model, texts, style_off, sampler, lengths.shape[1], lengths=(lengths, lengths))

    greedy = zip(ours(0, lengths[:, :1]), by_transformers(peer, texts, lengths[:, :1], 0, args.rows), strict=True)
    same = sum(torch.equal(a, b) for (a,), (b,) in greedy)
    print(f"greedy outputs identical: {same} of {TEXTS} texts; {torch.get_num_threads()} threads")
    rates = [
        (rate(lambda: ours(1, lengths)), rate(lambda: by_transformers(peer, texts, lengths, 1, args.rows)))
        for _ in progress(range(args.repeats), "benchmark", "repeat")
    ]
    arms = dict(zip(("sebridge_lite", "transformers"), map(statistics.median, zip(*rates, strict=True)), strict=True))
    ratios = [a / b for a, b in rates]
    result = {"name": "generate", "arms": arms, "ratio": statistics.median(ratios)}
    result |= {"low": min(ratios), "high": max(ratios), "repeats": args.repeats}
    print(", ".join(f"{arm} {value:,.0f} tokens/s" for arm, value in arms.items()))
    print(f"ratio {result['ratio']:.2f} ({result['low']:.2f} to {result['high']:.2f}, {args.repeats} repeats)")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if same == TEXTS else 1


if __name__ == "__main__":
    raise SystemExit(main())
