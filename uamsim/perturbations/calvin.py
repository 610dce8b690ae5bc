"""CALVIN's instructions under the axes of language, and read back to their tasks."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from uamsim.contract import SceneFacts, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.perturbations.calvin_sentences import (
    BLOCK,
    CHINESE_OF,
    COLOURS,
    FAMILY,
    GOALS,
    TABLES,
    WORDS,
)
from uamsim.perturbations.language.reading import FORMS, Form, Grammar, make_grammar, readings
from uamsim.perturbations.language.references import describe
from uamsim.perturbations.language.saying import (
    finish,
    numbered,
    plain_phrase,
    referring_phrase,
    written_in,
)
from uamsim.perturbations.language.vocabulary import COMMON, WORD, Dialect, Written
from uamsim.perturbations.language.wording import Paraphrase, Reference, Reordered
from uamsim.perturbations.values import Composition, Perturbation

DIALECT = Dialect(
    colours=COMMON.colours | set(COLOURS),
    generic=("object", "thing"),
    own=WORDS,
    function_words=CHINESE_OF,
)
"""CALVIN's words before the lexicon's; further things of a scene are called as elsewhere."""

CALLED: Mapping[str, Thing] = {c: Thing(category=BLOCK, colour=c) for c in COLOURS}
"""Colour of a block -> what instructions call it."""

_NAME_OF = {WORDS[name]["english"][0]: name for name in WORDS}
_NAMES = re.compile(
    r"\b(?:" + "|".join(sorted(map(re.escape, _NAME_OF), key=len, reverse=True)) + r")\b"
)
_THING = re.compile(rf"\b({'|'.join(COLOURS)}) block\b")
_SLOT = re.compile(r"\{(\w+)\}")
_ANY = {f"{{{BLOCK}}}": "{object}", "{blocks}": "{objects}"}


def template_of(sentence: str) -> str:
    """One of CALVIN's sentences with slots for what it names."""
    named = _THING.sub("{thing}", " ".join(sentence.lower().split()))
    parts = re.split(r"(\{thing\})", named)
    return "".join(
        part if i % 2 else _NAMES.sub(lambda found: f"{{{_NAME_OF[found.group()]}}}", part)
        for i, part in enumerate(parts)
    )


class CalvinLanguage:
    """Renders and reads instructions of CALVIN's 34 tasks.

    CALVIN's own sentences are what demonstrations say. Where only words of them are exchanged or
    added (``CodeMix``, ``Synonyms``, ``NoiseWords``, ``Reference``), it is they that are changed.
    ``Reference`` applies to sentences that name a block by its colour; others stay as they are.
    """

    def __init__(self, sentences: Mapping[str, Sequence[str]]) -> None:
        """Takes CALVIN's sentences.

        Args:
            sentences: task -> all sentences for it, of training and of validation.

        Raises:
            UnknownNameError: a task that CALVIN does not have.
            ConfigError: a task without a sentence, or a word that has no translation.
        """
        for task in sentences:
            if task not in GOALS:
                raise UnknownNameError("CALVIN task", task, GOALS)
        english: dict[str, dict[str, None]] = {}
        for task in GOALS:
            if not sentences.get(task):
                raise ConfigError(f"there is no sentence for CALVIN's task {task!r}.")
            english.setdefault(FAMILY[task], {}).update(
                dict.fromkeys(template_of(s) for s in sentences[task])
            )
        said = [(family, text) for family, texts in english.items() for text in texts]
        words = {word for _, text in said for word in WORD.findall(_SLOT.sub(" ", text))}
        if unknown := sorted(words - CHINESE_OF.keys()):
            raise ConfigError(
                f"CALVIN's sentences have words without a translation: {', '.join(unknown)}. Add "
                "them to calvin_sentences.CHINESE_OF."
            )
        self.templates: dict[Written, tuple[tuple[str, str], ...]] = {}
        for written in ("english", "chinese"):
            known = [*(said if written == "english" else ()), *_own(written)]
            known += [(family, _of_objects(text)) for family, text in known]
            self.templates[written] = tuple(dict.fromkeys(known))
        self._grammars: dict[Form, Grammar] = {}

    def render(
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
        thing = called or GOALS[task].thing
        template = template_of(sentence)
        true = all_blocks or template == _of_objects(template)
        if thing == GOALS[task].thing and true and not axes.items:
            return sentence
        written = written_in(axes)
        number = (axes.find(Paraphrase) is not None) + 2 * (axes.find(Reordered) is not None)
        own = TABLES[number].get((FAMILY[task], written))
        if own is not None:
            template = own[int(rng.integers(len(own)))]
        if not all_blocks:
            template = _of_objects(template)
        reference_rng, *streams = rng.spawn(4)
        names: list[str] = []
        slots: dict[str, str] = {}
        for slot in dict.fromkeys(_SLOT.findall(template)):
            if slot == "thing":
                slots[slot] = _phrase(thing, axes, scene, names, reference_rng)
            else:
                slots[slot] = numbered(slot, names)
        return finish(template.format(**slots), names, axes, rng, streams, DIALECT)

    def parse(
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
        found = dict.fromkeys(self._read(" ".join(text.split()), scene, called))
        if len(found) != 1:
            raise ConfigError(
                f"{text!r} has several meanings: {', '.join(found)}."
                if found
                else f"cannot read {text!r}: expected an instruction for one of CALVIN's tasks"
                f"{'; one that refers to places needs the scene' if scene is None else ''}."
            )
        return next(iter(found))

    def _read(
        self, text: str, scene: SceneFacts | None, called: Mapping[str, Thing]
    ) -> Iterator[str]:
        for form in FORMS:
            for family, values in readings(text, form, self._grammar(form), scene):
                if "thing" not in values:
                    yield family
                for colour, thing in called.items():
                    if thing == values.get("thing"):
                        yield family.format(colour)

    def _grammar(self, form: Form) -> Grammar:
        if form not in self._grammars:
            self._grammars[form] = make_grammar(form, self.templates, DIALECT, WORDS)
        return self._grammars[form]


def _of_objects(template: str) -> str:
    """A template that says of objects what it said of blocks."""
    for slot, other in _ANY.items():
        template = template.replace(slot, other)
    return template


def _phrase(
    thing: Thing,
    axes: Composition,
    scene: SceneFacts | None,
    names: list[str],
    rng: np.random.Generator,
) -> str:
    written, reference = written_in(axes), axes.find(Reference)
    if reference is None:
        return plain_phrase(thing, written, names)
    if scene is None:
        raise ConfigError("Reference needs the scene: pass scene=..., or leave it out.")
    fitting = describe(thing, scene, reference.kind)
    return referring_phrase(fitting[int(rng.integers(len(fitting)))], written, names)


def _own(written: Written) -> Iterator[tuple[str, str]]:
    """(family, template) of all tables."""
    for table in TABLES:
        for (family, tongue), templates in table.items():
            if tongue == written:
                yield from ((family, template) for template in templates)
