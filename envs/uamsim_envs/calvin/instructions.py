"""The words of an episode: CALVIN's own sentences, and what the language's axes make of them."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from uamsim.contract import SceneFacts, Thing
from uamsim.perturbations.values import Composition
from uamsim_envs.calvin.language import CalvinLanguage

Sentences = Literal["training", "validation"]


class Instructions:
    """CALVIN's sentences of a checkout, as instructions for its tasks."""

    def __init__(
        self, training: Mapping[str, Sequence[str]], validation: Mapping[str, str]
    ) -> None:
        """Takes what ``host.oracle.annotations`` read.

        Args:
            training: task -> the sentences that demonstrations say.
            validation: task -> the sentence of CALVIN's evaluation.
        """
        self._sentences: dict[Sentences, dict[str, list[str]]] = {
            "training": {task: list(texts) for task, texts in training.items()},
            "validation": {task: [text] for task, text in validation.items()},
        }
        self.language = CalvinLanguage(
            {task: [*texts, validation[task]] for task, texts in training.items()}
        )

    def instruction(
        self,
        task: str,
        *,
        sentences: Sentences,
        rng: np.random.Generator,
        wording: Composition,
        scene: SceneFacts,
        called: Thing | None = None,
        all_blocks: bool = True,
    ) -> str:
        """A sentence for a task; without a wording, CALVIN's own.

        Args:
            task: such as "open_drawer".
            sentences: which of CALVIN's to choose from.
            rng: draws the sentence and what the wording leaves to chance.
            wording: perturbations; those of other layers are ignored.
            scene: what is visible.
            called: what the block that the task names is, where it is not CALVIN's own.
            all_blocks: whether each of CALVIN's blocks is one in this episode.

        Raises:
            ConfigError: no ``Reference`` fits.
        """
        choices = self._sentences[sentences][task]
        sentence = choices[int(rng.integers(len(choices)))]
        return self.language.say(
            task,
            sentence,
            rng=rng,
            wording=wording,
            scene=scene,
            called=called,
            all_blocks=all_blocks,
        )
