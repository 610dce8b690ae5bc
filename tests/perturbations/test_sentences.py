"""A file of sentences gives what it says, or an error with its place."""

import pytest

from uamsim.errors import ConfigError
from uamsim.perturbations.language.sentences import read_sentences


def write(folder, *lines):
    path = folder / "some.txt"
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_a_whole_file_is_read(tmp_path):
    read = read_sentences(
        write(
            tmp_path,
            "# Of things.",
            "[about]",
            "turn_left: cube, ball -> drawer",
            "stop: cube",
            "[nouns]",
            "drawer = drawer/chest = 抽屉/抽斗",
            "[colours]",
            "red = red = 红色",
            "",
            "[translations]",
            "turn=转 to=到",
            "stop=停",
            "[turn_~ look_~]",
            "turn {thing} ~",
            "把{thing}转到~边",
            "paraphrased:",
            "to the ~, {thing}",
            "reordered:",
            "paraphrased, reordered:",
            "向~转{thing}",
            "[stop]",
            "stop",
            "stop the {drawer}",
        )
    )
    assert read.source == f"{tmp_path.name}/some.txt"
    assert read.tasks == ("turn_left", "turn_right", "look_left", "look_right", "stop")
    assert read.templates["turn_left", "english", False, False] == ("turn {thing} left",)
    assert read.templates["look_right", "chinese", False, False] == ("把{thing}转到右边",)
    assert read.templates["turn_right", "english", True, False] == ("to the right, {thing}",)
    assert read.templates["look_left", "chinese", True, True] == ("向左转{thing}",)
    assert not any(key[2:] == (False, True) for key in read.templates)
    assert read.templates["stop", "english", False, False] == ("stop", "stop the {drawer}")
    assert read.written_in("english")[-1] == ("stop", "stop the {drawer}")
    assert read.about == {"turn_left": (("cube", "ball"), ("drawer",)), "stop": (("cube",), ())}
    assert read.nouns == {"drawer": {"english": ("drawer", "chest"), "chinese": ("抽屉", "抽斗")}}
    assert read.colours == {"red": {"english": ("red",), "chinese": ("红色",)}}
    assert read.translations == {"turn": "转", "to": "到", "stop": "停"}


@pytest.mark.parametrize(
    ("lines", "number", "message"),
    [
        (["stop"], 1, r"stands before the first \[task\]"),
        (["[stop]", "", "stop", "reodered:"], 4, "'reodered:' is none of 'paraphrased:', "),
        (["[stop]", "stop", "# again", "stop"], 4, "twice for stop"),
        (["[stop]", "stop", "paraphrased:", "stop"], 4, "twice for stop"),
        (["[stop]", "stop", "[stop]"], 3, r"\[stop\] is there twice"),
        (["[stop]", "paraphrased:"], 2, r"\[stop\] has no sentence"),
        (["[stop]", "stop the {thing"], 2, "a brace that is no slot such as {thing}"),
        (["[stop]", "stop the {}"], 2, "a brace that is no slot"),
        (["[about]", "stop cube"], 2, "expected 'task: things'"),
        (["[about]", "stop:"], 2, "expected 'task: things'"),
        (["[about]", "stop: cube", "stop: ball"], 3, "'stop' is there twice"),
        (["[nouns]", "drawer = drawer"], 2, "expected 'name = English"),
        (["[colours]", "red = = 红色"], 2, "expected 'name = English"),
        (["[nouns]", "a = b = 二", "a = c = 三"], 3, "'a' is there twice"),
        (["[translations]", "put=放 stop"], 2, "expected pairs such as put=放, got 'stop'"),
        (["[translations]", "put=放 put=摆"], 2, "'put' is there twice"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path, lines, number, message):
    path = write(tmp_path, *lines)
    with pytest.raises(ConfigError, match=rf"some\.txt:{number}: .*{message}"):
        read_sentences(path)


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the sentences of .*none\.txt"):
        read_sentences(tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe[")
    with pytest.raises(ConfigError, match=r"bad\.txt"):
        read_sentences(tmp_path / "bad.txt")
