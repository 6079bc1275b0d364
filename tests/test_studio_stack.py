"""The studio's stack reads each part from its place, and no part before it is used."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import CODES, tiny_parts, tiny_stack

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments.own import run_own
from sebridge_lite.lm.lm import load_backbone
from sebridge_lite.stack.parts import FOLDERS, part_file, save_model
from sebridge_lite.stack.stacks import load_stack

ROOT = Path(__file__).parents[1]


def keep(folder, *names):
    """These of the tiny parts on disk, as `SEBRIDGE_PARTS` has them."""
    for name in names:
        network = tiny_parts()[name]
        save_model(network, network.config, folder / FOLDERS[name] / name)


def test_a_stage_that_uses_no_judge_opens_no_judge_s_file(project, tmp_path, monkeypatch):
    monkeypatch.setenv("SEBRIDGE_PARTS", str(tmp_path))
    keep(tmp_path, "tokenizer")
    stack, sound = load_stack(["th"], device="cpu"), torch.rand(6_400) - 0.5
    assert stack.codes == CODES
    (codes,) = stack.tokens([sound])
    assert torch.equal(codes, tiny_stack(["th"]).tokens([sound])[0])
    with pytest.raises(UserError, match=r"judges/select/select_judge\.json: not there"):
        stack.read([codes], "th")
    with pytest.raises(UserError, match=r"parts/speaker\.json: not there"):
        stack.timbres([sound])
    keep(tmp_path, "select_judge")
    assert len(stack.read([codes], "th")) == 1  # read when it is first used, so after it was made too


def test_parts_of_this_run_come_before_the_project_s(project, tmp_path, monkeypatch):
    monkeypatch.delenv("SEBRIDGE_PARTS", raising=False)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path / "out"))
    theirs, ours = (folder / "artifacts" for folder in (project, tmp_path / "out"))
    assert part_file("flow") == theirs / "parts" / "flow"  # where it should be
    keep(theirs, "flow", "score_judge")
    keep(ours, "flow")
    assert part_file("flow") == ours / "parts" / "flow"
    assert part_file("score_judge") == theirs / "judges" / "score" / "score_judge"


def test_nothing_said_is_no_sound_and_no_sound_is_no_word():
    stack, empty = tiny_stack(["th"]), torch.zeros(0)
    codes = [torch.arange(8), torch.zeros(0, dtype=torch.long)]
    sounds = stack.speak(codes, torch.nn.functional.normalize(torch.ones(2, 4), dim=1), [0, 1])
    assert [len(sound) for sound in sounds] == [8 * stack.sample_rate // stack.rate, 0]
    assert stack.hear([empty, *sounds], "th")[::2] == [[], []]
    assert [track is None for track in stack.tracks(sounds)] == [False, True]
    assert [len(energy) for energy in stack.energies(sounds)] == [16, 0]


def test_syllables_and_tones_come_from_the_lexicon_and_an_unknown_word_has_none(project):
    thai = tiny_stack(["th"]).languages["th"]
    assert (thai.code, thai.name) == ("th", "Thai")
    assert thai.syllables(["ที่", "เป็น"]) == [("tʰiː", "F"), ("pen", "M")]
    assert thai.syllables(["เป็น", "ไม่มีคำนี้"]) == []


def test_policies_start_from_another_backbone_where_the_run_asks_for_it(project, monkeypatch):
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    (project / "artifacts").mkdir()
    (project / "artifacts" / "parts").symlink_to(ROOT / "artifacts" / "parts")
    params = load_params(project / "params" / "no-clock.yaml")
    embedded, about = load_backbone("lo"), replace(params.backbone, utterances=8, steps=2)
    assert embedded.config.pace > 0
    assert set(run_own(replace(params, backbone=about))) == {"backbone"}
    for lang in ("th", "lo"):
        other = load_backbone(lang)
        assert other.config == replace(embedded.config, pace=0.0)
        moved = [(a - b).abs().max() for a, b in zip(other.parameters(), embedded.parameters(), strict=True)]
        assert 0 < max(moved) < 0.01  # two steps from the embedded weights, no new ones
    run_own(replace(params, backbone=None))
    assert load_backbone("lo").config == embedded.config
