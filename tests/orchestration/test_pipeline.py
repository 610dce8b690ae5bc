import io
import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from uamsim.errors import ConfigError, StorageError, TrialError
from uamsim.evaluation.backends.ledger import LEDGER_FILE, Ledger, read_ledger
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.artifacts import store as store_module
from uamsim.orchestration.artifacts.store import ArtifactStore
from uamsim.orchestration.experiment.pipeline import RunOptions, run_experiment
from uamsim.orchestration.runners.inline import InlineRunner
from uamsim.orchestration.runs.progress import Console
from uamsim.orchestration.spec import INTERVENTIONS, InterventionConfig
from uamsim.reporting import report as report_module
from uamsim.reporting.results import validate_results


def _run(spec, tmp_path, *, resume=True, runner=None, out="out", pretrain=False):
    folder = tmp_path / out
    console = Console(folder / "progress", folder / "timing.json", io.StringIO())
    options = RunOptions(
        out=folder, resume=resume, cache=tmp_path / "cache", command="test", pretrain=pretrain
    )
    return run_experiment(spec, options, runner or InlineRunner(), console)


def _results(tmp_path, out="out"):
    return json.loads((tmp_path / out / "results.json").read_text())


@pytest.fixture(autouse=True)
def _no_report(monkeypatch):
    def build(out):
        (out / "report.html").write_text("")
        return out / "report.html"

    monkeypatch.setattr(report_module, "build_report", build)


def test_whole_run_gives_valid_results(spec, work, tmp_path):
    report = _run(spec, tmp_path)
    assert report.name == "report.html"
    value = _results(tmp_path)
    validate_results(value)
    policies = [r for r in value["rows"] if r["control"] is None]
    rows = {(r["variant"], r["e_sem"], r["split"]): r for r in policies}
    assert len(rows) == 2 * 3 * 2
    assert rows["uam", "restored", "in_domain"]["episodes"] == 2
    controls = {r["control"] for r in value["rows"]} - {None}
    assert controls == {"random", "blind", "deaf", "shuffled"}
    assert {r["e_sem"] for r in value["retention"]} == {"unfrozen", "frozen", "restored"}
    restored = [r for r in value["retention"] if r["e_sem"] == "restored"]
    assert all(r["S"] == r["S0"] for r in restored)
    assert {r["step"] for r in value["curves"]} == set(spec.tuning.snapshot_steps)
    assert value["timing"]["total"] > 0
    assert max(work.finished.values()) == 1
    check_tables(report.parent, value)


def test_interventions_are_measured_once_and_named_where_they_do_not_apply(spec, work, tmp_path):
    asked = InterventionConfig(names=tuple(INTERVENTIONS), goal_scenes=0)
    spec = spec.replace(interventions=asked, e_sem=("unfrozen",), restored=False)
    _run(spec, tmp_path)
    value, begun = _results(tmp_path), work.begun
    validate_results(value)
    rows = {(r["variant"], r["intervention"]): r for r in value["interventions"]}
    assert len(rows) == len(value["interventions"]) == 2 * (1 + len(INTERVENTIONS))
    applicable = {key for key, row in rows.items() if row["applicable"]}
    assert rows.keys() - applicable == {("no_dorsal", "hide_e_dor"), ("no_dorsal", "hide_goal")}
    assert all((row["episodes"] == 1) == row["applicable"] for row in rows.values())
    assert rows["uam", "hide_goal"]["hidden"] == ["G_1"]
    steps = list(range(1, spec.tuning.steps + 1))
    assert [row["step"] for row in value["losses"]] == [steps, steps]
    costs = {row["variant"]: row["flops_per_step"] for row in value["costs"]}
    assert costs["uam"] > costs["no_dorsal"] > 0
    _run(spec, tmp_path)
    assert work.begun == begun
    assert _results(tmp_path)["interventions"] == value["interventions"]


def test_every_treatment_of_e_sem_runs(spec, work, tmp_path):
    pairs = ("no_dorsal-unfrozen", "no_dorsal-cotrained", "uam-insulated")
    mixed = spec.replace(e_sem=("unfrozen", "frozen", "cotrained", "insulated"), pairs=pairs)
    _run(mixed, tmp_path)
    value = _results(tmp_path)
    validate_results(value)
    trained = {(r["variant"], r["e_sem"]) for r in value["retention"]}
    assert trained == {tuple(pair.split("-")) for pair in (*pairs, "no_dorsal-restored")}


def test_cotraining_needs_the_training_questions(spec, work, tmp_path, monkeypatch):
    store, vqa = ArtifactStore(tmp_path / "cache"), stages.recipes(spec)["vqa"]
    monkeypatch.setattr(store, "find", lambda recipe, **_: None if recipe == vqa else tmp_path)
    assert stages.plan(spec, store).needed == []
    assert stages.plan(spec.replace(e_sem=("cotrained",)), store).needed == ["vqa"]


def check_tables(out, value):
    """The parquet files hold the numbers of results.json."""
    episodes = pq.read_table(out / "episodes.parquet").to_pylist()
    rates = pq.read_table(out / "rates.parquet").to_pylist()
    assert len(rates) == len(value["rows"])
    assert len(episodes) == sum(row["episodes"] for row in rates)
    assert len({row["episode_hash"] for row in episodes}) == len(episodes)
    for row in rates:
        same = [e for e in episodes if (e["policy"], e["split"]) == (row["policy"], row["split"])]
        assert sum(e["success"] for e in same) == row["successes"]
        assert row["ci_low"] <= row["rate"] <= row["ci_high"]
    suites = pq.read_table(out / "suites.parquet").to_pylist()
    # One task: the average over these tasks is the rate, with its interval.
    for end in ("ci_low", "ci_high"):
        assert [row[end] for row in suites] == pytest.approx([row[end] for row in rates])
    comparisons = pq.read_table(out / "comparisons.parquet").to_pylist()
    known = {row["policy"]: (row["variant"], row["e_sem"]) for row in rates}
    pairs = {(r["control"], r["variant"], r["e_sem"], *known[r["reference"]]) for r in comparisons}
    assert {p for p in pairs if p[0] is None} == {
        (None, "uam", mode, "no_dorsal", mode) for mode in ("unfrozen", "frozen", "restored")
    }
    assert ("blind", "uam", "unfrozen", "uam", "unfrozen") in pairs
    assert ("random", None, None, "uam", "unfrozen") in pairs
    assert len(comparisons) == len(value["comparisons"])


def test_killed_anywhere_and_resumed_redoes_nothing_finished(spec, work, tmp_path, monkeypatch):
    played: Counter[tuple[str, str, int]] = Counter()
    add = Ledger.add

    def count(ledger, job, record):
        played[str(ledger.path), job.setting, record.seed] += 1
        add(ledger, job, record)

    monkeypatch.setattr(Ledger, "add", count)
    _run(spec, tmp_path, out="whole")
    pieces, whole = work.begun, _results(tmp_path, "whole")
    work.finished, work.begun = Counter(), 0
    shutil.rmtree(tmp_path / "cache")
    played.clear()
    interrupted = 0
    for _ in range(3 * pieces):
        # The longest piece that cannot be cut begins two things: a step with a snapshot's episode.
        work.begun, work.at = 0, 3
        try:
            _run(spec, tmp_path)
            break
        except KeyboardInterrupt:
            interrupted += 1
    else:
        pytest.fail("never came to an end")
    assert interrupted > 20
    assert max(work.finished.values()) == 1
    assert max(played.values()) == 1
    kept = [read_ledger(path) for path in (tmp_path / "out").rglob(LEDGER_FILE)]
    assert sum(map(len, kept)) == len(played)
    again = _results(tmp_path)
    for key in ("rows", "curves", "retention"):
        assert again[key] == whole[key]


def test_finished_run_resumed_does_nothing(spec, work, tmp_path):
    _run(spec, tmp_path)
    work.begun, work.at = 0, 1
    _run(spec, tmp_path)
    assert work.begun == 0


def test_a_start_reads_each_artifact_once(spec, work, tmp_path, monkeypatch):
    read: Counter[Path] = Counter()
    real = store_module.sha256

    def count(path):
        read[path] += 1
        return real(path)

    _run(spec, tmp_path)
    monkeypatch.setattr(store_module, "sha256", count)
    _run(spec, tmp_path)
    assert len(read) == 7
    assert max(read.values()) == 1


def test_second_run_shares_what_was_made(spec, work, tmp_path):
    _run(spec, tmp_path)
    _run(spec.replace(seeds=(1,)), tmp_path, out="other")
    assert work.finished["vlm"] == work.finished["demonstrations"] == 1


def test_pretrain_makes_the_models_anew_once_a_run(spec, work, tmp_path):
    _run(spec, tmp_path)
    _run(spec, tmp_path, out="other", pretrain=True)
    _run(spec, tmp_path, out="other", pretrain=True)
    assert work.finished["vlm"] == work.finished["generator"] == 2
    assert work.finished["demonstrations"] == work.finished["vqa"] == 1


def test_damaged_results_are_made_again(spec, work, tmp_path):
    _run(spec, tmp_path)
    trial = tmp_path / "out" / "trials" / "uam-frozen-seed0"
    (trial / "done.json").write_text('{"recipe": "')
    (tmp_path / "out" / "results.json").unlink()
    _run(spec, tmp_path)
    assert json.loads((trial / "done.json").read_text())["S"] == 1.0
    assert _results(tmp_path)["rows"]


def test_other_experiment_in_the_folder(spec, work, tmp_path):
    _run(spec, tmp_path)
    with pytest.raises(ConfigError, match="another --out"):
        _run(spec.replace(seeds=(5,)), tmp_path)


def test_full_disk_in_a_trial_keeps_what_finished(spec, work, tmp_path, monkeypatch):
    from uamsim.orchestration.trials import tune as trials

    write = trials.write_json
    calls = []

    def full_at_second(path, value):
        calls.append(path)
        if len(calls) == 2:
            raise StorageError("the disk is full")
        write(path, value)

    monkeypatch.setattr(trials, "write_json", full_at_second)
    with pytest.raises(StorageError, match="full"):
        _run(spec, tmp_path)
    assert len(list((tmp_path / "out" / "trials").glob("*/done.json"))) == 1
    _run(spec, tmp_path)
    assert max(work.finished.values()) == 1


def test_trial_that_leaves_nothing_is_named(spec, work, tmp_path):
    runner = InlineRunner(trial_function=lambda *_args: {})
    with pytest.raises(TrialError, match=r"4 of 4 trials.*--resume(.|\n)*uam-frozen-seed0"):
        _run(spec, tmp_path, runner=runner)
