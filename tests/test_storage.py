"""Files whole or not there, and locks that one process at a time holds."""

import fcntl
import os
import signal
import subprocess
import sys

import pytest

from uamsim.data.files import exclusive
from uamsim.errors import ConfigError, StorageError
from uamsim.storage import lock, read_jsonl, whole_file, write_text

BUSY = ConfigError("another process is there")


def test_path_that_cannot_be_written(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(StorageError, match="disk is full"):
        write_text(tmp_path / "a.json", "x")
    assert not list(tmp_path.iterdir())


def test_torn_last_line_is_dropped(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2')
    assert read_jsonl(path) == [{"a": 1}]
    assert read_jsonl(tmp_path / "none.jsonl") == []


def write_half(path):
    path.write_text("half")
    raise ArithmeticError("no room")


def test_what_a_library_raises_keeps_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(StorageError, match="no room"), whole_file(path, ArithmeticError) as partial:
        write_half(partial)
    with pytest.raises(ZeroDivisionError), whole_file(path):
        raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert path.read_text() == "old"


def test_a_leftover_of_the_only_writer_is_overwritten(tmp_path):
    names = []
    for _ in range(2):
        with whole_file(tmp_path / "a", alone=True) as partial:
            names.append(partial.name)
            partial.write_text("x")
    assert names[0] == names[1]


def test_who_opened_the_lock_before_it_was_released_is_not_alone_for_nothing(tmp_path):
    """A latecomer that waits for the lock's file gets it; then nobody else may."""
    with exclusive(tmp_path / "data"):
        (path,) = tmp_path.glob("*.lock")
        late = path.open("a")
    with late:
        fcntl.flock(late, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(StorageError, match="another process"), exclusive(tmp_path / "data"):
            pass


def test_a_lock_is_refused_while_it_is_held(tmp_path):
    path = tmp_path / "below" / "a.lock"
    with lock(path), pytest.raises(ConfigError, match="another process"), lock(path, BUSY):
        pass
    with lock(path, BUSY):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"), lock(tmp_path / "file" / "a.lock"):
        pass


def test_a_killed_process_holds_no_lock(tmp_path):
    path = tmp_path / "a.lock"
    code = f"""
from pathlib import Path
from uamsim.storage import lock
with lock(Path({str(path)!r})):
    print(flush=True)
    input()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(ConfigError), lock(path, BUSY):
            pass
        os.kill(child.pid, signal.SIGKILL)
    with lock(path, BUSY):
        pass
