"""Table 3 of the UAM paper: what action tuning costs the VLM, by what acts and what shields it."""

import dataclasses

from uamsim.orchestration.spec import ExperimentSpec, InterventionConfig
from uamsim_experiments import dorsal_sweep

PAIRS = (
    "mlp_head-frozen",
    "no_dorsal-unfrozen",
    "mlp_head-unfrozen",
    "no_dorsal-cotrained",
    "no_dorsal-insulated",
    "openvla-unfrozen",
    "pi0_fast-unfrozen",
    "pi05-cotrained",
)
"""The paper's three rows, then the two ways of keeping knowledge that it argues against, then
actions as tokens of the VLM (Table 2 has OpenVLA), alone and as pi0.5 has them."""
MLP_WIDTHS = {"debug": 256, "tiny": 256, "small": 512, "paper": 1024}


def build(scale: str) -> ExperimentSpec:
    """The experiment at one scale: the sweep's world, models and budget, in-domain alone."""
    sweep = dorsal_sweep.build(scale)
    variants = ("no_dorsal", "mlp_head")
    by_tokens = ("openvla", "pi0_fast", "pi05")
    return sweep.replace(
        name="embodiment_tax",
        summary=(__doc__ or "").partition("\n")[0],
        interventions=InterventionConfig(),
        claims=("embodiment_tax",),
        variants=(*variants, *by_tokens),
        e_sem=("unfrozen", "frozen", "cotrained", "insulated"),
        pairs=PAIRS,
        controls=("random", "blind"),
        control_variants=variants,
        model=dataclasses.replace(sweep.model, mlp_width=MLP_WIDTHS[scale]),
        evaluation=dataclasses.replace(
            sweep.evaluation,
            splits=("in_domain",),
            in_domain_episodes=2 * sweep.evaluation.in_domain_episodes,
        ),
        media=dataclasses.replace(sweep.media, variants=variants, splits=("in_domain",)),
    )
