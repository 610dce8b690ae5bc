"""Actions as tokens: bins, FAST, where their ids are, and what cannot be said."""

import dataclasses

import numpy as np
import pytest
import torch

from uamsim.errors import ConfigError
from uamsim.models.fast import FASTCodec, chunk_of, learn_merges, symbols
from uamsim.models.heads.tokens import TokenHead
from uamsim.models.sampling import Sampler
from uamsim.models.vla import VLA
from uamsim.testing.models import INSTRUCTIONS, make_batch, micro_config, micro_vla


def head(vla: VLA) -> TokenHead:
    assert isinstance(vla.actor, TokenHead)
    return vla.actor


def smooth_chunks(count: int, chunk: int = 4, dim: int = 14) -> np.ndarray:
    """Straight movements between random poses, [N, K, A]."""
    rng = np.random.default_rng(0)
    start, end = rng.uniform(-1, 1, (2, count, 1, dim))
    share = np.linspace(0, 1, chunk)[:, None]
    return (start + (end - start) * share).astype(np.float32)


def test_bins_are_those_of_openvla() -> None:
    vla = micro_vla("openvla")
    actions = torch.from_numpy(smooth_chunks(3) * 1.2)
    actions[0, 0, :2] = torch.tensor([-1.0, 1.0])
    edges = np.linspace(-1, 1, 256)
    published = np.digitize(np.clip(actions.numpy(), -1, 1), edges) - 1
    ids = head(vla).encode(vla, actions)
    assert (ids.numpy() == published.reshape(3, -1)).mean() > 0.999  # edges are rounded
    assert ids[0, :2].tolist() == [0, 255]
    middles = (edges[:-1] + edges[1:]) / 2
    said = head(vla).decode(vla, ids)
    expected = middles[np.clip(published, 0, 254)]
    np.testing.assert_allclose(said, expected, atol=1e-2)
    assert torch.equal(head(vla).encode(vla, said), ids.clamp_max(254))
    mask = torch.ones(3, 4, dtype=torch.bool)
    share = vla.actor.counted(actions, mask)["clipped"]
    assert share == pytest.approx(float((actions.abs() > 1 + 1e-6).float().mean()))
    assert 0 < share < 1


@pytest.mark.parametrize("layout", ["appended", "last"])
def test_ids_stand_where_the_layout_says(layout: str) -> None:
    vla = micro_vla("openvla", action_ids=layout)
    table, vocabulary = vla.action_ids, vla.config.vlm.vocab_size
    first, last = table.allowed(vla.vlm)
    assert (first, last) == ((300, 556) if layout == "appended" else (44, 300))
    ids = torch.arange(256)
    joint = table.joint(vla.vlm, ids)
    assert sorted(joint.tolist()) == list(range(first, last))
    assert torch.equal(table.own(vla.vlm, joint), ids)
    if layout == "last":
        # OpenVLA: id = vocabulary - d, d from 1.
        assert joint[0] == vocabulary - 1
        assert torch.equal(table.embed(vla.vlm, ids[:2]), vla.vlm.embed_text(joint[:2]))
    losses = vla.losses(make_batch(vla), torch.Generator().manual_seed(0))
    losses["action"].backward()
    written = vla.vlm.embed.weight.grad
    assert written is not None
    assert written.abs().max() > 0
    assert table.logits(vla.vlm, torch.zeros(1, 32)).shape[1] == last if layout == "appended" else 1


def test_insulated_rows_of_words_get_no_gradient() -> None:
    vla = micro_vla("openvla", action_ids="last", insulated=True)
    vla.losses(make_batch(vla), torch.Generator().manual_seed(0))["total"].backward()
    assert vla.vlm.embed.weight.grad is None
    assert vla.action_ids.rows.grad is not None


def test_fast_gives_back_what_it_was_given() -> None:
    chunks = smooth_chunks(200)
    merges = learn_merges(chunks, 500)
    assert np.array_equal(merges, learn_merges(chunks, 500))
    codec = FASTCodec(merges)
    lengths = []
    for chunk, row in zip(chunks, symbols(chunks), strict=True):
        ids = codec.encode(row)
        lengths.append(len(ids))
        said = codec.decode(ids)
        assert said is not None
        assert np.array_equal(said, row)
        assert np.abs(chunk_of(said, 4, 14) - chunk).max() < 0.12
    assert np.mean(lengths) < 0.7 * 4 * 14
    assert codec.decode([10**6]) is None
    few = learn_merges(chunks[:1, :1], 500)
    assert (few[-1] == -1).all()


def train(vla: VLA, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Fits smooth chunks; gives these and what is then said."""
    batch = make_batch(vla)
    size = vla.config.chunk, vla.config.action_dim
    actions = torch.from_numpy(smooth_chunks(3, *size))
    mask = torch.ones(3, size[0], dtype=torch.bool)
    batch = dataclasses.replace(batch, actions=actions, action_mask=mask)
    vla.actor.fit(vla, smooth_chunks(50, *size))
    optimizer = torch.optim.AdamW([p for p in vla.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        vla.losses(batch, torch.Generator().manual_seed(0))["total"].backward()
        optimizer.step()
    act = Sampler(vla.eval()).sample_actions
    return actions, act(batch.images, INSTRUCTIONS, batch.proprio, torch.zeros(actions.shape))


@pytest.mark.parametrize("variant", ["openvla", "pi0_fast"])
def test_what_was_learnt_is_said_token_by_token(variant: str) -> None:
    small = {"chunk": 3, "action_dim": 2, "proprio_dim": 2, "gripper_dims": (1,)}
    actions, said = train(micro_vla(variant, fast_vocab=300, **small), 40)
    assert (said - actions).abs().max() < 0.15


def test_the_tokens_loss_alone_reaches_an_e_sem_that_is_taught() -> None:
    vla = micro_vla("pi05")
    assert vla.config.normalization == "quantile"
    batch = make_batch(vla)

    def reached(name: str) -> tuple[set[str], set[str]]:
        """Parameters of E_sem, and all other, that a loss reaches."""
        vla.zero_grad(set_to_none=True)
        vla.losses(batch, torch.Generator().manual_seed(0))[name].backward()
        sem = {n for n, p in vla.vlm.sem_parameters() if p.grad is not None and p.grad.any()}
        return sem, {n for n, p in vla.expert_parameters() if p.grad is not None and p.grad.any()}

    by_action, by_tokens, by_both = (reached(n) for n in ("action", "tokens", "total"))
    assert by_action[0] == set()
    assert not any(n.startswith(("action_ids", "state_ids")) for n in by_action[1])
    assert by_tokens[1] == {"action_ids.rows", "state_ids.weight"}
    assert {"embed.weight", "vision.stem.0.weight"} <= by_tokens[0]
    assert by_both == (by_tokens[0], by_action[1] | by_tokens[1])
    # Alone, the same head learns the same.
    alone = micro_vla("pi0_fast")
    alone.load_state_dict({n: p for n, p in vla.state_dict().items() if n in alone.state_dict()})
    losses = [m.losses(batch, torch.Generator().manual_seed(0)) for m in (vla, alone)]
    assert torch.equal(losses[0]["tokens"], losses[1]["action"])


def test_tokens_of_no_chunk_are_said_to_be_none() -> None:
    vla = micro_vla("pi0_fast")
    vla.actor.fit(vla, smooth_chunks(50))
    ids = head(vla).encode(vla, torch.from_numpy(smooth_chunks(1))).clamp_min(0)
    whole = head(vla).decode(vla, ids)
    assert whole.isfinite().all()
    stop = head(vla).num_ids - 1
    for wrong in ([*ids[0, 1:].tolist()], [7, *ids[0].tolist()], [stop], [stop - 1, stop]):
        assert head(vla).decode(vla, torch.tensor([wrong])).isnan().all()


@pytest.mark.parametrize(
    ("variant", "wrong"),
    [
        ("openvla", {"dorsal_input": "vit", "dorsal_init": "random"}),
        ("openvla", {"action_ids": "first"}),
        ("pi0_fast", {"action_ids": "last"}),
        ("pi0_fast", {"fast_vocab": 200}),
        ("pi05", {"taught": "mlp"}),
        ("pi05", {"action_head": "bins"}),
    ],
)
def test_heads_of_tokens_refuse_what_they_cannot_do(variant: str, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"got|of E_sem's 300"):
        micro_config(variant, **wrong)


def test_a_map_head_pools_states_as_published() -> None:
    vla = micro_vla("map_head")
    pooled, batch = vla.pooled, make_batch(vla)
    states = torch.randn(3, 4, 32, generator=torch.Generator().manual_seed(0))
    # The published block, written out with torch's own attention.
    attention = torch.nn.MultiheadAttention(32, 8, batch_first=True)
    weights = torch.cat((pooled.attn.q.weight, pooled.attn.kv.weight))
    attention.in_proj_weight.data.copy_(weights)
    attention.in_proj_bias.data.zero_()
    attention.out_proj.load_state_dict(pooled.attn.proj.state_dict())
    latent, tokens = pooled.latent.expand(3, -1, -1), pooled.projection(states)
    x = latent + attention(latent, tokens, tokens)[0]
    x = torch.nn.functional.rms_norm(x, (32,), pooled.attn_norm.g, 0.0)
    value, gate = pooled.mlp.project(x).chunk(2, dim=-1)
    x = x + pooled.mlp.out(value * torch.nn.functional.silu(gate))
    x = torch.nn.functional.rms_norm(x, (32,), pooled.mlp_norm.g, 0.0)
    numbers = pooled.to_actions(x[:, 0]).view(3, 4, 14)
    torch.testing.assert_close(pooled.numbers(states), numbers, atol=1e-5, rtol=1e-5)
    mask, actions = batch.action_mask, batch.actions
    pose = [d for d in range(14) if d not in (6, 13)]
    mse = (numbers - actions)[mask][:, pose].square().mean()
    bce = torch.nn.functional.binary_cross_entropy_with_logits(
        numbers[mask][:, [6, 13]], (actions[mask][:, [6, 13]] > 0).float()
    )
    torch.testing.assert_close(pooled.loss(states, actions, mask), mse + bce)
    assert set(pooled.actions(states)[..., [6, 13]].unique().tolist()) <= {-1.0, 1.0}
    released = micro_vla("map_head", gripper_loss="mse")
    assert torch.equal(released.pooled.actions(states), released.pooled.numbers(states))
    loss = (released.pooled.numbers(states) - actions)[mask].square().mean()
    torch.testing.assert_close(released.pooled.loss(states, actions, mask), loss)
