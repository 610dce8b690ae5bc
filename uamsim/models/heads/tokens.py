"""What heads have alike that say actions as tokens of E_sem, one after another (RT-2, OpenVLA)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from uamsim.errors import ConfigError
from uamsim.models.config import VLAConfig
from uamsim.models.wiring import SEM, Head, Model, Segment

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from uamsim.models.action_ids import ActionIds
    from uamsim.models.attention_maps import AttentionRecorder
    from uamsim.models.decoding import Prefilled

IGNORED = -100
"""In place of an id where a shorter sequence is padded."""


class TokenHead(Head):
    """A: where actions begin, then all ids but the last; each predicts the next.

    Ids are counted from 0 here, whatever their places among E_sem's are (``ActionIds``).

    Attributes:
        num_ids: what may be said.
        stop: the id that ends a chunk; None where all have as many.
        max_tokens: of a chunk, the stop id counted.
    """

    expert = SEM
    normalization = "quantile"
    says_tokens = True
    num_ids: int
    stop: int | None = None
    max_tokens: int

    def __init__(self, config: VLAConfig) -> None:
        self.config = config
        width, appended = config.vlm.expert.width, config.action_ids == "appended"
        self.num_parameters = ((self.num_ids if appended else 0) + 1) * width
        vocabulary = config.vlm.vocab_size + (self.num_ids if appended else 0)
        self.num_tokens = self.max_tokens
        self.num_multiplied = self.max_tokens * vocabulary * width

    def check(self) -> None:
        """Refuses a dorsal expert, which E_sem does not see, and ids that are not there."""
        config = self.config
        if config.has_dorsal:
            raise ConfigError(
                f"a head of tokens reads E_sem alone, so it needs dorsal_input 'none'; got "
                f"{config.dorsal_input!r}."
            )
        if config.action_ids not in ("appended", "last"):
            raise ConfigError(f"action_ids must be 'appended' or 'last'; got {config.action_ids!r}")
        if config.action_ids == "last" and self.num_ids > config.vlm.vocab_size:
            raise ConfigError(
                f"action_ids 'last' needs {self.num_ids} ids of E_sem's {config.vlm.vocab_size}."
            )

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """The ids' embedding."""
        from uamsim.models.action_ids import ActionIds

        del seed
        appended = self.config.action_ids == "appended"
        width = self.config.vlm.expert.width
        return {"action_ids": ActionIds(width, self.num_ids, appended=appended)}

    def segments(self) -> tuple[Segment, ...]:
        """A."""
        return (Segment(kind="A", expert=SEM, length=self.max_tokens, rope="text", causal=True),)

    @abstractmethod
    def encode(self, model: Model, actions_BKA: Tensor) -> Tensor:
        """Ids [B, T] of chunks, T at most ``max_tokens``, with ``IGNORED`` behind a chunk's end."""

    @abstractmethod
    def decode(self, model: Model, ids_BT: Tensor) -> Tensor:
        """Chunks [B, K, A] of ids; NaN where they say none."""

    @abstractmethod
    def weights(self, ids_BT: Tensor, mask_BK: Tensor) -> Tensor:
        """Of each token in the loss, [B, T]."""

    def targets(self, actions_BKA: Tensor, mask_BK: Tensor) -> Tensor:
        """The chunk with its last action that counts in place of those that do not."""
        last_B = mask_BK.long().cumsum(1).argmax(1)
        held = actions_BKA.gather(1, last_B[:, None, None].expand(-1, 1, actions_BKA.shape[2]))
        return held.where(~mask_BK[..., None], actions_BKA)

    def actions(self, model: Model, x_BKA: Tensor, t_B: Tensor) -> Tensor:
        """Where actions begin, then all ids but the last."""
        import torch

        del t_B
        table: ActionIds = model.action_ids
        ids = self.encode(model, x_BKA)[:, :-1].clamp_min(0)
        told = table.embed(model.vlm, ids, shielded=model.shields_e_sem)
        return torch.cat((table.begin(model.vlm, len(x_BKA)), told), dim=1)

    def output(self, model: Model, hidden_BTW: Tensor) -> Tensor:
        """The chunk of each token's likeliest next one."""
        table: ActionIds = model.action_ids
        first, last = table.allowed(model.vlm)
        ids = table.logits(model.vlm, hidden_BTW)[..., first:last].argmax(-1) + first
        return self.decode(model, table.own(model.vlm, ids))

    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        actions_BKA: Tensor,
        mask_BK: Tensor,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        """Cross-entropy over text and actions."""
        from torch.nn import functional

        del noise
        table: ActionIds = model.action_ids
        ids = self.encode(model, self.targets(actions_BKA, mask_BK))
        weights = self.weights(ids, mask_BK)
        logits = table.logits(model.vlm, hidden_BTW, shielded=model.shields_e_sem)
        wanted = table.joint(model.vlm, ids).where(ids >= 0, IGNORED)
        loss = functional.cross_entropy(
            logits.flatten(0, 1).float(), wanted.flatten(), reduction="none"
        )
        return (loss.view(ids.shape) * weights).sum() / weights.sum().clamp_min(1e-6)

    def counted(self, actions_BKA: Tensor, mask_BK: Tensor) -> dict[str, Tensor]:
        """The share of numbers beyond [-1, 1], which are said as the nearest that can be."""
        beyond = (actions_BKA.abs() > 1 + 1e-6).to(actions_BKA.dtype).mean(-1)
        counted = mask_BK.to(beyond.dtype)
        return {"clipped": (beyond * counted).sum() / counted.sum().clamp_min(1.0)}

    def act(
        self,
        model: Model,
        step: Callable[[Tensor, float], Tensor],
        prefix: Prefilled,
        noise_BKA: Tensor,
        recorder: AttentionRecorder | None,
    ) -> Tensor:
        """Token after token, the likeliest of the actions' ids."""
        from uamsim.models.decoding import Decoder, Rules, decode

        del step
        table: ActionIds = model.action_ids
        vlm = model.vlm
        decoder = Decoder(vlm.mot, SEM, prefix, recorder)
        stop = None if self.stop is None else int(table.joint(vlm, self._stop(noise_BKA)))
        decoded = decode(
            decoder,
            decoder.read(table.begin(vlm, len(noise_BKA)))[:, 0],
            Rules(limit=self.max_tokens, stop=stop, allowed=table.allowed(vlm)),
            logits=lambda state: table.logits(vlm, state),
            embed=lambda ids: table.embed(vlm, table.own(vlm, ids)),
        )
        chunk = self.decode(model, table.own(vlm, decoded.ids))
        return chunk.masked_fill(~decoded.ended[:, None, None], float("nan"))

    def _stop(self, like: Tensor) -> torch.Tensor:
        import torch

        return torch.tensor(self.stop, device=like.device)
