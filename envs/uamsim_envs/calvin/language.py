"""CALVIN's instructions under the axes of language, and read back to their tasks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from uamsim.contract import Goal, SceneFacts, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.language.language import Language, only_meaning
from uamsim.perturbations.language.sentences import read_sentences
from uamsim.perturbations.language.vocabulary import COLOURS as LEXICON_COLOURS
from uamsim.perturbations.language.vocabulary import FUNCTION_WORDS, Dialect, Written
from uamsim.perturbations.values import Composition, Perturbation
from uamsim_envs.calvin.tasks import COLOURS

BLOCK = "cube"
"""What a block is called in scenes, so that all that is known of cubes holds for it."""
Half = Literal["training", "validation"]
SENTENCES = read_sentences(Path(__file__).with_name("sentences.txt"))
"""Ours; CALVIN's own are read from its checkout."""
DIALECT = Dialect(
    colours=LEXICON_COLOURS | SENTENCES.colours.keys(),
    generic=("object", "thing"),
    own=SENTENCES.nouns | SENTENCES.colours,
    function_words=FUNCTION_WORDS | SENTENCES.translations,
)
"""CALVIN's words before the lexicon's; further things of a scene are called as elsewhere."""
CALLED: Mapping[str, Thing] = {c: Thing(category=BLOCK, colour=c) for c in COLOURS}
"""Colour of a block -> what instructions call it."""

_NAME_OF = {forms["english"][0]: name for name, forms in DIALECT.own.items()}
_NAMES = re.compile(
    r"\b(?:" + "|".join(sorted(map(re.escape, _NAME_OF), key=len, reverse=True)) + r")\b"
)
_THING = re.compile(rf"\b({'|'.join(COLOURS)}) block\b")
_ANY = {f"{{{BLOCK}}}": "{object}", "{blocks}": "{objects}"}


def _tasks() -> Iterator[tuple[str, str, Goal]]:
    """Each task, its family (tasks that differ in the block's colour alone) and its goal."""

    def goal(task: str, category: str, target: str = "", colour: str = "") -> Goal:
        there = Thing(category=target, colour="") if target else None
        return Goal(task=task, thing=Thing(category=category, colour=colour), target=there)

    for colour in COLOURS:
        for family in (
            "rotate_{}_block_right",
            "rotate_{}_block_left",
            "push_{}_block_right",
            "push_{}_block_left",
            "lift_{}_block_table",
            "lift_{}_block_slider",
            "lift_{}_block_drawer",
        ):
            yield family.format(colour), family, goal(family.format(colour), BLOCK, "", colour)
    for task, category, target in (
        ("move_slider_left", "sliding_door", ""),
        ("move_slider_right", "sliding_door", ""),
        ("open_drawer", "drawer", ""),
        ("close_drawer", "drawer", ""),
        ("place_in_slider", BLOCK, "slider"),
        ("place_in_drawer", BLOCK, "drawer"),
        ("push_into_drawer", BLOCK, "drawer"),
        ("stack_block", BLOCK, BLOCK),
        ("unstack_block", BLOCK, ""),
        ("turn_on_lightbulb", "light_bulb", ""),
        ("turn_off_lightbulb", "light_bulb", ""),
        ("turn_on_led", "led", ""),
        ("turn_off_led", "led", ""),
    ):
        yield task, task, goal(task, category, target)


GOALS: Mapping[str, Goal] = {task: goal for task, _, goal in _tasks()}
"""CALVIN's name of a task -> what it asks for; a colour is "" where none is named."""
FAMILY: Mapping[str, str] = {task: family for task, family, _ in _tasks()}
"""CALVIN's name of a task -> the same without the block's colour."""


def template_of(sentence: str) -> str:
    """One of CALVIN's sentences with slots for what it names."""
    named = _THING.sub("{thing}", " ".join(sentence.lower().split()))
    parts = re.split(r"(\{thing\})", named)
    return "".join(
        part if i % 2 else _NAMES.sub(lambda found: f"{{{_NAME_OF[found.group()]}}}", part)
        for i, part in enumerate(parts)
    )


class CalvinLanguage:
    """Says and reads instructions of CALVIN's 34 tasks.

    CALVIN's own sentences are what demonstrations say. Where only words of them are exchanged or
    added (``CodeMix``, ``Synonyms``, ``NoiseWords``, ``Reference``), it is they that are changed.
    ``Reference`` applies to sentences that name a block by its colour; others stay as they are.

    Attributes:
        own: half -> task -> CALVIN's sentences for it.
        language: what reads and says.
    """

    def __init__(
        self, training: Mapping[str, Sequence[str]], validation: Mapping[str, str]
    ) -> None:
        """Takes what ``host.oracle.annotations`` read.

        Args:
            training: task -> the sentences that demonstrations say.
            validation: task -> the sentence of CALVIN's evaluation.

        Raises:
            UnknownNameError: a task that CALVIN does not have.
            ConfigError: a task without a sentence, or a word that has no translation.
        """
        self.own: Mapping[Half, Mapping[str, Sequence[str]]] = {
            "training": training,
            "validation": {task: [sentence] for task, sentence in validation.items()},
        }
        said: list[tuple[str, str]] = []
        for sentences in self.own.values():
            for task in {**sentences, **GOALS}:
                if task not in GOALS:
                    raise UnknownNameError("CALVIN task", task, GOALS)
                if not sentences.get(task):
                    raise ConfigError(f"there is no sentence for CALVIN's task {task!r}.")
                said += [(FAMILY[task], template_of(sentence)) for sentence in sentences[task]]
        self.language = Language(
            SENTENCES,
            DIALECT,
            goal_first=False,
            heard={"english": _heard("english", said), "chinese": _heard("chinese", [])},
        )

    def draw_sentence(self, half: Half, task: str, rng: np.random.Generator) -> str:
        """One of CALVIN's own sentences for a task."""
        choices = self.own[half][task]
        return choices[int(rng.integers(len(choices)))]

    def say(
        self,
        task: str,
        sentence: str,
        *,
        rng: np.random.Generator,
        wording: Sequence[Perturbation] = (),
        scene: SceneFacts | None = None,
        called: Thing | None = None,
        all_blocks: bool = True,
    ) -> str:
        """Words for a task; without a wording, the sentence as it is.

        Args:
            task: such as "open_drawer".
            sentence: one of CALVIN's own for it.
            rng: draws what the wording leaves to chance.
            wording: perturbations; those of other layers are ignored.
            scene: what is visible, for ``Reference``; blocks are of the category ``BLOCK``.
            called: what the block that the task names is in this episode, where it is not what
                CALVIN has there.
            all_blocks: whether each of the three is a block in this episode; what is said of any
                block is said of objects where not.

        Raises:
            UnknownNameError: no such task.
            ConfigError: a wrong composition, or no ``Reference`` fits.
        """
        if task not in GOALS:
            raise UnknownNameError("CALVIN task", task, GOALS)
        axes = Composition(*Composition.of(wording).active("language"))
        goal = replace(GOALS[task], thing=called or GOALS[task].thing)
        template = template_of(sentence)
        true = all_blocks or template == _of_objects(template)
        if goal == GOALS[task] and true and not axes.items:
            return sentence
        if self.language.templates(FAMILY[task], axes):
            template = self.language.draw_template(FAMILY[task], rng, axes)
        if not all_blocks:
            template = _of_objects(template)
        return self.language.say(goal, rng=rng, wording=axes, scene=scene, template=template)

    def read(
        self,
        text: str,
        scene: SceneFacts | None = None,
        *,
        called: Mapping[str, Thing] = CALLED,
    ) -> str:
        """The task that an instruction asks for, whatever its wording.

        Args:
            text: the instruction.
            scene: what is visible; without it no ``Reference`` can be read.
            called: colour of a block in CALVIN -> what it is in this episode.

        Raises:
            ConfigError: not an instruction, or one with several meanings.
        """
        found = self._meanings(text, scene, called)
        return only_meaning(text, found, "one of CALVIN's tasks", scene)

    def _meanings(
        self, text: str, scene: SceneFacts | None, called: Mapping[str, Thing]
    ) -> Iterator[str]:
        for family, values in self.language.readings(text, scene):
            if "thing" not in values:
                yield family
            for colour, thing in called.items():
                if thing == values.get("thing"):
                    yield family.format(colour)


def _of_objects(template: str) -> str:
    """A sentence that says of objects what it said of blocks."""
    for slot, other in _ANY.items():
        template = template.replace(slot, other)
    return template


def _heard(written: Written, said: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """(family, sentence): CALVIN's and ours, of blocks and of objects."""
    known = [*said, *SENTENCES.written_in(written)]
    known += [(family, _of_objects(text)) for family, text in known]
    return list(dict.fromkeys(known))
