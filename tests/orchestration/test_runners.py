import asyncio
import dataclasses
import io
import os
import sys
from pathlib import Path

import pytest

from uamsim.errors import (
    ConfigError,
    MissingDependencyError,
    TrialError,
    UamsimError,
    UnknownNameError,
)
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.runners.inline import InlineRunner
from uamsim.orchestration.runners.names import make_runner
from uamsim.orchestration.runs.progress import Console
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.orchestration.trials.trial import (
    Artifacts,
    TrialContext,
    TrialSpec,
    expand,
    load_done,
    trial_recipe,
)
from uamsim.perturbations.splits import SPLITS
from uamsim.storage import sha256, write_json
from uamsim.training.config import RuntimeConfig


def trivial_trial(context: TrialContext, trial: TrialSpec, report) -> dict:
    """Numbers from the seed alone; leaves its environment; fails where a file says so."""
    import numpy as np

    folder = context.folder(trial)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "attempts").open("a") as handle:
        handle.write("x")
    wish = context.out / f"fail-{trial.trial_id}"
    if wish.exists() and len((folder / "attempts").read_text()) <= int(wish.read_text()):
        raise UamsimError("as wished")
    rng = np.random.default_rng([trial.seed, len(trial.variant)])
    (folder / "model").write_text(os.environ.get("MALLOC_TOP_PAD_", ""))
    done = {
        "recipe": trial_recipe(context, trial),
        "checkpoint": "model",
        "checkpoint_hash": sha256(folder / "model")[:16],
        "S": float(rng.random()),
        "seconds": 0.0,
    }
    report(1, 1, {"S": done["S"]})
    write_json(folder / "done.json", done)
    return done


def ranked_trial(context: TrialContext, trial: TrialSpec, report) -> dict:
    """What each rank adds up to; the last of them dies the first two times.

    The first time the others may not have started yet.
    """
    import signal

    import torch

    from uamsim.training.ranks import Ranks

    folder, ranks = context.folder(trial), Ranks.current()
    folder.mkdir(parents=True, exist_ok=True)
    is_last, early, late = ranks.rank == ranks.size - 1, folder / "early", folder / "late"
    if is_last and not early.exists():
        early.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.barrier()
    if is_last and not late.exists():
        late.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    total = float(ranks.sum(torch.tensor(float(1 + ranks.rank))))
    if not ranks.is_first:
        return {}
    (folder / "model").touch()
    done = {
        "recipe": trial_recipe(context, trial),
        "checkpoint": "model",
        "checkpoint_hash": sha256(folder / "model")[:16],
        "S": total,
    }
    write_json(folder / "done.json", done | {"seconds": 0.0})
    return done


def _context(out: Path) -> TrialContext:
    spec = build_experiment("dorsal_sweep", "debug")
    assert isinstance(spec, ExperimentSpec)
    spec = spec.replace(variants=("no_dorsal", "uam"))
    none = Path("/none")
    artifacts = Artifacts(
        demonstrations=none, vqa_test=none, tokenizer=none, vlm=none, vae=none, generator=none
    )
    out.mkdir()
    return TrialContext(spec=spec, out=out, artifacts=artifacts, before={})


def _run(runner, context):
    console = Console(context.out / "progress", context.out / "timing.json", io.StringIO())
    runner.run_trials(context, expand(context.spec), console)
    results = {}
    for trial in expand(context.spec):
        done = load_done(context, trial)
        assert done is not None
        results[trial.trial_id] = done["S"]
    return results


def _attempts(context):
    return {
        trial.trial_id: len((context.folder(trial) / "attempts").read_text())
        for trial in expand(context.spec)
    }


def _answer() -> int:
    return 42


def _complain() -> None:
    try:
        SPLITS["blu"]
    except UnknownNameError as error:
        raise TrialError("the reason") from error


@pytest.fixture(scope="module")
def make_tune_runner():
    from ray import cloudpickle

    from uamsim.orchestration.runners.tune import TuneRunner

    # Workers cannot import this file by name.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    runner = TuneRunner(2, trivial_trial)
    yield runner
    runner.close()


@pytest.mark.slow
def test_both_runners_give_the_same_numbers(tmp_path, make_tune_runner):
    inline, tuned = _context(tmp_path / "inline"), _context(tmp_path / "tune")
    assert _run(InlineRunner(1, trivial_trial), inline) == _run(make_tune_runner, tuned)
    assert set(_attempts(tuned).values()) == {1}
    trial = expand(tuned.spec)[0]
    assert (tuned.folder(trial) / "model").read_text() == "268435456"


@pytest.mark.slow
def test_ranks_of_a_trial_are_started_together_and_again(tmp_path, make_tune_runner, monkeypatch):
    context = _context(tmp_path / "out")
    spec = context.spec.replace(variants=("uam",), e_sem=("unfrozen",))
    context = dataclasses.replace(context, spec=spec, runtime=RuntimeConfig(ranks=2))
    monkeypatch.setattr(make_tune_runner, "_trial_function", ranked_trial)
    assert _run(make_tune_runner, context) == {"uam-unfrozen-seed0": 3.0}
    assert (context.folder(expand(spec)[0]) / "late").exists()


def test_ranks_that_wait_for_a_dead_one_are_given_back():
    from uamsim.orchestration.runners.ranks import GiveBack

    class Group:
        started = True

        def has_started(self):
            return self.started

        def shutdown(self):
            assert self.started
            self.started = False

    callback, group = GiveBack(), Group()

    def start(*events):
        with callback.on_worker_group_start():
            for event in events:
                event()

    def live():
        callback.after_worker_group_start(group)  # pyright: ignore[reportArgumentType]

    def die():
        raise OSError("dead")

    with pytest.raises(OSError, match="dead"):
        start(die)
    with pytest.raises(OSError, match="dead"):
        start(live, die)
    assert not group.started, "one died before the others had joined it"
    group.started = True
    start(live)
    assert group.started, "all live"
    asyncio.run(callback.before_controller_shutdown())
    assert not group.started, "one died while it was launched, and nobody else ended it"
    asyncio.run(callback.before_controller_shutdown())


def test_ranks_need_workers(tmp_path, make_tune_runner):
    context = dataclasses.replace(_context(tmp_path / "out"), runtime=RuntimeConfig(ranks=3))
    with pytest.raises(ConfigError, match="there are 2 workers"):
        _run(make_tune_runner, context)
    with pytest.raises(ConfigError, match="one process"):
        _run(InlineRunner(1, trivial_trial), context)


@pytest.mark.slow
def test_failed_trial_is_tried_again_then_named_then_resumed(tmp_path, make_tune_runner):
    context = _context(tmp_path / "out")
    (context.out / "fail-uam-unfrozen-seed0").write_text("2")
    (context.out / "fail-uam-frozen-seed0").write_text("4")
    with pytest.raises(TrialError, match=r"1 of 4(.|\n)*uam-frozen-seed0: .*as wished"):
        _run(make_tune_runner, context)
    assert _attempts(context)["uam-unfrozen-seed0"] == 3
    before = _attempts(context)
    (context.out / "fail-uam-frozen-seed0").unlink()
    _run(make_tune_runner, context)
    again = _attempts(context)
    changed = {name for name in again if again[name] != before[name]}
    assert changed == {"uam-frozen-seed0"}


@pytest.mark.slow
def test_calls_give_results_and_errors_as_they_are(make_tune_runner):
    assert make_tune_runner.run_calls({"a": _answer, "b": _answer}) == {"a": 42, "b": 42}
    with pytest.raises(TrialError, match="the reason") as caught:
        make_tune_runner.run_calls({"a": _complain})
    assert isinstance(caught.value.__cause__, UnknownNameError)
    assert caught.value.__cause__.name == "blu"


def test_inline_calls():
    assert InlineRunner().run_calls({"a": _answer}) == {"a": 42}


def test_a_checkpoint_that_was_changed_is_made_again(tmp_path, caplog):
    context = _context(tmp_path / "out")
    first = _run(InlineRunner(1, trivial_trial), context)
    changed = context.folder(expand(context.spec)[0]) / "model"
    whole = changed.read_bytes()
    changed.write_bytes(b"other weights")
    assert _run(InlineRunner(1, trivial_trial), context) == first
    assert changed.read_bytes() == whole
    assert "another checksum); the trial is run again" in caplog.text
    assert sorted(_attempts(context).values()) == [1] * (len(first) - 1) + [2]


def test_unknown_runner():
    with pytest.raises(UnknownNameError, match="Did you mean 'ray'"):
        make_runner("rai", 1)


def test_another_ray_train_is_named_before_a_trial_is_tried(tmp_path, monkeypatch):
    from uamsim.orchestration.runners import ranks
    from uamsim.orchestration.runners.tune import TuneRunner

    monkeypatch.delattr("ray.train.v2._internal.execution.worker_group.WorkerGroup")
    monkeypatch.delitem(sys.modules, ranks.__name__)
    runner = TuneRunner.__new__(TuneRunner)
    runner.workers = 2
    context = dataclasses.replace(_context(tmp_path / "out"), runtime=RuntimeConfig(ranks=2))
    with pytest.raises(MissingDependencyError, match=r"tested with Ray 2\.60.*leave --ranks out"):
        _run(runner, context)


def test_no_ray_names_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "uamsim.orchestration.runners.tune", raising=False)
    with pytest.raises(MissingDependencyError, match="--runner inline"):
        make_runner("ray", 1)


def test_ray_that_cannot_start_names_the_way_out(monkeypatch):
    from uamsim.orchestration.runners import tune

    def fail(**_kwargs):
        raise RuntimeError("no sockets here")

    monkeypatch.setattr(tune.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(tune.ray, "init", fail)
    with pytest.raises(MissingDependencyError, match=r"no sockets here.*--runner inline"):
        tune.TuneRunner(1)
