"""Every number that `measure` makes of made-up inputs, as it was when somebody last looked at it (see goldens.py)."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from goldens import Numbers, check, keep, moved, some, steps_of
from made_up import NAMES, RULE, cloned, made, named, world

from sebridge_lite.lm.sampling import SamplerConfig
from sebridge_lite.measure import (
    bootstrap,
    cloning,
    effects,
    entropy,
    evaluate,
    metrics,
    prosody,
    proxy,
    scoring,
    stats,
    systems,
    trends,
    verdicts,
)
from sebridge_lite.stack.tracks import Tracks

ALPHAS = (0.03, 0.25, 0.4, 0.5, 0.67, 0.8, 1.0)
LINES = (0.6, 0.7, 0.85, 1.0, 1.15)


def sweep(seeds: int = 2, texts: int = 30) -> dict:
    """Policies over alpha whose measures rise and fall; their texts stand in no order and twice each."""
    policies = {}
    for place, alpha in enumerate(ALPHAS):
        runs = []
        for s in range(seeds):
            one = made(0.8 - abs(alpha - 0.5), 0.5 - 0.3 * alpha, [place, s], texts, rep=0.02 + 0.1 * (alpha > 0.7))
            ids = [f"t{7 * i % (texts // 2):02d}" for i in range(texts)]
            table = one.table.assign(
                id=ids, tones_wrong=steps_of(place, texts, by=1), tones=4, length_ratio=1 + 0.1 * place
            )
            table["energy_std_db"] = some(steps_of(place + s, texts))
            runs.append(dataclasses.replace(one, table=table))
        policies[alpha] = runs
    return policies


def several() -> dict:
    size = len(NAMES)
    return world(named(steps_of(1, size, by=0.15), 0.2 + steps_of(2, size, by=0.05)), texts=40)


def over_heat(lively: float, wrong: float, key: int, seeds: int = 2) -> list[dict]:
    return [
        {heat: made(lively + heat / 4, wrong + heat / 5, [key, int(20 * heat), s], 30) for heat in LINES}
        for s in range(seeds)
    ]


def of_condition(of: Mapping) -> dict:
    """Of each claim its conditions, with their effects."""
    return {id: [[one._asdict() for one in some] for some in both] for id, both in of.items()}


def bootstrapped() -> dict:
    values, weights = some(steps_of(3, 2, 21)), 1 + steps_of(4, 2, 21, by=1)
    clusters = [f"c{i % 6}" for i in range(21)]
    counts = steps_of(5, 12, 9, by=1)
    hollow = counts * (np.arange(12) % 3 == 0)[:, None]
    first, second = bootstrap.draws(3, 7, 4, 5)
    return {
        "draws": [first, second],
        "interval": bootstrap.interval_of(2.0, np.array([3, 3, 4, np.nan]), 5),
        "ratio": bootstrap.ratio(np.array([1.0, 2.0, 0.0]), np.array([0.5, 0.0, -1.0])),
        "mean": bootstrap.mean_interval(values),
        "mean by text": bootstrap.mean_interval(values, clusters, weights),
        "mean, few": bootstrap.mean_interval(values[0], clusters, weights[0], seed=2, replicates=50),
        "gap": bootstrap.paired_difference(values, values[:, ::-1], clusters, weights, weights[::-1]),
        "gap, plain": bootstrap.paired_difference(values[0], values[1], seed=1, replicates=60),
        "entropy": bootstrap.entropy_interval(counts, entropy.prosodic_entropy),
        "entropy, few": bootstrap.entropy_interval(
            counts, lambda pool: np.array(entropy.rarefied(pool, 20)), entropy.prosodic_entropy, 4, 30
        ),
        "hollow": bootstrap._entropies(np.array([[0, 0], [1, 3]])),
        "curves": {
            name: [curve.values, curve.folds, curve.interval(1), curve.difference(1, 3), curve.n, curve.seeds]
            for name, curve in systems.curves_over(sweep()).items()
        },
        "curve of empty texts": bootstrap.entropy_curve(
            (0.0, 0.5), [[pd.DataFrame({"id": range(12)})]] * 2, [[hollow], [counts]], seed=2, replicates=40
        ).spread[:9],
    }


def entropies() -> dict:
    counts = steps_of(6, 14, 8, by=1)
    p, q = (counts[i] / counts[i].sum() for i in (0, 1))
    some_q = np.where(np.arange(8) < 4, q, 0)
    codes = [torch.tensor([0, 1, 1, 5]), torch.tensor([], dtype=torch.long), torch.tensor([7, 7])]
    rows = [[1, 2, 3], [1, 2, 4], [1, 2]], [[5]], [[], []], [[1], [2]]
    return {
        "counts": entropy.token_counts(codes, 8),
        "entropy": entropy.entropy(np.array([p, q])),
        "hp": entropy.prosodic_entropy(counts[:3]),
        "rarefied": [entropy.rarefied(counts.sum(0), size) for size in (1, 2, 5, 40, int(counts.sum()))],
        "rarefied, one code": [entropy.rarefied(np.array([5, 1, 0]), size) for size in (1, 3, 5, 6)],
        "in parts": entropy.in_parts(entropy.prosodic_entropy, 1 + steps_of(1, 205, 4, by=1), np.asarray)[::40],
        "jackknife": entropy.jackknife(counts),
        "mix": entropy.mix(p, q, [0.0, 0.25, 1.0]),
        "slope": entropy.mixture_slope(p, q, [0.25, 0.5]),
        "slope, ends": entropy.mixture_slope(p, some_q / some_q.sum(), [0.0, 1.0]),
        "kl": [entropy.kl(p, q), entropy.kl(q, p), entropy.kl(p, p), entropy.kl(p, some_q)],
        "peak": [entropy.has_interior_peak(*pair) for pair in ((p, q), (p, p), (np.full(8, 1 / 8), q))],
        "alpha star": [
            entropy.alpha_star(*pair)
            for pair in ((p, q), (q, p), (p, p), (q, np.full(8, 1 / 8)), (np.array([0.6, 0.4]), np.array([0.5, 0.5])))
        ],
        "diversity": entropy.diversity(rows),
        "diversity of none": entropy.diversity([[[1]]]),
    }


def formulas() -> dict:
    a, b = some(steps_of(7, 2, 12)), steps_of(8, 2, 12)
    clusters = [f"c{i % 4}" for i in range(12)]
    return {
        "measure": [stats.measure(name) for name in ("wer", "hp_gain", "made_up", "a made_up", "wer_cal_gain")],
        "numbers": [stats.number_of(n, "seed") for n in (0, 1, 2)],
        "change": [stats.change_of(name) for name in ("wer", "f0_std", "sim", "made_up")],
        "range": [
            stats.value_range(0.5, 0.25, 0.75, "bits"),
            stats.value_range(0.123456, 0.1, np.nan),
            stats.value_range(np.nan, 1, 2),
            stats.value_range(0.5, None, 0.75, "%", "+.1f", 100),
        ],
        "row": [stats.row_range({"wer": 0.123456, "wer_low": 0.1, "wer_high": 0.2}, name) for name in ("wer", "hp")],
        "sums": stats.by_cluster([(a, None), (b, 1 + b)], clusters),
        "share": [stats.share_interval(*of) for of in ((0, 10), (3, 10), (10, 10))],
        "normal": stats.normal_interval([1, 2, 4, 5]),
        "tests": [stats.paired_tests(a, b), stats.paired_tests(a, b, clusters)],
        "tests, alike": [stats.paired_tests([1, 2], [1, 2]), stats.paired_tests([1, 2, 3], [0, 1, 2])],
        "tests, one text unknown": stats.paired_tests(
            np.where(np.arange(12) % 4 == 1, np.nan, b), 2 * b[::-1], clusters
        ),
        "tests, two": stats.paired_tests([1, 3], [0, 1]),
        "holm": [stats.holm([0.01, 0.04, 0.03]), stats.holm([])],
    }


def counted() -> dict:
    said, heard = [["a", "b", "c"], ["a"], ["b", "b"]], [["a", "c"], [], ["b", "b", "b"]]
    spoken = [("ka", "1"), ("na", "2"), ("mi", "3")], [("ka", "1"), ("na", "1"), ("xx", "3")]
    loops = [[1] * 6, [1, 1, 1, 2, 2, 2, 2], [0, 0, 0, 0, 3], [1, 2], [5, 5, 5], []]
    vectors = 1e-7 * steps_of(9, 4, 3, by=1) + np.eye(4, 3)
    return {
        "pooled": [metrics.pooled(np.array([1, 2]), np.array([3, 5])), metrics.pooled(np.zeros(2), np.zeros(2))],
        "edits": metrics.edit_distance([torch.tensor([1, 2]), "abc"], [[2], "axcd"]),
        "words": metrics.word_errors(said, heard),
        "characters": metrics.character_errors(["a bc", "d"], ["ab", "d e"]),
        "calibrated": [metrics.calibrated([0.1, 0.5, 1.0], floor) for floor in (0.0, 0.1, 1.0)],
        "above": metrics.above_floor([0.1, 0.5], 0.2),
        "align": [metrics.align(*of) for of in (("abc", "axc"), ("ab", "b"), ("b", "ab"), ("", "a"), ("abab", "ba"))],
        "tones": metrics.tone_errors([spoken[0], spoken[0][:1], []], [spoken[1], [], spoken[1]]),
        "repeats": [metrics.repetition_rate(loops, k) for k in (1, 2, 4)],
        "repeats, as they are scored": [scoring.K, metrics.repetition_rate(loops, scoring.K)],
        "speech repeats": metrics.repetition_rate(loops, 2, [0, 2]),
        "similarity": metrics.similarity(vectors, vectors[::-1]),
        "similarity, small": metrics.similarity(1e-13 * vectors, vectors),
    }


def tracks_of(seed: int, frames: int = 24) -> Tracks:
    f0 = 100 + 20 * steps_of(seed, frames, by=1)
    f0[::5] = 0
    energy = np.where(np.arange(frames) % 23 < 2, -60.0, -20 + 5 * steps_of(seed + 1, frames, by=1))
    return Tracks(steps_of(seed + 2, frames, 80, of=3), f0, energy)


def melodies() -> dict:
    one, other = tracks_of(10), tracks_of(20, 27)
    quiet = [np.where(np.arange(24) < n, one.f0 + 1, 0) for n in (4, 5, 6)]
    pairs = prosody.time_alignment(one.mel, other.mel)
    edge = np.concatenate([np.full(3, -15.0), np.zeros(40), np.full(2, -35.0), np.full(2, -34.9)])
    return {
        "frames": [[where.start, where.stop] for where in map(prosody.speech_frames, (one.energy, edge))],
        "described": [prosody.describe(f0, one.energy, 3) for f0 in (one.f0, *quiet)],
        "shape": prosody._shape(one.mel)[:3],
        "aligned": [pairs, prosody.time_alignment(one.mel[:1], other.mel[:3])],
        "aligned to itself": prosody.time_alignment(one.mel, one.mel),
        "match": prosody.f0_match(one.f0, other.f0, pairs),
        "match, few": [prosody.f0_match(f0, one.f0 + 7, np.repeat(np.arange(24)[:, None], 2, 1)) for f0 in quiet],
        "match, flat": prosody.f0_match(
            np.full(9, 100.0), np.arange(100.0, 109), np.repeat(np.arange(9)[:, None], 2, 1)
        ),
    }


def said_by_policies() -> dict:
    one = made(0.5, 0.3, 3, 20)
    counts = steps_of(11, 20, 6, by=1)
    probs = torch.tensor([[0.5, 0.25, 0.25, 0.0], [0.4, 0.3, 0.2, 0.1], [0.9, 0.05, 0.05, 0.0]])
    recent = torch.tensor([[0, 0, -1], [1, 2, 1], [-1, -1, 0]])

    def sampler(**about):
        return SamplerConfig(
            **({"temperature": 1, "top_p": 0.9, "window": 0, "tau": 0.1, "min_ratio": 1} | about), max_ratio=2, seed=0
        )

    table = one.table.assign(sim=np.nan)
    return {
        "rates": {
            name: evaluate.rate([one.table, one.table[::-1]], name) for name in ("wer", "rep", "h_cond", "f0_std")
        },
        "rate of some": evaluate.rate([table.assign(sim=some(one.table["sim"].to_numpy()))], "sim"),
        "rate of nothing": evaluate.rate([table], "sim"),
        "rate of no words": evaluate.rate([table.assign(words=0)], "wer", 2),
        "entropies": evaluate.entropies(counts, 10, 1),
        "entropies, short": [
            evaluate.entropies(few, equal, 0)
            for few in (counts[:1], counts[:2], counts[:3])
            for equal in (0, 1, int(few.sum()), int(few.sum()) + 1)
        ],
        "entropies, none": evaluate.entropies(0 * counts, 5, 0),
        "chances": [
            evaluate.chances(probs, recent, sampler(**about))
            for about in (
                {},
                {"top_p": 0.5},
                {"window": 3, "tau": 0.34},
                {"window": 3, "tau": 1 / 3, "top_p": 0.75},
                {"window": 3, "tau": 1 / 3, "top_p": 1},
            )
        ],
        "plain": evaluate.plain({"wer": stats.Interval(0.00012345678, np.nan, 1, 2, 3)}),
    }


def compared() -> dict:
    policies, runs = sweep(), several()
    lines = {name: over_heat(0.1 * i, 0.2 + 0.02 * i, i) for i, name in enumerate(("sft", "dgsa", "dpo"))}
    curve = pd.DataFrame(
        {"steps": [30, 30, 60, 60], "temperature": [0.8, 1.0, 0.8, 1.0], "texts": 40}
        | {axis: steps_of(i, 4) for i, axis in enumerate(systems.AXES)}
    )
    found, kept = systems.systems(runs, 0.1), systems.over_heats(lines, 25)
    points = systems.as_table(found, ["sft", "dgsa", "nobody"], "sft")
    points["wer_cal"] = [0.25, 0.5, np.nan]  # where the lines are
    curves = {name: [curve, curve + i / 8] for i, name in enumerate(("sft", "sft-real"))}
    chosen = {name: [(30, 0.8), (30 + i / 8, 1.0 + i / 8)] for i, name in enumerate(curves)}
    table = systems.frontier(points[:2], curves, chosen, {"people": dict.fromkeys(systems.AXES, 0.5)})
    return {
        "over alpha": systems.alpha_table(systems.curves_over(policies), 0.1),
        "beside": systems.side_by_side({f"a{alpha}": runs for alpha, runs in policies.items()}, "a0.8", 0.05),
        "systems": points,
        "relative": effects.with_relative(points, found),
        "line": [
            kept.gain(measure, one, other)
            for measure in ("hp", "f0_std", "wer_cal")
            for one, other in (("dgsa", "sft"), ("sft", "dgsa"), ("dpo", "sft"), ("sft", "dpo"), ("sft", "nobody"))
        ],
        "above": [
            systems._above(goal, np.array([0.2, 0.1, 0.3]), np.array([1.0, 2.0, 4.0]))
            for goal in (0.05, 0.1, 0.25, 0.3, 0.31)
        ],
        "frontier": table,
        "outside": systems.outside(table, "dgsa"),
        "has": [systems.has(runs["sft"][0], name) for name in ("wer", "hp", "sim", "tone_error")],
        "hasn't": [
            systems.has(
                dataclasses.replace(runs["sft"][0], table=runs["sft"][0].table.assign(words=0, sim=np.nan)), name
            )
            for name in ("wer", "sim")
        ],
        "gains": [found.gain("hp", *of) for of in (("dgsa", "sft"), ("sft", "sft"), ("sft", "nobody"))],
        "first": [len(one.table) for one in systems.first(runs, 7)["sft"]],
    }


def shapes() -> dict:
    curves = systems.curves_over(sweep(), measures=("wer", "hp", "f0_std", "sim", "rep", "h_cond", "f0_range"))
    one = systems.curves_over(sweep(1), measures=("wer", "hp"))
    real, syn = steps_of(12, 130, 6, by=1), steps_of(13, 9, 6, by=1) * (np.arange(6) < 4)
    peaks = [
        trends.peak_row(
            curves[name], {"alpha_star": 0.4, "low": 0.3, "high": 0.5, "peak": "inside", "height": 0.1, "gap": 1}
        )
        for name in ("hp", "wer", "f0_std")
    ]
    table = pd.DataFrame(peaks).assign(
        predicted_high=[0.5, 0.25, 1.0],
        predicted_low=[0.5, 0.0, 1.0],
        observed_low=[0.5, 0.25, 0.5],
        predicted_height=[0.1, 0.1, 0.3],
    )
    on_curve = systems.alpha_table(curves, 0.1)
    return {
        "correlation": trends.correlation(steps_of(1, 3, 5), np.stack([steps_of(2, 5), np.ones(5), -np.arange(5.0)])),
        "rank": [trends.rank(curve) for curve in curves.values()],
        "peak": [trends.interior_peak(curve) for curve in (*curves.values(), *one.values())],
        "crossed": trends._crossed(steps_of(14, 4, 2, 2, 5)),
        "crossed, one seed": trends._crossed(steps_of(15, 4, 1, 2, 5)),
        "place": [trends.peak_place(curve) for curve in curves.values()],
        "tail": [trends.tail(curves["rep"], 0.8, 0.4, 0.8), trends.tail(curves["f0_std"], 1.0, 0.4, 0.5 + 1e-9)],
        "out": [trends.stands_out(curves["wer"], i, sign) for i in (0, 6) for sign in (1, -1)],
        "association": [trends.association(curves["hp"], curves["f0_std"], most) for most in (1.0, 0.67)],
        "over alpha": trends.over_alpha(sweep(), 2)[0],
        "peaks": peaks,
        "agreement": [trends.agreement(table), trends.agreement(table[:2])],
        "mixtures": [trends._mixtures(*pair)[:, ::20] for pair in ((real[:3], syn[:1]), (real[:1], syn[:3]))],
        "without": trends._without(real)[[0, 99]],
        "mixed": trends.mixture_entropies(real, syn)[::10],
        "from corpus": [trends.from_corpus(real, syn, replicates=30), trends.from_corpus(syn, real, 1, 40)],
        "from curve": [trends.from_curve(curve) for curve in curves.values()],
        "further": trends.further(on_curve, 10.0, 40.0, [0, 10, 30, 1e4], ["wer", "f0_std"]),
    }


def claimed() -> dict:
    runs = several()
    found, rungs = systems.systems(runs, 0.1), effects.rungs_of(tuple(runs), 0.8)
    lines = systems.over_heats({name: over_heat(0.1 * i, 0.2, i) for i, name in enumerate(("sft", "dgsa"))}, 25)
    curves = systems.curves_over(sweep())
    short = {name: dataclasses.replace(curve, alphas=curve.alphas * 0.9) for name, curve in curves.items()}
    scaling = effects.scaling_conditions(curves, stats.Interval(-0.1, -0.2, 0, 30, 2))
    heats, start = over_heat(0.2, 0.1, 7), [made(0.3, 0.35, [9, s], 30) for s in range(2)]
    by_heat = {heat: [one[heat] for one in heats] for heat in LINES}
    rows = [
        pd.DataFrame(
            {
                "text": np.arange(24) // 6,
                "temperature": np.tile([1.0, 0.7, 1.3], 8),
                "learnt": steps_of(s, 24, of=2, by=1) > 0,
            }
        ).assign(name=lambda t: [f"n{i}" for i in range(len(t))], wrong=steps_of(s, 24, by=1), words=9)
        for s in range(2)
    ]
    codes = [{f"n{i}": torch.tensor([i % 5, s]) for i in range(24)} for s in range(2)]
    candidates, shares = systems.systems(effects.by_heat(rows, codes, 5), 0.0), effects.contributions(rows)
    loop = {"tdsc": start, "sft": [one[0.6] for one in heats], "rejection": [one[1.15] for one in heats]}
    critiqued = systems.systems(loop, 0.1)
    name, best = effects.beyond(start, by_heat, 0.1, RULE)
    clones = {
        name: [cloned(0.1 * i, 0.3, 0.5 + 0.1 * i, [i, s], 36).table for s in range(2)]
        for i, name in enumerate(
            ("th sft", "th dgsa", "lo start", "lo tdsc", "lo tdsc, Thai voice", "lo tdsc, standard")
        )
    }
    aligned = effects.alignment_conditions(found, rungs, 0.5, lines, found)
    table2 = pd.DataFrame(
        {"metric": proxy.METRICS, "difference": 0.5, "low": 0.25, "high": 0.75, "texts": 40, "seeds": 2}
    )
    cloned_to = effects.systems_conditions(found, critiqued, clones)
    judged = {**scaling, **aligned, **cloned_to}
    return {
        "scaling": of_condition(scaling),
        "short": of_condition(effects.scaling_conditions(short)),
        "aligned": of_condition(aligned),
        "aligned, one alpha": of_condition(effects.alignment_conditions(found, {0.8: rungs[0.8]}, 0.5)),
        "rungs": rungs,
        "figure 5": effects.by_alpha(found, rungs),
        "finding": [(row := effects.finding(found, RULE)), effects.dgsa_sentence(row)],
        "tdsc": of_condition(
            effects.tdsc_conditions(critiqued, {"rise": shares["T = 0.7"]}, candidates, shares, (name, best), lines)
        ),
        "sentence": effects.tdsc_sentence(effects.with_relative(systems.as_table(critiqued, loop, "sft"), critiqued)),
        "beyond": [name, best.at("wer", name), best.at("hp", name)],
        "lesser": [
            effects.lesser_gain(by_heat[heat], start, slice(half, None, 2), RULE) for heat in LINES for half in (0, 1)
        ],
        "risen": effects.risen([pd.Series([0, 0.5, 1.0])], [pd.Series([1, 0.5, 1.0])]),
        "shares": shares,
        "shares, a hole": effects.contributions([rows[0].drop(index=[0, 3]), rows[1]]),
        "table 2": of_condition(effects.proxy_conditions({"wer": table2})),
        "cloned": of_condition(cloned_to),
        "cloning": [cloning.cloning_row(clones[name]) for name in list(clones)[:2]],
        "gap": cloning.gap([clones["th sft"][0].assign(sim=np.nan)], "sim"),
        "judged": verdicts.judged(judged, RULE),
        "few": verdicts.judged(judged, dataclasses.replace(RULE, min_texts=30, min_seeds=2)),
        "conditions": verdicts.as_conditions(judged, dataclasses.replace(RULE, min_texts=40, min_seeds=3)),
    }


def proxied() -> dict:
    texts, samples = 12, 8
    table = pd.DataFrame({"id": np.repeat([f"t{i}" for i in range(texts)], samples)})
    size = len(table)
    table["words"], table["words_wrong"] = 20, steps_of(1, size, of=4, by=1)
    table["tokens"] = 20 + steps_of(2, size, of=6, by=1)
    for i, name in enumerate(proxy.METRICS):
        table[name] = some(steps_of(3 + i, size))
    counts = steps_of(20, size, 10, of=4, by=1)
    counts[5] = 0
    return {
        "entropy": proxy.sample_entropy(counts)[:8],
        "usual": proxy.usual_entropy(steps_of(4, 9), steps_of(5, 9, of=8, by=1)),
        "pairs": {how: proxy.pairs_of(table, counts, how) for how in proxy.MATCHED},
        "table": {how: proxy.proxy([table, table], [counts, counts[::-1]], how) for how in proxy.MATCHED},
    }


NUMBERS: Numbers = {
    "bootstrap": bootstrapped,
    "entropy": entropies,
    "stats": formulas,
    "metrics": counted,
    "prosody": melodies,
    "evaluate": said_by_policies,
    "systems": compared,
    "trends": shapes,
    "effects": claimed,
    "proxy": proxied,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_of_measure_has_moved_unseen(name):
    check(Path(__file__), NUMBERS, name)


def test_a_moved_number_a_longer_list_and_another_order_are_seen():
    then = {"a": [1, 2.0], "b": "x"}
    assert moved({"a": [1, 2.0], "b": "x"}, then) == []
    for now in (
        {"a": [1, 2.01], "b": "x"},
        {"a": [1, 2.0, 3], "b": "x"},
        {"b": "x", "a": [1, 2.0]},
        {"a": [True, 2.0], "b": "x"},
    ):
        assert len(moved(now, then)) == 1


if __name__ == "__main__":
    keep(Path(__file__), NUMBERS)
