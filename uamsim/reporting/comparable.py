"""What foreign worlds are made of, and whether their results may stand beside published ones."""

from collections.abc import Mapping, Sequence
from typing import Any

NOT_COMPARABLE = "not comparable with published"
_MAX_NAMED = 3


def world_remarks(worlds: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for all environments of one kind.

    Args:
        worlds: rows with "env_id", "comparable", and what else an environment is made of.
    """
    kinds: dict[str, list[str]] = {}
    for row in worlds:
        made = {k: str(v) for k, v in row.items() if k not in ("env_id", "comparable")}
        text = ", ".join(f"{name} {value}" for name, value in made.items())
        label = "" if row["comparable"] else f" are {NOT_COMPARABLE} ones"
        name = row["env_id"].rpartition("/")[2]
        kinds.setdefault(f"{label}: {text}.", []).append(name)
    return [f"Results of {_shorten(names)}{text}" for text, names in kinds.items()]


def _shorten(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
