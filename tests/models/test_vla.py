import dataclasses
import itertools
import json

import pytest
import torch
from torch import Tensor

from uamsim.errors import CheckpointError, ConfigError, ShapeError, UnknownNameError
from uamsim.models.batch import VLABatch
from uamsim.models.config import ExpertConfig
from uamsim.models.generator import Generator
from uamsim.models.initial import init_from
from uamsim.models.presets import PRESETS
from uamsim.models.sampling import Sampler
from uamsim.models.sequence import plan, run_layout
from uamsim.models.sizes import count_parameters
from uamsim.models.vae import VAE
from uamsim.models.variants import GRID, TABLE_1, VARIANTS
from uamsim.models.vla import VLA, Noise
from uamsim.models.vlm import VLM
from uamsim.models.wiring import SEM
from uamsim.testing.models import INSTRUCTIONS, make_batch, micro_config, micro_vla


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(vla: VLA, batch: VLABatch) -> Noise:
    return vla.draw(len(batch.actions), generator(5))


def skip_unsaid(actions: Tensor) -> None:
    if actions.isnan().any():
        pytest.skip("random weights say no chunk of FAST tokens; test_action_tokens.py trains them")


def test_goal_picture_never_reaches_the_actions(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    assert batch.goal_latents is not None
    other = dataclasses.replace(batch, goal_latents=batch.goal_latents.flip(0) * 3)
    assert torch.equal(*(vla(b, drawn(vla, b))["A"] for b in (batch, other)))
    losses = [vla.losses(b, generator()) for b in (batch, other)]
    assert torch.equal(losses[0]["action"], losses[1]["action"])
    assert torch.equal(losses[0]["total"], losses[1]["total"]) != vla.config.dynamics


def test_removing_the_noised_goal_leaves_the_actions(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    with_goal = vla(batch, drawn(vla, batch))["A"]
    seen = vla.prediction.seen if vla.prediction else ()
    without = vla(batch, drawn(vla, batch), goals=seen)["A"]
    torch.testing.assert_close(without, with_goal, atol=1e-5, rtol=1e-5)


def test_e_sem_computes_what_the_vlm_alone_computes(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    whole = vla.inputs(batch, drawn(vla, batch))
    inside = run_layout(vla.vlm.mot, whole.layout, whole.x, whole.prompts).hidden[SEM]
    vlm = VLM(vla.config.vlm, vla.tokenizer, seed=9)
    vlm.load_state_dict(dict(vla.vlm.sem_parameters()))
    prompts = vlm.prompts(batch.instructions)
    rotary, mask = plan(vlm.layout(prompts.ids.shape[1]), vlm.mot, prompts)
    x = vlm.embed_prefix(vlm.view_features(batch.images), prompts.ids)
    alone = vlm.mot({SEM: x}, rotary, mask).hidden[SEM]
    torch.testing.assert_close(inside[:, : x.shape[1]], alone, atol=1e-5, rtol=1e-5)
    questions = ["press the red button", "红色方块", "where?"]
    assert vla.vlm.answer(batch.images[:, 0], questions) == vlm.answer(
        batch.images[:, 0], questions
    )


def test_action_gradients_reach_every_expert(variant: str) -> None:
    vla = micro_vla(variant)
    vla.losses(make_batch(vla), generator())["action"].backward()
    layer = vla.vlm.mot.layer(0)
    if vla.taught:
        return  # test_action_tokens.py says what its losses reach.
    names = {SEM, vla.actor.expert} | ({"dor"} if vla.feed else set())
    for name in names:
        gradient = layer.expert(name).qkv.weight.grad
        assert gradient is not None, name
        assert gradient.abs().max() > 0, name
    stem = dict(vla.named_parameters())["vlm.vision.stem.0.weight"].grad
    assert stem is not None
    assert stem.abs().max() > 0


@pytest.mark.parametrize("frozen", [False, True])
def test_total_loss_reaches_all_that_is_trained(variant: str, frozen: bool) -> None:
    vla = micro_vla(variant)
    vla.set_e_sem_trainable(not frozen)
    vla.losses(make_batch(vla), generator())["total"].backward()
    without = {n for n, p in vla.expert_parameters() if p.grad is None}
    last = f"vlm.mot.layers.{vla.config.vlm.backbone.depth - 1}.experts."
    # The last layer of a prefix gives keys and values only.
    allowed = () if vla.config.dynamics else (f"{last}dor", "vlm.mot.norms.dor")
    assert [n for n in without if not n.startswith(allowed)] == []
    sem = [p.grad is not None for _, p in vla.vlm.sem_parameters()]
    assert any(sem) != frozen


def test_frozen_pass_equals_the_joint_pass(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    joint = vla.losses(batch, generator())
    vla.set_e_sem_trainable(False)
    frozen = vla.losses(batch, generator())
    for name, value in joint.items():
        torch.testing.assert_close(frozen[name], value, atol=1e-5, rtol=1e-5)


def test_cached_inference_equals_the_full_forward(variant: str) -> None:
    vla = micro_vla(variant, num_euler_steps=1)
    batch = make_batch(vla)
    noise = torch.randn(batch.actions.shape, generator=generator(1))
    given = {"action": noise, "action_t": torch.ones(len(noise))}
    if vla.config.reads_latents:
        batch = dataclasses.replace(batch, latents=vla.encode_latents(batch.images[:, 0]))
    if vla.goal_noise_shape:
        given["goal"] = torch.randn(len(noise), *vla.goal_noise_shape, generator=generator(2))
    cached = Sampler(vla).sample_actions(
        batch.images, INSTRUCTIONS, batch.proprio, noise, given.get("goal")
    )
    skip_unsaid(cached)
    # Tokens are read as they were said.
    mask = torch.ones_like(batch.action_mask)
    batch = dataclasses.replace(batch, actions=cached, action_mask=mask)
    hidden = vla(batch, given, goals=vla.prediction.seen if vla.prediction else ())["A"]
    full = vla.actor.sample(lambda x, t: vla.actor.output(vla, hidden), noise)
    torch.testing.assert_close(cached, full, atol=1e-5, rtol=1e-5)


def test_sampled_actions_do_not_depend_on_the_batch(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    noise = torch.randn(batch.actions.shape, generator=generator(1))
    act = Sampler(vla).sample_actions
    together = act(batch.images, INSTRUCTIONS, batch.proprio, noise)
    skip_unsaid(together)
    alone = act(batch.images[:1], INSTRUCTIONS[:1], batch.proprio[:1], noise[:1])
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-5)


def test_same_seed_same_model_and_losses(variant: str) -> None:
    first, second, third = micro_vla(variant), micro_vla(variant), micro_vla(variant, seed=1)
    states = [m.state_dict() for m in (first, second)]
    assert all(torch.equal(states[0][n], states[1][n]) for n in states[0])
    losses = [m.losses(make_batch(m), generator())["total"] for m in (first, second, third)]
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])


def test_masked_actions_carry_no_loss(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    noise = drawn(vla, batch)
    states, mask = vla(batch, noise)["A"], batch.action_mask
    changed = torch.where(mask[..., None], batch.actions, 50.0)
    losses = [vla.actor.loss(vla, states, a, mask, noise) for a in (batch.actions, changed)]
    assert torch.equal(*losses)


def test_losses_fall(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    parameters = [p for p in vla.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3)
    first = vla.losses(batch, generator())["total"]
    for _ in range(30):
        optimizer.zero_grad()
        vla.losses(batch, generator())["total"].backward()
        optimizer.step()
    assert vla.losses(batch, generator())["total"] < 0.8 * first


def test_init_from_puts_weights_where_the_variant_says(variant: str) -> None:
    vla = micro_vla(variant)
    config = vla.config
    vlm = VLM(config.vlm, vla.tokenizer, seed=11)
    pretrained = Generator(config.generator, vla.tokenizer, seed=12)
    vae = VAE(config.vae, seed=13)
    init_from(vla, vlm.state_dict(), vae.state_dict(), pretrained.dorsal_state())
    assert all(
        torch.equal(p, q)
        for (_, p), (_, q) in zip(vla.vlm.sem_parameters(), vlm.named_parameters(), strict=True)
    )
    if not config.has_dorsal:
        return
    own = vla.vlm.mot.layer(1).expert("dor").down.weight
    from_vlm = vlm.mot.layer(1).expert(SEM).down.weight
    from_generator = pretrained.vlm.mot.layer(1).expert("dor").down.weight
    assert torch.equal(own, from_vlm) == (config.dorsal_init == "vlm")
    assert torch.equal(own, from_generator) == (config.dorsal_init == "generator")
    if config.dorsal_input == "vae":
        encoder = [m.state_dict()["encoder.0.weight"] for m in (vla.vae, vae)]
        assert torch.equal(*encoder)
        taken = torch.equal(vla.latent.vae2llm.weight, pretrained.latent.vae2llm.weight)
        assert taken == (config.dorsal_init == "generator")
    if config.dorsal_input == "vit":
        taken = torch.equal(vla.dorsal_connector.fc1.weight, vlm.connector.fc1.weight)
        assert taken == (config.dorsal_init != "random")


def test_init_from_says_what_is_missing() -> None:
    vla = micro_vla("uam")
    vlm = VLM(vla.config.vlm, vla.tokenizer)
    with pytest.raises(ConfigError, match="vae_state"):
        init_from(vla, vlm.state_dict())
    state = vlm.state_dict() | {"stray": torch.zeros(1)}
    del state["embed.weight"]
    with pytest.raises(CheckpointError, match=r"missing: embed\.weight; extra: stray"):
        init_from(vla, state)


def test_attention_maps_are_distributions_on_the_grids(variant: str) -> None:
    vla = micro_vla(variant)
    batch = make_batch(vla)
    noise = torch.randn(batch.actions.shape, generator=generator(1))
    maps = Sampler(vla).attention_maps(batch.images, INSTRUCTIONS, batch.proprio, noise)
    assert maps["sem"] is not None
    assert maps["sem"].shape == (3, *vla.config.vlm.vision.grid)
    assert (maps["dor"] is None) == (vla.config.dorsal_input in ("none", "query"))
    total = sum(m.sum((1, 2)) for m in maps.values() if m is not None)
    assert isinstance(total, Tensor)
    assert ((total > 0) & (total < 1)).all()


def test_goal_prediction_is_a_picture() -> None:
    vla = micro_vla("uam")
    batch = make_batch(vla)
    shape = vla.goal_noise_shape
    assert shape is not None
    noise = torch.randn(3, *shape, generator=generator())
    goal = Sampler(vla).predict_goal(batch.images, INSTRUCTIONS, noise)
    assert goal.shape == (3, *vla.config.vae.image_size, 3)
    assert goal.dtype == torch.uint8
    with pytest.raises(ConfigError, match="dynamics"):
        Sampler(micro_vla("gen_init")).predict_goal(batch.images, INSTRUCTIONS, noise)


def test_two_views_and_noise_start() -> None:
    vla = micro_vla("uam", num_views=2, goal_start="noise")
    batch = make_batch(vla)
    assert vla.losses(batch, generator())["total"].isfinite()
    with pytest.raises(ShapeError, match="V=2"):
        Sampler(vla).sample_actions(batch.images[:, :1], INSTRUCTIONS, batch.proprio, batch.actions)


def test_query_gradients_and_own_connector() -> None:
    for name, parameter in (("vlm_init_query", "queries"), ("random_init_vit", "dorsal_connector")):
        vla = micro_vla(name)
        vla.losses(make_batch(vla), generator())["total"].backward()
        grads = [p.grad for n, p in vla.named_parameters() if n.startswith(parameter)]
        assert grads
        assert all(g is not None and g.abs().max() > 0 for g in grads)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dynamics": True, "dorsal_input": "vit", "dorsal_init": "random"},
        {"dorsal_input": "none"},
        {"dorsal_init": "vml"},
        {
            "dorsal_input": "vit",
            "dorsal_init": "vlm",
            "dynamics": False,
            "dorsal": ExpertConfig(width=8),
        },
    ],
)
def test_contradicting_configs_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ConfigError, UnknownNameError)):
        micro_config("uam", **wrong)


def test_variants_cover_table_1() -> None:
    assert list(TABLE_1) == [
        "no_dorsal",
        "random_init",
        "vlm_init_vision",
        "vlm_init_query",
        "gen_init",
        "uam",
    ]
    assert list(VARIANTS)[: len(TABLE_1) + 1] == [*TABLE_1, "mlp_head"]


def test_variants_of_one_input_differ_in_their_start_alone() -> None:
    tiny = PRESETS["tiny"]
    configs = {name: VARIANTS[name].apply(tiny) for name in GRID}
    cells = {(c.dorsal_init, c.dorsal_input) for c in configs.values()}
    assert cells == set(itertools.product(("random", "vlm", "generator"), ("vae", "vit", "query")))
    assert {c.feed.num_tokens for c in configs.values() if c.feed} == {tiny.vae.num_tokens}
    for feed in ("vae", "vit", "query"):
        same = [c for c in configs.values() if c.dorsal_input == feed]
        assert len({json.dumps(count_parameters(c)) for c in same}) == 1
        plain = {"dorsal_init": "random", "dynamics": False, "dorsal_sees_text": True}
        assert len({dataclasses.replace(c, **plain) for c in same}) == 1
    assert not configs["vlm_init_no_text"].dorsal_sees_text


def test_losses_stay_on_the_device_of_the_model(variant: str) -> None:
    """The meta device stands in for a GPU: an addition of a CPU tensor to one of its own raises."""
    vla = micro_vla(variant)
    if hasattr(vla, "fast"):
        pytest.skip("FAST is encoded on the CPU")
    batch = make_batch(vla)
    tensors = {k: v.to("meta") for k, v in vars(batch).items() if isinstance(v, Tensor)}
    losses = vla.to("meta").losses(dataclasses.replace(batch, **tensors), generator())
    assert losses["total"].device.type == "meta"
    losses["total"].backward()
