"""The stage `encode`: the corpus as speech tokens, in artifacts/tokens/{train,dev,test}/LANG/SET.safetensors."""

from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.params import Params
from sebridge_lite.core.progress import progress
from sebridge_lite.data.codes import write_codes
from sebridge_lite.data.sets import PLACES
from sebridge_lite.experiments.bench import Bench, languages, load_bench

AT_ONCE = 512  # utterances whose sound is in memory


def encode_set(bench: Bench, name: str, out: Path) -> None:
    utterances, folder, codes = bench.utterances(name), bench.folder(name), []
    with progress(None, f"tokens of {bench.lang} {name}", "utterance", len(utterances)) as bar:
        for first in range(0, len(utterances), AT_ONCE):
            chunk = utterances[first : first + AT_ONCE]
            codes += bench.stack.tokens(bench.stack.load(chunk, folder))
            bar.update(len(chunk))
    if utterances:
        write_codes(out / f"{name}.safetensors", [utterance.id for utterance in utterances], codes)


def run_encode(params: Params) -> None:
    for place in dict.fromkeys(PLACES.values()):
        with paths.replacing(paths.artifacts("tokens", place)) as temporary:
            for lang in languages(params):
                (temporary / lang).mkdir(parents=True)
                for name in (name for name in PLACES if PLACES[name] == place):
                    encode_set(load_bench(params, lang), name, temporary / lang)
