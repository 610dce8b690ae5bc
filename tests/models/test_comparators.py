"""The MLP head, insulation and co-training: what reaches E_sem and what does not."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from uamsim.errors import ConfigError
from uamsim.models.mlp_head import GRIPPER_WEIGHT
from uamsim.models.vla import VLA
from uamsim.testing.models import INSTRUCTIONS, make_batch, micro_config, micro_vla


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def gradients(vla: VLA, loss: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Those of E_sem and those of all else, where there are any."""
    vla.zero_grad(set_to_none=True)
    loss.backward()
    sem = {n: p.grad for n, p in vla.vlm.sem_parameters() if p.grad is not None}
    rest = {n: p.grad for n, p in vla.expert_parameters() if p.grad is not None}
    return sem, rest


def test_insulation_leaves_the_forward_pass_and_takes_every_gradient_from_e_sem(
    variant: str,
) -> None:
    plain, insulated = micro_vla(variant), micro_vla(variant, insulated=True)
    batch = make_batch(plain)
    before, after = (vla.losses(batch, generator()) for vla in (plain, insulated))
    for name, loss in before.items():
        torch.testing.assert_close(after[name], loss, atol=1e-5, rtol=1e-5)
    sem, rest = gradients(plain, before["action"])
    assert any(g.abs().max() > 0 for g in sem.values()) != bool(plain.taught)
    sem, acting = gradients(insulated, after["action"])
    assert sem == {}
    assert acting.keys() == rest.keys()
    for name, gradient in rest.items():
        torch.testing.assert_close(acting[name], gradient, atol=1e-4, rtol=1e-3)
    sem, _ = gradients(insulated, insulated.losses(batch, generator())["total"])
    assert sem == {}


def test_an_insulated_e_sem_learns_from_questions_alone(variant: str) -> None:
    vla = micro_vla(variant, insulated=True)
    batch = make_batch(vla)

    def questions() -> Tensor:
        return vla.vlm.answer_loss(batch.images[:, 0], [[t] for t in INSTRUCTIONS], [["yes"]] * 3)

    alone, _ = gradients(vla, questions())
    both, rest = gradients(vla, questions() + vla.losses(batch, generator())["total"])
    assert any(g.abs().max() > 0 for g in both.values())
    assert any(g.abs().max() > 0 for g in rest.values())
    assert all(torch.equal(both[name], alone[name]) for name in alone)
    assert both.keys() == alone.keys()


def test_the_action_token_starts_at_zero_and_learns() -> None:
    vla = VLA(micro_config("mlp_head"), micro_vla("mlp_head").tokenizer)
    assert not vla.head.token.any()
    vla.losses(make_batch(vla), generator())["total"].backward()
    assert vla.head.token.grad is not None
    assert vla.head.token.grad.abs().max() > 0


def test_mlp_loss_is_huber_of_the_arms_and_cross_entropy_of_the_grippers() -> None:
    vla = micro_vla("mlp_head")
    batch = make_batch(vla)
    state = torch.randn(3, 1, vla.config.vlm.expert.width, generator=generator())
    arm, logits = vla.head._outputs(state)
    mask, grippers = batch.action_mask, [6, 13]
    arms = [d for d in range(14) if d not in grippers]
    huber = F.huber_loss(arm[mask], batch.actions[..., arms][mask])
    is_open = (batch.actions[..., grippers][mask] > 0).float()
    entropy = F.binary_cross_entropy_with_logits(logits[mask], is_open)
    torch.testing.assert_close(
        vla.head.loss(state, batch.actions, mask), huber + GRIPPER_WEIGHT * entropy
    )
    chunk = vla.head.actions(state)
    assert torch.equal(chunk[..., arms], arm)
    assert torch.equal(chunk[..., grippers] > 0, logits > 0)
    assert set(chunk[..., grippers].unique().tolist()) <= {-1.0, 1.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"dorsal_input": "vit", "dorsal_init": "random"},
        {"gripper_dims": ()},
        {"gripper_dims": (6, 6)},
        {"gripper_dims": (14,)},
    ],
)
def test_an_mlp_head_refuses_what_it_cannot_do(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"MLP head|gripper_dims"):
        micro_config("mlp_head", **wrong)
