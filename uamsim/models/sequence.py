"""Running a layout through the mixture: in one pass, behind a frozen prefix, or cached.

Axes: B batch, T tokens, W width, C numbers a latent token.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from uamsim.models.config import GoalStart
from uamsim.models.decoding import Prefilled
from uamsim.models.flow import LatentIO, goal_start, integrate
from uamsim.models.mot import KVCache, Mask, MoT, MoTOutput, Rotary
from uamsim.models.packing import pack
from uamsim.models.segments import Layout, additive
from uamsim.models.vlm import Prompts
from uamsim.models.wiring import DOR, SEM, Segment


def plan(layout: Layout, mot: MoT, prompts: Prompts) -> tuple[Rotary, Tensor]:
    """Rotary of all tokens and the additive mask [B, 1, T, T]."""
    text = layout.span("L")
    docs = F.pad(prompts.docs, (text.start, layout.length - text.stop))
    return mot.rotary(layout.positions(prompts.lengths)), additive(layout.dense_mask(docs))


def run_layout(
    mot: MoT,
    layout: Layout,
    x: Mapping[str, Tensor],
    prompts: Prompts,
    *,
    keep: Mapping[str, slice] | None = None,
    freeze_sem: bool = False,
    packed: bool = False,
    past: KVCache | None = None,
) -> MoTOutput:
    """One training pass over a whole layout.

    Args:
        mot: the mixture.
        layout: all segments of the sequence.
        x: expert name -> [B, T, W], in the layout's order.
        prompts: the text in L, whose padding nobody sees.
        keep: as for ``MoT``.
        freeze_sem: V and L run first and without gradients; the others read their keys and
            values, and what else goes through E_sem has no gradient to its weights. The states of
            V and L are then not returned.
        packed: all samples run as one sequence without padding, where some tokens are kept.
        past: keys and values of V and L where they are known; what ``x`` has in their place is
            then not read. Needs ``freeze_sem``, and excludes ``packed``.
    """
    if packed and keep:
        one = pack(mot, layout, x, prompts, keep)
        out = _run(mot, one.x, one.rotary, one.mask, one.prefix, one.keep, freeze_sem)
        size = len(prompts.ids)
        hidden = {name: h.view(size, -1, h.shape[-1]) for name, h in out.hidden.items()}
        return dataclasses.replace(out, hidden=hidden)
    rotary, mask = plan(layout, mot, prompts)

    def part(queries: slice, num_keys: int) -> Tensor:
        return mask[:, :, queries, :num_keys]

    return _run(mot, x, rotary, part, layout.span("L").stop, keep, freeze_sem, past)


def _run(
    mot: MoT,
    x: Mapping[str, Tensor],
    rotary: Rotary,
    mask: Callable[[slice, int], Mask],
    prefix: int,
    keep: Mapping[str, slice] | None,
    freeze_sem: bool,
    past: KVCache | None = None,
) -> MoTOutput:
    """``run_layout`` of tokens of which V and L are the first ``prefix``."""
    total = rotary[0].shape[1]
    if not freeze_sem:
        return mot(x, rotary, mask(slice(0, total), total), keep=keep)
    if past is None:
        with torch.no_grad():
            head = (rotary[0][:, :prefix], rotary[1][:, :prefix])
            seen = mot({SEM: x[SEM][:, :prefix]}, head, mask(slice(0, prefix), prefix), keep={})
            past = seen.cache
    tail = (rotary[0][:, prefix:], rotary[1][:, prefix:])
    rest = {name: tokens for name, tokens in x.items() if name != SEM}
    acting = x[SEM][:, prefix:]
    if acting.shape[1]:
        rest = {SEM: acting, **rest}
    behind = mask(slice(prefix, total), total)
    return mot(rest, tail, behind, past=past, keep=keep, held=SEM)


def prefill(mot: MoT, layout: Layout, x: Mapping[str, Tensor], prompts: Prompts) -> Prefilled:
    """Runs the first tokens of ``layout``, those in ``x``, once."""
    rotary, mask = plan(layout, mot, prompts)
    stop = sum(tokens.shape[1] for tokens in x.values())
    head = (rotary[0][:, :stop], rotary[1][:, :stop])
    out = mot(x, head, mask[:, :, :stop, :stop], keep={})
    return Prefilled(out.cache, (rotary[0][:, stop:], rotary[1][:, stop:]), mask[:, :, stop:])


def dorsal_segments(
    pictures: Sequence[Segment], num_marks: int, *, staged: bool = False
) -> tuple[Segment, ...]:
    """Pictures that E_dor reads, with the marks around them.

    Args:
        pictures: C, G_t and G_1, or some of them.
        num_marks: text tokens around a picture, which E_sem reads (BAGEL); they share the
            picture's rotary id and see what it sees.
        staged: marks stand before their own picture; else, as for one pass over each expert's
            tokens, before the first.
    """
    if not num_marks:
        return tuple(pictures)
    # Views are numbered from 0, so these pictures are numbered below it.
    marks = [
        dataclasses.replace(picture, expert=SEM, length=num_marks, view=-1 - number)
        for number, picture in enumerate(pictures)
    ]
    marked = [
        dataclasses.replace(picture, rope="marked", view=mark.view)
        for picture, mark in zip(pictures, marks, strict=True)
    ]
    if staged:
        return tuple(part for pair in zip(marks, marked, strict=True) for part in pair)
    return (*marks, *marked)


def sample_goal(
    mot: MoT,
    latent: LatentIO,
    layout: Layout,
    x: Mapping[str, Tensor],
    prompts: Prompts,
    current_BTC: Tensor,
    noise_BTC: Tensor,
    marks_BTW: Tensor,
    *,
    start: GoalStart,
    num_steps: int,
) -> Tensor:
    """Goal latents [B, T, C] by Euler steps over G_t.

    ``x`` holds V, L and C of the staged ``layout``, ``marks_BTW`` what E_sem reads around G_t.
    """
    prefix = prefill(mot, layout, x, prompts)
    around = {SEM: marks_BTW} if marks_BTW.shape[1] else {}

    def velocity(x_t: Tensor, t: float) -> Tensor:
        tokens = {**around, DOR: latent.embed(x_t, x_t.new_full((len(x_t),), t))}
        out = mot(tokens, prefix.rotary, prefix.mask, past=prefix.cache)
        return latent.velocity(out.hidden[DOR])

    return integrate(velocity, goal_start(current_BTC, noise_BTC, start), num_steps)
