"""`sebridge clone`: a text in somebody's voice, of whom there is a short recording and a consent record; both are demanded.

What comes out is marked and says where it comes from. Left out: recognising who speaks, so that consent is the asker's word.
"""

import datetime
from pathlib import Path

import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import Params, active_params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.experiments.cloning import policy_weights
from sebridge_lite.experiments.policies import sampler_of
from sebridge_lite.experiments.systems import pair_of
from sebridge_lite.experiments.train_parts import DECODING
from sebridge_lite.extras.consent import check_consent, read_consent, refuse_overwriting
from sebridge_lite.extras.provenance import provenance_of, write_wav
from sebridge_lite.extras.references import language_of, read_reference
from sebridge_lite.extras.watermark import embed
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.lm.sampling import generate
from sebridge_lite.measure.scoring import speaker_similarity, tracks_of
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.features import SAMPLE_RATE
from sebridge_lite.stack.stack import Stack, load_stack, pretrained_folder
from sebridge_lite.stack.weights import load_model


def spoken(
    stack: Stack, text: str, reference: torch.Tensor, name: str, style: bool, seed: int, params: Params
) -> torch.Tensor:
    """(N,) at 16 kHz: the text by a policy, in the voice of the reference."""
    weights, report = policy_weights(name, params.cells.seeds[0])
    model = load_model(TextSpeechLM, LMConfig, weights).to(stack.device)
    sampler = sampler_of(params.sampling, seed, report.get("temperature"))
    prefix = stack.tokens([reference])[0][: params.sft.style_tokens if style else 0]
    ((codes,),) = generate(model, [CharVocab().encode(text)], [prefix], sampler)
    if not len(codes):
        raise UserError(f"text '{text[:20]}': the policy said nothing; try another --seed")
    return stack.speak([codes], stack.timbres([reference]), [seed_of(seed, "sound", text)])[0]


def clone(
    text: str,
    reference: Path,
    consent: Path,
    out: Path,
    *,
    style: bool = True,
    seed: int = 0,
    today: datetime.date | None = None,
) -> list[str]:
    """Lines for `sebridge clone`; the WAV is in `out`."""
    today = today or datetime.date.today()
    record = read_consent(consent)
    check_consent(record, reference, today)
    refuse_overwriting(out, reference, consent)
    params = active_params()
    name = pair_of(language_of(text), params)[1]
    stack = load_stack(pretrained_folder(), [], DECODING)
    voice = read_reference(reference, stack, params.systems.two_voices)
    sound = spoken(stack, text, voice, name, style, seed, params)
    write_wav(out, embed(sound.numpy()), SAMPLE_RATE, provenance_of(name, text, record, today))
    alike = speaker_similarity(stack, tracks_of([sound], stack.device), stack.timbres([voice]))[0]
    told = f"similarity to the reference {alike:.2f}" if alike == alike else "too short to tell the voice"
    return [f"{out}: {len(sound) / SAMPLE_RATE:.1f} s by {name}, {told}",
            f"consent of {record.who} for {record.purpose} until {record.until}; marked, `sebridge detect` finds it"]  # fmt: skip
