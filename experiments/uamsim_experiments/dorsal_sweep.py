"""Table 1 of the UAM paper: what feeds and starts the dorsal expert, and what the VLM keeps."""

from uamsim.orchestration.spec import (
    INTERVENTIONS,
    PRESETS,
    DemonstrationConfig,
    EvaluationConfig,
    ExperimentSpec,
    InterventionConfig,
    JointConfig,
    MediaConfig,
    OptimConfig,
    PretrainingConfig,
    SceneChangeConfig,
    TuningConfig,
    VLAConfig,
    VQAConfig,
)

EVALUATION_SEED0 = 9_000_000
VAE_PAIRS = "scene_changes-bca5475e284cf8cb"
"""What the shipped autoencoder has seen beside the questions' pictures: 6,000 pairs in which hands
only hover."""


def build(scale: str) -> ExperimentSpec:
    """The experiment at one scale: debug, tiny, small or paper."""
    makers = {"debug": _debug, "tiny": _tiny, "small": _small, "paper": _paper}
    return makers[scale]()


def _spec(scale: str, model: VLAConfig, **parts: object) -> ExperimentSpec:
    parts.setdefault("interventions", InterventionConfig(names=tuple(INTERVENTIONS)))
    return ExperimentSpec(
        name="dorsal_sweep",
        scale=scale,
        summary=(__doc__ or "").partition("\n")[0],
        model=model,
        **parts,  # pyright: ignore[reportArgumentType]
    )


def _tiny() -> ExperimentSpec:
    """Two CPU cores, under an hour."""
    return _spec(
        "tiny",
        PRESETS["tiny"],
        seeds=(0,),
        # At this size E_act depends on what tuning made of E_sem: put back, hardly any succeeds.
        restored=False,
        demonstrations=DemonstrationConfig(episodes_per_env=1_000, fps=5),
        vqa=VQAConfig(num_train_scenes=20_000, num_test_scenes=1_000, questions_per_skill_test=150),
        scene_changes=SceneChangeConfig(num_pairs=30_000),
        pretraining=PretrainingConfig(
            generator=OptimConfig(
                steps=8_500, batch_size=16, learning_rate=1e-3, schedule="trapezoid"
            ),
            joint=JointConfig(question_share=0.5, last_question_share=1.0, question_images=16),
            vae_pairs=VAE_PAIRS,
        ),
        tuning=TuningConfig(
            steps=1_800, learning_rate=1e-3, e_sem_learning_rate=2e-4, query_share=0.85
        ),
        evaluation=EvaluationConfig(
            episodes=24, in_domain_episodes=60, control_episodes=60, seed0=EVALUATION_SEED0
        ),
    )


def _debug() -> ExperimentSpec:
    """Tests the plumbing in a few minutes; its numbers mean nothing."""

    def brief(steps: int) -> OptimConfig:
        return OptimConfig(
            steps=steps, batch_size=8, learning_rate=1e-3, warmup_steps=2, log_every=2
        )

    return _spec(
        "debug",
        PRESETS["tiny"],
        seeds=(0,),
        snapshot_questions=4,
        demonstrations=DemonstrationConfig(episodes_per_env=6, fps=5),
        vqa=VQAConfig(num_train_scenes=64, num_test_scenes=32, questions_per_skill_test=8),
        scene_changes=SceneChangeConfig(num_pairs=32),
        pretraining=PretrainingConfig(
            vision=brief(10),
            vlm=brief(10),
            vae=brief(10),
            generator=brief(6),
            tokenizer_texts=500,
            joint=JointConfig(question_images=2),
        ),
        tuning=TuningConfig(
            steps=6, batch_size=8, warmup_steps=2, log_every=2, snapshots=(0.5, 1.0)
        ),
        evaluation=EvaluationConfig(
            episodes=1,
            in_domain_episodes=2,
            control_episodes=2,
            snapshot_episodes=1,
            batch_envs=2,
            max_episode_steps=100,
            seed0=EVALUATION_SEED0,
        ),
        media=MediaConfig(videos=1, splits=("in_domain",), goals=1),
        interventions=InterventionConfig(names=tuple(INTERVENTIONS), aims=2, goal_scenes=2),
    )


def _small() -> ExperimentSpec:
    """One GPU, five seeds."""
    model = PRESETS["small"]
    size = model.vlm.vision.image_size
    return _spec(
        "small",
        model,
        seeds=(0, 1, 2, 3, 4),
        snapshot_questions=100,
        demonstrations=DemonstrationConfig(episodes_per_env=5_000, fps=5, image_size=size),
        vqa=VQAConfig(num_train_scenes=100_000, num_test_scenes=2_000, image_size=size),
        scene_changes=SceneChangeConfig(num_pairs=50_000, image_size=size),
        pretraining=PretrainingConfig(
            vision=OptimConfig(steps=20_000, batch_size=64, learning_rate=1e-3, warmup_steps=500),
            vlm=OptimConfig(steps=40_000, batch_size=64, learning_rate=6e-4, warmup_steps=1_000),
            vae=OptimConfig(steps=30_000, batch_size=64, learning_rate=5e-4, warmup_steps=500),
            generator=OptimConfig(
                steps=30_000, batch_size=64, learning_rate=5e-4, warmup_steps=500
            ),
            vocab_size=model.vlm.vocab_size,
            tokenizer_texts=100_000,
        ),
        tuning=TuningConfig(
            steps=10_000,
            batch_size=64,
            learning_rate=1e-4,
            e_sem_learning_rate=1e-4,
            warmup_steps=500,
            snapshots=(0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
        ),
        evaluation=EvaluationConfig(
            episodes=100,
            in_domain_episodes=200,
            control_episodes=100,
            snapshot_episodes=50,
            seed0=EVALUATION_SEED0,
        ),
    )


def _paper() -> ExperimentSpec:
    """Eight GPUs: the paper's sizes, data and schedule (its section 4 and Table 4)."""
    model = PRESETS["bagel-7b"]
    size = (192, 256)
    return _spec(
        "paper",
        model,
        seeds=(0, 1, 2),
        snapshot_questions=200,
        demonstrations=DemonstrationConfig(
            episodes_per_env=3_000,
            image_size=size,
            cameras=("primary", "left_wrist", "right_wrist"),
        ),
        vqa=VQAConfig(num_train_scenes=1_000_000, num_test_scenes=5_000, image_size=size),
        scene_changes=SceneChangeConfig(num_pairs=500_000, image_size=size),
        pretraining=PretrainingConfig(
            vision=OptimConfig(
                steps=100_000, batch_size=512, learning_rate=5e-4, warmup_steps=2_000
            ),
            vlm=OptimConfig(steps=100_000, batch_size=512, learning_rate=1e-4, warmup_steps=2_000),
            vae=OptimConfig(steps=100_000, batch_size=256, learning_rate=1e-4, warmup_steps=2_000),
            generator=OptimConfig(
                steps=100_000, batch_size=512, learning_rate=1e-4, warmup_steps=2_000
            ),
            vocab_size=model.vlm.vocab_size,
            tokenizer_texts=1_000_000,
        ),
        tuning=TuningConfig(
            steps=30_000,
            batch_size=192,
            learning_rate=1e-5,
            e_sem_learning_rate=1e-5,
            warmup_steps=1_000,
            snapshots=(1 / 3, 2 / 3, 1.0),
        ),
        evaluation=EvaluationConfig(
            episodes=100,
            in_domain_episodes=200,
            control_episodes=100,
            snapshot_episodes=50,
            seed0=EVALUATION_SEED0,
        ),
    )
