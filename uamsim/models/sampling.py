"""From an observation to a chunk of actions: one pass that is kept, then steps that read it.

Axes: B batch, V views, T tokens, K actions of a chunk, A action, P proprio, C latent, W width.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from uamsim.models.attention_maps import AttentionRecorder
from uamsim.models.flow import derived_noise, goal_start, integrate
from uamsim.models.mot import KVCache, Rotary
from uamsim.models.segments import Kind
from uamsim.models.sequence import ACT, DOR, Prefilled, plan
from uamsim.models.vlm import SEM

if TYPE_CHECKING:
    from uamsim.models.vla import VLA


def run_prefix(
    model: "VLA",
    images: Tensor,
    ids_BT: Tensor,
    proprio: Tensor,
    goal_noise: Tensor | None,
    rotary: Rotary,
    mask: Tensor,
) -> KVCache:
    """Keys and values of V, L, C, G_1 and S: all before the tokens that become actions."""
    config = model.config
    latents = model.encode_latents(images[:, 0]) if config.dorsal_input == "vae" else None
    sem, dorsal = model.embed_observation(images, ids_BT, latents)
    x = {SEM: model.with_marks(sem, 1 + config.dynamics)}
    if dorsal is not None:
        x[DOR] = dorsal
    if config.dynamics:
        assert latents is not None
        assert goal_noise is not None
        start = goal_start(latents, goal_noise, config.goal_start)
        tokens = model.latent.embed(start, start.new_ones(len(start)))
        x[DOR] = torch.cat((x[DOR], tokens), dim=1)
    if model.actor == ACT:
        x[ACT] = model.action.embed_state(proprio)
    return model.vlm.mot(x, rotary, mask, keep={}).cache


def run_step(
    model: "VLA",
    x_BKA: Tensor,
    t_B: Tensor,
    prefix: Prefilled,
    recorder: AttentionRecorder | None = None,
) -> Tensor:
    """The velocity of the actions; of an MLP head, which reads neither, the chunk."""
    heads = model.actor == SEM
    tokens = model.head.tokens(len(x_BKA)) if heads else model.action.embed_actions(x_BKA, t_B)
    out = model.vlm.mot(
        {model.actor: tokens},
        prefix.rotary,
        prefix.mask,
        past=prefix.cache,
        probe_layer=None if recorder is None else recorder.layer,
    )
    if recorder is not None:
        recorder.add(prefix, out)
    hidden = out.hidden[model.actor]
    return model.head.actions(hidden) if heads else model.action.velocity(hidden)


class Sampler:
    """The two passes of acting, as they are or compiled."""

    def __init__(self) -> None:
        self._prefix, self._step, self._graphs = run_prefix, run_step, False

    def compile(self, device: torch.device) -> None:
        """Compiles both at their next call, on a GPU into CUDA graphs.

        On a CPU weights are laid out as its kernels want them, once: what they are changed to after
        the next call does not count.
        """
        self._graphs = device.type == "cuda"
        how: dict[str, Any] = (
            {"mode": "reduce-overhead"} if self._graphs else {"options": {"freezing": True}}
        )
        self._prefix = torch.compile(run_prefix, **how)
        self._step = torch.compile(run_step, **how)

    def __call__(
        self,
        model: "VLA",
        images: Tensor,
        instructions: Sequence[str],
        proprio: Tensor,
        noise: Tensor,
        goal_noise: Tensor | None,
        recorder: AttentionRecorder | None,
    ) -> Tensor:
        """See ``VLA.sample_actions``."""
        if goal_noise is None and model.goal_noise_shape is not None:
            goal_noise = derived_noise(noise, model.goal_noise_shape)
        prompts = model.vlm.prompts(instructions, multiple=model.prompt_multiple)
        goals: list[Kind] = ["G_1"] if model.config.dynamics else []
        layout = model.layout(prompts.ids.shape[1], goals=goals)
        (cos, sin), mask = plan(layout, model.vlm.mot, prompts)
        stop = layout.start("A")
        if recorder is not None:
            recorder.layout = layout
        head = (cos[:, :stop], sin[:, :stop])
        cache = self._prefix(
            model, images, prompts.ids, proprio, goal_noise, head, mask[:, :, :stop, :stop]
        )
        if self._graphs:
            # The graph's next replay writes over its own outputs.
            cache = [(k.clone(), v.clone()) for k, v in cache]
        prefix = Prefilled(cache, (cos[:, stop:], sin[:, stop:]), mask[:, :, stop:])

        def velocity(x_BKA: Tensor, t: float) -> Tensor:
            t_B = x_BKA.new_full((len(x_BKA),), t)
            if recorder is not None:
                return run_step(model, x_BKA, t_B, prefix, recorder)
            return self._step(model, x_BKA, t_B, prefix)

        if model.actor == SEM:
            return velocity(noise, 1.0)
        # A tensor from outside inference mode would be compiled for on its own.
        return integrate(velocity, noise.clone(), model.config.num_euler_steps)
