"""Keep `import torchaudio` alive where only a CUDA build of it exists beside a CPU torch.

torchaudio's compiled extension then fails to load, and takes `import transformers` and `import peft` down with it. Its
Python transforms (MelSpectrogram, resample, GriffinLim) do not need the extension. So the extension is tried, and only
when it does not load is it replaced by an empty one. Left out: `forced_align` and `rnnt_loss`, which need the real one.
"""

import functools
import importlib.abc
import importlib.machinery
import sys
from typing import Any

EXTENSION = "torchaudio._extension"


def _tolerant(execute, module) -> None:
    try:
        execute(module)
    except (OSError, ImportError, RuntimeError):
        module._IS_TORCHAUDIO_EXT_AVAILABLE = module._IS_ALIGN_AVAILABLE = False
        module.fail_if_no_align = lambda function: function


class _Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == EXTENSION else None
        loader: Any = spec and spec.loader
        if loader:
            loader.exec_module = functools.partial(_tolerant, loader.exec_module)
        return spec


def install_guard() -> None:
    """Costs nothing until torchaudio is imported."""
    sys.meta_path.insert(0, _Guard())
