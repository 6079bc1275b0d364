"""The `sebridge` command. Exit codes: 0; 1 for what the user can mend, one line on stderr; 2 for wrong usage.

Imports are inside the commands, so that `--help` answers at once.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from sebridge_lite import __version__
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import PROFILES, load_params
from sebridge_lite.stages.run import STAGES


def doctor(_options) -> None:
    from sebridge_lite.stages.doctor import examine

    lines, problems = examine()
    print("\n".join(lines))
    if problems:
        print("\n".join(f"problem: {problem}" for problem in problems))
        raise UserError(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} to mend, listed above")
    print("all is well")


def profile(options) -> None:
    from sebridge_lite.stages.profile import switch_profile

    print(switch_profile(options.name, paths.root(), options.force))


def run(options) -> None:
    from sebridge_lite.core.memory import peak_memory_gib
    from sebridge_lite.stages.run import run_stage

    if options.workers:
        os.environ["SEBRIDGE_WORKERS"] = options.workers
    seconds = run_stage(options.stage)
    memory = f"{peak_memory_gib(children=True):.1f} GiB at most"
    print(f"{options.stage}: done in {seconds:.0f} s, {memory}, see {paths.results(options.stage)}")


def code(_options) -> None:
    from sebridge_lite.stages.code import write_code_copies

    count = write_code_copies(paths.root() / "notebooks", paths.artifacts("code"))
    print(f"code of {count} notebooks in {paths.artifacts('code')}")


def pretrain(options) -> None:
    from sebridge_lite.stages.pretrain import run_pretrain

    if options.workers:
        os.environ["SEBRIDGE_WORKERS"] = options.workers
    report = run_pretrain()
    print(f"pretrain: {report['pretrained_bytes'] / 1e6:.1f} MB of parts, see {paths.results('pretrain') / 'cards.md'}")


def encode(_options) -> None:
    from sebridge_lite.stages.encode import run_encode

    found = run_encode(load_params(paths.root() / "params.yaml"))
    floors = ", ".join(
        f"{name.removesuffix('_wer')} {value:.3f}" for name, value in found.items() if "_recorded_wer" in name
    )
    print(f"encode: word error of recordings: {floors}; see {paths.artifacts('speech_tokens')}")


def sft(options) -> None:
    from sebridge_lite.stages.policies import load_bench, train_policy

    params = load_params(paths.root() / "params.yaml")
    found = train_policy(load_bench(params.corpus.language), options.arm, options.seed, params)
    print(
        f"{options.arm}, seed {options.seed}: {found['minutes']:.0f} min of speech, {found['epochs']:.1f} epochs, "
        f"WER {found['wer']:.3f}, Hp {found['hp']:.2f} bits, F0 std {found['f0_std']:.2f} st"
    )


def worlds(_options) -> None:
    from sebridge_lite.stages.policies import load_bench
    from sebridge_lite.stages.worlds import run_worlds

    params = load_params(paths.root() / "params.yaml")
    for row in run_worlds(load_bench(params.corpus.language), params).itertuples():
        print(
            f"{row.world}, {row.domain} texts: {row.height:+.3f} bit, peak {row.peak}; predicted at {row.predicted:.2f}"
        )
    print(f"see {paths.artifacts('worlds')}")


def critique(options) -> None:
    from sebridge_lite.stages.critique import critique, second_bench

    params = load_params(paths.root() / "params.yaml")
    found = critique(second_bench(params), options.variant, options.seed, params)
    print(
        f"{options.variant}, seed {options.seed}: {found['k']} iterations, "
        f"WER {found['wer']:.3f}, Hp {found['hp']:.2f} bits, F0 std {found['f0_std']:.2f} st, unfiltered"
    )


def pairs(options) -> None:
    from sebridge_lite.stages.policies import load_bench
    from sebridge_lite.stages.preferences import run_pairs

    params = load_params(paths.root() / "params.yaml")
    for name, found in run_pairs(load_bench(params.corpus.language), options.seed, params).items():
        print(f"{name}: {found['pairs']} pairs from {found['real']} recordings")


def align(options) -> None:
    from sebridge_lite.stages.alignment import align_variant
    from sebridge_lite.stages.policies import load_bench

    params = load_params(paths.root() / "params.yaml")
    found = align_variant(load_bench(params.corpus.language), options.variant, options.seed, params)
    print(
        f"{options.variant}, seed {options.seed}: {found['steps']} steps, T {found['temperature']}, WER {found['wer']:.3f}, "
        f"Hp {found['hp']:.2f} bits, F0 std {found['f0_std']:.2f} st"
    )


def verdicts(options) -> None:
    from sebridge_lite.stages.verdicts import run_verdicts

    claims = run_verdicts(load_params(paths.root() / "params.yaml"), options.publish)
    for row in claims:
        print(f"{row['id']}: {row['verdict']}: {row['claim']}")
    print(f"see {paths.results('verdicts', 'summary.md')}")


def rate(options) -> None:
    if options.action == "make":
        from sebridge_lite.stages.listening_items import make_from

        print(f"rate: {make_from(load_params(paths.root() / 'params.yaml'), options.folder, options.seed)}")
        return
    from sebridge_lite.stages.rating import analyse

    files = options.files or sorted((options.folder / "ratings").glob("*.jsonl"))
    for name, table in analyse(options.folder, files).items():
        print(f"{name}\n{table.to_string(index=False, float_format='%.3g')}\n")


def codebook(_options) -> None:
    from sebridge_lite.stages.pretrain import run_codebook

    print(f"codebook: {run_codebook()['codes']:,.0f} codes probed, see {paths.results('codebook')}")


def refresh(_options) -> None:
    from sebridge_lite.stages.refresh import refresh_all

    count = refresh_all(sorted((paths.root() / "notebooks").glob("*.ipynb")))
    print(f"{count} notebooks executed in place")


def check_data(options) -> None:
    import dataclasses

    from sebridge_lite.world.data_card import format_card
    from sebridge_lite.world.own_data import check_folder

    good, problems, card = check_folder(options.folder, options.lang)
    print(format_card(card))
    for problem in problems:
        print(problem)
    if options.json:
        with paths.replacing(options.json) as temporary:
            report = {"card": dataclasses.asdict(card), "problems": [str(problem) for problem in problems]}
            temporary.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    if not good:
        raise UserError(f"{options.folder}: no good row; the problems are listed above")
    if problems and not options.skip_bad:
        raise UserError(f"{options.folder}: {len(problems)} problems, listed above; mend them, or pass --skip-bad")


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

    command(doctor, "doctor", "Versions, device, memory; what is missing and how to mend it.", "sebridge doctor")
    sub = command(profile, "profile", "Make a profile the active params.yaml.", "sebridge profile smoke")
    sub.add_argument("name", metavar="NAME", choices=PROFILES, help=", ".join(PROFILES))
    sub.add_argument("--force", action="store_true", help="replace your own edits (kept in params.yaml.old)")
    sub = command(
        run, "run", "Run one stage: its notebook with the active parameters.", "sebridge run corpus --workers 2"
    )
    sub.add_argument(
        "stage",
        metavar="STAGE",
        help=f"a stage of dvc.yaml that runs a notebook: {', '.join(STAGES)}",
    )
    sub.add_argument("--workers", metavar="N", help="processes to use (default: the cores, at most 8)")
    sub = command(
        pretrain, "pretrain", "Train the frozen parts again: tokenizer, judges, decoder, backbone.", "sebridge pretrain"
    )
    sub.add_argument("--workers", metavar="N", help="processes that render (default: the cores, at most 8)")
    command(encode, "encode", "The corpus as speech tokens, and the judge's floors on it.", "sebridge encode")
    sub = command(sft, "sft", "Fine-tune the backbone on one mix, and score it.", "sebridge sft additive-0.80 --seed 0")
    sub.add_argument(
        "arm", metavar="ARM", help="DESIGN-ALPHA; designs: additive, kept, substitution, upsampled, tagged"
    )
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="of training and sampling (default 0)")
    command(worlds, "worlds", "Policies of worlds with other engines or other texts.", "sebridge worlds")
    sub = command(
        critique,
        "critique",
        "A policy without real speech, its own critic; and score it.",
        "sebridge critique tdsc --seed 0",
    )
    sub.add_argument("variant", metavar="VARIANT", help="sft (the start), tdsc, self-training, rejection, ...")
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="of training and sampling (default 0)")
    sub = command(pairs, "pairs", "Preference pairs from the frozen SFT policy.", "sebridge pairs --seed 0")
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="the policy's (default 0)")
    sub = command(
        align, "align", "One system of Tables 3 and 7, its settings chosen on dev.", "sebridge align dgsa --seed 0"
    )
    sub.add_argument(
        "variant", metavar="VARIANT", help="sft, dpo, rejection, dgsa, sft-real, ... (a wrong one lists all)"
    )
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="the policy's (default 0)")
    sub = command(
        verdicts, "verdicts", "Every claim with its verdict, from the stages that have run.", "sebridge verdicts"
    )
    sub.add_argument("--publish", action="store_true", help="also into results/ itself, which git keeps (lite, full)")
    sub = command(rate, "rate", "Make a listening test, or analyse what raters answered.", "sebridge rate make FOLDER")
    sub.add_argument("action", choices=("make", "analyse"))
    sub.add_argument("folder", metavar="FOLDER", type=Path, help="of the test: page.html to hand out, key.json to keep")
    sub.add_argument("files", metavar="FILE", nargs="*", type=Path, help="from raters (default FOLDER/ratings/*.jsonl)")
    sub.add_argument("--seed", metavar="N", type=int, default=0, help="of its order and names (default 0)")
    command(
        codebook, "codebook", "Train and probe a tokenizer of the paper's 6,561 codes beside ours.", "sebridge codebook"
    )
    command(code, "code", "Write the code-only copies of the notebooks that stages depend on.", "sebridge code")
    command(refresh, "refresh", "Execute the committed notebooks again, in place (smoke).", "sebridge refresh")
    sub = command(check_data, "check-data", "A data card of your recordings, and every problem with file and row.",
                  "sebridge check-data data/real --lang th")  # fmt: skip
    sub.add_argument("folder", metavar="DIR", type=Path)
    sub.add_argument("--lang", metavar="CODE", help="language of the texts, to check their script: th, lo, or another")
    sub.add_argument("--skip-bad", action="store_true", help="list bad rows and exit 0 all the same")
    sub.add_argument("--json", metavar="FILE", type=Path, help="write the card and the problems to FILE")
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
        print(f"sebridge: {error.filename or 'the system'}: {error.strerror}; nothing was replaced", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sebridge: stopped; run the same command again to go on", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
