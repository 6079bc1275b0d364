"""The `sebridge` command. Exit codes: 0; 1 for what the user can mend, one line on stderr; 2 for wrong usage."""

import argparse
import os
import sys
from pathlib import Path

from sebridge_lite import __version__
from sebridge_lite.cli import commands as does
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import PROFILES
from sebridge_lite.core.paths import disk_full
from sebridge_lite.experiments.run import STAGES


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="sebridge",
        description="SE-Bridge Lite: the paper you can run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"sebridge_lite {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    examples = []

    def command(function, name: str, what: str, example: str) -> argparse.ArgumentParser:
        examples.append(example)
        sub = commands.add_parser(name, help=what, description=what, epilog=f"example: {example}")
        sub.set_defaults(function=function)
        return sub

    command(does.doctor, "doctor", "Versions, device, memory; what is missing and how to mend it.", "sebridge doctor")
    sub = command(does.profile, "profile", "Make a profile the active params.yaml.", "sebridge profile smoke")
    sub.add_argument("name", metavar="NAME", choices=PROFILES, help=", ".join(PROFILES))
    sub.add_argument("--force", action="store_true", help="replace your own edits (kept in params.yaml.old)")
    sub = command(
        does.run, "run", "Run one stage: its notebook with the active parameters.", "sebridge run corpus --workers 2"
    )
    sub.add_argument(
        "stage",
        metavar="STAGE",
        help=f"a stage of dvc.yaml that runs a notebook: {', '.join(STAGES)}",
    )
    sub.add_argument("--workers", metavar="N", help="processes to use (default: the cores, at most 8)")
    sub = command(
        does.pretrain,
        "pretrain",
        "Train the frozen parts again: tokenizer, judges, decoder, backbone.",
        "sebridge pretrain",
    )
    sub.add_argument("--workers", metavar="N", help="processes that render (default: the cores, at most 8)")
    command(does.encode, "encode", "The corpus as speech tokens, and the judge's floors on it.", "sebridge encode")
    sub = command(
        does.sft, "sft", "Fine-tune the backbone on one mix, and score it.", "sebridge sft additive-0.80 --seed 0"
    )
    sub.add_argument(
        "arm", metavar="ARM", help="DESIGN-ALPHA; designs: additive, kept, substitution, upsampled, tagged"
    )
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="of training and sampling (default 0)")
    command(does.worlds, "worlds", "Policies of worlds with other engines or other texts.", "sebridge worlds")
    sub = command(
        does.critique,
        "critique",
        "A policy without real speech, its own critic; and score it.",
        "sebridge critique tdsc --seed 0",
    )
    sub.add_argument("variant", metavar="VARIANT", help="sft (the start), tdsc, self-training, rejection, ...")
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="of training and sampling (default 0)")
    sub = command(does.pairs, "pairs", "Preference pairs from the frozen SFT policy.", "sebridge pairs --seed 0")
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="the policy's (default 0)")
    sub = command(
        does.align, "align", "One system of Tables 3 and 7, its settings chosen on dev.", "sebridge align dgsa --seed 0"
    )
    sub.add_argument(
        "variant", metavar="VARIANT", help="sft, dpo, rejection, dgsa, sft-real, ... (a wrong one lists all)"
    )
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="the policy's (default 0)")
    command(does.confirm, "confirm", "The main systems once more, on texts nobody has looked at.", "sebridge confirm")
    sub = command(
        does.verdicts, "verdicts", "Every claim with its verdict, from the stages that have run.", "sebridge verdicts"
    )
    sub.add_argument("--publish", action="store_true", help="also into results/ itself, which git keeps (lite, full)")
    sub = command(
        does.site, "site", "The listening page, in one file, from what the stages have made.", "sebridge site"
    )
    sub.add_argument("--publish", action="store_true", help="also as results/site.html, which git keeps (lite, full)")
    sub = command(does.listen, "listen", "Show the listening page, to this machine alone.", "sebridge listen --open")
    sub.add_argument("--port", metavar="N", type=int, default=0, help="default: a free one")
    sub.add_argument("--open", action="store_true", help="in the browser")
    sub = command(
        does.report,
        "report",
        "One page with all that came out; needs the verdicts of a run.",
        "sebridge report --check",
    )
    sub.add_argument("--check", action="store_true", help="write nothing: make every printed figure again and compare")
    sub.add_argument("--publish", action="store_true", help="results/report.html of the evidence that git keeps")
    sub.add_argument("--readme", action="store_true", help="the README's tables, from the evidence that git keeps")
    command(
        does.pages,
        "pages",
        "The executed notebooks as static pages in results/notebooks/, which git keeps (lite, full).",
        "sebridge pages",
    )
    sub = command(
        does.rate, "rate", "Make a listening test, or analyse what raters answered.", "sebridge rate make FOLDER"
    )
    sub.add_argument("action", choices=("make", "analyse"))
    sub.add_argument("folder", metavar="FOLDER", type=Path, help="of the test: page.html to hand out, key.json to keep")
    sub.add_argument("files", metavar="FILE", nargs="*", type=Path, help="from raters (default FOLDER/ratings/*.jsonl)")
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="of its order and names (default 0)")
    command(
        does.codebook,
        "codebook",
        "Train and probe a tokenizer of the paper's 6,561 codes beside ours.",
        "sebridge codebook",
    )
    command(does.code, "code", "Write the code-only copies of the notebooks that stages depend on.", "sebridge code")
    command(does.refresh, "refresh", "Execute the committed notebooks again, in place (smoke).", "sebridge refresh")
    sub = command(does.check_data, "check-data", "A data card of your recordings, and every problem with file and row.",
                  "sebridge check-data data/real --lang th")  # fmt: skip
    sub.add_argument("folder", metavar="DIR", type=Path)
    sub.add_argument("--lang", metavar="CODE", help="language of the texts, to check their script: th, lo, or another")
    sub.add_argument("--skip-bad", action="store_true", help="list bad rows and exit 0 all the same")
    sub.add_argument("--json", metavar="FILE", type=Path, help="write the card and the problems to FILE")
    sub = command(does.score, "score", "Any folder of audio with a manifest.csv, by the same judge.",
                  "sebridge score exports/azure --lang th")  # fmt: skip
    sub.add_argument("folder", metavar="DIR", type=Path, help="with manifest.csv: file,text[,speaker]")
    sub.add_argument("--lang", metavar="CODE", required=True, choices=("th", "lo"), help="th or lo")
    sub.add_argument("--name", metavar="NAME", help="of the system (default: the folder's)")
    sub = command(does.clone, "clone", "A text in somebody's voice, with their consent; marked.",
                  "sebridge clone --text ไป --reference me.wav --consent me.json --out out.wav")  # fmt: skip
    sub.add_argument("--text", required=True, help="in Thai or in Lao script")
    for name, what in (("reference", "a recording of the voice"), ("consent", "its consent record"), ("out", "WAV")):
        sub.add_argument(f"--{name}", metavar="FILE", type=Path, required=True, help=what)
    sub.add_argument("--plain", action="store_true", help="the voice alone, without the reference's style")
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="of sampling (default 0)")
    sub = command(does.detect, "detect", "Did sebridge_lite make this sound? Its mark, and what the file says.",
                  "sebridge detect a.mp3")  # fmt: skip
    sub.add_argument("files", metavar="FILE", type=Path, nargs="+", help="wav, flac, ogg or mp3")
    example = (
        'sebridge consent --who "N. N." --purpose "a lesson" --until 2030-12-31 --reference a.wav --out consent.json'
    )
    sub = command(does.consent, "consent", "Write down that a person agreed to be cloned from a recording.", example)
    sub.add_argument("--who", metavar="NAME", required=True, help="the person who agreed")
    sub.add_argument("--purpose", metavar="TEXT", required=True, help="to what, in a line")
    sub.add_argument("--until", metavar="DAY", required=True, help="the last day, YYYY-MM-DD")
    sub.add_argument("--reference", metavar="FILE", type=Path, required=True, help="the recording that may be cloned")
    sub.add_argument("--out", metavar="FILE", type=Path, required=True, help="the record, JSON")
    top.epilog = "\n  ".join(
        ["examples:", *examples, "SEBRIDGE_DEBUG=1 sebridge ...   shows the traceback of an error"]
    )
    return top


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        options.function(options)
    except UserError as error:
        if os.environ.get("SEBRIDGE_DEBUG") == "1":
            raise
        print(f"sebridge: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has left
    except OSError as error:
        if os.environ.get("SEBRIDGE_DEBUG") == "1":
            raise
        what = "the disk is full; make room and run it again" if disk_full(error) else f"{error.strerror or error}"
        print(f"sebridge: {error.filename or 'the system'}: {what}; nothing was replaced", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sebridge: stopped; run the same command again to go on", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
