"""An action expert of its own, which removes the noise from a chunk (pi0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from uamsim.models.config import VLAConfig
from uamsim.models.sizes import linear
from uamsim.models.wiring import ACT, HEADS, Head, Model, Segment

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from uamsim.models.flow import ActionIO


class FlowHead(Head):
    """S, the state, and A, the noised chunk; what A predicts is the flow's velocity."""

    expert = ACT

    def __init__(self, config: VLAConfig) -> None:
        self.config = config
        self.num_tokens = 1 + config.chunk
        width, action_dim = config.action.width, config.action_dim
        self.num_parameters = (
            linear(config.proprio_dim, width)
            + linear(action_dim, width)
            + linear(2 * width, width)
            + linear(width, width)
            + linear(width, action_dim)
        )

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """What stands between actions, proprioception and the action expert."""
        from uamsim.models.flow import ActionIO

        del seed
        c = self.config
        return {"action": ActionIO(c.action_dim, c.proprio_dim, c.action.width)}

    def segments(self) -> tuple[Segment, ...]:
        """S and A."""
        return (
            Segment(kind="S", expert=ACT, length=1),
            Segment(kind="A", expert=ACT, length=self.config.chunk, rope="text"),
        )

    def draw(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Times [B] and noise [B, K, A]."""
        import torch

        from uamsim.models.flow import sample_action_time

        times = sample_action_time(size, self.config.action_time_alpha, generator)
        shape = (size, self.config.chunk, self.config.action_dim)
        normal = torch.randn(shape, generator=generator, device=generator.device)
        return {"action_t": times, "action": normal}

    def noised(self, actions_BKA: Tensor, noise: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The chunk at the drawn times."""
        from uamsim.models.flow import interpolate

        return interpolate(actions_BKA, noise["action"], noise["action_t"]), noise["action_t"]

    def state(self, model: Model, proprio_BP: Tensor) -> Tensor | None:
        """The state token."""
        action: ActionIO = model.action
        return action.embed_state(proprio_BP)

    def actions(self, model: Model, x_BKA: Tensor, t_B: Tensor) -> Tensor:
        """A token for each noised action."""
        action: ActionIO = model.action
        return action.embed_actions(x_BKA, t_B)

    def output(self, model: Model, hidden_BTW: Tensor) -> Tensor:
        """The velocity."""
        action: ActionIO = model.action
        return action.velocity(hidden_BTW)

    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        actions_BKA: Tensor,
        mask_BK: Tensor,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """MSE of the velocity over the actions that count."""
        error = self.output(model, hidden_BTW) - (noise["action"] - actions_BKA)
        mask = mask_BK[..., None].to(error.dtype)
        return (error.square() * mask).sum() / (mask.sum() * error.shape[-1]).clamp_min(1.0)

    def sample(self, step: Callable[[Tensor, float], Tensor], noise_BKA: Tensor) -> Tensor:
        """Euler steps from the noise."""
        from uamsim.models.flow import integrate

        # A tensor from outside inference mode would be compiled for on its own.
        return integrate(step, noise_BKA.clone(), self.config.num_euler_steps)


HEADS.add("flow", FlowHead)
