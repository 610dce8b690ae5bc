"""RoboTwin 2.0's two-arm tasks, and its two evaluations of each."""

from typing import Any

from uamsim.simulators import Assets, Checkout, CudaPart, Simulator
from uamsim.worlds import ActionSizes, DemonstrationDefaults, EnvironmentEntry, WorldSpec

TASKS: tuple[str, ...] = (
    "adjust_bottle",
    "beat_block_hammer",
    "blocks_ranking_rgb",
    "blocks_ranking_size",
    "click_alarmclock",
    "click_bell",
    "dump_bin_bigbin",
    "grab_roller",
    "handover_block",
    "handover_mic",
    "hanging_mug",
    "lift_pot",
    "move_can_pot",
    "move_pillbottle_pad",
    "move_playingcard_away",
    "move_stapler_pad",
    "open_laptop",
    "open_microwave",
    "pick_diverse_bottles",
    "pick_dual_bottles",
    "place_a2b_left",
    "place_a2b_right",
    "place_bread_basket",
    "place_bread_skillet",
    "place_burger_fries",
    "place_can_basket",
    "place_cans_plasticbox",
    "place_container_plate",
    "place_dual_shoes",
    "place_empty_cup",
    "place_fan",
    "place_mouse_pad",
    "place_object_basket",
    "place_object_scale",
    "place_object_stand",
    "place_phone_stand",
    "place_shoe",
    "press_stapler",
    "put_bottles_dustbin",
    "put_object_cabinet",
    "rotate_qrcode",
    "scan_object",
    "shake_bottle",
    "shake_bottle_horizontally",
    "stack_blocks_three",
    "stack_blocks_two",
    "stack_bowls_three",
    "stack_bowls_two",
    "stamp_seal",
    "turn_switch",
)
PAPER_TASKS: tuple[str, ...] = (
    "beat_block_hammer",
    "blocks_ranking_rgb",
    "blocks_ranking_size",
    "click_alarmclock",
    "dump_bin_bigbin",
    "handover_block",
    "hanging_mug",
    "lift_pot",
    "move_can_pot",
    "pick_diverse_bottles",
    "place_can_basket",
    "place_dual_shoes",
    "put_bottles_dustbin",
    "scan_object",
    "stack_blocks_three",
    "stamp_seal",
    "turn_switch",
)
"""Those of the UAM paper, which counts 16 and names these 17 (App. A, F)."""
PROTOCOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "": ("RoboTwin", {}),
    "clean": (
        "RoboTwinClean",
        {"config": "demo_clean", "seeds": "checked", "sentences": "unseen"},
    ),
    "randomized": (
        "RoboTwinRandomized",
        {"config": "demo_randomized", "seeds": "checked", "sentences": "unseen"},
    ),
}
"""Protocol -> how the ids of its environments begin, and their settings; the latter two are
RoboTwin's evaluations."""

SIMULATOR = Simulator(
    name="robotwin",
    summary="RoboTwin 2.0's two-arm tasks (MIT), from its git repository, and assets",
    # cuRobo, torch, open3d, gymnasium, h5py and imageio, which it imports, are stood in for.
    requirements=(
        "sapien==3.0.3",
        "mplib==0.2.1",
        "toppra==0.6.10",
        "transforms3d==0.4.2",
        "trimesh==5.2.0",
        "numpy==1.26.4",
        "scipy==1.17.1",
        "opencv-python-headless==4.11.0.86",
        "pillow==13.0.0",
        "PyYAML==6.0.3",
        "lxml==6.1.3",
        "pyperclip==1.11.0",
        "requests==2.34.2",
        "urllib3==2.8.0",
        "idna==3.20",
        "charset-normalizer==3.5.2",
        "certifi==2026.10.18",
        "networkx==3.6.1",
        "matplotlib==3.11.2",
        "contourpy==1.3.3",
        "cycler==0.12.1",
        "fonttools==4.68.0",
        "kiwisolver==1.5.1",
        "pyparsing==3.3.3",
        "python-dateutil==4.0.0",
        "setuptools==84.2.1",
        "packaging==26.3",
        "typing_extensions==4.16.0",
    ),
    versions={"sapien": "3.0.3", "mplib": "0.2.1", "numpy": "1.26.4"},
    pythons=((3, 11),),
    trial="import sapien, toppra, transforms3d, trimesh, scipy, cv2, yaml, mplib.sapien_utils, "
    "sapien.wrapper.urdf_loader; "
    "s = sapien.Scene([sapien.physx.PhysxCpuSystem()]); b = s.create_actor_builder(); "
    "b.add_box_collision(half_size=[.1] * 3); b.build(); s.step()",
    drawing="import sapien; s = sapien.Scene(); s.set_ambient_light([1] * 3); "
    "b = s.create_actor_builder(); "
    "b.add_box_visual(half_size=[.1] * 3, material=[1, 0, 0]); b.build_static(); "
    "c = s.add_camera('c', 64, 48, 1.0, .01, 10); c.set_entity_pose(sapien.Pose([-1, 0, 0])); "
    "s.update_render(); c.take_picture(); p = c.get_picture('Color')[24, 32]; "
    "assert p[0] > .3 > p[2], f'a wrong picture: {p}'",
    drawing_mend="RoboTwin's pictures need a GPU with a Vulkan driver, or Mesa lavapipe >= 25. "
    "Debian 12: apt-get install -t bookworm-backports mesa-vulkan-drivers; Debian 13, Ubuntu "
    "25.04: apt-get install mesa-vulkan-drivers",
    size="720 MB on the disk without assets",
    checkouts=(
        # The last with task_config/ and script/ where everything here looks for them.
        Checkout(
            name="RoboTwin",
            url="https://github.com/RoboTwin-Platform/RoboTwin.git",
            commit="958a6d2910a0262f5531fcdeb7fffae4184bb586",
            proof="envs/_base_task.py",
        ),
    ),
    assets=Assets(
        checkout="RoboTwin",
        folder="assets",
        names=("embodiments", "objects", "background_texture"),
        proofs=("embodiments/aloha-agilex/config.yml", "objects/objaverse/list.json"),
        generator="uamsim_envs.robotwin.standins",
        script="script/_download_assets.sh",
        # What RoboTwin pins; from 1.0 the hub's package refuses what its script asks for.
        tools=("huggingface_hub==0.25.0", "filelock==3.16.1", "fsspec==2024.9.0", "tqdm==4.67"),
        programs=("bash", "unzip"),
        size="15 GB, as much again while they are unpacked",
    ),
    # RoboTwin's own script takes cuRobo's newest, and its planner imports what 0.8 has not.
    cuda=CudaPart(
        checkout=Checkout(
            name="curobo",
            url="https://github.com/NVlabs/curobo.git",
            commit="d64c4b005459db10c5dd867d8b30a87d5bda9bdb",
            proof="src/curobo/wrap/reacher/motion_gen.py",
        ),
        version="0.7.8",
        # torch is RoboTwin's; warp 1.13 has no wp.torch any more, which cuRobo 0.7.8 calls.
        requirements=(
            "torch==2.4.1",
            "warp-lang==1.11.1",
            "yourdfpy==0.0.60",
            "tqdm==4.67",
            "setuptools_scm==8.3.1",
            "ninja==1.11.1.4",
        ),
        trial="import torch; assert torch.cuda.is_available(), 'torch finds no CUDA GPU'; "
        "import curobo.wrap.reacher.motion_gen",
        needs="a GPU with NVIDIA's driver, CUDA 12's compiler (nvcc) and g++",
    ),
    published="RoboTwin's own assets, cuRobo and render_profile='ray-traced'",
)

_PLACES = ((-0.3, 0.3), (-0.25, 0.1), (0.8, 1.1), None, None, None, None, (0.0, 1.0))
"""Of one hand, turned as it is: above the table, whose top is 0.74 m high."""

WORLD = WorldSpec(
    name="robotwin",
    package="uamsim_envs",
    summary="RoboTwin 2.0's fifty two-arm tasks",
    environments=tuple(
        EnvironmentEntry(
            id=f"uamsim/{name}-{task}-v0",
            entry_point="uamsim_envs.robotwin.env:RoboTwinEnv",
            kwargs={"task": task, **settings},
            task=task,
            protocol=protocol,
        )
        for protocol, (name, settings) in PROTOCOLS.items()
        for task in TASKS
    ),
    suites={
        "robotwin16": tuple(f"uamsim/RoboTwinClean-{task}-v0" for task in PAPER_TASKS),
        "robotwin16-randomized": tuple(
            f"uamsim/RoboTwinRandomized-{task}-v0" for task in PAPER_TASKS
        ),
    },
    controls={
        "joint": ActionSizes(),
        "ee": ActionSizes(
            action_dim=16,
            proprio_dim=16,
            gripper_dims=(7, 15),
            action_names=tuple(
                f"{side}_{part}"
                for side in ("left", "right")
                for part in ("x", "y", "z", "quat_w", "quat_x", "quat_y", "quat_z", "gripper")
            ),
            places=_PLACES * 2,
        ),
    },
    control_hz=None,
    cameras=("head", "left", "right"),
    views=("head", "left", "right"),
    render_profiles=("raster", "raster-shadowless", "ray-traced"),
    fine_profile="raster",
    demonstrations=DemonstrationDefaults(
        cameras=("head", "left", "right"), image_size=(240, 320), fps=17, seed0=0
    ),
    robot_type="aloha-agilex",
    simulator=SIMULATOR,
)
