"""Every axis, by name: importing this module registers all perturbations."""

from collections.abc import Mapping

from uamsim.perturbations.axes import actions, objects, physics, scene, sensors
from uamsim.perturbations.language import wording
from uamsim.perturbations.values import LAYERS, PERTURBATIONS, Perturbation

MODULES = (objects, scene, physics, sensors, actions, wording)
"""One for each layer, in the canonical order."""

AXES: Mapping[str, type[Perturbation]] = {
    cls.axis: cls for cls in sorted(PERTURBATIONS.values(), key=lambda c: LAYERS.index(c.layer))
}
"""Name of an axis -> its type, layer by layer."""
