"""`sebridge clone`: a text in somebody's voice, of whom there is a short recording and a consent record; both are demanded.

What comes out is marked and says where it comes from. A text has to be in one script, and a reference long enough, sound, and
of one voice. Left out: recognising who speaks, so that consent is the asker's word; a reference in which one voice follows
another elsewhere than near its middle, or two talk at once.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import active_params
from sebridge_lite.core.seeds import seed_of
from sebridge_lite.data.data_card import CLIP_LIMIT
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import RATE, Utterance, resample
from sebridge_lite.data.own_data import check_audio
from sebridge_lite.data.own_tables import Fault
from sebridge_lite.experiments.bench import Bench, languages, load_bench
from sebridge_lite.experiments.cloning import policy_of
from sebridge_lite.experiments.systems import pairs_of
from sebridge_lite.extras.consent import check_consent, provenance_of, read_consent, write_wav
from sebridge_lite.extras.watermark import embed
from sebridge_lite.lm.sampling import generate
from sebridge_lite.measure.cloning import two_voices
from sebridge_lite.measure.prosody import SPEECH_DB, speech_frames
from sebridge_lite.measure.scoring import speaker_similarity
from sebridge_lite.stack.stack import Stack
from sebridge_lite.stack.tracks import Tracks

LEAST = 1.0  # seconds of speech in a reference
# What speech has at the least: share of its frames with a pitch, spread of that in semitones, of its level in dB. Of 96 studio
# people and 40 engines none has under 0.64, 0.75 and 5.3; noise has 0.04 of the first, a tone 0.01 of the second.
VOICED, MELODY, LIVELY = 0.2, 0.2, 2.0
TOLD_APART = 2.0  # seconds from which the halves can be told apart: in one of 1 s every fifth voice is unlike itself


def language_of(text: str, codes: Sequence[str]) -> str:
    """The language of a text by its letters, which are of one script."""
    fit = [code for code in codes if not language(code).foreign(text)]
    if len(fit) != 1:
        scripts = " or in ".join(language(code).name for code in codes)
        what = "no letter" if fit else f"not wholly in {scripts} script"
        raise UserError(f"text '{text[:20]}': {what}; write it in one script")
    return fit[0]


def speech_fault(track: Tracks) -> str:
    """What tells a sound from speech, or ''."""
    loud = track.energy > np.percentile(track.energy, 95) - SPEECH_DB
    voiced = loud & (track.f0 > 0)
    if voiced.sum() < VOICED * loud.sum():
        return "hardly any pitch"
    if 12 * np.log2(track.f0[voiced]).std() < MELODY:
        return "one pitch throughout"
    return "one level throughout" if track.energy[loud].std() < LIVELY else ""


def read_reference(path: Path, stack: Stack, least_alike: float) -> torch.Tensor:
    """(N,) from the first sound to the last, of one voice; or one line."""
    place = path.resolve()
    file = Utterance(place.name, "", (), "und", "", "recording", "", place.name, 1.0)
    try:
        checked = check_audio(place.parent, file)
    except Fault as fault:
        how = "give another recording" if "row" in fault.how else fault.how  # advice for a list does not fit one file
        raise UserError(f"reference {path.name}: {fault.what}; {how}") from None
    if checked.clipped > CLIP_LIMIT:
        raise UserError(f"reference {path.name}: clipped ({checked.clipped:.1%} at full scale); record it more quietly")
    (sound,) = stack.load([file], place.parent)
    (track,) = stack.tracks_of_each([sound])
    energy = track.energy
    seconds = float((energy > np.percentile(energy, 95) - SPEECH_DB).sum()) / Tracks.rate
    if seconds < LEAST:
        raise UserError(f"reference {path.name}: {seconds:.1f} s of speech; give at least {LEAST:.0f} s, better 3")
    if unlike := speech_fault(track):
        raise UserError(f"reference {path.name}: {unlike}, as no speech has; give a recording of a voice")
    where, hop = speech_frames(energy), stack.sample_rate // Tracks.rate
    sound = sound[where.start * hop : where.stop * hop]
    if len(sound) >= TOLD_APART * stack.sample_rate and two_voices(stack, [sound])[0] < least_alike:
        raise UserError(f"reference {path.name}: its halves sound like two people; give a recording of one voice")
    return sound


def spoken(bench: Bench, text: str, reference: torch.Tensor, name: str, style: bool, seed: int) -> torch.Tensor:
    """(N,): the text by a policy, in the voice of the reference."""
    stack, model = bench.stack, policy_of(bench, name, bench.params.cells.seeds[0])
    prefix = stack.tokens([reference])[0][: bench.params.sft.style_tokens if style else 0]
    ((codes,),) = generate(model, [stack.text.encode(text)], [prefix], bench.sampler(seed))
    if not len(codes):
        raise UserError(f"text '{text[:20]}': the policy said nothing; try another --seed")
    return stack.speak([codes], stack.timbres([reference]), [seed_of(seed, "sound", text)])[0]


def clone(
    text: str, reference: Path, consent: Path, out: Path, *, style=True, seed=0, today: datetime.date | None = None
) -> list[str]:
    """Lines for `sebridge clone`; the WAV is in `out`."""
    today = today or datetime.date.today()
    record = read_consent(consent)
    check_consent(record, reference, today)
    paths.check_output(out, reference, consent, ending=".wav")
    params = active_params()
    lang = language_of(text, languages(params))
    bench, name = load_bench(params, lang), pairs_of(lang, params)[0][1]
    stack = bench.stack
    voice = read_reference(reference, stack, params.systems.two_voices)
    sound = spoken(bench, text, voice, name, style, seed)
    marked = embed(resample(sound.numpy(), stack.sample_rate))
    write_wav(out, marked, RATE, provenance_of(name, text, record, today))
    alike = speaker_similarity(stack, [sound], stack.tracks([sound]), stack.timbres([voice]))[0]
    told = f"similarity to the reference {alike:.2f}" if alike == alike else "too short to tell the voice"
    return [
        f"{out}: {len(sound) / stack.sample_rate:.1f} s by {name}, {told}",
        f"consent of {record.who} for {record.purpose} until {record.until}; marked, `sebridge detect` finds it",
    ]
