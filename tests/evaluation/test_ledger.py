import resource
import shutil
import signal
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from faults import NOISY, in_child, make_job, noisy_jobs, table, undisturbed
from uamsim.errors import ResultsError, StorageError
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import RolloutJob, decides
from uamsim.evaluation.backends.ledger import Ledger, read_ledger
from uamsim.evaluation.controls import ControlFactory
from uamsim.evaluation.realtime import RealTime
from uamsim.serving.refs import CheckpointFactory, ServerFactory
from uamsim.testing.policies import ReachPolicy

FILE = "ledger.sqlite"
SPEC = ReachPolicy().spec


def test_nothing_runs_twice_and_further_episodes_join(tmp_path: Path):
    seen: list[tuple[int, int, bool]] = []
    with Ledger(tmp_path / "folder" / FILE) as ledger:
        first = ledger.run(InlineBackend(), [make_job(NOISY, range(3))])
        jobs = [make_job(NOISY, (4, 1, 2)), make_job(NOISY, (4, 5))]
        more = ledger.run(
            InlineBackend(), jobs, lambda done, of, record: seen.append((done, of, record is None))
        )
        assert [r.seed for r in more] == [4, 1, 2, 4, 5]
        assert more[1:3] == first[1:3]
        assert seen == [(2, 4, True), (3, 4, False), (4, 4, False)]
        assert ledger.run(None, jobs) == more  # type: ignore[arg-type]
        assert ledger.load(jobs[0]) == more[:3]
        assert ledger.load(make_job(NOISY, (1, 77))) is None
    assert [r.seed for r in table(tmp_path / "folder" / FILE)] == [0, 1, 2, 4, 5]


def changed_jobs() -> list[RolloutJob]:
    kwargs = make_job(NOISY, ()).unit.env_kwargs
    return [
        make_job(NOISY, (1,), name="other"),
        make_job(NOISY, (1,), split="pinyin"),
        make_job(NOISY, (1,), split="lighting@3"),
        make_job(NOISY, (1,), env_kwargs={**kwargs, "image_size": [48, 64]}),
        make_job(NOISY, (1,), env_kwargs={**kwargs, "render_profile": "full"}),
        make_job(NOISY, (1,), batch_envs=5),
        make_job(NOISY, (1,), realtime=RealTime(latency_s=0.1)),
        make_job(partial(ReachPolicy, noise=0.3), (1,)),
        make_job(ControlFactory(control="random", spec=SPEC), (1,)),
        make_job(ControlFactory(control="random", spec=replace(SPEC, horizon=5)), (1,)),
    ]


def test_a_factory_says_all_but_the_place_where_its_policy_is():
    here, there = (ServerFactory(uri=f"ws://{host}:1", name="p:12") for host in ("a", "b"))
    assert decides(here) == decides(there) != decides(replace(here, keys="libero"))
    assert decides(ControlFactory(control="deaf", base=here)) != decides(here)
    files = [CheckpointFactory(name="p:12", checkpoint=Path(name)) for name in "ab"]
    assert decides(files[0]) == decides(files[1]) != decides(replace(files[0], name="p:13"))
    made = partial(dict, (), key=Path("a"))
    assert decides(made) == {"partial": ["builtins:dict", [[]], {"key": "a"}]}


def test_all_that_decides_an_episode_is_in_its_key():
    settings = {job.setting for job in [make_job(NOISY, (1,)), *changed_jobs()]}
    assert len(settings) == 11
    assert make_job(NOISY, (1,)).setting == make_job(NOISY, (2,)).setting
    kwargs = make_job(NOISY, ()).unit.env_kwargs
    tuples = {**kwargs, "image_size": (32, 48), "cameras": ("primary",)}
    assert make_job(NOISY, (1,), env_kwargs=tuples).setting == make_job(NOISY, (1,)).setting


def test_a_split_that_changed_under_its_name_is_another(tmp_path: Path):
    settings = []
    for number, severity in enumerate((2, 3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "own.py").write_text(
            "from uamsim.perturbations.splits import Split\n"
            "from uamsim.perturbations.values import *\n"
            "from uamsim.perturbations.splits import AXES\n"
            f"mine = Split(name='mine', summary='', "
            f"perturbations=(AXES['lighting'].at({severity}),))\n"
        )
        job = make_job(NOISY, (1,), split=f"{folder}/own.py:mine")
        settings.append(job.setting.replace(str(folder), ""))
    assert settings[0] != settings[1]


def test_an_episode_that_is_there_is_refused(tmp_path: Path):
    job = make_job(NOISY, (1,))
    with Ledger(tmp_path / FILE) as ledger:
        (record,) = ledger.run(InlineBackend(), [job])
        with pytest.raises(ResultsError, match="already holds seed 1 of policy 'reach'"):
            ledger.add(job, record)
        assert ledger.load(job) == [record]


@pytest.mark.parametrize("spare_pages", [0, 1, 2])
def test_a_full_disk_loses_nothing(tmp_path: Path, spare_pages: int):
    expected = undisturbed(tmp_path / "whole.sqlite", [make_job(NOISY, range(60))])
    path = tmp_path / FILE
    handed: list[int] = []
    with Ledger(path) as ledger:
        (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
        ledger._db.execute(f"PRAGMA max_page_count = {pages + spare_pages}")
        with pytest.raises(StorageError, match=r"disk is full.*Free some space.*again"):
            ledger.run(
                InlineBackend(),
                [make_job(NOISY, range(60))],
                lambda _, __, record: handed.append(record.seed) if record else None,
            )
    assert [r.seed for r in table(path)] == sorted(handed)
    assert len(handed) < 60
    assert undisturbed(path, [make_job(NOISY, range(60))]) == expected


@pytest.mark.parametrize("limit_bytes", [50_000, 70_000, 90_000])
def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path, limit_bytes: int):
    path, job = tmp_path / FILE, make_job(NOISY, range(60))

    def on_progress(done: int, *_: object) -> None:
        mark.write_text(str(done))

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        with Ledger(path) as ledger, pytest.raises(StorageError, match="Free some space"):
            ledger.run(InlineBackend(), [job], on_progress)

    mark = tmp_path / "done"
    assert in_child(work) == 0
    assert 0 < len(table(path)) == int(mark.read_text()) < 60
    assert undisturbed(path, [job]) == undisturbed(tmp_path / "whole.sqlite", [job])


def test_it_is_read_while_it_is_written(tmp_path: Path):
    path, counts = tmp_path / FILE, []
    with Ledger(path) as ledger:
        ledger.run(InlineBackend(), noisy_jobs(), lambda *_: counts.append(len(read_ledger(path))))
    assert counts == list(range(13))


def test_commits_reach_the_disk(tmp_path: Path):
    with Ledger(tmp_path / FILE) as ledger:
        assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize("damage", ["text", "middle", "version", "folder"])
def test_a_file_that_is_no_whole_ledger_is_refused(tmp_path: Path, damage: str):
    path = tmp_path / FILE
    if damage == "folder":
        path.mkdir()
    elif damage == "text":
        path.write_text("seed,success\n" * 100)
    else:
        undisturbed(path, [make_job(NOISY, range(20))])
        if damage == "middle":
            content = bytearray(path.read_bytes())
            content[4096:] = b"\xa5" * (len(content) - 4096)
            path.write_bytes(content)
        else:
            with sqlite3.connect(path) as db:
                db.execute("PRAGMA user_version = 99")
            db.close()
    with pytest.raises(StorageError, match=r"version 2, got 99|cannot use the ledger"):
        Ledger(path)


def test_reading_says_what_is_missing(tmp_path: Path):
    with pytest.raises(ResultsError, match="there is none"):
        read_ledger(tmp_path / FILE)
    (tmp_path / FILE).write_text("nonsense")
    with pytest.raises(ResultsError, match="cannot be read"):
        read_ledger(tmp_path / FILE)


@pytest.mark.parametrize(
    "change",
    [
        "instruction = 'touch the other cube'",
        "stages = '{}'",
        "seed = seed + 90",
        "split = 'chinese'",
        "policy = CAST(X'ff63' AS TEXT)",
        "setting_hash = 'x' || setting_hash",
    ],
)
def test_a_row_that_was_changed_is_named_and_its_episode_played_again(
    tmp_path: Path, caplog, change: str
):
    path, jobs = tmp_path / FILE, noisy_jobs()
    expected = undisturbed(path, jobs)
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE episodes SET {change} WHERE split = 'pinyin' AND seed = 5")
    db.close()
    with pytest.raises(ResultsError, match=r"changed after it was written.*'num_steps'"):
        read_ledger(path)
    with Ledger(path) as ledger:
        assert len(caplog.messages) == 1
        assert "its episode is played again" in caplog.messages[0]
        assert len(ledger.find(jobs[0]) | ledger.find(jobs[1])) == 8
        ledger.run(InlineBackend(), jobs)
    assert table(path) == expected


def test_a_ledger_without_hashes_is_read_and_not_written_to(tmp_path: Path):
    path = tmp_path / FILE
    expected = undisturbed(path, noisy_jobs())
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE episodes DROP COLUMN row_hash")
        db.execute("PRAGMA user_version = 1")
    db.close()
    assert read_ledger(path) == expected
    with pytest.raises(StorageError, match="move the file away to play its episodes anew"):
        Ledger(path)


@pytest.mark.parametrize("change", ["deleted", "moved", "replaced"])
def test_a_folder_that_goes_away_during_a_run_is_noticed(tmp_path: Path, change: str):
    out = tmp_path / "out"

    def on_progress(done: int, *_: object) -> None:
        if done == 3:
            shutil.rmtree(out) if change == "deleted" else out.rename(tmp_path / "away")
            if change == "replaced":
                undisturbed(out / FILE, [make_job(NOISY, range(2))])

    with (
        Ledger(out / FILE) as ledger,
        pytest.raises(StorageError, match="was deleted, moved or replaced"),
    ):
        ledger.run(InlineBackend(), noisy_jobs(), on_progress)
    if change != "deleted":
        assert len(read_ledger(tmp_path / "away" / FILE)) == 3
