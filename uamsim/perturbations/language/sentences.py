"""Sentences and words of a world, read from its text file.

A file has sections. A section of a task has sentences, a line each, those in ASCII being English
and all others Chinese; the plain ones come first, and a line that ends with a colon says how those
below it are worded. Three sections have tables, and may be left out:

    # A line that starts with "#" says something to people.
    [about]
    put_away: object, item -> drawer

    [nouns]
    drawer = drawer/chest = 抽屉/抽斗

    [translations]
    put=放 the=那个

    [put_away]
    put the {thing} in the {target}
    把{thing}放进{target}
    paraphrased:
    stow the {thing} inside the {target}
    reordered:
    in the {target}, put the {thing}
    paraphrased, reordered:
    inside the {target}, stow the {thing}

``[colours]`` is as ``[nouns]``. Several tasks in one pair of brackets have the same sentences.
With "~" in the brackets the section is read twice, for "left" and for "right", which "~" stands
for in its English sentences; in the Chinese ones it stands for "左" and "右".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uamsim.errors import ConfigError
from uamsim.perturbations.language.vocabulary import SLOT, Written

Key = tuple[str, Written, bool, bool]
"""Task, what is written in, whether paraphrased, whether reordered."""

_MANNERS = {
    "paraphrased": (True, False),
    "reordered": (False, True),
    "paraphrased, reordered": (True, True),
}
_TABLES = ("about", "nouns", "colours", "translations")
_SIDES: tuple[tuple[str, str], ...] = (("left", "左"), ("right", "右"))


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """What a file holds.

    Attributes:
        source: the file's folder and name, for messages.
        templates: sentences with slots, in the file's order.
        about: task -> what its things are, and what its target is.
        nouns, colours: name -> every way to write it, the usual one first.
        translations: English words -> Chinese.
    """

    source: str
    templates: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    about: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    nouns: dict[str, Mapping[Written, tuple[str, ...]]] = field(default_factory=dict)
    colours: dict[str, Mapping[Written, tuple[str, ...]]] = field(default_factory=dict)
    translations: dict[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task that has a sentence, in the file's order."""
        return tuple(dict.fromkeys(task for task, *_ in self.templates))

    def written_in(self, written: Written) -> list[tuple[str, str]]:
        """(task, sentence) of all, in the file's order."""
        return [
            (task, text)
            for (task, tongue, *_), texts in self.templates.items()
            for text in texts
            if tongue == written
        ]


def read_sentences(path: Path) -> Sentences:
    """Reads a file.

    Raises:
        ConfigError: it cannot be read, or a line is none of the above; names file and line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the sentences of {path}: {error}.") from error
    reader = _Reader(Sentences(source=f"{path.parent.name}/{path.name}"))
    for number, line in enumerate([*map(str.strip, lines), "[]"], 1):
        try:
            if line and not line.startswith("#"):
                reader.take(line)
        except ConfigError as error:
            raise ConfigError(f"{path}:{min(number, len(lines))}: {error}") from None
    return reader.read


class _Reader:
    """Takes one line after the other."""

    def __init__(self, read: Sentences) -> None:
        self.read = read
        self._section = ""
        self._manner = (False, False)
        self._sentences: dict[tuple[bool, bool], list[str]] = {}

    def take(self, line: str) -> None:
        if line.startswith("[") and line.endswith("]"):
            self._end_section()
            self._section, self._manner = line[1:-1].strip(), (False, False)
            if known := set(self._section.split()) & set(self.read.tasks):
                raise ConfigError(f"[{min(known)}] is there twice.")
        elif not self._section:
            raise ConfigError(f"{line!r} stands before the first [task].")
        elif self._section in _TABLES:
            getattr(self, f"_take_{self._section}")(line)
        elif line.endswith(":"):
            if line[:-1] not in _MANNERS:
                known = ", ".join(f"'{manner}:'" for manner in _MANNERS)
                raise ConfigError(f"{line!r} is none of {known}.")
            self._manner = _MANNERS[line[:-1]]
        else:
            self._take_sentence(line)

    def _take_sentence(self, line: str) -> None:
        if set("{}") & set(SLOT.sub("", line)):
            raise ConfigError(f"{line!r} has a brace that is no slot such as {{thing}}.")
        if any(line in some for some in self._sentences.values()):
            raise ConfigError(f"{line!r} is there twice for {self._section}.")
        self._sentences.setdefault(self._manner, []).append(line)

    def _end_section(self) -> None:
        if self._section and self._section not in _TABLES and not self._sentences:
            raise ConfigError(f"[{self._section}] has no sentence.")
        for task in self._section.split() if self._sentences else ():
            for english, chinese in _SIDES if "~" in task else (("~", "~"),):
                self._add(task.replace("~", english), {"english": english, "chinese": chinese})
        self._sentences = {}

    def _add(self, task: str, sides: Mapping[Written, str]) -> None:
        for manner, sentences in self._sentences.items():
            for written, side in sides.items():
                own = [s for s in sentences if s.isascii() == (written == "english")]
                if own:
                    key: Key = (task, written, *manner)
                    self.read.templates[key] = tuple(s.replace("~", side) for s in own)

    def _take_about(self, line: str) -> None:
        task, colon, things = line.partition(":")
        named, _, target = things.partition("->")
        if not colon or not named.strip():
            raise ConfigError(f"expected 'task: things' or 'task: things -> target', got {line!r}.")
        listed = [tuple(filter(None, map(str.strip, some.split(",")))) for some in (named, target)]
        _put(self.read.about, task.strip(), (listed[0], listed[1]))

    def _take_nouns(self, line: str) -> None:
        _put(self.read.nouns, *_word(line))

    def _take_colours(self, line: str) -> None:
        _put(self.read.colours, *_word(line))

    def _take_translations(self, line: str) -> None:
        for pair in line.split():
            english, equals, chinese = pair.partition("=")
            if not (english and equals and chinese):
                raise ConfigError(f"expected pairs such as put=放, got {pair!r}.")
            _put(self.read.translations, english, chinese)


def _word(line: str) -> tuple[str, Mapping[Written, tuple[str, ...]]]:
    name, *forms = (part.strip() for part in line.split("="))
    if len(forms) != 2 or not all((name, *forms)):
        raise ConfigError(f"expected 'name = English/other = Chinese/other', got {line!r}.")
    return name, {"english": tuple(forms[0].split("/")), "chinese": tuple(forms[1].split("/"))}


def _put(table: dict[str, Any], name: str, value: Any) -> None:
    if name in table:
        raise ConfigError(f"{name!r} is there twice.")
    table[name] = value
