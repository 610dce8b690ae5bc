"""Several processes train as one does, and go on where some of them were killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import tiny_tuning
from tiny_tuning import tune_micro
from uamsim.models.checkpoint import load_checkpoint
from uamsim.models.variants import VARIANTS
from uamsim.training.ranks import Part

WORKER = Path(tiny_tuning.__file__)
MEMORY = Path(__file__).parents[2] / "benchmarks" / "shard_memory.py"
TUNING = {"steps": 16, "snapshots": (0.25, 0.5, 1.0), "average_decay": 0.9}
PARTS = ("total", "action", "dynamics", "vqa")
REQUEST = {"variant": "uam", "share": 0.4, "tuning": TUNING}


def launch(start, out, size, **request):
    """Processes of one run, as ``torchrun`` starts them."""
    return launch_all(size, [{"start": str(start), "out": str(out), **REQUEST, **request}])


def launch_all(size, requests):
    """Processes that do one run after the other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = json.dumps(requests)
    return [
        subprocess.Popen(
            [sys.executable, str(WORKER), words],
            env={
                **os.environ,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(size),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def finish(processes):
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-2000:]


def rows(out):
    return [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]


def alone(start, out, **changes):
    """The losses of one process, step by step."""
    seen = {}
    request = REQUEST | changes
    tune_micro(start, out, report=lambda step, _, metrics: seen.update({step: metrics}), **request)
    return seen


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """Losses of an undisturbed run of one process, and its folder."""
    out = tmp_path_factory.mktemp("whole")
    return alone(start, out), out


def assert_same(metrics, expected):
    for name in (*PARTS, "grad_norm", "grad_norm_e_act"):
        assert metrics[name] == pytest.approx(expected[name], abs=1e-5, rel=1e-5), name


def assert_same_weights(path, other):
    a, b = load_checkpoint(path).state, load_checkpoint(other).state
    for name in a:
        apart = (a[name] - b[name]).abs()
        if "vision" in name and name.endswith("qkv.bias"):
            # Without rotation no attention depends on the keys' biases: their gradients are
            # rounding alone, which AdamW divides by itself.
            queries, _, values = apart.chunk(3)
            apart = torch.stack([queries, values])
        assert float(apart.mean()) < 1e-6, name


def test_parts_cover_a_step_once():
    for total, count in ((7, 3), (4, 4), (2, 3)):
        parts = [Part(index=i, count=count).rows(total) for i in range(count)]
        taken = [row for part in parts for row in range(total)[part]]
        assert taken == list(range(total))


@pytest.mark.parametrize(
    "runtime", [{"accumulation": 2}, {"accumulation": 3}, {"accumulation": 2, "packed": True}]
)
def test_accumulation_and_packing_change_nothing(start, tmp_path, whole, runtime):
    seen = alone(start, tmp_path, runtime=runtime)
    for step, metrics in seen.items():
        assert_same(metrics, whole[0][step])


@pytest.mark.slow
def test_two_ranks_train_as_one_process(start, tmp_path, whole):
    expected, folder = whole
    finish(launch(start, tmp_path, 2, ask="what?", runtime={"watch_every": 8}))
    seen = rows(tmp_path)
    losses = [row for row in seen if "total" in row]
    assert [row["step"] for row in losses] == list(range(1, 17))
    for row in losses:
        assert_same(row, expected[row["step"]])
    answers = [(row["step"], row["answers"]) for row in seen if "answers" in row]
    assert len(answers) == 4
    assert answers[0] == answers[1], "the ranks disagree"
    for name in ("step-000016.safetensors", "step-000016.average.safetensors"):
        assert_same_weights(tmp_path / name, folder / name)


@pytest.mark.slow
@pytest.mark.parametrize("then", [1, 2])
def test_a_killed_rank_and_another_number_of_ranks(start, tmp_path, whole, then):
    expected, folder = whole
    processes = launch(start, tmp_path, 2)
    log, deadline = tmp_path / "losses.jsonl", time.monotonic() + 240
    while not log.exists() or len(log.read_text().splitlines()) < 9:
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes), processes[0].communicate()[1]
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGKILL)
    processes[1].communicate()
    # Whoever starts ranks ends the others when one has died.
    processes[0].kill()
    processes[0].communicate()
    reached = len(rows(tmp_path))
    assert 9 <= reached < 16, "it was over before it was killed"
    log.unlink()
    finish(launch(start, tmp_path, then))
    seen = rows(tmp_path)
    assert [row["step"] for row in seen] == list(range(9, 17)), "it did not go on from step 8"
    for row in seen:
        assert_same(row, expected[row["step"]])
    for name in ("step-000016.safetensors", "step-000016.average.safetensors"):
        assert_same_weights(tmp_path / name, folder / name)


MODES = {
    "unfrozen": {"share": 0.0},
    "frozen": {"share": 0.0, "trainable": False},
    "cotrained": {"share": 0.4},
    "insulated": {"share": 0.4, "model": {"insulated": True}},
    "insulated, no questions": {"share": 0.0, "model": {"insulated": True}},
    "packed": {"share": 0.0, "runtime": {"packed": True, "checkpoint_activations": True}},
    "bfloat16": {"share": 0.4, "tuning": {"precision": "bfloat16"}},
}


@pytest.mark.slow
def test_every_variant_and_mode_on_two_ranks(start, tmp_path):
    """Every variant in the mode with the most branches, and every mode of UAM.

    Losses and gradients of the ranks are those of one process; a variant differs from UAM by its
    sequence and its groups of weights, which the other modes use in the same way. What is least
    like UAM, one action token without E_dor, has the two plain modes as well.
    """
    brief = {"steps": 2, "snapshots": (1.0,), "average_decay": 0.9}
    requests = {
        f"{variant}, {mode}": {"variant": variant, **more, "tuning": brief | more.get("tuning", {})}
        for variant in VARIANTS
        for mode, more in MODES.items()
        if mode == "insulated"
        or variant == "uam"
        or (variant == "mlp_head" and mode in {"unfrozen", "frozen"})
    }
    paths = {name: {"start": str(start), "out": str(tmp_path / name)} for name in requests}
    finish(launch_all(2, [{**paths[name], **request} for name, request in requests.items()]))
    for name, request in requests.items():
        expected = alone(start, tmp_path / f"{name} alone", **request)
        seen = rows(tmp_path / name)
        assert len(seen) == len(expected)
        close = 2e-2 if name.endswith("bfloat16") else 1e-5
        for row in seen:
            want = expected[row["step"]]
            # What is insulated and not asked has no gradient on any number of ranks.
            assert {k for k in row if "norm" in k} == {k for k in want if "norm" in k}, name
            for key in want:
                if key in PARTS or "norm" in key:
                    assert row[key] == pytest.approx(want[key], rel=close, abs=close), (name, key)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler about itself
def test_compiled_ranks_go_on_together_through_many_graphs(start, tmp_path):
    # Action and questions are two branches of a backward pass; more graphs of a layer than the
    # compiler makes by itself come from the lengths of the questions.
    brief = {"steps": 6, "snapshots": (1.0,)}
    insulated = {"variant": "mlp_head", **MODES["insulated"], "tuning": brief}
    expected = alone(start, tmp_path / "alone", **insulated)
    finish(launch(start, tmp_path / "ranks", 2, **insulated, runtime={"compile": True}))
    seen = rows(tmp_path / "ranks")
    assert [row["step"] for row in seen] == list(range(1, 7))
    for row in seen:
        assert row["total"] == pytest.approx(expected[row["step"]]["total"], rel=1e-5, abs=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_no_rank_ever_holds_the_whole_model():
    words = [sys.executable, str(MEMORY), "--load-only", "--depth", "6"]
    shares = {}
    for ranks in ("1", "2"):
        done = subprocess.run(
            [*words, "--ranks", ranks], capture_output=True, text=True, check=True
        )
        seen = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(seen) == int(ranks)
        shares[ranks] = max(row["share"] for row in seen)
    assert shares["1"] < 1.3
    # Half the weights, the frozen VAE, and one layer or what is in none, before it is split.
    assert shares["2"] < 0.9
