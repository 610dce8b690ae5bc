"""Graspable things and receptacles for a table: categories of the lexicon in several shapes."""

from uamsim_envs.library import containers, fruit, household, staples, tableware, toys, vegetables
from uamsim_envs.library.instance import (
    INSTANCES,
    MAX_GRASP_WIDTH,
    Grasp,
    Instance,
    Opening,
    add_instance,
    instances_of,
)
from uamsim_envs.library.shapes import Shape

__all__ = [
    "INSTANCES",
    "MAX_GRASP_WIDTH",
    "Grasp",
    "Instance",
    "Opening",
    "Shape",
    "add_instance",
    "instances_of",
]

for _part in (fruit, vegetables, staples, household, toys, tableware, containers):
    _part.add_all()
