"""`sebridge export`: a policy of the hub stack in the released model's own format, for whoever runs the official code."""

from pathlib import Path

import torch

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError, given
from sebridge_lite.core.params import Params
from sebridge_lite.experiments.bench import languages, made
from sebridge_lite.lm.lora import load_policy, merge_lora
from sebridge_lite.lm.released import save_causal, save_cosyvoice


def export(params: Params, policy: Path, out: Path) -> str:
    """What was written where. policy: its place in artifacts/, such as sft/s0/additive-0.80"""
    if params.stack != "hub":
        raise UserError(f"params.yaml: stack: {params.stack}: only policies of the hub stack have a released format")
    if out.exists():
        raise UserError(f"{out}: is there already; name another place")
    hub = given(params.hub, "params.yaml: hub", "params/paper.yaml has one to start from")
    folder = made(paths.artifacts() / policy, "sft")
    model = merge_lora(load_policy(folder / "model", languages(params)[0], torch.device("cpu")))
    if hub.family == "cosyvoice2":
        save_cosyvoice(model, Path(hub.model) / hub.lm, out)
    else:
        save_causal(model, hub.model, out)
    return f"{out}: {policy} as {hub.family} has it"
