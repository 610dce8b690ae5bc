"""RoboTwin 2.0's tasks of the UAM paper: clean demonstrations, unseen instructions."""

import dataclasses

from uamsim.orchestration.spec import WORLDS, ExperimentSpec, InterventionConfig
from uamsim_experiments import dorsal_sweep

QUICK_TASKS = {"debug": ("click_alarmclock",), "tiny": ("click_alarmclock", "turn_switch")}
"""The quickest to record, for a CPU; other scales have all of the suite."""
FPS = 6
"""Every third of the frames that RoboTwin keeps, 250 / 15 a second (App. F)."""
CHUNK = 16
VARIANTS = {
    "debug": ("no_dorsal", "uam"),
    "tiny": ("no_dorsal", "uam"),
    "small": ("mlp_head", "no_dorsal", "gen_init", "uam"),
    "paper": ("mlp_head", "no_dorsal", "gen_init", "uam"),
}
DEMONSTRATIONS = {"debug": 2, "tiny": 50, "small": 50, "paper": 50}
"""Of each task."""
EPISODES = {"debug": 1, "tiny": 12, "small": 100, "paper": 100}
"""Of each task and protocol."""
STEPS = {"debug": 2 * CHUNK, "tiny": 10 * CHUNK, "small": None, "paper": None}
"""Actions of an episode; None takes RoboTwin's own limits, 400 to 1700. Experts of tiny's tasks
need 26 of those that are kept."""
EVALUATION_SEED0 = 100_000
"""RoboTwin's evaluations begin there; its demonstrations begin at 0."""


def build(scale: str) -> ExperimentSpec:
    """The experiment at one scale: the sweep's models and budget on RoboTwin's demonstrations."""
    on_gpu = scale in ("small", "paper")
    sweep = dorsal_sweep.build(scale).in_world(
        "robotwin",
        tasks=QUICK_TASKS.get(scale) or WORLDS["robotwin"].suite_tasks("robotwin16"),
        # As in the paper; on a GPU RoboTwin's randomised evaluation as well.
        protocols=("clean", "randomized") if on_gpu else ("clean",),
        cameras=("head", "left", "right") if on_gpu else ("head",),
        fps=FPS,
        # As published where there is a GPU; shadows are what costs most on a CPU.
        render_profile="ray-traced" if on_gpu else "raster-shadowless",
    )
    episodes = EPISODES[scale]
    return sweep.replace(
        name="robotwin16",
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
            splits=("in_domain",),
            episodes=episodes,
            in_domain_episodes=episodes,
            control_episodes=max(1, episodes // 2),
            snapshot_episodes=0,
            batch_envs=1 if scale == "debug" else 4,
            max_episode_steps=STEPS[scale],
            seed0=EVALUATION_SEED0,
        ),
    )
