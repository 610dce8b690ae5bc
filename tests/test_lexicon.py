"""The table of words is read as it is written, and a wrong line is told with its place."""

import pytest

from uamsim import lexicon
from uamsim.errors import ConfigError
from uamsim.lexicon import HELD_OUT_PAIRS, LEXICON


def test_a_line_is_an_entry():
    red, plug, star = LEXICON["red"], LEXICON["plug"], LEXICON["star"]
    assert (red.kind, red.english, red.chinese, red.pinyin) == ("colour", "red", "红色", "hóng sè")
    assert (red.rgb, red.path, red.other_english) == (
        (0.85, 0.08, 0.08),
        (),
        ("crimson", "scarlet"),
    )
    assert (plug.kind, plug.rgb, plug.path) == ("fixture", None, ())
    assert star.path == ("toy", "figure", "star")
    assert (red.in_action_data, star.in_action_data) == (True, False)
    assert {("apple", "plate"), ("apple", "garbage_can")} < HELD_OUT_PAIRS
    assert all(name in LEXICON for pair in HELD_OUT_PAIRS for name in pair)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[object]\ncube = cube = 方块", "not enough values"),
        ("[colour]\nred = red = 红色 = hóng sè = 0.8 0.1", "not enough values"),
        ("[colour]\nred = red = 红色 = hóng sè = a b c", "could not convert"),
        ("[objet]\ncube = cube = 方块 = fāng kuài = toy", "below .objet., expected one of colour"),
        ("[held out pairs]\napple plate", "not enough values"),
    ],
)
def test_a_wrong_line_is_told_with_its_place(tmp_path, line, message):
    path = tmp_path / "words.txt"
    path.write_text(f"# Words.\n{line}\n", "utf-8")
    with pytest.raises(ConfigError, match=rf"words\.txt:3: cannot read .*{message}"):
        lexicon._read(path)
