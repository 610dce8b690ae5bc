"""Goals put into words; ``parsing`` reads them back."""

import re
from collections.abc import Sequence

import numpy as np

from uamsim.contract import Goal, SceneFacts, Thing
from uamsim.errors import ConfigError
from uamsim.lexicon import LEXICON, placement_word, romanise
from uamsim.perturbations.references import Description, describe
from uamsim.perturbations.templates import DEMONSTRATED, templates_of
from uamsim.perturbations.values import Composition, Perturbation
from uamsim.perturbations.vocabulary import (
    COLOURS,
    COMMA,
    FUNCTION_WORDS,
    NOISE,
    OR,
    ORDINALS,
    REFERENCES,
    THING_SLOTS,
    WORD,
    Written,
    forms,
)
from uamsim.perturbations.wording import (
    Chinese,
    CodeMix,
    NoiseWords,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)


def render_instruction(
    goal: Goal,
    *,
    rng: np.random.Generator,
    wording: Sequence[Perturbation] = (),
    scene: SceneFacts | None = None,
) -> str:
    """Words for a goal; the template is drawn, the meaning is not changed.

    Args:
        goal: what to ask for.
        rng: draws the template, and what the wording leaves to chance.
        wording: perturbations; those of other layers are ignored. None: English as in
            demonstrations.
        scene: what is visible, for ``Reference``.

    Raises:
        ConfigError: an unknown task, a wrong composition, or no ``Reference`` fits.
    """
    axes = Composition(*Composition.of(wording).active("language"))
    pinyin, mix = axes.find(Pinyin), axes.find(CodeMix)
    written: Written = "chinese" if pinyin or axes.find(Chinese) else "english"
    templates = templates_of(
        goal.task,
        written,
        paraphrased=axes.find(Paraphrase) is not None,
        reordered=axes.find(Reordered) is not None,
    )
    template = templates[int(rng.integers(len(templates)))]
    reference_rng, synonym_rng, noise_rng, mix_rng = rng.spawn(4)

    names: list[str] = []
    reference = axes.find(Reference)
    things = [goal.thing, *goal.then, *([] if goal.target is None else [goal.target])]
    if reference is None:
        phrases = [_plain(t, written, names) for t in things]
    else:
        if scene is None:
            raise ConfigError("Reference needs the scene: pass scene=..., or leave it out.")
        fitting = describe(goal.thing, scene, reference.kind)
        description = fitting[int(reference_rng.integers(len(fitting)))]
        phrases = [_referring(description, written, names)]
        phrases += [_plain(t, written, names) for t in things[1:]]
    on = "" if goal.target is None else placement_word(goal.target.category, written)
    named = dict(zip(THING_SLOTS, phrases, strict=False))
    text = template.format(**named, target=phrases[-1], on=on)

    noise = axes.find(NoiseWords)
    if noise is not None:
        text = _with_noise(text, written, noise.count, noise_rng)
    in_chinese = np.full(len(names), written == "chinese")
    if mix is not None:
        in_chinese = _mixed(names, mix, rng)
        text = _mix_function_words(text, mix.function_ratio, mix_rng)
    words = _words(names, in_chinese, axes.find(Synonyms), synonym_rng)
    text = text.format(*words)
    return text if pinyin is None else romanise(text, pinyin.tones, spaced=pinyin.spaced)


def _number(name: str, names: list[str]) -> str:
    """A numbered slot for a name of the lexicon or of ``GENERIC``, which joins ``names``."""
    names.append(name)
    return f"{{{len(names) - 1}}}"


def _plain(thing: Thing, written: Written, names: list[str]) -> str:
    space = " " if written == "english" else ""
    return f"{_number(thing.colour, names)}{space}{_number(thing.category, names)}"


def _referring(description: Description, written: Written, names: list[str]) -> str:
    d = description
    slots = {"noun": _number(d.noun, names)}
    if d.colour:
        slots["colour"] = _number(d.colour, names)
    if d.category:
        slots["category"] = _number(d.category, names)
    if d.rank:
        slots["ordinal"] = ORDINALS[written][d.rank - 1]
    anchors = [_plain(a, written, names) for a in d.anchors]
    slots |= dict(zip(("anchor", "other"), anchors, strict=False))
    slots["others"] = OR[written].join(anchors)
    return REFERENCES[d.relation][written].format(**slots)


def _with_noise(text: str, written: Written, count: int, rng: np.random.Generator) -> str:
    clauses = text.split(COMMA[written])
    phrases = NOISE[written]
    for index in rng.permutation(len(phrases))[:count]:
        clauses.insert(int(rng.integers(len(clauses) + 1)), phrases[int(index)])
    return COMMA[written].join(clauses)


def _at_least_one(limits: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Each with its chance; where it is none of them, one at random."""
    chosen = rng.random(len(limits)) < np.array(limits)
    chosen[int(rng.integers(len(limits)))] |= not chosen.any()
    return chosen


def _mixed(names: Sequence[str], mix: CodeMix, rng: np.random.Generator) -> np.ndarray:
    return _at_least_one(
        [mix.colour_ratio if name in COLOURS else mix.ratio for name in names], rng
    )


def _mix_function_words(text: str, ratio: float, rng: np.random.Generator) -> str:
    def replace(word: re.Match[str]) -> str:
        return FUNCTION_WORDS[word.group()] if rng.random() < ratio else word.group()

    return WORD.sub(replace, text)


def _words(
    names: Sequence[str],
    in_chinese: np.ndarray,
    synonyms: Synonyms | None,
    rng: np.random.Generator,
) -> list[str]:
    ratio = 0.0 if synonyms is None else synonyms.ratio
    other = _at_least_one([ratio] * len(names), rng) if ratio else np.zeros(len(names), bool)
    words = []
    for name, chinese, replaced in zip(names, in_chinese, other, strict=True):
        written: Written = "chinese" if chinese else "english"
        own, *others = forms(name, written)
        words.append(others[int(rng.integers(len(others)))] if replaced else own)
    return words


def in_domain_words() -> frozenset[str]:
    """Every word that an instruction of a demonstration may have, in lower case."""
    texts = [t for (_, written), some in DEMONSTRATED.items() if written == "english" for t in some]
    texts = [re.sub(r"\{\w+\}", " ", t) for t in texts]
    texts += [placement_word(e.name, "english") for e in LEXICON.values()]
    texts += [e.english for e in LEXICON.values() if e.in_action_data]
    return frozenset(word for text in texts for word in WORD.findall(text.lower()))
