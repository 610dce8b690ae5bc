"""Decoding token by token equals whole passes, and keeps to its rules."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from uamsim.models.decoding import Decoded, Decoder, Prefilled, Rules, decode
from uamsim.models.segments import additive
from uamsim.models.wiring import SEM
from uamsim.testing.models import INSTRUCTIONS, make_batch, micro_vla


def decoded(rules: Rules) -> tuple[Decoded, Tensor]:
    """Behind three prompts, and the same by passes over all tokens so far."""
    vlm = micro_vla("no_dorsal").vlm
    images = make_batch(micro_vla("no_dorsal")).images
    prompts = vlm.prompts(INSTRUCTIONS[:1] * 3)
    with torch.no_grad():
        out = vlm(prompts, images)
        length, steps = out.cache[0][0].shape[1], torch.arange(rules.limit)
        last = vlm.layout(prompts.ids.shape[1]).positions(prompts.lengths)[:, -1:]
        prefix = Prefilled(
            out.cache,
            vlm.mot.rotary(last + 1 + steps),
            additive(torch.ones(3, 1, rules.limit, length + rules.limit, dtype=torch.bool)),
        )
        decoder = Decoder(vlm.mot, SEM, prefix)
        state = out.hidden[SEM][:, -1]
        result = decode(decoder, state, rules, logits=vlm.logits, embed=vlm.embed_text)
        first, end = rules.allowed or (0, None)
        ids, whole = prompts.ids, []
        for _ in range(rules.limit):
            more = type(prompts)(ids, torch.full((3,), ids.shape[1]))
            logits = vlm.logits(vlm(more, images).hidden[SEM][:, -1])
            whole.append(logits[:, first:end].argmax(-1) + first)
            ids = F.pad(ids, (0, 1))
            ids[:, -1] = whole[-1]
    return result, torch.stack(whole, dim=1)


def test_tokens_are_those_of_whole_passes_among_the_allowed_ids() -> None:
    free, whole = decoded(Rules(limit=5))
    assert torch.equal(free.ids, whole)
    assert free.ended.all()
    held, whole = decoded(Rules(limit=5, allowed=(40, 60)))
    assert torch.equal(held.ids, whole)
    assert ((held.ids >= 40) & (held.ids < 60)).all()


def test_a_row_ends_at_the_stop_id_or_is_said_not_to_have_ended() -> None:
    _, whole = decoded(Rules(limit=4))
    stop = int(whole[0, 1])
    result, _ = decoded(Rules(limit=4, stop=stop))
    for row, free, ended in zip(result.ids, whole, result.ended, strict=True):
        hits = (free == stop).nonzero()
        assert bool(ended) == (len(hits) > 0)
        if len(hits):
            end = int(hits[0])
            assert torch.equal(row[: end + 1], free[: end + 1])
            assert (row[end:] == stop).all()
    never = next(i for i in range(300) if i not in whole)
    result, _ = decoded(Rules(limit=2, stop=never))
    assert not result.ended.any()
    assert result.ids.shape == (3, 2)
