"""SE-Bridge Lite: the paper you can run (SE-Bridge-TTS, ICML 2026)."""

from sebridge_lite.core.torchaudio_guard import install_guard

__version__ = "0.1.0"

install_guard()
