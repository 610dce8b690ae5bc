"""Words are changed as far as a wording says, are read back, and come from JSON as they were."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uamsim.contract import Goal, Thing
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.lexicon import LEXICON, romanise
from uamsim.perturbations.language.language import Language
from uamsim.perturbations.language.sentences import Sentences
from uamsim.perturbations.language.vocabulary import COLOURS, GENERIC, forms
from uamsim.perturbations.language.wording import (
    WORDING,
    Chinese,
    CodeMix,
    NoiseWords,
    Paraphrase,
    Pinyin,
    Reference,
    Reordered,
    Synonyms,
)
from uamsim.perturbations.values import from_json, to_json
from wordings import CAN, MADE, MANNERS, TONGUES, generator, scene_of, wordings


@given(wording=wordings(), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_every_composition_reads_back(wording, seed):
    scene = scene_of(
        ("green", "can", 0, 0), ("red", "can", 0.1, 0.1), ("blue", "cube", 0.2, -0.1),
        ("white", "plate", -0.1, 0.05),
    )  # fmt: skip
    text = MADE.say(CAN, wording=wording, rng=generator(seed), scene=scene)
    assert text == MADE.say(CAN, wording=wording, rng=generator(seed), scene=scene)
    assert MADE.read(text, scene) == CAN


def test_no_two_phrases_are_alike():
    """All colours with all nouns, by any word for them, in the weakest spelling there is."""
    meanings: dict[str, tuple[str, str]] = {}
    for colour in COLOURS:
        for noun in [*(n for n in LEXICON if n not in COLOURS), *GENERIC]:
            for a in forms(colour, "chinese"):
                for b in forms(noun, "chinese"):
                    text = romanise(a, spaced=False) + romanise(b, spaced=False)
                    assert meanings.setdefault(text, (colour, noun)) == (colour, noun)


def test_romanise_agrees_with_the_table():
    for entry in LEXICON.values():
        plain = unicodedata.normalize("NFD", entry.pinyin.replace("ǜ", "v"))
        plain = "".join(c for c in plain if not unicodedata.combining(c))
        assert romanise(entry.chinese) == plain


def test_every_word_has_a_synonym():
    for name in (*LEXICON, *GENERIC):
        for written in ("english", "chinese"):
            some = forms(name, written)
            assert len(some) == len(set(some)) > 1, name


def test_severity_zero_is_the_identity():
    for cls in WORDING:
        assert cls.at(0).is_identity
        assert not any(cls.at(severity).is_identity for severity in range(1, 6))
        for seed in range(20):
            plain = MADE.say(CAN, rng=generator(seed))
            assert MADE.say(CAN, wording=[cls.at(0)], rng=generator(seed)) == plain


def count_new(wording: Sequence, pattern: str) -> float:
    texts = [MADE.say(CAN, wording=wording, rng=generator(s)) for s in range(200)]
    return sum(len(re.findall(pattern, t)) for t in texts) / 200


def test_more_severe_is_more_of_it():
    chinese = r"[^\x00-\x7f]+"
    mixed = [count_new([CodeMix.at(s)], chinese) for s in range(6)]
    assert mixed[0] == 0 < 1 <= mixed[1]
    assert all(b > a + 0.1 for a, b in pairwise(mixed))
    assert count_new([CodeMix(ratio=1.0)], "[a-z]") == 0
    nouns, colours = "罐子|盘子", "绿色|白色"
    early = [count_new([CodeMix(ratio=0.3)], p) for p in (nouns, colours)]
    assert early[0] > 1.5 * early[1] > 0
    assert count_new([CodeMix()], chinese) == count_new([CodeMix()], f"{nouns}|{colours}")
    others = "tin|dish|emerald|snowy|ivory"
    replaced = [count_new([Synonyms.at(s)], others) for s in range(6)]
    assert replaced[0] == 0 < 1 <= replaced[1]
    assert replaced == sorted(replaced)
    assert replaced[5] == 4
    noise = [count_new([NoiseWords.at(s)], ", ") for s in range(6)]
    assert noise == list(range(6))


def test_pinyin_comes_in_every_spelling():
    seed = next(s for s in range(99) if generator(s).integers(3) == 0)  # the first template
    spellings = map(Pinyin.at, range(1, 6))
    texts = [MADE.say(CAN, wording=[p], rng=generator(seed)) for p in spellings]
    assert texts == [
        "bǎ lǜ sè guàn zi fàng dào bái sè pán zi shàng",
        "ba3 lv4 se4 guan4 zi fang4 dao4 bai2 se4 pan2 zi shang4",
        "ba lv se guan zi fang dao bai se pan zi shang",
        "bǎlǜsèguànzifàngdàobáisèpánzishàng",
        "balvseguanzifangdaobaisepanzishang",
    ]


def test_tongues_exclude_each_other():
    for one, other in ((Chinese(), Pinyin()), (Pinyin(), CodeMix()), (CodeMix(), Chinese())):
        with pytest.raises(ConfigError, match="do not go together"):
            _ = one | other
    with pytest.raises(ConfigError, match="marks, numbers, none"):
        Pinyin(tones="some")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="spatial, ordinal, negation"):
        Reference(kind="left")  # type: ignore[arg-type]
    for bad in (lambda: CodeMix(ratio=1.1), lambda: Synonyms(ratio=-0.1)):
        with pytest.raises(ConfigError, match="0 to 1"):
            bad()
    with pytest.raises(ConfigError, match="0 to 8"):
        NoiseWords(count=9)


@pytest.mark.parametrize("cls", WORDING)
def test_json_round_trip(cls):
    for severity in range(6):
        value = cls.at(severity)
        assert from_json(json.loads(json.dumps(to_json(value)))) == value


def test_reading_sees_through_case_and_noise():
    text = "Well, on the White plate, um, put the green can, thanks"
    assert MADE.read(text) == CAN
    with pytest.raises(ConfigError, match="cannot read"):
        MADE.read("do the task")
    with pytest.raises(ConfigError, match="instruction of tidy"):
        MADE.read(text, task="tidy")


def test_the_first_task_that_is_about_such_things_is_meant():
    text = "put the green can on the white plate"
    assert MADE.read(text) == CAN
    assert MADE.read(text, task="tidy") == replace(CAN, task="tidy")
    assert MADE.read("put the yellow banana on the white plate").task == "tidy"


@pytest.mark.parametrize("tongue", TONGUES)
@pytest.mark.parametrize("more", [(), (Synonyms(),), (Paraphrase(), NoiseWords())])
def test_a_world_s_own_words_are_said_and_read(tongue, more):
    goal = Goal(task="mend", thing=Thing(category="gadget", colour="mauve"))
    for seed in range(5):
        text = MADE.say(goal, rng=generator(seed), wording=(*tongue, *more))
        assert MADE.read(text) == goal, text
        assert MADE.is_usual(goal)


def test_a_task_without_a_sentence_names_those_that_have_one():
    with pytest.raises(UnknownNameError, match=r"'juggle'.*mend, put, tidy"):
        MADE.say(replace(CAN, task="juggle"), rng=generator())
    with pytest.raises(UnknownNameError, match="made_sentences"):
        MADE.say(replace(CAN, task="tidy"), rng=generator(), wording=(Paraphrase(),))
    assert MADE.templates("tidy", (Reordered(),)) == ()
    assert [len(MADE.templates("put", manner)) for manner in (
        (), (Paraphrase(),), (Reordered(),), (Reordered(), Paraphrase()), (Reordered(on=False),),
    )] == [3, 2, 2, 1, 3]  # fmt: skip


def test_a_language_without_references_has_none():
    plain = Language(MADE.sentences, references=False)
    assert set(MADE.carried) - set(plain.carried) == {Reference}
    with pytest.raises(ConfigError, match="cannot carry Reference"):
        plain.say(CAN, rng=generator(), wording=(Reference(),), scene=scene_of())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("put the {thing} away into {nowhere}", "the slot 'nowhere'"),
        ("juggle the {thing}", "without a translation: juggle"),
    ],
)
def test_what_cannot_be_said_in_every_wording_is_refused(text, message):
    key = ("put", "english", *MANNERS[0])
    sentences = Sentences(source="odd.txt", templates={key: (text,)})
    with pytest.raises(ConfigError, match=rf"odd\.txt: .*{message}"):
        Language(sentences)
