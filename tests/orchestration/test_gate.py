from uamsim.contract import SKILLS
from uamsim.orchestration.artifacts.gate import MIN_SKILLS, judge

GOALS = {"english": [95, 100], "chinese": [85, 100], "pinyin": [81, 100], "never shown": [80, 100]}
ERRORS = {"Press": {"copy": 2.0, "right": 1.0, "other": 1.5}}
SKILLS_KNOWN = dict.fromkeys(SKILLS, 0.99)


def failed(gate):
    assert gate["passed"] == all(check["passed"] for check in gate["checks"])
    return [check["name"] for check in gate["checks"] if not check["passed"]]


def test_a_generator_that_knows_enough_passes():
    gate = judge(GOALS, ERRORS, SKILLS_KNOWN)
    assert failed(gate) == []
    assert (gate["goals"], gate["first_frames"], gate["skills"]) == (GOALS, ERRORS, SKILLS_KNOWN)


def test_each_lack_is_named():
    gate = judge({**GOALS, "english": [89, 100]}, ERRORS, SKILLS_KNOWN)
    assert failed(gate) == ["right goals on held-out scenes"]
    gate = judge({**GOALS, "never shown": [0, 0]}, ERRORS, SKILLS_KNOWN)
    assert failed(gate) == ["right goals of things that demonstrations never show"]
    gate = judge(GOALS, {"Press": {"copy": 2.0, "right": 1.3, "other": 1.31}}, SKILLS_KNOWN)
    assert len(failed(gate)) == 2
    gate = judge(GOALS, ERRORS, {**SKILLS_KNOWN, "ocr": MIN_SKILLS["ocr"] - 0.01})
    assert failed(gate) == ["S0, ocr"]
    assert failed(judge(GOALS, ERRORS, dict.fromkeys(SKILLS, 0.85)))[0] == "S0"
