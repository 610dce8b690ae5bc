"""A chunk as FAST tokens of E_sem, which also reads the state as tokens (pi0-FAST)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uamsim.errors import ConfigError
from uamsim.models.config import VLAConfig
from uamsim.models.heads.tokens import IGNORED, TokenHead
from uamsim.models.wiring import HEADS, SEM, Model, Segment

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from uamsim.models.fast import FASTCodec

NUM_STATE_BINS = 256


class FASTHead(TokenHead):
    """S, each number of the state as one of 256 ids, then A.

    pi0-FAST writes the bins into the prompt as decimal text; here each has an embedding.
    """

    def __init__(self, config: VLAConfig) -> None:
        self.stop = config.fast_vocab
        self.num_ids = config.fast_vocab + 1
        self.max_tokens = config.chunk * config.action_dim + 1
        super().__init__(config)
        self.num_tokens += config.proprio_dim
        self.num_parameters += NUM_STATE_BINS * config.vlm.expert.width

    def check(self) -> None:
        """Refuses what any head of tokens does, and too small a vocabulary."""
        from uamsim.models.fast import SYMBOLS

        super().check()
        if self.config.fast_vocab < SYMBOLS:
            raise ConfigError(
                f"fast_vocab must be at least {SYMBOLS}, the alphabet of FAST; got "
                f"{self.config.fast_vocab}."
            )

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        """The ids' embedding, that of the state, and the learnt merges."""
        from torch import nn

        from uamsim.models.action_ids import Merges
        from uamsim.models.fast import SYMBOLS

        states = nn.Embedding(NUM_STATE_BINS, self.config.vlm.expert.width)
        nn.init.normal_(states.weight, std=states.embedding_dim**-0.5)
        fast = Merges(self.config.fast_vocab - SYMBOLS)
        return super().layers(seed) | {"state_ids": states, "fast": fast}

    def segments(self) -> tuple[Segment, ...]:
        """S and A."""
        state = Segment(kind="S", expert=SEM, length=self.config.proprio_dim, rope="text")
        return (state, *super().segments())

    def state(self, model: Model, proprio_BP: Tensor) -> Tensor | None:
        """A token for the bin of each number."""
        place = (proprio_BP.clamp(-1, 1) + 1) * (NUM_STATE_BINS / 2)
        return model.state_ids(place.floor().long().clamp_max(NUM_STATE_BINS - 1))

    def fit(self, model: Model, actions_NKA: np.ndarray) -> None:
        """Learns the byte-pair encoding."""
        import torch

        from uamsim.models.fast import learn_merges

        merges: Tensor = model.fast.merges
        merges.copy_(torch.from_numpy(learn_merges(actions_NKA, len(merges))))

    def _codec(self, model: Model) -> FASTCodec:
        from uamsim.models.fast import codec

        return codec(model.fast.merges.cpu().numpy().tobytes())

    def encode(self, model: Model, actions_BKA: Tensor) -> Tensor:
        """Tokens, then the stop id; as many as the longest chunk of the batch has."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        from uamsim.models.fast import symbols

        known = self._codec(model)
        rows = symbols(actions_BKA.detach().float().cpu().numpy())
        ids = [torch.tensor([*known.encode(row), self.stop]) for row in rows]
        padded = pad_sequence(ids, batch_first=True, padding_value=IGNORED)
        return padded.to(actions_BKA.device)

    def decode(self, model: Model, ids_BT: Tensor) -> Tensor:
        """Chunks; NaN where the tokens before the stop id are not of K times A symbols."""
        import numpy as np
        import torch

        from uamsim.models.fast import chunk_of

        known, (chunk, dim) = self._codec(model), (self.config.chunk, self.config.action_dim)
        chunks = np.full((len(ids_BT), chunk, dim), np.nan, np.float32)
        for row, ids in zip(chunks, ids_BT.tolist(), strict=True):
            end = ids.index(self.stop) if self.stop in ids else len(ids)
            said = known.decode(ids[:end])
            if said is not None and len(said) == chunk * dim:
                row[:] = chunk_of(said, chunk, dim)
        return torch.from_numpy(chunks).to(ids_BT.device)

    def weights(self, ids_BT: Tensor, mask_BK: Tensor) -> Tensor:
        """A chunk counts as many times as it has actions that count, spread over its tokens."""
        real = (ids_BT != IGNORED).float()
        return real * (mask_BK.float().sum(1) / real.sum(1))[:, None]

    def counted(self, actions_BKA: Tensor, mask_BK: Tensor) -> dict[str, Tensor]:
        """The share of coefficients beyond FAST's alphabet, said as the nearest in it."""
        from uamsim.models.fast import SYMBOLS, coefficients

        whole = self.targets(actions_BKA, mask_BK)
        found = coefficients(whole.detach().float().cpu().numpy())
        beyond = (found < -SYMBOLS // 2) | (found >= SYMBOLS // 2)
        share = actions_BKA.new_tensor(beyond.mean((1, 2)))
        weight = mask_BK.to(share.dtype).sum(1)
        return {"clipped": (share * weight).sum() / weight.sum().clamp_min(1.0)}


HEADS.add("fast", FASTHead)
