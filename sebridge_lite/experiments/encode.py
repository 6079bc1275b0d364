"""`sebridge encode`: the corpus as tokens, which of them are pauses, and how studio people and engines themselves score.

artifacts/speech_tokens/LANG/SET.safetensors      tokens of every utterance
artifacts/speech_tokens/LANG/silence.json         codes that are pauses
artifacts/speech_tokens/LANG/people/, engines/    scores of recordings of the test sentences: the judge's floors, and the
                                                  corners of every figure; engines only where the studio's spoke
"""

import json
from collections.abc import Sequence
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.workers import workers
from sebridge_lite.data.codes import write_codes
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.experiments.corpus import SPEED, load_sets, write_set
from sebridge_lite.experiments.train_parts import DECODING
from sebridge_lite.measure.evaluate import floors
from sebridge_lite.measure.saved import save_scores
from sebridge_lite.measure.scoring import load_sounds, silence_codes
from sebridge_lite.stack.stack import Stack, load_stack, pretrained_folder
from sebridge_lite.studio.studio import crew, lines_of, record_all
from sebridge_lite.studio.texts import load_language
from sebridge_lite.studio.voices import engines

AT_ONCE = 512  # utterances whose sound is in memory
HEARD = 200  # training recordings that show which codes are pauses


def encode_set(stack: Stack, name: str, utterances: Sequence[Utterance], folder: Path, out: Path) -> None:
    codes = []
    with progress(None, f"tokens of {name}", "utterance", len(utterances)) as bar:
        for first in range(0, len(utterances), AT_ONCE):
            some = utterances[first : first + AT_ONCE]
            codes += stack.tokens(load_sounds(some, folder))
            bar.update(len(some))
    write_codes(out / f"{name}.safetensors", [utterance.id for utterance in utterances], codes)


def by_engines(test: Sequence[Utterance], lang: str, count: int, seed: int, folder: Path) -> list[Utterance]:
    """The test sentences as the engines say them."""
    lexicon = load_language(lang).lexicon
    said = ([lexicon[word] for word in utterance.words] for utterance in test)
    lines = lines_of("engine-test", lang, said, engines("main", count), seed)
    with crew(workers(sum(utterance.seconds for utterance in test) / SPEED)) as pool:
        return write_set(folder, "engine-test", record_all(lines, seed, pool))


def encode_language(stack: Stack, lang: str, params: Params, folder: Path, out: Path) -> dict:
    """All of a language into `out`; returns the floors."""
    sets, seed = load_sets(folder), params.seed
    for name, utterances in sets.items():
        encode_set(stack, name, utterances, folder, out)
    teach, test = sets.get("real") or sets["synthetic"], sets["test"]
    silence = silence_codes(stack, load_sounds(teach[:HEARD], folder))
    (out / "silence.json").write_text(json.dumps([int(code) for code in silence]), encoding="utf-8")
    kinds = {"people": (test, folder)}
    if params.corpus.synthetic_source == "studio" and params.corpus.real_source == "studio":
        kinds["engines"] = (by_engines(test, lang, params.corpus.engines, seed, out), out)
    found = {}
    for kind, (utterances, where) in kinds.items():
        for what, scores in floors(stack, utterances, where, lang, silence=silence, seed=seed).items():
            save_scores(out / f"{kind}-{what}", scores)
            found[f"{lang}_{kind}_{what}_wer"] = scores.summary["wer"].mean
            found[f"{lang}_{kind}_{what}_hp"] = scores.summary["hp"].mean
    return found


def run_encode(params: Params) -> dict:
    corpus, target = paths.artifacts("corpus"), paths.artifacts("speech_tokens")
    if not corpus.is_dir():
        raise UserError(f"{corpus}: no corpus; `dvc repro corpus` builds it")
    languages = sorted(path.name for path in corpus.iterdir())
    stack = load_stack(pretrained_folder(), languages, DECODING)
    found: dict = {}
    with paths.replacing(target) as temporary:
        for lang in languages:
            (temporary / lang).mkdir(parents=True)
            found |= encode_language(stack, lang, params, corpus / lang, temporary / lang)
    return found
