"""The stage `floors`: what the judge that scores makes of recordings, before any policy speaks.

artifacts/floors/LANG/silence.json                                 tokens that stand for pauses
artifacts/floors/LANG/{people,engines}-{recorded,resynthesised}/   scores of recordings of the test sentences: the judge's
                                                                   floors, and the corners of every figure
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sebridge_lite.core import paths
from sebridge_lite.core.errors import given
from sebridge_lite.core.params import Params
from sebridge_lite.core.workers import crew, in_pool, workers
from sebridge_lite.data.engines import FOLDER, in_turn, spoken
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import seconds_of
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments.bench import Bench, languages, load_bench
from sebridge_lite.experiments.corpus import SPEED
from sebridge_lite.measure.evaluate import Scores, floors, save_scores
from sebridge_lite.measure.scoring import load_references, silence_codes
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language
from sebridge_lite.studio.voices import engines

TRUSTED = 0.3  # word error of a judge, above which it is warned of
HEARD = 200  # training recordings that show which tokens are pauses


def engines_say(test: Sequence[Utterance], lang: str, params: Params, folder: Path) -> list[Utterance]:
    """The test sentences as the study's engines say them, recorded into `folder`; none where they are a folder's."""
    if params.corpus.synthetic_source != "studio":
        specs = [spec for spec in params.corpus.engine_specs if not spec.startswith(FOLDER)]
        asked = [(" ".join(said.words), said.words) for said in test]
        with TemporaryDirectory() as work:
            queues = [
                spoken(spec, asked[place :: len(specs)], lang, Path(work), params.seed)
                for place, spec in enumerate(specs)
            ]
            rows = zip(in_turn(queues), test, strict=False)  # no rows where no engine of `specs` can be asked
            said = (row._replace(utterance=replace(row.utterance, text=read.text)) for row, read in rows)
            return write_set(folder, "engine-test", said)
    lexicon = load_language(lang).lexicon
    texts = ([lexicon[word] for word in utterance.words] for utterance in test)
    lines = lines_of("engine-test", lang, texts, engines("main", params.corpus.engines), params.seed)
    with crew(workers(seconds_of(test) / SPEED)) as pool:
        return write_set(folder, "engine-test", record_all(lines, params.seed, pool))


def _floors(job: tuple[Params, str, Path]) -> dict[str, float]:
    params, lang, out = job
    bench = load_bench(params, lang)
    out.mkdir(parents=True)
    teacher = "real" if bench.utterances("real") else "synthetic"
    heard = bench.stack.load(bench.utterances(teacher)[:HEARD], bench.folder(teacher))
    silence = [int(code) for code in silence_codes(bench.stack, heard)]
    (out / "silence.json").write_text(json.dumps(silence), encoding="utf-8")
    groups: dict[str, tuple[Sequence[Utterance], Path]] = {"people": (bench.utterances("test"), bench.folder("test"))}
    if params.corpus.synthetic_source != "folder" and (
        said := engines_say(bench.utterances("test"), lang, params, out)
    ):
        groups["engines"] = said, out
    errors = {}
    for kind, (utterances, folder) in groups.items():
        references = load_references(bench.stack, utterances, folder, lang)
        for what, scores in floors(bench.stack, references, silence=silence, seed=params.seed).items():
            save_scores(out / f"{kind}-{what}", scores)
            errors[f"{lang}_{kind}_{what}"] = scores.summary["wer"].mean
    return errors


def run_floors(params: Params) -> dict[str, float]:
    """The scoring judge's word error on recordings, by language, kind of speaker, and recorded or resynthesised."""
    with paths.replacing(paths.artifacts("floors")) as temporary:
        jobs = [(params, lang, temporary / lang) for lang in languages(params)]
        found = {name: value for errors in in_pool(_floors, jobs, "floors") for name, value in errors.items()}
    for name in found:
        if mend := mend_of(name, found, params.judge.score):
            print(
                f"warning: {name}: word error {found[name]:.0%}, so what is said of words means little; {mend}",
                file=sys.stderr,
            )
    return found


def mend_of(name: str, errors: Mapping[str, float], judge: str) -> str:
    """What would lower one of these word errors; "" where it is low enough, or that of the recordings explains it."""
    recorded = errors[name.replace("resynthesised", "recorded")]
    if errors[name] <= TRUSTED or (name.endswith("resynthesised") and recorded > TRUSTED):
        return ""
    if name.endswith("resynthesised"):
        return "train tokenizer and decoder longer, on more speech"
    if judge == "own":
        return "train the judge longer (own.score_judge.steps), or name another (judge.score)"
    engine = ", or study an engine that it understands" if "_engines_" in name else ""
    return f"{judge} does not understand them: name a larger one, or own, in judge.score{engine}"


def floor_scores(bench: Bench, kind: str) -> tuple | None:
    """Scores of recordings, such as people-recorded, and what is known of them; None where nobody of that kind spoke."""
    folder = paths.artifacts("floors", bench.lang, kind)
    return bench.scores(folder, "floors") if folder.is_dir() else None


def recorded_by(bench: Bench, kind: str) -> Scores:
    """Scores of the recordings of people or engines."""
    return given(floor_scores(bench, f"{kind}-recorded"), f"scores of {kind}", "`dvc repro` makes them")[0]
