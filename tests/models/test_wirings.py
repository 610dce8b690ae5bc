"""What must hold of every model, on the masks, positions and norms of other public VLMs."""

import dataclasses
from typing import Any

import pytest
import torch

from uamsim.models.config import VLMConfig
from uamsim.models.heads.tokens import TokenHead
from uamsim.models.sampling import Sampler
from uamsim.models.vla import VLA
from uamsim.models.wiring import DOR, SEM
from uamsim.testing.models import make_batch, micro_config, micro_vla

WIRINGS: dict[str, dict[str, Any]] = {
    "causal": {"attention": "causal", "image_rope": "grid"},
    "prefix": {"attention": "prefix", "image_rope": "each", "scale_embeddings": True},
}


def wired(wiring: str) -> VLMConfig:
    vlm = micro_config("uam").vlm
    sections = (1, 1, 2) if wiring == "causal" else ()
    gemma = wiring == "prefix"
    return dataclasses.replace(
        vlm,
        **WIRINGS[wiring],
        backbone=dataclasses.replace(vlm.backbone, mrope_sections=sections),
        expert=dataclasses.replace(
            vlm.expert,
            qkv_bias=not gemma,
            norm="rms_plus_one" if gemma else "rms",
            activation="gelu_tanh" if gemma else "silu",
        ),
    )


@pytest.fixture(params=list(WIRINGS))
def vla(request: pytest.FixtureRequest, variant: str) -> VLA:
    vlm = wired(request.param)
    model = micro_vla(variant, vlm=vlm, dorsal=vlm.expert, num_euler_steps=1).eval()
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight") or ".norms." in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def test_sampling_with_a_cache_equals_the_full_pass(vla: VLA) -> None:
    batch = make_batch(vla)
    images = batch.images
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(batch.actions.shape, generator=generator)
    latents = vla.encode_latents(images[:, 0]) if vla.config.reads_latents else None
    batch = dataclasses.replace(batch, latents=latents)
    given = {"action": noise, "action_t": torch.ones(len(noise))}
    if vla.goal_noise_shape is not None:
        shape = (len(noise), *vla.goal_noise_shape)
        given["goal"] = torch.randn(shape, generator=generator)
    sampled = Sampler(vla).sample_actions(
        images, batch.instructions, batch.proprio, noise, given.get("goal")
    )
    if sampled.isnan().any():
        pytest.skip("random weights say no chunk of FAST tokens; test_action_tokens.py trains them")
    if isinstance(vla.actor, TokenHead):
        # What was said token by token is what would be said next after each of its tokens.
        batch = dataclasses.replace(
            batch, actions=sampled, action_mask=torch.ones_like(batch.action_mask)
        )
    with torch.no_grad():
        states = vla(batch, given, goals=vla.prediction.seen if vla.prediction else ())["A"]
        expected = vla.actor.sample(lambda x, t: vla.actor.output(vla, states), noise)
    torch.testing.assert_close(sampled, expected, atol=1e-5, rtol=1e-5)


def test_the_goal_reaches_no_action_and_gradients_reach_every_expert(vla: VLA) -> None:
    batch = make_batch(vla)
    assert batch.goal_latents is not None
    other = dataclasses.replace(batch, goal_latents=batch.goal_latents.flip(0) * 3)
    losses = [vla.losses(b, torch.Generator().manual_seed(0)) for b in (batch, other)]
    assert torch.equal(losses[0]["action"], losses[1]["action"])
    # What acts behind a stop-gradient leaves E_sem to the tokens that it is taught with.
    torch.stack([losses[0][n] for n in ("action", "tokens") if n in losses[0]]).sum().backward()
    names = {SEM, vla.actor.expert} | ({DOR} if vla.feed else set())
    for name in names:
        weight = vla.vlm.mot.layer(0).expert(name).qkv.weight
        assert weight.grad is not None
        assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("wiring", list(WIRINGS))
def test_an_answer_does_not_depend_on_what_shares_its_batch(wiring: str) -> None:
    vlm = micro_vla("no_dorsal", vlm=wired(wiring)).vlm.eval()
    images = make_batch(micro_vla("no_dorsal")).images
    questions = ["red?", "how many cubes are on the tray, and where?", "红色?"]
    together = vlm(vlm.prompts(questions, asking=True), images).hidden[SEM]
    for i, question in enumerate(questions):
        prompts = vlm.prompts([question], asking=True)
        alone = vlm(prompts, images[i : i + 1]).hidden[SEM][0]
        torch.testing.assert_close(together[i, : len(alone)], alone, atol=1e-5, rtol=1e-5)
