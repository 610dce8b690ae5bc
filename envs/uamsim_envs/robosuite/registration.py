"""robosuite's tasks for one and two Panda arms."""

from typing import Any

from uamsim.simulators import Simulator
from uamsim.worlds import ActionSizes, EnvironmentEntry, WorldSpec

TASKS: dict[str, str] = {
    "Lift": "lift",
    "Stack": "stack",
    "PickPlace": "pick_place",
    "NutAssembly": "nut_assembly",
    "Door": "door",
    "TwoArmLift": "two_arm_lift",
    "TwoArmHandover": "two_arm_handover",
}
"""Task of robosuite -> what commands call it."""
TWO_ARMED: tuple[str, ...] = ("TwoArmLift", "TwoArmHandover")
EXPERTS: tuple[str, ...] = ("Lift", "Stack", "PickPlace")
"""Tasks that have a scripted expert."""
_PLACES = ((-0.2, 0.2), (-0.3, 0.3), (0.83, 1.1), *[(0.0, 0.0)] * 3, (0.0, 1.0))
"""Of one gripper that points down: above the tables, whose tops are 0.8 m high."""


def cameras_of(num_arms: int) -> tuple[str, ...]:
    """Names of all cameras of a task, those of an observation first."""
    wrists = ("wrist",) if num_arms == 1 else ("left_wrist", "right_wrist")
    return ("primary", *wrists, "front", "top")


def _facts(name: str) -> dict[str, Any]:
    """What is the task's own."""
    num_arms = 1 + (name in TWO_ARMED)
    size = 7 * num_arms
    grippers = tuple(range(6, size, 7))
    return {
        "controls": {
            "ee": ActionSizes(
                action_dim=size,
                proprio_dim=size,
                gripper_dims=grippers,
                places=_PLACES * num_arms,
            )
        },
        "cameras": cameras_of(num_arms),
        "views": cameras_of(num_arms)[: 1 + num_arms],
        "has_expert": name in EXPERTS,
    }


SIMULATOR = Simulator(
    name="robosuite",
    summary="tabletop tasks for one and two Panda arms (MIT), from the package registry",
    # mujoco 3.10 and later change what robosuite 1.5.2 reads; numpy 2 is not what it was
    # tested with. Left out of what it asks for, since no environment here imports it: mink
    # and qpsolvers (whole-body IK), pynput (keyboards, compiles evdev), pytest, tqdm.
    requirements=(
        "robosuite==1.5.2",
        "mujoco==3.9.0",
        "numpy==1.26.4",
        "scipy==1.17.1",
        "numba==0.68.1",
        "llvmlite==0.50.0",
        "opencv-python-headless==4.11.0.86",
        "pillow==13.0.0",
        "termcolor==3.3.0",
        "absl-py==2.5.1",
        "etils==1.15.0",
        "fsspec==2026.9.0",
        "zipp==4.1.2",
        "typing_extensions==4.16.0",
        "glfw==2.11.0",
        "PyOpenGL==3.1.10",
        "jaxtyping==0.3.11",
        "wadler_lindig==0.1.8",
    ),
    versions={"robosuite": "1.5.2", "mujoco": "3.9.0", "numpy": "1.26.4"},
    pythons=((3, 11), (3, 12)),
    trial="import robosuite; env = robosuite.make('Lift', robots='Panda', has_renderer=False, "
    "has_offscreen_renderer=False, use_camera_obs=False); env.reset(); "
    "env.step([0.0] * env.action_dim)",
    size="330 MB to download, 1.2 GB on the disk",
)

WORLD = WorldSpec(
    name="robosuite",
    package="uamsim_envs",
    summary="seven tasks of robosuite 1.5 for one and two Panda arms",
    environments=tuple(
        EnvironmentEntry(
            id=f"uamsim/Robosuite-{name}-v0",
            entry_point="uamsim_envs.robosuite.env:RobosuiteEnv",
            kwargs={"name": name},
            task=task,
            differs=_facts(name),
        )
        for name, task in TASKS.items()
    ),
    robot_type="panda",
    simulator=SIMULATOR,
)
