import json
from dataclasses import dataclass, replace

import pytest
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack.parts import load_config, load_model, save_model


@dataclass(frozen=True)
class ToyConfig:
    width: int
    rate: float
    levels: tuple[int, ...]


class Toy(torch.nn.Module):
    def __init__(self, config: ToyConfig):
        super().__init__()
        self.layer = torch.nn.Linear(3, config.width)
        self.tied = torch.nn.Linear(3, config.width)
        self.tied.weight = self.layer.weight
        self.register_buffer("codes", torch.arange(config.width) * 100_003)


CONFIG = ToyConfig(width=4, rate=0.5, levels=(3, 3))


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = Toy(CONFIG)
    save_model(model, CONFIG, tmp_path / "toy.v0.8")
    return model, tmp_path / "toy.v0.8"


def load(path, **more):
    return load_model(Toy, ToyConfig, path, **more)


def expect_line(said: str, path, **more) -> None:
    with pytest.raises(UserError, match=said) as error:
        load(path, **more)
    assert "\n" not in str(error.value)


def test_weights_and_settings_come_back_as_they_were_tied_ones_too(saved):
    model, path = saved
    again = load(path)
    assert load_config(ToyConfig, path) == CONFIG
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert not again.training


def test_half_storage_is_smaller_loads_as_float32_and_leaves_whole_numbers_alone(tmp_path):
    model, config = Toy(replace(CONFIG, width=4_000)), replace(CONFIG, width=4_000)
    save_model(model, config, tmp_path / "full")
    save_model(model, config, tmp_path / "half", half=True)
    again = load(tmp_path / "half")
    assert again.layer.weight.dtype == torch.float32
    torch.testing.assert_close(again.layer.weight, model.layer.weight, rtol=1e-3, atol=1e-6)
    assert torch.equal(again.codes, model.codes)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.7 * sizes[1]


def test_weights_beyond_half_precision_are_refused_not_rounded_to_infinity(tmp_path):
    model = Toy(CONFIG)
    model.layer.weight.data[0, 0] = 1e6
    with pytest.raises(UserError, match="fp16"):
        save_model(model, CONFIG, tmp_path / "toy", half=True)
    assert not list(tmp_path.iterdir())


def test_nan_weights_are_neither_saved_nor_loaded(saved):
    model, path = saved
    before = path.with_name("toy.v0.8.safetensors").read_bytes()
    model.layer.bias.data[1] = float("nan")
    with pytest.raises(UserError, match=r"layer\.bias holds NaN"):
        save_model(model, CONFIG, path)
    assert path.with_name("toy.v0.8.safetensors").read_bytes() == before

    from safetensors.torch import save_file

    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(state, path.with_name("toy.v0.8.safetensors"))
    expect_line(r"layer\.bias holds NaN", path)


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path):
    expect_line("nowhere.json: not there; `dvc pull`", tmp_path / "nowhere")


@pytest.mark.parametrize("keep", [0, 4, 200])
def test_a_torn_weights_file_is_one_clear_line(saved, keep):
    _, path = saved
    file = path.with_name("toy.v0.8.safetensors")
    file.write_bytes(file.read_bytes()[:keep])
    expect_line("not a whole safetensors file", path)


def test_weights_of_another_size_are_named_with_both_shapes(saved):
    _, path = saved
    file = path.with_name("toy.v0.8.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "width": 5}))
    expect_line(r"of another model than toy.v0.8.json says.*codes.*\[4\].*\[5\]", path)


@pytest.mark.parametrize(("text", "said"), [("{", "not JSON"), ("[]", "not an object"), ('{"size": 1}', "unknown key")])
def test_broken_settings_are_one_clear_line(saved, text, said):
    _, path = saved
    path.with_name("toy.v0.8.json").write_text(text)
    expect_line(said, path)
