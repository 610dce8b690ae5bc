"""Every axis, by name: importing this module registers all perturbations."""

from collections.abc import Iterator, Mapping

from uamsim.perturbations.axes import actions, objects, physics, scene, sensors
from uamsim.perturbations.language import wording
from uamsim.perturbations.values import LAYERS, PERTURBATIONS, Perturbation

MODULES = (objects, scene, physics, sensors, actions, wording)
"""One for each layer, in the canonical order."""


class _Axes(Mapping[str, type[Perturbation]]):
    """A view of ``PERTURBATIONS``, with what installed packages bring."""

    def _all(self) -> dict[str, type[Perturbation]]:
        known = sorted(PERTURBATIONS.values(), key=lambda cls: LAYERS.index(cls.layer))
        return {cls.axis: cls for cls in known}

    def __getitem__(self, axis: str) -> type[Perturbation]:
        return self._all()[axis]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


AXES: Mapping[str, type[Perturbation]] = _Axes()
"""Name of an axis -> its type, layer by layer."""
