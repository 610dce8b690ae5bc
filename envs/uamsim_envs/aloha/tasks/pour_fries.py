"""Open a carton of fries and pour them onto the plate of the spoken colour."""

import math
from typing import ClassVar

import mujoco
import numpy as np
from jaxtyping import Float64

from uamsim.contract import Goal, Thing
from uamsim.lexicon import entries
from uamsim_envs.aloha.kinematics import BASES
from uamsim_envs.aloha.parts.carton import (
    DEPTH,
    FRY_HALF,
    FRY_RADIUS,
    HEIGHT,
    WALL,
    WIDTH,
    add_fry,
    add_lid,
    fries_carton,
    wax,
)
from uamsim_envs.aloha.skills.handling import MAX_MISS, Actions
from uamsim_envs.aloha.skills.motion import Motion, Move, compose, reach_error
from uamsim_envs.aloha.task import REST_SPEED, Item, TaskEnv
from uamsim_envs.aloha.world import REST_POS
from uamsim_envs.contacts import FINGER_TIP
from uamsim_envs.library import instances_of

POURED_SHARE = 0.7
"""Share of the fries that must lie on the plate."""
LID_OPEN = math.radians(80)
_PLATE_SCALE = (1.22, 1.32)
_GRIP = 0.034
"""Height of the fingers on the carton (m)."""
_LIP_ABOVE = 0.045
"""m of the carton's lip above the plate while it pours."""

_LEAST = 0.3
"""Tilt (rad) at which the carton comes over the plate; an upright one near the base is too near."""
_PLATE, _OTHER = -1, -2
"""What a shape belongs to; fries count from 0."""

Pose = tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]


def _up(height: float) -> Float64[np.ndarray, "3"]:
    return np.array([0.0, 0.0, height])


def _pointing(arm: int, heading: float, down: float) -> Float64[np.ndarray, "3"]:
    """Turn of a gripper whose fingers lie level across a heading.

    Args:
        arm: 0 left, 1 right.
        heading: of the fingers about z (rad).
        down: how far they point below the horizon; beyond pi / 2 they point back (rad).
    """
    lift, yaw = math.pi / 2 - down, heading - math.pi * arm
    yaw = math.remainder(yaw, 2 * math.pi)
    return compose((0, 0, yaw), (0, lift if arm else -lift, 0))


def _azimuth(arm: int, pos: np.ndarray) -> float:
    """Heading from an arm's base to a place (rad).

    While the fingers keep to it the wrist may pass its singularity: the forearm need not roll.
    """
    return math.atan2(pos[1], pos[0] - BASES[arm].x)


class AlohaPourFriesEnv(TaskEnv):
    """A lidded carton of loose fries and two plates; one arm opens it, the other pours it out.

    The carton faces away from the arm that pours. Success: at least 70 % of the fries lie at rest
    on the named plate, borne by it or by fries on it and touching neither table, carton nor
    fingers, while no part of the carton is over the plate. Stages: lid_open, lifted, poured.
    """

    task = "pour_fries"
    stage_names: ClassVar[tuple[str, ...]] = ("lid_open", "lifted", "poured")
    time_limit = 1300

    def _compose(self, spec: mujoco.MjSpec, rng: np.random.Generator) -> Goal:
        # With fewer the stiff crease of the lid sometimes goes unsolved.
        spec.option.ls_iterations = 50
        colours = [e.name for e in entries("colour", in_action_data=True)]
        colour = colours[int(rng.integers(len(colours)))]
        # Fries would not show on a yellow plate.
        plain = [c for c in colours if c not in (colour, "yellow")]
        plates = [plain[i] for i in rng.permutation(len(plain))[:2]]
        self.holder = int(rng.integers(2))
        side = -1.0 if self.holder == 0 else 1.0
        x, y = -side * rng.uniform(-0.03, 0.045), rng.uniform(-0.03, 0.03)
        yaw = math.pi * self.holder + rng.uniform(-0.25, 0.25)
        carton = Item(
            name="carton",
            instance=fries_carton(),
            colour=colour,
            pos=(float(x), float(y), 0.0),
            yaw=float(yaw),
        )
        body = self.add_item(spec, carton)
        wax(body)
        self._skin = tuple(g.name for g in body.geoms if "skin" in g.name)
        add_lid(body, colour)
        kinds = instances_of("plate", in_action_data=True)
        kind = kinds[int(rng.integers(len(kinds)))]
        scale = float(rng.uniform(*_PLATE_SCALE))
        for name, end, hue in zip(
            ("plate", "other"), rng.permutation([-1, 1]), plates, strict=True
        ):
            at = (side * rng.uniform(0.10, 0.17), end * rng.uniform(0.135, 0.15))
            plate = Item(
                name=name,
                instance=kind,
                colour=hue,
                scale=scale,
                pos=(float(at[0]), float(at[1]), 0.0),
                static=True,
            )
            for geom in self.add_item(spec, plate).geoms:
                geom.condim = 3
        self._add_fries(spec, rng, carton)
        return Goal(
            task=self.task,
            thing=Thing(category="carton", colour=colour),
            target=Thing(category="plate", colour=plates[0]),
        )

    def _add_fries(self, spec: mujoco.MjSpec, rng: np.random.Generator, carton: Item) -> None:
        """Stands 8 to 12 fries loosely in the carton."""
        cells = [(i, j) for i in range(3) for j in range(4)]
        chosen = rng.permutation(len(cells))[: int(rng.integers(8, 13))]
        self.fries = tuple(f"fry{k}" for k in range(len(chosen)))
        c, s = math.cos(carton.yaw), math.sin(carton.yaw)
        for name, cell in zip(self.fries, chosen, strict=True):
            i, j = cells[cell]
            x, y = 0.0125 * (i - 1), 0.0115 * (j - 1.5)
            x, y = np.array([x, y]) + rng.uniform(-0.001, 0.001, 2)
            z = WALL + FRY_HALF + FRY_RADIUS + 0.001
            pos = np.array([carton.pos[0] + c * x - s * y, carton.pos[1] + s * x + c * y, z])
            add_fry(
                spec, name, pos, rng.uniform(-0.04, 0.04, 2), tone=float(rng.uniform(0.88, 1.0))
            )

    def _start(self) -> None:
        model = self.world.model
        number = {model.body(name).id: k for k, name in enumerate(self.fries)}
        number[model.body("plate").id] = _PLATE
        roots = model.body_rootid[model.geom_bodyid]
        self._roots = np.array([number.get(root, _OTHER) for root in roots])
        for name in self.fries:
            dof = int(model.joint(name).dofadr[0])
            # Without it a round fry would roll on for long.
            model.dof_damping[dof + 3 : dof + 6] = 5e-7

    def _now(self) -> dict[str, bool]:
        lifted = self.pos("carton")[2] > 0.03 and self.pinched(*self._skin)
        enough = len(self.on_plate()) >= POURED_SHARE * len(self.fries)
        return {
            "lid_open": self.joint("lid") > LID_OPEN,
            "lifted": bool(lifted),
            "poured": enough and self.carton_clear(),
        }

    def carton_clear(self) -> bool:
        """Whether no corner of the carton is over the named plate."""
        plate = self.items["plate"]
        x, y = DEPTH / 2, WIDTH / 2
        corners = np.array([(a, b, h) for a in (-x, 0, x) for b in (-y, 0, y) for h in (0, HEIGHT)])
        at = self.pos("carton") + corners @ self.rotation("carton").T
        gaps = np.linalg.norm((at - plate.pos)[:, :2], axis=1)
        return bool(gaps.min() > plate.radius)

    def on_plate(self) -> set[str]:
        """The fries that lie on the named plate: at rest, borne by it or by fries on it."""
        plate, data = self.items["plate"], self.world.data
        pairs = self._roots[data.contact.geom[: data.ncon]]
        if not (pairs == _PLATE).any():
            return set()
        touched: dict[int, set[int]] = {fry: set() for fry in range(len(self.fries))}
        for a, b in pairs[(pairs >= 0).any(axis=1)].tolist():
            for fry, other in ((a, b), (b, a)):
                if fry >= 0:
                    touched[fry].add(other)
        still = {
            fry
            for fry, others in touched.items()
            if min(others, default=_OTHER) > _OTHER
            and self.speed(self.fries[fry]) < REST_SPEED
            and np.hypot(*(self.pos(self.fries[fry]) - plate.pos)[:2]) < plate.radius
        }
        borne = {fry for fry in still if _PLATE in touched[fry]}
        while more := {fry for fry in still - borne if touched[fry] & borne}:
            borne |= more
        return {self.fries[fry] for fry in borne}

    def _failed(self) -> bool:
        lost = sum(self.off_table(name) for name in self.fries)
        return lost > (1 - POURED_SHARE) * len(self.fries) or super()._failed()

    # The expert.

    def expert(self, rng: np.random.Generator) -> Actions:
        """One arm holds the carton from behind while the other folds its lid back, then it pours.

        Args:
            rng: varies its speed and the grip.
        """
        motion = Motion(self.world, self.control, pace=float(rng.uniform(0.92, 1.08)))
        holder = self.holder
        place = self.pos("carton")
        heading = self.yaw("carton")
        ahead = np.array([math.cos(heading), math.sin(heading), 0.0])
        grip = place + (0, 0, _GRIP) + rng.uniform(-0.003, 0.004) * ahead
        level = _pointing(holder, heading, 0.0)
        before = grip - 0.11 * ahead
        ready = place + (DEPTH / 2 + 0.08) * ahead + (0, 0, HEIGHT + 0.04)
        yield from _together(
            _level(motion, holder, before + _up(0.07), gripper=1.0),
            _level(motion, 1 - holder, ready, gripper=0.0),
        )
        yield from motion.go(Move(arm=holder, pos=before, turn=level), seconds=0.5)
        yield from motion.go(Move(arm=holder, pos=grip), seconds=0.5)
        yield from motion.go(Move(arm=holder, gripper=0.0), seconds=0.35)
        yield from motion.wait(0.1)
        yield from self._open(motion, 1 - holder)
        up = grip + _up(0.10)
        yield from motion.go(
            Move(arm=holder, pos=up),
            Move(arm=1 - holder, pos=motion.pos[1 - holder] + 0.05 * ahead + (0, 0, 0.03)),
            seconds=0.6,
        )
        yield from self._pour(motion, place)
        yield from motion.go(Move(arm=holder, pos=grip + _up(0.08), turn=level), seconds=0.9)
        yield from motion.go(Move(arm=holder, pos=grip + _up(0.002)), seconds=0.4)
        yield from motion.go(Move(arm=holder, gripper=1.0), seconds=0.3)
        yield from motion.go(Move(arm=holder, pos=before), seconds=0.4)
        yield from motion.go(Move(arm=holder, pos=before + _up(0.09)), seconds=0.4)
        yield from motion.rest(0, 1)
        yield from motion.wait(0.5)

    def _open(self, motion: Motion, arm: int) -> Actions:
        """Hooks closed fingers under the tab and takes them round the hinge with the lid."""
        heading = self.yaw("carton")
        ahead = np.array([math.cos(heading), math.sin(heading), 0.0])
        hinge = self.pos("carton") - DEPTH / 2 * ahead + (0, 0, HEIGHT)
        out, under = DEPTH + 0.003 + FINGER_TIP, -0.0145

        def around(angle: float) -> Pose:
            c, s = math.cos(angle), math.sin(angle)
            pos = hinge + (c * out - s * under) * ahead + (0, 0, s * out + c * under)
            return pos, _pointing(arm, _azimuth(arm, pos), angle)

        pos, turn = around(0.0)
        start = pos + 0.06 * ahead
        yield from motion.go(Move(arm=arm, pos=start), seconds=0.4)
        yield from motion.go(Move(arm=arm, pos=pos, turn=turn), seconds=0.4)
        yield from motion.follow(arm, lambda f: around(1.5 * f), seconds=1.3)
        push = motion.pos[arm] - 0.03 * ahead + (0, 0, 0.004)
        yield from motion.go(Move(arm=arm, pos=push), seconds=0.4)
        yield from motion.go(Move(arm=arm, pos=push + 0.075 * ahead), seconds=0.4)

    def _pour(self, motion: Motion, place: np.ndarray) -> Actions:
        """Tilts the carton about its lip over the plate, shakes it if need be, and goes back."""
        arm = self.holder
        plate = np.array(self.items["plate"].pos)
        grip = self.rotation("carton").T @ (motion.pos[arm] - self.pos("carton"))
        heading = _azimuth(arm, plate)
        ahead = np.array([math.cos(heading), math.sin(heading), 0.0])
        lip = plate - 0.038 * ahead + (0, 0, _LIP_ABOVE)
        cx, cz = grip[0] - DEPTH / 2, grip[2] - HEIGHT

        def tilted(angle: float) -> Pose:
            c, s = math.cos(angle), math.sin(angle)
            low = HEIGHT * max(c, 0.0)
            pos = lip + (c * cx + s * cz) * ahead + (0, 0, c * cz - s * cx + low)
            return pos, _pointing(arm, heading, angle)

        most = next(
            a for a in (2.35, 2.25, 2.15, 2.05, 1.9) if reach_error(arm, *tilted(a)) < MAX_MISS
        )

        def between(share: float) -> Pose:
            return tilted(_LEAST + share * (most - _LEAST))

        pos, turn = tilted(_LEAST)
        yield from motion.go(
            Move(arm=arm, pos=pos, turn=turn),
            Move(arm=1 - arm, pos=REST_POS[1 - arm], turn=(0, 0, 0)),
            seconds=1.0,
        )
        yield from motion.follow(arm, between, seconds=1.8)
        yield from motion.wait(0.4)
        for _ in range(3):
            if self._emptied():
                break
            for back in (0.35, 0.0):
                pos, turn = tilted(most - back)
                yield from motion.go(Move(arm=arm, pos=pos, turn=turn), seconds=0.2)
            yield from motion.wait(0.3)
        lip += (0, 0, 0.05)
        yield from motion.go(Move(arm=arm, pos=tilted(most)[0]), seconds=0.3)
        yield from motion.follow(arm, lambda f: between(1 - f), seconds=1.2)

    def _emptied(self) -> bool:
        carton, axes = self.pos("carton"), self.rotation("carton")
        local = np.array([(self.pos(name) - carton) @ axes for name in self.fries])
        inside = (np.abs(local[:, :2]) < (DEPTH / 2, WIDTH / 2)).all(axis=1)
        return not (inside & (local[:, 2] > 0) & (local[:, 2] < HEIGHT)).any()


def _level(motion: Motion, arm: int, pos: np.ndarray, *, gripper: float) -> Actions:
    """Brings a resting arm to a place with its fingers level, pointing away from its base."""
    base = np.array([BASES[arm].x, 0, 0])
    (x0, y0, z0), (x1, y1, z1) = motion.pos[arm] - base, pos - base
    near = math.hypot(x0, y0), math.atan2(y0, x0), z0
    far = math.hypot(x1, y1), _azimuth(arm, pos), z1
    turned = math.remainder(far[1] - near[1], 2 * math.pi)

    def pose(share: float) -> Pose:
        radius = near[0] + share * (far[0] - near[0])
        angle = near[1] + share * turned
        at = np.array([radius * math.cos(angle), radius * math.sin(angle), z0 + share * (z1 - z0)])
        return base + at, _pointing(arm, angle, (1 - share) * math.pi / 2)

    yield from motion.go(Move(arm=arm, gripper=gripper), seconds=0.1)
    yield from motion.follow(arm, pose, seconds=1.0)


def _together(*parts: Actions) -> Actions:
    """Segments of different arms at the same time, until the longest is over."""
    running = list(parts)
    while running:
        actions = [(part, next(part, None)) for part in running]
        running = [part for part, action in actions if action is not None]
        # Each part writes into the same action, so the last one has them all.
        if running:
            yield next(a for _, a in reversed(actions) if a is not None)
