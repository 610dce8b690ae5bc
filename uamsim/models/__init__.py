"""Models: the mixture of transformers, what it is put together from, and pretrained weights."""

import importlib
import pkgutil
from pathlib import Path

# Each file there registers what it holds, so that a config knows its name.
for _room in ("feeds", "heads", "predictions"):
    for _file in pkgutil.iter_modules([str(Path(__file__).parent / _room)]):
        importlib.import_module(f"{__name__}.{_room}.{_file.name}")
