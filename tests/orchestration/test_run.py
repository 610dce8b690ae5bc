import io
import json
import time

import pytest

from uamsim.errors import ConfigError
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.runs.folder import alone_in, differences, open_run, provenance
from uamsim.orchestration.runs.progress import Console, duration
from uamsim.storage import write_json

SPEC = build_experiment("dorsal_sweep", "debug")


def test_folder_of_another_experiment_is_refused(tmp_path):
    open_run(SPEC, tmp_path / "out", resume=False)
    other = SPEC.replace(seeds=(1,))
    with pytest.raises(ConfigError, match=r"differs in seeds.*--resume.*--out"):
        open_run(other, tmp_path / "out", resume=True)
    with pytest.raises(ConfigError, match="--resume"):
        open_run(SPEC, tmp_path / "out", resume=False)


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        open_run(SPEC, tmp_path, resume=True)


def test_resuming_keeps_the_run_and_its_start(tmp_path):
    first = open_run(SPEC, tmp_path / "out", resume=True, command="a")
    second = open_run(SPEC, tmp_path / "out", resume=True, command="b")
    assert second == first | {"resumed": 1}
    record = provenance(SPEC, second)
    assert record["command"] == "a"
    assert set(record["versions"]) >= {"python", "torch", "mujoco"}


def test_differences_name_the_path():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 0}) == ["a.c", "d"]


def test_console_shows_tasks_and_adds_up_times(tmp_path, monkeypatch):
    monkeypatch.setattr("uamsim.orchestration.runs.progress._POLL_EVERY_S", 0.01)
    stream = io.StringIO()
    write_json(tmp_path / "timing.json", {"trials": 100.0})
    console = Console(tmp_path / "progress", tmp_path / "timing.json", stream)
    with console.stage("trials", "2 to run"):
        report = console.report("uam-frozen-seed0")
        report(1, 10, {"total": 0.5})
        report._written = 0.0
        report(4, 10, {"total": 0.25})
        for _ in range(6_000):
            if "4/10" in stream.getvalue() or "1/10" in stream.getvalue():
                break
            time.sleep(0.01)
    text = stream.getvalue()
    assert "uam-frozen-seed0: " in text
    assert "total 0." in text
    assert json.loads((tmp_path / "timing.json").read_text())["trials"] >= 100.0


def test_failed_stage_is_timed_too(tmp_path):
    console = Console(tmp_path / "progress", tmp_path / "timing.json", io.StringIO())
    with pytest.raises(KeyboardInterrupt), console.stage("vlm"):
        raise KeyboardInterrupt
    assert "vlm" in console.timing


@pytest.mark.parametrize(
    ("seconds", "text"), [(4, "4s"), (61.2, "1m01s"), (7265, "2h01m"), (0, "0s")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_two_processes_do_not_share_a_folder(tmp_path):
    with (
        alone_in(tmp_path / "out"),
        pytest.raises(ConfigError, match="another process"),
        alone_in(tmp_path / "out"),
    ):
        pass
    with alone_in(tmp_path / "out"):
        open_run(SPEC, tmp_path / "out", resume=False)
