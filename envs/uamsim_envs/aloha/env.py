"""What all ALOHA environments share: one table with two arms, and how it is stepped and shown."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Unpack, cast

import numpy as np
from jaxtyping import Float32

from uamsim.contract import Observation
from uamsim_envs.aloha.kinematics import JOINT_RANGE
from uamsim_envs.aloha.language import LANGUAGE
from uamsim_envs.aloha.perturbing import CARRIED, Perturber
from uamsim_envs.aloha.registration import WORLD
from uamsim_envs.aloha.variants import prepare_slots
from uamsim_envs.aloha.world import MAX_POSITION, MAX_ROTATION, SlotGroup, World, WorldConfig
from uamsim_envs.env import BaseEnv, Settings
from uamsim_envs.rendering import RenderProfile

_NOISE = {
    "ee": np.array([0.0015] * 3 + [0.008] * 3 + [0.0], np.float32),
    "joint": np.array([0.003] * 6 + [0.0], np.float32),
}
"""Of one severity of ``ActionNoise``, on an arm's part of an action (m and rad)."""


class AlohaEnv(BaseEnv):
    """Base of the ALOHA environments.

    A subclass says what bodies the model has (``_slot_groups``), lays out an episode in ``_begin``,
    judges a state in ``_judge`` and scripts an ``expert``.

    Attributes:
        num_labels: cards with text in the model.
        world: model and state, for experts and tests.
    """

    world_spec = WORLD
    language = LANGUAGE
    picture_sizes = dict.fromkeys(WORLD.cameras, (480, 640))
    default_cameras = WORLD.views
    carried = CARRIED
    num_labels: ClassVar[int] = 0

    def __init__(self, **settings: Unpack[Settings]) -> None:
        """Compiles the model; no GL context is made.

        Args:
            settings: see ``Settings``; pictures are 480x640.

        Raises:
            UamsimError: as ``BaseEnv``.
        """
        super().__init__(**settings)
        self.action_noise = np.tile(_NOISE[self.control], 2)
        self._perturber = Perturber(self.composition)
        self.world = World(
            WorldConfig(
                slots=self._slot_groups(),
                num_labels=self.num_labels,
                cameras=self.cameras,
                image_size=self.image_sizes["primary"],
                render_profile=cast(RenderProfile, self.render_profile),
            ),
            self._perturber.prepare,
            lambda spec, slots: prepare_slots(spec, self.composition, slots),
        )
        self._history: list[np.ndarray] = []

    # What a task writes.

    def _slot_groups(self) -> tuple[SlotGroup, ...]:
        """The bodies that stay in the model from episode to episode."""
        return ()

    def _begin(self, rng: np.random.Generator, options: dict[str, Any]) -> None:
        """Lays out an episode: slots, facts, goal, instruction, stages."""
        raise NotImplementedError

    def _judge(self) -> tuple[bool, bool]:
        """Updates the stages after a control step; (success, irrecoverable failure)."""
        return False, False

    # The episode.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Lays out a new episode.

        Raises:
            SceneError: the scene cannot be laid out.
        """
        super().reset(seed=seed)
        self._perturber.restore(self.world.model)
        self.world.reset()
        episode = self._episode_seed() if self.composition else 0
        self.drawn = self._perturber.draw(episode)
        self._begin(self.np_random, options or {})
        self._perturber.apply(self.world, self.drawn)
        self.world.fix_places()
        self._history = [self.world.data.qpos.copy()]
        return self._begin_episode(episode)

    def rest_action(self) -> Float32[np.ndarray, "14"]:
        """The action that leaves the arms where they were when the episode began."""
        return self.world.start_action(self.control)

    def close(self) -> None:
        """Frees the renderer; may be called twice."""
        self.world.close()

    def _action_bounds(self) -> tuple[Sequence[float], Sequence[float]]:
        x, y, z = MAX_POSITION
        if self.control == "joint":
            return [*JOINT_RANGE[:, 0], 0.0] * 2, [*JOINT_RANGE[:, 1], 1.0] * 2
        low, high = [-x, -y, 0.0, *[-MAX_ROTATION] * 3, 0.0], [x, y, z, *[MAX_ROTATION] * 3, 1.0]
        return low * 2, high * 2

    def _advance(self, actions: Float32[np.ndarray, "T 14"]) -> tuple[bool, bool]:
        success = failed = False
        for action in actions:
            self.world.command(self._carried_out(action), self.control)
            self.world.step()
            self._num_steps += 1
            if self._sensors.looks_back:
                self._history.append(self.world.data.qpos.copy())
            success, failed = self._judge()
            if success or failed or self._num_steps >= self.max_episode_steps:
                break
        return success, failed

    def _look(
        self, cameras: tuple[str, ...], picture_step: int, proprio_step: int
    ) -> tuple[dict[str, np.ndarray], Float32[np.ndarray, "14"]]:
        with self._as_at(proprio_step):
            agent_pos = self.world.agent_pos(self.control)
        shrink = self._sensors.shrink(self.world.config.image_size[0])
        with self._as_at(picture_step):
            return self.world.render(cameras, shrink=shrink), agent_pos

    def _as_at(self, step: int) -> AbstractContextManager[None]:
        """Within it, the world shows an earlier control step of the episode."""
        if step == self._num_steps:
            return nullcontext()
        return self.world.shown_at(self._history[step])
