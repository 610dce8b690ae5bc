"""What is asked about a split, apart from what answers: a command line reads it at once."""

from dataclasses import dataclass

from uamsim.bounds import Depth, Pixels, Positive, Seed, check_bounds
from uamsim.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PreviewRequest:
    """What a preview shows.

    Attributes:
        env: a task of the world, such as "pick_place", or an environment id.
        episodes: how many scenes.
        columns: scenes side by side.
        seed: of the first.
        image_size: (H, W) of each picture.
        camera: which one; None takes the world's own for videos.
        render_profile: how pictures are drawn; None takes the world's finest.
    """

    env: str = "pick_place"
    episodes: Positive = 9
    columns: Positive = 3
    seed: Seed = 0
    image_size: tuple[Pixels, Pixels] = (300, 400)
    camera: str | None = None
    render_profile: str | None = None

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: not at least one.
        """
        check_bounds(self)


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """What is checked.

    Attributes:
        env: tasks, such as "pick_place", or environment ids.
        episodes: of the expert, in domain and on the split, from the same seeds.
        training_episodes: that are searched for what is held out, from the demonstrations' seeds.
        seed: first of the split's seeds.
        workers: processes.
    """

    env: tuple[str, ...] = ("press_button", "pick_place")
    episodes: Positive = 50
    training_episodes: Positive = 300
    seed: Seed = 2_000_000
    workers: Depth = 1

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: not at least one, or no environment.
        """
        check_bounds(self)
        if not self.env:
            raise ConfigError("env must name at least one task, such as pick_place.")
