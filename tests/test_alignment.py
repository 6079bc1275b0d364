"""The alignment experiment on tiny random parts: what each variant trains on, how its point is chosen, what is written."""

import dataclasses
import itertools
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from sebridge_lite.experiments.policies import Bench, policy_folder
from tiny import CODES, tiny_stack

from sebridge_lite.align.baselines import best_of
from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import ConfirmParams, load_params
from sebridge_lite.data.recordings import write_set
from sebridge_lite.experiments import alignment, confirm
from sebridge_lite.experiments.alignment import align_variant, choose, curve_of, points, pooled, system
from sebridge_lite.experiments.preferences import pairs_folder, run_pairs
from sebridge_lite.experiments.variants import VARIANTS, scored, variant_of
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.measure.saved import load_scores
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.weights import load_model, save_model
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences
from sebridge_lite.studio.voices import people

ROOT = Path(__file__).parents[1]
LM = LMConfig(len(CharVocab()), CODES, 16, 1, 2, 1, 16, max_positions=400, rope_theta=1e4, pace=2.5)
SMOKE = load_params(ROOT / "params" / "smoke.yaml")
P = dataclasses.replace(
    SMOKE.align, variants=("sft", "dgsa", "random-speaker", "codec"), arm="additive-0.80", steps=(1, 2), warmup=0,
    temperatures=(0.7, 1.0), lr=1e-2, sft_lr=1e-2, lora_lr=1e-2, budget=400, dev_texts=2, curve_texts=2, decoded=2, candidates=2,
)  # fmt: skip
PARAMS = dataclasses.replace(
    SMOKE, align=P, sampling=dataclasses.replace(SMOKE.sampling, max_ratio=1.5),
    sft=dataclasses.replace(SMOKE.sft, style_tokens=9),
)  # fmt: skip


class Told(Stack):
    """Its selecting judge reads real speech as it was said, and all else as nothing."""

    def read(self, rows, lang):
        return [list(KNOWN.get(tuple(row.tolist()), ())) for row in rows]


KNOWN: dict = {}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A stack, and ten utterances of two people: six to learn from, two of dev and two of test."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        stack, sets, codes = Told(**vars(tiny_stack(["th"]))), {}, {}
        for name, count in (("real", 6), ("dev", 2), ("test", 2)):
            short = (words for words in sentences(load_language("th"), name, 0) if len(words) <= 4)
            lines = lines_of(name, "th", itertools.islice(short, count), people("unseen", 2), 0)
            sets[name] = write_set(folder, name, record_all(lines, 0))
    for utterance in itertools.chain(*sets.values()):
        torch.manual_seed(len(codes))
        codes[utterance.id] = torch.randint(0, CODES, (10 + len(codes),))
    KNOWN.update({tuple(codes[u.id].tolist()): u.words for u in sets["real"]})
    return Bench(stack, sets, codes, [], folder, "th", 0.1)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Outputs of its own, with an SFT policy in them."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    torch.manual_seed(1)
    model = TextSpeechLM(LM).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.2 * torch.randn_like(weights)
    for arm in ("additive-0.80", "additive-0.25"):
        save_model(model, LM, policy_folder(arm, 0) / "model", half=True)


def weights_of(path: Path) -> torch.Tensor:
    return torch.cat([w.flatten() for w in load_model(TextSpeechLM, LMConfig, path).state_dict().values()])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dgsa", (0.4, 0.6)), ("dpo", (0, 1)), ("no-expr", (0.4, 0)), ("no-stab", (0, 0.6)), ("fixed", (0.5, 0.5)),
     ("swapped", (0.6, 0.4))],
)  # fmt: skip
def test_weights_of_the_ablations_at_alpha_080(name, expected):
    assert variant_of(name, P)[0].weights(0.4, 0.6) == expected


def test_dgsa_can_start_from_any_alpha_and_others_from_the_arm_of_the_parameters():
    assert variant_of("dgsa-0.25", P) == (VARIANTS["dgsa"], "additive-0.25")
    assert all(variant_of(name, P)[1] == P.arm for name in VARIANTS)


@pytest.mark.parametrize("name", ["dgsa2", "dgsa-", "dgsa-1.5", "dgsa-0.5", "lora-0.80"])
def test_an_unknown_variant_gives_one_line_with_the_known_ones(name):
    with pytest.raises(UserError, match="no-expr") as caught:
        variant_of(name, P)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["smoke", "lite", "full"])
def test_every_profile_names_known_variants(name):
    params = load_params(ROOT / "params" / f"{name}.yaml")
    assert [variant_of(variant, params.align) for variant in params.cells.aligned]


@pytest.mark.parametrize(
    ("wers", "slack", "expected"),
    [([0.3, 0.2, 0.1], 0.0, 1), ([0.3, 0.3, 0.2], 0.05, 2), ([0.2, 0.2, 0.2], 0.0, 0), ([0.4, 0.9, 0.5], 0.0, 0)],
)  # fmt: skip
def test_chosen_is_the_highest_entropy_at_no_more_error_or_else_the_lowest_error(wers, slack, expected):
    search = pd.DataFrame({"steps": [1, 2, 3], "wer": wers, "hp": [8.0, 7.0, 6.0]})
    assert choose(search, {"wer": 0.2}, slack)["steps"] == expected + 1


def test_the_choice_is_that_of_all_seeds_together():
    one = pd.DataFrame({"steps": [1, 2], "temperature": [1.0, 1.0], "wer": [0.2, 0.3], "hp": [7.0, 8.0]})
    two = one.assign(wer=[0.3, 0.1])
    assert choose(one, {"wer": 0.2}, 0.0)["steps"] == 1
    assert choose(pooled([one, two]), {"wer": 0.2}, 0.0)["steps"] == 2  # .25 and .20


def test_seeds_share_the_point_and_each_searches_once(bench, monkeypatch):
    two = dataclasses.replace(PARAMS, align=dataclasses.replace(P, seeds=(0, 1)))
    for seed in (0, 1):
        save_model(
            load_model(TextSpeechLM, LMConfig, policy_folder(P.arm, 0) / "model"),
            LM,
            policy_folder(P.arm, seed) / "model",
        )
    looked = []
    monkeypatch.setattr(alignment, "points", lambda *given: looked.append(given[4:7:2]) or points(*given))
    found = [align_variant(bench, "sft", seed, two) for seed in (0, 1)]
    assert sorted(looked) == [(0, "dev"), (0, "test"), (1, "dev"), (1, "test")]
    assert found[0]["temperature"] == found[1]["temperature"]
    assert found[0]["dev_wer_start"] == found[1]["dev_wer_start"]


def test_best_of_takes_the_fewest_wrong_words_and_the_first_of_equals(bench):
    good, other = bench.sets["real"][:2]
    rows = [torch.tensor([1, 2]), bench.codes[good.id], torch.tensor([3, 4]), bench.codes[good.id]]
    chosen = best_of(bench.stack, [rows, rows[:1] + rows[2:3]], [good.words, other.words], "th")
    assert chosen[0] is rows[1]
    assert chosen[1] is rows[0]


def test_rejection_among_equals_is_the_sample_that_is_scored_otherwise(bench):
    model = load_model(TextSpeechLM, LMConfig, policy_folder(P.arm, 0) / "model")
    one, two = (scored(bench, model, name, 0, PARAMS, 1.0, "test") for name in ("sft", "rejection"))
    assert [row.tolist() for row in one.codes] == [row.tolist() for row in two.codes]
    assert one.summary["wer"] == two.summary["wer"]
    assert "h_cond" not in two.summary  # what was chosen among is not drawn from the policy


def test_pairs_hold_what_the_variants_need_and_the_start_on_dev(bench):
    made = run_pairs(bench, 0, PARAMS)
    assert set(made) == {f"{P.arm}-{kind}" for kind in ("own", "random-speaker", "codec")}
    own = pairs_folder(P.arm, "own", 0)
    assert list(pd.read_csv(own / "modes.csv")["mode"]) == ["real", "expr", "stab"]
    assert pd.read_csv(own / "modes.csv")["wer"].tolist() == [0, 1, 1]  # what `Told` reads
    assert json.loads((own / "dev.json").read_text(encoding="utf-8"))["wer"] > 0


@pytest.mark.parametrize(
    "name", ["sft", "style-prefix", "rejection", "dgsa", "no-expr", "dgsa-split", "dgsa-sft", "dgsa-length", "lora", "sft-real",
             "dgsa-0.25"]
)  # fmt: skip
def test_a_variant_leaves_its_policy_its_search_and_its_scores(bench, name, tmp_path):
    v, arm = variant_of(name, P)
    found = align_variant(bench, name, 0, PARAMS)
    folder = paths.artifacts("align", f"{name}-s0")
    steps = (0,) if v.trains == "nothing" else P.steps
    search = pd.read_csv(folder / "search.csv")
    assert list(zip(search["steps"], search["temperature"], strict=True)) == [
        (s, t) for s in steps for t in P.temperatures
    ]
    curve = curve_of(name, 0)
    assert set(curve.loc[curve["steps"] == found["steps"], "temperature"]) == set(P.temperatures)
    assert set(curve["steps"]) == ({found["steps"]} if v.trains != "real" else set(steps))
    assert (folder / "loss.csv").is_file() == (v.trains != "nothing")
    start = weights_of(policy_folder(arm, 0) / "model")
    assert torch.equal(weights_of(folder / "model"), start) == (v.trains == "nothing")
    model = load_model(TextSpeechLM, LMConfig, folder / "model")
    again = scored(bench, model, name, 0, PARAMS, found["temperature"], "test")
    assert [row.tolist() for row in again.codes] == [row.tolist() for row in load_scores(folder, CODES)[0].codes]
    assert not list(folder.parent.glob(".*"))


def test_a_killed_run_does_not_train_again(bench, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(alignment, "points", killed)
        with pytest.raises(KeyboardInterrupt):
            align_variant(bench, "lora", 0, PARAMS)
    assert not paths.artifacts("align", "lora-s0").exists()
    monkeypatch.setattr(alignment, "dgsa_loss", killed)
    assert align_variant(bench, "lora", 0, PARAMS)["steps"] in P.steps


def test_what_is_there_is_not_made_again(bench, monkeypatch):
    first = align_variant(bench, "sft", 0, PARAMS)
    monkeypatch.setattr(alignment, "align_variant", lambda *_: pytest.fail("made again"))
    scores, report = system(bench, "sft", 0, PARAMS)
    assert report["variant"] == "sft"
    assert scores.summary["wer"].mean == pytest.approx(first["wer"], abs=1e-6)


def test_what_other_settings_made_is_made_again(bench):
    align_variant(bench, "sft", 0, PARAMS)
    other = dataclasses.replace(PARAMS, align=dataclasses.replace(P, temperatures=(0.5,)))
    assert system(bench, "sft", 0, other)[1]["temperature"] == 0.5


@pytest.mark.parametrize(("change", "said"), [(-0.2, True), (-0.01, False), (0.1, False)])
def test_a_fall_of_the_winners_is_said_in_one_line(tmp_path, capsys, change, said):
    pd.DataFrame({"step": [1, 2], "winner_change": [change, change]}).to_csv(tmp_path / "loss.csv", index=False)
    assert alignment._winner_change(tmp_path, 0.05) == change
    assert ("displacement" in capsys.readouterr().err) == said


def test_each_system_is_asked_again_on_fresh_texts_at_the_point_that_dev_chose(bench):
    params = dataclasses.replace(
        PARAMS, corpus=dataclasses.replace(PARAMS.corpus, test_texts=2, unseen_people=2),
        confirm=ConfirmParams(texts=3, align=("sft", "rejection", "dgsa"), tdsc=()),
    )  # fmt: skip
    styled = dataclasses.replace(params, confirm=dataclasses.replace(params.confirm, align=("style-prefix",)))
    with pytest.raises(UserError, match="style-prefix needs tokens"):
        confirm.aligned(bench, styled)
    found = confirm.aligned(bench, params)
    assert list(found) == ["sft", "rejection", "dgsa"]
    texts = [utterance.id for utterance in confirm.fresh(bench, params).sets["test"]]
    for name, (scores,) in found.items():
        about = json.loads(
            (paths.artifacts("confirm", "th", f"{name}-s0") / "summary.json").read_text(encoding="utf-8")
        )
        assert about["temperature"] == system(bench, name, 0, params)[1]["temperature"]
        assert scores.table["id"].tolist() == texts
