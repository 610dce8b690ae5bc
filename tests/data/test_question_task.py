"""The question set as lmms-eval's local task: read back without the harness, as it would."""

import importlib.util
import io
import json

import numpy as np
import pyarrow.parquet as pq
import yaml
from PIL import Image

from uamsim.contract import SKILLS
from uamsim.data.config import VQAConfig
from uamsim.data.question_task import write_task
from uamsim.data.vqa import VQADataset, generate_vqa
from uamsim.evaluation.retention import score


class Loader(yaml.SafeLoader):
    """Reads ``!function utils.NAME`` as the name."""


Loader.add_constructor("!function", lambda _, node: node.value)


class OnceWrong:
    """Knows every answer but the first, and writes them in its own way."""

    def __init__(self, answers):
        self.left = [*answers]

    def answer(self, images, questions):
        said = [f" {answer.upper()} " for answer in self.left[: len(questions)]]
        self.left = self.left[len(questions) :]
        return said


def test_a_task_holds_the_questions_and_gives_the_same_score(tmp_path, scene_id):
    config = VQAConfig(
        env_id=scene_id,
        num_train_scenes=1,
        num_test_scenes=30,
        questions_per_skill_test=4,
        image_size=(16, 24),
    )
    root = generate_vqa(config, tmp_path / "vqa")
    path = write_task(root, tmp_path / "task")
    task = yaml.load(path.read_text("utf-8"), Loader)
    data = task["dataset_kwargs"]["data_files"][task["test_split"]]
    table = pq.read_table(data)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features.keys() == set(table.column_names)
    rows = table.to_pylist()
    assert len(rows) == len(SKILLS) * 4

    dataset = VQADataset(root, "test")
    questions = dataset.test_questions()
    for row, (place, question) in zip(rows, questions, strict=True):
        picture = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
        assert np.array_equal(picture, dataset.images[place])
        assert (row["question"], row[task["doc_to_target"]]) == (question.question, question.answer)

    where = importlib.util.spec_from_file_location("task_utils", path.parent / "utils.py")
    assert where is not None
    assert where.loader is not None
    utils = importlib.util.module_from_spec(where)
    where.loader.exec_module(utils)
    names = {n.removeprefix("utils.") for n in map(str, task.values()) if n.startswith("utils.")}
    assert all(callable(getattr(utils, name)) for name in names)

    (shown,) = utils.doc_to_visual(rows[0])
    assert np.array_equal(np.asarray(shown), dataset.images[questions[0][0]])
    answers = ["?", *(question.answer for _, question in questions[1:])]
    expected = score(OnceWrong(answers), questions, dataset.images).mean
    said = OnceWrong(answers).answer(None, answers)
    found = [utils.process_results(row, [text])["S"] for row, text in zip(rows, said, strict=True)]
    assert utils.mean_over_skills(found) == expected == 1 - 1 / 24
