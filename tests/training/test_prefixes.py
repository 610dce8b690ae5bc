import numpy as np
import pytest
import torch

from tiny_tuning import tune_micro
from uamsim.data.action_data import ActionDataset
from uamsim.testing.models import micro_vla
from uamsim.training.prefixes import Prefixes


@pytest.mark.parametrize("variant", ["no_dorsal", "uam", "vlm_init_vision", "mlp_head"])
def test_kept_prefixes_give_the_same_losses(start, tmp_path, variant):
    vla = micro_vla(variant)
    vla.set_e_sem_trainable(False)
    data = ActionDataset(start / "demonstrations", chunk=vla.config.chunk)
    kept = Prefixes.of(vla, data, tmp_path, 1e9)
    assert kept is not None
    frames = np.arange(1 + vla.config.chunk)
    assert set(kept.rows[frames] >= 0) == {True, False}
    plain = vla.to_batch(data.batch(frames))
    batches = plain, kept.put_into(vla, plain, frames)
    losses = [vla.losses(b, torch.Generator().manual_seed(3)) for b in batches]
    for name, value in losses[0].items():
        torch.testing.assert_close(losses[1][name], value, atol=1e-6, rtol=1e-6)


def test_prefixes_are_written_once_and_only_where_there_is_room(start, tmp_path):
    vla = micro_vla("no_dorsal")
    data = ActionDataset(start / "demonstrations", chunk=vla.config.chunk)
    assert Prefixes.of(vla, data, tmp_path, 1e3) is None
    assert not list(tmp_path.iterdir())
    one = Prefixes.of(vla, data, tmp_path, 1e9)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    beside = micro_vla("uam")
    beside.vlm.load_state_dict(dict(vla.vlm.sem_parameters()), strict=False)
    other = Prefixes.of(beside, data, tmp_path, 1e9)
    assert one is not None
    assert other is not None
    assert np.array_equal(one.states, other.states)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
    Prefixes.of(micro_vla("no_dorsal", seed=1), data, tmp_path, 1e9)
    assert len(list(tmp_path.iterdir())) == 2 * len(written)


def test_frozen_tuning_is_the_same_with_and_without(start, tmp_path):
    rows = {}
    for gib in (0.0, 0.5):
        seen = rows.setdefault(gib, [])
        tune_micro(
            start,
            tmp_path / str(gib),
            "uam",
            trainable=False,
            runtime={"prefix_gib": gib},
            report=lambda step, total, metrics, seen=seen: seen.append(metrics["total"]),
        )
    assert rows[0.5] == pytest.approx(rows[0.0], rel=1e-4)
    assert list((start / "demonstrations" / "prefixes").iterdir())
