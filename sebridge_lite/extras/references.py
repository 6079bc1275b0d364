"""What may be cloned: a text in one script, and a reference that is long enough, sound, and of one voice; or one line.

Left out: a reference in which one voice follows another elsewhere than near its middle, or two talk at once.
"""

from pathlib import Path

import numpy as np
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.data_card import CLIP_LIMIT
from sebridge_lite.data.languages import LANGUAGES
from sebridge_lite.data.manifest import Utterance, load_audio
from sebridge_lite.data.own_data import check_audio
from sebridge_lite.data.own_tables import Fault
from sebridge_lite.measure.cloning import two_voices
from sebridge_lite.measure.prosody import SPEECH_DB, speech_frames
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.stack.features import FRAME_RATE, HOP, SAMPLE_RATE, energy_db
from sebridge_lite.stack.stack import Stack

LEAST = 1.0  # seconds of speech in a reference
TOLD_APART = 2.0  # seconds from which the halves can be told apart: in one of 1 s every fifth voice is unlike itself


def language_of(text: str) -> str:
    """By its letters: one script, Thai or Lao."""
    CharVocab().encode(text)  # names the first character that no policy knows
    found = [lang for lang, known in LANGUAGES.items() if not known.foreign(text)]
    if len(found) != 1:
        both = "Thai and Lao letters together" if not found else "no letter"
        raise UserError(f"text '{text[:20]}': {both}; write it in one script, Thai or Lao")
    return found[0]


def read_reference(path: Path, stack: Stack, least_alike: float) -> torch.Tensor:
    """(N,) at 16 kHz from the first sound to the last, of one voice; or one line."""
    place = path.resolve()
    file = Utterance(place.name, "", (), "und", "", "recording", "", place.name, 1.0)
    try:
        checked = check_audio(place.parent, file)
    except Fault as fault:
        how = "give another recording" if "row" in fault.how else fault.how  # advice for a list does not fit one file
        raise UserError(f"reference {path.name}: {fault.what}; {how}") from None
    if checked.clipped > CLIP_LIMIT:
        raise UserError(f"reference {path.name}: clipped ({checked.clipped:.1%} at full scale); record it more quietly")
    sound = torch.from_numpy(load_audio(file, place.parent))
    energy = energy_db(sound[None])[0].numpy()
    seconds = float((energy > np.percentile(energy, 95) - SPEECH_DB).sum()) / FRAME_RATE
    if seconds < LEAST:
        raise UserError(f"reference {path.name}: {seconds:.1f} s of speech; give at least {LEAST:.0f} s, better 3")
    where = speech_frames(energy)
    sound = sound[where.start * HOP : where.stop * HOP]
    if len(sound) >= TOLD_APART * SAMPLE_RATE and two_voices(stack, [sound])[0] < least_alike:
        raise UserError(f"reference {path.name}: its halves sound like two people; give a recording of one voice")
    return sound
