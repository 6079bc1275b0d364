"""Table 5: every system that runs here, found where the studies left it or made now; `sebridge score FOLDER` adds any audio.

artifacts/systems/LANG/NAME/ gets scores.csv, codes.safetensors and summary.json of a system from outside, and its audio if it was
made here. Left out: training anything that the profile does not have.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, active_params
from sebridge_lite.data.engines import espeak_recordings
from sebridge_lite.data.exports import read_exports
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import show
from sebridge_lite.data.recordings import Recording, write_set
from sebridge_lite.experiments import alignment, critique
from sebridge_lite.experiments.contenders import mms_recordings, named, scores_of_recordings, unknown_words
from sebridge_lite.experiments.policies import Bench, arm_of, load_bench, policy
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.saved import current, load_scores, save_scores
from sebridge_lite.studio.texts import load_language

BASE = {"first": ("sft", "dgsa"), "second": ("start", "tdsc")}  # what a method starts from, and the method
MADE_HERE = ("espeak-ng", "mms-tts")
EXPORT = "`sebridge score` takes its audio"
NOT_RUN = {"open": f"its weights are not here; {EXPORT}", "commercial": f"a paid service; {EXPORT}"}


def pair_of(lang: str, params: Params) -> tuple[str, str]:
    """The start and the aligned policy of a language."""
    return BASE["first" if lang == params.roles.dgsa else "second"]


def wanted_arms(params: Params) -> list[str]:
    """SFT nearest to alpha*, at the alpha of Table 3, and at 1: those that this profile has."""
    additive = [name for name in params.cells.arms if arm_of(name).design == "additive"]
    nearest = min(additive, key=lambda name: abs(arm_of(name).alpha - params.align.alpha_star))
    return [name for name in dict.fromkeys((nearest, params.align.arm, "additive-1.00")) if name in additive]


def policies(bench: Bench, params: Params) -> dict[str, list[Scores]]:
    """Our own systems on the test set, a Scores a seed."""
    seeds, names = params.cells.seeds, pair_of(bench.lang, params)
    if names == BASE["second"]:
        made = [critique.system(bench, "tdsc", seed, params) for seed in seeds]
        return {"start": [own[0][0] for own in made], "tdsc": [own[-1][0] for own in made]}
    arms = {
        f"sft-{arm_of(arm).alpha:.2f}": [policy(bench, arm, s, params)[0] for s in seeds] for arm in wanted_arms(params)
    }
    return arms | {name: [alignment.system(bench, name, s, params)[0] for s in seeds] for name in names}


def recorded(bench: Bench) -> dict[str, Scores]:
    """The test sentences as people and engines say them, and people's after tokens, decoder and vocoder."""
    found, tokens = {}, paths.artifacts("speech_tokens", bench.lang)
    for name, kind in (("people", "people-recorded"), ("people, resynthesised", "people-resynthesised"),
                       ("engines", "engines-recorded")):  # fmt: skip
        if (tokens / kind / "summary.json").is_file():
            scores = load_scores(tokens / kind, bench.stack.codes)[0]
            found[name] = named(scores, [utterance.id for utterance in bench.sets["test"]])
    return found


def scored_key(bench: Bench, utterances: Iterable) -> str:
    """Of what an outside system's scores follow from, but its audio."""
    stack = bench.stack
    weights = [tensor for part in (stack.score_judge.net, stack.tokenizer.net) for tensor in part.state_dict().values()]
    return key_of(bench.floor, *[u.text for u in utterances], *weights)


def speaks(bench: Bench, name: str, make: Callable[[], Iterable[Recording]], seed: int) -> Scores:
    """A system that says the test texts on this machine, scored once."""
    folder, test = paths.artifacts("systems", bench.lang, name), bench.sets["test"]
    key = scored_key(bench, test)
    if current(folder / "summary.json", key):
        return load_scores(folder, bench.stack.codes)[0]
    with paths.replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        said = write_set(temporary, "audio", make())
        scores = scores_of_recordings(
            bench.stack, said, temporary, bench.lang, silence=bench.silence, seed=seed, floor=bench.floor
        )
        scores = named(scores, [utterance.id for utterance in test])
        save_scores(temporary, scores, name=name, settings=key)
    return scores


def outside(bench: Bench, seed: int) -> tuple[dict[str, Scores], dict[str, Scores], dict[str, str]]:
    """(systems on the test texts, folders of other texts, why the rest is not here)."""
    test, lang, codes = bench.sets["test"], bench.lang, bench.stack.codes
    ways = {"espeak-ng": lambda: espeak_recordings([u.words for u in test], lang),
            "mms-tts": partial(mms_recordings, test, lang, seed)}  # fmt: skip
    paired, apart, why = {}, {}, {"CosyVoice2": f"its code is no package; {EXPORT}"}
    for name, make in ways.items():
        try:
            paired[name] = speaks(bench, name, make, seed)
        except UserError as error:
            why[name] = str(error)
    for folder in sorted(paths.artifacts("systems", lang).glob("*")):
        if folder.name not in MADE_HERE and (folder / "summary.json").is_file():
            scores = load_scores(folder, codes)[0]
            same = sorted(scores.table["id"]) == sorted(u.id for u in test)
            (paired if same else apart)[folder.name] = scores
    return paired, apart, why


def score_folder(folder: Path, lang: str, name: str, params: Params) -> tuple[Scores, list[str]]:
    """Any folder of audio with a `manifest.csv`, kept as a system, and what to say of it."""
    if not name or name in MADE_HERE or Path(name).name != name or name.startswith("."):
        raise UserError(f"name {show(name)}: choose another one with --name, a plain word such as azure")
    bench = load_bench(lang)
    test = {utterance.text: utterance for utterance in bench.sets["test"]}
    rows = read_exports(folder, lang, lambda text: test[text].words if text in test else language(lang).segment(text))
    scores = scores_of_recordings(
        bench.stack, rows, folder, lang, silence=bench.silence, seed=params.seed, floor=bench.floor
    )
    ids = [test[row.text].id if row.text in test else f"own-{row.id}" for row in rows]
    order = [u.id for u in bench.sets["test"]]
    if sorted(ids) == sorted(order):  # as every system has them
        places = [ids.index(name) for name in order]
        table, codes = scores.table.iloc[places].reset_index(drop=True), [scores.codes[i] for i in places]
        scores, ids = Scores(table, scores.counts[places], codes, scores.summary), order
    scores = named(scores, ids)
    with paths.replacing(paths.artifacts("systems", lang, name)) as temporary:
        save_scores(temporary, scores, name=name)
    wrong, words = unknown_words(rows, load_language(lang).lexicon)
    return scores, [f"{name}: {len(rows)} recordings, {sum(row.text in test for row in rows)} of the {len(test)} test texts; "
                    f"{wrong} of {words} words are unknown to the judge and count as wrong"]  # fmt: skip


def run_score(folder: Path, lang: str, name: str | None) -> list[str]:
    """Lines for `sebridge score FOLDER`."""
    params = active_params()
    scores, lines = score_folder(folder, lang, name or folder.resolve().name, params)
    units = {"wer": "word error", "wer_cal": "calibrated by the judge's floor", "cer": "character error", "hp": "Hp, bits",
             "rep": "repetition", "f0_std": "F0 std, semitones"}  # fmt: skip
    for measure, what in units.items():
        one = scores.summary[measure]
        lines.append(f"{what}: {one.mean:.3f} ({one.low:.3f} to {one.high:.3f})")
    return lines
