"""What policies are trained from and scored on, each part loaded when it is first asked for.

A stage opens only what it uses, so what it lists as its inputs in dvc.yaml is the whole truth. For the same reason the measures
are imported where they are used: who trains does not depend on them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from sebridge_lite.core import files, paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.codes import codes_for, read_codes
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.sets import PLACES, load_set, set_folder
from sebridge_lite.lm.lm import TextSpeechLM
from sebridge_lite.lm.lora import load_policy
from sebridge_lite.lm.sampling import SamplerConfig, generate
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.stacks import load_stack


def made(path: Path, stage: str) -> Path:
    """A file or folder that `stage` has written."""
    if not path.exists():
        raise UserError(f"{path}: not there; `dvc repro {stage}` makes it")
    return path


def again(stage: str) -> str:
    """What mends a file that a stage has written."""
    return f"`dvc repro {stage}` makes it again"


def read_json(path: Path, stage: str, shape=dict):
    """A JSON file of that shape that `stage` has written."""
    return files.read_json(path, again(stage), shape)


def read_table(path: Path, stage: str, **columns):
    """A CSV file that `stage` has written. columns: as in `core.files.read_table`"""
    return files.read_table(path, again(stage), **columns)


def cell(place: str, seed: int, name: str) -> Path:
    """Where what was made of a name and a seed lies; `place` is pairs, sft, align, critique, or scores/ and one of these."""
    return paths.artifacts(place, f"s{seed}", name)


def write_json(path: Path, about: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


@dataclass(eq=False)
class Bench:
    """One language: its speech, its stack, and what the judges make of recordings."""

    params: Params
    lang: str
    sets: dict[str, tuple[list[Utterance], Path]] = field(default_factory=dict)  # utterances, folder of their sound
    tracked: dict = field(default_factory=dict)  # references by set and number of texts

    @cached_property
    def stack(self) -> Stack:
        judge = self.params.judge
        return load_stack([self.lang], judge.score, select=judge.select, speaker=judge.speaker)

    def utterances(self, name: str) -> list[Utterance]:
        """The utterances of a set: real, synthetic, dev or test."""
        if name not in self.sets:
            self.sets[name] = load_set(name, self.lang), set_folder(name, self.lang)
        return self.sets[name][0]

    def written(self, said: Utterance) -> str:
        """A text for people and other systems to read; where the corpus has its phones, these are its words."""
        return " ".join(said.words) if self.params.text.units == "phones" else said.text

    def folder(self, name: str) -> Path:
        self.utterances(name)
        return self.sets[name][1]

    def tokens(self, name: str) -> list[Tensor]:
        """The speech tokens of a set, in the order of its utterances."""
        utterances = self.utterances(name)
        return codes_for(utterances, self._codes(name)) if utterances else []

    def tokens_of(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        """The speech tokens of any training utterances, in their order."""
        codes = self._codes("synthetic") | (self._codes("real") if self.utterances("real") else {})
        return codes_for(utterances, codes)

    def _codes(self, name: str) -> dict[str, Tensor]:
        return read_codes(paths.artifacts("tokens", PLACES[name], self.lang, f"{name}.safetensors"))

    @cached_property
    def silence(self) -> list[int]:
        """Tokens that stand for pauses."""
        return read_json(paths.artifacts("floors", self.lang, "silence.json"), "floors", [int])

    @cached_property
    def floor(self) -> float:
        """The scoring judge's word error on people's recordings of the test set."""
        path = paths.artifacts("floors", self.lang, "people-recorded", "summary.json")
        return read_json(path, "floors", {"wer": float})["wer"]

    def references(self, name: str, texts: int | None = None):
        """The `References` of (the first `texts` of) a set: recordings and their tracks, worked out once."""
        from sebridge_lite.measure.scoring import load_references

        utterances = self.utterances(name)[:texts]
        key = name, len(utterances)
        if key not in self.tracked:
            self.tracked[key] = load_references(self.stack, utterances, self.folder(name), self.lang)
        return self.tracked[key]

    def with_set(self, name: str, utterances: Sequence[Utterance], folder: Path) -> "Bench":
        """The same bench with other speech as one of its sets; the stack is shared."""
        other = replace(self, sets=self.sets | {name: (list(utterances), folder)}, tracked={})
        other.__dict__ |= {part: self.__dict__[part] for part in ("stack", "silence", "floor") if part in self.__dict__}
        return other

    def sampler(self, seed: int, temperature: float | None = None) -> SamplerConfig:
        """The one sampler of all evaluation, at its temperature if at no other."""
        score = self.params.score
        heat = score.temperature if temperature is None else temperature
        return SamplerConfig(heat, score.top_p, **vars(self.params.sampling), seed=seed)

    def sampled(
        self, model: TextSpeechLM, said: Sequence[Utterance], seed: int, heat: float | None = None, count: int = 1
    ) -> list[list[Tensor]]:
        """`count` samples of each text, without style; the first is what `evaluate` samples."""
        texts = [self.stack.text.encode(utterance.text) for utterance in said]
        seeds = [seed_of(seed, "tokens", utterance.id) for utterance in said]
        return generate(model, texts, [text[:0] for text in texts], self.sampler(seed, heat), count, row_seeds=seeds)

    def judging(self, seed: int) -> dict:
        """What all scoring is told beside speech: which tokens are pauses, a seed, the judge's floor."""
        return {"silence": self.silence, "seed": seed, "floor": self.floor}

    def policy(self, folder: Path, stage: str) -> TextSpeechLM:
        """The weights that a stage has left in `folder`."""
        return load_policy(made(folder, stage) / "model", self.lang, self.stack.device)

    def scored(self, study: str, name: str, seed: int, heat: float | None = None) -> tuple:
        """The `Scores` of a system on the test set, as `sebridge score` left them of a study, and what is known of it.

        heat: the temperature, for a study that scores at several.
        """
        folder = cell(f"scores/{study}", seed, name)
        return self.scores(line_at(folder, heat) if heat else folder, f"score_{study}")

    def scores(self, folder: Path, stage: str) -> tuple:
        """The `Scores` that a stage has measured of a policy, and all that it wrote down of it."""
        from sebridge_lite.measure.evaluate import load_scores

        return load_scores(made(folder, stage), self.stack.codes)


def line_at(folder: Path, heat: float) -> Path:
    """Where a policy's scores at one temperature of several are."""
    return folder / f"T{heat:.2f}"


def load_bench(params: Params, lang: str | None = None) -> Bench:
    """The bench of a language, or of the one that has real speech."""
    return Bench(params, lang or params.roles.dgsa)


def languages(params: Params) -> list[str]:
    """The languages of a run, each once."""
    return list(dict.fromkeys(lang for lang in (params.roles.dgsa, params.roles.tdsc) if lang != "none"))
