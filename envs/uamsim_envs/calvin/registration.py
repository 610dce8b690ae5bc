"""CALVIN's four scenes, and its chains of five tasks in each."""

from uamsim.simulators import Checkout, Simulator
from uamsim.worlds import ActionSizes, DemonstrationDefaults, EnvironmentEntry, WorldSpec

SCENES: tuple[str, ...] = ("A", "B", "C", "D")
CHAINS: dict[str, str] = {"official": "CalvinChains", "resampled": "CalvinResampledChains"}
"""Protocol of chains -> how the ids of its environments begin."""

SIMULATOR = Simulator(
    name="calvin",
    summary="long-horizon tabletop tasks for a Panda arm (MIT), from its git repositories",
    # numpy-quaternion, OpenCV, gym, GitPython and rich, which it imports, are stood in for.
    requirements=(
        "pybullet==3.2.7",
        "numpy==2.4.6",
        "scipy==1.17.1",
        "hydra-core==1.3.8",
        "omegaconf==2.3.1",
        "antlr4-python3-runtime==4.9.3",
        "PyYAML==6.0.3",
        "packaging==26.3",
    ),
    versions={"pybullet": "3.2.7", "numpy": "2.4.6", "hydra-core": "1.3.8"},
    pythons=((3, 11), (3, 12)),
    trial="import pathlib, sys, hydra, scipy, pybullet as p; p.connect(p.DIRECT); "
    "data = pathlib.Path(sys.prefix, 'checkouts', 'calvin_env', 'data'); "
    "p.setAdditionalSearchPath(str(data)); "
    "p.loadURDF('franka_panda/panda_longer_finger.urdf'); "
    "[p.loadURDF(f'calvin_table_{s}/urdf/calvin_table_{s}.urdf') for s in 'ABCD']",
    size="180 MB to download, 520 MB on the disk",
    built=("antlr4-python3-runtime",),
    checkouts=(
        Checkout(
            name="calvin",
            url="https://github.com/mees/calvin.git",
            commit="fa03f01f19c65920e18cf37398a9ce859274af76",
            proof="calvin_models/conf/annotations/new_playtable.yaml",
        ),
        # What calvin's submodule points to; the newest resets lights and buttons in other ways.
        Checkout(
            name="calvin_env",
            url="https://github.com/mees/calvin_env.git",
            commit="1431a46bd36bde5903fb6345e68b5ccc30def666",
            proof="calvin_env/envs/play_table_env.py",
        ),
    ),
)

WORLD = WorldSpec(
    name="calvin",
    package="uamsim_envs",
    summary="CALVIN's 34 tasks in four scenes, alone or five in a row",
    environments=(
        *(
            EnvironmentEntry(
                id=f"uamsim/Calvin-{scene}-v0",
                entry_point="uamsim_envs.calvin.env:CalvinEnv",
                kwargs={"scene": scene},
                task=scene.lower(),
            )
            for scene in SCENES
        ),
        *(
            EnvironmentEntry(
                id=f"uamsim/{name}-{scene}-v0",
                entry_point="uamsim_envs.calvin.chains_env:CalvinChainsEnv",
                kwargs={"scene": scene, "protocol": protocol},
                task=scene.lower(),
                protocol=protocol,
            )
            for protocol, name in CHAINS.items()
            for scene in SCENES
        ),
    ),
    controls={
        "relative": ActionSizes(
            action_dim=7,
            proprio_dim=15,
            gripper_dims=(6,),
            action_names=("x", "y", "z", "rot_x", "rot_y", "rot_z", "gripper"),
            proprio_names=(
                *("x", "y", "z", "euler_x", "euler_y", "euler_z", "gripper_width"),
                *(f"joint_{i}" for i in range(1, 8)),
                "gripper_action",
            ),
        )
    },
    control_hz=30,
    cameras=("static", "gripper"),
    views=("static", "gripper"),
    render_profiles=("tiny", "egl", "tiny-lowpoly"),
    fine_profile="tiny",
    demonstrations=DemonstrationDefaults(cameras=("static", "gripper"), fps=30),
    robot_type="panda",
    simulator=SIMULATOR,
)
