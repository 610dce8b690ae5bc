"""What every environment says of its episode beside the observation."""

import copy
from typing import Any, ClassVar

import numpy as np

from uamsim.contract import Goal, SceneFacts
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.values import Composition, Parameters


class EpisodeInfo:
    """Base of environments that keep their present episode in these attributes.

    Attributes:
        task: its name.
        language: what its goals are said and read in; None leaves both to a subclass.
        max_episode_steps: control steps after which an episode is truncated.
        composition: the perturbations of every episode.
        drawn: what the episode drew of its perturbations, type name -> parameters.
    """

    task: str
    language: ClassVar[Language | None] = None
    max_episode_steps: int
    composition: Composition
    drawn: dict[str, Parameters]
    _instruction: str
    _stages: dict[str, bool]
    _goal: Goal | None
    _facts: SceneFacts
    _num_steps: int

    def other_instruction(self, rng: np.random.Generator) -> str | None:
        """See ``SimulatedEnv.other_instruction``."""
        if self.language is None or self._goal is None:
            return None
        return self.language.say_other(self._goal, self._facts, self.composition, rng)

    def reads_back(self) -> bool | None:
        """See ``SimulatedEnv.reads_back``."""
        if self.language is None or self._goal is None:
            return None
        return self.language.means(self._instruction, self._goal, self._facts)

    def _info(self, *, success: bool) -> dict[str, Any]:
        return {
            "is_success": success,
            "instruction": self._instruction,
            "task_description": self._instruction,
            "_max_episode_steps": self.max_episode_steps,
            "task": self.task,
            "stages": dict(self._stages),
            "goal": self._goal,
            "scene": self._facts,
            "num_steps": self._num_steps,
            "perturbations": copy.deepcopy(self.drawn),
        }
