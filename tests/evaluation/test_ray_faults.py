"""What only real processes show; a start of a worker takes seconds, so each test asks for much."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from faults import NOISY, make_job, noisy_jobs, table, undisturbed
from uamsim.errors import ConfigError, TrialError
from uamsim.evaluation.backends.ledger import Ledger
from uamsim.testing.policies import BrokenPolicy, Doomed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def local_ray():
    ray = pytest.importorskip("ray")
    # With Ray's own 15, workers wait behind all else that a machine does.
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(
        address="local",
        num_cpus=12,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
    )
    yield
    ray.shutdown()


def run(path: Path, jobs, num_workers: int, **options) -> None:
    from uamsim.evaluation.backends.ray import RayBackend

    backend = RayBackend(num_workers, **options)
    try:
        with Ledger(path) as ledger:
            ledger.run(backend, jobs)
    finally:
        backend.close()


def test_workers_that_are_killed_or_hang(tmp_path: Path):
    doomed = Doomed(folder=str(tmp_path), kill_at=((0, 0), (4, 10)), hang_at=((5, 10),), noise=0.4)
    run(tmp_path / "l.sqlite", noisy_jobs(doomed), 2, timeout_s=5)
    assert {p.name for p in tmp_path.glob("?-*")} == {"0-0", "4-10", "5-10"}
    assert table(tmp_path / "l.sqlite") == undisturbed(tmp_path / "whole.sqlite", noisy_jobs())


def test_inference_actors_give_the_same_and_may_be_killed(tmp_path: Path):
    from uamsim.evaluation.backends.ray import Inference

    doomed = Doomed(folder=str(tmp_path), kill_at=((0, 10), (6, 0)), noise=0.4)
    inference = Inference(max_wait_s=0.02)
    run(tmp_path / "l.sqlite", noisy_jobs(doomed), 3, inference=inference, max_envs=2)
    assert {p.name for p in tmp_path.glob("?-*")} == {"0-10", "6-0"}
    assert table(tmp_path / "l.sqlite") == undisturbed(tmp_path / "whole.sqlite", noisy_jobs())


def test_an_inference_actor_names_what_is_wrong(tmp_path: Path):
    from uamsim.evaluation.backends.ray import Inference

    def sick() -> BrokenPolicy:
        return BrokenPolicy(at_seed=1, noise=0.4)

    inference = Inference()
    with pytest.raises(TrialError, match=r"1 episode.*\n.*seed 1: InvalidActionError"):
        run(tmp_path / "l.sqlite", [make_job(sick, range(3))], 1, inference=inference)
    assert [record.seed for record in table(tmp_path / "l.sqlite")] == [0, 2]


@pytest.mark.parametrize("num_workers", [1, 5])
def test_any_number_of_workers_gives_the_same_ledger(tmp_path: Path, num_workers: int):
    run(tmp_path / "l.sqlite", noisy_jobs(), num_workers)
    assert table(tmp_path / "l.sqlite") == undisturbed(tmp_path / "whole.sqlite", noisy_jobs())


DRIVER = """
    import sys
    from pathlib import Path

    from faults import NOISY, make_job
    from uamsim.evaluation.backends.ledger import Ledger
    from uamsim.evaluation.backends.ray import RayBackend

    backend = RayBackend(2)
    with Ledger(Path(sys.argv[1])) as ledger:
        ledger.run(backend, [make_job(NOISY, range(120))], lambda n, *_: print(n, flush=True))
"""


def test_a_killed_driver_leaves_a_ledger_to_go_on_from_and_no_workers(tmp_path: Path):
    (tmp_path / "driver.py").write_text(textwrap.dedent(DRIVER))
    path = tmp_path / "l.sqlite"
    driver = subprocess.Popen(
        [sys.executable, str(tmp_path / "driver.py"), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MARK": str(tmp_path)},
    )
    assert driver.stdout is not None
    for line in driver.stdout:
        if int(line) >= 7:
            break
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    kept = len(table(path))
    assert 7 <= kept < 120
    deadline = time.monotonic() + 180  # how soon is up to Ray
    while orphans(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not orphans(tmp_path)
    jobs = [make_job(NOISY, range(120))]
    assert undisturbed(path, jobs) == undisturbed(tmp_path / "whole.sqlite", jobs)


def orphans(folder: Path) -> list[str]:
    """Processes that the driver of a folder started and that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes().decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"MARK={folder}" in environ.split("\0") and state != "Z":
            found.append(entry.name)
    return found


def test_two_nodes(tmp_path: Path):
    import ray
    from ray.cluster_utils import Cluster

    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=2)
        run(tmp_path / "l.sqlite", noisy_jobs(), 3, address=cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert table(tmp_path / "l.sqlite") == undisturbed(tmp_path / "whole.sqlite", noisy_jobs())


def test_no_cluster_there():
    import ray

    from uamsim.evaluation.backends.ray import RayBackend

    ray.shutdown()
    with pytest.raises(ConfigError, match="ray start --head"):
        RayBackend(1, address="127.0.0.1:1")
