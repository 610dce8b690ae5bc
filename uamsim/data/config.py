"""What data to make. Every field decides the result; nothing here depends on the host."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from uamsim.bounds import Pixels, Positive, Seed, Share, check_bounds
from uamsim.contract import ADDED, SKILLS, Control
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.worlds import world_of

PixelFormat = Literal["yuv444p", "yuv420p"]
"""How videos hold colours: at full resolution, or halved, which every browser plays."""
SCENE_ENV_ID = "uamsim_envs:uamsim/AlohaScene-v0"


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class DemonstrationConfig:
    """Scripted demonstrations to record.

    Attributes:
        env_ids: environments, as gymnasium names them.
        episodes_per_env: successful episodes of each.
        seed0: first seed; seeds whose demonstration fails are skipped.
        fps: frames a second that are kept; see ``WorldSpec.check_fps``. Of an untimed world every
            n-th action is kept, and this is the nearest whole number.
        cameras: recorded cameras.
        image_size: (H, W).
        control: representation of actions and of the arm's state.
        render_profile: how pictures are drawn.
        max_failures: share of seeds that may fail before the expert is taken to be broken.
        pixel_format: of the videos.
        quantiles: whether statistics have the 1st to 99th percentile of states and actions, by
            which LeRobot normalises for some policies.
        timed: whether each action takes the same time, as the world's ``WorldSpec`` says.
    """

    env_ids: tuple[str, ...] = (
        "uamsim_envs:uamsim/AlohaPressButton-v0",
        "uamsim_envs:uamsim/AlohaPickPlace-v0",
    )
    episodes_per_env: Positive = 200
    seed0: Seed = 1_000_000
    fps: Positive = 10
    cameras: tuple[str, ...] = ("primary",)
    image_size: tuple[Pixels, Pixels] = (64, 96)
    control: Control = "ee"
    render_profile: str = "fast"
    max_failures: Share = 0.5
    pixel_format: PixelFormat = field(default="yuv444p", metadata=ADDED)
    quantiles: bool = field(default=False, metadata=ADDED)
    timed: bool = field(default=True, init=False, metadata=ADDED)

    def __post_init__(self) -> None:
        """Checks the fields, also against the world.

        Raises:
            UnknownNameError: the world has no such control, camera or render profile.
            ConfigError: a value out of range, or environments that do not go together.
        """
        check_bounds(self)
        _require(bool(self.env_ids), "DemonstrationConfig.env_ids is empty; name an environment.")
        _require(bool(self.cameras), "DemonstrationConfig.cameras is empty; name a camera.")
        _require(
            0 <= self.max_failures < 1,
            f"DemonstrationConfig.max_failures must be in [0, 1), not {self.max_failures}.",
        )
        if self.pixel_format not in get_args(PixelFormat):
            raise UnknownNameError("pixel format", self.pixel_format, get_args(PixelFormat))
        _require(
            self.pixel_format != "yuv420p" or not any(n % 2 for n in self.image_size),
            "DemonstrationConfig.image_size must be even with pixel_format yuv420p, not "
            f"{self.image_size}.",
        )
        worlds = [world_of(env_id) for env_id in self.env_ids]
        for world in worlds:
            world.check_pictures(self.cameras, self.render_profile)
            world.check_fps(self.control, self.fps)
        _require(
            len({world.control_hz for world in worlds}) == 1,
            "DemonstrationConfig.env_ids names environments that take different numbers of "
            "actions a second; record them one after the other.",
        )
        object.__setattr__(self, "timed", worlds[0].control_hz is not None)

    @property
    def control_hz(self) -> float | None:
        """Actions a second that the world takes; None where each takes as long as it needs."""
        world = world_of(self.env_ids[0])
        return world.control_hz if world.environments or self.control != "relative" else self.fps


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """A dataset that takes the place of recorded demonstrations.

    Attributes:
        path: folder of a LeRobotDataset v3.0; "" records demonstrations.
        camera_map: "CAMERA=FEATURE" for each camera of the policy, such as
            "primary=observation.images.top"; () takes those that are called as the policy's.
        state: feature that is ``agent_pos``.
        action: feature that is the action.
        control: what actions are; None takes what the dataset says, as those of this project do.
    """

    path: str = ""
    camera_map: tuple[str, ...] = ()
    state: str = "observation.state"
    action: str = "action"
    control: Control | None = None

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            UnknownNameError: no such control.
            ConfigError: an entry of the map without a feature.
        """
        if self.control is not None and self.control not in get_args(Control):
            raise UnknownNameError("control", self.control, get_args(Control))
        for word in self.camera_map:
            if not all(word.partition("=")):
                raise ConfigError(f"data.camera-map expects CAMERA=FEATURE, got {word!r}.")


def _default_skill_weights() -> dict[str, float]:
    return dict(zip(SKILLS, (0.10, 0.10, 0.14, 0.20, 0.14, 0.32), strict=True))


@dataclass(frozen=True, kw_only=True)
class VQAConfig:
    """Rendered scenes with questions.

    Attributes:
        num_train_scenes: pictures to train on; their questions are drawn on the fly.
        num_test_scenes: held-out pictures.
        questions_per_skill_test: fixed questions of each skill on the held-out pictures.
        image_size: (H, W).
        camera: whose picture it is.
        render_profile: how pictures are drawn.
        seed0: first seed of the scenes.
        env_id: the environment that draws scenes.
        skill_weights: how often training draws each skill of ``contract.SKILLS``.
    """

    num_train_scenes: Positive = 20_000
    num_test_scenes: Positive = 1_000
    questions_per_skill_test: Positive = 200
    image_size: tuple[Pixels, Pixels] = (64, 96)
    camera: str = "primary"
    render_profile: str = "fast"
    seed0: Seed = 2_000_000
    env_id: str = SCENE_ENV_ID
    skill_weights: dict[str, float] = field(default_factory=_default_skill_weights)

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            ConfigError: a value out of range.
        """
        check_bounds(self)
        _require(
            set(self.skill_weights) == set(SKILLS)
            and all(weight >= 0 for weight in self.skill_weights.values())
            and sum(self.skill_weights.values()) > 0,
            f"VQAConfig.skill_weights needs a weight for each of {', '.join(SKILLS)}, "
            f"got {self.skill_weights}.",
        )


@dataclass(frozen=True, kw_only=True)
class SceneChangeConfig:
    """Pictures of scenes before and after a change that is put into words.

    Attributes:
        num_pairs: pairs of pictures.
        image_size: (H, W).
        camera: whose pictures they are.
        render_profile: how pictures are drawn.
        seed0: first seed of the scenes.
        env_id: the environment that draws scenes.
    """

    num_pairs: Positive = 5_000
    image_size: tuple[Pixels, Pixels] = (64, 96)
    camera: str = "primary"
    render_profile: str = "fast"
    seed0: Seed = 3_000_000
    env_id: str = SCENE_ENV_ID

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            ConfigError: a value out of range.
        """
        check_bounds(self)
