"""CALVIN's tasks under every wording: what is said means the task, and shows nothing else."""

import re

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from uamsim.contract import SceneFacts, SceneThing, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import romanise
from uamsim.perturbations import axes
from uamsim.perturbations.language.vocabulary import COMMA, NOISE, WORD
from uamsim.perturbations.language.wording import (
    WORDING,
    CodeMix,
    NoiseWords,
    Paraphrase,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim.perturbations.splits import SPLITS
from uamsim.perturbations.values import PERTURBATIONS, Composition
from uamsim.simulators import find_installation
from uamsim.worlds import find_simulator
from uamsim_envs.calvin.language import (
    BLOCK,
    DIALECT,
    FAMILY,
    GOALS,
    SENTENCES,
    CalvinLanguage,
    template_of,
)
from uamsim_envs.calvin.tasks import COLOURS, TASKS
from wordings import MANNERS, TONGUES, generator, slots_of, worded, wordings, words_of

WORDS = SENTENCES.nouns | SENTENCES.colours
MADE = {
    "rotate_{}_block_right": "you turn the {} block, then let it go right",
    "rotate_{}_block_left": "you turn the {} block, then let it go left",
    "push_{}_block_right": "sweep the {} block right",
    "push_{}_block_left": "sweep the {} block left",
    "lift_{}_block_table": "Take the {} block up",
    "lift_{}_block_slider": "take up the {} block lying in the slider",
    "lift_{}_block_drawer": "take up the {} block lying in the drawer",
    "move_slider_left": "slide the door left",
    "move_slider_right": "slide the door right",
    "open_drawer": "pull the drawer handle",
    "close_drawer": "push the drawer handle",
    "place_in_slider": "leave the object in the cabinet",
    "place_in_drawer": "leave the object in the drawer",
    "push_into_drawer": "sweep the object into the drawer",
    "stack_block": "stack all blocks",
    "unstack_block": "unstack all blocks",
    "turn_on_lightbulb": "toggle the light switch up",
    "turn_off_lightbulb": "toggle the light switch down",
    "turn_on_led": "let the button turn the green light on",
    "turn_off_led": "let the button turn the green lamp off",
}
"""Family -> a sentence such as CALVIN's."""


def made_sentences() -> dict[str, list[str]]:
    return {task: [MADE[FAMILY[task]].format(GOALS[task].thing.colour)] for task in GOALS}


def calvin_language(sentences: dict[str, list[str]]) -> CalvinLanguage:
    """Of sentences of each task, the last for validation."""
    return CalvinLanguage(sentences, {task: some[-1] for task, some in sentences.items()})


def draw_scene(rng: np.random.Generator) -> SceneFacts:
    """The blocks, and sometimes another thing."""
    names = [(BLOCK, colour) for colour in COLOURS] + [("banana", "yellow")] * rng.integers(2)
    return SceneFacts(
        things=tuple(
            SceneThing(category=c, colour=k, pos_world=(*rng.uniform(-0.3, 0.3, size=2), 0.5))
            for c, k in names
        )
    )


@pytest.fixture(scope="module")
def language():
    return calvin_language(made_sentences())


@pytest.fixture(scope="module")
def official():
    """Task -> CALVIN's own sentences, the validation one last."""
    folder = find_installation(find_simulator("calvin")).checkout("calvin")
    folder /= "calvin_models/conf/annotations"
    training, validation = (
        yaml.safe_load((folder / name).read_text("utf-8"))
        for name in ("new_playtable.yaml", "new_playtable_validation.yaml")
    )
    return {task: [*training[task], *validation[task]] for task in training}


def check(language: CalvinLanguage, task: str, sentence: str, wording, seed: int) -> str:
    scene = draw_scene(generator(seed))
    text = language.say(task, sentence, rng=generator(seed), wording=wording, scene=scene)
    again = language.say(task, sentence, rng=generator(seed), wording=wording, scene=scene)
    assert text == again
    assert language.read(text, scene) == task, text
    return text


@given(wording=wordings(), task=st.sampled_from(sorted(GOALS)), seed=st.integers(0, 2**32 - 1))
def test_every_composition_reads_back(language, wording, task, seed):
    check(language, task, made_sentences()[task][0], wording, seed)


@pytest.mark.parametrize("tongue", TONGUES)
@pytest.mark.parametrize("more", [(), (Paraphrase(),), (Reordered(),), (Paraphrase(), Reordered())])
def test_every_template_reads_back(language, tongue, more):
    wording = Composition(*tongue, *more)
    for task in GOALS:
        texts = {check(language, task, made_sentences()[task][0], wording, s) for s in range(8)}
        assert len(texts) >= len(language.language.templates(FAMILY[task], wording))


def test_every_word_for_a_thing_reads_back(language):
    """In every template: each way to write each of its names, which draws may miss."""
    for written in ("english", "chinese"):
        for family, template in language.language._heard[written]:
            for colour in COLOURS if "{thing}" in template else ("",):
                for i in range(3):
                    text = filled(template, written, colour, i)
                    task = family.format(colour)
                    assert language.read(text) == task, text
                    if written == "chinese":
                        assert language.read(romanise(text, spaced=False)) == task, text


def filled(template: str, written, colour: str, i: int) -> str:
    def form(name: str) -> str:
        found = DIALECT.forms(name, written)
        return found[i % len(found)]

    space = " " if written == "english" else ""
    slots = {name: form(name) for name in WORDS}
    return template.format(thing=f"{form(colour)}{space}{form(BLOCK)}" if colour else "", **slots)


def test_without_a_wording_the_sentence_is_said_as_it_is(language):
    for task, (sentence,) in made_sentences().items():
        assert language.say(task, sentence, rng=generator()) == sentence
        assert language.read(sentence) == task
        for cls in WORDING:
            assert language.say(task, sentence, rng=generator(), wording=[cls.at(0)]) == sentence


def test_words_are_exchanged_and_added_in_the_sentence_itself(language):
    sentence = made_sentences()["rotate_pink_block_left"][0]

    def say(*wording, seed=0):
        return language.say(
            "rotate_pink_block_left",
            sentence,
            rng=generator(seed),
            wording=wording,
            scene=draw_scene(generator(4)),
        )

    comma = COMMA["english"]
    kept = [c for c in say(NoiseWords(count=3)).split(comma) if c not in NOISE["english"]]
    assert comma.join(kept) == sentence
    assert say(CodeMix(ratio=0.5)) in {
        sentence.replace("pink", a).replace("block", b)
        for a in ("pink", "粉色")
        for b in ("block", "积木")
    }
    assert not re.search("[a-z]", say(CodeMix(ratio=1.0)))
    assert say(Synonyms()) in {
        sentence.replace("pink", "rosy").replace("block", b) for b in ("cube", "brick")
    }
    referred = say(Reference(kind="negation"))
    assert referred.startswith("you turn the block that is not ")
    assert referred.endswith(", then let it go left")
    assert "not the red block or the blue block" in referred
    said = language.say("open_drawer", "pull the drawer handle", rng=generator(),
                           wording=[Reference()])  # fmt: skip
    assert said == "pull the drawer handle"
    with pytest.raises(ConfigError, match="needs the scene"):
        language.say("push_red_block_left", "x", rng=generator(), wording=[Reference(),
                        Paraphrase()])  # fmt: skip


def test_nothing_internal_is_said(language):
    internal = {*SPLITS, *PERTURBATIONS, *axes.AXES, *GOALS, *FAMILY.values(), *WORDS}
    internal = {n.lower() for n in internal if re.search(r"[_{A-Z]", n)} | {"english", "chinese"}
    for severity in range(1, 6):
        for cls in WORDING:
            for task, (sentence,) in made_sentences().items():
                text = check(language, task, sentence, [cls.at(severity)], severity).lower()
                assert not re.search(r"[_{}\d]", re.sub(r"(?<=[a-zü])[1-5]", "", text)), text
                assert not [n for n in internal if re.search(rf"(?<![a-z]){re.escape(n)}\b", text)]


def test_pinyin_of_a_word_does_not_depend_on_its_neighbours(language):
    """Else joined pinyin without tones could not be read: the parser spells word by word."""
    for _, template in language.language._heard["chinese"]:
        literals, slots = re.split(r"\{\w+\}", template), re.findall(r"\{(\w+)\}", template)
        for colour in COLOURS:
            for i in range(3):
                whole = romanise(filled(template, "chinese", colour, i), spaced=False)
                names = [
                    filled(f"{{{slot}}}", "chinese", colour, i) if slot != "thing"
                    else filled("{thing}", "chinese", colour, i)
                    for slot in slots
                ]  # fmt: skip
                parts = [literals[0]]
                for name, literal in zip(names, literals[1:], strict=True):
                    parts += [name, literal]
                assert whole == "".join(romanise(p, spaced=False) for p in parts), template


def test_tables_are_whole():
    families = set(FAMILY.values())
    assert set(GOALS) == set(TASKS)
    assert len(GOALS) == 34
    keys = {(f, w, *m) for f in families for w in ("english", "chinese") for m in MANNERS}
    plain_english = {(f, "english", *MANNERS[0]) for f in families}
    assert set(SENTENCES.templates) == keys - plain_english
    texts = [t for w in ("english", "chinese") for _, t in SENTENCES.written_in(w)]
    assert len(texts) == len(set(texts))
    for text in texts:
        assert set(slots_of(text)) <= {*WORDS, "thing"}
    characters = set("".join(t for _, t in worded(SENTENCES, "chinese", MANNERS[0])))
    for _, text in worded(SENTENCES, "chinese", MANNERS[1], MANNERS[3]):
        assert not set(re.sub(r"\{\w+\}", "", text)) <= characters, text
    for name, forms in WORDS.items():
        for some in forms.values():
            assert len(some) == len(set(some)) > 1, name


def test_what_cannot_be_said_is_refused(language):
    for text in ("do the task", "open the blue drawer", ""):
        with pytest.raises(ConfigError, match="cannot read"):
            language.read(text)
    with pytest.raises(UnknownNameError, match="open_drawer"):
        language.say("open_drawers", "x", rng=generator())
    sentences = made_sentences()
    with pytest.raises(ConfigError, match="no sentence for CALVIN's task 'open_drawer'"):
        calvin_language({t: s for t, s in sentences.items() if t != "open_drawer"})
    with pytest.raises(ConfigError, match=r"sentences\.txt: .*without a translation: gizmo\."):
        calvin_language(sentences | {"open_drawer": ["open the gizmo"]})


@pytest.mark.sim("calvin")
def test_calvins_own_sentences_read_back(official):
    language = calvin_language(official)
    every = [Composition(cls.at(s)) for cls in WORDING for s in (1, 3, 5)]
    seed = 0
    for task, sentences in official.items():
        for sentence in sentences:
            assert language.read(sentence) == task
            for _ in range(3):
                seed += 1
                check(language, task, sentence, every[seed % len(every)], seed)


@pytest.mark.sim("calvin")
def test_other_words_are_others_than_calvins(official):
    said = {" ".join(s.lower().split()) for some in official.values() for s in some}
    templates = {template_of(sentence) for sentence in said}
    shown = {word for sentence in said for word in WORD.findall(sentence)}
    for _, text in worded(SENTENCES, "english", MANNERS[1], MANNERS[3]):
        assert not words_of(text) <= shown, text
    for _, text in worded(SENTENCES, "english", MANNERS[2]):
        assert words_of(text) <= shown, text
    assert templates.isdisjoint(text for _, text in SENTENCES.written_in("english"))
    assert not words_of(" ".join(NOISE["english"])) & shown
    for name, forms in WORDS.items():
        # Blocks that are none of the kind are called objects, which no demonstration shows.
        assert words_of(forms["english"][0]) <= shown or name == "objects", name
        for synonym in forms["english"][1:]:
            assert not words_of(synonym) <= shown, synonym


def test_what_are_no_blocks_are_not_called_blocks(language):
    rng = np.random.default_rng(0)
    for task, said, meant in (
        ("stack_block", "stack the blocks", "stack the objects"),
        ("place_in_drawer", "place the block in the drawer", "place the object in the drawer"),
        ("open_drawer", "open the drawer", "open the drawer"),
    ):
        assert language.say(task, said, rng=rng) == said
        assert language.say(task, said, rng=rng, all_blocks=False) == meant
    can = Thing(category="can", colour="red")
    text = language.say(
        "lift_red_block_table", "lift the red block", rng=rng, called=can, all_blocks=False
    )
    assert text == "lift the red can"
