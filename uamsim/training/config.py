"""How models are trained, as values. No torch here."""

from dataclasses import dataclass, field
from pathlib import Path

from uamsim.contract import ADDED
from uamsim.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """AdamW with warm-up and cosine decay.

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
    """

    steps: int
    batch_size: int
    learning_rate: float
    min_learning_rate_ratio: float = 0.05
    warmup_steps: int = 100
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.95)
    grad_clip: float = 1.0
    log_every: int = 25

    def __post_init__(self) -> None:
        """Checks what a typing error would break silently."""
        if self.steps < 1 or self.batch_size < 1:
            raise ConfigError(
                f"steps and batch_size must be at least 1, got {self.steps} and {self.batch_size}."
            )
        if not 0 < self.learning_rate < 1:
            raise ConfigError(f"learning_rate must lie in (0, 1), got {self.learning_rate}.")


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    """How the "public models" that a study starts from are made.

    Attributes:
        vision: image-text pretraining of the ViT, before the VLM.
        vlm: question answering, next-token prediction.
        vae: picture reconstruction.
        generator: scene changes by flow matching, E_sem frozen.
        qa_per_image: question-answer pairs packed behind each picture.
        captions_per_image: descriptions packed behind them.
        pointings_per_image: requests to point at something, and instructions, packed behind them.
        vocab_size: of the byte-level BPE.
        tokenizer_texts: sentences that the BPE is trained on.
        seed: decides initialisation, order and noise.
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
    qa_per_image: int = 4
    captions_per_image: int = 1
    pointings_per_image: int = 2
    vocab_size: int = 512
    tokenizer_texts: int = 20000
    seed: int = 0


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
    """

    steps: int = 900
    batch_size: int = 32
    learning_rate: float = 1e-3
    e_sem_learning_rate: float = 3e-4
    warmup_steps: int = 50
    query_share: float = 0.7
    snapshots: tuple[float, ...] = (1 / 3, 2 / 3, 1.0)
    vqa_share: float = field(default=0.0, metadata=ADDED)
    vqa_weight: float = field(default=1.0, metadata=ADDED)

    def __post_init__(self) -> None:
        """Checks the snapshots as well."""
        super().__post_init__()
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
