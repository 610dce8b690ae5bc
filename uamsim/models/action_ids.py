"""Ids of actions beside those of E_sem's text.

Axes: B batch, T tokens, W width, N ids.
"""

import torch
from torch import Tensor, nn

from uamsim.models.vlm import VLM


class ActionIds(nn.Module):
    """Further rows of E_sem's embedding, which it reads and writes as it does its text.

    Args:
        width: of E_sem.
        num_ids: of actions.
        appended: whether they are new; else they are the last of the text's, the last of all first
            (OpenVLA, whose BPE has many rare ones).

    Attributes:
        rows: [N, W], and a last one that is read where actions begin.
    """

    def __init__(self, width: int, num_ids: int, *, appended: bool) -> None:
        super().__init__()
        self.num_ids, self.appended = num_ids, appended
        self.rows = nn.Parameter(torch.empty((num_ids if appended else 0) + 1, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As E_sem's own."""
        nn.init.normal_(self.rows, std=self.rows.shape[1] ** -0.5)

    def begin(self, vlm: VLM, batch_size: int) -> Tensor:
        """The token before the first action, [B, 1, W]."""
        return self._scaled(vlm, self.rows[-1:]).expand(batch_size, -1, -1)

    def embed(self, vlm: VLM, ids: Tensor, *, shielded: bool = False) -> Tensor:
        """Tokens [..., W] of actions' ids [...], counted from 0.

        Args:
            vlm: whose embedding it is, where ids are the text's.
            ids: of actions.
            shielded: whether nothing of this may reach E_sem.
        """
        if self.appended:
            return self._scaled(vlm, self.rows[ids])
        tokens = vlm.embed_text(vlm.config.vocab_size - 1 - ids)
        return tokens.detach() if shielded else tokens

    def logits(self, vlm: VLM, hidden: Tensor, *, shielded: bool = False) -> Tensor:
        """Over text, then actions, [..., text ids + N]; over text alone where they are its last."""
        weight = vlm.output_weight.detach() if shielded else vlm.output_weight
        if self.appended:
            weight = torch.cat((weight, self.rows[:-1]))
        return nn.functional.linear(hidden, weight)

    def joint(self, vlm: VLM, ids: Tensor) -> Tensor:
        """Their places in ``logits``, of actions' ids."""
        vocabulary = vlm.config.vocab_size
        return ids + vocabulary if self.appended else vocabulary - 1 - ids

    def own(self, vlm: VLM, joint_ids: Tensor) -> Tensor:
        """Inverse of ``joint``."""
        vocabulary = vlm.config.vocab_size
        return joint_ids - vocabulary if self.appended else vocabulary - 1 - joint_ids

    def allowed(self, vlm: VLM) -> tuple[int, int]:
        """The first of the actions' ids among all, and the one after the last."""
        last = vlm.config.vocab_size + (self.num_ids if self.appended else 0)
        return last - self.num_ids, last

    @staticmethod
    def _scaled(vlm: VLM, tokens: Tensor) -> Tensor:
        return tokens * tokens.shape[-1] ** 0.5 if vlm.config.scale_embeddings else tokens


class Merges(nn.Module):
    """The pairs of symbols that FAST has learnt to say as one, [M, 2]; -1 where none is learnt."""

    def __init__(self, num_merges: int) -> None:
        super().__init__()
        self.register_buffer("merges", torch.empty(num_merges, 2, dtype=torch.long))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """None is learnt."""
        self.get_buffer("merges").fill_(-1)
