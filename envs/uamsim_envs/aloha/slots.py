"""The bodies of the ALOHA worlds that can show things of many categories: fixed, free, buttons."""

from dataclasses import dataclass
from typing import Literal

import mujoco

from uamsim.lexicon import entries
from uamsim_envs.objects import add_parts

SlotKind = Literal["static", "free", "button"]


@dataclass(frozen=True, kw_only=True)
class SlotGroup:
    """Slots that can show the same things.

    Attributes:
        prefix: of their names, which a number follows.
        kind: what their bodies can do.
        count: how many.
        kinds: of the lexicon's entries that they can show.
    """

    prefix: str
    kind: SlotKind
    count: int
    kinds: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Of the slots."""
        return [f"{self.prefix}{index}" for index in range(self.count)]

    @property
    def categories(self) -> tuple[str, ...]:
        """What they can show."""
        return tuple(e.name for kind in self.kinds for e in entries(kind))  # type: ignore[arg-type]


BUTTON_TRAVEL = 0.013
"""m that a button goes down."""


def add_slot(spec: mujoco.MjSpec, name: str, kind: SlotKind, categories: tuple[str, ...]) -> None:
    """Adds a body that can show any of these categories, hidden."""
    body = spec.worldbody.add_body(name=name)
    cap = None
    if kind == "free":
        body.add_freejoint(name=name)
        body.explicitinertial = True
        body.mass, body.ipos, body.inertia = 0.06, (0, 0, 0.022), (2.5e-5, 2.5e-5, 2.5e-5)
    elif kind == "button":
        cap = body.add_body(name=f"{name}/cap")
        cap.gravcomp = 1.0
        cap.explicitinertial = True
        cap.mass, cap.ipos, cap.inertia = 0.05, (0, 0, 0.03), (2e-5, 2e-5, 2e-5)
        cap.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, 0, -1),
            range=(0.0, BUTTON_TRAVEL),
            limited=True,
            armature=0.02,
        )
    for category in categories:
        add_parts(body, name, category, cap_body=cap)


def tune_slot(model: mujoco.MjModel, name: str, kind: SlotKind) -> None:
    """Gives the joint of a slot that moves its spring and its damping."""
    dof = int(model.joint(name).dofadr[0])
    if kind == "button":
        model.jnt_stiffness[model.joint(name).id] = 150.0
        model.dof_damping[dof] = 3.0
    else:
        # Without rolling friction a ball would never come to rest.
        model.dof_damping[dof + 3 : dof + 6] = 3e-4
