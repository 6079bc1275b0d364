"""The hub stacks on tiny models in the released formats: from recordings through SFT, pairs, DGSA, TDSC to scores."""

import copy
import dataclasses
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fake_stack import CODES, LANG, Greek, Tones, recorded, tokens_of
from tiny_hub import cosyvoice, neucodec, neutts, onnx_argmax, onnx_mean, wavlm

from sebridge_lite.align.critic import fit_length
from sebridge_lite.align.dgsa import train as dgsa
from sebridge_lite.align.methods import method_of
from sebridge_lite.align.pairs import triplets_of
from sebridge_lite.align.runs import Run
from sebridge_lite.align.tdsc import Loop, Speech, tdsc
from sebridge_lite.cli.export import export
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.core.study_params import HubParams
from sebridge_lite.experiments.own import examined, run_own
from sebridge_lite.lm import lora
from sebridge_lite.lm.lm import load_backbone
from sebridge_lite.lm.lora import has_adapter, load_policy, merge_lora, save_policy
from sebridge_lite.lm.released import load_causal, load_cosyvoice
from sebridge_lite.lm.sampling import SamplerConfig
from sebridge_lite.lm.sft import fine_tune
from sebridge_lite.measure.evaluate import evaluate
from sebridge_lite.measure.scoring import load_references
from sebridge_lite.stack import judges
from sebridge_lite.stack.cosyvoice2 import Campplus, OfficialDecoder, OnnxTokenizer
from sebridge_lite.stack.hub import APART, Likeness, hub_stack
from sebridge_lite.stack.neutts import Codec
from sebridge_lite.stack.stacks import load_stack

ROOT = Path(__file__).parents[1]
SMOKE = load_params(ROOT / "params" / "smoke.yaml")
CPU = torch.device("cpu")
SAMPLER = SamplerConfig(temperature=0.2, top_p=0.9, window=0, tau=0.1, min_ratio=1, max_ratio=3, seed=0)
FAMILIES = ("cosyvoice2", "neutts")


class Spelt(Tones):
    """What stands for flow and vocoder, or for the codec: tones at 8 kHz, which the test's judges read."""

    rate = Tones.rate


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("hub")
    cosyvoice(home / "cosyvoice2")
    neutts(home / "neutts")
    neucodec(home / "codec")
    wavlm(home / "wavlm")
    recorded(home)
    return home


def hub_params(home, family, **more):
    how = {"family": family, "model": str(home / family), "lm": "llm.pt" if family == "cosyvoice2" else ""}
    how |= {"codec": str(home / "codec") if family == "neutts" else "", "speaker": str(home / "wavlm")}
    hub = HubParams(**how | {"voice": str(home / "0.wav"), "checkpointing": False} | more)
    roles = replace(SMOKE.roles, dgsa=LANG, tdsc="none")
    named = replace(SMOKE.judge, score="spelling:ears", select="spelling:eyes")
    text = replace(SMOKE.text, units="phones" if family == "neutts" else "characters")
    sft = replace(SMOKE.sft, steps=40, lr=2e-2, warmup=5, budget=500, style_tokens=6)
    return replace(SMOKE, stack="hub", hub=hub, roles=roles, judge=named, text=text, sft=sft)


def spelling(place, device):
    """A judge of sound that reads the letters off the tones."""

    def listen(sounds, lang):
        back = [torch.from_numpy(judges.resample(s.numpy(), judges.RATE, Tones.sample_rate)) for s in sounds]
        from fake_stack import Spelling

        return [" ".join(words) for words in Spelling("", "sound").words(back, lang)]

    return listen


@pytest.fixture
def told(monkeypatch):
    """Judges that can read tones, and a decoder and a tokenizer that speak them, for every hub stack."""
    monkeypatch.setitem(judges.LOADERS, "spelling", spelling)
    monkeypatch.setattr("sebridge_lite.stack.own.language", lambda lang: Greek(LANG, "Greek", ("GREEK",), str.split))
    monkeypatch.setattr("sebridge_lite.stack.hub.language", lambda lang: Greek(LANG, "Greek", ("GREEK",), str.split))


def spoken_by(stack, home):
    """The stack with parts that a test can read: everything else is the released model's own."""
    tones = Spelt()
    select = replace(stack.select_judge, decoder=tones, judge=replace(stack.select_judge.judge, rate=tones.sample_rate))
    speaker = replace(stack.speaker, rate=tones.sample_rate, xvector=None)
    select = replace(select, voice=lambda: torch.ones(1, 1))
    score = replace(stack.score_judge, rate=tones.sample_rate)
    loud = types.SimpleNamespace(
        sample_rate=tones.sample_rate, speak=lambda codes, voices, seeds: tones.speak(codes, voices * 0 + 0.8, seeds)
    )
    return replace(stack, tokenizer=tones, decoder=loud, speaker=speaker, select_judge=select, score_judge=score)


@pytest.mark.parametrize("family", FAMILIES)
def test_from_recordings_to_scores_on_adapters_alone(folders, told, tmp_path, monkeypatch, family):
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path))
    monkeypatch.setattr(lora, "BIG", 1)
    monkeypatch.setattr(lora, "RANK", 8)
    params, utterances = hub_params(folders, family), recorded(folders)
    monkeypatch.setattr("sebridge_lite.experiments.own.examined", lambda params: dataclasses.asdict(params.hub))
    run_own(params)
    stack = spoken_by(load_stack([LANG], "spelling:ears", "cpu", "spelling:eyes"), folders)
    assert stack.hear(stack.load(utterances, folders), LANG) == [list(u.words) for u in utterances]
    codes = stack.tokens(stack.load(utterances, folders))
    texts = [stack.text.encode(u.text) for u in utterances]

    model = load_backbone(LANG)
    released = {name: weights.clone() for name, weights in model.state_dict().items()}
    done = fine_tune(model, list(zip(texts, codes, strict=True)), [u.speaker for u in utterances], params.sft, 0,
                     tmp_path / "sft-work", "sft")  # fmt: skip
    losses = pd.read_csv(tmp_path / "sft-work" / "loss.csv")["loss"]
    assert has_adapter(model) and done.loss < losses[0] - 0.5
    save_policy(model, tmp_path / "sft" / "model")
    policy = load_policy(tmp_path / "sft" / "model", LANG, CPU)
    kept = policy.state_dict()
    assert all(torch.equal(weights, kept[name.replace("proj.", "proj.base_layer.") if "proj." in name else name])
               for name, weights in released.items())  # fmt: skip

    save_policy(model, tmp_path / "artifacts" / "tuned" / "model")
    out = folders / family / "tuned.pt" if family == "cosyvoice2" else tmp_path / "tuned"
    assert "as " + family in export(params, Path("tuned"), out)
    again = load_cosyvoice(out) if family == "cosyvoice2" else load_causal(str(out))
    merged = merge_lora(copy.deepcopy(policy)).state_dict()
    assert all(torch.allclose(weights, merged[name], atol=1e-5) for name, weights in again.state_dict().items())

    hot = replace(SAMPLER, temperature=1.5, top_p=1.0)
    triplets, _ = triplets_of(
        policy, stack, utterances, codes, {"expr": hot, "stab": hot}, samples=1, most=0.0, style_tokens=4, seed=0
    )
    assert triplets
    p = replace(params.align, steps=(2, 4), warmup=0, lr=1e-3, budget=400)
    aligned = copy.deepcopy(policy)
    run = Run(method_of("align", "dgsa"), replace(params, align=p), 0.8, 0, tmp_path / "dgsa")
    done, about = dgsa(aligned, triplets, run)
    assert (done.steps, about["pairs"]) == (4, len(triplets))
    after = load_policy(tmp_path / "dgsa" / "step-4" / "model", LANG, CPU)
    assert not torch.equal(*(next(w for n, w in m.named_parameters() if ".lora_B." in n) for m in (after, policy)))

    filters = {"max_wer": 0.4, "shortest": 0.3, "longest": 3.0, "max_rep": 2.0, "matched": False}
    how = {"iterations": 1, "candidates": 6, "cold": 0.2, "plain": 1.0, "steps": 3, "dpo_steps": 2, "dpo_warmup": 0}
    speech = [Speech(text, row, u.speaker) for text, row, u in zip(texts, codes, utterances, strict=True)]
    length = fit_length([u.text for u in utterances], codes)
    sampling = replace(params.sampling, window=0, min_ratio=1, max_ratio=3)

    def listen(rows):
        """The judge that selects; every second candidate it finds right, or so little training would leave none."""
        read = stack.read(rows, LANG)
        return [list(utterances[i // 6].words) if i % 2 else words for i, words in enumerate(read)]

    loop = Loop("tdsc", 0, replace(params.tdsc, **filters, **how), params.sft, sampling, stack.text.encode, listen, length,
                speech, tmp_path / "tdsc")  # fmt: skip

    def keep(k, policy, spoken, about):
        save_policy(policy, tmp_path / "kept" / "model")
        return load_policy(tmp_path / "kept" / "model", LANG, CPU)

    assert tdsc(loop, policy, lambda k: utterances, keep) == 1
    references = load_references(stack, utterances, folders, LANG)
    scores = evaluate(after, stack, references, SAMPLER, silence=[], seed=0, candidates=1, floor=0.0)
    found = {name: interval.mean for name, interval in scores.summary.items()}
    assert np.isfinite([found["wer"], found["hp"], found["sim"]]).all()
    assert (tmp_path / "tdsc" / "k1" / "dpo" / "loss.csv").is_file()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_hub_run_looks_at_its_model_before_it_starts(folders, told, family, tmp_path, monkeypatch):
    monkeypatch.setattr("sebridge_lite.stack.cosyvoice2.OnnxTokenizer.codes", CODES)
    monkeypatch.setattr("sebridge_lite.stack.neutts.Codec.codes", CODES)
    params = hub_params(folders, family)
    assert examined(params) == dataclasses.asdict(params.hub)
    for change, says in (
        ({"hub": None}, "stack is hub, but there is no section hub"),
        ({"judge": replace(params.judge, select="own")}, "a released model brings no judge; name two unlike ones"),
        ({"judge": replace(params.judge, select="spelling:ears")}, "name two unlike ones"),
        ({"judge": replace(params.judge, select="psychic:ears")}, "judge 'psychic:ears': give own, or one of"),
        ({"hub": replace(params.hub, model="nowhere")}, "nowhere"),
    ):
        with pytest.raises(UserError, match=says):
            examined(replace(params, **change))
    monkeypatch.setattr("sebridge_lite.stack.cosyvoice2.OnnxTokenizer.codes", CODES + 1)
    monkeypatch.setattr("sebridge_lite.stack.neutts.Codec.codes", CODES + 1)
    with pytest.raises(UserError, match="tokenizer, codec and LM are not of one model"):
        examined(params)
    if family == "neutts":
        with pytest.raises(UserError, match="neutts reads phones; write phones"):
            examined(replace(params, text=SMOKE.text))


def test_the_codec_takes_sound_to_tokens_and_back(folders):
    codec = Codec(str(folders / "codec"), CPU)
    assert (codec.codes, codec.rate, codec.sample_rate) == (32, 50, 24_000)
    torch.manual_seed(0)
    sounds = [0.1 * torch.randn(24_000), 0.1 * torch.randn(12_000)]
    codes = codec.encode(sounds)
    assert [len(row) for row in codes] == [50, 25] and max(int(row.max()) for row in codes) < 32
    assert [len(sound) for sound in codec.speak(codes, torch.zeros(2, 1), [0, 0])] == [24_000, 12_000]


def test_similarity_is_wavlms_twelfth_layer_and_the_x_vector_does_not_count(folders):
    from transformers import WavLMModel

    torch.manual_seed(0)
    sounds = [0.1 * torch.randn(16_000), 0.1 * torch.randn(8_000)]
    net = WavLMModel.from_pretrained(folders / "wavlm").eval()
    with torch.no_grad():
        means = [net(s[None], output_hidden_states=True).hidden_states[12][0].mean(0) for s in sounds]
    by_hand = torch.cosine_similarity(*means, dim=0)
    apart = iter([torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])])
    voices = Likeness(str(folders / "wavlm"), 16_000, CPU, lambda sound: next(apart)).embed(sounds)
    assert voices[0] @ voices[1] == pytest.approx(float(by_hand), abs=1e-6)
    torch.testing.assert_close(voices[:, -2:] / APART, torch.eye(2))
    with pytest.raises(UserError, match="too short or silent to tell a voice"):
        Likeness(str(folders / "wavlm"), 16_000, CPU).embed([torch.zeros(16_000)])
    wavlm(folders / "shallow", layers=2)
    with pytest.raises(UserError, match=r"2 layers, Eq. 26 takes the 12th"):
        Likeness(str(folders / "shallow"), 16_000, CPU).embed(sounds)


def test_onnx_files_are_run_as_published(tmp_path):
    pytest.importorskip("onnxruntime")  # of the extra `hub`
    onnx_argmax(tmp_path / "speech_tokenizer_v2.onnx")
    onnx_mean(tmp_path / "campplus.onnx")
    torch.manual_seed(0)
    sound = 0.1 * torch.randn(24_000)
    (codes,) = OnnxTokenizer(tmp_path, 24_000).encode([sound])
    assert codes.dtype == torch.long and len(codes) == 25  # a second
    assert Campplus(tmp_path)(sound[:16_000]).shape == (80,)
    with pytest.raises(UserError, match="recording 1: 31 s; the tokenizer takes 30: cut it"):
        OnnxTokenizer(tmp_path, 24_000).encode([sound, torch.zeros(31 * 24_000)])
    (tmp_path / "campplus.onnx").write_bytes(b"half")
    with pytest.raises(UserError, match="not a whole ONNX file"):
        Campplus(tmp_path)(sound)
    with pytest.raises(UserError, match="not there; the folder of a released CosyVoice holds it"):
        OnnxTokenizer(tmp_path / "no", 24_000).encode([sound])


def test_the_decoder_of_cosyvoice_is_its_own_package(tmp_path, monkeypatch):
    decoder, voices = OfficialDecoder(tmp_path, CPU, timbre=2), torch.tensor([[0.6, 0.8, APART, 0.0]])
    monkeypatch.setitem(sys.modules, "cosyvoice.cli.cosyvoice", None)
    with pytest.raises(UserError, match="needs the package cosyvoice"):
        decoder.speak([torch.arange(3)], voices, [0])
    calls = []

    class Model:
        hift_cache_dict: dict = {}  # noqa: RUF012

        def token2wav(self, token, prompt_token, prompt_feat, embedding, token_offset, uuid, finalize):
            calls.append(
                (token.tolist(), embedding.tolist(), prompt_feat.shape[1], self.hift_cache_dict[uuid], finalize)
            )
            return torch.rand(1, 960 * token.shape[1])

    package = types.SimpleNamespace(AutoModel=lambda model_dir: types.SimpleNamespace(model=Model()))
    monkeypatch.setitem(sys.modules, "cosyvoice.cli.cosyvoice", package)
    (sound,) = decoder.speak([torch.arange(3)], voices, [0])
    assert len(sound) == 3 * 960 and calls == [([[0, 1, 2]], [[1.0, 0.0]], 0, None, True)]
    (again,) = decoder.speak([torch.arange(3)], voices, [0])
    assert torch.equal(sound, again)


def test_a_judge_of_sound_selects_in_one_voice(folders, told):
    about = dataclasses.asdict(hub_params(folders, "neutts").hub)
    stack = spoken_by(hub_stack(about, [LANG], "spelling:ears", "spelling:eyes", CPU), folders)
    assert (stack.select_judge.name, stack.select_judge.hears) == ("spelling:eyes", "tokens")
    assert stack.read([tokens_of("μια νεα"), tokens_of("καλη")], LANG) == [["μια", "νεα"], ["καλη"]]
