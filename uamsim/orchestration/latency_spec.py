"""How long policies take for a chunk of actions, as one value: what to build and time."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from uamsim.bounds import Depth, Positive, Size, check_bounds
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.jsonable import to_json
from uamsim.models.config import VLAConfig
from uamsim.models.presets import PRESETS
from uamsim.models.variants import VARIANTS

BASELINE = "no_dorsal"


@dataclass(frozen=True, kw_only=True)
class LatencySpec:
    """What is timed. Weights are random: they do not change how long it takes.

    Attributes:
        name: of the experiment.
        scale: which of its sizes this is.
        summary: one line.
        preset: name in ``PRESETS``.
        variants: names in ``VARIANTS``; "no_dorsal", the 2-expert model, is what others are
            divided by.
        batch_size: observations in a call.
        num_euler_steps: action steps in a chunk.
        instruction: the text of every observation.
        warmup: calls of each model before those that count.
        repeats: calls of each model that count, the models taking turns.
        device: "cpu", or "cuda" for the first GPU.
        dtype: of weights and activations.
        threads: CPU threads of PyTorch.
        compiled: whether both passes, the prefix and an action step, are compiled (with CUDA graphs
            on a GPU).
    """

    name: str = "latency"
    scale: str = "tiny"
    summary: str = ""
    preset: str = "tiny"
    variants: tuple[str, ...] = ("mlp_head", "no_dorsal", "uam")
    batch_size: Size = 1
    num_euler_steps: Depth = 10
    instruction: str = "put the red cup on the blue plate"
    warmup: Positive = 5
    repeats: Positive = 100
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: Depth = 1
    compiled: bool = False

    def __post_init__(self) -> None:
        """Checks names and numbers.

        Raises:
            UnknownNameError: no such preset or variant.
            ConfigError: a number below 1, or the baseline is missing.
        """
        check_bounds(self)
        if self.preset not in PRESETS:
            raise UnknownNameError("model preset", self.preset, PRESETS)
        for variant in self.variants:
            if variant not in VARIANTS:
                raise UnknownNameError("variant", variant, VARIANTS)
        if BASELINE not in self.variants:
            raise ConfigError(f"variants must hold {BASELINE!r}, which all are divided by.")

    def model(self, variant: str) -> VLAConfig:
        """What is built for a variant."""
        config = VARIANTS[variant].apply(PRESETS[self.preset])
        return dataclasses.replace(config, num_euler_steps=self.num_euler_steps)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return to_json(self)
