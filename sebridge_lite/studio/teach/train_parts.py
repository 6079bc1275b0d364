"""Training of everything that the paper takes ready-made, in order: each part learns from those before it.

    speaker -> tokenizer -> backbone, vocoder -> flow -> score_judge (on recordings and re-synthesis) -> select_judge

Each part is trained by the one loop of `lm/train.py` in a folder of its own, so a killed run goes on where it was. Groups of
studio people are disjoint: those who teach the tokenizer and the scoring judge, those who teach the selecting judge, those
of the backbone; nobody who reads dev or test is in any. Left out: distillation, data augmentation beyond token noise.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sebridge_lite.core.hashes import PARTS_CODE, code_hash, key_of
from sebridge_lite.core.memory import peak_memory_gib
from sebridge_lite.core.params import BackboneParams, PartParams, PartsParams, PretrainParams
from sebridge_lite.core.workers import crew, workers
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.lm.lm import loss as lm_loss
from sebridge_lite.lm.sft import noisy_batch, same_speaker
from sebridge_lite.lm.train import Batches, TrainConfig, train
from sebridge_lite.stack.batches import cut, in_batches
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.features import log_mel
from sebridge_lite.stack.flow import Flow, FlowConfig, decode
from sebridge_lite.stack.parts import FOLDERS, Net, embedded, load_model, save_model
from sebridge_lite.stack.recogniser import SoundJudge, SoundJudgeConfig, TokenJudge, TokenJudgeConfig
from sebridge_lite.stack.speaker import SpeakerConfig, SpeakerEncoder
from sebridge_lite.stack.stack import TextTokenizer
from sebridge_lite.stack.tokenizer import Tokenizer, TokenizerConfig
from sebridge_lite.stack.trained import DECODING
from sebridge_lite.stack.vocoder import Vocoder, VocoderConfig
from sebridge_lite.studio.lexicon import UNITS
from sebridge_lite.studio.teach import material as mat
from sebridge_lite.studio.teach.losses import flow_loss, judge_loss, speaker_loss, tokenizer_loss, vocoder_loss
from sebridge_lite.studio.teach.material import Material, features, render_material
from sebridge_lite.studio.voices import engines, people

TIMBRE = 64  # width of e_timbre
SPEAKER_CROP, VOCODER_CROP = 75, 40  # frames of 20 ms
RESYNTHESISED = 0.4  # of the scoring judge's recordings are heard through the decoder too
SLIPS = 0.01
AT_ONCE = 8_000  # utterances of another backbone with their features in memory
LANGS = ("th", "lo")
DECODER = ("speaker", "tokenizer", "vocoder", "flow")  # what re-synthesis rests on, in order


@dataclass(frozen=True)
class Plan:
    """What every part needs to be trained: settings, a folder to work in, and what its inputs depend on."""

    p: Any  # PretrainParams, or OwnParams
    work: Path
    made: dict[str, str]  # the settings of the material and of each part, for those who rest on it
    units: int = len(UNITS)  # what tokenizer and judges tell apart, the blank included
    text: TextTokenizer = field(default_factory=CharVocab)  # what the backbone reads
    positions: int = 1_024  # of the backbone
    pace: float | None = None  # speech tokens a letter, where it is not a setting
    spectrum: float = 0.0  # weight of the mel's envelope in what the tokenizer learns
    grid: tuple[int, ...] = ()  # the levels that the decoder reads codes by
    begun: bool = False  # each part begins at the embedded weights that have its shapes

    @property
    def codes(self) -> int:
        """How many different speech tokens there are."""
        return math.prod(self.p.levels)

    def fit(
        self, name: str, kind: type[Net], config, loss, sizes, names, collate, part: PartParams, *rests_on: str, seed=0
    ) -> Net:
        """The trained part as everybody else will have it, in half precision; its files are in `work`."""
        warmup = min(150, part.steps // 4)
        settings = TrainConfig(part.steps, part.lr, warmup, "cosine", 0.01, save_every=200, seed=self.p.seed)
        torch.manual_seed(self.p.seed + seed)
        model, batches = kind(config), Batches(sizes, names, part.budget, self.p.seed)
        if self.begun:
            begin(model, name)
        inputs = key_of(code_hash(*PARTS_CODE), *(self.made[before] for before in ("material", *rests_on)))
        trained = train(model, loss, batches, collate, settings, self.work / name, inputs, name)
        file = self.work / FOLDERS.get(name, "") / name
        save_model(model, config, file, half=True)
        cost = {
            "seconds": round(trained.seconds, 1),
            "steps": trained.steps,
            "peak_memory_gib": round(peak_memory_gib(), 2),
        }
        (self.work / name / "cost.json").write_text(json.dumps(cost), encoding="utf-8")
        self.made[name] = f"{name} {config} {part}"
        return load_model(kind, type(config), file).eval()


def begin(model: nn.Module, name: str) -> None:
    """Gives a model the embedded weights of a part, wherever name and shape agree."""
    there = load_file(embedded(name))
    for key, value in model.state_dict().items():
        if key in there and there[key].shape == value.shape:
            value.copy_(there[key])


def plan_of(p: PartsParams, work: Path) -> Plan:
    """The plan before anything is made."""
    shared = {name: value for name, value in vars(p).items() if not isinstance(value, PartParams)}
    return Plan(p, work, {"material": str(shared)})


def spoken(name: str, group: str, plan: Plan, pool) -> Material:
    """People and engines of a group, 3 to 1, in each language."""
    p = plan.p
    kinds = (("people", people(group, p.people), 0.75, SLIPS), ("engines", engines(group, p.engines), 0.25, 0.0))
    said = (
        render_material(f"{name}-{kind}", lang, "judge", int(p.utterances * share), voices, p.seed, slips, pool)
        for lang in LANGS
        for kind, voices, share, slips in kinds
    )
    return sum(map(features, said), Material())


def first_material(plan: Plan) -> tuple[Material, Material]:
    """The teachers of speaker encoder, tokenizer and decoder: a judge's group, and its voices in the sister language."""
    with crew(workers(3600)) as pool:
        heard = spoken("judge-a", "judge_a", plan, pool)
        voices, half = people("judge_a", plan.p.people), plan.p.utterances // 2
        related = render_material("bb", "bb-th", "judge", half, voices, plan.p.seed, SLIPS, pool)
        return heard, features(related, keep_sounds=True)


def backbone_material(plan: Plan, name: str, count: int, seed: int) -> Material:
    """The sister language, half of it in each script; the sentences follow from the seed, their names from `name`."""
    p, half, voices = plan.p, count // 2, people("backbone", plan.p.people)
    names = [(f"{name}-{script}", f"bb-{script}") for script in LANGS]
    with crew(workers(3600)) as pool:
        said = (render_material(*pair, "real", half, voices, seed, SLIPS, pool, p.backbone_words) for pair in names)
        return sum(map(features, said), Material())


def train_speaker(plan: Plan, m: Material) -> SpeakerEncoder:
    part, names = plan.p.speaker, sorted(set(m.speakers))
    config = SpeakerConfig(part.width, part.blocks, TIMBRE, len(names), margin=0.2, scale=15.0)
    rows = partial(mat.speaker_batch, m, [names.index(speaker) for speaker in m.speakers], SPEAKER_CROP)
    return plan.fit("speaker", SpeakerEncoder, config, speaker_loss, [1] * len(m), m.names, rows, part)


@torch.no_grad()
def timbres_of(encoder: SpeakerEncoder, mels: list[Tensor]) -> Tensor:
    """Timbres (N, TIMBRE)."""
    return torch.stack(in_batches(lambda mel, lengths, _: encoder(mel.float(), lengths), mels))


def train_tokenizer(plan: Plan, m: Material, timbres: Tensor, name: str, levels: tuple[int, ...]) -> Tokenizer:
    """A tokenizer with these levels."""
    part = plan.p.tokenizer
    config = TokenizerConfig(levels, part.width, part.blocks, TIMBRE, 0, plan.units, plan.spectrum > 0)
    rows = partial(mat.tokenizer_batch, m, mat.speaker_medians(m), timbres)
    loss = partial(tokenizer_loss, prosody=plan.p.prosody, spectrum=plan.spectrum)
    return plan.fit(name, Tokenizer, config, loss, m.frames, m.names, rows, part, "speaker")


@torch.no_grad()
def codes_of(tokenizer: Tokenizer, mels: list[Tensor]) -> list[Tensor]:
    """The speech tokens of each utterance."""

    def encode(mel, lengths, _):
        return cut(tokenizer.encode(mel.float(), lengths), (lengths + 1) // 2)

    return in_batches(encode, mels)


def train_vocoder(plan: Plan, m: Material) -> Vocoder:
    part = plan.p.vocoder
    rows = partial(mat.vocoder_batch, m, VOCODER_CROP)
    config = VocoderConfig(part.width, part.blocks)
    return plan.fit("vocoder", Vocoder, config, vocoder_loss, [1] * len(m), m.names, rows, part)


def train_flow(plan: Plan, m: Material, codes: list[Tensor], timbres: Tensor) -> Flow:
    part = plan.p.flow
    config = FlowConfig(plan.codes, TIMBRE, part.width, part.blocks, noise=0.5, drop=0.1, levels=plan.grid)
    rows = partial(mat.flow_batch, m, codes, timbres, same_speaker(m.speakers))
    return plan.fit("flow", Flow, config, flow_loss, m.frames, m.names, rows, part, *DECODER[:2])


@torch.no_grad()
def resynthesised(m: Material, codes: list[Tensor], timbres: Tensor, flow: Flow, vocoder: Vocoder) -> Material:
    """A share of the utterances as they come back from tokens: mel of the vocoder's sound."""
    places = range(0, len(m), max(1, round(1 / RESYNTHESISED)))

    def speak(rows, lengths, at):
        mel, f0 = decode(flow, rows, lengths, timbres[[places[i] for i in at]], DECODING, [0] * len(at))
        sound = vocoder(mel, 2 * lengths, f0)
        return cut(log_mel(sound).half(), 2 * lengths)

    mels = in_batches(speak, [codes[i] for i in places], 6000)
    return Material([m.utterances[i] for i in places], mels, [], [], [m.units[i] for i in places])


def train_score_judge(plan: Plan, m: Material) -> SoundJudge:
    part = plan.p.score_judge
    config = SoundJudgeConfig(plan.units - 1, part.width, part.blocks, part.width, 0.1, time_mask=8, band_mask=12)
    names = [f"{name}-{place}" for place, name in enumerate(m.names)]
    rows = partial(mat.judge_batch, m.mels, m.units)
    return plan.fit("score_judge", SoundJudge, config, judge_loss, m.frames, names, rows, part, *DECODER)


def train_select_judge(plan: Plan, m: Material, codes: list[Tensor]) -> TokenJudge:
    part, sizes = plan.p.select_judge, [len(row) for row in codes]
    config = TokenJudgeConfig(plan.codes, plan.units - 1, 96, part.width, dropout=0.1, noise=0.05)
    rows = partial(mat.judge_batch, codes, m.units)
    return plan.fit("select_judge", TokenJudge, config, judge_loss, sizes, m.names, rows, part, *DECODER[:2], seed=1)


def train_backbone(plan: Plan, m: Material, codes: list[Tensor]) -> TextSpeechLM:
    """The text-speech LM before fine-tuning."""
    part, p, vocab = plan.p.lm, plan.p, plan.text
    pace = p.pace if plan.pace is None else plan.pace
    shape = part.width, part.blocks, 4, 2, part.width * 5 // 2, plan.positions
    config = LMConfig(vocab.size, plan.codes, *shape, 10_000.0, pace)
    examples = [(vocab.encode(utterance.text), row) for utterance, row in zip(m.utterances, codes, strict=True)]
    rows = partial(noisy_batch, examples, same_speaker(m.speakers), p, plan.codes)
    sizes = [len(text) + len(speech) + 2 for text, speech in examples]
    return plan.fit("backbone", TextSpeechLM, config, lm_loss, sizes, m.names, rows, part, *DECODER[:2])


def train_all(p: PretrainParams, work: Path) -> dict[str, dict]:
    """What each part cost, after all are trained and lie in `work`, each in its place of `FOLDERS`."""
    plan = plan_of(p, work)
    heard, related = first_material(plan)
    every = heard + related
    timbres = timbres_of(train_speaker(plan, every), every.mels)
    tokenizer = train_tokenizer(plan, every, timbres, "tokenizer", p.levels)
    vocoder = train_vocoder(plan, related)
    codes = codes_of(tokenizer, every.mels)
    flow = train_flow(plan, every, codes, timbres)
    train_score_judge(plan, heard + resynthesised(heard, codes[: len(heard)], timbres, flow, vocoder))
    del every, heard, related, codes
    with crew(workers(3600)) as pool:
        read = spoken("judge-b", "judge_b", plan, pool)
    train_select_judge(plan, read, codes_of(tokenizer, read.mels))
    said = backbone_material(plan, "backbone", p.backbone_utterances, p.seed)
    train_backbone(plan, said, codes_of(tokenizer, said.mels))
    return costs(work, FOLDERS)


def costs(work: Path, names: Iterable[str]) -> dict[str, dict]:
    """What each of these parts cost, as `Plan.fit` has written it down."""
    return {name: json.loads((work / name / "cost.json").read_text(encoding="utf-8")) for name in names}


def train_other_backbone(p: PretrainParams, other: BackboneParams, tokenizer: Tokenizer, work: Path) -> dict[str, dict]:
    """What a backbone cost that goes on from the embedded one with fresh sentences of the same voices; it lies in `work`."""
    lm = replace(p.lm, steps=other.steps, lr=other.lr, budget=other.budget)
    plan = replace(plan_of(replace(p, lm=lm), work), pace=other.pace, begun=True)
    plan.made.update(dict.fromkeys(DECODER[:2], key_of(*tokenizer.state_dict().values())))
    said, codes = Material(), list[Tensor]()
    for first in range(0, other.utterances, AT_ONCE):
        seed = p.seed + first // AT_ONCE
        more = backbone_material(plan, f"bb{seed}", min(AT_ONCE, other.utterances - first), seed)
        codes += codes_of(tokenizer, more.mels)
        said = said + replace(more, mels=[], f0=[], energy=[])
    train_backbone(plan, said, codes)
    return costs(work, ["backbone"])


def train_other_tokenizer(p: PretrainParams, work: Path, speaker: SpeakerEncoder) -> Tokenizer:
    """The tokenizer with `compare_levels`, from the same material and the timbres of the finished `speaker` encoder."""
    plan = plan_of(p, work)
    plan.made["speaker"] = key_of(*speaker.state_dict().values())
    heard, related = first_material(plan)
    every = heard + related
    return train_tokenizer(plan, every, timbres_of(speaker, every.mels), "tokenizer_compared", p.compare_levels)
