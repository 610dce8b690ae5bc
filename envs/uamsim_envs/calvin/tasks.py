"""The options of CALVIN's environments that are checked before a host starts."""

from typing import Any

import numpy as np

from uamsim.errors import ConfigError, UnknownNameError
from uamsim_envs.calvin.chains import TASKS

COLOURS = ("red", "blue", "pink")
_SIZES = {"robot_obs": 15, "scene_obs": 24}


def check_tasks(tasks: Any) -> tuple[str, ...]:
    """Names of tasks; all 34 for None.

    Raises:
        UnknownNameError: no such task.
        ConfigError: none at all.
    """
    named = TASKS if tasks is None else tuple(tasks)
    for task in named:
        if task not in TASKS:
            raise UnknownNameError("CALVIN task", task, TASKS)
    if not named:
        raise ConfigError("tasks is empty; name a task, or take None for all.")
    return named


def check_options(options: dict[str, Any] | None) -> dict[str, Any]:
    """What ``reset`` takes: "task", "robot_obs" [15] and "scene_obs" [24], each may be left out.

    Raises:
        UnknownNameError: another option, or no such task.
        ConfigError: a wrong shape, or numbers that are not finite.
    """
    checked = dict(options or {})
    for name, value in checked.items():
        if name == "task":
            check_tasks((value,))
            continue
        if name not in _SIZES:
            raise UnknownNameError("reset option", name, ("task", *_SIZES))
        array = np.asarray(value, np.float64)
        if array.shape != (_SIZES[name],) or not np.isfinite(array).all():
            raise ConfigError(
                f"{name} must be {_SIZES[name]} finite numbers, not of shape {list(array.shape)}."
            )
        checked[name] = array
    if "robot_obs" in checked and "scene_obs" not in checked:
        raise ConfigError("robot_obs needs scene_obs beside it; a drawn scene has its own robot.")
    return checked


def block_of(task: str) -> str | None:
    """The block that a task names, such as "red_block"; None where it names none."""
    return next((f"{c}_block" for c in COLOURS if f"{c}_block" in task), None)
