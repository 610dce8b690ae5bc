"""Tokens one after another from a prefix: answers, and actions that are tokens.

Axes: B batch, T tokens, W width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from uamsim.models.attention_maps import AttentionRecorder
from uamsim.models.mot import GrowingCache, KVCache, MoT, Rotary


@dataclass(frozen=True)
class Prefilled:
    """A prefix whose keys and values are kept, and what the tokens after it need.

    Attributes:
        cache: keys and values of the prefix.
        rotary: of the tokens after it.
        mask: of these over the prefix and themselves, additive.
    """

    cache: KVCache
    rotary: Rotary
    mask: Tensor


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What may be decoded.

    Attributes:
        limit: of tokens, the stop id counted.
        stop: the id that ends a row; None where all rows have ``limit`` tokens.
        allowed: the ids that are chosen from, by the first and the one after the last; None for
            all.
    """

    limit: int
    stop: int | None = None
    allowed: tuple[int, int] | None = None


@dataclass(frozen=True)
class Decoded:
    """What was decoded.

    Attributes:
        ids: [B, T], filled with the stop id behind a row's end.
        ended: [B], False where the limit came before the stop id.
    """

    ids: Tensor
    ended: Tensor


class Decoder:
    """Goes on from a prefix token by token; keys and values have their room from the start.

    Args:
        mot: the mixture.
        expert: that the tokens go through.
        prefix: with rotary and mask of all tokens that may come.
        recorder: is shown the attention of each pass.
    """

    def __init__(
        self,
        mot: MoT,
        expert: str,
        prefix: Prefilled,
        recorder: AttentionRecorder | None = None,
    ) -> None:
        self._mot, self._expert, self._recorder = mot, expert, recorder
        self._rotary, self._mask, self._read = prefix.rotary, prefix.mask, 0
        self._before = prefix.cache[0][0].shape[1]
        more = prefix.rotary[0].shape[1]
        self._cache = [GrowingCache(keys, values, more) for keys, values in prefix.cache]

    def read(self, tokens_BTW: Tensor) -> Tensor:
        """Final states [B, T, W] of the next tokens."""
        rows = slice(self._read, self._read + tokens_BTW.shape[1])
        mask = self._mask[:, :, rows, : self._before + rows.stop]
        cos, sin = self._rotary
        recorder = self._recorder
        out = self._mot(
            {self._expert: tokens_BTW},
            (cos[:, rows], sin[:, rows]),
            mask,
            past=self._cache,
            probe_layer=None if recorder is None else recorder.layer,
        )
        self._read = rows.stop
        if recorder is not None:
            recorder.add(self._cache[recorder.layer].keys, mask, out)
        return out.hidden[self._expert]


def decode(
    decoder: Decoder,
    state_BW: Tensor,
    rules: Rules,
    *,
    logits: Callable[[Tensor], Tensor],
    embed: Callable[[Tensor], Tensor],
    choose: Callable[[Tensor], Tensor] | None = None,
) -> Decoded:
    """Tokens, by default greedy ones.

    Args:
        decoder: has read all before the first token.
        state_BW: final state of the last token that it read.
        rules: what may be decoded.
        logits: [B, ids] of states [B, W].
        embed: tokens [B, W] of ids [B].
        choose: ids [B] among those of logits [B, ids]; the largest where None.
    """
    first, last = rules.allowed or (0, None)
    done = torch.zeros(len(state_BW), dtype=torch.bool, device=state_BW.device)
    ids: list[Tensor] = []
    while True:
        allowed = logits(state_BW)[:, first:last]
        token_B = (allowed.argmax(-1) if choose is None else choose(allowed)) + first
        if rules.stop is None:
            ids.append(token_B)
        else:
            ids.append(torch.where(done, rules.stop, token_B))
            done = done | (token_B == rules.stop)
        if len(ids) == rules.limit or (rules.stop is not None and bool(done.all())):
            break
        state_BW = decoder.read(embed(token_B)[:, None])[:, 0]
    ended = done if rules.stop is not None else torch.ones_like(done)
    return Decoded(torch.stack(ids, dim=1), ended)
