"""What others have to know of the world."""

from uamsim.worlds import ActionSizes, DemonstrationDefaults, EnvironmentEntry, WorldSpec

WORLD = WorldSpec(
    name="slide",
    package="uamsim_toy",
    summary="a gripper that slides onto one of two cubes and closes",
    environments=(
        EnvironmentEntry(
            id="uamsim_toy/Slide-v0", entry_point="uamsim_toy.slide.env:SlideEnv", task="slide"
        ),
    ),
    controls={
        "ee": ActionSizes(
            action_dim=3,
            proprio_dim=3,
            gripper_dims=(2,),
            action_names=("x", "y", "gripper"),
            places=((-1, 1), (-1, 1), (0, 1)),
        )
    },
    control_hz=25,
    cameras=("overhead", "mirrored"),
    views=("overhead", "mirrored"),
    render_profiles=("flat", "edged"),
    fine_profile="edged",
    demonstrations=DemonstrationDefaults(cameras=("overhead",), fps=5, seed0=0),
    robot_type="slider",
)
