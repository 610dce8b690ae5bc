"""What a VLA is put together from: a feed, a head and a prediction, each one class with a name.

| part | what it is | named by |
|---|---|---|
| feed | what the dorsal expert reads of an observation | ``VLAConfig.dorsal_input`` |
| head | what acts | ``VLAConfig.action_head`` |
| prediction | what ``dynamics`` predicts of the goal frame | ``VLAConfig.predicts`` |

A new one is one file in `feeds`, `heads` or `predictions`, which all are imported with
`uamsim.models`: a subclass of ``Feed``, ``Head`` or ``Prediction``, added to its registry. It is
made of a config and says how many tokens and parameters it has, and its methods are called by the
model that it is a part of. A dry run asks for sizes without torch, so these files import torch
inside methods alone.

Axes: B batch, T tokens, K actions of a chunk, A action, P proprio, C latent, W width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from uamsim.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

SEM, DOR, ACT = "sem", "dor", "act"
"""Names of the experts."""
Kind = str
"""Of a segment: one of ``segments.VISIBLE``, or a name of a part's own."""
RopeRule = Literal["image", "noise", "text", "grid", "marked"]
Model = Any
"""The VLA that a part belongs to: it has the part's ``layers`` as attributes."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A run of tokens of one kind.

    Attributes:
        expert: name of the expert whose weights these tokens go through.
        rope: "text" gives each token an id of its own; "image" one id to all, then advances;
            "noise" one id to all without advancing, so that the clean copy would reuse it; "grid"
            three ids by row and column, then advances by the longer side (M-RoPE); "marked" the
            id of the first segment of the same view, the marks of this picture.
        causal: tokens see only earlier tokens of their own segment.
        view: segments of one kind, or of M and V, with the same number are one picture and see
            one another whatever their order.
        grid: (h, w) tokens, where the rule is "grid".
        sees: the kinds that it sees, for a kind that ``segments.VISIBLE`` does not list.
    """

    kind: Kind
    expert: str
    length: int
    rope: RopeRule = "image"
    causal: bool = False
    view: int | None = None
    grid: tuple[int, int] = (0, 0)
    sees: frozenset[Kind] | None = None


def picture(kind: Kind, length: int) -> Segment:
    """The tokens of a picture in the dorsal expert: C, G_t or G_1."""
    return Segment(kind=kind, expert=DOR, length=length, rope="noise" if kind == "G_t" else "image")


class Part:
    """What feeds, heads and predictions have alike.

    Attributes:
        num_parameters: of its own layers, a VAE not counted.
        reads_latents: whether it needs the VAE's latents of the primary view, of which it then
            has the layer ``vae``.
    """

    num_parameters: int = 0
    reads_latents: bool = False

    def check(self) -> None:
        """Refuses a config that this part cannot do.

        Raises:
            ConfigError: what it needs is not there.
        """
        return

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """New layers, by the names that they have in the model and in its checkpoints.

        Args:
            seed: of layers that seed themselves; all others draw from torch's own generator.
        """
        del seed
        return {}

    def reset_parameters(self, model: Model) -> None:
        """Draws the initial values of parameters that belong to no module of ``layers``."""
        del model


class Feed(Part, ABC):
    """What the dorsal expert reads of an observation: C where it is a picture's latents, or D.

    Attributes:
        num_tokens: of an observation.
        grid: (h, w) of the tokens where they are a picture.
        marked: whether the VLM's marks around a picture stand around these tokens (BAGEL).
    """

    num_tokens: int
    grid: tuple[int, int] | None = None
    marked: bool = False

    def copied(self, start: str) -> Mapping[str, str]:
        """Own layers -> layers of what the dorsal expert starts from, whose weights they take."""
        del start
        return {}

    @abstractmethod
    def tokens(self, model: Model, features: Tensor, latents: Tensor | None) -> Tensor:
        """Tokens [B, num_tokens, W].

        Args:
            model: the VLA.
            features: of the ViT, [B, V, T, merge^2 * vision width].
            latents: [B, T, C] of the primary view, where ``reads_latents``.
        """


class Head(Part, ABC):
    """What acts.

    Attributes:
        expert: that its tokens go through.
        num_tokens: in a training sequence.
        num_multiplied: parameters that multiply one token a sample, outside the experts.
        normalization: mode of the actions' normaliser; "quantile" where actions are bounded.
        says_tokens: whether actions are tokens of E_sem.
    """

    expert: str
    num_tokens: int
    num_multiplied: int = 0
    normalization: Literal["mean_std", "quantile"] = "mean_std"
    says_tokens: bool = False

    @abstractmethod
    def segments(self) -> tuple[Segment, ...]:
        """Its segments, in order; A, which becomes the actions, is the last."""

    def draw(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Noise [size, ...] of a training step by its name."""
        del size, generator
        return {}

    def fit(self, model: Model, actions_NKA: np.ndarray) -> None:
        """Learns from normalised chunks of the demonstrations what is not trained by a loss."""
        del model, actions_NKA

    def targets(self, actions_BKA: Tensor, mask_BK: Tensor) -> Tensor:
        """The normalised chunk as it is to be predicted.

        Args:
            actions_BKA: the chunk.
            mask_BK: False where an action carries no loss.
        """
        del mask_BK
        return actions_BKA

    def counted(self, actions_BKA: Tensor, mask_BK: Tensor) -> dict[str, Tensor]:
        """What is worth counting in a step's chunks, each a mean over actions, by its name."""
        del actions_BKA, mask_BK
        return {}

    def noised(self, actions_BKA: Tensor, noise: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What ``actions`` reads in training: the chunk, with noise where it is noised, and times.

        Args:
            actions_BKA: the normalised chunk.
            noise: from ``draw``.
        """
        del noise
        return actions_BKA, actions_BKA.new_ones(len(actions_BKA))

    def state(self, model: Model, proprio_BP: Tensor) -> Tensor | None:
        """Tokens [B, T, W] of all segments before A; None where there are none."""
        del model, proprio_BP
        return None

    @abstractmethod
    def actions(self, model: Model, x_BKA: Tensor, t_B: Tensor) -> Tensor:
        """Tokens [B, T, W] of A."""

    @abstractmethod
    def output(self, model: Model, hidden_BTW: Tensor) -> Tensor:
        """What A's final states say, [B, K, A]."""

    @abstractmethod
    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        actions_BKA: Tensor,
        mask_BK: Tensor,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """The loss of A's final states.

        Args:
            model: the VLA.
            hidden_BTW: the states.
            actions_BKA: the normalised chunk.
            mask_BK: False where an action carries no loss.
            noise: from ``draw``.
        """

    def sample(self, step: Callable[[Tensor, float], Tensor], noise_BKA: Tensor) -> Tensor:
        """The normalised chunk [B, K, A], in one pass where the head has no other way.

        Args:
            step: ``output`` of one pass over A, made of ``x_BKA`` and a time.
            noise_BKA: what decides the chunk where it is drawn.
        """
        return step(noise_BKA, 1.0)

    def act(
        self,
        model: Model,
        step: Callable[[Tensor, float], Tensor],
        prefix: Any,
        noise_BKA: Tensor,
        recorder: Any,
    ) -> Tensor:
        """The normalised chunk [B, K, A] behind a prefix; NaN where the model says none.

        Args:
            model: the VLA.
            step: as for ``sample``.
            prefix: ``decoding.Prefilled``, all before A.
            noise_BKA: as for ``sample``.
            recorder: an ``AttentionRecorder`` or None; is shown the attention of each pass that is
                none of ``step``.
        """
        del model, prefix, recorder
        return self.sample(step, noise_BKA)


class Prediction(Part, ABC):
    """What is predicted of the frame at the end of the chunk, beside the actions.

    Attributes:
        loss_name: of its loss.
        weight: of its loss beside the head's.
        expert: that its tokens go through.
        num_tokens: in a training sequence.
        trained: its kinds in a training sequence, in order.
        seen: those that are there when a policy acts.
        predicting: the one whose final states predict.
        noise_shape: of one sample's noise when it acts or predicts; None where it needs none.
    """

    loss_name: str = "dynamics"
    weight: float = 1.0
    expert: str
    num_tokens: int
    trained: tuple[Kind, ...]
    seen: tuple[Kind, ...]
    predicting: Kind
    noise_shape: tuple[int, int] | None = None

    @abstractmethod
    def segment(self, kind: Kind) -> Segment:
        """The segment of one of its kinds."""

    def draw(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Noise [size, ...] of a training step by its name; what acts needs is "goal"."""
        del size, generator
        return {}

    @abstractmethod
    def tokens(
        self,
        model: Model,
        kind: Kind,
        latents: Tensor | None,
        goal_latents: Tensor | None,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """Tokens [B, T, W] of one of its kinds.

        Args:
            model: the VLA.
            kind: out of ``trained`` or ``seen``.
            latents: [B, T, C] of the primary view, where ``reads_latents``.
            goal_latents: [B, T, C] of the goal frame; None except in training.
            noise: from ``draw``; "goal" alone when it acts.
        """

    @abstractmethod
    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        latents: Tensor | None,
        goal_latents: Tensor | None,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """The loss of the final states of ``predicting``."""

    @abstractmethod
    def picture(
        self, model: Model, images: Tensor, instructions: Sequence[str], noise: Tensor | None
    ) -> Tensor:
        """The predicted goal frame, uint8 [B, H, W, 3].

        Args:
            model: the VLA.
            images: uint8 [B, V, H, W, 3].
            instructions: B strings.
            noise: [B, *noise_shape].
        """


FEEDS: Registry[Callable[[Any], Feed]] = Registry("dorsal input")
HEADS: Registry[Callable[[Any], Head]] = Registry("action head")
PREDICTIONS: Registry[Callable[[Any], Prediction]] = Registry("prediction")
