"""Table 1's two axes as a grid: what E_dor starts from by what it reads, with the controls."""

from uamsim.orchestration.spec import GRID, ExperimentSpec
from uamsim_experiments import dorsal_sweep


def build(scale: str) -> ExperimentSpec:
    """The experiment at one scale: the sweep's world, models and budget, E_sem unfrozen."""
    return dorsal_sweep.build(scale).replace(
        name="dorsal_grid",
        summary=(__doc__ or "").partition("\n")[0],
        variants=("no_dorsal", *GRID),
        e_sem=("unfrozen",),
        restored=False,
        claims=(),
    )
