"""MuJoCo's names come from C extensions that ship no types, so every one is ``Any``."""

from typing import Any

def __getattr__(name: str) -> Any: ...
