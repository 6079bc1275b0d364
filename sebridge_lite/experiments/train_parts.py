"""Train everything that the paper takes ready-made, in order: each part learns from those before it.

    speaker -> tokenizer -> backbone -> vocoder -> flow -> score_judge (on recordings and re-synthesis) -> select_judge

Each part is trained by the one loop of `train.py` in a folder of its own, so a killed run goes on where it was. Groups of
studio people are disjoint: those who teach the tokenizer and the scoring judge, those who teach the selecting judge, those
of the backbone; nobody who reads dev or test is in any. Left out: distillation, data augmentation beyond token noise.
"""

import json
import math
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.memory import peak_memory_gib
from sebridge_lite.core.params import PartParams, PretrainParams
from sebridge_lite.core.workers import workers
from sebridge_lite.experiments import material as mat
from sebridge_lite.experiments.material import Material, features, render_material
from sebridge_lite.lm.batching import Batches
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.lm.lm import loss as lm_loss
from sebridge_lite.lm.sft import same_speaker, styled_batch
from sebridge_lite.lm.train import TrainConfig, train
from sebridge_lite.stack.batches import in_batches
from sebridge_lite.stack.characters import ALPHABET
from sebridge_lite.stack.flow import Flow, FlowConfig, decode, flow_loss
from sebridge_lite.stack.parts import FOLDERS, load_part
from sebridge_lite.stack.recogniser import SoundJudge, SoundJudgeConfig, TokenJudge, TokenJudgeConfig, judge_loss
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder, speaker_loss
from sebridge_lite.stack.studio import DECODING
from sebridge_lite.stack.tokenizer import Tokenizer, TokenizerConfig, tokenizer_loss
from sebridge_lite.stack.units import UNITS
from sebridge_lite.stack.vocoder import Vocoder, VocoderConfig, vocoder_loss
from sebridge_lite.stack.weights import load_model, save_model
from sebridge_lite.studio.studio import crew
from sebridge_lite.studio.voices import engines, people

TIMBRE = 64  # width of e_timbre
SPEAKER_CROP, VOCODER_CROP = 75, 40  # frames of 20 ms
RESYNTHESISED = 0.4  # of the scoring judge's recordings are heard through the decoder too
SLIPS = 0.01
LANGS = ("th", "lo")
DECODER = ("speaker", "tokenizer", "vocoder", "flow")  # what re-synthesis rests on, in order


@dataclass(frozen=True)
class Plan:
    """What every part needs to be trained: settings, seed, where to work, where finished parts go."""

    p: PretrainParams
    work: Path
    out: Path
    made: dict[str, str]  # the settings of the material and of each part, for those who rest on it

    @property
    def codes(self) -> int:
        return math.prod(self.p.levels)

    def fit(
        self, name: str, model, config, loss, batches: Batches, collate, part: PartParams, *rests_on: str
    ) -> nn.Module:
        settings = TrainConfig(
            steps=part.steps, lr=part.lr, warmup=min(150, part.steps // 4), schedule="cosine", weight_decay=0.01, clip=1.0,
            accumulate=1, save_every=200, dev_every=0, seed=self.p.seed, betas=(0.9, 0.98),
        )  # fmt: skip
        inputs = key_of(*(self.made[before] for before in ("material", *rests_on)))
        trained = train(model, loss, batches, collate, settings, self.work / name, inputs, name)
        folder = self.out if name in FOLDERS else self.work
        save_model(model, config, folder / name, half=True)
        seconds, memory = round(trained.seconds, 1), round(peak_memory_gib(), 2)
        cost = {"seconds": seconds, "steps": trained.steps, "peak_memory_gib": memory}
        (self.work / name / "cost.json").write_text(json.dumps(cost), encoding="utf-8")
        self.made[name] = f"{name} {config} {part}"
        return load_model(
            type(model), type(config), folder / name
        ).eval()  # as everybody else will have it, in half precision

    def batches(self, sizes, names, part: PartParams) -> Batches:
        return Batches(sizes, names, part.budget, self.p.seed)


def spoken(name: str, group: str, plan: Plan, pool) -> Material:
    """People and engines, 3 to 1, of a group, in each language."""
    found = Material()
    for lang in LANGS:
        for kind, voices, share in (
            ("people", people(group, plan.p.people), 0.75),
            ("engines", engines(group, plan.p.engines), 0.25),
        ):
            slips = SLIPS if kind == "people" else 0.0
            made = render_material(
                f"{name}-{kind}", lang, "judge", int(plan.p.utterances * share), voices, plan.p.seed, slips, pool
            )
            found = found + features(made)
    return found


def train_speaker(plan: Plan, m: Material) -> Tensor:
    """Trains the encoder; returns the timbre of each utterance (N, TIMBRE)."""
    part, names = plan.p.speaker, sorted(set(m.speakers))
    config = SpeakerConfig(part.width, part.blocks, TIMBRE, len(names), margin=0.2, scale=15.0)
    torch.manual_seed(plan.p.seed)
    model = SpeakerEncoder(config)
    ids = [names.index(speaker) for speaker in m.speakers]
    batches = plan.batches([1] * len(m), m.names, part)
    model = plan.fit(
        "speaker", model, config, speaker_loss, batches, partial(mat.speaker_batch, m, ids, SPEAKER_CROP), part
    )
    return embed_all(model, m.mels)


def embed_all(encoder: SpeakerEncoder, mels: list[Tensor]) -> Tensor:
    """Timbres (N, TIMBRE)."""

    @torch.no_grad()
    def embed(mel, lengths, _):
        return encoder(mel.float(), lengths)

    return torch.stack(in_batches(embed, mels))


def train_tokenizer(plan: Plan, m: Material, timbres: Tensor, name: str, levels: tuple[int, ...]) -> Tokenizer:
    part, names = plan.p.tokenizer, sorted(set(m.speakers))
    speakers = len(names) if plan.p.adversary else 0
    config = TokenizerConfig(levels, part.width, part.blocks, TIMBRE, speakers)
    torch.manual_seed(plan.p.seed)
    model = Tokenizer(config)
    ids = [names.index(speaker) for speaker in m.speakers]
    collate_ = partial(mat.tokenizer_batch, m, mat.speaker_medians(m), timbres, ids)
    loss = partial(tokenizer_loss, prosody=plan.p.prosody, adversary=plan.p.adversary)
    return plan.fit(name, model, config, loss, plan.batches(m.frames, m.names, part), collate_, part, "speaker")


def codes_of(tokenizer: Tokenizer, mels: list[Tensor]) -> list[Tensor]:
    def encode(mel, lengths, _):
        codes = tokenizer.encode(mel.float(), lengths)
        return [row[: (size + 1) // 2] for row, size in zip(codes, lengths.tolist(), strict=True)]

    return in_batches(encode, mels)


def train_vocoder(plan: Plan, m: Material) -> Vocoder:
    part = plan.p.vocoder
    config = VocoderConfig(part.width, part.blocks)
    torch.manual_seed(plan.p.seed)
    model = Vocoder(config)
    batches = plan.batches([1] * len(m), m.names, part)
    return plan.fit("vocoder", model, config, vocoder_loss, batches, partial(mat.vocoder_batch, m, VOCODER_CROP), part)


def train_flow(plan: Plan, m: Material, codes: list[Tensor], timbres: Tensor) -> Flow:
    part = plan.p.flow
    config = FlowConfig(plan.codes, TIMBRE, part.width, part.blocks, noise=0.5, drop=0.1)
    torch.manual_seed(plan.p.seed)
    model = Flow(config)
    collate_ = partial(mat.flow_batch, m, codes, timbres, same_speaker(m.speakers))
    return plan.fit(
        "flow", model, config, flow_loss, plan.batches(m.frames, m.names, part), collate_, part, *DECODER[:2]
    )


def resynthesised(
    m: Material, codes: list[Tensor], timbres: Tensor, flow: Flow, vocoder: Vocoder, share: float
) -> Material:
    """Every n-th utterance as it comes back from tokens: mel of the vocoder's sound."""
    places = range(0, len(m), max(1, round(1 / share)))

    @torch.no_grad()
    def speak(rows, lengths, at):
        mel, f0 = decode(flow, rows, lengths, timbres[[places[i] for i in at]], DECODING, [0] * len(at))
        sound = vocoder(mel, 2 * lengths, f0)
        return [row[: 2 * size].half() for row, size in zip(mat.log_mel(sound), lengths.tolist(), strict=True)]

    mels = in_batches(speak, [codes[i] for i in places], 6000)
    return Material([m.utterances[i] for i in places], mels, [], [], [m.units[i] for i in places])


def train_score_judge(plan: Plan, m: Material) -> SoundJudge:
    part = plan.p.score_judge
    config = SoundJudgeConfig(len(UNITS) - 1, part.width, part.blocks, part.width, 0.1, time_mask=8, band_mask=12)
    torch.manual_seed(plan.p.seed)
    model = SoundJudge(config)
    names = [f"{name}-{place}" for place, name in enumerate(m.names)]
    batches = plan.batches(m.frames, names, part)
    return plan.fit(
        "score_judge", model, config, judge_loss, batches, partial(mat.judge_batch, m.mels, m.units), part, *DECODER
    )


def train_select_judge(plan: Plan, codes: list[Tensor], units: list[Tensor], names: list[str]) -> TokenJudge:
    part = plan.p.select_judge
    config = TokenJudgeConfig(plan.codes, len(UNITS) - 1, 96, part.width, dropout=0.1, noise=0.05)
    torch.manual_seed(plan.p.seed + 1)
    model = TokenJudge(config)
    batches = plan.batches([len(row) for row in codes], names, part)
    return plan.fit(
        "select_judge", model, config, judge_loss, batches, partial(mat.judge_batch, codes, units), part, *DECODER[:2]
    )


def train_backbone(plan: Plan, m: Material, codes: list[Tensor]) -> TextSpeechLM:
    part = plan.p.lm
    config = LMConfig(
        len(ALPHABET), plan.codes, part.width, part.blocks, 4, 2, part.width * 5 // 2, 1024, 10_000.0, plan.p.pace
    )
    torch.manual_seed(plan.p.seed)
    model = TextSpeechLM(config)
    examples = mat.lm_examples([u.text for u in m.utterances], codes)
    collate_ = partial(styled_batch, examples, same_speaker(m.speakers), plan.p.style_share, plan.p.style_tokens)
    sizes = [len(text) + len(speech) + 2 for text, speech in examples]
    return plan.fit(
        "backbone",
        model,
        config,
        partial(lm_loss, noise=plan.p.token_noise),
        plan.batches(sizes, m.names, part),
        collate_,
        part,
        *DECODER[:2],
    )


def backbone_material(plan: Plan, pool) -> Material:
    """The sister language, half of it in each script."""
    voices, half, found = people("backbone", plan.p.people), plan.p.backbone_utterances // 2, Material()
    for script in ("th", "lo"):
        made = render_material(
            f"backbone-{script}", f"bb-{script}", "real", half, voices, plan.p.seed, SLIPS, pool, plan.p.backbone_words
        )
        found = found + features(made)
    return found


def speaking_half(plan: Plan) -> None:
    """The backbone: it needs the tokenizer and nothing else."""
    torch.set_num_threads(1)
    with crew(1) as pool:
        said = backbone_material(plan, pool)
    train_backbone(plan, said, codes_of(load_part("tokenizer", plan.out / "tokenizer"), said.mels))


@contextmanager
def beside(function, *arguments) -> Iterator[None]:
    """Runs `function` in a process of its own while the block runs, and waits for it; its failure is raised here."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        other = pool.submit(function, *arguments)
        yield
        other.result()


def first_material(plan: Plan) -> tuple[Material, Material]:
    """Who teaches the speaker encoder, the tokenizer and the decoder: a judge's group, and its voices in the sister language."""
    with crew(workers(3600)) as pool:
        heard = spoken("judge-a", "judge_a", plan, pool)
        voices, half = people("judge_a", plan.p.people), plan.p.utterances // 2
        related = render_material("bb", "bb-th", "judge", half, voices, plan.p.seed, SLIPS, pool)
        return heard, features(related, keep_sounds=True)


def plan_of(p: PretrainParams, work: Path, out: Path) -> Plan:
    shared = {name: value for name, value in vars(p).items() if not isinstance(value, PartParams)}
    return Plan(p, work, out, {"material": str(shared)})


def pretrain(p: PretrainParams, work: Path, out: Path) -> dict[str, dict]:
    """All parts into `out`; returns what each cost. The backbone is trained beside all that follows the tokenizer."""
    plan = plan_of(p, work, out)
    heard, related = first_material(plan)
    every = heard + related
    timbres = train_speaker(plan, every)
    tokenizer = train_tokenizer(plan, every, timbres, "tokenizer", p.levels)
    with beside(speaking_half, plan):
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))
        vocoder = train_vocoder(plan, related)
        codes = codes_of(tokenizer, every.mels)
        flow = train_flow(plan, every, codes, timbres)
        again = resynthesised(heard, codes[: len(heard)], timbres, flow, vocoder, RESYNTHESISED)
        train_score_judge(plan, heard + again)
        del every, heard, related, again
        with crew(1) as pool:
            read = spoken("judge-b", "judge_b", plan, pool)
        train_select_judge(plan, codes_of(tokenizer, read.mels), read.units, read.names)
    return {name: json.loads((work / name / "cost.json").read_text(encoding="utf-8")) for name in FOLDERS}


def train_other_tokenizer(p: PretrainParams, work: Path) -> Tokenizer:
    """The tokenizer with `compare_levels`, from the same material and the timbres of the finished speaker encoder."""
    plan = plan_of(p, work, work)
    speaker = load_part("speaker")
    plan.made["speaker"] = key_of(*speaker.state_dict().values())
    heard, related = first_material(plan)
    every = heard + related
    timbres = embed_all(speaker, every.mels)
    return train_tokenizer(plan, every, timbres, "tokenizer_compared", p.compare_levels)
