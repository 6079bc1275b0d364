"""The scaling study: which speech an arm learns from, what is kept of a policy, and what is said of the curves."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.data.codes import read_codes, write_codes
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.mixing import mix, seconds_of, substitute, upsampled
from sebridge_lite.experiments.sft import DESIGNS, Arm, arm_of
from sebridge_lite.measure.bootstrap import paired_difference
from sebridge_lite.measure.effects import proxy_conditions, scaling_conditions
from sebridge_lite.measure.entropy import jackknife, prosodic_entropy, token_counts
from sebridge_lite.measure.evaluate import Scores, load_scores, rate, save_scores
from sebridge_lite.measure.stats import Interval
from sebridge_lite.measure.systems import OVER_ALPHA, alpha_table, curves_over, side_by_side
from sebridge_lite.measure.verdicts import judged

CLAIMS = load_params(Path(__file__).parents[1] / "params" / "smoke.yaml").claims
LENGTHS = st.lists(st.floats(0.5, 8.0), min_size=4, max_size=15)
RATIOS = st.integers(0, 100).map(lambda hundredths: hundredths / 100)


def toy(kind, lengths):
    return [
        Utterance(f"{kind}-{i}", "กิน", ("กิน",), "th", f"{kind}-{i}", kind, f"e{i % 2}" * (kind == "engine"), "x", s)
        for i, s in enumerate(lengths)
    ]


def plenty(lengths):
    """Engines with at least three times as many seconds."""
    return toy("engine", [length % 3 + 1.0 for length in lengths * 24])


# Arms


@given(st.sampled_from(DESIGNS), RATIOS)
def test_an_arm_is_read_as_it_is_written(design, alpha):
    assert arm_of(f"{design}-{alpha:.2f}") == Arm(design, alpha)


def test_an_arm_that_is_written_otherwise_is_refused():
    wrong = (
        "",
        "additive",
        "additive-0.8",
        "additive-0.800",
        "additive-1.01",
        "additive-nan",
        "additive-1e0",
        "mixed-0.50",
    )
    for name in (*wrong, "Additive-0.50", "additive--0.50", "0.50", "additive-0.50 "):
        with pytest.raises(UserError, match=r"DESIGN-ALPHA, as in additive-0\.80"):
            arm_of(name)


@given(LENGTHS, RATIOS)
def test_substitution_keeps_the_seconds_whatever_alpha_is(lengths, alpha):
    real, synthetic = toy("people", lengths), plenty(lengths)
    found = substitute(real, synthetic, alpha, 0)
    assert len({u.id for u in found}) == len(found)
    assert abs(seconds_of(found) - seconds_of(real)) <= max(u.seconds for u in (*real, *synthetic)) + 1e-9
    engines = seconds_of([u for u in found if u.kind == "engine"])
    assert abs(engines - alpha * seconds_of(real)) <= max(u.seconds for u in synthetic) / 2 + 1e-9


@given(LENGTHS)
def test_substitution_ends_are_all_real_and_all_synthetic(lengths):
    real, synthetic = toy("people", lengths), plenty(lengths)
    assert {u.id for u in substitute(real, synthetic, 0.0, 0)} == {u.id for u in real}
    assert {u.kind for u in substitute(real, synthetic, 1.0, 0)} == {"engine"}


@given(LENGTHS, RATIOS, RATIOS)
def test_a_larger_substitution_only_takes_out_people_and_adds_engines(lengths, one, other):
    real, synthetic = toy("people", lengths), plenty(lengths)
    few, many = (
        {kind: {u.id for u in substitute(real, synthetic, alpha, 3) if u.kind == kind} for kind in ("people", "engine")}
        for alpha in sorted((one, other))
    )
    assert many["people"] <= few["people"] and few["engine"] <= many["engine"]


def test_a_substitution_without_enough_engines_says_how_much_is_there():
    with pytest.raises(
        UserError, match=r"alpha 0.9 needs 0.9 min of synthetic speech in place of real, but there are 0.1"
    ):
        substitute(toy("people", [20.0] * 3), toy("engine", [5.0]), 0.9, 0)


@given(LENGTHS, st.sampled_from([0.25, 0.5, 0.67, 0.75, 0.8]))
def test_upsampling_only_repeats_people_and_comes_as_near_to_half_as_whole_repeats_can(lengths, alpha):
    real, synthetic = toy("people", lengths), plenty([*lengths, *lengths])
    found = upsampled(real, synthetic, alpha, 0)
    times = Counter(u.id for u in found)
    assert {times[u.id] for u in real} == {max(times.values())}
    assert set(times) == {u.id for u in mix(real, synthetic, alpha, 0)}
    assert sum(times.values()) == len(found)
    repeats, wanted = times[real[0].id], alpha / (1 - alpha)
    assert abs(repeats - wanted) <= 0.5 + 1e-9 or (repeats == 1 and wanted < 1)


# On disk


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6560) | st.sampled_from((32_767, 32_768, 65_535)), max_size=30), max_size=8))
@example([[32_768]]).via("one more than two bytes hold")
def test_tokens_come_back_as_they_were_written_in_their_order(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("codes") / "x.safetensors"
    write_codes(path, [f"u{i}" for i in range(len(rows))], [torch.tensor(row, dtype=torch.long) for row in rows])
    found = read_codes(path)
    assert list(found) == [f"u{i}" for i in range(len(rows))]
    assert [row.tolist() for row in found.values()] == rows
    assert all(row.dtype == torch.long for row in found.values())


def test_files_of_tokens_that_are_missing_or_broken_say_what_to_run(tmp_path):
    with pytest.raises(UserError, match="not there; `dvc repro encode`"):
        read_codes(tmp_path / "none.safetensors")
    tensors = {"codes": torch.zeros(5, dtype=torch.int16), "lengths": torch.tensor([2, 3], dtype=torch.int32)}
    broken = {
        "cut": lambda path: path.write_bytes(b"\x08\x00"),
        "no names": lambda path: save_file(tensors, path),
        "a name too few": lambda path: save_file(tensors, path, {"names": '["a"]'}),
        "lengths that do not add up": lambda path: save_file(
            tensors | {"lengths": torch.tensor([9, 9], dtype=torch.int32)}, path, {"names": '["a", "b"]'}
        ),
    }
    for name, write in broken.items():
        write(tmp_path / name)
        with pytest.raises(UserError, match="not a whole file of tokens"):
            read_codes(tmp_path / name)


def test_saved_scores_come_back_with_every_text_and_unknown(tmp_path):
    ids, heard = ["007", "007", "NA", "NA"], ["", "NA", "null", "กิน ข้าว"]
    table = pd.DataFrame({"id": ids, "sample": [0, 1, 0, 1], "words_wrong": [1, 0, 2, 0], "words": 2, "heard": heard})
    table["f0_std_st"] = [1.25, np.nan, 2.0, 3.0]
    codes = [torch.tensor(row, dtype=torch.long) for row in ([1, 2, 2], [], [0], [2, 2])]
    summary = {"wer": Interval(0.5, 0.25, 0.75, 2, 1), "hp": Interval(np.nan, np.nan, np.nan, 2, 1)}
    save_scores(tmp_path / "x", Scores(table, token_counts(codes, 3), codes, summary), arm="additive-0.50", minutes=4.0)
    found, report = load_scores(tmp_path / "x", 3)
    pd.testing.assert_frame_equal(found.table, table)
    assert [row.tolist() for row in found.codes] == [row.tolist() for row in codes]
    assert np.array_equal(found.counts, token_counts(codes, 3))
    assert found.summary["wer"] == summary["wer"] and np.isnan(found.summary["hp"].mean)
    assert report["arm"] == "additive-0.50" and report["minutes"] == 4.0 and report["texts"] == 2


def test_scores_without_a_column_that_their_summary_is_of_are_damaged(tmp_path):
    summary = {"wer": Interval(0.5, 0.25, 0.75, 2, 1)}
    table = pd.DataFrame({"id": ["a", "b"], "words_wrong": [1, 0], "words": [2, 2]})
    codes = [torch.tensor([1, 2]), torch.tensor([0])]
    save_scores(tmp_path / "x", Scores(table, token_counts(codes, 3), codes, summary))
    load_scores(tmp_path / "x", 3)
    table.drop(columns="words_wrong").to_csv(tmp_path / "x" / "scores.csv", index=False)
    with pytest.raises(UserError, match="no column words_wrong"):
        load_scores(tmp_path / "x", 3)


# Curves and claims

ALPHAS = (0.03, 0.25, 0.5, 0.67, 0.8, 1.0)
REAL, SYN = np.zeros(40), np.zeros(40)
REAL[:32], SYN[20:] = 1 / 32, 1 / 20


def made(alpha, seed, shape, texts=240):
    """Scores of a policy that does what the paper says (shape 1), nothing at all (0) or the opposite (-1) as alpha grows."""
    rng = np.random.default_rng([round(100 * alpha), seed])
    bits, pure = (float(prosodic_entropy(1e4 * ((1 - a) * REAL + a * SYN))) for a in (alpha, 0.5))
    rise = shape * (bits - pure)  # below 0 but at the peak
    p = np.full(40, 1 / 40) if shape == 0 else (1 - alpha) * REAL + alpha * SYN
    if shape < 0:  # most entropy at the ends
        p = np.r_[np.full(10, 1 - 0.8 * abs(2 * alpha - 1)) / 10, np.full(30, 0.8 * abs(2 * alpha - 1)) / 30]
    counts = rng.multinomial(50, p / p.sum(), texts)
    around = 0.1 * rng.normal(size=(5, texts))
    late = float(alpha >= 0.8)
    table = pd.DataFrame({"id": [f"t{i:03d}" for i in range(texts)], "speech_repeats": 0, "speech_windows": 40})
    for name, wrong in {"words": 0.5 - 0.3 * shape * (alpha - 0.5), "tones": 0.2}.items():
        table = table.assign(**{f"{name}_wrong": rng.binomial(10, wrong, texts), name: 10})
    table["repeats"] = rng.binomial(46, 0.1 + 0.06 * shape * (late - 0.5), texts)
    table = table.assign(windows=46, tokens=50, bits=50 * (4 + rise + around[0]), energy_std_db=4 + around[3])
    table = table.assign(f0_std_st=2.5 + rise + around[1], f0_range_st=9 + 4 * rise + around[2], length_ratio=1.0)
    table["sim"] = 0.6 - 0.2 * shape * alpha + around[4] / 4
    return Scores(table, counts, [], {})


def sweep(shape, alphas=ALPHAS, seeds=3, texts=240):
    return {alpha: [made(alpha, seed, shape, texts) for seed in range(seeds)] for alpha in alphas}


@pytest.fixture(scope="module")
def scores():
    return sweep(1)


@pytest.fixture(scope="module")
def as_printed(scores):
    return curves_over(scores)


def verdicts(found, params=CLAIMS):
    return {claim["id"]: claim["verdict"] for claim in judged(scaling_conditions(found), params)}


def test_curves_over_alpha_are_sorted_and_each_point_is_what_its_tables_hold(scores):
    table = alpha_table(curves_over({alpha: scores[alpha] for alpha in (0.8, 0.03, 1.0, 0.25, 0.67, 0.5)}), 0.1)
    assert table["alpha"].tolist() == list(ALPHAS) and set(table["texts"]) == {240} and set(table["seeds"]) == {3}
    for i, seeds in enumerate(scores.values()):
        assert table["wer"][i] == pytest.approx(rate([one.table for one in seeds], "wer").mean)
        assert table["hp"][i] == pytest.approx(np.mean([jackknife(one.counts).mean for one in seeds]))
    for name in OVER_ALPHA:
        assert (table[f"{name}_low"] <= table[name]).all() and (table[name] <= table[f"{name}_high"]).all()


def test_a_measure_has_a_curve_where_each_alpha_knows_it_by_a_seed_at_least(scores):
    def without(some):
        return Scores(some.table.assign(sim=float("nan")), some.counts, [], {})

    partly = {alpha: [seeds[0], *map(without, seeds[1:])] for alpha, seeds in scores.items()}
    assert set(curves_over(partly)) == set(OVER_ALPHA)
    partly[0.5] = [*map(without, scores[0.5])]
    assert set(curves_over(partly)) == {*OVER_ALPHA} - {"sim"}


def test_policies_that_do_as_the_paper_says_reproduce_every_claim(as_printed):
    assert verdicts(as_printed) == dict.fromkeys([f"C{i}" for i in range(1, 8)], "reproduced")


def test_policies_on_which_alpha_has_no_effect_reproduce_no_claim():
    flat = curves_over(sweep(0))
    found, free = verdicts(flat), verdicts(flat, replace(CLAIMS, shared_clock=False))
    assert found.pop("C3") == "not testable here" and set(found.values()) == {"not reproduced"}
    assert free == found | {"C3": "not reproduced"}  # without the clock it could have been


def test_policies_that_do_the_opposite_contradict_what_has_a_direction():
    found = verdicts(curves_over(sweep(-1)))
    assert {found[name] for name in ("C1", "C2", "C3", "C4", "C5", "C7")} == {"contradicted"}


@pytest.mark.parametrize("few", [{"min_texts": 241}, {"min_seeds": 4}])
def test_too_few_texts_or_seeds_test_nothing(as_printed, few):
    assert set(verdicts(as_printed, replace(CLAIMS, **few)).values()) == {"not tested"}


def test_arms_side_by_side_are_paired_with_their_base_by_text_and_seed(as_printed, scores):
    found = {f"arm {i}": scores[alpha] for i, alpha in enumerate(ALPHAS[:4])}
    table = side_by_side(found, "arm 2", 0.0)
    assert table.columns[0] == "arm"
    table = table.set_index("arm")
    assert list(table.index) == list(found)
    gains = [f"{name}_gain{end}" for name in OVER_ALPHA for end in ("", "_low", "_high")]
    assert (table.loc["arm 2", gains] == 0).all()
    wrong = [[one.table["f0_std_st"] for one in found[arm]] for arm in ("arm 0", "arm 2")]
    assert table.loc["arm 0", "f0_std_gain"] == pytest.approx(paired_difference(*wrong).mean)
    assert table["wer"].to_list() == pytest.approx(alpha_table(as_printed, 0.0)["wer"][:4].to_list())
    with pytest.raises(UserError, match="arm x: not among arm 0"):
        side_by_side(found, "x", 0.0)


def test_each_effect_over_alpha_is_the_difference_that_its_name_says(as_printed):
    alphas = np.array([0.03, 0.4, 0.5, 0.67, 0.8, 1.0])

    def exact(*values):
        row = np.array(values)
        kept = {"alphas": alphas, "values": row, "spread": np.tile(row, (5, 1)), "folds": np.tile(row, (1, 2, 1))}
        return replace(as_printed["hp"], **kept, fold_spread=np.tile(row, (5, 1, 2, 1)), seed_draws=np.ones((5, 1)))

    curves = dict.fromkeys(("wer", "rep", "f0_range", "h_cond", "sim"), exact(9, 7, 5, 4, 2, 1))
    curves |= {"hp": exact(1, 6, 8, 7, 3, 2), "f0_std": exact(2, 3, 5, 4, 1, 0)}
    beyond = Interval(-0.2, -0.3, -0.1, 24, 1)
    both = scaling_conditions(curves, beyond)
    assert [one.effect for one in both["C7"][1] if one.what.endswith("in the right voice")] == [beyond]
    means = {one.what: one.effect.mean for printed, strict in both.values() for one in (*printed, *strict)}
    hand = {"last - first": 1 - 9, "80 to 100 % - 40 to 67 %": 1.5 - 16 / 3, "lowest of the others - 100 %": 2 - 1}
    assert {what: means[what] for what in hand} == pytest.approx(hand)
    found = {(one.what, one.measure): one.effect.mean for some in both.values() for part in some for one in part}
    assert found["100 % - 40 to 50 %", "f0_std"] == 0 - 4 and found["40 to 50 % - first", "hp"] == 7 - 1
    assert found["40 to 50 % - last", "hp"] == 7 - 2 and found["best inside - better end", "hp"] == 8 - 2
    assert found["hp with f0_std", "correlation"] == pytest.approx(
        np.corrcoef([1, 6, 8, 7, 3, 2], [2, 3, 5, 4, 1, 0])[0, 1]
    )
    kept = np.corrcoef([1, 6, 8, 7], [2, 3, 5, 4])[0, 1]
    assert found["hp with f0_std up to 67 %", "correlation"] == pytest.approx(kept)


def proxies(difference, **changed):
    metrics = {"f0_std_st": 1, "f0_range_st": 1, "f0_corr": 1, "f0_rmse_st": -1, "energy_std_db": 1} | changed
    signs = metrics.items()
    rows = [(name, s * difference, s * difference - 0.02, s * difference + 0.02, 300, 3) for name, s in signs]
    return pd.DataFrame(rows, columns=["metric", "difference", "low", "high", "texts", "seeds"])


def test_the_proxy_holds_only_if_all_five_measures_go_the_claimed_way():
    def claim(*given, **changed):
        tables = {"wer": proxies(*given, **changed), "wer and length": proxies(*given)}
        return judged(proxy_conditions(tables), CLAIMS)[0]

    assert claim(2.0)["verdict"] == claim(2.0)["strict"] == "reproduced"
    assert claim(2.0, f0_rmse_st=1)["verdict"] == claim(2.0, energy_std_db=0)["verdict"] == "mixed"
    found = claim(-2.0)
    assert tuple(found[of] for of in ("id", "ours", "n", "seeds", "verdict")) == ("C8", -2.0, 300, 3, "contradicted")
