"""A question set as a local task of lmms-eval, so that any VLM can be asked it."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from uamsim.data.vqa import VQADataset
from uamsim.storage import write_text

TASK = "uamsim_skills"
VERSION = 1
"""Raised when the same seed gives other questions, pictures or scores."""
_FEATURES = {
    "image": {"_type": "Image"},
    **{
        name: {"dtype": "string", "_type": "Value"}
        for name in ("id", "skill", "question", "answer")
    },
}

_YAML = """\
task: {task}
dataset_path: parquet
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_target: "answer"
generation_kwargs:
  max_new_tokens: 32
  temperature: 0
  do_sample: false
process_results: !function utils.process_results
metric_list:
  - metric: S
    aggregation: !function utils.mean_over_skills
    higher_is_better: true
metadata:
  - version: {version}
    seed: {seed}
    questions: {questions}
"""

_UTILS = '''\
"""S, the mean over skills of exact match: NFKC, no case, single spaces."""

import io
import unicodedata
from collections import defaultdict

from PIL import Image


def doc_to_visual(doc):
    image = doc["image"]
    if isinstance(image, dict):
        image = Image.open(io.BytesIO(image["bytes"]))
    return [image.convert("RGB")]


def doc_to_text(doc, lmms_eval_specific_kwargs=None):
    return doc["question"]


def process_results(doc, results):
    right = normalise(results[0]) == normalise(doc["answer"])
    return {"S": {"skill": doc["skill"], "right": right}}


def normalise(text):
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def mean_over_skills(results):
    skills = defaultdict(list)
    for result in results:
        skills[result["skill"]].append(result["right"])
    return sum(sum(right) / len(right) for right in skills.values()) / len(skills)
'''


def write_task(root: Path, out: Path) -> Path:
    """Writes the test questions of a set as YAML, its functions, and parquet with PNG pictures.

    Args:
        root: a set that ``generate_vqa`` wrote.
        out: folder of the task, which the YAML names.

    Returns:
        The path of the YAML file.

    Raises:
        DatasetError: the set is missing or corrupt.
    """
    dataset = VQADataset(root, "test")
    rows = dataset.test_questions()
    pictures = [_png(dataset, place) for place, _ in rows]
    table = pa.table(
        {
            "image": [{"bytes": data, "path": None} for data in pictures],
            "id": [f"{question.skill}-{number}" for number, (_, question) in enumerate(rows)],
            "skill": [question.skill for _, question in rows],
            "question": [question.question for _, question in rows],
            "answer": [question.answer for _, question in rows],
        },
        metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
    )
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, out / "test.parquet")
    write_text(out / "utils.py", _UTILS)
    text = _YAML.format(
        task=TASK,
        data=json.dumps(str(out.absolute() / "test.parquet")),
        version=VERSION,
        seed=dataset.config.seed0,
        questions=len(rows),
    )
    path = out / f"{TASK}.yaml"
    write_text(path, text)
    return path


def _png(dataset: VQADataset, place: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(dataset.images[place]).save(file, "png")
    return file.getvalue()
