"""How an environment of somebody else's is read: a Gymnasium one that knows nothing of uamsim."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from uamsim.bounds import Count, check_bounds
from uamsim.contract import Control
from uamsim.errors import ConfigError, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """Where an environment has what a policy needs. The defaults are gym-aloha's and LeRobot's.

    Attributes:
        camera: pictures, each a path in the observation ("pixels.top") or "render" for what
            ``render()`` gives; "name=path" names it, else it is called as the path's end. None
            takes everything in "pixels".
        state: paths of numbers in the observation that make ``agent_pos``, one after another.
        instruction: what is asked for, or "info.KEY" for what ``info`` says; "" looks for
            "instruction" and "task_description" in ``info`` and for attributes of these names.
        success: a path in ``info``, "terminated", or "reward>=NUMBER"; "" looks for "is_success"
            and "success" in ``info``.
        max_steps: actions after which an episode is cut off; 0 takes what it is registered with.
        control: what actions are; None takes "joint" where there are as many numbers in the state,
            else "relative".
        control_hz: actions a second; 0 takes ``metadata["render_fps"]``.
        make: "NAME=VALUE", arguments of ``gymnasium.make``, such as "obs_type=pixels_agent_pos".
        sentences: a file with further wordings, of the form that
            ``uamsim/perturbations/language/sentences.py`` describes.
        section: of that file, which says what this environment asks for; "" takes the first.
    """

    camera: tuple[str, ...] = ()
    state: tuple[str, ...] = ("agent_pos",)
    instruction: str = ""
    success: str = ""
    max_steps: Count = 0
    control: Control | None = None
    control_hz: Count = 0
    make: tuple[str, ...] = ()
    sentences: str = ""
    section: str = ""

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            UnknownNameError: no such control.
            ConfigError: a number out of range, or an argument without a value.
        """
        if self.control is not None and self.control not in get_args(Control):
            raise UnknownNameError("control", self.control, get_args(Control))
        check_bounds(self)
        for word in self.make:
            if "=" not in word:
                raise ConfigError(f"adapter.make expects NAME=VALUE, got {word!r}.")

    @property
    def arguments(self) -> dict[str, Any]:
        """``make`` as keyword arguments; what is JSON is read as such."""
        return {name: _value(text) for name, _, text in (word.partition("=") for word in self.make)}

    def to_json(self) -> dict[str, Any]:
        """A JSON object of what is not at its default; ``from_json`` reads it back."""
        fields = dataclasses.fields(self)
        values = {f.name: getattr(self, f.name) for f in fields}
        return {
            f.name: list(value) if isinstance(value := values[f.name], tuple) else value
            for f in fields
            if values[f.name] != f.default
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Adapter":
        """Inverse of ``to_json``."""
        fields: dict[str, Any] = {
            name: tuple(item) if isinstance(item, list) else item for name, item in value.items()
        }
        return cls(**fields)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def find(tree: Any, path: str, where: str) -> Any:
    """What lies at a dotted path of nested mappings.

    Args:
        tree: an observation or an ``info``.
        path: such as "pixels.top".
        where: what ``tree`` is, for the message.

    Raises:
        ConfigError: nothing lies there; says what does.
    """
    value = tree
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise ConfigError(
                f"{where} has nothing at {path!r}; it has {', '.join(_paths(tree)) or 'nothing'}."
            )
        value = value[key]
    return value


def _paths(tree: Any, prefix: str = "") -> list[str]:
    if not isinstance(tree, Mapping):
        return [prefix.removesuffix(".")] if prefix else []
    return [path for key, value in tree.items() for path in _paths(value, f"{prefix}{key}.")]
