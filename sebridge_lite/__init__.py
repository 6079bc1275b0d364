"""SE-Bridge Lite: the paper you can run (SE-Bridge-TTS, ICML 2026)."""

import os

from sebridge_lite.core.torchaudio_guard import install_guard

__version__ = "0.1.0"

install_guard()
# Waiting threads sleep instead of spinning: with a busy neighbour spinning costs several times the speed. Read by the
# OpenMP runtime when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
