"""Cards with one or two letters, written in strokes that are moved on each reset."""

import math

import mujoco
import numpy as np

from uamsim.errors import SceneError
from uamsim.lexicon import LEXICON
from uamsim_envs.rendering import HIDDEN_GROUP, VISIBLE_GROUP

_TL, _TR, _BL, _BR = (-1, 1), (1, 1), (-1, -1), (1, -1)
_ML, _MR, _MT, _MB = (-1, 0), (1, 0), (0, 1), (0, -1)
Stroke = tuple[tuple[float, float], tuple[float, float]]
GLYPHS: dict[str, tuple[Stroke, ...]] = {
    "A": ((_BL, _MT), (_MT, _BR), ((-0.55, -0.35), (0.55, -0.35))),
    "C": ((_TL, _TR), (_TL, _BL), (_BL, _BR)),
    "E": ((_TL, _BL), (_TL, _TR), (_ML, _MR), (_BL, _BR)),
    "H": ((_TL, _BL), (_TR, _BR), (_ML, _MR)),
    "L": ((_TL, _BL), (_BL, _BR)),
    "O": ((_TL, _TR), (_TR, _BR), (_BR, _BL), (_BL, _TL)),
    "T": ((_TL, _TR), (_MT, _MB)),
    "X": ((_TL, _BR), (_TR, _BL)),
    "4": ((_TL, _ML), (_ML, _MR), (_TR, _BR)),
    "7": ((_TL, _TR), (_TR, (-0.3, -1))),
}
"""Character -> strokes between points of [-1, 1] x [-1, 1]; all told apart at a few pixels."""
ALPHABET = "".join(GLYPHS)
MAX_CHARS = 2
MAX_STROKES = 4
RADIUS = 0.07
"""Of the circle that a card covers on the table (m)."""
CARD = (0.062, 0.044)
_HALF_GLYPH = (0.019, 0.029)
_HALF_STROKE = 0.0062
_TILT = math.radians(35)


def add_label(body: mujoco.MjsBody, name: str) -> None:
    """Adds a hidden card, tilted towards the primary camera, to a body."""
    card = body.add_body(
        name=f"{name}/card",
        pos=(0, 0, 0.030),
        quat=(math.cos(_TILT / 2), math.sin(_TILT / 2), 0, 0),
    )
    names = ["card", *(f"stroke{i}" for i in range(MAX_CHARS * MAX_STROKES))]
    for part in names:
        card.add_geom(
            name=f"{name}/{part}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=(*CARD, 0.002),
            # Off the body's frame on purpose: MuJoCo ignores the pose of shapes compiled on it.
            pos=(0, 0, 0) if part == "card" else (0.001, 0.001, 0.003),
            quat=(1, 0, 0, 0) if part == "card" else (0.8, 0, 0, 0.6),
            contype=0,
            conaffinity=0,
            mass=0.0,
            group=HIDDEN_GROUP,
        )


class LabelSlot:
    """A card in a compiled model.

    Attributes:
        body_id: of the body that stands on the table.
    """

    def __init__(self, model: mujoco.MjModel, name: str) -> None:
        self.body_id = int(model.body(name).id)
        self._model = model
        self._card = int(model.geom(f"{name}/card").id)
        self._strokes = [
            int(model.geom(f"{name}/stroke{i}").id) for i in range(MAX_CHARS * MAX_STROKES)
        ]

    def hide(self) -> None:
        """Shows nothing."""
        self._model.geom_group[[self._card, *self._strokes]] = HIDDEN_GROUP

    def show(self, text: str, colour: str) -> None:
        """Shows a text in dark strokes (white ones on a dark card).

        Raises:
            SceneError: an empty or too long text, a character without a glyph, or no colour.
        """
        if not 1 <= len(text) <= MAX_CHARS or any(c not in GLYPHS for c in text):
            raise SceneError(
                f"a label shows 1 to {MAX_CHARS} characters of {ALPHABET!r}, not {text!r}."
            )
        rgb = LEXICON[colour].rgb
        if rgb is None:
            raise SceneError(f"{colour!r} is not a colour.")
        self.hide()
        model = self._model
        model.geom_group[self._card] = VISIBLE_GROUP
        model.geom_rgba[self._card, :3] = rgb
        luminance = 0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2]
        ink = (0.03, 0.03, 0.03) if luminance > 0.45 else (1.0, 1.0, 1.0)
        centres = (0.0,) if len(text) == 1 else (-0.030, 0.030)
        strokes = [(x, s) for x, char in zip(centres, text, strict=True) for s in GLYPHS[char]]
        for geom, (x, stroke) in zip(self._strokes, strokes, strict=False):
            a, b = (np.array([x + _HALF_GLYPH[0] * p[0], _HALF_GLYPH[1] * p[1]]) for p in stroke)
            along = b - a
            angle = math.atan2(along[1], along[0])
            model.geom_pos[geom] = (*(0.5 * (a + b)), 0.003)
            model.geom_quat[geom] = (math.cos(angle / 2), 0, 0, math.sin(angle / 2))
            half = float(np.linalg.norm(along)) / 2 + _HALF_STROKE
            model.geom_size[geom] = (half, _HALF_STROKE, 0.001)
            model.geom_rgba[geom, :3] = ink
            model.geom_group[geom] = VISIBLE_GROUP
