import numpy as np
import pytest

from uamsim.contract import SKILLS, Question
from uamsim.errors import ConfigError, ShapeError
from uamsim.evaluation.retention import (
    Retention,
    blind_floor,
    constant_floor,
    normalise_answer,
    retention,
    score,
)
from uamsim.testing.data import FakeAnswerer, fake_questions


def test_a_seeing_answerer_is_right_and_a_blind_one_is_at_the_floor():
    images, questions = fake_questions(8)
    assert score(FakeAnswerer(), questions, images, batch_size=5).mean == 1.0
    blind = score(FakeAnswerer(), questions, images, blind=True)
    assert {r.rate for r in blind.skills.values()} == {0.25}
    assert blind_floor(FakeAnswerer(), questions, images) == dict.fromkeys(SKILLS, 0.75)
    assert constant_floor(questions) == dict.fromkeys(SKILLS, 0.75)


def test_retention_per_skill_raw_and_corrected():
    value = Retention(
        before={"counting": 1.0, "ocr": 0.9},
        after={"counting": 0.7, "ocr": 0.1},
        floors={"counting": 0.4, "ocr": 0.2},
    ).to_json()
    assert value["S0"] == pytest.approx(0.95)
    assert value["S"] == pytest.approx(0.4)
    assert value["delta"] == pytest.approx(1 - 0.4 / 0.95)
    assert value["S0_corrected"] == pytest.approx((1 + 0.7 / 0.8) / 2)
    assert value["S_corrected"] == pytest.approx((0.5 + 0.0) / 2)
    assert value["skills"]["ocr"] == {"before": 0.9, "after": 0.1, "floor": 0.2}


def test_nothing_to_forget_has_no_delta():
    value = Retention(before={"ocr": 0.0}, after={"ocr": 0.5}, floors={"ocr": 0.0}).to_json()
    assert value["delta"] is None
    assert value["delta_corrected"] is None


def test_retention_of_scores_and_mismatched_skills():
    images, questions = fake_questions(4)
    scores = score(FakeAnswerer(), questions, images)
    floors = constant_floor(questions)
    assert retention(scores, scores, floors).to_json()["delta"] == 0
    with pytest.raises(ConfigError, match="same skills"):
        retention(scores, scores, {"ocr": 0.1})


def test_answers_are_compared_without_case_width_and_spaces():
    assert normalise_answer("  Red  CUBE ") == "red cube"
    assert normalise_answer("ＡＢ１") == "ab1"
    assert normalise_answer("红色") != normalise_answer("绿色")


def test_bad_input_is_named():
    images, questions = fake_questions(1)
    with pytest.raises(ConfigError, match="at least one"):
        score(FakeAnswerer(), [], images)
    with pytest.raises(ShapeError, match="float32"):
        score(FakeAnswerer(), questions, images.astype(np.float32))
    odd = [(0, Question(skill="singing", question="bright?", answer="yes"))]
    with pytest.raises(ConfigError, match="singing"):
        score(FakeAnswerer(), odd, images)
    with pytest.raises(ShapeError, match="expected uint8"):
        score(FakeAnswerer((4, 4)), questions, images)
