"""Your own speech, in a third script, from a folder to aligned policies, by commands alone."""

import json
import shutil
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from sebridge_lite.cli.main import main
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import active_params
from sebridge_lite.data.languages import language
from sebridge_lite.experiments.bench import load_bench
from sebridge_lite.experiments.floors import mend_of
from sebridge_lite.stack.judges import NamedJudge, most_tokens, named_judge
from sebridge_lite.stack.own import Letters, spelt, units_of
from sebridge_lite.stack.stacks import load_stack
from sebridge_lite.studio.teach import train_parts
from tests import toy_engine

ROOT = Path(__file__).parents[1]
PLACES = product(
    ("კატა", "ძაღლი", "ქალი"), ("ახლა", "დილით", "მალე"), ("ხედავს", "ეძებს", "იცნობს"), ("სახლს", "მზეს", "ზღვას")
)
TEXTS = [" ".join(words) for words in PLACES]
ENGINE = f"{sys.executable} {Path(toy_engine.__file__)} {{text}} {{out}}"
TINY = {"width": 16, "blocks": 1, "steps": 12, "lr": 2.0e-3, "budget": 1_000}


def small(params: dict) -> dict:
    """The profile that `sebridge new` has written, so small that a test can wait for it."""
    params["cells"] |= {
        "arms": ["additive-0.25", "additive-0.50", "additive-1.00"],
        "align": ["dgsa"],
        "align_decoded": ["sft"],
    }
    params["cells"] |= {"critique": ["tdsc"], "critique_decoded": []}
    params["corpus"] |= {"real_minutes": 1.0, "synthetic_minutes": 1.0, "backbone_minutes": 0.5, "max_stuck": 1.0}
    params["corpus"]["backbone_engines"] = [f"low={ENGINE} 90", f"high={ENGINE} 200"]
    params["own"] |= dict.fromkeys(("tokenizer", "flow", "score_judge", "select_judge", "lm"), TINY)
    params["own"] |= {"speaker": TINY | {"steps": 0}, "vocoder": TINY | {"steps": 2, "budget": 4}}
    params["own"]["score_judge"] = TINY | {"steps": 1}  # hears no word right, which stops nothing
    params["own"] |= {"begun": False, "levels": [3, 3, 3], "decoder_minutes": 0.3, "spectrum": 1.0, "real_share": 0.5}
    params["confirm"] |= {"align": ["sft", "dgsa"], "tdsc": ["sft", "tdsc"]}
    params["listening"] |= {"systems": ["additive-0.50", "dgsa"]}
    params["sft"] |= {"steps": 4, "budget": 800}
    params["align"] |= {"arm": "additive-0.50", "steps": [2], "temperatures": [1.0], "dev_texts": 4, "curve_texts": 4}
    params["align"] |= {"warmup": 1, "decoded": 2, "real_error": 1.0}
    params["tdsc"] |= {
        "start_steps": 4,
        "iterations": 1,
        "texts": 4,
        "candidates": 3,
        "max_wer": 100.0,
        "max_rep": 100.0,
    }
    params["tdsc"] |= {"shortest": 0.0, "longest": 100.0, "steps": 2, "dpo_steps": 1, "apart": 0.0, "curve_texts": 4}
    return params


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project into which a folder of Georgian has come, by `sebridge new`, and which has its parts and tokens."""
    home, patch = tmp_path_factory.mktemp("own"), pytest.MonkeyPatch()
    folder, recordings = home / "project", home / "recordings"
    shutil.copytree(ROOT / "params", folder / "params")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "artifacts").mkdir()
    (folder / "data").mkdir()
    (folder / "data" / "text").symlink_to(ROOT / "data" / "text")
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    for name in ("parts", "judges"):
        (folder / "artifacts" / name).symlink_to(ROOT / "artifacts" / name)
    for place, text in enumerate(TEXTS):
        file = recordings / ("first" if place % 2 else "second") / f"{place}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, toy_engine.say(text, 150.0, lively=0.3), toy_engine.RATE)
        file.with_suffix(".txt").write_text(text, encoding="utf-8")
    patch.chdir(folder)
    patch.delenv("SEBRIDGE_OUTPUTS", raising=False)
    patch.setenv("SEBRIDGE_WORKERS", "1")
    assert main(["new", "--real", str(recordings), "--lang", "ka", "--engine", f"toy={ENGINE}"]) == 0
    written = folder / "params" / "own.yaml"
    written.write_text(yaml.safe_dump(small(yaml.safe_load(written.read_text(encoding="utf-8")))), encoding="utf-8")
    assert main(["profile", "own", "--force"]) == 0
    for command in ("import", "own", "encode", "floors"):
        assert main([command]) == 0, command
    yield folder
    patch.undo()


def test_policies_of_your_own_speech_are_trained_aligned_and_scored(project):
    commands = [*(f"sft additive-{alpha} --seed 0" for alpha in ("0.25", "0.50", "1.00")), "score sft --seed 0"]
    commands += ["pairs --seed 0", "align dgsa --seed 0", "choose", "score align --seed 0"]
    commands += ["critique sft --seed 0", "critique tdsc --seed 0", "score critique --seed 0"]
    for command in commands:
        assert main(command.split()) == 0, command
    for place in ("sft/s0/additive-0.50", "align/s0/dgsa", "critique/s0/tdsc"):
        files = list((project / "artifacts" / "scores" / place).rglob("summary.json"))
        measured = [json.loads(file.read_text()) for file in files]
        assert measured and all(np.isfinite(scores["wer"]) for scores in measured), place
        assert not [name for scores in measured for name in scores if name.startswith("tone")]  # nobody knows any


def test_a_page_tells_what_came_out(project):
    for command in ("run scaling", "run your_data", "claims", "report"):
        assert main(command.split()) == 0, command
    page = (project / "results" / "report" / "report.html").read_text(encoding="utf-8")
    assert "recordings of people" in page and "never human" not in page
    assert main(["claims", "--publish"]) == 0  # beside the studio's evidence, which stays as it is
    kept = json.loads((project / "results" / "real" / "summary.json").read_text(encoding="utf-8"))
    assert kept["stack"] == "own" and kept["tables"]["table1"]
    assert not (project / "results" / "summary.json").exists()
    claims = json.loads((project / "results/claims/claims.json").read_text())
    words = {claim["id"]: claim["verdict"] for claim in claims}
    assert words.pop("C3") == "not testable here" and set(words.values()) == {"not tested"}


def test_a_part_that_is_trained_is_not_trained_again_after_a_stop(project, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    there = (project / "artifacts" / "own" / "parts" / "tokenizer.safetensors").read_bytes()
    monkeypatch.setattr(train_parts, "train_flow", stopped)
    assert main(["own"]) == 1
    monkeypatch.setattr(train_parts, "tokenizer_loss", lambda *_, **__: pytest.fail("trained again"))
    assert main(["own"]) == 1
    assert (project / "artifacts" / "own" / "parts" / "tokenizer.safetensors").read_bytes() == there


def test_the_stack_is_your_own_and_the_studio_stays(project):
    bench = load_bench(active_params())
    stack, said = bench.stack, bench.utterances("test")[0]
    assert stack.codes == 27 and list(stack.languages) == ["ka"]
    assert set(said.words) <= set(stack.language("ka").lexicon)
    assert stack.language("ka").syllables(said.words) == []
    assert load_stack(["th"]).codes == 729
    with pytest.raises(UserError, match="speak ka alone"):
        load_stack(["ka", "th"])


def test_the_backbone_reads_other_texts_than_dev_and_test_in_other_voices(project):
    bench = load_bench(active_params())
    held_out = {said.words for name in ("dev", "test") for said in bench.utterances(name)}
    assert not held_out & {said.words for said in bench.utterances("backbone")}
    assert {said.engine for said in bench.utterances("backbone")} == {"low", "high"}
    read = {word for said in bench.utterances("backbone") for word in said.words}  # by TDSC's loop
    assert read <= set(bench.stack.language("ka").lexicon)
    assert {said.engine for said in bench.utterances("synthetic")} == {"toy"}


def test_a_letter_that_training_never_met_is_known_as_such():
    letters, units = Letters("abˈ "), units_of("abˈ ")
    assert letters.encode("ba c").tolist() == [2, 1, 4, 0]
    assert units == {"a": 1, "b": 2} and spelt("ˈba c", units) == [2, 1]
    with pytest.raises(UserError, match="empty"):
        letters.encode(" ")


def test_a_high_floor_is_explained_by_what_it_rests_on():
    names = [f"ru_{kind}_{how}" for kind in ("people", "engines") for how in ("recorded", "resynthesised")]

    def mends(judge, *errors):
        found = dict(zip(names, errors, strict=True))
        return [mend_of(name, found, judge) for name in names]

    assert mends("own", 0.1, 0.3, 0.2, 0.3) == [""] * 4
    assert [mend[:19] for mend in mends("own", 0.1, 0.4, 0.5, 0.6)] == [
        "",
        "train tokenizer and",
        "train the judge lon",
        "",
    ]
    larger = "whisper:tiny does not understand them: name a larger one, or own, in judge.score"
    engine = larger + ", or study an engine that it understands"
    assert mends("whisper:tiny", 0.4, 0.5, 0.9, 0.9) == [larger, "", engine, ""]


def test_a_named_judge_hears_in_the_words_of_the_language():
    tongue = language("en")
    judge = NamedJudge("ctc:toy", {"en": tongue}, torch.device("cpu"))
    judge.__dict__["listen"] = lambda sounds, lang: [f"Hello, {len(sound)} World!" for sound in sounds]
    assert judge.words([torch.zeros(3)] * 9, "en") == [["hello", "3", "world"]] * 9


@pytest.mark.parametrize("name", ["whisper", "nobody:x", ""])
def test_a_judge_that_nobody_knows_is_one_line(name):
    with pytest.raises(UserError, match="give own, or one of faster-whisper:NAME"):
        named_judge(name, {}, torch.device("cpu"))


def test_whisper_may_write_no_more_than_it_can_of_a_sound_longer_than_its_window():
    assert [most_tokens(seconds) for seconds in (0.5, 2.0, 30.0, 73.0)] == [12, 24, 248, 248]


def test_a_judge_that_is_not_there_is_one_line(tmp_path):
    for name in (f"ctc:{tmp_path}", f"whisper:{tmp_path}"):
        with pytest.raises(UserError, match="cannot be loaded"):
            named_judge(name, {"en": language("en")}, torch.device("cpu")).listen([], "en")


def test_a_recogniser_of_transformers_is_a_judge(tmp_path):
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abc"]
    (tmp_path / "vocab.json").write_text(json.dumps({letter: place for place, letter in enumerate(letters)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"))
    Wav2Vec2Processor(feature_extractor=Wav2Vec2FeatureExtractor(), tokenizer=tokenizer).save_pretrained(tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    sizes |= {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(letters), pad_token_id=0, **sizes))
    model.lm_head.weight.data.zero_()
    model.lm_head.bias.data = torch.eye(len(letters))[letters.index("b")] * 9
    model.save_pretrained(tmp_path)
    judge = named_judge(f"ctc:{tmp_path}", {"en": language("en")}, torch.device("cpu"))
    assert judge.words([torch.rand(8_000), torch.rand(16_000)], "en") == [["b"], ["b"]]


def test_ten_more_recordings_are_learnt_from_and_what_was_held_out_stays_so(project):
    """The last test of this file: the corpus is another one afterwards."""
    folder, before = project / "data" / "real", load_bench(active_params())
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    learnt = {said.words for said in before.utterances("real")}
    held_out = {said.words for name in ("dev", "test") for said in before.utterances(name)}
    again = [row for row in rows if tuple(row["text"].split()) in learnt][:10]
    with (folder / "manifest.jsonl").open("a", encoding="utf-8") as manifest:
        for place, row in enumerate(again):
            more = row | {"id": f"{row['id']}-again", "path": f"again-{place}.wav"}
            soundfile.write(folder / more["path"], toy_engine.say(row["text"], 140.0, lively=0.3), toy_engine.RATE)
            manifest.write(json.dumps(more | {"seconds": soundfile.info(folder / more["path"]).duration}) + "\n")
    assert main(["import"]) == 0
    after = load_bench(active_params())
    assert any(said.id.endswith("-again") for said in after.utterances("real"))
    assert held_out <= {said.words for name in ("dev", "test") for said in after.utterances(name)}
    assert not held_out & {said.words for said in after.utterances("real")}
