"""How tuning runs: memory, compilation, precision, profile, what is measured and shown."""

import gzip
import json

import pytest
import torch

from tiny_tuning import TUNING, tune_micro
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.models.checkpoint import load_checkpoint
from uamsim.testing.models import make_batch, micro_vla
from uamsim.training.config import OptimConfig, RuntimeConfig
from uamsim.training.layers import prepare_layers
from uamsim.training.meter import Meter, matmul_flops


def gradients(vla, **autocast):
    with torch.autocast("cpu", torch.bfloat16, **autocast):
        losses = vla.losses(make_batch(vla), torch.Generator().manual_seed(0))
    losses["total"].backward()
    return {n: p.grad for n, p in vla.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("variant", ["uam", "mlp_head"])
@pytest.mark.parametrize("frozen", [False, True])
def test_checkpointed_activations_give_the_same_gradients(monkeypatch, variant, frozen):
    plain, checkpointed = micro_vla(variant), micro_vla(variant)
    for vla in (plain, checkpointed):
        vla.set_e_sem_trainable(not frozen)
    calls = []
    expert = checkpointed.vlm.mot.layer(0).expert("sem")
    project = expert.project
    monkeypatch.setattr(expert, "project", lambda *args: calls.append(1) or project(*args))
    prepare_layers(checkpointed, "float32", RuntimeConfig(checkpoint_activations=True))
    expected = gradients(plain, enabled=False)
    actual = gradients(checkpointed, enabled=False)
    assert set(actual) == set(expected)
    assert all(torch.equal(actual[name], expected[name]) for name in expected)
    assert frozen or len(calls) == 2, "the layer was not computed again"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler about itself
def test_compiled_layers_give_the_same_gradients():
    """Of two experts; a third adds to a layer what the second does."""
    plain, compiled = micro_vla("no_dorsal"), micro_vla("no_dorsal")
    prepare_layers(compiled, "float32", RuntimeConfig(compile=True))
    expected = gradients(plain, enabled=False)
    actual = gradients(compiled, enabled=False)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ["uam", "mlp_head", "vlm_init_query"])
@pytest.mark.parametrize("frozen", [False, True])
def test_bfloat16_is_near_float32(variant, frozen):
    plain, low = micro_vla(variant), micro_vla(variant)
    for vla in (plain, low):
        vla.set_e_sem_trainable(not frozen)
    prepare_layers(low, "bfloat16", RuntimeConfig())
    expected, actual = gradients(plain, enabled=False), gradients(low)
    a, b = (torch.cat([g.flatten() for g in grads.values()]) for grads in (actual, expected))
    assert a.dtype == torch.float32
    assert 1e-4 < float((a - b).norm() / b.norm()) < 0.05


def test_the_average_is_what_is_measured_if_asked(start, tmp_path):
    measured = []
    tuning = {"average_decay": 0.5, "measured": "average"}
    last = tune_micro(
        start, tmp_path, "uam", tuning=tuning, on_snapshot=lambda _, path: measured.append(path)
    )
    assert [path.name for path in measured] == [
        "step-000002.average.safetensors",
        "step-000004.average.safetensors",
    ]
    assert last == measured[-1]
    average, trained = load_checkpoint(last), load_checkpoint(tmp_path / "step-000004.safetensors")
    assert average.extra["identity"] != trained.extra["identity"]
    before = load_checkpoint(start / "vlm" / "model.safetensors").state
    name = next(n for n in trained.state if n.startswith("vlm.") and n[4:] in before)
    moved = trained.state[name] - before[name[4:]]
    averaged = average.state[name] - before[name[4:]]
    assert 0 < averaged.norm() < moved.norm()


def test_profile_and_metrics(start, tmp_path):
    seen = []
    tune_micro(
        start,
        tmp_path,
        "uam",
        runtime={"profile": 2},
        report=lambda step, total, metrics: seen.append(metrics),
    )
    with gzip.open(tmp_path / "trace.json.gz", "rt") as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert {"step 2", "step 3"} <= names
    assert not {"step 1", "step 4"} & names
    for metrics in seen:
        assert metrics["samples_per_s"] > 0
        assert metrics["tokens_per_s"] > metrics["samples_per_s"]
        assert 0 < metrics["mfu"] < 1
        assert metrics["memory_gib"] > 0.05
        parts = [metrics[f"grad_norm_{name}"] for name in ("e_sem", "e_dor", "e_act")]
        assert sum(part**2 for part in parts) ** 0.5 == pytest.approx(metrics["grad_norm"])
    assert seen[0]["learning_rate"] == pytest.approx(TUNING.learning_rate)


def test_watching_happens_when_it_should(start, tmp_path):
    seen = []
    tune_micro(
        start,
        tmp_path,
        "no_dorsal",
        runtime={"watch_every": 3},
        watch=lambda step, model: seen.append((step, model.config.chunk)),
    )
    assert seen == [(3, 4)]


def test_every_parameter_has_an_expert():
    for variant in ("uam", "mlp_head", "random_init", "vlm_init_query"):
        vla = micro_vla(variant)
        sem = {f"vlm.{name}" for name, _ in vla.vlm.sem_parameters()}
        for name, _ in vla.named_parameters():
            assert (vla.group_of(name) == "e_sem") == (name in sem), name


def test_meter_counts():
    meter = Meter(samples=6, tokens=10, flops=5.0, peak_flops=1e3)
    for _ in range(2):
        with meter.step():
            pass
    speed = meter.speed()
    assert speed["tokens_per_s"] == pytest.approx(10 * speed["samples_per_s"])
    assert speed["mfu"] == pytest.approx(5 * speed["samples_per_s"] / 1e3)
    assert matmul_flops(torch.float32, size=128) > 1e8


def test_too_many_passes_and_unknown_names(start, tmp_path):
    with pytest.raises(ConfigError, match="batch_size is 4"):
        tune_micro(start, tmp_path, "uam", runtime={"accumulation": 5})
    with pytest.raises(UnknownNameError, match="float16"):
        OptimConfig(steps=1, batch_size=1, learning_rate=1e-3, precision="float16")  # pyright: ignore[reportArgumentType]
