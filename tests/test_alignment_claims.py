"""D1 to D9 on made-up systems that do as the paper says, nothing, or the opposite; the frontier on lines drawn by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up import NAMES, RULE, made, named, verdicts, world

from sebridge_lite.measure.bootstrap import Curve, interval_of, paired_difference
from sebridge_lite.measure.effects import UNJUDGED, alignment_conditions, dgsa_sentence, finding, rungs_of
from sebridge_lite.measure.entropy import jackknife
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.stats import Interval, plain
from sebridge_lite.measure.systems import Lines, Systems, above, frontier, has, lines_of, outside, over_heats, systems
from sebridge_lite.measure.verdicts import Condition, verdict

FLOOR, STAR = 0.1, 0.5

AS_PRINTED = named(
    (0.0, 0.5, 0.0, 0.6, 0.0, 0.6, 0.3, 0.3, 0.3, 0.0, 0.0, 0.2, 0.0),
    (0.3, 0.4, 0.3, 0.3, 0.3, 0.4, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3),
)
OPPOSITE = named(
    (0.6, 0.0, 0.9, 0.2, 0.9, 0.2, 0.6, 0.6, 0.6, 0.9, 0.6, 0.6, 0.6),
    (0.3, 0.2, 0.1, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3),
)
NOTHING = dict.fromkeys(NAMES, (0.3, 0.3))


def claimed(found, params=RULE):
    return verdicts(alignment_conditions(systems(found, FLOOR), rungs_of(tuple(found), 0.8), STAR), params)


@pytest.fixture(scope="module")
def printed():
    return world(AS_PRINTED)


@pytest.fixture(scope="module")
def compared(printed):
    return systems(printed, FLOOR)


# Claims


def test_systems_that_do_as_the_paper_says_reproduce_every_claim(printed):
    assert claimed(printed) == dict.fromkeys([f"D{i}" for i in range(1, 10)], "reproduced")


def test_methods_without_effect_reproduce_only_that_rejection_gives_little():
    found = claimed(world(NOTHING))
    assert found.pop("D3") == "reproduced"
    assert set(found.values()) == {"not reproduced"}


def test_systems_that_do_the_opposite_contradict_every_claim():
    assert set(claimed(world(OPPOSITE)).values()) == {"contradicted"}


def test_growth_is_the_last_gain_less_that_of_each_alpha_from_alpha_star_on(compared):
    def growth(star, names=NAMES):
        found = alignment_conditions(compared, rungs_of(names, 0.8), star)
        return {one.what: one.effect.mean for both in found.values() for one in both[0] if "(" in one.what}

    gain = {alpha: compared.gain("hp", f"dgsa{alpha}", f"sft{alpha}").mean for alpha in ("", "-0.50", "-0.67")}
    name = "(dgsa - sft) - (dgsa{0} - sft{0})"
    hand = {name.format(alpha): pytest.approx(gain[""] - gain[alpha]) for alpha in ("-0.50", "-0.67")}
    assert growth(0.5) == hand and growth(0.67) == growth(0.6) == {name.format("-0.67"): hand[name.format("-0.67")]}
    assert growth(0.7) == {} and list(rungs_of(["dgsa-1.00", "sft", "dgsa-0.05"], 0.8)) == [0.05, 0.8, 1.0]


@pytest.mark.parametrize("few", [{"min_texts": 241}, {"min_seeds": 4}])
def test_too_few_texts_or_seeds_test_nothing(printed, few):
    assert set(claimed(printed, replace(RULE, **few)).values()) == {"not tested"}


GONE = {"dpo": "D2", "no-expr": "D4", "sft-real": "D9", "sft": "D1 D2 D3 D4 D8", "dgsa": "D1 D4 D5 D6 D7 D8 D9"}


@pytest.mark.parametrize(("gone", "untested"), [*GONE.items(), ("dgsa-0.50", "")])
def test_a_system_that_was_not_run_leaves_its_claims_untested_and_the_others_alone(printed, gone, untested):
    found = claimed({name: seeds for name, seeds in printed.items() if name != gone})
    assert [id for id, verdict in found.items() if verdict == "not tested"] == untested.split()
    assert {found[id] for id in set(found) - set(untested.split())} == {"reproduced"}


@pytest.mark.parametrize(("wrong", "expected"), [(0.305, "reproduced"), (0.318, "mixed"), (0.4, "mixed")])
def test_no_loss_of_words_means_that_no_loss_worth_the_name_is_possible(printed, wrong, expected):
    changed = printed | {"dgsa": [made(0.6, wrong, [99, s]) for s in range(3)]}
    assert claimed(changed)["D1"] == expected


LIMITS = {
    "reproduced": [(0.0, -0.01, 0.015, 1), (0.01, 0.005, 0.015, 1), (-0.05, -0.07, -0.03, 1), (0.3, 0.2, 0.4, -1)],
    "not reproduced": [(0.0, -0.03, 0.03, 1), (0.03, -0.01, 0.07, 1)],
    "contradicted": [(0.05, 0.03, 0.07, 1), (-0.05, -0.07, -0.03, -1)],
    "not tested": [(np.nan, np.nan, np.nan, 1)],
}


@pytest.mark.parametrize("expected", LIMITS)
def test_a_limit_holds_when_its_interval_stays_below_the_smallest_effect(expected):
    for *effect, direction in LIMITS[expected]:
        condition = Condition("x", "wer_cal", direction, Interval(*effect, 300, 3), limit=True)
        assert verdict(condition, RULE) == expected


FINDINGS = {
    ((0.6, 0.3), (0.3, 0.3)): "beats",
    ((0.3, 0.3), (0.6, 0.3)): "loses to",
    ((0.3, 0.3), (0.3, 0.3)): "is shown neither to beat nor to lose to",
    ((0.6, 0.4), (0.3, 0.3)): "is shown neither to beat nor to lose to",
}


@pytest.mark.parametrize(("both", "word"), FINDINGS.items())
def test_the_finding_is_beats_or_loses_only_when_livelier_with_words_no_worse(both, word):
    dgsa, real = both
    found = systems(world({"sft": (0, 0.3), "dgsa": dgsa, "sft-real": real}), FLOOR)
    row = finding(found, RULE)
    assert row["dgsa"] == word
    assert dgsa_sentence(row).startswith(f"DGSA {word} SFT on y_real: Hp {plain(row['hp'], '+.2f')}")
    assert finding(found, replace(RULE, min_seeds=4))["dgsa"] == UNJUDGED


# Systems


def test_a_gain_is_the_paired_difference_of_what_the_tables_hold(printed, compared):
    dgsa, sft = printed["dgsa"], printed["sft"]
    rows = [[one.table["f0_std_st"] for one in seeds] for seeds in (dgsa, sft)]
    gain, direct = compared.gain("f0_std", "dgsa", "sft"), paired_difference(*rows)
    assert gain.mean == pytest.approx(direct.mean)
    assert (gain.low, gain.high) == pytest.approx((direct.low, direct.high), abs=0.004)
    bits = [np.mean([jackknife(one.counts).mean for one in seeds]) for seeds in (dgsa, sft)]
    assert compared.gain("hp", "dgsa", "sft").mean == pytest.approx(bits[0] - bits[1])
    assert (gain.n, gain.seeds) == (240, 3)


def test_gains_add_up_and_turn_round(compared):
    for measure in ("wer_cal", "hp", "h_cond", "f0_std"):
        gain = {pair: compared.gain(measure, *pair) for pair in (("dgsa", "sft"), ("sft", "dpo"), ("dgsa", "dpo"))}
        assert gain["dgsa", "dpo"].mean == pytest.approx(gain["dgsa", "sft"].mean + gain["sft", "dpo"].mean)
        back = compared.gain(measure, "sft", "dgsa")
        assert (back.low, back.high) == pytest.approx((-gain["dgsa", "sft"].high, -gain["dgsa", "sft"].low))
        assert compared.gain(measure, "sft", "sft").high == 0


# At equal word error


def flat_scores(wrong, pitch):
    """100 words a text of which so many are wrong, and one F0 std: no text differs, so an interval has no width."""
    table = pd.DataFrame({"id": [f"t{i}" for i in range(6)], "words_wrong": wrong, "words": 100, "f0_std_st": pitch})
    return Scores(table, np.ones((6, 3), dtype=int), [], {})


SLOPE = {0.7: flat_scores(20, 2.0), 1.0: flat_scores(40, 3.0)}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({0.7: flat_scores(30, 2.2), 1.0: flat_scores(50, 3.2)}, 2.75 - 2.45),  # both reach 30 to 40 %: at 35 %
        ({0.7: flat_scores(10, 1.0), 1.0: flat_scores(60, 2.0)}, 2.5 - 1.4),  # all of ours lies within theirs
        ({0.7: flat_scores(60, 2.0), 1.0: flat_scores(10, 1.0)}, 2.5 - 1.4),  # also where the hotter makes fewer errors
        ({0.7: flat_scores(40, 2.2), 1.0: flat_scores(45, 2.4)}, 3.0 - 2.2),  # one word error in common
        ({0.7: flat_scores(41, 2.2), 1.0: flat_scores(45, 2.4)}, None),  # none
        ({1.0: flat_scores(30, 2.2)}, None),  # a point is no line
    ],
)
def test_lines_are_compared_in_the_middle_of_the_word_errors_that_both_reach(other, expected):
    found = over_heats({"a": [SLOPE], "b": [other]}, texts=6)
    gain, back = found.gain("f0_std", "a", "b"), found.gain("f0_std", "b", "a")
    if expected is None:
        assert np.isnan(gain.mean) and np.isnan(back.mean)
    else:
        assert (gain.mean, gain.low, gain.high) == pytest.approx((expected,) * 3) and gain.n == 6
        assert back.mean == pytest.approx(-expected)
    assert np.isnan(found.gain("f0_std", "a", "c").mean)


def test_the_interval_at_equal_word_error_is_that_of_all_replicates():
    rng = np.random.default_rng(0)
    values = {"wer": [[0.2, 0.4, 0.3, 0.5]], "f0_std": [[2.0, 3.0, 2.2, 3.2]]}
    spread = {name: np.array(row) + 0.02 * rng.normal(size=(21, 4)) for name, row in values.items()}
    names = ["a, T = 0.7", "a, T = 1", "b, T = 0.7", "b, T = 1"]
    rest = np.zeros((1, 2, 4)), np.zeros((21, 1, 2, 4)), np.ones((21, 1)), 6
    curves = {name: Curve(np.arange(4.0), np.array(values[name][0]), spread[name], *rest) for name in values}
    heats = {name: {0.7: f"{name}, T = 0.7", 1.0: f"{name}, T = 1"} for name in "ab"}
    gain = Lines(Systems(dict.fromkeys(values, names), curves), heats).gain("f0_std", "a", "b")
    wrong, pitch = spread["wer"].T, spread["f0_std"].T
    goal = (wrong[2] + wrong[1]) / 2  # from where b begins to where a ends
    line = [pitch[i] + (goal - wrong[i]) / (wrong[i + 1] - wrong[i]) * (pitch[i + 1] - pitch[i]) for i in (0, 2)]
    by_hand = interval_of(0.3, line[0] - line[1], 6)
    assert (gain.mean, gain.low, gain.high) == pytest.approx((0.3, by_hand.low, by_hand.high))


def test_systems_that_differ_in_temperature_alone_are_equal_at_equal_word_error():
    def heard(more, s):
        warm = {heat: heat + more - 0.7 for heat in (0.7, 1.0, 1.3)}
        return {heat: made(some, 0.1 + 0.3 * some, [round(100 * heat + 1e4 * more), s]) for heat, some in warm.items()}

    runs = {"hot": [heard(0.15, s) for s in range(3)], "plain": [heard(0.0, s) for s in range(3)]}
    found = over_heats(runs, texts=240)
    alike, equal = found.found.effect("hot, T = 1 - plain, T = 1", "f0_std"), found.gain("f0_std", "hot", "plain")
    assert alike.low > 0.2 and equal.low < 0 < equal.high


def test_strict_conditions_look_along_lines_and_at_points_of_their_own(printed):
    lines = over_heats({name: [{0.7: one, 1.0: one} for one in printed[name]] for name in ("sft", "dgsa")}, 240)
    own = systems({"sft": printed["sft"], "dgsa": printed["dpo"]}, FLOOR)
    parts = alignment_conditions(systems(printed, FLOOR), rungs_of(tuple(printed), 0.8), STAR, lines, own)
    strict = {one.what: one.effect for one in parts["D1"][1] if one.measure == "f0_std"}
    assert strict["at its own temperature, dgsa - sft"] == own.gain("f0_std", "dgsa", "sft")
    assert np.isnan(strict["at equal word error, dgsa - sft"].mean)  # lines without length


# Frontier


def curve(rows):
    return pd.DataFrame(rows, columns=["steps", "temperature", "wer_cal", "hp", "f0_std"]).assign(texts=10)


SFT = curve([(0, 0.7, 0.1, 7.0, 1.5), (0, 1.0, 0.3, 8.0, 2.0)])
REAL = curve([(4, 0.7, 0.15, 7.2, 1.8), (4, 1.0, 0.35, 8.1, 2.4), (8, 1.0, 0.45, 8.3, 2.6)])


def test_a_system_has_a_line_over_temperatures_and_one_over_doses_through_its_chosen_point():
    lines = lines_of("sft-real", [REAL, REAL.assign(hp=REAL["hp"] + 0.2)], [(4, 1.0), (4, 1.0)])
    assert list(lines.columns) == ["variant", "line", "at", "wer_cal", "hp", "f0_std", "texts"]
    heats, doses = (lines[lines["line"] == kind] for kind in ("temperature", "dose"))
    assert heats["at"].tolist() == [0.7, 1.0] and doses["at"].tolist() == [4, 8]
    assert heats["hp"].tolist() == pytest.approx([7.3, 8.2])  # means over seeds
    assert set(lines_of("sft", [SFT], [(0, 1.0)])["line"]) == {"temperature"}


@pytest.mark.parametrize(("wer", "expected"), [(0.1, 7.0), (0.2, 7.5), (0.3, 8.0), (0.05, None), (0.31, None)])
def test_a_line_has_a_height_between_its_ends_and_none_beyond(wer, expected):
    found = above(SFT, wer, "hp")
    assert np.isnan(found) if expected is None else found == pytest.approx(expected)


def test_a_point_is_outside_a_line_when_it_is_livelier_at_its_own_word_error():
    ends = {f"{axis}{end}": 0.0 for axis in ("wer_cal", "hp", "f0_std") for end in ("_low", "_high")}
    points = pd.DataFrame(
        [{"variant": "dgsa", "wer_cal": 0.2, "hp": 7.6, "f0_std": 1.6, "texts": 10, "seeds": 1} | ends]
    )
    chosen, corner = {"sft": [(0, 1.0)], "sft-real": [(4, 1.0)]}, {"wer_cal": 0.0, "hp": 9.0, "f0_std": 3.0}
    table = frontier(points, {"sft": [SFT], "sft-real": [REAL]}, chosen, {"people": corner})
    assert set(table["line"]) == {"chosen", "temperature", "dose", "corner"}
    found = outside(table, "dgsa").set_index("line")
    assert found.loc["sft, by temperature"].tolist() == pytest.approx([0.1, -0.15])
    assert found.loc["sft-real, by temperature", "hp"] == pytest.approx(7.6 - (7.2 + 0.9 / 4))
    assert found.loc["sft-real, by dose"].isna().all()  # begins at a word error of 0.35
    point = table.drop(table.index[(table["variant"] == "sft") & (table["at"] == 1.0)])
    assert "sft, by temperature" not in outside(point, "dgsa")["line"].tolist()  # a point is no line


def test_a_measure_is_there_when_anything_was_measured(printed):
    some = printed["sft"][0]
    table = some.table.assign(f0_std_st=[1.0] + [np.nan] * 239, words=[1] + [0] * 239)
    assert has(replace(some, table=table), "f0_std") and has(replace(some, table=table), "wer")
    assert not has(replace(some, table=table.assign(words=0, f0_std_st=np.nan)), "wer")
