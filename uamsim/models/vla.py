"""Every row of Tables 1 and 3 on one code path: E_sem, and what the config puts beside it.

Axes: B batch, V views, T tokens, K actions of a chunk, A action, P proprio, C latent, W width.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from uamsim.contract import ActionBatch
from uamsim.errors import ConfigError, ShapeError
from uamsim.models.batch import Prefix, VLABatch
from uamsim.models.config import VLAConfig
from uamsim.models.segments import Layout
from uamsim.models.sequence import dorsal_segments, prefill, run_layout
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vlm import VLM, Prompts
from uamsim.models.wiring import ACT, DOR, SEM, Head, Kind, picture

Noise = Mapping[str, Tensor]
"""What a training step draws for its samples: name -> [B, ...]."""


@dataclass(frozen=True)
class Inputs:
    """A training sequence: each expert's tokens [B, T, W], in the layout's order."""

    layout: Layout
    x: dict[str, Tensor]
    prompts: Prompts


class VLA(nn.Module):
    """A vision-language-action model.

    ``vlm`` is a whole VLM whose E_sem is this model's E_sem, so retention is measured on it. The
    layers of feed, head and prediction are attributes too, by the names that these give them.

    Args:
        seed: of the initial weights.

    Attributes:
        feed: what feeds E_dor, where there is one.
        actor: the head.
        taught: the head that E_sem learns from where that is another.
        prediction: what is predicted beside the actions, if anything is.
        prompt_multiple: instructions are padded to a multiple of so many tokens.
        packed: training runs a batch as one sequence, without that padding.
        hidden: kinds that the head's tokens do not see (``interventions``).
    """

    def __init__(self, config: VLAConfig, tokenizer: Tokenizer, *, seed: int = 0) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.feed, self.actor, self.prediction = config.feed, config.head, config.prediction
        self.taught = config.taught_head
        experts = {DOR: config.dorsal} if self.feed else {}
        if self.actor.expert == ACT:
            experts[ACT] = config.action
        self.vlm = VLM(config.vlm, tokenizer, experts=experts, seed=seed)
        self.e_sem_trainable, self.prompt_multiple, self.packed = True, 1, False
        self.hidden: frozenset[Kind] = frozenset()
        self._groups: dict[str, str] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            for group, part in config.parts.items():
                for name, layer in part.layers(seed).items():
                    setattr(self, name, layer)
                    self._groups[name] = group
            self.reset_parameters()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def reset_parameters(self) -> None:
        """Draws the parameters that belong to no module, such as learnable queries."""
        for part in self.config.parts.values():
            part.reset_parameters(self)

    def set_e_sem_trainable(self, trainable: bool) -> None:
        """Freezes or frees E_sem: vision, connector, embedding, semantic expert."""
        self.e_sem_trainable = trainable
        for _, parameter in self.vlm.sem_parameters():
            parameter.requires_grad_(trainable)

    @property
    def shields_e_sem(self) -> bool:
        """Whether no loss of ``actor`` or of the prediction may reach E_sem."""
        told_otherwise = self.taught is not None and self.actor is not self.taught
        return self.config.insulated or told_otherwise or not self.e_sem_trainable

    @contextlib.contextmanager
    def teaching(self, head: Head) -> Iterator[None]:
        """Another head in place of the one that acts."""
        actor, self.actor = self.actor, head
        try:
            yield
        finally:
            self.actor = actor

    def e_sem_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """E_sem's trainable parameters; none when it is frozen."""
        return ((n, p) for n, p in self.vlm.sem_parameters() if p.requires_grad)

    def expert_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """All other trainable parameters: E_dor, E_act and their inputs and outputs."""
        sem = {id(p) for _, p in self.vlm.sem_parameters()}
        return ((n, p) for n, p in self.named_parameters() if p.requires_grad and id(p) not in sem)

    def group_of(self, name: str) -> str:
        """What a parameter is counted to: "e_sem", or a key of ``VLAConfig.parts``."""
        if group := self._groups.get(name.partition(".")[0]):
            return group
        return next((f"e_{expert}" for expert in (DOR, ACT) if f".{expert}." in name), "e_sem")

    @property
    def goal_noise_shape(self) -> tuple[int, int] | None:
        """Of the noise from which a goal is predicted; None where there is none."""
        return self.prediction.noise_shape if self.prediction else None

    def encode_latents(self, images: Tensor) -> Tensor:
        """Latents [B, T, C] of uint8 [B, H, W, 3], to be cached: the VAE never changes."""
        return self.vae.encode(images)

    def layout(
        self, num_text: int, *, goals: Sequence[Kind] | None = None, actions: bool = True
    ) -> Layout:
        """V, L, then C, ``goals`` of the prediction, S and A; staged without actions.

        Args:
            num_text: tokens of L.
            goals: kinds of the prediction; those of training when None.
            actions: whether the head's segments are there.
        """
        config = self.config
        if goals is None:
            goals = self.prediction.trained if self.prediction else ()
        pictures = [picture("C", self.feed.num_tokens)] if self.feed else []
        predicted = [self.prediction.segment(kind) for kind in goals] if self.prediction else []
        pictures += [segment for segment in predicted if segment.expert == DOR]
        segments = [
            *self.vlm.segments(num_text, config.num_views),
            *(segment for segment in predicted if segment.expert != DOR),
            *dorsal_segments(pictures, self._num_marks, staged=not actions),
            *(self.actor.segments() if actions else ()),
        ]
        runs = [expert for expert, _ in itertools.groupby(s.expert for s in segments)]
        if actions and len(runs) > len(set(runs)):
            raise ConfigError(
                f"an expert's tokens must follow one another in training; got {' '.join(runs)}. "
                f"A head on {self.actor.expert!r} needs dorsal_input 'none'."
            )
        acting = {segment.kind for segment in self.actor.segments()}
        hidden = frozenset(itertools.product(acting, self.hidden))
        return Layout(tuple(segments), config.dorsal_sees_text, self.vlm.prefix, hidden)

    @property
    def _num_marks(self) -> int:
        """Tokens that E_sem reads around each picture of E_dor."""
        return self.vlm.num_marks if self.feed and self.feed.marked else 0

    def with_marks(self, sem_BTW: Tensor, num_pictures: int) -> Tensor:
        """E_sem's input, then what it reads around so many pictures of E_dor."""
        if not self._num_marks:
            return sem_BTW
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.shields_e_sem):
            return torch.cat((sem_BTW, self.vlm.marks(len(sem_BTW), num_pictures)), dim=1)

    def to_batch(
        self,
        batch: ActionBatch,
        latents: Tensor | None = None,
        goal_latents: Tensor | None = None,
    ) -> VLABatch:
        """Tensors of a numpy batch; encodes what latents the variant needs and were not given."""
        device = self.vlm.device
        images = torch.as_tensor(batch["images"]).to(device)
        if self.config.reads_latents and latents is None:
            latents = self.encode_latents(images[:, 0])
        if self.prediction and self.prediction.reads_latents and goal_latents is None:
            goal_latents = self.encode_latents(torch.as_tensor(batch["goal_images"]).to(device))
        return VLABatch(
            images=images,
            instructions=batch["instructions"],
            proprio=torch.as_tensor(batch["proprio"]).to(device),
            actions=torch.as_tensor(batch["actions"]).to(device),
            action_mask=torch.as_tensor(batch["action_mask"]).to(device),
            latents=latents,
            goal_latents=goal_latents,
        )

    @torch.no_grad()
    def e_sem_prefix(self, images: Tensor, prompts: Prompts) -> Prefix:
        """What E_sem makes of V and L, to be kept where it is frozen.

        Args:
            images: uint8 [B, V, H, W, 3].
            prompts: the instructions.
        """
        features = self.vlm.view_features(images)
        layout = self.vlm.layout(prompts.ids.shape[1], self.config.num_views)
        x = {SEM: self.vlm.embed_prefix(features, prompts.ids)}
        return Prefix(cache=prefill(self.vlm.mot, layout, x, prompts).cache, features=features)

    def embed_observation(
        self,
        images: Tensor,
        ids_BT: Tensor,
        latents: Tensor | None,
        prefix: Prefix | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Tokens [B, T, W] of V and L, and of C (or D) where there is an E_dor.

        Args:
            images: uint8 [B, V, H, W, 3].
            ids_BT: of the instructions.
            latents: [B, T, C] of the primary view, for VAE variants.
            prefix: takes the place of V's and L's tokens, which are then zeros.

        Raises:
            ShapeError: another number of views.
        """
        config = self.config
        if images.ndim != 5 or images.shape[1] != config.num_views:
            raise ShapeError(
                f"images must be [B, V={config.num_views}, H, W, 3]; got {tuple(images.shape)}."
            )
        if prefix is not None:
            features, (keys, _) = prefix.features, prefix.cache[0]
            sem = keys.new_zeros(*keys.shape[:2], config.vlm.expert.width)
            return sem, self.feed.tokens(self, features, latents) if self.feed else None
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.shields_e_sem):
            features = self.vlm.view_features(images)
            sem = self.vlm.embed_prefix(features, ids_BT)
        return sem, self.feed.tokens(self, features, latents) if self.feed else None

    def observed(
        self,
        images: Tensor,
        ids_BT: Tensor,
        latents: Tensor | None,
        goals: Sequence[Kind],
        noise: Noise,
        goal_latents: Tensor | None = None,
        prefix: Prefix | None = None,
    ) -> dict[str, Tensor]:
        """Each expert's tokens [B, T, W] of all that comes before the head's, in order.

        Args:
            images: uint8 [B, V, H, W, 3].
            ids_BT: of the instructions.
            latents: [B, T, C] of the primary view, where the variant has a VAE.
            goals: kinds of the prediction.
            noise: of the prediction.
            goal_latents: [B, T, C] of the goal frame, in training.
            prefix: as for ``embed_observation``.
        """
        sem, dorsal = self.embed_observation(images, ids_BT, latents, prefix)
        x = {SEM: [sem], DOR: [] if dorsal is None else [dorsal]}
        if self.prediction:
            for kind in goals:
                tokens = self.prediction.tokens(self, kind, latents, goal_latents, noise)
                x[self.prediction.expert].append(tokens)
        joined = {name: _joined(tokens) for name, tokens in x.items() if tokens}
        return joined | {SEM: self.with_marks(joined[SEM], len(x[DOR]))}

    def inputs(
        self, batch: VLABatch, noise: Noise, *, goals: Sequence[Kind] | None = None
    ) -> Inputs:
        """The training sequence of a batch.

        Args:
            batch: with latents where the variant needs them.
            noise: from ``draw``.
            goals: kinds of the prediction; those of training when None.
        """
        if goals is None:
            goals = self.prediction.trained if self.prediction else ()
        prompts = self.vlm.prompts(batch.instructions, multiple=self.prompt_multiple)
        x = self.observed(
            batch.images,
            prompts.ids,
            batch.latents,
            goals,
            noise,
            batch.goal_latents,
            batch.prefix,
        )
        actor = self.actor
        state = actor.state(self, batch.proprio)
        actions = actor.targets(batch.actions, batch.action_mask)
        tokens = actor.actions(self, *actor.noised(actions, noise))
        parts = (x.get(actor.expert), state, tokens)
        x[actor.expert] = _joined([part for part in parts if part is not None])
        layout = self.layout(prompts.ids.shape[1], goals=goals).ending(tokens.shape[1])
        return Inputs(layout, x, prompts)

    def forward(
        self, batch: VLABatch, noise: Noise, *, goals: Sequence[Kind] | None = None
    ) -> dict[Kind, Tensor]:
        """Final states [B, T, W] of A, and of what predicts where it is there.

        Args:
            batch: as for ``inputs``.
            noise: as for ``inputs``.
            goals: as for ``inputs``.
        """
        inputs = self.inputs(batch, noise, goals=goals)
        wanted, goal = {"A": self.actor.expert}, self.prediction
        if goal and any(s.kind == goal.predicting for s in inputs.layout.segments):
            wanted[goal.predicting] = goal.expert
        keep, places = inputs.layout.outputs(wanted)
        out = run_layout(
            self.vlm.mot,
            inputs.layout,
            inputs.x,
            inputs.prompts,
            keep=keep,
            freeze_sem=self.shields_e_sem,
            packed=self.packed,
            past=None if batch.prefix is None else batch.prefix.cache,
        )
        return {kind: out.hidden[wanted[kind]][:, place] for kind, place in places.items()}

    def draw(self, size: int, generator: torch.Generator) -> Noise:
        """Noise for the samples of a step; the action's first, the same for every variant."""
        noise = self.actor.draw(size, generator)
        return noise | self.prediction.draw(size, generator) if self.prediction else noise

    def losses(self, batch: VLABatch, noise: torch.Generator | Noise) -> dict[str, Tensor]:
        """Losses: "action", that of the prediction, if any ("dynamics"), and "total".

        "tokens" is that of the head that E_sem is taught with.

        With them stands what the head counts, such as "clipped".

        Args:
            batch: with latents where the variant needs them.
            noise: of the batch's samples, or what draws it.
        """
        if isinstance(noise, torch.Generator):
            noise = self.draw(len(batch.actions), noise)
        noise = {name: values.to(batch.actions.device) for name, values in noise.items()}
        states = self(batch, noise)
        losses = {
            "action": self.actor.loss(self, states["A"], batch.actions, batch.action_mask, noise)
        }
        if self.prediction:
            losses[self.prediction.loss_name] = self.prediction.loss(
                self, states[self.prediction.predicting], batch.latents, batch.goal_latents, noise
            )
        counted = self.actor.counted(batch.actions, batch.action_mask)
        if self.taught:
            with self.teaching(self.taught):
                told = self(batch, noise, goals=())["A"]
                losses["tokens"] = self.taught.loss(
                    self, told, batch.actions, batch.action_mask, noise
                )
            counted |= self.taught.counted(batch.actions, batch.action_mask)
        return losses | counted | {"total": self.total(losses)}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the losses."""
        total = losses["action"]
        if self.prediction:
            total = total + self.prediction.weight * losses[self.prediction.loss_name]
        return total + losses["tokens"] if self.taught else total


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(parts), dim=1) if len(parts) > 1 else parts[0]
