"""Whether a generator's goals are those that were asked for."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from uamsim.data.goal_choices import GoalChoice
from uamsim.data.questions import Tongue
from uamsim.models.generator import Generator
from uamsim.models.sampling import Sampler
from uamsim.models.vla import VLA

CHANGED = 0.3
"""Root mean square difference from which a latent token has changed; latents' deviation is 1."""


@torch.inference_mode()
def right_goals(
    model: Generator | VLA, choices: Sequence[GoalChoice], tongue: Tongue
) -> list[Bool[np.ndarray, " G"]]:
    """For each scene, whether the picture asked for is nearest to its own goal among all.

    Near is the mean square difference of latents. Noise is drawn from the scene's place in the
    list alone.

    Args:
        model: a generator, or a policy of one view that predicts its goal's latents.
        choices: the scenes.
        tongue: in which the goals are asked for.
    """
    right = []
    for index, choice in enumerate(choices):
        goals = model.vae.encode(_to(model, choice.goals))
        noise = torch.randn(goals.shape, generator=torch.Generator().manual_seed(index))
        pictures = np.repeat(choice.before[None], len(goals), axis=0)
        predicted = _predict(
            model, _to(model, pictures), choice.instructions[tongue], noise.to(goals.device)
        )
        got = model.vae.encode(predicted)
        nearest = (got[:, None] - goals[None]).square().mean((2, 3)).argmin(1).cpu().numpy()
        right.append(nearest == np.arange(len(goals)))
    return right


@torch.inference_mode()
def first_step_errors(
    model: Generator,
    before: UInt8[np.ndarray, "B H W 3"],
    after: UInt8[np.ndarray, "B H W 3"],
    instructions: Sequence[str],
) -> dict[str, float]:
    """Mean square error of goals predicted in one step from noise, on tokens that change.

    Actions read a generator at this step alone.

    Args:
        model: that predicts.
        before: pictures.
        after: what they lead to.
        instructions: what is done, not all the same.

    Returns:
        "copy", of the latents as they are, "right", of the prediction, and "other", of the
        prediction from the instruction of the next picture with another one.
    """
    now, goal = model.vae.encode(_to(model, before)), model.vae.encode(_to(model, after))
    changed = (goal - now).square().mean(2).sqrt() > CHANGED
    noise = torch.randn(now.shape, generator=torch.Generator().manual_seed(0)).to(now.device)

    def error(predicted: torch.Tensor) -> float:
        return (predicted - goal).square()[changed].mean().item()

    def predict(texts: Sequence[str]) -> torch.Tensor:
        return model.sample_latents(_to(model, before), texts, noise, num_steps=1)

    return {
        "copy": error(now),
        "right": error(predict(instructions)),
        "other": error(predict(_others(instructions))),
    }


def _others(texts: Sequence[str]) -> list[str]:
    """For each text the next that differs, in a circle; itself where all are the same."""
    doubled = [*texts, *texts]
    return [next((t for t in doubled[i:] if t != text), text) for i, text in enumerate(texts)]


def _predict(
    model: Generator | VLA, pictures: torch.Tensor, texts: Sequence[str], noise: torch.Tensor
) -> torch.Tensor:
    if isinstance(model, VLA):
        return Sampler(model).predict_goal(pictures[:, None], texts, noise)
    return model.sample(pictures, texts, noise)


def _to(model: Generator | VLA, pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).to(model.vlm.device)
