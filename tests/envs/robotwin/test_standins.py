"""The stand-in assets: a robot and objects in RoboTwin's layout."""

import json
import subprocess
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from uamsim.simulators import find_installation
from uamsim_envs.robotwin.registration import SIMULATOR
from uamsim_envs.robotwin.standins import content_hash, embodiment, textures

sim = pytest.mark.sim("robotwin")

SOURCES = Path(__file__).parents[3] / "envs"
GENERATE = """
import sys, types, pathlib
package = types.ModuleType("uamsim_envs")
package.__path__ = [sys.argv[1]]
sys.modules["uamsim_envs"] = package
from uamsim_envs.robotwin.standins import generate
generate(pathlib.Path(sys.argv[2]))
"""
MODELS = {
    "001_bottle": range(20),
    "007_shoe-box": (0,),
    "011_dustbin": (0,),
    "020_hammer": (0,),
    "024_scanner": range(5),
    "039_mug": range(10),
    "040_rack": (0,),
    "041_shoe": range(10),
    "046_alarm-clock": (1, 3),
    "063_tabletrashbin": (0, 3, 7, 8, 9, 10),
    "071_can": (0, 1, 2, 3, 5, 6),
    "100_seal": (0, 2, 3, 4, 6),
    "105_sauce-can": (0, 2, 4, 5, 6),
    "110_basket": (0, 1),
    "112_tea-box": range(6),
    "114_bottle": (1, 2, 3),
}
"""What the tasks of the paper ask for."""


def test_robot_has_the_joints_that_its_config_names() -> None:
    robot = ET.fromstring(embodiment.urdf())
    joints = {joint.attrib["name"] for joint in robot.iter("joint")}
    links = {link.attrib["name"] for link in robot.iter("link")}
    config = yaml.safe_load(embodiment.config())
    for side in range(2):
        gripper = config["gripper_name"][side]
        named = {*config["arm_joints_name"][side], config["ee_joints"][side], gripper["base"]}
        named |= {mimic[0] for mimic in gripper["mimic"]}
        assert named <= joints
        assert config["move_group"][side] in links
    assert {"left_camera", "right_camera"} <= links


def test_robot_is_a_tree_whose_hands_start_over_the_table() -> None:
    robot = ET.fromstring(embodiment.urdf())
    parents = {}
    for joint in robot.iter("joint"):
        ends = [joint.find(end).attrib["link"] for end in ("parent", "child")]  # type: ignore[union-attr]
        at = joint.find("origin").attrib["xyz"]  # type: ignore[union-attr]
        assert ends[1] not in parents
        parents[ends[1]] = (ends[0], np.array([float(v) for v in at.split()]))
    for link, side in (("fl_link7", 1), ("fr_link7", -1)):
        where = np.zeros(3)
        while link in parents:
            link, step = parents[link]
            where += step
        x, y, z = where
        assert link == "base_link"
        assert -0.35 < x + embodiment.ROOT[1] < 0.35
        assert y == pytest.approx(side * 0.3)
        assert 0.85 < z < 1.1


def test_textures_are_readable_and_differ() -> None:
    images = [textures.texture(np.random.default_rng([0, n]), n) for n in range(4)]
    assert len({image.tobytes() for image in images}) == 4
    data = textures.png(images[0])
    start = data.index(b"IDAT") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big")
    rows = np.frombuffer(zlib.decompress(data[start : start + length]), np.uint8)
    pixels = rows.reshape(textures.SIZE, -1)[:, 1:].reshape(images[0].shape)
    np.testing.assert_array_equal(pixels, images[0])


def test_hash_sees_names_and_bytes(tmp_path: Path) -> None:
    seen = set()
    for name, text in (("a", "x"), ("b", "x"), ("b", "y")):
        root = tmp_path / f"{name}{text}"
        (root / "assets").mkdir(parents=True)
        (root / "assets" / name).write_text(text)
        seen.add(content_hash(root))
    assert len(seen) == 3


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    roots = [tmp_path_factory.mktemp("standins") for _ in range(2)]
    for root in roots:
        words = [find_installation(SIMULATOR).python, "-I", "-c", GENERATE]
        subprocess.run([*words, str(SOURCES / "uamsim_envs"), str(root)], check=True)
    assert content_hash(roots[0]) == content_hash(roots[1])
    return roots[0] / "assets"


@sim
def test_every_model_of_the_paper_is_there(generated: Path) -> None:
    for name, models in MODELS.items():
        for model in models:
            folder = generated / "objects" / name
            for kind in ("visual", "collision"):
                assert (folder / kind / f"base{model}.glb").read_bytes()[:4] == b"glTF"
            data = json.loads((folder / f"model_data{model}.json").read_text())
            for pose in (*data["contact_points_pose"], *data["functional_matrix"]):
                rotation = np.array(pose)[:3, :3]
                np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
                assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-5)
                # Points lie on the object or close by it, in its own frame.
                assert np.abs(np.array(pose)[:3, 3]).max() < 0.3
            assert len(data["extents"]) == len(data["scale"]) == 3


@sim
def test_jointed_models_move_and_can_be_taken(generated: Path) -> None:
    for name, number in (("060_kitchenpot", 7), ("056_switch", 8)):
        for model in range(number):
            folder = generated / "objects" / name / str(model)
            robot = ET.parse(folder / "mobility.urdf").getroot()
            limit = robot.find("joint/limit")
            assert limit is not None
            assert float(limit.attrib["upper"]) > float(limit.attrib["lower"])
            for mesh in robot.iter("mesh"):
                assert (folder / mesh.attrib["filename"]).is_file()
            data = json.loads((folder / "model_data.json").read_text())
            links = {link.attrib["name"] for link in robot.iter("link")}
            assert {point["base"] for point in data["contact_points"]} <= links
            assert data["contact_points"]


@sim
def test_clutter_is_listed_with_its_measures(generated: Path) -> None:
    """As RoboTwin's ``demo_randomized`` looks for it."""
    folder = generated / "objects" / "objaverse"
    found = json.loads((folder / "list.json").read_text("utf-8"))
    assert set(found["item_names"]) == set(found["list_of_items"]) != set()
    for name, models in found["list_of_items"].items():
        for model in models:
            robot = ET.parse(folder / name / model / "model.urdf").getroot()
            meshes = [mesh.attrib["filename"] for mesh in robot.iter("mesh")]
            assert len(meshes) > 1
            assert all((folder / name / model / mesh).is_file() for mesh in meshes)
            assert len(list(robot.iter("link"))) == 1
            key = f"{name}_{model}"
            assert 0.01 < found["radius"][key] < 0.15
            assert 0.01 < found["z_max"][key] < 0.2
            assert found["z_offset"][key] == 0.0


@sim
def test_backgrounds_are_numbered_from_zero(generated: Path) -> None:
    for split, count in textures.COUNTS.items():
        names = {path.name for path in (generated / "background_texture" / split).iterdir()}
        assert names == {f"{n}.png" for n in range(count)}
