"""The stages of the pipeline as commands: which function of `experiments` makes each, and into which folder.

The function makes; here its run is timed, its account is written, and a line is printed.
"""

from importlib import import_module
from numbers import Real
from typing import NamedTuple

from sebridge_lite.core import paths
from sebridge_lite.core.params import active_params


class Stage(NamedTuple):
    """A command. does: MODULE:FUNCTION, called with the parameters and with the name and the seed where it takes them."""

    does: str
    folder: str
    what: str = ""
    takes: str = ""  # what its name stands for
    example: str = ""  # of a name
    called: str = ""  # in dvc.yaml, where that is not the command

    @property
    def seeded(self) -> bool:
        return "{seed}" in self.folder


ARM = "DESIGN-ALPHA; designs: additive, kept, substitution, upsampled, tagged"
METHOD = "a method of align/methods.py; a wrong name lists them all"
STAGES = {
    "import": Stage("corpus:run_import", "artifacts/corpus/train", "The speech: the studio's, or your own."),
    "parts": Stage("parts:run_parts", "results/parts", "Train the frozen parts again: tokenizer, judges, decoder, backbone."),
    "codebook": Stage("parts:run_codebook", "results/codebook", "A tokenizer of the paper's 6,561 codes beside ours."),
    "own": Stage("own:run_own", "artifacts/own", "Train the parts of your own speech, where the stack is your own."),
    "encode": Stage("encode:run_encode", "artifacts/tokens/train", "The speech as speech tokens."),
    "floors": Stage("floors:run_floors", "artifacts/floors", "What the judge that scores makes of recordings."),
    "sft": Stage("sft:train_sft", "artifacts/sft/s{seed}/{name}", "Fine-tune the backbone on one mix of speech.", ARM,
                 "additive-0.80"),
    "pairs": Stage("pairs:make_pairs", "artifacts/pairs/s{seed}", "Preference pairs from the SFT policy."),
    "align": Stage("align:train_method", "artifacts/align/s{seed}/{name}", "Train one method of Tables 3 and 7.", METHOD, "dgsa"),
    "choose": Stage("choose:choose_all", "artifacts/choice", "Choose each method's steps and temperature on dev."),
    "critique": Stage("critique:train_critique", "artifacts/critique/s{seed}/{name}",
                      "Train one method of Tables 4 and 8, or sft, their start.", METHOD, "tdsc"),
    "critique sft": Stage("critique:train_start", "artifacts/critique/s{seed}/sft", called="critique_start"),
    "score sft": Stage("score:score_sft", "artifacts/scores/sft/s{seed}"),
    "score align": Stage("choose:score_align", "artifacts/scores/align/s{seed}"),
    "score critique": Stage("critique_scores:score_critique", "artifacts/scores/critique/s{seed}"),
    "worlds": Stage("worlds:run_worlds", "artifacts/worlds", "Policies of worlds with other engines or texts."),
    "systems": Stage("systems:run_systems", "artifacts/systems", "Every system of Table 5 that runs here.",
                     called="score_systems"),
    "cloning": Stage("cloning:run_cloning", "artifacts/cloning", "Table 6: people never heard, cloned."),
    "confirm": Stage("confirm:run_confirm", "results/confirm", "The main systems once more, on fresh texts."),
}  # fmt: skip
# What several processes of a launcher may do together.
SHARED = ("sft", "pairs", "align", "choose", "critique", "score")


def run_command(command: str, name: str | None, seed: int | None) -> None:
    """Runs a stage, writes its account and prints a line."""
    from sebridge_lite.experiments.account import NAME, accounted

    whole = f"{command} {name}" in STAGES  # such a function needs no name
    key, params = f"{command} {name}" if whole else command, active_params()
    stage = STAGES[key]
    if stage.takes == METHOD:
        from sebridge_lite.align.methods import checked, method_of

        method_of(command, name or "")  # a wrong name is an error before any work, and so is one among the cells
        checked(params)
    module, function = stage.does.split(":")
    given = [value for value in (None if whole else name, seed) if value is not None]
    folder, called = paths.outputs() / stage.folder.format(name=name, seed=seed), stage.called or key.replace(" ", "_")
    cell = "-".join([called, *map(str, given)])
    apart = paths.artifacts("accounts", f"{cell}.json")
    with accounted(called, folder / NAME if "results/" in stage.folder else apart, params) as account:
        found = getattr(import_module(f"sebridge_lite.experiments.{module}"), function)(params, *given)
    told = found.items() if isinstance(found, dict) else ()
    facts = "".join(f", {key} {value:.3g}" for key, value in told if isinstance(value, Real))
    took = f"{account['seconds']:.0f} s, {account['peak_gib']:.1f} GiB at most"
    what = " ".join(str(value) for value in (command, name, seed) if value is not None)
    print(f"{what}: {took}{facts}; see {folder}")
