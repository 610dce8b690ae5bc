"""Training on a dataset that is there already (``--data``)."""

import dataclasses
from functools import lru_cache
from typing import Any

from uamsim.data.config import DataConfig
from uamsim.errors import ConfigError
from uamsim.orchestration.artifacts.public_weights import SpecT
from uamsim.orchestration.latency_spec import LatencySpec
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.worlds import world_of


def fit_to_data(spec: SpecT) -> SpecT:
    """The experiment with the cameras, rate and actions of the dataset that ``spec.data`` names.

    It is evaluated in the experiment's world, which must take such actions.

    Raises:
        DatasetError: the dataset is missing, or lacks what is asked for.
        UamsimError: it does not fit the world; or policies would be tested on its episodes.
    """
    if isinstance(spec, LatencySpec) or not spec.data.path:
        return spec
    from uamsim.data.given import GivenDataset

    data = GivenDataset(spec.data, spec.demonstrations.cameras)
    tested = spec.evaluation
    count = max(tested.episodes, tested.in_domain_episodes, tested.control_episodes)
    seeds = range(tested.seed0, tested.seed0 + count)
    if both := [s for env_id, s in data.seeds() if env_id in tested.env_ids and s in seeds]:
        raise ConfigError(
            f"seeds {min(both)} to {max(both)} are in {spec.data.path} and among those that "
            f"policies are tested on; choose --evaluation.seed0 beyond {max(both)}."
        )
    cameras = tuple(data.cameras)
    demonstrations = dataclasses.replace(
        spec.demonstrations, control=data.control, fps=data.fps, cameras=cameras
    )
    sizes = world_of(demonstrations.env_ids[0]).sizes(data.control)
    model = dataclasses.replace(
        spec.model,
        action_dim=data.action_dim,
        proprio_dim=data.proprio_dim,
        gripper_dims=sizes.gripper_dims,
        num_views=len(cameras),
    )
    return spec.replace(demonstrations=demonstrations, model=model)


def demonstration_config(spec: ExperimentSpec) -> Any:
    """What decides the demonstrations: how they are recorded, or which dataset it is."""
    config = spec.demonstrations
    if not spec.data.path:
        return config
    return {
        "given": _fingerprint(spec.data),
        "mapping": dataclasses.replace(spec.data, path=""),
        "cameras": config.cameras,
        "image_size": config.image_size,
        "control_hz": config.control_hz,
    }


@lru_cache
def _fingerprint(data: DataConfig) -> str:
    from uamsim.data.given import GivenDataset

    return GivenDataset(data).fingerprint
