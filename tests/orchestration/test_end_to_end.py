import os
import subprocess
import sys
import time

import pytest

from uamsim.reporting.results import validate_results
from uamsim.storage import read_json

COMMAND = [
    *(sys.executable, "-m", "uamsim.experiment", "dorsal_sweep"),
    *("--scale", "debug", "--runner", "inline", "--workers", "1"),
    *("--variants", "no_dorsal", "uam", "--evaluation.splits", "in_domain", "code_mix"),
    *("--evaluation.in-domain-episodes", "1", "--evaluation.control-episodes", "1"),
]


def _run(tmp_path, *more):
    return subprocess.run(
        [*COMMAND, "--out", str(tmp_path / "out"), *more],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "UAMSIM_CACHE": str(tmp_path / "cache")},
    )


@pytest.mark.slow
def test_from_nothing_to_the_report_and_resumed(tmp_path):
    first = _run(tmp_path)
    assert first.returncode == 0, first.stderr
    out = tmp_path / "out"
    results = read_json(out / "results.json")
    validate_results(results)
    modes = {row["e_sem"] for row in results["rows"]}
    assert modes == {"unfrozen", "frozen", "restored", None}
    controls = {row["control"] for row in results["rows"]}
    assert controls == {"random", "blind", "deaf", "shuffled", None}
    frozen = [row for row in results["retention"] if row["e_sem"] == "frozen"]
    assert all(row["S"] == row["S0"] for row in frozen)
    assert all(results["media"][kind] for kind in ("worlds", "videos", "goals", "attention"))
    assert "<html" in (out / "report.html").read_text()[:500].lower()

    refused = _run(tmp_path)
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    started = time.time()
    again = _run(tmp_path, "--resume")
    assert again.returncode == 0, again.stderr
    assert "trials" not in again.stderr
    touched = [f for f in (out / "trials").rglob("*") if f.stat().st_mtime > started]
    assert not touched
    assert read_json(out / "results.json")["rows"] == results["rows"]
