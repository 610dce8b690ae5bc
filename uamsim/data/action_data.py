"""Action chunks drawn from a dataset for training."""

from pathlib import Path

import numpy as np

from uamsim.contract import ActionBatch
from uamsim.data.lerobot import LeRobotDataset
from uamsim.data.normalization import Mode, Normalizer
from uamsim.errors import ConfigError


class ActionDataset:
    """Frames of a dataset, each with the chunk of actions that follows it.

    Attributes:
        dataset: where they come from.
        chunk: steps K of a chunk, at the dataset's fps.
        cameras: the views V, in order; the first one gives the goal images.
        normalizer: of actions and proprioception; fitted to the dataset where none is given.
    """

    def __init__(
        self,
        root: Path,
        *,
        chunk: int,
        cameras: tuple[str, ...] = ("primary",),
        normalizer: Normalizer | None = None,
        mode: Mode = "mean_std",
    ) -> None:
        """Opens the dataset and decodes the cameras' videos if that was not done before.

        Raises:
            ConfigError: ``chunk`` is not positive, no camera is named, the pictures differ in
                size, or the normaliser is of other data.
            DatasetError: a file is missing or corrupt.
        """
        if chunk <= 0 or not cameras:
            raise ConfigError(f"needs a positive chunk and a camera, got {chunk} and {cameras}.")
        self.dataset = LeRobotDataset(root)
        self.chunk, self.cameras = chunk, cameras
        data = self.dataset
        self._frames = [data.frames(camera) for camera in cameras]
        if len({frames.shape for frames in self._frames}) > 1:
            sizes = {c: f.shape[1:3] for c, f in zip(cameras, self._frames, strict=True)}
            raise ConfigError(
                f"the pictures of {root} differ in size, {sizes}, and a model takes one. Make the "
                "dataset with one --image-size, or train with one camera."
            )
        if normalizer is not None:
            normalizer.check_fits(data.action, data.state)
        self.normalizer = normalizer or Normalizer.fit(data.action, data.state, mode)
        self._actions = self.normalizer.normalize(data.action, "action")
        self._proprio = self.normalizer.normalize(data.state, "proprio")
        self._last = np.asarray(data.episode_stop)[data.episode_index] - 1
        age = np.arange(len(data)) - np.asarray(data.episode_start)[data.episode_index]
        self._query_frames = np.flatnonzero(age % chunk == 0)

    def __len__(self) -> int:
        """Number of frames that a chunk can start at: all of them."""
        return len(self.dataset)

    @property
    def frames(self) -> list[np.ndarray]:
        """Each camera's pictures, uint8 [N, H, W, 3], indexed by ``frame_ids``."""
        return self._frames

    @property
    def query_frames(self) -> np.ndarray:
        """Frames at which a policy that executes whole chunks is asked, int64 [Q]."""
        return self._query_frames

    def draw(
        self, rng: np.random.Generator, batch_size: int, *, query_share: float = 0.0
    ) -> np.ndarray:
        """Frames drawn with replacement, int64 [B], for ``batch``.

        Args:
            rng: draws them.
            batch_size: B.
            query_share: probability that a frame is one at which a policy that executes whole
                chunks is asked, every ``chunk`` frames of an episode; the rest are drawn evenly
                from all frames. On most frames the arm's own pose gives away where it goes, so a
                policy trained on all frames alike is slow to look and to listen.
        """
        frames = rng.integers(len(self), size=batch_size)
        queries = self._query_frames[rng.integers(len(self._query_frames), size=batch_size)]
        return np.where(rng.random(batch_size) < query_share, queries, frames)

    def sample(
        self, rng: np.random.Generator, batch_size: int, *, query_share: float = 0.0
    ) -> ActionBatch:
        """``batch`` of what ``draw`` draws."""
        return self.batch(self.draw(rng, batch_size, query_share=query_share))

    def num_actions(self, frame_indices: np.ndarray) -> int:
        """Actions that carry a loss in the batch that starts at the given frames."""
        left = self._last[np.asarray(frame_indices)] - np.asarray(frame_indices) + 1
        return int(np.minimum(left, self.chunk).sum())

    def chunks(self, most: int = 4096) -> np.ndarray:
        """Normalised chunks [N, K, A] from evenly chosen frames, all of them where N allows.

        Args:
            most: limit of N.
        """
        start = np.arange(0, len(self), -(-len(self) // most))
        steps = start[:, None] + np.arange(self.chunk)
        return self._actions[np.minimum(steps, self._last[start, None])]

    def batch(self, frame_indices: np.ndarray) -> ActionBatch:
        """The batch that starts at the given frames, int64 [B]."""
        start = np.asarray(frame_indices, dtype=np.int64)
        last = self._last[start]
        steps = start[:, None] + np.arange(self.chunk)
        goal = np.minimum(start + self.chunk, last)
        texts = self.dataset.instructions
        return ActionBatch(
            images=np.stack([frames[start] for frames in self._frames], axis=1),
            instructions=[texts[i] for i in self.dataset.episode_index[start]],
            proprio=self._proprio[start],
            actions=self._actions[np.minimum(steps, last[:, None])],
            action_mask=steps <= last[:, None],
            goal_images=self._frames[0][goal],
            goal_clamped=start + self.chunk > last,
            frame_ids=np.stack([start, goal], axis=1),
        )
