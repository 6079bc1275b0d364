"""The `sebridge` command. Exit codes: 0; 1 for what the user can mend, one line on stderr; 2 for wrong usage.

What a command does is imported when it is called, so that `--help` answers at once.
"""

import argparse
import contextlib
import inspect
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from sebridge_lite import __version__
from sebridge_lite.cli.stages import SHARED, STAGES, run_command
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, in_line, no_memory, printable, show
from sebridge_lite.core.params import OWN, PROFILES, active_params
from sebridge_lite.core.processes import rank, world

LEAST = 1e9  # bytes of addresses: torch and the libraries beside it take .9 GB before any work


def whole(what: str, least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number of the command line."""

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > 10 or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{show(text)}: {what} is a whole number from {least} to {most}")
        return int(text)

    return read


def check_memory() -> None:
    """Raises where this shell allows too few addresses: the libraries of linear algebra would hang, or end without a word."""
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
        if allowed != resource.RLIM_INFINITY and allowed < LEAST:
            what = f"this shell allows {allowed / 1e9:.1f} GB, and {LEAST / 1e9:.0f} GB are needed"
            raise UserError(f"memory: {what}; raise the limit (ulimit -v)")


def call(options) -> None:
    """Runs a stage, or the function of a command with those options that it takes, and prints the lines that it gives back."""
    check_memory()
    if world() > 1 and options.command not in SHARED:
        raise UserError(f"{options.command}: is not shared out among processes ({', '.join(SHARED)} are); start one")
    if not options.does:
        run_command(options.command, getattr(options, "name", None), getattr(options, "seed", None))
        return
    module, function = options.does.split(":")
    function = getattr(import_module(f"sebridge_lite.{module}"), function)
    given = {"params": active_params} | {name: lambda value=value: value for name, value in vars(options).items()}
    found = function(**{name: given[name]() for name in inspect.signature(function).parameters if name in given})
    for line in [found] if isinstance(found, str) else found or ():
        print(printable(str(line)))


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    what, style = "SE-Bridge Lite: the paper you can run.", argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="sebridge", description=what, formatter_class=style)
    top.add_argument("--version", action="version", version=f"sebridge_lite {__version__}")
    commands, examples = top.add_subparsers(dest="command", required=True, metavar="COMMAND"), []

    def command(example: str, what: str, does: str | None = None) -> argparse.ArgumentParser:
        examples.append(f"sebridge {example}")
        sub = commands.add_parser(example.split()[0], help=what, description=what, epilog=f"example: {examples[-1]}")
        sub.set_defaults(does=does)
        return sub

    def seeded(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--seed",
            metavar="N",
            type=whole("a seed", 0, 2**31),
            default=0,
            help="of training and sampling (default 0)",
        )

    def needs(sub: argparse.ArgumentParser, kind: type, **named: str) -> None:
        metavar = "FILE" if kind is Path else "TEXT"
        for name, what in named.items():
            sub.add_argument(f"--{name}", metavar=metavar, type=kind, required=True, help=what)

    def may(sub: argparse.ArgumentParser, **named: str) -> None:
        for name, what in named.items():
            sub.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=what)

    command("doctor", "Versions, device, memory; what is missing and how to mend it.", "cli.doctor:doctor")
    sub = command("profile smoke", "Make a profile the active params.yaml.", "cli.profile:switch_profile")
    sub.add_argument("name", metavar="NAME", choices=(*PROFILES, OWN), help=", ".join((*PROFILES, OWN)))
    may(sub, force="replace your own edits (kept in params.yaml.old)")
    command("plan", "What a run of params.yaml costs: hours, steps, memory, GPU hours, disk.", "cli.plan:plan")
    sub = command("repro --jobs 2", "What dvc repro does, several stages at once.", "cli.repro:repro")
    sub.add_argument("targets", metavar="STAGE", nargs="*", help="with all that it needs (default: everything)")
    sub.add_argument(
        "--jobs",
        metavar="N",
        type=whole("a number of stages", 1, 99),
        help="stages at once (default: one a core, if the memory allows)",
    )
    for name, about in STAGES.items():
        if " " not in name:
            example = f"{name} {about.example} {'--seed 0' if about.seeded else ''}"
            sub = command(" ".join(example.split()), about.what)
            if about.takes:
                sub.add_argument("name", metavar="NAME", help=about.takes)
            if about.seeded:
                seeded(sub)
    sub = command("score align --seed 0", "Score the policies of a study on the test set; trains nothing.")
    sub.add_argument("name", metavar="STUDY", choices=("sft", "align", "critique"), help="sft, align or critique")
    seeded(sub)
    sub = command(
        "run corpus", "Run the notebook of a stage with the active parameters.", "experiments.notebook:run_stage"
    )
    sub.add_argument("stage", metavar="STAGE", help="a stage that runs a notebook; a wrong name lists them all")
    sub = command("claims", "Every claim with its verdict, from the stages that have run.", "report.claims:run_claims")
    may(sub, publish="also into results/ itself, which git keeps (lite, full)")
    sub = command("site", "The listening page, in one file, from what the stages have made.", "report.site:run_site")
    may(sub, publish="also as results/site.html, which git keeps (lite, full)")
    sub = command("report --check", "One page of all that came out; needs the claims.", "report.report:run_report")
    may(sub, check="write nothing: make every printed figure again and compare")
    may(sub, publish="results/report.html of the evidence that git keeps")
    may(sub, readme="the README's tables, from the evidence that git keeps")
    command(
        "notebooks", "Execute the committed notebooks again, in place, on the last run.", "report.pages:execute_all"
    )
    command("slides", "The notebooks that are taught live as slides in docs/slides/.", "report.slides:run_slides")
    command(
        "code", "Write the code of the notebooks, for stages to depend on.", "experiments.notebook:write_code_copies"
    )
    sub = command("listen --show", "Show the listening page, to this machine alone.", "extras.listen:listen")
    sub.add_argument("--port", metavar="N", type=int, default=0, help="default: a free one")
    may(sub, show="in the browser")
    sub = command("rate make FOLDER", "Make a listening test, or analyse what raters answered.", "cli.voices:rate")
    sub.add_argument("action", choices=("make", "analyse"))
    sub.add_argument("folder", metavar="FOLDER", type=Path, help="of the test: page.html to hand out, key.json to keep")
    sub.add_argument("files", metavar="FILE", nargs="*", type=Path, help="from raters (default FOLDER/ratings/*.jsonl)")
    seeded(sub)
    what = "A data card of your recordings, and every problem with file and row."
    sub = command("check-data data/real --lang th", what, "cli.voices:check_data")
    sub.add_argument("folder", metavar="DIR", type=Path)
    sub.add_argument("--lang", metavar="CODE", help="language of the texts, to check their script: th, lo, or another")
    sub.add_argument("--json", metavar="FILE", dest="json_file", type=Path, help="for the card and the problems")
    may(sub, skip_bad="list bad rows and exit 0 all the same")
    what = "A profile of your own from a folder of recordings: data/, params/own.yaml, a plan."
    sub = command("new --real ~/recordings --lang ru --engine espeak-ng", what, "cli.new:new")
    sub.add_argument("--real", metavar="DIR", type=Path, required=True, help="recordings with transcripts; only read")
    sub.add_argument("--lang", metavar="CODE", required=True, help="of the recordings: ru, el, en ...")
    spec = "NAME=DIR, flite:VOICE, espeak-ng[:VOICE], mms or 'NAME=command {text} {out}'; may be given again"
    sub.add_argument("--engine", metavar="SPEC", dest="engines", action="append", default=[], help=spec)
    sub.add_argument("--texts", metavar="FILE", type=Path, help="what engines say, a sentence a line")
    sub.add_argument(
        "--transcripts", metavar="FILE", type=Path, help="a table that is not in DIR, such as core-sounds-en.txt.gz"
    )
    sub.add_argument("--judge", metavar="NAME", default=OWN, help="who scores: own, faster-whisper:base, ctc:NAME ...")
    sub.add_argument("--out", metavar="FILE", type=Path, help="the profile (default params/own.yaml)")
    may(sub, force="replace what data/real, data/synthetic/ENGINE and the profile hold")
    command("real", "Prepare the study on recordings of a person; `make real` runs it.", "cli.real:real")
    what = "A policy of the hub stack, in the released model's own format."
    sub = command("export sft/s0/additive-0.80 --out llm.pt", what, "cli.export:export")
    sub.add_argument("policy", metavar="POLICY", type=Path, help="its place in artifacts/")
    needs(sub, Path, out="what is written: a file, or a folder of transformers")
    what = "Any folder of audio with a manifest.csv, by the same judge."
    sub = command("score-folder exports/azure --lang th", what, "experiments.systems:score_folder")
    sub.add_argument("folder", metavar="DIR", type=Path, help="with manifest.csv: file,text[,speaker]")
    sub.add_argument("--lang", metavar="CODE", required=True, help="language of the texts")
    sub.add_argument("--name", metavar="NAME", help="of the system (default: the folder's)")
    example = "clone --text ไป --reference me.wav --consent me.json --out out.wav"
    sub = command(example, "A text in somebody's voice, with their consent; marked.", "extras.clone:clone")
    needs(sub, str, text="in the script of one of the languages")
    needs(sub, Path, reference="a recording of the voice", consent="its consent record", out="WAV")
    sub.add_argument("--plain", dest="style", action="store_false", help="the voice, without the reference's style")
    seeded(sub)
    what = "Did sebridge_lite make this sound? Its mark, and what the file says."
    sub = command("detect a.mp3", what, "extras.consent:run_detect")
    sub.add_argument("files", metavar="FILE", type=Path, nargs="+", help="wav, flac, ogg or mp3")
    example = 'consent --who "N. N." --purpose "a lesson" --until 2030-12-31 --reference a.wav --out consent.json'
    sub = command(example, "Write down that a person agreed to be cloned from a recording.", "cli.voices:consent")
    needs(sub, str, who="the person who agreed", purpose="to what, in a line", until="the last day, YYYY-MM-DD")
    needs(sub, Path, reference="the recording that may be cloned", out="the record, JSON")
    debug = "SEBRIDGE_DEBUG=1 sebridge ...   shows the traceback of an error"
    top.epilog = "\n  ".join(["examples:", *examples, debug])
    return top


def in_a_line(error: BaseException) -> str:
    """What is wrong and how to mend it."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped; run the same command again to go on"
    if isinstance(error, UserError):
        return str(error)
    if no_memory(error):
        return (
            "the memory is full; close other programs, or take less at once (SEBRIDGE_WORKERS=1); nothing was replaced"
        )
    why, file = getattr(error, "strerror", None) or error, getattr(error, "filename", None) or "the system"
    what = "the disk is full; make room and run it again" if paths.disk_full(error) else why
    return f"{file}: {what}; nothing was replaced"


def main(arguments: list[str] | None = None) -> int:
    """The exit code of a command. Of several processes the first speaks; the others tell errors alone."""
    options = parser().parse_args(arguments)
    try:
        with contextlib.ExitStack() as silence:
            if rank():
                nowhere = silence.enter_context(Path(os.devnull).open("w"))
                silence.enter_context(contextlib.redirect_stdout(nowhere))
                silence.enter_context(contextlib.redirect_stderr(nowhere))
            call(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has left
    except (UserError, OSError, KeyboardInterrupt, MemoryError, RuntimeError, ImportError) as error:
        ours = not isinstance(error, RuntimeError | ImportError) or no_memory(error)
        if not ours or os.environ.get("SEBRIDGE_DEBUG") == "1":
            raise
        print(in_line(f"sebridge: {in_a_line(error)}"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
