"""Instructions read back to their goals, from the words alone.

The grammar is the sentences and the words that instructions are said from: every sentence becomes
a row of literals (patterns) with slots between them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from uamsim.contract import SceneFacts, Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import LEXICON, placement_word, romanise
from uamsim.perturbations.language.references import Description, referents
from uamsim.perturbations.language.vocabulary import (
    COMMA,
    NOISE,
    OR,
    ORDINALS,
    REFERENCES,
    SLOT,
    WORD,
    Dialect,
    Written,
)

Form = Literal["english", "chinese", "pinyin"]
FORMS: tuple[Form, ...] = ("english", "chinese", "pinyin")
_Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """What sentences of one form are made of.

    Attributes:
        space: between a colour and a noun.
        comma: between clauses.
        words: kind of slot -> how it may be written -> what it says.
        templates: (task, row).
        references: (relation, row).
        alternative: what is between the things of a list.
        noise: a clause that means nothing.
    """

    space: str
    comma: str
    words: Mapping[str, Mapping[str, Any]]
    templates: tuple[tuple[str, _Row], ...]
    references: tuple[tuple[str, _Row], ...]
    alternative: re.Pattern[str]
    noise: re.Pattern[str]


def _normal(text: str, form: Form) -> str:
    """A text as the grammar of a form reads it: pinyin without tones and spaces."""
    text = text.strip().lower()
    if form != "pinyin":
        return text
    text = unicodedata.normalize("NFD", text).replace("u\u0308", "v")
    return re.sub(r"[\d\s]", "", "".join(c for c in text if not unicodedata.combining(c)))


def _literal(text: str, form: Form, dialect: Dialect) -> str:
    if form == "pinyin":
        return re.escape(_normal(romanise(text), form))
    if form == "chinese":
        return re.escape(text)
    parts = re.split(f"({WORD.pattern})", text)
    return "".join(
        f"(?:{part}|{dialect.function_words[part]})" if i % 2 else re.escape(part)
        for i, part in enumerate(parts)
    )


def _row(template: str, form: Form, dialect: Dialect) -> _Row:
    """Literal, slot, literal, ..., slot, literal."""
    parts = SLOT.split(template)
    return tuple(
        p if i % 2 else re.compile(_literal(p, form, dialect)) for i, p in enumerate(parts)
    )


def _index(pairs: Iterable[tuple[str, Any]], form: Form) -> dict[str, Any]:
    """How something may be written -> what it says.

    Raises:
        ConfigError: the same for two.
    """
    index: dict[str, Any] = {}
    for text, value in pairs:
        written = _normal(romanise(text), form) if form == "pinyin" else text
        if index.setdefault(written, value) != value:
            raise ConfigError(
                f"{written!r} ({form}) is both {index[written]!r} and {value!r}: change a word."
            )
    return index


def make_grammar(
    form: Form,
    templates: Mapping[Written, Iterable[tuple[str, str]]],
    dialect: Dialect,
) -> Grammar:
    """The grammar of a form.

    Args:
        form: of the sentences.
        templates: what they are written in -> (task, template).
        dialect: whose words they have; its own names may be slots.
    """
    written: Written = "english" if form == "english" else "chinese"

    def written_as(names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """English sentences may have words of both, for the sake of code-mixing."""
        for name in names:
            yield from ((text, name) for text in dialect.forms(name, "chinese"))
            if form == "english":
                yield from ((text, name) for text in dialect.forms(name, "english"))

    def fixed(values: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Words of the tables; in code-mixing also their translations."""
        pairs = list(values)
        if form == "english":
            pairs += [(dialect.function_words[text], value) for text, value in pairs]
        return pairs

    ordinals = fixed((text, i + 1) for i, text in enumerate(ORDINALS[written]))
    places = fixed((placement_word(e.name, written), "") for e in LEXICON.values())
    noise = "|".join(_literal(text, form, dialect) for text in NOISE[written])
    return Grammar(
        space=" " if form == "english" else "",
        comma="," if form == "pinyin" else COMMA[written],
        words={
            "colour": _index(written_as(dialect.colours), form),
            "category": _index(written_as(dialect.nouns), form),
            "noun": _index(written_as([*dialect.nouns, *dialect.generic]), form),
            "ordinal": _index(ordinals, form),
            "on": _index(places, form),
            **{name: _index(written_as([name]), form) for name in dialect.own},
        },
        templates=tuple((task, _row(text, form, dialect)) for task, text in templates[written]),
        references=tuple(
            (name, _row(texts[written], form, dialect)) for name, texts in REFERENCES.items()
        ),
        alternative=re.compile(_literal(OR[written], form, dialect)),
        noise=re.compile(noise),
    )


def _matches(
    row: _Row, text: str, read: Callable[[str, str], Iterator[Any]]
) -> Iterator[dict[str, Any]]:
    """Every way to read a text as a row: slot -> value."""
    literal, *rest = row
    found = literal.match(text) if rest else literal.fullmatch(text)
    if found is None:
        return
    if not rest:
        yield {}
        return
    slot, following, text = rest[0], rest[1], text[found.end() :]
    is_last = len(rest) == 2
    for end in range(1, len(text) + 1):
        if (following.fullmatch if is_last else following.match)(text, end):
            for value in read(slot, text[:end]):
                for others in _matches(tuple(rest[1:]), text[end:], read):
                    yield {slot: value, **others}


@dataclass(frozen=True)
class _Reader:
    """Reads the slots of one form's rows in a scene."""

    grammar: Grammar
    scene: SceneFacts | None

    def read(self, slot: str, text: str) -> Iterator[Any]:
        """Every value that a slot may have."""
        if slot in self.grammar.words:
            if text in self.grammar.words[slot]:
                yield self.grammar.words[slot][text]
        elif slot == "others":
            things = [list(self._plain(part)) for part in self.grammar.alternative.split(text)]
            if all(len(t) == 1 for t in things):
                yield tuple(t[0] for t in things)
        else:
            yield from self._plain(text)
            if slot == "thing" and self.scene is not None:
                yield from self._referred(text, self.scene)

    def _plain(self, text: str) -> Iterator[Thing]:
        for form, colour in self.grammar.words["colour"].items():
            start = form + self.grammar.space
            category = self.grammar.words["category"].get(text[len(start) :])
            if text.startswith(start) and category is not None:
                yield Thing(category=category, colour=colour)

    def _referred(self, text: str, scene: SceneFacts) -> Iterator[Thing]:
        for relation, row in self.grammar.references:
            for values in _matches(row, text, self.read):
                anchors = tuple(values[k] for k in ("anchor", "other") if k in values)
                found = referents(
                    Description(
                        relation=relation,
                        noun=values["noun"],
                        anchors=values.get("others", anchors),
                        rank=values.get("ordinal", 0),
                        colour=values.get("colour", ""),
                        category=values.get("category", ""),
                    ),
                    scene,
                )
                if len(found) == 1:
                    yield found[0]


def readings(
    text: str, form: Form, grammar: Grammar, scene: SceneFacts | None, *, task: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every way to read an instruction as a sentence of a form: task, and slot -> value.

    Args:
        text: the instruction.
        form: how it may be written.
        grammar: of the form.
        scene: what is visible; without it no ``Reference`` can be read.
        task: the only one whose sentences are tried; all when None.
    """
    clauses = _normal(text, form).split(grammar.comma)
    plain = grammar.comma.join(c for c in clauses if not grammar.noise.fullmatch(c))
    reader = _Reader(grammar, scene)
    for name, row in grammar.templates:
        if task in (None, name):
            for values in _matches(row, plain, reader.read):
                yield name, values
