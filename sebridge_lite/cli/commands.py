"""What each command of `sebridge` does; `cli` has their arguments.

Imports are inside the commands, so that `--help` answers at once.
"""

import json
import os

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import active_params
from sebridge_lite.experiments.accounts import accounted


def doctor(_options) -> None:
    from sebridge_lite.cli.doctor import examine

    lines, problems = examine()
    print("\n".join(lines))
    if problems:
        print("\n".join(f"problem: {problem}" for problem in problems))
        raise UserError(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} to mend, listed above")
    print("all is well")


def profile(options) -> None:
    from sebridge_lite.cli.profile import switch_profile

    print(switch_profile(options.name, paths.root(), options.force))


def run(options) -> None:
    from sebridge_lite.core.memory import peak_memory_gib
    from sebridge_lite.experiments.run import run_stage

    if options.workers:
        os.environ["SEBRIDGE_WORKERS"] = options.workers
    seconds = run_stage(options.stage)
    memory = f"{peak_memory_gib(children=True):.1f} GiB at most"
    print(f"{options.stage}: done in {seconds:.0f} s, {memory}, see {paths.results(options.stage)}")


def code(_options) -> None:
    from sebridge_lite.experiments.code import write_code_copies

    count = write_code_copies(paths.root() / "notebooks", paths.artifacts("code"))
    print(f"code of {count} notebooks in {paths.artifacts('code')}")


def pretrain(options) -> None:
    from sebridge_lite.experiments.parts import run_pretrain

    if options.workers:
        os.environ["SEBRIDGE_WORKERS"] = options.workers
    report = run_pretrain()
    print(f"pretrain: {report['pretrained_bytes'] / 1e6:.1f} MB of parts, see {paths.results('pretrain') / 'cards.md'}")


def encode(_options) -> None:
    from sebridge_lite.experiments.encode import run_encode

    with accounted(paths.artifacts("speech_tokens")):
        found = run_encode(active_params())
    floors = ", ".join(
        f"{name.removesuffix('_wer')} {value:.3f}" for name, value in found.items() if "_recorded_wer" in name
    )
    print(f"encode: word error of recordings: {floors}; see {paths.artifacts('speech_tokens')}")


def _figures(found: dict) -> str:
    return f"WER {found['wer']:.3f}, Hp {found['hp']:.2f} bits, F0 std {found['f0_std']:.2f} st"


def sft(options) -> None:
    from sebridge_lite.experiments.policies import load_bench, policy_folder, train_policy

    params = active_params()
    with accounted(policy_folder(options.arm, options.seed)):
        found = train_policy(load_bench(params.roles.dgsa), options.arm, options.seed, params)
    print(
        f"{options.arm}, seed {options.seed}: {found['minutes']:.0f} min of speech, {found['epochs']:.1f} epochs, "
        f"{_figures(found)}"
    )


def worlds(_options) -> None:
    from sebridge_lite.experiments.policies import load_bench
    from sebridge_lite.experiments.worlds import run_worlds

    params = active_params()
    for row in run_worlds(load_bench(params.roles.dgsa), params).itertuples():
        print(
            f"{row.world}, {row.domain} texts: {row.height:+.3f} bit, peak {row.peak}; predicted at {row.predicted:.2f}"
        )
    print(f"see {paths.artifacts('worlds')}")


def critique(options) -> None:
    from sebridge_lite.experiments.critique import START, train_critique, train_start

    params = active_params()
    if options.variant == START:
        train_start(params, options.seed)
    else:
        last = train_critique(params, options.variant, options.seed)
        print(f"{options.variant}, seed {options.seed}: {last} iterations")


def pairs(options) -> None:
    from sebridge_lite.experiments.policies import load_bench
    from sebridge_lite.experiments.preferences import run_pairs

    params = active_params()
    with accounted(paths.artifacts("pairs", f"s{options.seed}")):
        made = run_pairs(load_bench(params.roles.dgsa), options.seed, params)
    for name, found in made.items():
        print(f"{name}: {found['pairs']} pairs from {found['real']} recordings")


def align(options) -> None:
    from sebridge_lite.experiments.alignment import align_variant
    from sebridge_lite.experiments.policies import load_bench

    params = active_params()
    with accounted(paths.artifacts("align", f"{options.variant}-s{options.seed}")):
        found = align_variant(load_bench(params.roles.dgsa), options.variant, options.seed, params)
    print(
        f"{options.variant}, seed {options.seed}: {found['steps']} steps, T {found['temperature']}, {_figures(found)}"
    )


def verdicts(options) -> None:
    from sebridge_lite.report.verdicts import run_verdicts

    claims = run_verdicts(active_params(), options.publish)
    for row in claims:
        print(f"{row['id']}: {row['verdict']}: {row['claim']}")
    print(f"see {paths.results('verdicts', 'summary.md')}")


def site(options) -> None:
    from sebridge_lite.report.site import run_site

    with accounted(paths.results("site")):
        path = run_site(active_params(), options.publish)
    print(f"site: {path.stat().st_size / 1e6:.1f} MB, open {path}, or `sebridge listen`")


def pages(_options) -> None:
    from sebridge_lite.report.pages import run_pages

    sizes, missing = run_pages()
    if missing:
        print(f"not run: {', '.join(missing)}")
    size = f"{sum(sizes.values()) / 1e6:.1f} MB"
    print(f"pages: {len(sizes) - 1} notebooks, {size}, see {paths.results('notebooks', 'index.html')}")


def confirm(_options) -> None:
    from sebridge_lite.experiments.confirm import run_confirm
    from sebridge_lite.experiments.origin import here

    params = active_params()
    with accounted(paths.results("confirm"), here(params)):
        found = run_confirm(params)
    for row in found.dropna(subset="effect").itertuples():
        effect = f"{row.effect:+.3f} ({row.effect_low:+.3f} to {row.effect_high:+.3f})"
        print(f"{row.id}: {row.verdict}: {row.what}, {row.measure}, {row.wanted}: {effect}")
    print(f"see {paths.results('confirm')}")


def listen(options) -> None:
    from sebridge_lite.extras.listen import listen

    listen(options.port, options.open)


def report(options) -> None:
    from sebridge_lite.report.report import run_report

    if options.check:
        if options.publish or options.readme:
            raise UserError("--check writes nothing: leave out --publish and --readme")
        from sebridge_lite.report.report_check import run_check

        print("\n".join(run_check(active_params())))
        return
    if options.publish or options.readme:
        written = run_report(options.publish, options.readme)
    else:
        with accounted(paths.results("report")):
            written = run_report()
    for path in written:
        print(f"see {path}")


def rate(options) -> None:
    if options.action == "make":
        from sebridge_lite.extras.listening_items import make_from

        test = make_from(active_params(), options.folder, options.seed)
        print(f"{len(test['trials'])} trials; hand out {options.folder}/page.html, keep {options.folder}/key.json")
        return
    from sebridge_lite.extras.rating import analyse

    files = options.files or sorted((options.folder / "ratings").glob("*.jsonl"))
    for name, table in analyse(options.folder, files).items():
        print(f"{name}\n{table.to_string(index=False, float_format='%.3g')}\n")


def codebook(_options) -> None:
    from sebridge_lite.experiments.parts import run_codebook

    print(f"codebook: {run_codebook()['codes']:,.0f} codes probed, see {paths.results('codebook')}")


def refresh(_options) -> None:
    from sebridge_lite.report.refresh import refresh_all

    count = refresh_all(sorted((paths.root() / "notebooks").glob("*.ipynb")))
    print(f"{count} notebooks executed in place")


def check_data(options) -> None:
    import dataclasses

    from sebridge_lite.data.data_card import format_card
    from sebridge_lite.data.own_data import check_folder

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


def score(options) -> None:
    from sebridge_lite.experiments.systems import score_folder

    name = options.name or options.folder.resolve().name
    print("\n".join(score_folder(active_params(), options.folder, options.lang, name)))


def clone(options) -> None:
    from sebridge_lite.extras.clone import clone

    lines = clone(
        options.text, options.reference, options.consent, options.out, style=not options.plain, seed=options.seed
    )
    print("\n".join(lines))


def detect(options) -> None:
    from sebridge_lite.extras.provenance import run_detect

    for path in options.files:
        print("\n".join(run_detect(path)))


def consent(options) -> None:
    from sebridge_lite.extras.consent import write_consent

    record = write_consent(options.out, options.who, options.purpose, options.until, options.reference)
    print(
        f"{options.out}: {record.who} agreed, until {record.until}, to {options.reference} (sha256 {record.reference[:12]})"
    )
