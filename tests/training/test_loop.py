"""The optimisation loop: resuming, bad states, full disks, divergence."""

import errno

import pytest
import torch

from uamsim.errors import CheckpointError, ConfigError, StorageError, UamsimError
from uamsim.training import state
from uamsim.training.average import Average
from uamsim.training.config import OptimConfig, RuntimeConfig, TuningConfig
from uamsim.training.loop import Hooks, fit, learning_rate_scale, make_optimizer
from uamsim.training.state import STATE_NAME


def config(steps=8, **changes):
    return OptimConfig(
        steps=steps, batch_size=4, learning_rate=1e-2, warmup_steps=2, log_every=1, **changes
    )


def run(tmp_path, *, stop_after=None, steps=8, model=None):
    torch.manual_seed(0)
    model = model or torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 1))
    reports = []

    def step_loss(draw):
        x = torch.from_numpy(draw.rng.standard_normal((4, 3)).astype("float32"))
        target = torch.randn((4, 1), generator=draw.noise)
        return {"total": (model(x) - target).square().mean()}

    def report(step, total, metrics):
        reports.append(step)
        if step == stop_after:
            raise KeyboardInterrupt

    fit(
        model,
        make_optimizer(config(steps), model.named_parameters()),
        step_loss,
        config(steps),
        seed=3,
        state_path=tmp_path / STATE_NAME,
        report=report,
        hooks=Hooks(save_every=3),
    )
    return model, reports


def test_resumed_run_equals_undisturbed_run(tmp_path):
    whole, _ = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_after=5)
    resumed, reports = run(tmp_path / "cut")
    assert reports == [4, 5, 6, 7, 8]
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_finished_run_does_nothing(tmp_path):
    run(tmp_path)
    _, reports = run(tmp_path)
    assert reports == []


def test_state_of_another_model_is_named(tmp_path):
    run(tmp_path)
    with pytest.raises(CheckpointError, match=r"do not fit the model.*misshapen"):
        run(tmp_path, steps=9, model=torch.nn.Sequential(*[torch.nn.Linear(1, 1)] * 4))


def test_corrupt_state_is_named(tmp_path):
    (tmp_path / STATE_NAME).write_bytes(b"not safetensors")
    with pytest.raises(CheckpointError, match="not a training state"):
        run(tmp_path)


def test_full_disk_keeps_the_last_state(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop_after=5)
    before = (tmp_path / STATE_NAME).read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state, "save_file", full)
    with pytest.raises(StorageError, match="the disk is full"):
        run(tmp_path)
    assert (tmp_path / STATE_NAME).read_bytes() == before


def test_divergence_is_an_error(tmp_path):
    model = torch.nn.Linear(1, 1)
    with pytest.raises(UamsimError, match="diverged at step 1"):
        fit(
            model,
            make_optimizer(config(), model.named_parameters()),
            lambda draw: {"total": model(torch.full((1, 1), float("nan"))).sum()},
            config(),
            seed=0,
            state_path=tmp_path / "state",
            report=lambda *_: None,
        )


def test_schedule_warms_up_and_decays():
    cfg = config(steps=100)
    rates = [learning_rate_scale(cfg, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.5)
    assert rates[1] == rates[2] == 1.0
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(cfg.min_learning_rate_ratio, abs=0.01)


def test_a_constant_schedule_stays_at_the_peak():
    cfg = config(steps=100, schedule="constant")
    assert [learning_rate_scale(cfg, step) for step in (0, 1, 50, 99)] == [0.5, 1.0, 1.0, 1.0]


def test_a_trapezoid_keeps_the_peak_and_then_falls():
    cfg = config(steps=400, schedule="trapezoid")
    scales = [learning_rate_scale(cfg, step) for step in range(400)]
    assert scales[100:301] == [1.0] * 201
    assert scales[350] == pytest.approx(0.05 + 0.95 * 0.5)
    assert scales[399] < 0.06
    longer = config(steps=800, schedule="trapezoid")
    assert [learning_rate_scale(longer, step) for step in range(300)] == scales[:300]


def test_the_average_follows_and_is_resumed(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)

    def start():
        optimizer = make_optimizer(config(), model.named_parameters())
        return Average(0.75, model.named_parameters()), optimizer

    average, optimizer = start()
    expected, now = {n: p.detach().clone() for n, p in model.named_parameters()}, []

    def step_loss(draw):
        now.append({n: p.detach().clone() for n, p in model.named_parameters()})
        return {"total": model(torch.ones(2, 3)).square().mean()}

    def train():
        fit(
            model,
            optimizer,
            step_loss,
            config(),
            seed=0,
            state_path=tmp_path / STATE_NAME,
            report=lambda *_: None,
            average=average,
        )

    train()
    now.append({n: p.detach() for n, p in model.named_parameters()})
    for weights in now[1:]:
        expected = {n: 0.75 * expected[n] + 0.25 * weights[n] for n in expected}
    for name, value in average.shadow.items():
        torch.testing.assert_close(value, expected[name])
    average, optimizer = start()
    train()
    for name, value in average.shadow.items():
        torch.testing.assert_close(value, expected[name])


def test_bfloat16_is_for_computing_alone(tmp_path):
    seen = []
    model = torch.nn.Linear(3, 1)
    optimizer = make_optimizer(config(), model.named_parameters())

    def step_loss(draw):
        out = model(torch.ones(2, 3))
        seen.append(out.dtype)
        return {"total": out.float().square().mean()}

    fit(
        model,
        optimizer,
        step_loss,
        config(steps=2, precision="bfloat16"),
        seed=0,
        state_path=tmp_path / STATE_NAME,
        report=lambda *_: None,
    )
    assert seen == [torch.bfloat16] * 2
    assert model.weight.dtype == torch.float32
    moments = optimizer.state[model.weight]
    assert {moments[key].dtype for key in moments} == {torch.float32}


def test_frozen_parameters_and_vectors():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[0].requires_grad_(False)
    groups = make_optimizer(config(), model.named_parameters()).param_groups
    decays = {tuple(p.shape): group["weight_decay"] for group in groups for p in group["params"]}
    assert decays == {(2, 2): config().weight_decay, (2,): 0.0}


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (OptimConfig, {"steps": 0, "batch_size": 1, "learning_rate": 1e-3}),
        (OptimConfig, {"steps": 1, "batch_size": 1, "learning_rate": 2.0}),
        (TuningConfig, {"snapshots": (0.5,)}),
        (TuningConfig, {"snapshots": (0.5, 0.2, 1.0)}),
        (TuningConfig, {"e_sem_learning_rate": 0.0}),
        (TuningConfig, {"measured": "average"}),
        (TuningConfig, {"average_decay": 1.0}),
        (RuntimeConfig, {"ranks": 0}),
        (RuntimeConfig, {"profile": -1}),
    ],
)
def test_bad_config(cls, fields):
    with pytest.raises(ConfigError):
        cls(**fields)
