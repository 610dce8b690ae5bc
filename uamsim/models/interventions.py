"""What is hidden from the actions of a trained policy, to see how much flows through what.

No torch here, so that experiments can name them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from uamsim.models.config import VLAConfig
from uamsim.models.wiring import DOR, Kind
from uamsim.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """Segments that the head's tokens do not see; everybody else sees them as before.

    Attributes:
        title: for readers.
        hides: the kinds of a model; none where it has no such tokens.
    """

    title: str
    hides: Callable[[VLAConfig], frozenset[Kind]]


def _e_sem(config: VLAConfig) -> frozenset[Kind]:
    del config
    return frozenset({"M", "V", "L"})


def _goal(config: VLAConfig) -> frozenset[Kind]:
    return frozenset(config.prediction.seen) if config.prediction else frozenset()


def _e_dor(config: VLAConfig) -> frozenset[Kind]:
    if config.feed is None:
        return frozenset()
    through = config.prediction is not None and config.prediction.expert == DOR
    return frozenset({"C"}) | (_goal(config) if through else frozenset())


INTERVENTIONS: Registry[Intervention] = Registry("intervention")
INTERVENTIONS.add(
    "hide_e_sem", Intervention(title="V and L hidden: actions see E_dor alone", hides=_e_sem)
)
INTERVENTIONS.add(
    "hide_e_dor", Intervention(title="C and G_1 hidden: actions see E_sem alone", hides=_e_dor)
)
INTERVENTIONS.add("hide_goal", Intervention(title="G_1 hidden", hides=_goal))
