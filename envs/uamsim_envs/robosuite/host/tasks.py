"""What each task of robosuite is judged by: its own success, stages on the way, failure."""

from typing import Any, ClassVar

import numpy as np

_AT_HANDLE = 0.03
"""m from a handle at which a gripper is there."""
_TURNED = 1.0
"""rad from which a handle counts as turned; its bolt is free a little later."""
_FALLEN = 0.1
"""m below the table's top at which a thing has fallen."""


class Task:
    """Base of the tasks.

    Attributes:
        bodies: those that an instruction can name, in the order of ``target``.
        attribute: of robosuite's environment, that holds the thing that is asked for.
        stages: name -> whether it was reached in this episode.
    """

    bodies: ClassVar[tuple[str, ...]] = ()
    attribute: ClassVar[str] = ""
    stage_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, env: Any) -> None:
        self.env = env
        self.begin(0)

    def begin(self, target: int) -> None:
        """Starts an episode.

        Args:
            target: index into ``bodies`` of what is asked for.
        """
        self.target = target
        self.stages = dict.fromkeys(self.stage_names, False)

    def judge(self) -> tuple[bool, bool]:
        """Updates the stages after a control step; (success, irrecoverable failure)."""
        for name, reached in self.now().items():
            self.stages[name] = self.stages[name] or bool(reached)
        success = self.succeeded()
        if self.stage_names:
            last = self.stage_names[-1]
            self.stages[last] = self.stages[last] or success
        return success, not success and self.has_fallen()

    def succeeded(self) -> bool:
        """What robosuite says."""
        return bool(self.env._check_success())

    def now(self) -> dict[str, bool]:
        """Stages that hold in this state, besides the last, which is success."""
        held = self.held()
        now = {"grasped": held, "lifted": held and self.lifted()}
        return {name: now[name] for name in self.stage_names[:-1]}

    def has_fallen(self) -> bool:
        """Whether the thing that is asked for is off the table."""
        return bool(self.pos(self.bodies[self.target])[2] < self.surface[2] - _FALLEN)

    @property
    def surface(self) -> np.ndarray:
        """Centre of the table's top (m, world)."""
        return np.array(self.env.table_offset, float)

    @property
    def surface_half(self) -> np.ndarray:
        """Half of the table's top in x and y (m)."""
        return np.array(self.env.table_full_size[:2], float) / 2

    def pos(self, body: str) -> np.ndarray:
        """Position of a body (m, world)."""
        return self.env.sim.data.get_body_xpos(body).copy()

    def object(self) -> Any:
        """The model, of robosuite's, of the thing that is asked for."""
        return getattr(self.env, self.attribute)

    def held(self) -> bool:
        """Whether both fingers of a gripper touch the thing that is asked for."""
        grippers = [g for robot in self.env.robots for g in robot.gripper.values()]
        return any(self.env._check_grasp(g, self.object().contact_geoms) for g in grippers)

    def lifted(self, height: float = 0.04) -> bool:
        """Whether the thing that is asked for is this far above where it lay (m)."""
        obj = self.object()
        bottom = self.pos(obj.root_body)[2] + obj.bottom_offset[2]
        return bool(bottom > self.surface[2] + height)


class Lift(Task):
    """Lift a cube."""

    bodies = ("cube_main",)
    attribute = "cube"
    stage_names = ("grasped", "lifted")


class Stack(Task):
    """Stack one cube on the other."""

    bodies = ("cubeA_main", "cubeB_main")
    attribute = "cubeA"
    stage_names = ("grasped", "lifted", "stacked")


class PickPlace(Task):
    """Put one of four things into its bin; robosuite asks for all four, this for the named one."""

    bodies = ("Milk_main", "Bread_main", "Cereal_main", "Can_main")
    stage_names = ("grasped", "lifted", "placed")

    def object(self) -> Any:
        """See ``Task.object``."""
        return self.env.objects[self.target]

    @property
    def surface(self) -> np.ndarray:
        """Centre of the floor of the bin that the things lie in (m, world)."""
        return np.array(self.env.bin1_pos, float)

    def succeeded(self) -> bool:
        """What robosuite says of the named thing."""
        self.env._check_success()
        return bool(self.env.objects_in_bins[self.target])


class NutAssembly(Task):
    """Fit one of two nuts on its peg; robosuite asks for both, this for the named one."""

    bodies = ("SquareNut_main", "RoundNut_main")
    stage_names = ("grasped", "lifted", "fitted")

    def object(self) -> Any:
        """See ``Task.object``."""
        return self.env.nuts[self.target]

    def succeeded(self) -> bool:
        """What robosuite says of the named nut."""
        self.env._check_success()
        return bool(self.env.objects_on_pegs[self.target])


class Door(Task):
    """Turn the handle of a door and open it."""

    bodies = ("Door_latch",)
    attribute = "door"
    stage_names = ("reached", "turned", "opened")

    def now(self) -> dict[str, bool]:
        """Whether the gripper is at the handle, and has turned it."""
        return {
            "reached": bool(np.linalg.norm(self.env._gripper_to_handle) < _AT_HANDLE),
            "turned": abs(self.env.sim.data.qpos[self.env.handle_qpos_addr]) > _TURNED,
        }

    def has_fallen(self) -> bool:
        """A door does not."""
        return False


class TwoArmLift(Task):
    """Lift a pot with both arms."""

    bodies = ("pot_root",)
    attribute = "pot"
    stage_names = ("grasped", "lifted")

    def now(self) -> dict[str, bool]:
        """Whether each arm has its handle."""
        env = self.env
        handles = (env.pot.handle0_geoms, env.pot.handle1_geoms)
        grippers = [robot.gripper for robot in env.robots]
        pairs = zip(grippers, handles, strict=True)
        return {"grasped": all(env._check_grasp(g, h) for g, h in pairs)}


class TwoArmHandover(Task):
    """Take a hammer with one arm and hand it to the other."""

    bodies = ("hammer_root",)
    attribute = "hammer"
    stage_names = ("grasped", "lifted", "handed_over")

    def now(self) -> dict[str, bool]:
        """Whether an arm has the hammer, and has it high enough."""
        first, second, height, table = self.env._get_task_info()
        high = height - table > self.env.height_threshold
        held = bool(first or second)
        return {"grasped": held, "lifted": held and bool(high)}


TASKS: dict[str, type[Task]] = {
    cls.__name__: cls
    for cls in (Lift, Stack, PickPlace, NutAssembly, Door, TwoArmLift, TwoArmHandover)
}
"""Name in robosuite -> how it is judged."""
