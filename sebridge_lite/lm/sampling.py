"""Speech tokens from the LM, many rows at once: own key-value cache, prompts shared by candidates, finished rows dropped.

A prompt ([sos] text [task] prefix) is run once, and its keys and values serve all candidates of the text. Rows stand in a
grid (T texts, C candidates) that shrinks as rows finish. The nucleus is drawn from by rejection, which needs no sort. Each
row has its own stream of random numbers, a hash of (seed, row seed, candidate, step), so the rows beside it do not matter.
Left out: refilling the places of finished rows, beam search, streaming.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sebridge_lite.core.device import move
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.processes import shared_out
from sebridge_lite.lm.lm import Batch, TextSpeechLM, collate
from sebridge_lite.stack.layers import valid

SHRINK = 0.8  # the grid is packed when at most this share of it would be left: packing copies the cache
AT_ONCE = 768  # rows in work at the same time, which changes speed and memory only
DRAWS = 1 << 20  # random numbers a row may use in one step


@dataclass(frozen=True)
class SamplerConfig:
    temperature: float  # 0 is greedy
    top_p: float
    window: int  # repetition-aware sampling looks back this far; 0: off (CosyVoice2: 10)
    tau: float  # and draws again from this share of repeats on (CosyVoice2: 0.1)
    min_ratio: float  # speech tokens a character at least (CosyVoice2: 2 a text token)
    max_ratio: float  # and at most (CosyVoice2: 20)
    seed: int


def mix(x: Tensor) -> Tensor:
    """splitmix64's finaliser on int64, whose products wrap; the masks make its shifts logical."""
    x = x - 0x61C8864680B583EB
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -0x40A7B892E31B1A47
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -0x6B2FB644ECCEEE15
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


def uniform(keys: Tensor, counter: int) -> Tensor:
    """Number `counter` of each row's stream, in [0, 1)."""
    return ((mix(mix(keys) + counter) >> 40) & 0xFFFFFF).float() / (1 << 24)


def inverse_cdf(weights: Tensor, u: Tensor) -> Tensor:
    """(R, 1): from each row of `weights` (R, V), not normalised, the index where u of its sum is reached."""
    cdf = weights.cumsum(1)
    return torch.searchsorted(cdf, u[:, None] * cdf[:, -1:], right=True)


def draw(probs: Tensor, top_p: float, keys: Tensor, step: int) -> Tensor:
    """(R,): from each row of `probs` (R, V), a token of its nucleus: those with less than `top_p` of mass above them.

    Exact without a sort: a token drawn from the whole row is kept when it is in the nucleus. If not, neither is anything
    less likely, so the next draw is from what is likelier, which still holds the nucleus. Equal tokens stand or fall
    together. float32 sums and 24-bit random numbers make it exact to about 1e-7.
    """
    tokens = torch.empty(len(probs), dtype=torch.long, device=probs.device)
    rows, left, attempt = torch.arange(len(probs), device=probs.device), probs, 0
    while len(rows):
        drawn = inverse_cdf(left, uniform(keys[rows], step * DRAWS + attempt))
        above = left * (left > left.gather(1, drawn))
        kept = above.sum(1) < top_p
        tokens[rows[kept]] = drawn[kept, 0]
        rows, left, attempt = rows[~kept], above[~kept], attempt + 1
    return tokens


class _Rows(NamedTuple):
    """Each (T, C)."""

    place: Tensor  # row of the output
    temperature: Tensor
    least: Tensor
    most: Tensor
    keys: Tensor
    alive: Tensor


class _Memory(NamedTuple):
    """What the rows have seen, for all layers: keys (0) and values (1)."""

    prompt: Tensor  # (layers, 2, T, KV, L, head)
    hidden: Tensor  # (T, 1, 1, 1, L): -inf on the prompt's padding
    start: Tensor  # (T,): position of the first speech token
    stride: float  # and how far each next one is from the one before
    cache: Tensor  # (layers, 2, T, C, KV, room, head)


def redraw(probs: Tensor, tokens: Tensor, recent: Tensor, sampler: SamplerConfig, keys: Tensor, step: int) -> Tensor:
    """Repetition-aware sampling, as CosyVoice2's newest: a token too frequent among the recent (R, w) gives way to any other."""
    others = probs.scatter(1, tokens[:, None], 0)
    frequent = (recent == tokens[:, None]).sum(1) >= sampler.window * sampler.tau
    again = inverse_cdf(others, uniform(keys, step * DRAWS + DRAWS - 1))[:, 0].clamp_max(probs.shape[1] - 1)
    return torch.where(frequent & (others.sum(1) > 0), again, tokens)


def choose(logits: Tensor, rows: _Rows, sampler: SamplerConfig, recent: Tensor, step: int, stop: int) -> Tensor:
    """(T, C): the next tokens, from logits (T, C, V) and the tokens in the window (T, C, w); those from `stop` on are stops."""
    # Temperature 0 is greedy: at 1e-6 all mass is on the likeliest token, as far as float32 can tell tokens apart.
    scaled = (logits / rows.temperature.clamp_min(1e-6)[..., None]).flatten(0, 1)
    scaled[:, stop:].masked_fill_((step < rows.least).view(-1, 1), -torch.inf)
    probs, keys = scaled.softmax(1), rows.keys.flatten()
    tokens = draw(probs, sampler.top_p, keys, step)
    if sampler.window:
        tokens = redraw(probs, tokens, recent.flatten(0, 1), sampler, keys, step)
    return tokens.view(rows.keys.shape)


def _prefill(model: TextSpeechLM, batch: Batch, candidates: int, room: int) -> tuple[Tensor, _Memory]:
    """The state that predicts each text's first token, (T, D), and the memory before it, with room for so many tokens."""
    out = model.run(batch, use_cache=True)
    prompt = torch.stack([torch.stack([layer.keys, layer.values]) for layer in out.past_key_values.layers])
    length = batch.text_lengths + batch.prefix_lengths + model.around
    hidden = prompt.new_zeros(len(length), prompt.shape[4])
    hidden.masked_fill_(~valid(length, prompt.shape[4]), -torch.inf)
    layers, _, texts, kv, _, head = prompt.shape
    cache = prompt.new_empty(layers, 2, texts, candidates, kv, room, head)
    last = out.last_hidden_state[torch.arange(texts, device=length.device), length - 1]
    return last, _Memory(prompt, hidden[:, None, None, None], *model.first_position(batch), cache)


def _attend(q: Tensor, prompt: Tensor, hidden: Tensor, cache: Tensor) -> Tensor:
    """Attention of q (T, C, KV, G, head) over the shared prompt (2, T, KV, L, head) and own tokens (2, T, C, KV, t, head)."""
    texts, candidates, kv, group, head = q.shape
    length = prompt.shape[3]
    stacked = q.transpose(1, 2).reshape(texts, kv, candidates * group, head)
    shared = (stacked @ prompt[0].mT).view(texts, kv, candidates, group, length).transpose(1, 2) + hidden
    weights = torch.cat([shared, q @ cache[0].mT], -1).softmax(-1)
    shared = weights[..., :length].transpose(1, 2).reshape(texts, kv, candidates * group, length) @ prompt[1]
    shared = shared.view(texts, kv, candidates, group, head).transpose(1, 2)
    return (shared + weights[..., length:] @ cache[1]).reshape(texts, candidates, -1)


def rotate_half(x: Tensor) -> Tensor:
    """Qwen2's, of which importing costs two seconds."""
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)


def advance(model: TextSpeechLM, tokens: Tensor, memory: _Memory, step: int) -> Tensor:
    """Post-norm states (T, C, D) after `tokens` (T, C), which become number `step` of the cache: Qwen2's forward."""
    x = model.speech_embedding(tokens)
    kv, head = memory.cache.shape[4], memory.cache.shape[6]
    cos, sin = model.llm.rotary_emb(x, (memory.start + step * memory.stride)[:, None])  # (T, 1, head)
    cos, sin = cos[:, :, None], sin[:, :, None]
    for layer, prompt, cache in zip(model.llm.layers, memory.prompt, memory.cache, strict=True):
        attn, h = layer.self_attn, layer.input_layernorm(x)
        q, k, v = (project(h).unflatten(2, (-1, head)) for project in (attn.q_proj, attn.k_proj, attn.v_proj))
        q, k = (y * cos + rotate_half(y) * sin for y in (q, k))
        cache[0, ..., step, :], cache[1, ..., step, :] = k, v
        seen = _attend(q.unflatten(2, (kv, -1)) * attn.scaling, prompt, memory.hidden, cache[..., : step + 1, :])
        x = x + attn.o_proj(seen)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return model.llm.norm(x)


def _pack(rows: _Rows, memory: _Memory, tokens: Tensor) -> tuple[_Rows, _Memory, Tensor]:
    """Only texts with unfinished rows, and no more candidates a text than the busiest has left."""
    left = rows.alive.sum(1)
    if int((left > 0).sum()) * int(left.max()) > SHRINK * rows.alive.numel():
        return rows, memory, tokens
    texts = left.nonzero()[:, 0]
    slots = (~rows.alive[texts]).int().argsort(dim=1, stable=True)[:, : int(left.max())]
    grid = (texts[:, None], slots)
    cache = memory.cache[:, :, grid[0], grid[1]]
    return (
        _Rows(*(values[grid] for values in rows)),
        _Memory(memory.prompt[:, :, texts], memory.hidden[texts], memory.start[texts], memory.stride, cache),
        tokens[grid],
    )


def _run(model: TextSpeechLM, batch: Batch, rows: _Rows, sampler: SamplerConfig, names: Sequence[int]) -> list[Tensor]:
    """All rows of one batch, from the prompt to their ends; `names` are the batch's places in the caller's list."""
    longest, stop = int(rows.most.max()), model.config.speech_vocab
    state, memory = _prefill(model, batch, rows.alive.shape[1], longest)
    logits = model.llm_decoder(state).float()[:, None].expand(-1, rows.alive.shape[1], -1)
    out = torch.full((rows.alive.numel(), longest), -1, device=logits.device)
    for step in range(longest):
        broken = rows.alive & logits.sum(2).isnan()
        if broken.any():
            name = names[int(rows.place[broken][0]) // (len(out) // len(names))]
            raise UserError(
                f"text {name}, speech token {step}: the LM answers NaN; its weights are broken, train or load it again"
            )
        recent = out[:, max(0, step - sampler.window) : step][rows.place]
        tokens = choose(logits, rows, sampler, recent, step, stop)
        alive = rows.alive & (tokens < stop)
        out[rows.place[alive], step] = tokens[alive]
        rows = rows._replace(alive=alive & (step + 1 < rows.most))
        if not rows.alive.any():
            break
        rows, memory, tokens = _pack(rows, memory, tokens)
        logits = model.llm_decoder(advance(model, tokens, memory, step)).float()
    return [row[row >= 0] for row in out.cpu()]


def _keys(seed: int, row_seeds: Sequence[int], candidates: int) -> Tensor:
    """(texts, candidates): where each row's stream of random numbers begins."""
    rows = mix(mix(torch.tensor(seed)) + torch.tensor(list(row_seeds)))
    return mix(rows[:, None] + torch.arange(candidates))


def length_bounds(text_lengths: Tensor, sampler: SamplerConfig) -> tuple[Tensor, Tensor]:
    """(texts, 1) each: the fewest and the most speech tokens."""
    characters = text_lengths[:, None]
    return (characters * sampler.min_ratio).long(), (characters * sampler.max_ratio).long().clamp_min(1)


@torch.no_grad()  # not inference mode: the tokens may be trained on
def generate(
    model: TextSpeechLM,
    texts: Sequence[Tensor],
    prefixes: Sequence[Tensor],
    sampler: SamplerConfig,
    candidates: int = 1,
    temperature: Tensor | None = None,
    lengths: tuple[Tensor, Tensor] | None = None,
    row_seeds: Sequence[int] | None = None,
) -> list[list[Tensor]]:
    """For each text, `candidates` sequences of speech tokens (length,) without eos, on the CPU.

    texts, prefixes: (length,) long each; an empty prefix is style off.
    temperature, lengths (fewest, most tokens): instead of the sampler's; each broadcasts to (texts, candidates).
    row_seeds: one a text, its place in the list if None; with the same one a text gets the same tokens in any company.
    The processes of one command share the texts out, and each of them gets all tokens.
    """
    everything = collate([(text, prefix, text[:0]) for text, prefix in zip(texts, prefixes, strict=True)])
    model.check(everything)
    prompt, device = everything.text_lengths + everything.prefix_lengths, model.llm_decoder.weight.device
    least, most = lengths or length_bounds(everything.text_lengths, sampler)
    table = (
        torch.as_tensor(sampler.temperature if temperature is None else temperature).float(),
        torch.as_tensor(least),
        torch.as_tensor(most).clamp_max(model.config.max_positions - model.around - prompt[:, None]),
        _keys(sampler.seed, range(len(texts)) if row_seeds is None else row_seeds, candidates),
        torch.as_tensor(most) > 0,
    )

    def said(places: Tensor) -> list[list[Tensor]]:
        codes = []
        for some in places.split(max(1, AT_ONCE // candidates)):
            place = torch.arange(len(some) * candidates, device=device).view(-1, candidates)
            rows = _Rows(place, *(values.broadcast_to(len(texts), candidates)[some].to(device) for values in table))
            batch = move(collate([(texts[i], prefixes[i], texts[i][:0]) for i in some]), device)
            # A caller's bf16 would make rows depend on their neighbours.
            with torch.autocast(device.type, enabled=False):
                codes += _run(model, batch, rows, sampler, some.tolist())
        return [codes[first : first + candidates] for first in range(0, len(codes), candidates)]

    order = prompt.argsort(stable=True)
    results = dict(zip(order.tolist(), shared_out(said, order), strict=True))
    return [results[i] for i in range(len(texts))]
