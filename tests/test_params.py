import copy
import typing
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.fields import build
from sebridge_lite.core.params import PROFILES, CorpusParams, Params, load_params, section_from

ROOT = Path(__file__).parents[1]
LITE = yaml.safe_load((ROOT / "params" / "lite.yaml").read_text(encoding="utf-8"))


def complaint(tree: dict) -> str:
    with pytest.raises(UserError) as caught:
        build(Params, tree, "params.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(key: str, value) -> dict:
    tree = copy.deepcopy(LITE)
    tree["corpus"][key] = value
    return tree


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_loads_and_names_itself(name):
    assert load_params(ROOT / "params" / f"{name}.yaml").profile == name


def keys(tree: dict) -> list:
    return [(key, keys(value) if isinstance(value, dict) else None) for key, value in tree.items()]


def test_profiles_share_one_key_tree_in_one_order():
    trees = [yaml.safe_load((ROOT / "params" / f"{name}.yaml").read_text(encoding="utf-8")) for name in PROFILES[:3]]
    assert keys(trees[0]) == keys(trees[1]) == keys(trees[2])


@pytest.mark.parametrize("name", PROFILES)
def test_every_line_says_where_its_number_comes_from(name):
    for line in (ROOT / "params" / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        value = line.partition(" # ")[0].partition(":")[2]
        if value.strip() and not line.startswith("#"):
            comment = line.partition(" # ")[2]
            assert comment.startswith("ours: ") or any(
                mark in comment for mark in ("Sec. ", "Table ", "Eq. ", "F.", "D.")
            ), line


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        ("alphas", [0.5, 1.7], ["corpus.alphas[1]", "1.7", "[0, 1]"]),
        ("alphas", 0.5, ["corpus.alphas", "0.5", "list", "[0, 1]"]),
        ("alphas", [], ["corpus.alphas", "list"]),
        ("alphas", [0.5, 0.8, 0.5], ["corpus.alphas", "0.5", "twice"]),
        ("duration_ratio", [2.0, 0.5], ["corpus.duration_ratio", "[2.0, 0.5]", "[low, high]"]),
        ("duration_ratio", [0.5, 1.0, 2.0], ["corpus.duration_ratio", "[low, high]"]),
        ("real_minutes", -3.0, ["corpus.real_minutes", "-3.0", "(0, 60000]"]),
        ("real_minutes", "1e-5", ["corpus.real_minutes", "'1e-5'", "text", "1.000000e-05"]),
        ("real_minutes", True, ["corpus.real_minutes", "True", "a number"]),
        ("real_minutes", float("nan"), ["corpus.real_minutes", "nan"]),
        ("dev_texts", 3.5, ["corpus.dev_texts", "3.5", "a whole number"]),
        ("shared_domain", "yes", ["corpus.shared_domain", "'yes'", "true or false"]),
        ("real_source", "cloud", ["corpus.real_source", "'cloud'", "studio, folder"]),
        ("zipf", None, ["corpus.zipf", "None", "[0, 3]"]),
    ],
)
def test_a_bad_value_names_file_key_value_and_what_is_allowed(key, value, parts):
    message = complaint(changed(key, value))
    assert all(part in message for part in ["params.yaml", *parts]), message


def test_an_unknown_key_is_named_with_the_known_ones():
    assert "corpus.alpha: unknown key" in complaint(changed("alpha", 0.5))


def test_a_missing_key_is_named_with_what_it_allows():
    tree = copy.deepcopy(LITE)
    del tree["corpus"]["slip_rate"]
    assert "corpus.slip_rate: missing; a number in [0, 1]" in complaint(tree)


def test_another_backbone_is_the_studio_s_alone():
    tree = yaml.safe_load((ROOT / "params" / "no-clock.yaml").read_text(encoding="utf-8"))
    build(Params, tree, "params.yaml")
    tree["stack"] = "own"
    assert "backbone: the stack own has its own; write null" in complaint(tree)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [1", "not YAML"),
        ("", "holds no keys"),
        ("seed: 1\nseed: 2\n", "seed stands twice"),
        ("a: 'x\n", "not YAML"),
    ],
)
def test_a_broken_file_gives_one_line(tmp_path, text, part):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=part) as caught:
        load_params(path)
    assert "params.yaml" in str(caught.value)


def test_a_notebook_builds_the_section_from_its_own_names():
    names = {**LITE["corpus"], "np": object(), "In": []}
    assert section_from("corpus", names) == load_params(ROOT / "params" / "lite.yaml").corpus


NUMBERS = [name for name, kind in typing.get_type_hints(CorpusParams).items() if kind in (int, float)]


@given(st.sampled_from(NUMBERS), st.one_of(st.floats(), st.integers(), st.text(max_size=5), st.none(), st.booleans()))
def test_any_number_is_either_in_range_or_refused_in_one_line(key, value):
    spec = CorpusParams.__dataclass_fields__[key].metadata
    try:
        kept = getattr(build(Params, changed(key, value), "params.yaml").corpus, key)
    except UserError as error:
        assert f"corpus.{key}" in str(error)
    else:
        assert spec["low"] <= kept <= spec["high"]
