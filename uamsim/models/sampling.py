"""Acting: from an observation to a chunk of actions, what these look at, and the goal predicted.

Axes: B batch, V views, T tokens, K actions of a chunk, A action, P proprio, C latent, W width.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from uamsim.errors import ConfigError
from uamsim.models.attention_maps import AttentionRecorder
from uamsim.models.decoding import Prefilled
from uamsim.models.flow import derived_noise
from uamsim.models.mot import KVCache, Rotary
from uamsim.models.sequence import plan
from uamsim.models.vla import VLA
from uamsim.models.wiring import DOR


def run_prefix(
    model: VLA,
    images: Tensor,
    ids_BT: Tensor,
    proprio: Tensor,
    goal_noise: Tensor | None,
    rotary: Rotary,
    mask: Tensor,
) -> KVCache:
    """Keys and values of V, L, C, G_1 and S: all before the tokens that become actions."""
    latents = model.encode_latents(images[:, 0]) if model.config.reads_latents else None
    goals = model.prediction.seen if model.prediction else ()
    noise = {} if goal_noise is None else {"goal": goal_noise}
    x = model.observed(images, ids_BT, latents, goals, noise)
    state = model.actor.state(model, proprio)
    if state is not None:
        before = x.get(model.actor.expert)
        x[model.actor.expert] = state if before is None else torch.cat((before, state), dim=1)
    return model.vlm.mot(x, rotary, mask, keep={}).cache


def run_step(
    model: VLA,
    x_BKA: Tensor,
    t_B: Tensor,
    prefix: Prefilled,
    recorder: AttentionRecorder | None = None,
) -> Tensor:
    """What the head puts out for a chunk at some times, [B, K, A]."""
    actor = model.actor
    out = model.vlm.mot(
        {actor.expert: actor.actions(model, x_BKA, t_B)},
        prefix.rotary,
        prefix.mask,
        past=prefix.cache,
        probe_layer=None if recorder is None else recorder.layer,
    )
    if recorder is not None:
        keys = (prefix.cache[recorder.layer][0], out.cache[recorder.layer][0])
        recorder.add(torch.cat(keys, dim=1), prefix.mask, out)
    return actor.output(model, out.hidden[actor.expert])


class Sampler:
    """A model that acts, in two passes: all before the actions, once, then the head's steps."""

    def __init__(self, model: VLA) -> None:
        self.model = model
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

    @torch.inference_mode()
    def sample_actions(
        self,
        images: Tensor,
        instructions: Sequence[str],
        proprio: Tensor,
        noise: Tensor,
        goal_noise: Tensor | None = None,
        *,
        recorder: AttentionRecorder | None = None,
    ) -> Tensor:
        """Normalised action chunks [B, K, A]; NaN where what is said is no chunk.

        Args:
            images: uint8 [B, V, H, W, 3].
            instructions: B strings.
            proprio: float32 [B, P], normalised.
            noise: [B, K, A], what the flow starts from; an MLP head does without.
            goal_noise: [B, *goal_noise_shape], where the variant has one; drawn from each row of
                ``noise`` when not given.
            recorder: is shown the attention of each step.
        """
        # Weights of bfloat16 meet float32 pictures, noise and rotary angles.
        dtype = self.model.vlm.embed.weight.dtype
        half = (
            torch.autocast(images.device.type, dtype) if dtype != torch.float32 else nullcontext()
        )
        with half:
            chunk = self._act(images, instructions, proprio, noise, goal_noise, recorder)
        return chunk.to(noise.dtype)

    def _act(
        self,
        images: Tensor,
        instructions: Sequence[str],
        proprio: Tensor,
        noise: Tensor,
        goal_noise: Tensor | None,
        recorder: AttentionRecorder | None,
    ) -> Tensor:
        model = self.model
        if goal_noise is None and model.goal_noise_shape is not None:
            goal_noise = derived_noise(noise, model.goal_noise_shape)
        prompts = model.vlm.prompts(instructions, multiple=model.prompt_multiple)
        goals = model.prediction.seen if model.prediction else ()
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

        def step(x_BKA: Tensor, t: float) -> Tensor:
            t_B = x_BKA.new_full((len(x_BKA),), t)
            if recorder is not None:
                return run_step(model, x_BKA, t_B, prefix, recorder)
            return self._step(model, x_BKA, t_B, prefix)

        return model.actor.act(model, step, prefix, noise, recorder)

    def attention_maps(
        self, images: Tensor, instructions: Sequence[str], proprio: Tensor, noise: Tensor
    ) -> dict[str, Tensor | None]:
        """Where action tokens look (Appendix E), in the primary view.

        Returns:
            "sem" and "dor", each [B, h, w]: the softmax of the middle layer, averaged over heads,
            action tokens and steps; "dor" is None where E_dor's tokens are no picture.
        """
        vlm, feed = self.model.config.vlm, self.model.feed
        recorder = AttentionRecorder(layer=max(vlm.backbone.depth // 2 - 1, 0))
        self.sample_actions(images, instructions, proprio, noise, recorder=recorder)
        dorsal = feed.grid if feed else None
        return {
            "sem": recorder.mean("V", vlm.vision.grid),
            "dor": None if dorsal is None else recorder.mean("C", dorsal, DOR),
        }

    @torch.inference_mode()
    def predict_goal(
        self, images: Tensor, instructions: Sequence[str], goal_noise: Tensor | None
    ) -> Tensor:
        """The predicted goal frame, uint8 [B, H, W, 3], from noise [B, *goal_noise_shape].

        Raises:
            ConfigError: this variant predicts none.
        """
        if self.model.prediction is None:
            raise ConfigError("only a variant with dynamics predicts the goal frame.")
        return self.model.prediction.picture(self.model, images, instructions, goal_noise)
