"""Films finished episodes: plays them again, and writes what is seen."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from uamsim.contract import EpisodeRecord
from uamsim.evaluation.backends.jobs import Player, RolloutJob
from uamsim.evaluation.environments import EnvPool
from uamsim.evaluation.experts import film_expert
from uamsim.evaluation.rollout import Clip, iter_unit
from uamsim.evaluation.videos import write_videos


def episodes_of(job: RolloutJob, records: Iterable[EpisodeRecord]) -> list[EpisodeRecord]:
    """The records that a job's policy left in its environment and split, whatever their seeds."""
    wanted = (job.policy, job.unit.env_id, job.unit.split)
    return [r for r in records if (r.policy, r.env_id, r.split) == wanted]


def film(
    folder: Path,
    chosen: Sequence[tuple[RolloutJob, Sequence[EpisodeRecord]]],
    *,
    camera: str = "",
    image_size: tuple[int, int] | None = None,
) -> list[tuple[Path, Clip]]:
    """Plays episodes again and writes a video of each.

    Args:
        folder: of the videos.
        chosen: a job and the records of some of its episodes.
        camera: that is filmed where the policy looks at none.
        image_size: (H, W) of the pictures; None films what the policy sees.

    Returns:
        Which file shows which episode, failures first within a job.

    Raises:
        StorageError: the disk is full.
        UamsimError: as ``iter_unit``.
    """
    written: list[tuple[Path, Clip]] = []
    pool = EnvPool()
    try:
        for job, records in chosen:
            clips = _play_again(job, records, pool, camera, image_size) if records else []
            written += write_videos(folder, clips, limit=len(clips), setting=job.setting)
    finally:
        pool.close()
    return written


def _play_again(
    job: RolloutJob,
    records: Sequence[EpisodeRecord],
    pool: EnvPool,
    camera: str,
    image_size: tuple[int, int] | None,
) -> list[Clip]:
    unit = job.with_seeds([record.seed for record in records]).unit
    shown = (unit.env_kwargs["cameras"] or [camera])[:1]
    kwargs = {} if image_size is None else {"cameras": shown, "image_size": list(image_size)}
    player = job.policy_factory()
    if isinstance(player, Player):
        (env,) = pool.get(replace(unit, env_kwargs={**unit.env_kwargs, **kwargs}), 1)
        return [film_expert(env, shown[0], record) for record in records]
    clips: list[Clip] = []
    for _ in iter_unit(player, unit, pool, clips=clips, film_kwargs=kwargs):
        pass
    return clips
