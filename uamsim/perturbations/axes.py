"""Every axis, by name: importing this module registers all perturbations."""

from uamsim.perturbations import actions, objects, physics, scene, sensors, wording
from uamsim.perturbations.values import PERTURBATIONS, Perturbation

MODULES = (objects, scene, physics, sensors, actions, wording)
"""One for each layer, in the canonical order."""

AXES: dict[str, type[Perturbation]] = {cls.axis: cls for cls in PERTURBATIONS.values()}
"""Name of an axis -> its type."""
