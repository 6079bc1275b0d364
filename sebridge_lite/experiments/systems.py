"""The stage `systems` (Table 5): speech that others made, scored as ours is, by the same judge and tokens.

    artifacts/systems/LANG/NAME/    the stage `systems`: espeak-ng and MMS-TTS, where this machine has them, on the test texts
    artifacts/systems/LANG/why.json why the others are not there
    artifacts/outside/LANG/NAME/    `sebridge score-folder DIR`: any audio of yours; no stage makes or removes it

Each gets scores.csv, codes.safetensors and summary.json. What would compare a recording with itself (similarity, F0 match,
length) is not in their tables. Left out: CosyVoice2 and the others of Table 5, whose code or service is not a package.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, show
from sebridge_lite.core.params import Params
from sebridge_lite.data.engines import spoken
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.own_data import good_rows
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments.bench import Bench, languages, load_bench, read_json, write_json
from sebridge_lite.measure.evaluate import Scores, save_scores, scores_of
from sebridge_lite.measure.scoring import load_references, score
from sebridge_lite.studio.texts import load_language

PAIRS = {"dgsa": ("sft", "dgsa"), "tdsc": ("start", "tdsc")}  # by role: what a method starts from, and the method
RECORDED = {
    "people": "people-recorded",
    "people, resynthesised": "people-resynthesised",
    "engines": "engines-recorded",
}
AGAINST_ITSELF = ["sim", "length_ratio", "f0_corr", "f0_rmse_st", "f0_rmse_hz"]
PRINTED = {
    "wer": "word error",
    "wer_cal": "calibrated by the judge's floor",
    "cer": "character error",
    "hp": "Hp, bits",
    "rep": "repetition",
    "f0_std": "F0 std, semitones",
}
MADE_HERE = {"espeak-ng": "espeak-ng", "mms-tts": "mms"}  # and the specs of their engines
EXPORT = "`sebridge score-folder` takes its audio"
NOT_RUN = {"open": f"its weights are not here; {EXPORT}", "commercial": f"a paid service; {EXPORT}"}


def pairs_of(lang: str, params: Params) -> list[tuple[str, str]]:
    """The start and the aligned policy of each method that a language has."""
    return [pair for role, pair in PAIRS.items() if getattr(params.roles, role) == lang]


def named(scores: Scores, ids: Sequence[str]) -> Scores:
    """The same rows under other names, without what compares them with themselves: to be paired with other systems."""
    return replace(scores, table=scores.table.drop(columns=AGAINST_ITSELF, errors="ignore").assign(id=list(ids)))


def score_recordings(bench: Bench, recordings: Sequence[Utterance], folder: Path, ids: Sequence[str]) -> Scores:
    """Scores of any recordings, `named`, by what the judge hears and the tokenizer sees in them."""
    stack, references = bench.stack, load_references(bench.stack, recordings, folder, bench.lang)
    rows, codes = range(len(recordings)), bench.stack.tokens(references.sounds)
    table = score(stack, references, rows, codes, references.sounds, references.timbres, bench.silence)
    kept = table.drop(columns=AGAINST_ITSELF, errors="ignore")
    return named(scores_of(kept, codes, stack, references, bench.floor, bench.params.seed), ids)


def run_systems(params: Params) -> dict[str, dict[str, str]]:
    """Why systems are not here, by language; the others are scored."""
    why: dict[str, dict[str, str]] = {}
    with paths.replacing(paths.artifacts("systems")) as out:
        for lang in languages(params):
            bench, folder = load_bench(params, lang), out / lang
            why[lang], test = {"CosyVoice2": f"it is no package; {EXPORT}"}, bench.utterances("test")
            asked = [(bench.written(text), text.words) for text in test]
            for name, spec in MADE_HERE.items():
                try:
                    with TemporaryDirectory() as work:
                        recordings = list(spoken(spec, asked, lang, Path(work), params.seed))
                except UserError as error:
                    why[lang][name] = str(error)
                    continue
                said, ids = write_set(folder / name, "audio", recordings), [text.id for text in test]
                save_scores(folder / name, score_recordings(bench, said, folder / name, ids), name=name)
            write_json(folder / "why.json", why[lang])
    return why


def outside(bench: Bench) -> tuple[dict[str, Scores], dict[str, Scores], dict[str, str]]:
    """(other systems on the test texts, your folders of other texts, why the rest is not here)."""
    paired: dict[str, Scores] = {}
    apart: dict[str, Scores] = {}
    ids = sorted(text.id for text in bench.utterances("test"))
    why = read_json(paths.artifacts("systems", bench.lang, "why.json"), "score_systems", {str: str})
    for place in ("systems", "outside"):
        for summary in sorted(paths.artifacts(place, bench.lang).glob("*/summary.json")):
            scores = bench.scores(summary.parent, "score_systems")[0]
            (paired if sorted(scores.table["id"]) == ids else apart)[summary.parent.name] = scores
    return paired, apart, why


def score_folder(params: Params, folder: Path, lang: str, name: str | None) -> list[str]:
    """Lines on a folder of audio with a `manifest.csv`, which is now kept as a system called after it, or `name`."""
    name = folder.resolve().name if name is None else name
    taken = (*MADE_HERE, *RECORDED, *(system for pair in PAIRS.values() for system in pair))
    if name in taken or re.fullmatch("sft-[01][.][0-9]+", name):
        raise UserError(
            f"name {show(name)}: another row of Table 5 has it; choose another one with --name, such as azure"
        )
    paths.plain(name, "choose another one with --name:")
    language(lang)
    if params.roles.dgsa != lang != params.roles.tdsc:
        raise UserError(f"--lang {lang}: this run has {' and '.join(languages(params))} alone")
    bench = load_bench(params, lang)
    test = {bench.written(text): text for text in bench.utterances("test")}
    rows, cut = good_rows(folder, lang), language(lang).segment
    rows = [replace(row, words=cut(row.text)) for row in rows]
    rows = [replace(row, text=bench.written(row)) for row in rows]
    rows = [replace(row, words=test[row.text].words) if row.text in test else row for row in rows]
    places = {text.id: place for place, text in enumerate(test.values())}
    ids = {row.id: test[row.text].id if row.text in test else f"own-{row.id}" for row in rows}
    rows = sorted(rows, key=lambda row: places.get(ids[row.id], len(places)))  # as every system has them
    scores = score_recordings(bench, rows, folder, [ids[row.id] for row in rows])
    with paths.replacing(paths.artifacts("outside", lang, name)) as temporary:
        save_scores(temporary, scores, name=name)
    words, lexicon = [word for row in rows for word in row.words], load_language(lang).lexicon
    lines = [
        f"{name}: {len(rows)} recordings, {sum(row.text in test for row in rows)} of the {len(test)} test texts; "
        f"{sum(word not in lexicon for word in words)} of {len(words)} words are unknown to the judge and count as wrong"
    ]
    shown = ((what, scores.summary[measure]) for measure, what in PRINTED.items())
    return lines + [f"{what}: {value.mean:.3f} ({value.low:.3f} to {value.high:.3f})" for what, value in shown]
