"""What is asked about a split, apart from what answers: a command line reads it at once."""

from dataclasses import dataclass

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
    episodes: int = 9
    columns: int = 3
    seed: int = 0
    image_size: tuple[int, int] = (300, 400)
    camera: str | None = None
    render_profile: str | None = None

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: not at least one.
        """
        for name in ("episodes", "columns"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")


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
    episodes: int = 50
    training_episodes: int = 300
    seed: int = 2_000_000
    workers: int = 1

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConfigError: not at least one, or no environment.
        """
        for name in ("episodes", "training_episodes", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not self.env:
            raise ConfigError("env must name at least one task, such as pick_place.")
