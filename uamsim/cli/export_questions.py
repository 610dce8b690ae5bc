"""`uamsim export-questions`: the six skills as a task that lmms-eval asks of any VLM."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from uamsim.bounds import Depth, Pixels, Positive, Seed, check_bounds
from uamsim.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked, and where it is written.

    Attributes:
        out: the task's folder.
        questions: of each skill.
        scenes: pictures that they are about.
        image_size: height and width of the pictures.
        seed: of the first scene. Another one than the default gives questions that no shipped
            result used.
        workers: processes that render.
    """

    out: Annotated[Path, tyro.conf.Positional]
    questions: Positive = 150
    scenes: Positive = 1_000
    image_size: tuple[Pixels, Pixels] = (64, 96)
    seed: Seed = 2_000_000
    workers: Depth = 1

    def __post_init__(self) -> None:
        check_bounds(self, "--")


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim export-questions``.

    Returns:
        The exit status: 0 done.

    Raises:
        UamsimError: with a message for the user.
    """
    options = tyro.cli(
        Options,
        prog="uamsim export-questions",
        description="Renders scenes and writes questions about them as a local task of lmms-eval: "
        "YAML, its functions, and parquet with pictures. The same options give the same questions; "
        "with the defaults they are those of S at tiny. Interrupted, the same command goes on.",
        args=list(argv),
    )
    if options.workers < 1:
        raise ConfigError(f"--workers must be at least 1, got {options.workers}.")
    from uamsim.data.config import VQAConfig
    from uamsim.data.question_task import TASK, write_task
    from uamsim.data.vqa import VQADataset, generate_vqa

    config = VQAConfig(
        num_train_scenes=1,
        num_test_scenes=options.scenes,
        questions_per_skill_test=options.questions,
        image_size=options.image_size,
        seed0=options.seed,
    )
    scenes = options.out / "scenes"
    if not scenes.exists():
        generate_vqa(config, scenes, options.workers)
    if VQADataset(scenes, "test").config != config:
        raise ConfigError(f"{scenes} holds other questions; choose another folder.")
    path = write_task(scenes, options.out)
    print(
        f"{path}\nAsk it: python -m lmms_eval eval --tasks {TASK} --include_path {options.out} "
        "--model openai --model_args base_url=http://127.0.0.1:8001/v1,model=uamsim,timeout=600"
    )
    return 0
