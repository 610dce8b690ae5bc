import dataclasses
import json

import pandas as pd
import pytest

from uamsim.contract import EpisodeRecord
from uamsim.errors import ResultsError, StorageError
from uamsim.evaluation.backends.jobs import RolloutJob
from uamsim.evaluation.backends.ledger import LEDGER_FILE, Ledger
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.episode_tables import episode_rows, read_episodes, write_parquet
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import ReachPolicy


def record(seed: int, policy: str = "p") -> EpisodeRecord:
    return EpisodeRecord(
        policy=policy,
        env_id="e",
        task="reach",
        split="pinyin",
        seed=seed,
        instruction="pèng hóng sè",
        success=seed % 2 == 0,
        stages={"reached": True, "touched": seed % 2 == 0},
        num_steps=seed,
        render_profile="fast",
        wall_s=0.5,
    )


RECORDS = [record(1), record(2), record(1, "q")]


def test_parquet_is_read_by_pandas_and_back(tmp_path):
    path = tmp_path / "out" / "episodes.parquet"
    write_parquet(path, episode_rows(RECORDS, {"p": {"variant": "uam", "control": None}}))
    frame = pd.read_parquet(path)
    assert str(frame.dtypes["success"]) == "bool"
    table = frame.to_dict("list")
    assert table["success"] == [False, True, False]
    assert table["episode_hash"] == [r.episode_hash for r in RECORDS]
    assert all(pd.isna(value) for value in table["control"])
    assert table["variant"][:2] == ["uam", "uam"]
    assert json.loads(table["stages"][0]) == RECORDS[0].stages
    for where in (path, path.parent):
        assert read_episodes(where) == {"p": RECORDS[:2], "q": RECORDS[2:]}
    assert [file.name for file in path.parent.iterdir()] == ["episodes.parquet"]


def test_plain_files_are_read(tmp_path):
    rows = [dataclasses.asdict(r) for r in RECORDS]
    lines = tmp_path / "episodes.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps([{**row, "unheard_of": 1} for row in rows]), "utf-8")
    assert read_episodes(plain) == read_episodes(lines) == {"p": RECORDS[:2], "q": RECORDS[2:]}


def test_a_ledger_comes_before_the_tables_made_of_it(tmp_path):
    unit = RolloutUnit(env_id=REACH_ID, split="pinyin", seeds=(1, 2))
    job = RolloutJob(policy="p", policy_factory=ReachPolicy, unit=unit)
    with Ledger(tmp_path / LEDGER_FILE) as ledger:
        ledger.add(job, RECORDS[0])
    write_parquet(tmp_path / "episodes.parquet", episode_rows(RECORDS, {}))
    assert read_episodes(tmp_path) == {"p": RECORDS[:1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no episodes"),
        ("{", "cannot be read"),
        ('{"a": 1}', "list of episodes"),
        ('[{"policy": "p"}]', "lacks env_id"),
    ],
)
def test_what_holds_no_episodes_is_named(tmp_path, text, message):
    path = tmp_path / "file.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ResultsError, match=message):
        read_episodes(path)
    with pytest.raises(ResultsError, match="does not exist"):
        read_episodes(tmp_path / "nowhere")


def test_numbers_are_not_taken_for_success(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps([{**dataclasses.asdict(RECORDS[0]), "success": 0.4}]), "utf-8")
    with pytest.raises(ResultsError, match=r"true or false, got 0\.4"):
        read_episodes(path)


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_parquet(tmp_path / "file" / "episodes.parquet", [{"a": 1}])
