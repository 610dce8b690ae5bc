"""CALVIN ABC->D: trained in three scenes, tested on chains of five tasks in the fourth."""

import dataclasses

from uamsim.orchestration.spec import ExperimentSpec, InterventionConfig
from uamsim_experiments import dorsal_sweep

TRAINED_IN = ("a", "b", "c")
"""For ABCD->D: ``--demonstrations.env-ids`` with the fourth scene as well."""
CHUNK = 10
VARIANTS = {
    "debug": ("no_dorsal", "uam"),
    "tiny": ("no_dorsal", "uam"),
    "small": ("mlp_head", "no_dorsal", "gen_init", "uam"),
    "paper": ("mlp_head", "no_dorsal", "gen_init", "uam"),
}
DEMONSTRATIONS = {"debug": 2, "tiny": 400, "small": 2_000, "paper": 6_000}
"""Of each scene; CALVIN's own data have 18,000 segments with an instruction in A, B and C."""
EPISODES = {"debug": 1, "tiny": 24, "small": 200, "paper": 1_000}


def build(scale: str) -> ExperimentSpec:
    """The experiment at one scale: the sweep's models and budget on CALVIN's demonstrations."""
    sweep = dorsal_sweep.build(scale).in_world(
        "calvin",
        tasks=TRAINED_IN,
        test_tasks=("d",),
        protocols=("official", "resampled"),
        # Cameras share the picture's size, CALVIN's own only where the models can hold it.
        cameras=("static", "gripper") if scale in ("small", "paper") else ("static",),
        render_profile="tiny" if scale == "paper" else "tiny-lowpoly",
    )
    episodes = EPISODES[scale]
    return sweep.replace(
        name="calvin_abcd",
        summary=(__doc__ or "").partition("\n")[0],
        interventions=InterventionConfig(),
        variants=VARIANTS[scale],
        e_sem=("unfrozen",),
        demonstrations=dataclasses.replace(
            sweep.demonstrations, episodes_per_env=DEMONSTRATIONS[scale]
        ),
        model=dataclasses.replace(sweep.model, chunk=CHUNK),
        evaluation=dataclasses.replace(
            sweep.evaluation,
            splits=("in_domain", "distractors", "chinese", "code_mix"),
            episodes=max(1, episodes // 2),
            in_domain_episodes=episodes,
            control_episodes=max(1, episodes // 2),
            snapshot_episodes=0,
            batch_envs=min(sweep.evaluation.batch_envs, 8),
            seed0=0,
        ),
    )
