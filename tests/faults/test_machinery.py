"""The tools of `make hard` find what they look for."""

import ast
import json

import mutants
from determinism import first_difference, in_order, sampled_otherwise
from mutants import ROOT, TESTS, mutate, places


def test_the_first_stage_where_two_runs_part_is_named_and_times_are_no_difference(tmp_path):
    outs = in_order(
        {
            "score": {"outs": ["artifacts/scores"]},
            "import": {"outs": ["artifacts/corpus"]},
            "sft": {"outs": ["artifacts/sft"]},
        },
        {"score": {"sft"}, "import": set(), "sft": {"import"}},
    )
    assert list(outs) == ["import", "sft", "score"]
    for run, wer, seconds in (("a", 0.5, 3.0), ("b", 0.25, 4.0)):
        for name in ("corpus", "sft", "scores"):
            (tmp_path / run / "artifacts" / name).mkdir(parents=True)
        (tmp_path / run / "artifacts" / "corpus" / "x.wav").write_bytes(b"same")
        (tmp_path / run / "artifacts" / "sft" / "about.json").write_text(
            json.dumps({"loss": 1.0, "seconds_all": seconds})
        )
        (tmp_path / run / "artifacts" / "sft" / "table.csv").write_text(f"wer,seconds\n0.10,{seconds}\n")
        (tmp_path / run / "artifacts" / "scores" / "summary.json").write_text(json.dumps({"wer": wer}))
    assert first_difference(outs, tmp_path / "a", tmp_path / "b") == ("score", "scores/summary.json")
    (tmp_path / "b" / "artifacts" / "sft" / "more.csv").touch()
    assert first_difference(outs, tmp_path / "a", tmp_path / "b") == ("sft", "sft/more.csv is in one of them alone")
    assert first_difference(outs, tmp_path / "a", tmp_path / "a") is None
    (tmp_path / "b" / "artifacts" / "sft" / "more.csv").unlink()
    (tmp_path / "b" / "artifacts" / "sft" / "table.csv").write_text("wer,seconds\n0.1,3.0\n")
    assert first_difference(outs, tmp_path / "a", tmp_path / "b") == ("sft", "sft/table.csv")
    assert first_difference(outs, tmp_path / "a", tmp_path / "b", near=0.2) == ("score", "scores/summary.json")
    assert first_difference(outs, tmp_path / "a", tmp_path / "b", near=0.3) is None
    (tmp_path / "b" / "artifacts" / "scores" / "summary.json").write_text(json.dumps({"wer": "none"}))
    assert first_difference(outs, tmp_path / "a", tmp_path / "b", near=0.3) == ("score", "scores/summary.json")


def test_another_sample_of_the_same_policies_has_the_same_verdicts_and_overlapping_intervals(tmp_path):
    def run(name: str, verdict: str, low: float):
        (tmp_path / name / "results" / "claims").mkdir(parents=True)
        claim = {"id": "C1", "verdict": verdict, "strict": "mixed"}
        (tmp_path / name / "results" / "claims" / "claims.json").write_text(json.dumps([claim]))
        row = f"{low + 0.5},{low},{low + 1}\n"
        (tmp_path / name / "results" / "table.csv").write_text("wer,wer_low,wer_high\n" + row)
        return tmp_path / name

    one = run("one", "mixed", 0.0)
    assert sampled_otherwise(one, run("near", "mixed", 0.75)) == ""
    assert sampled_otherwise(one, run("far", "mixed", 1.25)) == "too few intervals overlap"
    assert sampled_otherwise(one, run("other", "reproduced", 0.0)) == "the verdict of C1 is another"
    longer = run("longer", "mixed", 0.0)
    (longer / "results" / "table.csv").write_text("wer,wer_low,wer_high\n0.5,0,1\n0.5,0,1\n")
    assert sampled_otherwise(one, longer) == "results/table.csv has other rows"
    (longer / "results" / "table.csv").unlink()
    assert sampled_otherwise(one, longer) == "results/table.csv has other rows"


def test_every_module_that_is_mutated_has_tests_and_every_mutant_is_other_code():
    assert all((ROOT / test).is_file() for module in TESTS for test in mutants.tests_of(module))
    for module in TESTS:
        source = (ROOT / "sebridge_lite" / f"{module}.py").read_text(encoding="utf-8")
        for number in range(0, len(places(ast.parse(source))), 7):
            tree = ast.parse(source)
            mutate(places(tree)[number])
            changed = ast.unparse(ast.fix_missing_locations(tree))
            compile(changed, module, "exec")
            assert changed != ast.unparse(ast.parse(source))


def test_all_of_align_measure_lm_and_data_is_mutated():
    files = {
        path.relative_to(ROOT / "sebridge_lite").with_suffix("").as_posix()
        for path in (ROOT / "sebridge_lite").rglob("*.py")
    }
    there = {
        name
        for name in files
        if name.startswith(("align/", "measure/", "lm/", "data/")) and not name.endswith("__init__")
    }
    assert there == set(TESTS)
