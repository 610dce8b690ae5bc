"""A feed, a head, a prediction and a variant of one file each: what CONTRIBUTING promises."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tiny_tuning import SIZE, tune_micro
from uamsim.contract import Observation, PolicyInput, content_hash
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.models.config import VLAConfig, config_from_json, config_to_json
from uamsim.models.sampling import Sampler
from uamsim.models.sequence import plan
from uamsim.models.sizes import count_parameters, flops_per_sample, linear
from uamsim.models.vae import VAE
from uamsim.models.variants import VARIANTS, Variant
from uamsim.models.vla import VLA
from uamsim.models.wiring import (
    ACT,
    FEEDS,
    HEADS,
    PREDICTIONS,
    SEM,
    Feed,
    Head,
    Kind,
    Model,
    Prediction,
    Segment,
)
from uamsim.serving.policy import VLAPolicy
from uamsim.testing.models import INSTRUCTIONS, make_batch, micro_config, micro_vla


class MeanFeed(Feed):
    """One token: the mean of the ViT's features."""

    num_tokens = 1

    def __init__(self, config: VLAConfig) -> None:
        vision = config.vlm.vision
        self.sizes = vision.merge**2 * vision.width, config.dorsal.width
        self.num_parameters = linear(*self.sizes)

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        return {"mean_in": nn.Linear(*self.sizes)}

    def tokens(self, model: Model, features: Tensor, latents: Tensor | None) -> Tensor:
        return model.mean_in(features[:, 0].mean(1, keepdim=True))


class RegressionHead(Head):
    """A token of an action expert for each action, and a linear layer on its last state."""

    expert = ACT

    def __init__(self, config: VLAConfig) -> None:
        self.sizes = config.action.width, config.action_dim
        self.num_tokens = config.chunk
        self.num_parameters = self.num_tokens * self.sizes[0] + linear(*self.sizes)

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        asked = nn.Parameter(torch.empty(self.num_tokens, self.sizes[0]))
        return {"asked": asked, "told": nn.Linear(*self.sizes)}

    def reset_parameters(self, model: Model) -> None:
        model.asked.data.normal_()

    def segments(self) -> tuple[Segment, ...]:
        sees = frozenset({"V", "L", "C", "P", "A"})
        return (Segment(kind="A", expert=ACT, length=self.num_tokens, rope="text", sees=sees),)

    def actions(self, model: Model, x_BKA: Tensor, t_B: Tensor) -> Tensor:
        return model.asked.expand(len(x_BKA), -1, -1)

    def output(self, model: Model, hidden_BTW: Tensor) -> Tensor:
        return model.told(hidden_BTW)

    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        actions_BKA: Tensor,
        mask_BK: Tensor,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        return (self.output(model, hidden_BTW) - actions_BKA)[mask_BK].square().mean()

    def sample(self, step: Callable[[Tensor, float], Tensor], noise_BKA: Tensor) -> Tensor:
        return step(noise_BKA, 1.0)


class SharedPrediction(Prediction):
    """The goal's latents, predicted by E_sem at the places of the current ones (as UP-VLA does)."""

    reads_latents = True
    loss_name, weight = "shared", 0.5
    expert = SEM
    trained = seen = ("P",)
    predicting = "P"

    def __init__(self, config: VLAConfig) -> None:
        self.vae, self.width = config.vae, config.vlm.expert.width
        self.num_tokens = config.vae.num_tokens
        dim = config.vae.token_dim
        self.num_parameters = linear(dim, self.width) + linear(self.width, dim)

    def layers(self, seed: int) -> dict[str, nn.Module | nn.Parameter]:
        dim = self.vae.token_dim
        return {
            "vae": VAE(self.vae, seed=seed).requires_grad_(False),
            "now_in": nn.Linear(dim, self.width),
            "goal_out": nn.Linear(self.width, dim),
        }

    def segment(self, kind: Kind) -> Segment:
        sees = frozenset({"V", "L", "P"})
        return Segment(kind=kind, expert=SEM, length=self.num_tokens, sees=sees)

    def tokens(
        self,
        model: Model,
        kind: Kind,
        latents: Tensor | None,
        goal_latents: Tensor | None,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        return model.now_in(latents)

    def loss(
        self,
        model: Model,
        hidden_BTW: Tensor,
        latents: Tensor | None,
        goal_latents: Tensor | None,
        noise: Mapping[str, Tensor],
    ) -> Tensor:
        assert goal_latents is not None
        return (model.goal_out(hidden_BTW) - goal_latents).square().mean()

    def picture(
        self, model: Model, images: Tensor, instructions: Sequence[str], noise: Tensor | None
    ) -> Tensor:
        prompts = model.vlm.prompts(instructions)
        x = model.observed(images, prompts.ids, model.encode_latents(images[:, 0]), ["P"], {})
        layout = model.layout(prompts.ids.shape[1], goals=["P"], actions=False)
        out = model.vlm.mot(x, *plan(layout, model.vlm.mot, prompts))
        return model.vae.decode(model.goal_out(out.hidden[SEM][:, -self.num_tokens :]))


NEW: dict[str, dict[str, Any]] = {
    "feed": {"dorsal_input": "mean", "dorsal_init": "random"},
    "head": {"action_head": "regression"},
    "prediction": {"dynamics": True, "predicts": "shared"},
}
NEW["all"] = NEW["feed"] | NEW["head"] | NEW["prediction"]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The new names, for one test."""
    for registry in (FEEDS, HEADS, PREDICTIONS, VARIANTS):
        monkeypatch.setattr(registry, "_values", dict(registry._values))
    FEEDS.add("mean", MeanFeed)
    HEADS.add("regression", RegressionHead)
    PREDICTIONS.add("shared", SharedPrediction)
    for name, fields in NEW.items():
        VARIANTS.add(f"new_{name}", Variant(title=name, summary="new", **fields))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", [f"new_{name}" for name in NEW])
def test_what_is_new_is_tuned_saved_and_acts(start: Path, tmp_path: Path, name: str) -> None:
    rows: list[dict[str, float]] = []
    runtime = {"accumulation": 2, "packed": True}
    checkpoint = tune_micro(
        start,
        tmp_path,
        name,
        runtime=runtime,
        report=lambda step, total, metrics: rows.append(metrics),
    )
    assert ("shared" in rows[0]) == VARIANTS[name].dynamics
    assert rows[0]["total"] == pytest.approx(rows[0]["action"] + 0.5 * rows[0].get("shared", 0))
    policy = VLAPolicy(checkpoint)
    observation = Observation(
        pixels={"primary": np.zeros((*SIZE, 3), np.uint8)}, agent_pos=np.zeros(14, np.float32)
    )
    request = PolicyInput(observation=observation, instruction="press", seed=1, step=0)
    actions = policy.act([request])
    assert np.isfinite(actions).all()
    assert np.array_equal(actions, VLAPolicy(checkpoint).act([request]))
    goals = policy.predict_goals([request])
    assert (goals is not None) == VARIANTS[name].dynamics
    maps = policy.attention_maps([request])
    assert maps["sem"] is not None


@pytest.mark.parametrize("name", [f"new_{name}" for name in NEW])
def test_what_holds_of_every_variant_holds_of_what_is_new(name: str) -> None:
    vla = micro_vla(name)
    batch = make_batch(vla)
    counted = count_parameters(vla.config)
    assert counted["total"] == sum(p.numel() for p in vla.parameters())
    assert flops_per_sample(vla.config)["forward"] > 0
    sem = {f"vlm.{n}" for n, _ in vla.vlm.sem_parameters()}
    assert {n for n, _ in vla.named_parameters() if vla.group_of(n) == "e_sem"} == sem
    losses = vla.losses(batch, generator())
    # The goal never reaches the actions; a frozen E_sem and packed samples compute the same.
    assert batch.goal_latents is not None
    other = dataclasses.replace(batch, goal_latents=batch.goal_latents.flip(0) * 3)
    assert torch.equal(vla.losses(other, generator())["action"], losses["action"])
    vla.set_e_sem_trainable(False)
    frozen = vla.losses(batch, generator())
    frozen["total"].backward()
    assert all(p.grad is None for _, p in vla.vlm.sem_parameters())
    vla.packed = True
    packed = vla.losses(batch, generator())
    for loss, value in losses.items():
        torch.testing.assert_close(frozen[loss], value, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(packed[loss], value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [f"new_{name}" for name in NEW])
def test_acting_with_what_is_new_equals_the_whole_pass(name: str) -> None:
    vla = micro_vla(name, num_euler_steps=1)
    batch = make_batch(vla)
    if vla.config.reads_latents:
        batch = dataclasses.replace(batch, latents=vla.encode_latents(batch.images[:, 0]))
    noise = torch.randn(batch.actions.shape, generator=generator())
    acted = Sampler(vla).sample_actions(batch.images, INSTRUCTIONS, batch.proprio, noise)
    states = vla(batch, {"action": noise, "action_t": torch.ones(len(noise))})["A"]
    whole = vla.actor.sample(lambda x, t: vla.actor.output(vla, states), noise)
    torch.testing.assert_close(acted, whole, atol=1e-5, rtol=1e-5)


def test_new_names_are_values_of_the_config_and_wrong_ones_are_named() -> None:
    config = VARIANTS["new_all"].apply(micro_config("uam"))
    assert config_from_json(VLAConfig, config_to_json(config)) == config
    assert content_hash(config) != content_hash(micro_config("uam"))
    for field, wrong, near in (
        ("dorsal_input", "meen", "mean"),
        ("action_head", "regresion", "regression"),
        ("predicts", "shard", "shared"),
    ):
        with pytest.raises(UnknownNameError, match=f"Did you mean '{near}'"):
            dataclasses.replace(config, **{field: wrong})


def test_models_of_the_same_seed_are_the_same() -> None:
    first, second = (micro_vla("new_all", seed=3) for _ in range(2))
    assert isinstance(first, VLA)
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_a_head_whose_tokens_would_lie_apart_is_refused() -> None:
    class SharedHead(RegressionHead):
        expert = SEM

        def __init__(self, config: VLAConfig) -> None:
            super().__init__(config)
            self.sizes = config.vlm.expert.width, config.action_dim

        def segments(self) -> tuple[Segment, ...]:
            return tuple(dataclasses.replace(s, expert=SEM) for s in super().segments())

    HEADS.add("shared", SharedHead)
    alone = micro_vla("no_dorsal", action_head="shared")
    assert alone.losses(make_batch(alone), generator())["total"].isfinite()
    beside = micro_vla("vlm_init_query", action_head="shared")
    with pytest.raises(ConfigError, match=r"follow one another.*sem dor sem"):
        beside.losses(make_batch(beside), generator())
