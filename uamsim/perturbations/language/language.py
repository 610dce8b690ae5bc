"""One language a world: says what is asked for in every wording, and reads it back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from uamsim.contract import Goal, SceneFacts
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import placement_word
from uamsim.perturbations.language.others import kind_of, other_goal, plainly_named
from uamsim.perturbations.language.reading import FORMS, Form, Grammar, make_grammar, readings
from uamsim.perturbations.language.references import describe
from uamsim.perturbations.language.saying import (
    finish,
    numbered,
    plain_phrase,
    referring_phrase,
    things_of,
    written_in,
)
from uamsim.perturbations.language.sentences import Sentences
from uamsim.perturbations.language.vocabulary import (
    COLOURS,
    FUNCTION_WORDS,
    SLOT,
    THING_SLOTS,
    WORD,
    Dialect,
    Written,
)
from uamsim.perturbations.language.wording import WORDING, Paraphrase, Reference, Reordered
from uamsim.perturbations.values import Composition, Perturbation

M = TypeVar("M")
Heard = Mapping[Written, Sequence[tuple[str, str]]]
"""What sentences are written in -> (task, template)."""


class Language:
    """Says goals and reads them, from the sentences and the words of a world.

    Attributes:
        sentences: what is said.
        dialect: the words that they are made of.
        carried: the axes of language that it has.
    """

    def __init__(
        self,
        sentences: Sentences,
        dialect: Dialect | None = None,
        *,
        references: bool = True,
        goal_first: bool = True,
        heard: Heard | None = None,
    ) -> None:
        """Takes the sentences.

        Args:
            sentences: of ``read_sentences``.
            dialect: the words; None takes the lexicon's and those of the sentences' file.
            references: whether a thing can be told from others by where it is.
            goal_first: whether what is left to chance about names is drawn in the goal's order,
                not in the sentence's.
            heard: what is read; None reads all that is said.

        Raises:
            ConfigError: a sentence with a slot that nothing fills, or a word that has no
                translation.
        """
        self.sentences = sentences
        self.dialect = dialect or Dialect(
            colours=COLOURS | sentences.colours.keys(),
            nouns=tuple(dict.fromkeys([*Dialect.nouns, *sentences.nouns])),
            own=sentences.nouns | sentences.colours,
            function_words=FUNCTION_WORDS | sentences.translations,
        )
        self.carried = tuple(cls for cls in WORDING if references or cls is not Reference)
        self._references, self._goal_first = references, goal_first
        self._heard: Heard = heard or {
            "english": sentences.written_in("english"),
            "chinese": sentences.written_in("chinese"),
        }
        self._grammars: dict[Form, Grammar] = {}
        self._check()

    def _check(self) -> None:
        fillings = {*THING_SLOTS, "target", "on", *self.dialect.own}
        for written, pairs in self._heard.items():
            for task, text in pairs:
                if unknown := sorted(set(SLOT.findall(text)) - fillings):
                    raise ConfigError(
                        f"{self.sentences.source}: {text!r} of {task} has the slot {unknown[0]!r}, "
                        f"which is none of {', '.join(sorted(fillings))}."
                    )
                words = WORD.findall(SLOT.sub(" ", text)) if written == "english" else []
                if missing := [word for word in words if word not in self.dialect.function_words]:
                    raise ConfigError(
                        f"{self.sentences.source}: {text!r} of {task} has words without a "
                        f"translation: {', '.join(missing)}. Add them to its [translations]."
                    )

    def templates(self, task: str, wording: Sequence[Perturbation] = ()) -> tuple[str, ...]:
        """The sentences of a task in a wording; () where there are none."""
        return self.sentences.templates.get((task, *manner_of(wording)), ())

    def draw_template(
        self, task: str, rng: np.random.Generator, wording: Sequence[Perturbation] = ()
    ) -> str:
        """One of the sentences of a task.

        Raises:
            UnknownNameError: there are none in this wording.
        """
        templates = self.templates(task, wording)
        if not templates:
            raise UnknownNameError(f"task of {self.sentences.source}", task, self.sentences.tasks)
        return templates[int(rng.integers(len(templates)))]

    def say(
        self,
        goal: Goal,
        *,
        rng: np.random.Generator,
        wording: Sequence[Perturbation] = (),
        scene: SceneFacts | None = None,
        template: str | None = None,
    ) -> str:
        """Words for a goal; the sentence is drawn, the meaning is not changed.

        Args:
            goal: what to ask for.
            rng: draws the sentence, and what the wording leaves to chance.
            wording: perturbations; those of other layers are ignored. None: English as in
                demonstrations.
            scene: what is visible, for ``Reference``.
            template: the sentence, where it is not drawn here.

        Raises:
            UnknownNameError: no such task.
            ConfigError: a wrong composition, or no ``Reference`` fits.
        """
        axes = Composition(*Composition.of(wording).active("language"))
        axes.check_carried(f"the language of {self.sentences.source}", self.carried)
        if template is None:
            template = self.draw_template(goal.task, rng, axes)
        written, reference = written_in(axes), axes.find(Reference)
        # A language without references has one stream less.
        *reference_rng, synonyms, noise, mix = rng.spawn(4 if self._references else 3)
        things, names = things_of(goal), list[str]()
        filled: dict[str, str] = {}
        for slot in dict.fromkeys([*(things if self._goal_first else ()), *SLOT.findall(template)]):
            if slot == "on" and goal.target is not None:
                filled[slot] = placement_word(goal.target.category, written)
            elif slot not in things:
                filled[slot] = numbered(slot, names)
            elif slot == "thing" and reference is not None:
                if scene is None:
                    raise ConfigError("Reference needs the scene: pass scene=..., or leave it out.")
                fitting = describe(goal.thing, scene, reference.kind)
                description = fitting[int(reference_rng[0].integers(len(fitting)))]
                filled[slot] = referring_phrase(description, written, names)
            else:
                filled[slot] = plain_phrase(things[slot], written, names)
        text = template.format(**filled)
        return finish(text, names, axes, rng, (synonyms, noise, mix), self.dialect)

    def say_other(
        self,
        goal: Goal,
        scene: SceneFacts,
        wording: Sequence[Perturbation],
        rng: np.random.Generator,
    ) -> str:
        """An instruction of the same task for another goal, worded alike.

        It names its thing by colour and category also where the episode refers to it otherwise,
        since what it names need not be in the scene.

        Args:
            goal: the episode's.
            scene: what is visible.
            wording: the episode's.
            rng: draws the goal and its words.
        """
        other = other_goal(goal, scene, rng)
        return self.say(other, rng=rng, wording=plainly_named(wording), scene=scene)

    def readings(
        self, text: str, scene: SceneFacts | None = None, *, task: str | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every way to read an instruction: the task, and slot -> what fills it.

        Args:
            text: the instruction.
            scene: what is visible; without it no ``Reference`` can be read.
            task: the only one whose sentences are tried; all when None.
        """
        text = " ".join(text.split())
        for form in FORMS:
            if form not in self._grammars:
                self._grammars[form] = make_grammar(form, self._heard, self.dialect)
            yield from readings(text, form, self._grammars[form], scene, task=task)

    def read(self, text: str, scene: SceneFacts | None = None, *, task: str | None = None) -> Goal:
        """The goal that an instruction asks for, whatever its wording.

        Where several tasks use the same words, it is the first (in the sentences' order) whose
        usual things are named (``[about]``).

        Args:
            text: the instruction.
            scene: what is visible; without it no ``Reference`` can be read.
            task: the task, where it is known.

        Raises:
            ConfigError: not an instruction, or one with several meanings.
        """
        goals: dict[Goal, None] = {}
        for name, values in self.readings(text, scene, task=task):
            then = tuple(values[slot] for slot in THING_SLOTS[1:] if slot in values)
            target = values.get("target")
            goals[Goal(task=name, thing=values["thing"], then=then, target=target)] = None
        best = list(filter(self.is_usual, goals)) or list(goals)
        alike = {(goal.thing, goal.then, goal.target): goal for goal in reversed(best)}
        return only_meaning(text, alike.values(), task or "a known task", scene)

    def means(self, text: str, goal: Goal, scene: SceneFacts | None = None) -> bool:
        """Whether an instruction of a known task means a goal."""
        try:
            return self.read(text, scene, task=goal.task) == goal
        except ConfigError:
            return False

    def is_usual(self, goal: Goal) -> bool:
        """Whether a goal's things are of the kinds or categories that its task is about."""
        if goal.task not in self.sentences.about:
            return True
        things, targets = self.sentences.about[goal.task]
        pairs = [(thing, things) for thing in (goal.thing, *goal.then)]
        pairs += [] if goal.target is None else [(goal.target, targets)]
        return all({t.category, kind_of(t)} & {*sorts} for t, sorts in pairs)


def manner_of(wording: Sequence[Perturbation]) -> tuple[Written, bool, bool]:
    """What sentences of a wording are written in, and whether paraphrased and reordered."""
    axes = Composition(*Composition.of(wording).active("language"))
    found = [axes.find(cls) is not None for cls in (Paraphrase, Reordered)]
    return written_in(axes), found[0], found[1]


def only_meaning(text: str, found: Iterable[M], tasks: str, scene: SceneFacts | None = None) -> M:
    """The one thing that an instruction means.

    Args:
        text: the instruction.
        found: what it can mean; the same may be there twice.
        tasks: what it was expected to be an instruction of, for the message.
        scene: that it was read in.

    Raises:
        ConfigError: it means nothing, or several things.
    """
    meanings = list(dict.fromkeys(found))
    if not meanings:
        raise ConfigError(
            f"cannot read {text!r}: expected an instruction of {tasks}"
            f"{'; one that refers to places needs the scene' if scene is None else ''}."
        )
    if len(meanings) > 1:
        raise ConfigError(f"{text!r} has several meanings: {', '.join(map(str, meanings))}.")
    return meanings[0]
