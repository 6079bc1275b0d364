"""Speech tokens a second: `speech.sampling.generate` against `transformers`' own `generate`, on the same weights.

64 texts (16 at 50 M weights) x 12 candidates, T = 1, top-p 0.9. Lengths are those of the studio world (2.3 tokens a character,
+-10 % between candidates) and the same, row by row, in both arms, so both make the same number of tokens. transformers gets
left-padded batches of 192 rows and its dynamic cache, the fastest of what was tried (768, 192, 96 rows; the static cache, not
compiled, was no faster; at 50 M weights 192 and 48 rows were alike). Greedy outputs are compared first, and must be the same.
At 50 M weights three quarters of our time are the products with the weights, which any implementation needs.

    OMP_WAIT_POLICY=passive python benchmarks/generate.py --size 50m --json generate_50m.json
"""

import torch
from _common import compared, exit_code, finish, in_turn, options, seconds
from _twin import LONGEST, PER_CHARACTER, SHORTEST, SIZES, as_causal_lm, named, prompt_rows, sized
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sebridge_lite.lm.lm import STOPS, LMConfig, TextSpeechLM
from sebridge_lite.lm.sampling import SamplerConfig, generate

CANDIDATES, PAD = 12, -1


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
def by_transformers(
    peer, config: LMConfig, texts: list[Tensor], lengths: Tensor, temperature: float, rows: int
) -> list[list[Tensor]]:
    """What `generate` returns, from batches of about `rows` rows."""
    speech, width = peer.lm_head.out_features, lengths.shape[1]
    how = (
        {"do_sample": True, "temperature": temperature, "top_p": 0.9, "top_k": 0}
        if temperature
        else {"do_sample": False}
    )
    found: list[list[Tensor]] = []
    for some in torch.arange(len(texts)).split(max(1, rows // width)):
        prompts, ends = [prompt_rows(config, texts[i]) for i in some], lengths[some].flatten()
        ids = pad_sequence(prompts, batch_first=True, padding_side="left", padding_value=PAD).to(peer.device)
        out = peer.generate(
            ids.clamp_min(0),
            attention_mask=(ids != PAD).long(),
            num_return_sequences=width,
            max_new_tokens=int(ends.max()),
            pad_token_id=speech - 1,
            logits_processor=[NoStops()],
            stopping_criteria=[StopAt(ids.shape[1], ends.to(peer.device))],
            **how,
        )
        new = [row[ids.shape[1] :][:end] for row, end in zip(out, ends.tolist(), strict=True)]
        found += [new[i : i + width] for i in range(0, len(new), width)]
    return found


def rate(arm) -> float:
    """Tokens a second."""
    found: list = []
    spent = seconds(lambda: found.extend(arm()))
    return sum(len(tokens) for rows in found for tokens in rows) / spent


def main(argv: list[str] | None = None) -> int:
    parser = sized(options(__doc__, repeats=3))
    parser.add_argument("--rows", type=int, default=192, help="rows in a batch of transformers' arm")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    count, config = SIZES[args.size].texts, SIZES[args.size].config
    model = TextSpeechLM(config).eval()
    peer = as_causal_lm(model)
    sizes = torch.randint(SHORTEST, LONGEST + 1, (count,))
    texts = [torch.randint(0, config.text_vocab, (size,)) for size in sizes.tolist()]
    style_off = [texts[0][:0]] * count
    lengths = (sizes[:, None] * PER_CHARACTER * (0.9 + 0.2 * torch.rand(count, CANDIDATES))).long()

    def ours(temperature: float, lengths: Tensor) -> list[list[Tensor]]:
        sampler = SamplerConfig(temperature, top_p=0.9, window=0, tau=0, min_ratio=0, max_ratio=1, seed=0)
        return generate(model, texts, style_off, sampler, lengths.shape[1], lengths=(lengths, lengths))

    def theirs(temperature: float, lengths: Tensor) -> list[list[Tensor]]:
        return by_transformers(peer, config, texts, lengths, temperature, args.rows)

    greedy = zip(*(arm(0, lengths[:, :1]) for arm in (ours, theirs)), strict=True)
    same = sum(torch.equal(a, b) for (a,), (b,) in greedy)
    print(f"greedy outputs identical: {same} of {count} texts; {torch.get_num_threads()} threads")
    if same < count:
        return 1
    arms = {
        "sebridge_lite": lambda: rate(lambda: ours(1, lengths)),
        "transformers": lambda: rate(lambda: theirs(1, lengths)),
    }
    parity = {"texts": count, "identical": same}
    finish(compared(named("generate", args.size), in_turn(arms, args.repeats), *arms, parity), "tokens/s", args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
