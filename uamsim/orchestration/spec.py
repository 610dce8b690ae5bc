"""An experiment as one value: what to simulate, pretrain, tune and measure.

No torch, mujoco or ray here, so that experiments can be listed, written out, hashed and changed
from the command line in no time. Experiments import from this module alone.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from uamsim.bounds import Count, Positive, Seed, Share, check_bounds
from uamsim.contract import ADDED, PolicySpec, content_hash, steps_per_frame
from uamsim.data.config import DataConfig, DemonstrationConfig, SceneChangeConfig, VQAConfig
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.evaluation.config import (
    ALL_SPLITS,
    CONTROLS,
    ENV_IDS,
    ControlKind,
    EvaluationConfig,
)
from uamsim.jsonable import from_json, to_json
from uamsim.models.config import (
    BackboneConfig,
    ExpertConfig,
    VAEConfig,
    VisionConfig,
    VLAConfig,
    VLMConfig,
)
from uamsim.models.interventions import INTERVENTIONS
from uamsim.models.presets import PRESETS
from uamsim.models.variants import GRID, TABLE_1, VARIANTS
from uamsim.orchestration.latency_spec import LatencySpec
from uamsim.perturbations.splits import SPLITS
from uamsim.training.config import JointConfig, OptimConfig, PretrainingConfig, TuningConfig
from uamsim.worlds import WORLDS, world_of

__all__ = [
    "ALL_SPLITS",
    "CONTROLS",
    "COTRAINED",
    "ENV_IDS",
    "GRID",
    "INTERVENTIONS",
    "PRESETS",
    "SCALES",
    "TABLE_1",
    "VARIANTS",
    "WORLDS",
    "BackboneConfig",
    "DataConfig",
    "DemonstrationConfig",
    "ESem",
    "EvaluationConfig",
    "ExperimentSpec",
    "ExpertConfig",
    "InterventionConfig",
    "JointConfig",
    "LatencySpec",
    "MediaConfig",
    "OptimConfig",
    "PretrainingConfig",
    "SceneChangeConfig",
    "TuningConfig",
    "VAEConfig",
    "VLAConfig",
    "VLMConfig",
    "VQAConfig",
    "VisionConfig",
]

SCALES: tuple[str, ...] = ("debug", "tiny", "small", "paper")
"""debug tests the plumbing, tiny is for two CPU cores, small for one GPU, paper for eight."""

ESem = Literal["unfrozen", "frozen", "cotrained", "insulated"]
"""How E_sem is treated in action tuning. "cotrained" also answers questions meanwhile;
"insulated" learns from these alone, since action and dynamics losses stop before it."""
COTRAINED: frozenset[ESem] = frozenset({"cotrained", "insulated"})


@dataclass(frozen=True, kw_only=True)
class MediaConfig:
    """Pictures and videos for the report.

    Attributes:
        videos: clips for each (variant of ``variants``, task, split of ``splits``).
        variants: variants that are filmed and drawn, as far as the experiment has them.
        splits: splits that are filmed, as far as the experiment has them.
        goals: current, true and predicted goal pictures for each task.
    """

    videos: Count = 2
    variants: tuple[str, ...] = ("no_dorsal", "uam")
    splits: tuple[str, ...] = ("in_domain", "novel_object", "code_mix")
    goals: Count = 3

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, kw_only=True)
class InterventionConfig:
    """How much flows through which expert of a trained policy.

    Attributes:
        names: what is hidden from the actions, names in ``INTERVENTIONS``; nothing is measured
            when empty. Success is measured on the episodes of snapshots.
        aims: first chunks for each environment that are compared with the expert's.
        goal_scenes: scenes in which the goals that a policy predicts are told apart.
    """

    names: tuple[str, ...] = ()
    aims: Count = 24
    goal_scenes: Count = 24

    def __post_init__(self) -> None:
        check_bounds(self)
        for name in self.names:
            INTERVENTIONS[name]


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """Everything that decides an experiment's result.

    Attributes:
        name: of the experiment.
        scale: which of its sizes this is.
        summary: one line.
        variants: names in ``VARIANTS``.
        e_sem: how E_sem is treated, each a training run of its own.
        pairs: the trials to run out of each variant with each e_sem, such as "mlp_head-frozen";
            all of them when empty.
        cotraining_share: ``tuning.vqa_share`` where E_sem is co-trained or insulated.
        restored: whether unfrozen policies are also rolled out with the original E_sem weights
            put back after training.
        controls: policies that lack something, rolled out as yardsticks.
        control_variants: the unfrozen variants that controls are made from, as far as there are.
        seeds: one training run each; they decide initialisation, order and noise.
        snapshot_questions: questions of each skill at snapshots during training.
        demonstrations: action data.
        vqa: question data.
        scene_changes: image-editing data.
        model: sizes; a variant changes how the dorsal expert is wired.
        pretraining: of the "public models".
        tuning: action tuning, the same for every variant.
        evaluation: episodes.
        media: pictures and videos.
        claims: sets of the paper's claims that the report decides: names in
            ``reporting.findings.CLAIM_SETS``; None leaves it to ``experiments.own_claims``.
        frozen_seeds: how many of ``seeds``, from the first, trials with a frozen E_sem have; all
            where 0.
        interventions: what is hidden from trained policies, to see what flows through what.
        data: a dataset that is there already, in place of recorded demonstrations.
        init: folder or hub name of a public model whose weights take the place of what would
            be pretrained; its sizes take the place of ``model``'s.
    """

    name: str
    scale: str = "tiny"
    summary: str = ""
    variants: tuple[str, ...] = TABLE_1
    e_sem: tuple[ESem, ...] = ("unfrozen", "frozen")
    restored: bool = True
    controls: tuple[ControlKind, ...] = CONTROLS
    control_variants: tuple[str, ...] = ("no_dorsal", "uam")
    seeds: tuple[Seed, ...] = (0,)
    snapshot_questions: Positive = 40
    demonstrations: DemonstrationConfig = field(default_factory=DemonstrationConfig)
    vqa: VQAConfig = field(default_factory=VQAConfig)
    scene_changes: SceneChangeConfig = field(default_factory=SceneChangeConfig)
    model: VLAConfig = field(default_factory=VLAConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    media: MediaConfig = field(default_factory=MediaConfig)
    pairs: tuple[str, ...] = field(default=(), metadata=ADDED)
    cotraining_share: Share = field(default=0.2, metadata=ADDED)
    data: DataConfig = field(default=DataConfig(), metadata=ADDED)
    init: str = field(default="", metadata=ADDED)
    claims: tuple[str, ...] | None = field(default=None, metadata=ADDED)
    frozen_seeds: Count = field(default=0, metadata=ADDED)
    interventions: InterventionConfig = field(default=InterventionConfig(), metadata=ADDED)

    def __post_init__(self) -> None:
        """Checks names, and that the parts fit together.

        Raises:
            UnknownNameError: a variant, split, control or scale that does not exist.
            ConfigError: parts that do not fit, an empty list or a repeated value.
        """
        check_bounds(self)
        for kind, names, known in (
            ("scale", (self.scale,), SCALES),
            ("variant", (*self.variants, *self.control_variants, *self.media.variants), VARIANTS),
            ("e_sem mode", self.e_sem, get_args(ESem)),
            ("control", self.controls, CONTROLS),
            ("split", self.media.splits, SPLITS),
        ):
            for name in names:
                if name not in known:
                    raise UnknownNameError(kind, name, known)
        for label in ("variants", "e_sem", "seeds"):
            values = getattr(self, label)
            if not values or len(set(values)) != len(values):
                raise ConfigError(f"{label} must name at least one value, each once; got {values}.")
        for pair in self.pairs:
            known = [f"{v}-{e}" for v in VARIANTS for e in get_args(ESem)]
            if pair not in known:
                raise UnknownNameError("pair of a variant and an e_sem mode", pair, known)
        if not self.trained:
            raise ConfigError(
                f"none of pairs {self.pairs} is made of variants {self.variants} and e_sem "
                f"{self.e_sem}, so there is nothing to train."
            )
        if not 0 < self.cotraining_share < 1:
            raise ConfigError(f"cotraining_share must lie in (0, 1), got {self.cotraining_share}.")
        if not 0 <= self.frozen_seeds <= len(self.seeds):
            raise ConfigError(
                f"frozen_seeds must lie between 0, for all, and the number of seeds, "
                f"{len(self.seeds)}; got {self.frozen_seeds}."
            )
        self._check_sizes()
        self._check_worlds()
        self._check_seeds()

    def _check_sizes(self) -> None:
        size = self.demonstrations.image_size
        for where, other in (
            ("vqa", self.vqa.image_size),
            ("scene_changes", self.scene_changes.image_size),
        ):
            if tuple(other) != tuple(size):
                raise ConfigError(
                    f"{where}.image_size is {other}, demonstrations.image_size is {size}; "
                    "they must agree."
                )
        if len(self.demonstrations.cameras) != self.model.num_views:
            raise ConfigError(
                f"model.num_views is {self.model.num_views}, but demonstrations.cameras names "
                f"{len(self.demonstrations.cameras)}; they must agree."
            )
        if self.pretraining.vocab_size != self.model.vlm.vocab_size:
            raise ConfigError(
                f"pretraining.vocab_size is {self.pretraining.vocab_size}, model.vlm.vocab_size "
                f"is {self.model.vlm.vocab_size}; they must agree."
            )

    def _check_worlds(self) -> None:
        control = self.demonstrations.control
        for env_id in (*self.demonstrations.env_ids, *self.evaluation.env_ids):
            world = world_of(env_id)
            if not world.environments:
                continue
            sizes = world.sizes(control)
            for name in ("action_dim", "proprio_dim", "gripper_dims"):
                ours, theirs = getattr(self.model, name), getattr(sizes, name)
                if ours != theirs:
                    raise ConfigError(
                        f"model.{name} is {ours}, but {env_id} has {theirs} with control "
                        f"{control!r}; ExperimentSpec.in_world sets what a world needs."
                    )
        for env_id in self.evaluation.env_ids:
            world = world_of(env_id)
            profile = self.evaluation.render_profile or world.render_profile
            world.check_pictures(self.demonstrations.cameras, profile)

    def _check_seeds(self) -> None:
        demonstrations = self.demonstrations
        tried = demonstrations.episodes_per_env / (1 - demonstrations.max_failures)
        last = demonstrations.seed0 + int(tried) + 1
        episodes = max(
            self.evaluation.episodes,
            self.evaluation.in_domain_episodes,
            self.evaluation.control_episodes,
        )
        if demonstrations.seed0 <= self.evaluation.seed0 + episodes and (
            self.evaluation.seed0 <= last
        ):
            raise ConfigError(
                f"evaluation.seed0 {self.evaluation.seed0} lies among the seeds of the "
                f"demonstrations ({demonstrations.seed0} to {last}): policies would be tested on "
                f"scenes they were trained on. Choose one beyond {last}."
            )

    @property
    def spec_hash(self) -> str:
        """Names the experiment by all its fields."""
        return content_hash(self.to_json())

    @property
    def policy_spec(self) -> PolicySpec:
        """What every policy of this experiment needs and gives."""
        demonstrations = self.demonstrations
        return PolicySpec(
            cameras=demonstrations.cameras,
            image_size=demonstrations.image_size,
            control=demonstrations.control,
            horizon=self.model.chunk
            * steps_per_frame(
                demonstrations.control, demonstrations.fps, demonstrations.control_hz
            ),
            action_dim=self.model.action_dim,
            proprio_dim=self.model.proprio_dim,
            control_hz=demonstrations.control_hz,
        )

    @property
    def trained(self) -> list[tuple[str, ESem]]:
        """The variants and E_sem modes that are trained, with each seed."""
        return [
            (variant, e_sem)
            for e_sem in self.e_sem
            for variant in self.variants
            if not self.pairs or f"{variant}-{e_sem}" in self.pairs
        ]

    @property
    def cotrains(self) -> bool:
        """Whether any trial needs training questions."""
        return any(self.tuning_of(e_sem).vqa_share for _, e_sem in self.trained)

    def variant_model(self, variant: str, e_sem: ESem = "unfrozen") -> VLAConfig:
        """The model of one row, as E_sem is to be treated.

        Raises:
            UnknownNameError: no such variant.
        """
        model = VARIANTS[variant].apply(self.model)
        return dataclasses.replace(model, insulated=model.insulated or e_sem == "insulated")

    def tuning_of(self, e_sem: ESem) -> TuningConfig:
        """Action tuning, as E_sem is to be treated."""
        share = self.tuning.vqa_share
        if e_sem in COTRAINED:
            share = self.cotraining_share
        elif e_sem == "frozen":
            share = 0.0
        return dataclasses.replace(self.tuning, vqa_share=share)

    def in_world(
        self,
        name: str,
        *,
        tasks: Sequence[str],
        test_tasks: Sequence[str] | None = None,
        protocols: Sequence[str] = ("",),
        cameras: tuple[str, ...] | None = None,
        fps: int | None = None,
        render_profile: str | None = None,
    ) -> "ExperimentSpec":
        """This experiment in another world, which decides actions, state and environments.

        Args:
            name: of the world.
            tasks: whose demonstrations are recorded, of one kind of action.
            test_tasks: that policies are tested on; None takes ``tasks``.
            protocols: under which they are tested, each with all of them.
            cameras: of the policy; None takes the world's usual ones.
            fps: frames a second of the demonstrations; None takes the world's usual number.
            render_profile: None takes the world's usual one.

        Raises:
            UnknownNameError: no such world, task, protocol, camera or render profile.
            ConfigError: frames that do not fall on actions.
        """
        env_ids = tuple(WORLDS[name].find(task) for task in tasks)
        world = world_of(env_ids[0])
        sizes, defaults = world.sizes(world.control), world.demonstrations
        cameras, profile = cameras or defaults.cameras, render_profile or world.render_profile
        tested = tasks if test_tasks is None else test_tasks
        return self.replace(
            demonstrations=dataclasses.replace(
                self.demonstrations,
                env_ids=env_ids,
                seed0=defaults.seed0,
                fps=fps or defaults.fps,
                cameras=cameras,
                control=world.control,
                render_profile=profile,
            ),
            model=dataclasses.replace(
                self.model,
                action_dim=sizes.action_dim,
                proprio_dim=sizes.proprio_dim,
                gripper_dims=sizes.gripper_dims,
                num_views=len(cameras),
            ),
            evaluation=dataclasses.replace(
                self.evaluation,
                env_ids=tuple(world.find(task, p) for p in protocols for task in tested),
                render_profile=profile,
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return to_json(self)

    @classmethod
    def from_json(cls, value: Any) -> "ExperimentSpec":
        """Inverse of ``to_json``.

        Raises:
            UnknownNameError: an unknown field or name.
            ConfigError: a value of the wrong kind.
        """
        return from_json(cls, value)

    def replace(self, **changes: Any) -> "ExperimentSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)
