"""How models are trained, as values. No torch here."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from uamsim.bounds import Amount, Count, Depth, Positive, Seed, Share, Size, check_bounds
from uamsim.contract import ADDED
from uamsim.errors import ConfigError, UnknownNameError

Schedule = Literal["cosine", "constant", "trapezoid"]
Precision = Literal["float32", "bfloat16"]
Weights = Literal["trained", "average"]


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """AdamW with warm-up, then a schedule.

    Attributes:
        steps: optimiser steps.
        batch_size: samples a step.
        learning_rate: peak rate of every parameter that has no rate of its own.
        min_learning_rate_ratio: where the cosine ends, as a share of the peak.
        warmup_steps: linear warm-up from zero.
        weight_decay: decoupled decay of matrices; vectors (norms, biases) have none.
        betas: moments' decay; the paper's baselines use (0.9, 0.95).
        grad_clip: largest global gradient norm.
        log_every: steps between reports.
        schedule: what follows the warm-up: a cosine to the end, the peak rate throughout, or
            "trapezoid", the peak rate and in the last quarter of the steps a straight line down.
        precision: of what is computed: "bfloat16" by autocast. Weights, their gradients, both
            moments, norms and losses are float32 in either case.
        average_decay: of the exponential moving average of the weights; 0 keeps none.
    """

    steps: Positive
    batch_size: Size
    learning_rate: Share
    min_learning_rate_ratio: Share = 0.05
    warmup_steps: Count = 100
    weight_decay: Amount = 0.01
    betas: tuple[Share, Share] = (0.9, 0.95)
    grad_clip: Amount = 1.0
    log_every: Positive = 25
    schedule: Schedule = field(default="cosine", metadata=ADDED)
    precision: Precision = field(default="float32", metadata=ADDED)
    average_decay: Share = field(default=0.0, metadata=ADDED)

    def __post_init__(self) -> None:
        """Checks what a typing error would break silently."""
        check_bounds(self)
        _check_name("schedule", self.schedule, get_args(Schedule))
        _check_name("precision", self.precision, get_args(Precision))
        if not 0 <= self.average_decay < 1:
            raise ConfigError(f"average_decay must lie in [0, 1), got {self.average_decay}.")
        if not 0 < self.learning_rate < 1:
            raise ConfigError(f"learning_rate must lie in (0, 1), got {self.learning_rate}.")


def _check_name(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise UnknownNameError(kind, name, known)


@dataclass(frozen=True, kw_only=True)
class JointConfig:
    """Training E_sem and E_gen together on scene changes and questions, as BAGEL's experts are.

    E_gen starts as a copy of E_sem, which comes from questions; the ViT stays as it is. The budget
    is the generator's.

    Attributes:
        e_sem_learning_rate: peak rate of E_sem.
        question_share: of the steps that also ask questions.
        last_question_share: the same in the last quarter of the steps, in which a trapezoid's rate
            falls and what E_sem knows settles.
        question_images: pictures that such a step asks about.
        change_weight: of a latent token that changes, against 1 of one that does not: most of a
            picture stays as it is, and copying it is learnt at once.
        change_from: root mean square from which a token has changed; the latents' deviation is 1.
        pointing_cell_m: in place of ``PretrainingConfig.pointing_cell_m``.
        pointing_instruction_share: in place of ``PretrainingConfig.pointing_instruction_share``.
    """

    e_sem_learning_rate: Share = 5e-4
    question_share: Share = 0.25
    last_question_share: Share = 0.75
    question_images: Size = 8
    change_weight: Amount = 5.0
    change_from: Amount = 0.3
    pointing_cell_m: Amount = 0.07
    pointing_instruction_share: Share = 0.0

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    """How the "public models" that a study starts from are made.

    Attributes:
        vision: image-text pretraining of the ViT, before the VLM.
        vlm: question answering, next-token prediction.
        vae: picture reconstruction.
        generator: scene changes by flow matching.
        qa_per_image: question-answer pairs packed behind each picture.
        captions_per_image: descriptions packed behind them.
        pointings_per_image: requests to point at something, packed behind them.
        pointing_cell_m: side of the table's cells that answer them. Coarse cells give a VLM that
            knows where things are but not where a hand has to go.
        pointing_instruction_share: of those requests that are a robot's instructions.
        vocab_size: of the byte-level BPE.
        tokenizer_texts: sentences that the BPE is trained on.
        seed: decides initialisation, order and noise.
        joint: how E_sem is trained with the generator; None leaves it frozen.
        vae_pairs: key of the scene changes whose pictures the autoencoder has seen, where they
            were others than the generator's; one that is made anew sees the generator's.
    """

    vision: OptimConfig = field(
        default_factory=lambda: OptimConfig(steps=3000, batch_size=32, learning_rate=2e-3)
    )
    vlm: OptimConfig = field(
        default_factory=lambda: OptimConfig(steps=6500, batch_size=16, learning_rate=1e-3)
    )
    vae: OptimConfig = field(
        default_factory=lambda: OptimConfig(steps=4000, batch_size=16, learning_rate=2e-3)
    )
    generator: OptimConfig = field(
        default_factory=lambda: OptimConfig(steps=2000, batch_size=32, learning_rate=1e-3)
    )
    qa_per_image: Count = 4
    captions_per_image: Count = 1
    pointings_per_image: Count = 2
    vocab_size: Size = 512
    tokenizer_texts: Positive = 20000
    seed: Seed = 0
    pointing_cell_m: Amount = field(default=0.02, metadata=ADDED)
    pointing_instruction_share: Share = field(default=0.5, metadata=ADDED)
    joint: JointConfig | None = field(default=None, metadata=ADDED)
    vae_pairs: str = field(default="", metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)

    def last_questions(self) -> "PretrainingConfig":
        """The same with the pointing of E_sem's last stage, which co-training repeats."""
        if self.joint is None:
            return self
        return dataclasses.replace(
            self,
            pointing_cell_m=self.joint.pointing_cell_m,
            pointing_instruction_share=self.joint.pointing_instruction_share,
        )


@dataclass(frozen=True, kw_only=True)
class TuningConfig(OptimConfig):
    """Action tuning: action data only, the same budget for every variant.

    Attributes:
        e_sem_learning_rate: peak rate of E_sem (ViT, connector, embeddings, its blocks); the
            rate that decides retention most.
        query_share: share of samples at which a policy that executes whole chunks is asked
            (``ActionDataset.sample``).
        snapshots: shares of the run after which the model is saved and measured; the last is 1.
        vqa_share: co-training: pictures with questions as a share of a step's samples. They come
            on top of ``batch_size`` action samples, so that those stay as many.
        vqa_weight: of the questions' loss beside the action loss (pi0.5 weighs them alike).
        measured: the weights that are measured at snapshots and that a trial ends with: the
            trained ones, or their average. The other ones of the last step are kept beside them.
    """

    steps: Positive = 900
    batch_size: Size = 32
    learning_rate: Share = 1e-3
    e_sem_learning_rate: Share = 3e-4
    warmup_steps: Count = 50
    query_share: Share = 0.7
    snapshots: tuple[Share, ...] = (1 / 3, 2 / 3, 1.0)
    vqa_share: Amount = field(default=0.0, metadata=ADDED)
    vqa_weight: Amount = field(default=1.0, metadata=ADDED)
    measured: Weights = field(default="trained", metadata=ADDED)

    def __post_init__(self) -> None:
        """Checks the snapshots as well."""
        super().__post_init__()
        _check_name("weights", self.measured, get_args(Weights))
        if self.measured == "average" and not self.average_decay:
            raise ConfigError(
                "measured is 'average', but average_decay is 0, so no average is kept; set "
                "average_decay, for example 0.999."
            )
        if (
            not self.snapshots
            or list(self.snapshots) != sorted(set(self.snapshots))
            or self.snapshots[0] <= 0
            or self.snapshots[-1] != 1.0
        ):
            raise ConfigError(
                "snapshots must be rising shares of the run in (0, 1] that end with 1.0, "
                f"got {self.snapshots}."
            )
        if not 0 <= self.query_share <= 1:
            raise ConfigError(f"query_share must lie in [0, 1], got {self.query_share}.")
        if not 0 <= self.vqa_share < 1:
            raise ConfigError(f"vqa_share must lie in [0, 1), got {self.vqa_share}.")
        if not 0 < self.e_sem_learning_rate < 1:
            raise ConfigError(
                f"e_sem_learning_rate must lie in (0, 1), got {self.e_sem_learning_rate}; "
                "to freeze E_sem use e_sem='frozen'."
            )

    @property
    def vqa_batch_size(self) -> int:
        """Pictures with questions a step: at least one where there is to be any."""
        if not self.vqa_share:
            return 0
        return max(1, round(self.batch_size * self.vqa_share / (1 - self.vqa_share)))

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """The optimiser steps after which a snapshot is taken."""
        return tuple(max(1, round(share * self.steps)) for share in self.snapshots)


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What E_sem is co-trained on: the questions that it was pretrained on.

    Attributes:
        root: a question set; its training part is used.
        pretraining: how many pairs of each kind a picture has.
    """

    root: Path
    pretraining: PretrainingConfig


@dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """How action tuning runs, as opposed to what: results are the same up to rounding.

    Attributes:
        ranks: processes, one device each, that share the weights (FSDP2) and a step's samples.
        accumulation: passes that each rank takes for its samples of a step; more need less memory.
        checkpoint_activations: keep only each layer's inputs for the backward pass and compute the
            rest again: less memory, a third more work.
        compile: ``torch.compile`` of each layer of the mixture.
        packed: the action samples of a pass run as one sequence without the padding of their text.
        peak_flops: floating-point operations a second that one device can do at this precision,
            from its data sheet, for MFU. 0 measures a large product of matrices on a CPU, and
            reports no MFU elsewhere.
        watch_every: steps between measurements of S on a few questions and between pictures of
            predicted goals, in TensorBoard; 0 for none.
        profile: steps that a profiler records, after one that it does not; 0 for none.
        prefix_gib: most that a frozen E_sem's keys and values of the demonstrations may need, on
            disk and in memory, to be computed once and not at every step.
    """

    ranks: Depth = 1
    accumulation: Positive = 1
    checkpoint_activations: bool = False
    compile: bool = False
    packed: bool = False
    peak_flops: Amount = 0.0
    watch_every: Count = 0
    profile: Count = 0
    prefix_gib: Amount = 0.5

    def __post_init__(self) -> None:
        """Checks the numbers."""
        check_bounds(self)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a run reads.

    Attributes:
        demonstrations: a folder in the LeRobot layout.
        cameras: the views that the model sees, in order.
        vlm: checkpoint that E_sem starts from.
        vae: checkpoint of the VAE.
        generator: checkpoint that E_dor starts from in ``gen_init`` and ``uam``.
        questions: needed where the run has a ``vqa_share`` above 0.
    """

    demonstrations: Path
    cameras: tuple[str, ...]
    vlm: Path
    vae: Path
    generator: Path
    questions: Questions | None = None

    def names(self, config: TuningConfig) -> list[str]:
        """Of the folders that decide the weights: an artifact store names them by content."""
        paths = [self.vlm.parent, self.vae.parent, self.generator.parent]
        if self.questions and config.vqa_share:
            paths.append(self.questions.root)
        return [path.name for path in paths]
